import type { Cause } from './causes.js';
import { readU16 } from './bytes.js';
import { Decoding } from './interpreter.js';
import { encodeParameter } from './message.js';
import { Generation, OperationError, PoolElement, PoolHandle, PoolPage, PoolSize } from './parameters.js';
import { Policy } from './policies.js';

/** Parameters alone, padded: a registrar keeps them and puts answers together by concatenation. */
export const encodePoolHandle = (value: Uint8Array): Buffer => encodeParameter(PoolHandle, value);
export const encodePoolElement = (value: PoolElement): Buffer => encodeParameter(PoolElement, value);
export const encodePolicy = (value: Policy): Buffer => encodeParameter(Policy, value);
export const encodePoolSize = (value: number): Buffer => encodeParameter(PoolSize, value);
export const encodePoolPage = (value: PoolPage): Buffer => encodeParameter(PoolPage, value);
export const encodeCauses = (value: readonly Cause[]): Buffer => encodeParameter(OperationError, value);

/** One that `encodePoolElement` made, or that came in a message. @throws WireError. */
export const decodePoolElement = (encoded: Uint8Array): PoolElement => PoolElement.read(new Decoding(encoded), PoolElement.types[0] as number, 4, readU16(encoded, 2));

/** The same pool element with another home (and generation, where it has one): a takeover changes thousands, and nothing else of them. */
export function rehomed(encoded: Buffer, home: number, generation: Generation | undefined): Buffer {
  const changed = Buffer.from(encoded);
  changed.writeUInt32BE(home, HOME_OFFSET);
  if (generation === undefined) return changed;
  for (let at = FIRST_PARAMETER; at + 4 <= changed.length; at += (changed.readUInt16BE(at + 2) + 3) & ~3) {
    if (changed.readUInt16BE(at) !== Generation.types[0]) continue;
    changed.writeUInt32BE(generation.generation, at + 4);
    changed.writeUInt32BE(generation.home, at + 8);
    break;
  }
  return changed;
}

/** RFC 5354 §3.10: after the parameter's header the PE identifier, the home, the life. */
const HOME_OFFSET = 8;
const FIRST_PARAMETER = 16;
