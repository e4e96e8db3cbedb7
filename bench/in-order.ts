/** What is asked in each row about requests and replies. */
export const payload = Buffer.alloc(64, 1);

/** Who waits for a reply, where replies carry no id. */
export class InOrder {
  #waiting: (() => void)[] = [];
  #at = 0;

  push(done: () => void): void { this.#waiting.push(done); }

  next(): void {
    const done = this.#waiting[this.#at++];
    if (this.#at === this.#waiting.length) {
      this.#waiting.length = this.#at = 0;
    } else if (this.#at === TIDY) {
      this.#waiting = this.#waiting.slice(TIDY);
      this.#at = 0;
    }
    done?.();
  }
}

const TIDY = 4096;
