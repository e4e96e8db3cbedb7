import type { Clock, Milliseconds } from '../environment.js';

/** In which order questions went over one association, and how far the answers are. Who answers reads them in order: as long as answers to earlier ones come, a later
 *  one is only waiting for its turn. */
export class AskingOrder<T> {
  readonly #clock: Clock;
  /** Of those asked and not answered: the number of the question, the last one where it was asked again. */
  readonly #open = new Map<T, number>();
  #asked = 0;
  /** The highest number that has been answered, and when something was answered last. */
  #answered = 0;
  #answeredAt: Milliseconds = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  asked(whose: T | undefined): void {
    if (whose !== undefined) this.#open.set(whose, ++this.#asked);
  }

  /** What nobody asked is no answer. */
  answered(whose: T): void {
    const number = this.#open.get(whose);
    if (number === undefined) return;
    this.#open.delete(whose);
    this.#answered = Math.max(this.#answered, number);
    this.#answeredAt = this.#clock.now();
  }

  /** Since the last answer; Infinity before the first, and for who was passed over: something asked later has been answered. */
  sinceProgress(whose: T): Milliseconds {
    const number = this.#open.get(whose);
    return number === undefined || number < this.#answered ? Infinity : this.#clock.now() - this.#answeredAt;
  }

  forget(whose: T): void {
    this.#open.delete(whose);
  }

  /** Another association: nothing has been asked over it. */
  reset(): void {
    this.#open.clear();
    this.#answered = this.#asked;
    this.#answeredAt = -Infinity;
  }
}
