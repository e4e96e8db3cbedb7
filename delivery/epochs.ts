/** Which epoch of each session lives at this pool element (D-14). */
export class Epochs<Half extends { readonly epoch: number }> {
  readonly #halves = new Map<string, Half>();

  get size(): number { return this.#halves.size; }

  /** The half that must end before one of `epoch` may begin; 'stale' when a later epoch, or this one, is here already. */
  predecessor(sessionId: string, epoch: number): Half | 'stale' | undefined {
    const half = this.#halves.get(sessionId);
    if (half === undefined) return undefined;
    return half.epoch >= epoch ? 'stale' : half;
  }

  enter(sessionId: string, half: Half): void { this.#halves.set(sessionId, half); }

  /** Only the half that is still the session's newest leaves its place empty. */
  leave(sessionId: string, half: Half): void { if (this.#halves.get(sessionId) === half) this.#halves.delete(sessionId); }

  halves(): IterableIterator<Half> { return this.#halves.values(); }
}
