/** Credit per session and direction (D-21), counted in bytes of payload. A receiver gives back what was consumed in halves, so
 *  that a message of up to half the credit can always be sent in the end. */
export const DEFAULT_CREDIT = 2 * 1024 * 1024;

/** Beside its payload, each message of a pool element takes so much where both ends know it (feature `messageCharge`): a message of no bytes costs its pool user memory too. */
export const MESSAGE_CHARGE = 16;

/** Both directions of one end. The halves of a session extend it: as a part of its own it would be one more object that each message has to
 *  fetch into the processor's cache, where many sessions take turns (docs/performance.md). */
export class Credit {
  #left = 0;
  #outstanding = 0;
  #consumed = 0;
  readonly #total: number;

  /** @param total what the peer may send before any is consumed. */
  constructor(total = DEFAULT_CREDIT) { this.#total = total; }

  // ---- to send

  /** Bytes the peer still takes. */
  get credit(): number { return this.#left; }
  /** What the peer gives at the beginning. */
  resetCredit(bytes: number): void { this.#left = bytes; }
  grantCredit(bytes: number): void { this.#left += bytes; }
  takeCredit(bytes: number): void { this.#left -= bytes; }

  // ---- to receive: checks the peer and says when to grant

  get totalCredit(): number { return this.#total; }
  /** A new peer, which owes nothing. */
  forgetReceived(): void { this.#outstanding = this.#consumed = 0; }

  /** @returns false when the peer sent more than it may. */
  receive(bytes: number): boolean {
    this.#outstanding += bytes;
    return this.#outstanding <= this.#total;
  }
  /** It did. */
  get isOverdrawn(): boolean { return this.#outstanding > this.#total; }

  /** @returns the bytes to grant now, or 0. */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed * 2 < this.#total) return 0;
    const granted = this.#consumed;
    this.#outstanding -= granted;
    this.#consumed = 0;
    return granted;
  }
}

/** Elsewhere credit counts bytes alone. So many wait for one session at most: twice that at a pool element, beside the window of its pool user for a failover callback's; at a pool
 *  user for its element's handler, and for its unprompted messages. Windows have no more messages, handlers no more replies. */
export const MOST_MESSAGES = 0x1_0000;
