import type { AnyActorRef } from 'xstate';
import type { Generation } from '../wire/index.js';

/** A pool element of this process, as its home sees it. */
export interface LocalElement {
  readonly actor: AnyActorRef;
  /** Of its registration, as its home gave it. */
  readonly generation: Generation | undefined;
  /** Before its chart is told: the address it can be reached by may be another one from there. */
  homeChanged(): void;
}

/** This process's pool elements, by handle and PE identifier. */
export class LocalElements {
  readonly #pools = new Map<string, Map<number, LocalElement>>();

  get isEmpty(): boolean { return this.#pools.size === 0; }

  get(key: string, peIdentifier: number): LocalElement | undefined {
    return this.#pools.get(key)?.get(peIdentifier);
  }

  pool(key: string): ReadonlyMap<number, LocalElement> | undefined { return this.#pools.get(key); }

  add(key: string, peIdentifier: number, element: LocalElement): void {
    const pool = this.#pools.get(key) ?? new Map<number, LocalElement>();
    this.#pools.set(key, pool.set(peIdentifier, element));
  }

  remove(key: string, peIdentifier: number): void {
    const pool = this.#pools.get(key);
    pool?.delete(peIdentifier);
    if (pool?.size === 0) this.#pools.delete(key);
  }

  *all(): Iterable<LocalElement> {
    for (const pool of this.#pools.values()) yield* pool.values();
  }

  *charts(): Iterable<AnyActorRef> {
    for (const { actor } of this.all()) yield actor;
  }
}
