import type { Milliseconds } from '../../environment.js';
import { SimulatedClock } from '../simulated-clock.js';

/** A simulated clock that tells what waits on it. */
export class SteeredClock extends SimulatedClock {
  readonly #waiting = new Map<unknown, { readonly at: Milliseconds; readonly delay: Milliseconds }>();

  override setTimeout(expire: () => void, delay: Milliseconds): unknown {
    const timer = super.setTimeout(() => {
      this.#waiting.delete(timer);
      expire();
    }, delay);
    this.#waiting.set(timer, { at: this.now() + Math.max(0, delay), delay });
    return timer;
  }

  override clearTimeout(timer: unknown): void {
    this.#waiting.delete(timer);
    super.clearTimeout(timer);
  }

  /** What waits, by how long it was to wait and what is left of it: the same for equal states at different times. */
  timers(): string {
    const now = this.now();
    return [...this.#waiting.values()].map(({ at, delay }) => `${round(delay)}:${round(at - now)}`).sort().join(' ');
  }

  /** Time to the next expiry. */
  untilNext(): Milliseconds | undefined {
    let next = Infinity;
    for (const { at } of this.#waiting.values()) if (at < next) next = at;
    return next === Infinity ? undefined : next - this.now();
  }
}

const round = (span: Milliseconds): number => Math.round(span * 1000) / 1000;
