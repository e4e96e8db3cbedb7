import type { Milliseconds } from '../../environment.js';

/** What of a seed is run: all of it, or so much as a failure needs. */
export interface Cut {
  /** Numbers of the faults that happen; the others do not. */
  readonly only?: readonly number[] | undefined;
  /** How many of each user's messages are sent. */
  readonly messages?: number | undefined;
}

export interface Violation {
  readonly invariant: string;
  readonly what: string;
  readonly at: Milliseconds;
}

/** What became of a seed. */
export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly cut: Cut;
  /** Turns of the simulated event loop. */
  readonly steps: number;
  /** Numbers of the faults that happened. */
  readonly faults: readonly number[];
  readonly violations: readonly Violation[];
  readonly transcript: readonly string[];
}

/** A kind of system with a kind of life, which the seed decides. */
export interface Scenario {
  readonly name: string;
  run(seed: number, cut?: Cut): Promise<Outcome>;
}
