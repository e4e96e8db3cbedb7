/** Credit per session and direction (D-21), counted in bytes of payload. A receiver gives back what was consumed in halves, so
 *  that a message of up to half the credit can always be sent in the end. */
export const DEFAULT_CREDIT = 2 * 1024 * 1024;

/** The sender's side. */
export class SendCredit {
  #left = 0;
  get left(): number { return this.#left; }
  reset(credit: number): void { this.#left = credit; }
  grant(bytes: number): void { this.#left += bytes; }
  take(bytes: number): void { this.#left -= bytes; }
  covers(bytes: number): boolean { return this.#left >= bytes; }
}

/** The receiver's side: checks the peer and says when to grant. */
export class ReceiveCredit {
  #outstanding = 0;
  #consumed = 0;
  constructor(readonly total = DEFAULT_CREDIT) {}

  reset(): void { this.#outstanding = 0; this.#consumed = 0; }

  /** @returns false when the peer sent more than it may. */
  receive(bytes: number): boolean {
    this.#outstanding += bytes;
    return this.#outstanding <= this.total;
  }

  /** @returns the bytes to grant now, or 0. */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed * 2 < this.total) return 0;
    const granted = this.#consumed;
    this.#outstanding -= granted;
    this.#consumed = 0;
    return granted;
  }
}
