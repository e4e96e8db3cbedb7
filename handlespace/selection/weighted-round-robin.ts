import { CircularSelection } from './circular.js';
import { Heap } from './heap.js';
import type { Candidate, Skip } from './selection.js';
import { weightOf } from './values.js';

/** A virtual time beyond which differences of 1/weight would drown: then all origins are moved back. */
const rebaseAt = 2 ** 32;

/**
 * Weighted round robin, RFC 5356 §4.2: in proportion to the weights, each one's turns as evenly spread as possible. Instead of a list with
 * multiple entries, each candidate's next use has a start and a deadline in virtual time, which passes by 1 / (sum of weights) with each pick:
 * of those whose start has come, the one with the nearest deadline (worst-case fair queueing). Nobody is ever a whole use away from its due.
 */
export class WeightedRoundRobin<C extends Candidate> extends CircularSelection<C> {
  readonly #eligible = new Heap<C>(deadlineOf);
  readonly #waiting = new Heap<C>(startOf);
  #total = 0;
  #since = 0;
  #picks = 0;
  #turns = 0;

  override get steps(): number { return super.steps + this.#eligible.steps + this.#waiting.steps; }

  protected read(candidate: C): void { candidate.step = weightOf(candidate.policy); }
  protected capacity(candidate: C): number { return candidate.step; }

  protected override enter(candidate: C): void {
    this.#weigh(candidate.step);
    candidate.base = candidate.step;
    candidate.origin = this.#now();
    candidate.uses = 0;
    candidate.turn = this.#turns++;
    this.#eligible.add(candidate);
  }

  protected override leave(candidate: C): void {
    candidate.heap?.remove(candidate);
    this.#weigh(-candidate.base);
  }

  protected override reweigh(candidate: C): void {
    if (candidate.base === candidate.step) return;
    this.leave(candidate);
    this.enter(candidate);
  }

  protected select(skip: Skip<C> | undefined): C | undefined {
    const candidate = skip === undefined ? this.#next() : this.#nextNotSkipped(skip);
    if (candidate !== undefined) this.taken(candidate);
    return candidate;
  }

  protected override taken(candidate: C): void {
    candidate.heap?.remove(candidate);
    candidate.uses++;
    candidate.turn = this.#turns++;
    this.#waiting.add(candidate);
    this.#picks++;
    if (this.#picks > rebaseAt) this.#rebase();
  }

  #next(): C | undefined {
    this.#admit();
    return this.#eligible.least ?? this.#waiting.least;
  }

  /** Takes the skipped ones out to see what is behind them, and puts them back as they were. */
  #nextNotSkipped(skip: Skip<C>): C | undefined {
    const taken: { heap: Heap<C>; candidate: C }[] = [];
    let candidate = this.#next();
    while (candidate !== undefined && skip(candidate)) {
      const heap = candidate.heap as Heap<C>;
      heap.remove(candidate);
      taken.push({ heap, candidate });
      candidate = this.#next();
    }
    for (const each of taken) each.heap.add(each.candidate);
    return candidate;
  }

  #admit(): void {
    const now = this.#now() + 1e-6 / this.#total; // what rounding may have taken
    for (let first = this.#waiting.least; first !== undefined && startOf(first) <= now; first = this.#waiting.least) {
      this.#waiting.remove(first);
      this.#eligible.add(first);
    }
  }

  #now(): number {
    return this.#total === 0 ? this.#since : this.#since + this.#picks / this.#total;
  }

  #weigh(difference: number): void {
    this.#since = this.#now();
    this.#picks = 0;
    this.#total += difference;
    if (this.#since * this.#total > rebaseAt) this.#rebase();
  }

  /** The same for all: no order changes. */
  #rebase(): void {
    const now = this.#now();
    const shift = (candidate: C): void => { candidate.origin -= now; };
    this.#eligible.forEach(shift);
    this.#waiting.forEach(shift);
    this.#since = 0;
    this.#picks = 0;
  }
}

const startOf = (candidate: Candidate): number => candidate.origin + candidate.uses / candidate.base;
const deadlineOf = (candidate: Candidate): number => candidate.origin + (candidate.uses + 1) / candidate.base;
