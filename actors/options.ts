import { FeatureUnavailableError, UsageError } from '../errors.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import { poolHandleBytes, poolHandleKey } from '../wire/index.js';
import { MOST_STREAMS } from '../wire/mapping.js';
import type { ActorEnvironment } from './environment.js';

/** Options are checked at the call, before anything is done: unknown names, types, ranges. */

/** @returns what the value should be, or undefined where it is fine. */
export type Check = (value: unknown) => string | undefined;

/** @throws UsageError INVALID_OPTION. Options that are undefined count as not given. */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw invalid(`${call} takes its options as an object`);
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw invalid(`${call} has no option ${name}; there are ${Object.keys(checks).join(', ')}`);
    if (value === undefined) continue;
    const wanted = check(value);
    if (wanted !== undefined) throw invalid(`${call}: ${name} is ${wanted}, not ${shown(value)}`);
  }
}

export const invalid = (message: string): UsageError => new UsageError('INVALID_OPTION', message);

const where = (holds: (value: unknown) => boolean, wanted: string): Check => (value) => (holds(value) ? undefined : wanted);

export const anything: Check = () => undefined;
export const isString = where((value) => typeof value === 'string', 'a string');
export const isStringList = where((value) => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string'), 'a list of strings, one at least');
export const isList = where((value) => Array.isArray(value) && value.length > 0, 'a list, with one at least');
export const isFunction = where((value) => typeof value === 'function', 'a function');
export const isBoolean = where((value) => typeof value === 'boolean', 'true or false');
export const isU32 = where((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff, 'a whole number from 0 to 0xffffffff');
export const isPort = where((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff, 'a port, 0 to 65535');
export const isStream = where((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < MOST_STREAMS, `a whole number from 0 to ${MOST_STREAMS - 1}`);
export const isDelay = where((value) => typeof value === 'number' && value > 0 && value <= 0x7fff_ffff, 'a number of milliseconds above 0');
export const isCount = where((value) => value === Infinity || (Number.isSafeInteger(value) && (value as number) > 0), 'a whole number above 0');
export const isFraction = where((value) => typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1');
export const isSignal = where((value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value, 'an AbortSignal');
export const isLogger = where((value) => typeof value === 'object' && value !== null && ['debug', 'info', 'warn', 'error'].every((level) => typeof (value as Record<string, unknown>)[level] === 'function'), 'a logger with debug, info, warn and error');
export const isOneOf = (...values: readonly string[]): Check => where((value) => values.includes(value as string), `one of ${values.join(', ')}`);

/** @throws UsageError INVALID_URL; FeatureUnavailableError for a scheme to come. */
export function checkAddress(environment: ActorEnvironment, address: string): void {
  if (!address.includes('://')) parseAddress(address, []);
  parseAddress(address, environment.transports(schemeOf(address)).schemes);
}

/** A handle as the key of all maps. @throws UsageError INVALID_HANDLE. */
export function checkHandle(handle: unknown): string {
  if (typeof handle !== 'string' && !(handle instanceof Uint8Array)) throw new UsageError('INVALID_HANDLE', `a pool handle is a string or a Uint8Array, not ${shown(handle)}`);
  const { length } = poolHandleBytes(handle);
  if (length === 0) throw new UsageError('INVALID_HANDLE', 'a pool handle is not empty');
  if (length > MAX_HANDLE) throw new UsageError('INVALID_HANDLE', `a pool handle has at most ${MAX_HANDLE} bytes, not ${length}`);
  return poolHandleKey(handle);
}
/** So that it fits into a message together with a pool element (RFC 5354 §4: a length of 16 bits). */
const MAX_HANDLE = 65_000;

/** A PE handle: a pool handle and a PE identifier, as a key of both. @throws UsageError INVALID_HANDLE. */
export function checkElementHandle(element: unknown): { readonly key: string; readonly identifier: number } {
  if (typeof element !== 'object' || element === null || !('identifier' in element)) throw new UsageError('INVALID_HANDLE', `a PE handle is { handle, identifier }, not ${shown(element)}`);
  const { handle, identifier } = element as Partial<Record<'handle' | 'identifier', unknown>>;
  const wanted = isU32(identifier);
  if (wanted !== undefined || identifier === 0) throw new UsageError('INVALID_HANDLE', `a PE handle's identifier is a whole number from 1 to 0xffffffff, not ${shown(identifier)}`);
  return { key: checkHandle(handle), identifier: identifier as number };
}

export const notYet = (feature: string): FeatureUnavailableError => new FeatureUnavailableError(feature, 'this release');

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'a list' : typeof value;
}
