import type { Clock, Milliseconds } from '../environment.js';

/** Work on many sessions at once, in slices: what the first have to send is on its way before the last have been looked at (D-18). */
export function inSlices<T>(clock: Clock, items: readonly T[], step: (item: T) => void, from = 0): void {
  const startedAt = clock.now();
  for (let i = from; i < items.length; i++) {
    if (clock.now() - startedAt >= SLICE) return clock.defer(() => { inSlices(clock, items, step, i); });
    step(items[i]!);
  }
}

/** Charts that follow what their frames have done already: stepped after this turn's writes, a slice a turn. */
export class Followers {
  #waiting: (() => void)[] = [];
  constructor(readonly clock: Clock) {}

  add(step: () => void): void {
    this.#waiting.push(step);
    if (this.#waiting.length === 1) this.clock.defer(this.#run);
  }

  readonly #run = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    inSlices(this.clock, waiting, (step) => { step(); });
  };
}

const SLICE: Milliseconds = 2;
