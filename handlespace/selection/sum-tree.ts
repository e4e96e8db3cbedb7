import type { Candidate } from './selection.js';

/** Weights with their prefix sums (a Fenwick tree): a candidate is found by a point within the total, in O(log n). */
export class SumTree<C extends Candidate> {
  #capacity = 8;
  #sums = new Float64Array(this.#capacity + 1);
  #weights = new Float64Array(this.#capacity);
  readonly #items: (C | undefined)[] = [];
  readonly #free: number[] = [];
  total = 0;
  steps = 0;

  add(candidate: C, weight: number): void {
    const slot = this.#free.pop() ?? this.#items.length;
    if (slot === this.#capacity) this.#grow();
    this.#items[slot] = candidate;
    candidate.slot = slot;
    this.change(candidate, weight);
  }

  remove(candidate: C): void {
    this.change(candidate, 0);
    this.#items[candidate.slot] = undefined;
    this.#free.push(candidate.slot);
    candidate.slot = -1;
  }

  change(candidate: C, weight: number): void {
    const { slot } = candidate;
    const difference = weight - (this.#weights[slot] ?? 0);
    this.#weights[slot] = weight;
    this.total += difference;
    for (let at = slot + 1; at <= this.#capacity; at += at & -at) {
      this.steps++;
      this.#sums[at] = (this.#sums[at] ?? 0) + difference;
    }
  }

  /** The candidate in whose stretch `point` lies, 0 <= point < total. */
  at(point: number): C | undefined {
    let rest = point;
    let slot = 0;
    for (let half = this.#capacity; half > 0; half >>= 1) {
      this.steps++;
      const sum = this.#sums[slot + half];
      if (sum !== undefined && sum <= rest && slot + half <= this.#capacity) {
        slot += half;
        rest -= sum;
      }
    }
    return this.#items[slot];
  }

  /** Doubling: the new half is empty, so the only new sum is the one over everything. */
  #grow(): void {
    const sums = new Float64Array(2 * this.#capacity + 1);
    sums.set(this.#sums);
    sums[2 * this.#capacity] = this.total;
    const weights = new Float64Array(2 * this.#capacity);
    weights.set(this.#weights);
    this.#sums = sums;
    this.#weights = weights;
    this.#capacity *= 2;
  }
}
