/** A message that kills its pool element must not kill the pool (D-17). */
export class PoisonWatch {
  #suspect: number | undefined;
  #failovers = 0;
  #thrown: number | undefined;

  /** A failover while `id` was the first message in handling (undefined: none was). */
  countFailover(id: number | undefined): void {
    this.#failovers = id !== undefined && id === this.#suspect ? this.#failovers + 1 : Number(id !== undefined);
    this.#suspect = id;
  }

  /** The handler of `id` threw. @returns whether the message may be tried elsewhere: once. */
  countThrow(id: number): boolean {
    const first = this.#thrown !== id;
    this.#thrown = id;
    return first;
  }

  /** The same message was in handling at three failovers. */
  get isPoisoned(): boolean { return this.#failovers >= 3; }

  get suspect(): number | undefined { return this.#suspect; }

  /** The silence to bear for this message: doubled after two failovers, at most 10 s. */
  patience(silence: number): number {
    return this.#failovers >= 2 ? Math.min(10_000, silence * 2 ** (this.#failovers - 1)) : silence;
  }
}
