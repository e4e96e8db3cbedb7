import { UsageError } from '../errors.js';
import { encodePolicy, type Policy } from '../wire/index.js';
import { checkOptions, invalid, isFraction, isU32, type Check } from './options.js';

/** Pool member selection policies, RFC 5356. All elements of a pool have the same one. Loads and degradations are numbers from 0 to 1 here, 32-bit fractions on the wire. */

/** Each in turn (§4.1). */
export const roundRobin = (): Policy => ({ policy: 'round-robin' });

/** Each in turn, in proportion to its weight (§4.2): a whole number, 0 where the element serves only when no other can. */
export const weightedRoundRobin = (options: { readonly weight: number }): Policy => ({ policy: 'weighted-round-robin', weight: u32Of('weightedRoundRobin', options, 'weight') });

/** Any, evenly (§4.3). */
export const random = (): Policy => ({ policy: 'random' });

/** Any, in proportion to its weight (§4.4). */
export const weightedRandom = (options: { readonly weight: number }): Policy => ({ policy: 'weighted-random', weight: u32Of('weightedRandom', options, 'weight') });

/** The one of the highest priority (§4.5). */
export const priority = (options: { readonly priority: number }): Policy => ({ policy: 'priority', priority: u32Of('priority', options, 'priority') });

/** The one of the least load (§5.1); `element.update` tells a new load. */
export const leastUsed = (options: { readonly load: number }): Policy => ({ policy: 'least-used', load: fractionOf('leastUsed', options, 'load', ['load']) });

/** The same, where each pick adds `degradation` to the load until the next update (§5.2). */
export const leastUsedDegradation = (options: LoadAndDegradation): Policy => ({ policy: 'least-used-with-degradation', ...both('leastUsedDegradation', options) });

/** The one of the least load plus degradation (§5.3). */
export const priorityLeastUsed = (options: LoadAndDegradation): Policy => ({ policy: 'priority-least-used', ...both('priorityLeastUsed', options) });

/** Any, the less loaded the more often (§5.4). */
export const randomizedLeastUsed = (options: { readonly load: number }): Policy => ({ policy: 'randomized-least-used', load: fractionOf('randomizedLeastUsed', options, 'load', ['load']) });

export interface LoadAndDegradation {
  readonly load: number;
  readonly degradation: number;
}

/** Of an option `policy`. @throws UsageError INVALID_OPTION. */
export function checkPolicy(call: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || !('policy' in value)) throw invalid(`${call}: policy is what roundRobin(), leastUsed({ load }) and the like return`);
  try {
    encodePolicy(value as Policy);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError('INVALID_OPTION', `${call}: policy: ${error.message}`, { cause: error });
    throw error;
  }
}

const FULL = 0xffff_ffff;

const both = (call: string, options: object): { load: number; loadDegradation: number } => ({
  load: fractionOf(call, options, 'load', ['load', 'degradation']),
  loadDegradation: fractionOf(call, options, 'degradation', ['load', 'degradation']),
});

const fractionOf = (call: string, options: object, name: string, names: readonly string[]): number => Math.round(numberOf(call, options, name, names, isFraction) * FULL);
const u32Of = (call: string, options: object, name: string): number => numberOf(call, options, name, [name], isU32);

function numberOf(call: string, options: object, name: string, names: readonly string[], check: Check): number {
  checkOptions(call, options, Object.fromEntries(names.map((each) => [each, check])));
  const value = (options as Readonly<Record<string, number | undefined>>)[name];
  if (value === undefined) throw invalid(`${call} needs ${name}`);
  return value;
}
