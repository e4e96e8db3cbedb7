import { mapping } from '../wire/mapping.js';

/** MOVE and CLOSE of a pool element count when all has come that it had sent before, on whatever stream: parts of them have gone on those streams too, and they say on how many (D-23). */
export class Ending {
  #epoch = 0;
  #parts = 0;
  #awaited = 0;
  #act: (() => void) | undefined;

  /** MOVE or CLOSE, or a part of it, at `start`. */
  frame(epoch: number, bytes: Uint8Array, start: number, act: () => void): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#parts = 0;
      this.#act = undefined;
    }
    const flags = bytes[start + 5]!;
    if ((flags & mapping.MOVE.flags.part) !== 0) {
      this.#parts++;
    } else {
      this.#awaited = flags & MOST_PARTS;
      this.#act = act;
    }
    if (this.#act === undefined || this.#parts < this.#awaited) return;
    const ready = this.#act;
    this.#act = undefined;
    this.#parts = 0;
    ready();
  }
}

/** Streams beside 0. */
const MOST_PARTS = 0x0f;
