/**
 * Accounts for one session with the counter: requests are numbered from 1, and the reply to request k must say that the counter stands at k.
 * A reply that is missing, or a counter that fell behind, is lost work; a reply that came twice, or a counter that ran ahead, is doubled work.
 */
export class Tally {
  sent = 0;
  answered = 0;
  lost = 0;
  doubled = 0;
  #expected = 1;
  #drift = 0; // of the counter from the requests' numbers

  /** @returns the number of the next request. */
  request(): number {
    this.sent += 1;
    return this.sent;
  }

  /** `reply` is `COUNT NUMBER`. */
  reply(reply: string): void {
    const [count, number] = reply.split(' ').map(Number);
    if (count === undefined || number === undefined || !Number.isInteger(count) || !Number.isInteger(number)) {
      this.lost += 1;
      return;
    }
    this.#compareNumber(number);
    this.#compareCount(count - number);
  }

  /** At the end, once everything was flushed: what was not answered is lost. */
  finish(): void {
    this.lost += this.sent - (this.#expected - 1);
    this.#expected = this.sent + 1;
  }

  #compareNumber(number: number): void {
    if (number < this.#expected) {
      this.doubled += 1;
      return;
    }
    this.lost += number - this.#expected;
    this.#expected = number + 1;
    this.answered += 1;
  }

  #compareCount(drift: number): void {
    if (drift < this.#drift) this.lost += this.#drift - drift;
    if (drift > this.#drift) this.doubled += drift - this.#drift;
    this.#drift = drift;
  }
}
