/** A message that kills its pool element must not kill the pool (D-17). */
export class PoisonWatch {
  /** What was in handling at the last failover, each with the failovers in a row that it was so. */
  #suspects = new Map<number, number>();
  #thrown: number | undefined;

  /** A failover while these were the first messages in handling: one of each lane (none: nothing was). */
  countFailover(...ids: readonly number[]): void {
    const before = this.#suspects;
    this.#suspects = new Map(ids.map((id) => [id, (before.get(id) ?? 0) + 1]));
  }

  /** The handler of `id` threw. @returns whether the message may be tried elsewhere: once. */
  countThrow(id: number): boolean {
    const first = this.#thrown !== id;
    this.#thrown = id;
    return first;
  }

  /** The same message was in handling at three failovers. */
  get isPoisoned(): boolean { return this.#failovers >= 3; }

  /** One of them. */
  get suspect(): number | undefined { return this.#suspects.keys().next().value; }

  get #failovers(): number { return Math.max(0, ...this.#suspects.values()); }

  /** The silence to bear for this message: doubled after two failovers, at most 10 s. */
  patience(silence: number): number {
    return this.#failovers >= 2 ? Math.min(10_000, silence * 2 ** (this.#failovers - 1)) : silence;
  }
}
