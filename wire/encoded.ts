import type { Cause } from './causes.js';
import { encodeParameter } from './message.js';
import { OperationError, PoolElement, PoolHandle } from './parameters.js';
import { Policy } from './policies.js';

/** Parameters alone, padded: a registrar keeps them and puts answers together by concatenation. */
export const encodePoolHandle = (value: Uint8Array): Buffer => encodeParameter(PoolHandle, value);
export const encodePoolElement = (value: PoolElement): Buffer => encodeParameter(PoolElement, value);
export const encodePolicy = (value: Policy): Buffer => encodeParameter(Policy, value);
export const encodeCauses = (value: readonly Cause[]): Buffer => encodeParameter(OperationError, value);
