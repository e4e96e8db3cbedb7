import type { PoolElement } from '../wire/index.js';
import type { Unsubscribe } from './emitter.js';
import type { PoolView, PoolWatcher } from './pool.js';

/** The pool as a session sees it that is to begin at one element, and where it `stays` to go nowhere else (RFC 5352 §6.5.3); one at an address that no pool knows (§6.5.4) asks and tells nobody. */
export class FirstChoice implements PoolView {
  readonly #pools: PoolView;
  #isChosen = false;

  constructor(pools: PoolView, readonly element: PoolElement, readonly stays: boolean, readonly isOutside = false) {
    this.#pools = pools;
  }

  pick(key: string, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined {
    const isFirst = !this.#isChosen;
    this.#isChosen = true;
    if (isFirst && avoid?.has(this.element.identifier) !== true) return this.element;
    return this.stays ? undefined : this.#pools.pick(key, avoid, preferred);
  }

  elements(key: string): readonly PoolElement[] { return this.stays ? [this.element] : this.#pools.elements(key); }
  isStale(key: string): boolean { return this.#isChosen && !this.stays && this.#pools.isStale(key); }
  refresh(key: string): Promise<void> { return this.stays ? Promise.resolve() : this.#pools.refresh(key); }
  reportUnreachable(key: string, peIdentifier: number): boolean { return !this.isOutside && this.#pools.reportUnreachable(key, peIdentifier); }
  place(key: string, peIdentifier: number): void { if (!this.isOutside) this.#pools.place(key, peIdentifier); }
  vouch(key: string, peIdentifier: number): void { if (!this.isOutside) this.#pools.vouch(key, peIdentifier); }
  watch(key: string, watcher: PoolWatcher): Unsubscribe { return this.isOutside ? () => undefined : this.#pools.watch(key, watcher); }
}
