import type { MessageOptions, TransportMessage } from '../transport.js';

/** A message of the user, one way or the other. */
export interface SctpMessage extends TransportMessage, Pick<MessageOptions, 'acknowledged'> {}

/** What an association that is down has not brought to its peer for certain. */
export interface Undelivered {
  /** Nothing of them was ever sent. */
  readonly unsent: readonly SctpMessage[];
  /** Sent, wholly or in part, and not acknowledged: the peer may have them. */
  readonly unacknowledged: readonly SctpMessage[];
}

/** First in, first out, without the cost of `shift` on a long array. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number { return this.#items.length - this.#head; }
  get first(): T | undefined { return this.#items[this.#head]; }
  at(index: number): T | undefined { return this.#items[this.#head + index]; }
  push(item: T): void { this.#items.push(item); }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items.length = this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  toArray(): T[] { return this.#items.slice(this.#head); }
  clear(): void { this.#items.length = this.#head = 0; }
}
