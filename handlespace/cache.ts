import type { Milliseconds, Random } from '../environment.js';
import type { Policy, PoolElement } from '../wire/index.js';
import { Candidate, createSelection, type Selection } from './selection/index.js';

export interface HandleCacheOptions {
  readonly random: Random;
  /** Age from which an entry is stale (RFC 5352 §3.3 C2). It is still served, and known to be stale. */
  readonly staleAfter: Milliseconds;
  /** Pools kept; the one put in longest ago goes first. Default 10 000. */
  readonly maxPools?: number;
}

/** A registrar's answer. No policy means round robin (RFC 5352 §2.2.6). */
export interface Resolved {
  readonly policy?: Policy | undefined;
  readonly elements: readonly PoolElement[];
  readonly now: Milliseconds;
}

/** What a pool user knows of pools, RFC 5352 §3.3 C1 to C4. A pick goes by the pool's policy and each element's own values. */
export class HandleCache {
  readonly #pools = new Map<string, CachedPool>();
  readonly #options: HandleCacheOptions;

  constructor(options: HandleCacheOptions) {
    this.#options = options;
  }

  get size(): number { return this.#pools.size; }

  /** Replaces what was known. Elements that were suspected stay so, unless they registered anew. */
  put(handleKey: string, { policy, elements, now }: Resolved): void {
    const known = this.#pools.get(handleKey);
    this.#pools.delete(handleKey);
    this.#pools.set(handleKey, new CachedPool(policy?.policy ?? 'round-robin', elements, now, this.#options.random, known));
    const { maxPools = 10_000 } = this.#options;
    if (this.#pools.size > maxPools) this.#pools.delete(this.#pools.keys().next().value as string);
  }

  /** The next one by policy. Those in `avoid`, and suspects, only where nothing else is left. Undefined when nothing is cached. */
  pick(handleKey: string, now: Milliseconds, avoid?: ReadonlySet<number>): PoolElement | undefined {
    return this.#pools.get(handleKey)?.pick(now, avoid);
  }

  /** In the order in which they came. */
  elements(handleKey: string): readonly PoolElement[] {
    return this.#pools.get(handleKey)?.elements() ?? [];
  }

  /** Milliseconds since the entry came. */
  age(handleKey: string, now: Milliseconds): Milliseconds | undefined {
    const pool = this.#pools.get(handleKey);
    return pool === undefined ? undefined : now - pool.since;
  }

  /** True too when nothing is cached. */
  isStale(handleKey: string, now: Milliseconds): boolean {
    const age = this.age(handleKey, now);
    return age === undefined || age >= this.#options.staleAfter;
  }

  /** Still the truth at `now`: a subscription was confirmed, say. */
  refresh(handleKey: string, now: Milliseconds): void {
    const pool = this.#pools.get(handleKey);
    if (pool !== undefined) pool.since = now;
  }

  /** CachePurge, RFC 5352 §6.4. */
  purge(handleKey: string): void {
    this.#pools.delete(handleKey);
  }

  /** Takes one element out, and the pool with its last. */
  remove(handleKey: string, peIdentifier: number): void {
    if (this.#pools.get(handleKey)?.remove(peIdentifier) === 0) this.#pools.delete(handleKey);
  }

  /** Reported unreachable: not to be picked before `until`, unless nothing else is left. */
  suspect(handleKey: string, peIdentifier: number, until: Milliseconds): void {
    this.#pools.get(handleKey)?.suspect(peIdentifier, until);
  }
}

class CachedElement extends Candidate {
  constructor(readonly element: PoolElement) { super(); }
  get policy(): Policy { return this.element.policy; }
}

class CachedPool {
  readonly #byIdentifier = new Map<number, CachedElement>();
  readonly #selection: Selection<CachedElement>;
  readonly #suspects = new Map<number, Milliseconds>();
  since: Milliseconds;

  constructor(policy: Policy['policy'], elements: readonly PoolElement[], now: Milliseconds, random: Random, known: CachedPool | undefined) {
    this.since = now;
    this.#selection = createSelection(policy, random);
    for (const element of elements) {
      if (this.#byIdentifier.has(element.identifier)) continue;
      const cached = new CachedElement(element);
      this.#byIdentifier.set(element.identifier, cached);
      this.#selection.add(cached);
      known?.handOver(element, this.#suspects);
    }
  }

  pick(now: Milliseconds, avoid: ReadonlySet<number> | undefined): PoolElement | undefined {
    if ((avoid === undefined || avoid.size === 0) && this.#suspects.size === 0) return this.#selection.pick()?.element;
    return (this.#selection.pick(({ element: { identifier } }) => avoid?.has(identifier) === true || this.#isSuspect(identifier, now))
      ?? this.#selection.pick())?.element;
  }

  elements(): readonly PoolElement[] {
    return Array.from(this.#byIdentifier.values(), ({ element }) => element);
  }

  /** @returns how many are left. */
  remove(peIdentifier: number): number {
    const cached = this.#byIdentifier.get(peIdentifier);
    if (cached !== undefined) {
      this.#byIdentifier.delete(peIdentifier);
      this.#suspects.delete(peIdentifier);
      this.#selection.remove(cached);
    }
    return this.#byIdentifier.size;
  }

  suspect(peIdentifier: number, until: Milliseconds): void {
    if (this.#byIdentifier.has(peIdentifier)) this.#suspects.set(peIdentifier, until);
  }

  /** A suspicion goes with the registration it was about. */
  handOver(element: PoolElement, suspects: Map<number, Milliseconds>): void {
    const until = this.#suspects.get(element.identifier);
    const known = this.#byIdentifier.get(element.identifier)?.element;
    if (until !== undefined && known !== undefined && sameRegistration(known, element)) suspects.set(element.identifier, until);
  }

  #isSuspect(peIdentifier: number, now: Milliseconds): boolean {
    const until = this.#suspects.get(peIdentifier);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#suspects.delete(peIdentifier);
    return false;
  }
}

const sameRegistration = ({ generation: a }: PoolElement, { generation: b }: PoolElement): boolean =>
  a?.generation === b?.generation && a?.home === b?.home;
