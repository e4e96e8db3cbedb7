import type { Policy } from '../../wire/index.js';
import { OrderedRings } from './ordered-rings.js';
import type { Candidate, Selection, Skip } from './selection.js';

/** What an ordered policy goes by: the lowest `base + uses * step` comes first, equals take turns. */
export interface Order {
  base(policy: Policy): number;
  step?(policy: Policy): number;
  /** What a session of the user's own adds, where there is no step: all of its sessions would go to the one least loaded until it says what they made of it. */
  session?(policy: Policy): number;
}

/** Priority, least used and its relatives. */
export class OrderedSelection<C extends Candidate> implements Selection<C> {
  readonly #rings = new OrderedRings<C>();
  readonly #order: Order;

  constructor(order: Order) {
    this.#order = order;
  }

  get size(): number { return this.#rings.size; }
  get steps(): number { return this.#rings.steps; }

  add(candidate: C): void {
    this.#read(candidate);
    this.#rings.add(candidate, keyOf(candidate));
  }

  remove(candidate: C): void {
    this.#rings.remove(candidate, keyOf(candidate));
  }

  update(candidate: C): void {
    const before = keyOf(candidate);
    this.#read(candidate);
    this.#move(candidate, before);
  }

  pick(skip?: Skip<C>): C | undefined {
    const candidate = this.#rings.turn(skip);
    if (candidate !== undefined && candidate.step !== 0) this.#count(candidate);
    return candidate;
  }

  /** Priority and load are told by the element itself, picks by others are not. */
  mayTake(candidate: C): boolean { return candidate.step !== 0 || this.#rings.isLeast(candidate); }

  take(candidate: C): void {
    candidate.ring?.startAfter(candidate);
    if (candidate.step !== 0) this.#count(candidate);
  }

  place(candidate: C): void {
    if (candidate.step !== 0) return; // counted when it was picked
    const before = keyOf(candidate);
    candidate.placed += this.#order.session?.(candidate.policy) ?? 0;
    this.#move(candidate, before);
  }

  #count(candidate: C): void {
    const before = keyOf(candidate);
    candidate.uses++;
    this.#move(candidate, before);
  }

  list(first: C, max: number): C[] {
    return first.step === 0 ? this.#rings.list(first, max) : this.#rings.listBehind(first, max); // its use was counted: it may have moved
  }

  #read(candidate: C): void {
    candidate.base = this.#order.base(candidate.policy);
    candidate.step = this.#order.step?.(candidate.policy) ?? 0;
    candidate.uses = candidate.placed = 0;
  }

  #move(candidate: C, before: number): void {
    const after = keyOf(candidate);
    if (after === before) return;
    this.#rings.remove(candidate, before);
    this.#rings.add(candidate, after);
  }
}

const keyOf = (candidate: Candidate): number => candidate.base + candidate.uses * candidate.step + candidate.placed;
