import type { Clock, Milliseconds } from '../../environment.js';

/** A timer that is set and stopped with each message: it has one timer of the clock at most, which looks at the deadline when it expires. Judged after
 *  the poll phase: when a process wakes up, timers run before the input that came meanwhile (D-29). */
export class LazyTimer {
  #deadline = Infinity;
  #timer: unknown;
  #expiresAt = Infinity;

  constructor(private readonly clock: Clock, private readonly expired: () => void) {}

  get isSet(): boolean { return this.#deadline !== Infinity; }
  /** -Infinity where it is not set. */
  get remaining(): Milliseconds { return this.isSet ? this.#deadline - this.clock.now() : -Infinity; }

  set(delay: Milliseconds): void {
    this.#deadline = this.clock.now() + delay;
    if (this.#deadline < this.#expiresAt) this.#start(delay);
  }

  stop(): void { this.#deadline = Infinity; }

  /** Gives the clock's timer back, too. */
  clear(): void {
    this.#deadline = this.#expiresAt = Infinity;
    this.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(delay: Milliseconds): void {
    this.clock.clearTimeout(this.#timer);
    this.#expiresAt = this.#deadline;
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#expiresAt = Infinity;
      if (this.isSet) this.clock.defer(() => { this.#judge(); });
    }, delay);
  }

  #judge(): void {
    if (!this.isSet || this.#timer !== undefined) return;
    const remaining = this.#deadline - this.clock.now();
    if (remaining > 0.01) return this.#start(remaining);
    this.#deadline = Infinity;
    this.expired();
  }
}
