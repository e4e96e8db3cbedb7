/** After so many milliseconds of handlers without a pause the layer yields to the event loop's poll phase (D-5). */
const BUDGET = 10;
/** Handlers that took less than so much each, since the last look at the clock, get on without one: so many. */
const QUICK = 0.1;
const AT_ONCE = 8;

/** Says who may run now, and resumes those who had to wait. One per process. */
export class Pacer<Waiter extends { pump(): void }> {
  #startedAt: number | undefined;
  /** So many handlers more may run before the next look at the clock, which costs a tenth of the shortest handler's whole way. */
  #free = 0;
  #lookedAt = 0;
  #handled = 0;
  #waiting = new Set<Waiter>();
  #resumeDue = false;

  /** @param turnBegins called before the first handler of a turn: whoever wakes up may find a handler's own timer before anything has noticed the lag (D-29). */
  constructor(readonly clock: { now(): number; defer(task: () => void): void }, private readonly turnBegins: () => void = () => undefined) {}

  /** Whether `waiter` may run a handler now; if not, its `pump` is called after the poll phase. */
  mayRun(waiter: Waiter): boolean {
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    if (this.#startedAt === undefined) return this.#begin();
    const now = this.clock.now();
    if (now - this.#startedAt > BUDGET) {
      this.#waiting.add(waiter);
      return false;
    }
    this.#free = (now - this.#lookedAt) < QUICK * this.#handled ? AT_ONCE : 0;
    this.#lookedAt = now;
    this.#handled = this.#free + 1;
    return true;
  }

  #begin(): true {
    this.turnBegins();
    this.#startedAt = this.#lookedAt = this.clock.now();
    this.#handled = 1;
    this.clock.defer(this.#turn);
    return true;
  }

  /** The turn is over: those who waited go on in the next one. */
  readonly #turn = (): void => {
    this.#startedAt = undefined;
    this.#free = 0;
    if (this.#waiting.size === 0 || this.#resumeDue) return;
    this.#resumeDue = true;
    this.clock.defer(() => {
      this.#resumeDue = false;
      const waiting = this.#waiting;
      this.#waiting = new Set();
      for (const waiter of waiting) waiter.pump();
    });
  };
}
