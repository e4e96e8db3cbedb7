import type { Random } from '../../environment.js';
import type { Policy } from '../../wire/index.js';
import { CircularSelection } from './circular.js';
import type { Candidate, Skip } from './selection.js';
import { SumTree } from './sum-tree.js';

/** What a weighted random policy goes by: a chance in proportion to `weight(base + uses * step)`. */
export interface Weighing {
  base(policy: Policy): number;
  step?(policy: Policy): number;
  weight(value: number): number;
}

/** Weighted random, randomized least used and its relatives. */
export class WeightedSelection<C extends Candidate> extends CircularSelection<C> {
  readonly #tree = new SumTree<C>();
  readonly #random: Random;
  readonly #weighing: Weighing;

  constructor(random: Random, weighing: Weighing) {
    super();
    this.#random = random;
    this.#weighing = weighing;
  }

  override get steps(): number { return super.steps + this.#tree.steps; }

  override pick(skip?: Skip<C>): C | undefined {
    const candidate = super.pick(skip);
    if (candidate !== undefined) this.taken(candidate);
    return candidate;
  }

  protected override taken(candidate: C): void {
    if (candidate.step === 0) return;
    candidate.uses++;
    this.changed(candidate);
  }

  protected read(candidate: C): void {
    candidate.base = this.#weighing.base(candidate.policy);
    candidate.step = this.#weighing.step?.(candidate.policy) ?? 0;
    candidate.uses = 0;
  }

  protected capacity(candidate: C): number {
    return this.#weighing.weight(candidate.base + candidate.uses * candidate.step);
  }

  protected override enter(candidate: C): void { this.#tree.add(candidate, this.capacity(candidate)); }
  protected override leave(candidate: C): void { this.#tree.remove(candidate); }
  protected override reweigh(candidate: C): void { this.#tree.change(candidate, this.capacity(candidate)); }

  /** One that is skipped weighs nothing for the rest of this draw. */
  protected select(skip: Skip<C> | undefined): C | undefined {
    const skipped: C[] = [];
    let candidate = this.#draw();
    while (candidate !== undefined && skip !== undefined && skip(candidate)) {
      skipped.push(candidate);
      this.#tree.change(candidate, 0);
      candidate = this.#draw();
    }
    for (const each of skipped) this.#tree.change(each, this.capacity(each));
    return candidate;
  }

  #draw(): C | undefined {
    const { total } = this.#tree;
    return total > 0 ? this.#tree.at(this.#random.fraction() * total) : undefined;
  }
}
