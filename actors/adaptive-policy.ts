import type { Clock, Logger, Milliseconds, Random } from '../environment.js';
import { UsageError } from '../errors.js';
import type { Policy } from '../wire/index.js';
import { isFraction, isFunction, type Check } from './options.js';

/** A load of 100 % on the wire (RFC 5356 §3.1). */
export const FULL = 0xffff_ffff;
export const isLoad: Check = (value) => (isFunction(value) === undefined || isFraction(value) === undefined ? undefined : 'a number from 0 to 1, or a function that gives one');

/** A policy (RFC 5356 §5) whose load is asked of the application: what `leastUsed({ load: () => ... })` and the like return. One may serve several elements. */
export class AdaptivePolicy {
  readonly #call: string;
  readonly #load: () => unknown;
  readonly #make: (load: number) => Policy;

  /** @internal `make` gets the load as it goes on the wire. */
  constructor(call: string, load: () => unknown, readonly sampling: { readonly interval: Milliseconds; readonly threshold: number }, make: (load: number) => Policy) {
    this.#call = call;
    this.#load = load;
    this.#make = make;
  }

  /** The load now, 0 to 1. @throws what the application's function throws; UsageError INVALID_OPTION where it gives something else. */
  sample(): number {
    const load = this.#load();
    if (isFraction(load) !== undefined) throw new UsageError('INVALID_OPTION', `${this.#call}: load() gives a number from 0 to 1, not ${String(load)}`);
    return load as number;
  }

  /** With that load, 0 to 1. */
  with(load: number): Policy {
    return this.#make(Math.round(load * FULL));
  }
}

/** Samples the load of one element, and tells when it has changed enough. */
export class LoadSampler {
  readonly #policy: AdaptivePolicy;
  readonly #environment: SamplerEnvironment;
  readonly #changed: (policy: Policy) => void;
  #told: number;
  #isBad = false;
  #timer: unknown;

  /** The first sample. @throws UsageError INVALID_OPTION where it is none. */
  constructor(policy: AdaptivePolicy, environment: SamplerEnvironment, changed: (policy: Policy) => void) {
    this.#policy = policy;
    this.#environment = environment;
    this.#changed = changed;
    try {
      this.#told = policy.sample();
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError('INVALID_OPTION', 'the first load could not be had: load() threw', { cause: error });
    }
  }

  /** As it was told last. */
  get policy(): Policy { return this.#policy.with(this.#told); }

  start(): this {
    const { clock, random } = this.#environment;
    this.#timer = clock.setTimeout(() => {
      this.#look();
      if (this.#timer !== undefined) this.start(); // unless what it told has ended it
    }, this.#policy.sampling.interval * (0.9 + random.fraction() / 5)); // elements that were started together do not register together
    return this;
  }

  stop(): void {
    this.#environment.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const load = this.#sample();
    if (load === undefined || load === this.#told) return;
    const isEnough = Math.abs(load - this.#told) >= this.#policy.sampling.threshold - ROUNDING || load === 0 || load === 1;
    if (!isEnough) return;
    this.#told = load;
    this.#changed(this.policy);
  }

  /** Undefined where it cannot be had: the last one stays. */
  #sample(): number | undefined {
    try {
      const load = this.#policy.sample();
      this.#isBad = false;
      return load;
    } catch (error) {
      if (!this.#isBad) this.#environment.logger.error({ err: error }, 'the load of a pool element cannot be had; the last value stays');
      this.#isBad = true;
      return undefined;
    }
  }
}

interface SamplerEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
const ROUNDING = 1e-9;
