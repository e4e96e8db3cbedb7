import type { Milliseconds } from '../environment.js';
import type { FailedAttempt } from '../errors.js';
import type { PoolElement } from '../wire/index.js';
import { addressOf } from './mappings.js';

/** What was tried to open a session, or to move it: the budget, and what the final error tells of it. From one acceptance to the next. */
export class Attempts {
  readonly failed: FailedAttempt[] = [];
  readonly #now: () => Milliseconds;
  readonly #most: number;
  #since: Milliseconds | undefined;
  #trying: PoolElement | undefined;
  #count = 0;
  #inARow = 0;

  constructor(now: () => Milliseconds, most: number) {
    this.#now = now;
    this.#most = most;
  }

  get isSpent(): boolean { return this.#count >= this.#most; }
  /** So many have failed one after the other that a pause is due, whoever is left to be tried. */
  get needsPause(): boolean { return this.#inARow >= IN_A_ROW; }

  begin(element: PoolElement): void {
    this.#since ??= this.#now();
    this.#trying = element;
    this.#count++;
    this.#inARow++;
  }

  /** The one that is being tried, unless that is known already. */
  fails(error: unknown): void {
    if (this.#trying) this.note(this.#trying, error);
    this.#trying = undefined;
  }

  /** Also: the one that was left, a registrar that does not answer. */
  note(element: PoolElement | undefined, error: unknown): void {
    const now = this.#now();
    this.#since ??= now;
    if (this.failed.length >= MOST_KEPT) this.failed.splice(1, 1); // how it began is kept
    this.failed.push({ peIdentifier: element?.identifier, address: element && addressOf(element), after: now - this.#since, error });
  }

  paused(): void { this.#inARow = 0; }

  /** One has accepted. */
  succeeded(): void {
    this.failed.length = this.#count = this.#inARow = 0;
    this.#since = this.#trying = undefined;
  }
}

/** Elements tried without a pause. */
const IN_A_ROW = 8;
const MOST_KEPT = 300;
