/** Puts the fragments of a session's messages together: those of one message follow each other within the session. */
export class Reassembly {
  #parts: Buffer[] = [];
  #owned = 0;

  get isEmpty(): boolean { return this.#parts.length === 0; }

  /** In more pieces than there is reason for: each takes memory, whatever is in it. */
  get isCrumbled(): boolean { return this.#parts.length > MOST_FRAGMENTS; }

  /** @returns the whole payload once its last fragment has come; a lone fragment as it is. */
  add(fragment: Buffer, hasMore: boolean): Buffer | undefined {
    if (!hasMore && this.#parts.length === 0) return fragment;
    this.#parts.push(fragment);
    if (hasMore) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.clear();
    return whole;
  }

  /** The chunk's turn ends: copies what is still a slice of it (D-22). */
  own(): void {
    for (; this.#owned < this.#parts.length; this.#owned++) this.#parts[this.#owned] = Buffer.from(this.#parts[this.#owned]!);
  }

  clear(): void {
    this.#parts = [];
    this.#owned = 0;
  }
}

/** Of one message. Ours are of 64 KiB, and no message is larger than 2 MiB. */
const MOST_FRAGMENTS = 1024;
