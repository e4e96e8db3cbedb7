import { Ring } from './ring.js';
import type { Candidate, Selection, Skip } from './selection.js';

/** What the policies without an order have in common: lists go round one circle from the one picked,
 *  and those without capacity wait apart until nobody has any. */
export abstract class CircularSelection<C extends Candidate> implements Selection<C> {
  protected readonly serving = new Ring<C>();
  readonly #resting = new Ring<C>();

  get size(): number { return this.serving.size + this.#resting.size; }
  get steps(): number { return this.serving.steps + this.#resting.steps; }

  add(candidate: C): void {
    this.read(candidate);
    if (this.capacity(candidate) > 0) this.#enter(candidate);
    else this.#resting.add(candidate);
  }

  remove(candidate: C): void {
    if (candidate.ring === this.serving) this.#leave(candidate);
    else this.#resting.remove(candidate);
  }

  update(candidate: C): void {
    this.read(candidate);
    this.changed(candidate);
  }

  pick(skip?: Skip<C>): C | undefined {
    const { serving } = this;
    return serving.size === 0 ? this.#resting.turn(skip) : this.select(skip);
  }

  mayTake(candidate: C): boolean { return candidate.ring === this.serving || this.serving.size === 0; }

  take(candidate: C): void {
    if (candidate.ring === this.serving) this.taken(candidate);
    else this.#resting.startAfter(candidate);
  }

  place(): void {} // nobody of these draws a crowd: they take turns, or chances

  list(first: C, max: number): C[] {
    const list: C[] = [];
    first.ring?.listFrom(first, list, max);
    return list;
  }

  /** To be called when what `capacity` says may have changed. */
  protected changed(candidate: C): void {
    const serves = candidate.ring === this.serving;
    if (this.capacity(candidate) > 0) {
      if (serves) this.reweigh(candidate);
      else {
        this.#resting.remove(candidate);
        this.#enter(candidate);
      }
    } else if (serves) {
      this.#leave(candidate);
      this.#resting.add(candidate);
    }
  }

  #enter(candidate: C): void {
    this.serving.add(candidate);
    this.enter(candidate);
  }

  #leave(candidate: C): void {
    this.leave(candidate);
    this.serving.remove(candidate);
  }

  /** Takes `base` and `step` from the candidate's policy, and forgets its uses. */
  protected abstract read(candidate: C): void;
  protected abstract capacity(candidate: C): number;
  /** One of `serving`. */
  protected abstract select(skip: Skip<C> | undefined): C | undefined;
  /** One of `serving` was chosen elsewhere. */
  protected taken(_candidate: C): void {}
  protected enter(_candidate: C): void {}
  protected leave(_candidate: C): void {}
  protected reweigh(_candidate: C): void {}
}
