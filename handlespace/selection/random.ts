import type { Random } from '../../environment.js';
import { CircularSelection } from './circular.js';
import type { Candidate, Skip } from './selection.js';

/** Random, RFC 5356 §4.3: each with the same chance. */
export class RandomSelection<C extends Candidate> extends CircularSelection<C> {
  readonly #items: C[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    super();
    this.#random = random;
  }

  protected read(): void {}
  protected capacity(): number { return 1; }

  protected override enter(candidate: C): void {
    candidate.slot = this.#items.length;
    this.#items.push(candidate);
  }

  protected override leave(candidate: C): void {
    const last = this.#items.pop() as C;
    if (last === candidate) return;
    this.#items[candidate.slot] = last;
    last.slot = candidate.slot;
  }

  /** Those that are skipped are moved behind the end of what is drawn from. */
  protected select(skip: Skip<C> | undefined): C | undefined {
    for (let left = this.#items.length; left > 0; left--) {
      const drawn = Math.floor(this.#random.fraction() * left);
      const candidate = this.#items[drawn] as C;
      if (skip === undefined || !skip(candidate)) return candidate;
      this.#swap(drawn, left - 1);
    }
    return undefined;
  }

  #swap(i: number, j: number): void {
    const [a, b] = [this.#items[i] as C, this.#items[j] as C];
    this.#items[i] = b;
    b.slot = i;
    this.#items[j] = a;
    a.slot = j;
  }
}
