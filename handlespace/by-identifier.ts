/** A pool's elements in the order of their identifiers: who reads page by page goes on behind the last one it has seen, whatever has come or gone meanwhile. Sorted when somebody
 *  asks for the first time, then kept so: most pools are never read like this. */
export class ByIdentifier<E extends { readonly identifier: number }> {
  #sorted: E[] | undefined;

  constructor(private readonly all: () => Iterable<E>) {}

  add(element: E): void {
    this.#sorted?.splice(indexOf(this.#sorted, element.identifier), 0, element);
  }

  remove({ identifier }: E): void {
    this.#sorted?.splice(indexOf(this.#sorted, identifier), 1);
  }

  /** At most `max`, the first of them the one with that identifier or the next higher one. @returns how many come behind them, besides. */
  page(from: number, max: number): { readonly elements: readonly E[]; readonly behind: number } {
    const sorted = (this.#sorted ??= [...this.all()].sort((a, b) => a.identifier - b.identifier));
    const start = indexOf(sorted, from);
    const elements = sorted.slice(start, start + max);
    return { elements, behind: sorted.length - start - elements.length };
  }
}

/** Of the first whose identifier is not lower. */
function indexOf(sorted: readonly { readonly identifier: number }[], identifier: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.identifier ?? 0) < identifier) low = middle + 1;
    else high = middle;
  }
  return low;
}
