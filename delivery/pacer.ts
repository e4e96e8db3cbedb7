/** After so many milliseconds of handlers without a pause the layer yields to the event loop's poll phase (D-5). */
const BUDGET = 10;

/** Says who may run now, and resumes those who had to wait. One per process. */
export class Pacer<Waiter extends { pump(): void }> {
  #startedAt: number | undefined;
  #waiting = new Set<Waiter>();
  #resumeDue = false;

  /** @param turnBegins called before the first handler of a turn: whoever wakes up may find a handler's own timer before anything has noticed the lag (D-29). */
  constructor(readonly clock: { now(): number; defer(task: () => void): void }, private readonly turnBegins: () => void = () => undefined) {}

  /** Whether `waiter` may run a handler now; if not, its `pump` is called after the poll phase. */
  mayRun(waiter: Waiter): boolean {
    if (this.#startedAt === undefined) this.turnBegins();
    const now = this.clock.now();
    if (this.#startedAt === undefined) {
      this.#startedAt = now;
      this.clock.defer(this.#turn);
    } else if (now - this.#startedAt > BUDGET) {
      this.#waiting.add(waiter);
      return false;
    }
    return true;
  }

  /** The turn is over: those who waited go on in the next one. */
  readonly #turn = (): void => {
    this.#startedAt = undefined;
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
