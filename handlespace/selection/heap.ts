import type { Candidate } from './selection.js';

/** A binary heap that knows where each candidate is; equal keys leave in order of their `turn`. */
export class Heap<C extends Candidate> {
  readonly #items: C[] = [];
  readonly #key: (candidate: Candidate) => number;
  steps = 0;

  constructor(key: (candidate: Candidate) => number) {
    this.#key = key;
  }

  get least(): C | undefined {
    return this.#items[0];
  }

  add(candidate: C): void {
    candidate.heap = this;
    this.#rise(this.#items.length, candidate);
  }

  remove(candidate: C): void {
    const last = this.#items.pop();
    const { slot } = candidate;
    candidate.heap = undefined;
    candidate.slot = -1;
    if (last === undefined || last === candidate) return;
    if (slot > 0 && this.#before(last, this.#at((slot - 1) >> 1))) this.#rise(slot, last);
    else this.#sink(slot, last);
  }

  forEach(visit: (candidate: C) => void): void {
    this.#items.forEach(visit);
  }

  #rise(slot: number, candidate: C): void {
    let at = slot;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#at(parent);
      if (!this.#before(candidate, above)) break;
      this.#put(at, above);
      at = parent;
    }
    this.#put(at, candidate);
  }

  #sink(slot: number, candidate: C): void {
    let at = slot;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#before(this.#at(child + 1), this.#at(child))) child++;
      if (!this.#before(this.#at(child), candidate)) break;
      this.#put(at, this.#at(child));
      at = child;
    }
    this.#put(at, candidate);
  }

  #put(slot: number, candidate: C): void {
    this.steps++;
    this.#items[slot] = candidate;
    candidate.slot = slot;
  }

  #at(slot: number): C {
    return this.#items[slot] as C;
  }

  #before(a: C, b: C): boolean {
    const difference = this.#key(a) - this.#key(b);
    return difference < 0 || (difference === 0 && a.turn < b.turn);
  }
}
