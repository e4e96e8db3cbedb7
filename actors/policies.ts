import type { Milliseconds } from '../environment.js';
import { UsageError } from '../errors.js';
import { encodePolicy, type Policy } from '../wire/index.js';
import { AdaptivePolicy, FULL, isLoad } from './adaptive-policy.js';
import { checkOptions, invalid, isDelay, isFraction, isFunction, isU32, type Check } from './options.js';

/** Pool member selection policies, RFC 5356. All elements of a pool have the same one. Loads and degradations are numbers from 0 to 1 here, 32-bit fractions on the wire.
 *  A load may be a function: the element then asks it again and again, and tells registrars when it has changed (`AdaptiveLoad`). */

export interface AdaptiveLoad {
  /** 0 to 1. Where it throws or gives something else, that is logged once and the last value stays; the first value has to be one. */
  readonly load: () => number;
  /** Milliseconds between two samples, a tenth more or less. Default 1000. */
  readonly interval?: Milliseconds;
  /** By so much it has changed when it is told; 0 and 1 always are. Default 0.05. */
  readonly threshold?: number;
}
export interface Degradation {
  /** What one user more adds to the load, 0 to 1. */
  readonly degradation: number;
}
export interface WithLoad {
  (options: { readonly load: number }): Policy;
  (options: AdaptiveLoad): AdaptivePolicy;
}
export interface WithLoadAndDegradation {
  (options: { readonly load: number } & Degradation): Policy;
  (options: AdaptiveLoad & Degradation): AdaptivePolicy;
}
/** What `register` and `element.update` take. */
export type PolicyOption = Policy | AdaptivePolicy;

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

/** The one of the least load (§5.1). */
export const leastUsed: WithLoad = (options: object) => withLoad('leastUsed', 'least-used', options) as Policy & AdaptivePolicy;

/** The same, where each pick adds `degradation` to the load until the next registration (§5.2). */
export const leastUsedDegradation: WithLoadAndDegradation = (options: object) => withBoth('leastUsedDegradation', 'least-used-with-degradation', options) as Policy & AdaptivePolicy;

/** The one of the least load plus degradation (§5.3). */
export const priorityLeastUsed: WithLoadAndDegradation = (options: object) => withBoth('priorityLeastUsed', 'priority-least-used', options) as Policy & AdaptivePolicy;

/** Any, the less loaded the more often (§5.4). */
export const randomizedLeastUsed: WithLoad = (options: object) => withLoad('randomizedLeastUsed', 'randomized-least-used', options) as Policy & AdaptivePolicy;

/** RSPLIB's own, 0xb0001001: any, the less loaded with one user more the more often. For pools of RSPLIB's and ours. */
export const randomizedPriorityLeastUsed: WithLoadAndDegradation = (options: object) => withBoth('randomizedPriorityLeastUsed', 'randomized-priority-least-used', options) as Policy & AdaptivePolicy;

/** RSPLIB's own, 0xb0001002: any, the less loaded the more often, where each pick adds `degradation`. */
export const randomizedLeastUsedDegradation: WithLoadAndDegradation = (options: object) => withBoth('randomizedLeastUsedDegradation', 'randomized-least-used-with-degradation', options) as Policy & AdaptivePolicy;

/** RSPLIB's own, 0xb0001003: the one of the least load plus degradation, where each pick adds another. */
export const priorityLeastUsedDegradation: WithLoadAndDegradation = (options: object) => withBoth('priorityLeastUsedDegradation', 'priority-least-used-with-degradation', options) as Policy & AdaptivePolicy;

/** RSPLIB's own, 0xb0001004: both. */
export const randomizedPriorityLeastUsedDegradation: WithLoadAndDegradation = (options: object) => withBoth('randomizedPriorityLeastUsedDegradation', 'randomized-priority-least-used-with-degradation', options) as Policy & AdaptivePolicy;

/** Of an option `policy`. @throws UsageError INVALID_OPTION. */
export function checkPolicy(call: string, value: unknown): void {
  if (value instanceof AdaptivePolicy) return;
  if (typeof value !== 'object' || value === null || !('policy' in value)) throw invalid(`${call}: policy is what roundRobin(), leastUsed({ load }) and the like return`);
  try {
    encodePolicy(value as Policy);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError('INVALID_OPTION', `${call}: policy: ${error.message}`, { cause: error });
    throw error;
  }
}

const withLoad = (call: string, policy: 'least-used' | 'randomized-least-used', options: object): PolicyOption =>
  adapted(call, options, {}, (load) => ({ policy, load }));

type PolicyWithBoth = Extract<Policy, { readonly loadDegradation: number }>['policy'];
const withBoth = (call: string, policy: PolicyWithBoth, options: object): PolicyOption => {
  const checks = { degradation: isFraction };
  return adapted(call, options, checks, (load) => ({ policy, load, loadDegradation: Math.round(numberOf(call, options, 'degradation') * FULL) }));
};

/** `make` gets the load as it goes on the wire. */
function adapted(call: string, options: object, others: Readonly<Record<string, Check>>, make: (load: number) => Policy): PolicyOption {
  checkOptions(call, options, { load: isLoad, ...others, interval: isDelay, threshold: isFraction });
  const { load, interval = 1_000, threshold = 0.05 } = options as Partial<AdaptiveLoad>;
  if (isFunction(load) !== undefined) {
    for (const name of ['interval', 'threshold'] as const) if ((options as Partial<AdaptiveLoad>)[name] !== undefined) throw invalid(`${call}: ${name} is for a load that is a function`);
    return make(Math.round(numberOf(call, options, 'load') * FULL));
  }
  make(0); // the other values are there
  return new AdaptivePolicy(call, load as () => unknown, { interval, threshold }, make);
}

function u32Of(call: string, options: object, name: string): number {
  checkOptions(call, options, { [name]: isU32 });
  return numberOf(call, options, name);
}

function numberOf(call: string, options: object, name: string): number {
  const value = (options as Readonly<Record<string, number | undefined>>)[name];
  if (value === undefined) throw invalid(`${call} needs ${name}`);
  return value;
}
