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
  /** Nobody had asked (flag A): many are told the same, so its first is nobody's choice. Default false. */
  readonly isUpdate?: boolean;
}

/** What a pool user knows of pools, RFC 5352 §3.3 C1 to C4. A pick goes by the pool's policy and each element's own values. */
export class HandleCache {
  readonly #pools = new Map<string, CachedPool>();
  readonly #options: HandleCacheOptions;

  constructor(options: HandleCacheOptions) {
    this.#options = options;
  }

  get size(): number { return this.#pools.size; }

  /** Replaces what was known. Elements that were suspected stay so, unless they registered anew; the first one is picked next. */
  put(handleKey: string, resolved: Resolved): void {
    const pool = this.#pools.get(handleKey) ?? new CachedPool(this.#options.random);
    pool.learn(resolved.policy?.policy ?? 'round-robin', resolved);
    this.#pools.delete(handleKey);
    this.#pools.set(handleKey, pool);
    const { maxPools = 10_000 } = this.#options;
    if (this.#pools.size > maxPools) this.#pools.delete(this.#pools.keys().next().value as string);
  }

  /** The first of `preferred` (PE identifiers) that nothing speaks against; else the next one by policy. Suspects only where nothing else is left (the least bad first), those in `avoid` only where no suspects are either. Undefined when nothing is cached. */
  pick(handleKey: string, now: Milliseconds, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined {
    const pool = this.#pools.get(handleKey);
    return (preferred && pool?.pickFirst(preferred, now, avoid)) ?? pool?.pick(now, avoid);
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

  /** It has answered: no suspicion is left. */
  vouch(handleKey: string, peIdentifier: number): void {
    this.#pools.get(handleKey)?.vouch(peIdentifier);
  }

  /** A session of ours goes there: it counts as load, where the policy goes by load, until the element registers again. */
  place(handleKey: string, peIdentifier: number): void {
    this.#pools.get(handleKey)?.place(peIdentifier);
  }
}

class CachedElement extends Candidate {
  constructor(public element: PoolElement) { super(); }
  get policy(): Policy { return this.element.policy; }
}

/** Its selection outlives the answers: what was picked since an element told its load, and whose turn it is, goes on. */
class CachedPool {
  readonly #byIdentifier = new Map<number, CachedElement>();
  readonly #suspects = new Map<number, Suspicion>();
  readonly #random: Random;
  #policy: Policy['policy'] | undefined;
  #selection!: Selection<CachedElement>;
  #list: readonly PoolElement[] = [];
  /** The registrar's choice: picked before ours. It knows of other users' picks, and of turns that began before ours (X-25). */
  #first: CachedElement | undefined;
  since: Milliseconds = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** What a registrar says now; of two elements with one identifier the first counts. */
  learn(policy: Policy['policy'], { elements, isUpdate = false, now }: Resolved): void {
    this.since = now;
    if (policy !== this.#policy) this.#selectBy(policy);
    const gone = new Set(this.#byIdentifier.keys());
    const list = new Map<number, PoolElement>();
    for (const element of elements) {
      if (list.has(element.identifier)) continue;
      list.set(element.identifier, element);
      gone.delete(element.identifier);
      this.#learnElement(element);
    }
    for (const identifier of gone) this.#drop(identifier);
    this.#list = [...list.values()];
    if (!isUpdate) this.#first = this.#byIdentifier.get(elements[0]?.identifier ?? 0);
  }

  pick(now: Milliseconds, avoid: ReadonlySet<number> | undefined): PoolElement | undefined {
    const first = this.#first;
    this.#first = undefined;
    if ((avoid === undefined || avoid.size === 0) && this.#suspects.size === 0) return this.#led(first) ?? this.#selection.pick()?.element;
    const isBad = ({ element: { identifier } }: CachedElement): boolean => avoid?.has(identifier) === true || this.#isSuspect(identifier, now);
    return this.#led(first !== undefined && !isBad(first) ? first : undefined) ?? this.#selection.pick(isBad)?.element ?? this.#take(this.#leastBad(avoid)) ?? this.#selection.pick()?.element;
  }

  /** Of a peer's business card, RFC 5352 §3.9 BC2: strangers on it are passed over. */
  pickFirst(preferred: readonly number[], now: Milliseconds, avoid: ReadonlySet<number> | undefined): PoolElement | undefined {
    const chosen = preferred.find((identifier) => this.#byIdentifier.has(identifier) && avoid?.has(identifier) !== true && !this.#isSuspect(identifier, now));
    return chosen === undefined ? undefined : this.#take(this.#byIdentifier.get(chosen));
  }

  elements(): readonly PoolElement[] {
    return this.#list;
  }

  /** @returns how many are left. */
  remove(peIdentifier: number): number {
    this.#drop(peIdentifier);
    this.#list = this.#list.filter(({ identifier }) => identifier !== peIdentifier);
    return this.#byIdentifier.size;
  }

  suspect(peIdentifier: number, until: Milliseconds): void {
    if (this.#byIdentifier.has(peIdentifier)) this.#suspects.set(peIdentifier, { until, tries: this.#suspects.get(peIdentifier)?.tries ?? 0 });
  }

  vouch(peIdentifier: number): void {
    this.#suspects.delete(peIdentifier);
  }

  place(peIdentifier: number): void {
    const cached = this.#byIdentifier.get(peIdentifier);
    if (cached !== undefined) this.#selection.place(cached);
  }

  #selectBy(policy: Policy['policy']): void {
    const all = [...this.#byIdentifier.values()];
    for (const cached of all) this.#selection.remove(cached);
    this.#policy = policy;
    this.#selection = createSelection(policy, this.#random);
    for (const cached of all) this.#selection.add(cached);
  }

  /** A suspicion goes with the registration it was about, and so do the picks that were counted. */
  #learnElement(element: PoolElement): void {
    const cached = this.#byIdentifier.get(element.identifier);
    if (cached === undefined) return this.#add(new CachedElement(element));
    const known = cached.element;
    cached.element = element;
    const isAnew = !sameRegistration(known, element);
    if (isAnew) this.#suspects.delete(element.identifier);
    if (isAnew || !samePolicy(known.policy, element.policy)) this.#selection.update(cached);
  }

  #add(cached: CachedElement): void {
    this.#byIdentifier.set(cached.element.identifier, cached);
    this.#selection.add(cached);
  }

  #drop(peIdentifier: number): void {
    const cached = this.#byIdentifier.get(peIdentifier);
    if (cached === undefined) return;
    this.#byIdentifier.delete(peIdentifier);
    this.#suspects.delete(peIdentifier);
    this.#selection.remove(cached);
    if (this.#first === cached) this.#first = undefined;
  }

  #led(first: CachedElement | undefined): PoolElement | undefined {
    return first !== undefined && this.#selection.mayTake(first) ? this.#take(first) : undefined;
  }

  #take(cached: CachedElement | undefined): PoolElement | undefined {
    if (cached !== undefined) this.#selection.take(cached);
    return cached?.element;
  }

  #isSuspect(peIdentifier: number, now: Milliseconds): boolean {
    const suspicion = this.#suspects.get(peIdentifier);
    if (suspicion === undefined) return false;
    if (now < suspicion.until) return true;
    this.#suspects.delete(peIdentifier);
    return false;
  }

  /** Of the suspects the one tried least since, then the one whose suspicion ends first: all are tried, and not one by all. */
  #leastBad(avoid: ReadonlySet<number> | undefined): CachedElement | undefined {
    let best: { readonly identifier: number; readonly suspicion: Suspicion } | undefined;
    for (const [identifier, suspicion] of this.#suspects) {
      if (avoid?.has(identifier) === true) continue;
      if (best === undefined || suspicion.tries < best.suspicion.tries || (suspicion.tries === best.suspicion.tries && suspicion.until < best.suspicion.until)) best = { identifier, suspicion };
    }
    if (best === undefined) return undefined;
    best.suspicion.tries++;
    return this.#byIdentifier.get(best.identifier);
  }
}

interface Suspicion {
  readonly until: Milliseconds;
  /** How often it was picked all the same. */
  tries: number;
}

/** Policies are flat: numbers, and the bytes of one that nobody knows. */
function samePolicy(a: Policy, b: Policy): boolean {
  return a === b || Object.entries(a).every(([name, value]) => value instanceof Uint8Array || value === (b as unknown as Readonly<Record<string, unknown>>)[name]);
}

const sameRegistration = ({ generation: a }: PoolElement, { generation: b }: PoolElement): boolean =>
  a?.generation === b?.generation && a?.home === b?.home;
