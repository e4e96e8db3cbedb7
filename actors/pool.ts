import { createActor, type Actor, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { NoRegistrarError, UnknownPoolHandleError } from '../errors.js';
import { HandleCache } from '../handlespace/cache.js';
import { resolutionMachine, type ResolutionNews } from '../machines/resolution.js';
import type { Timers } from '../machines/timers.js';
import { poolHandleFromKey, poolHandleKey, poolHandleText, type AsapMessageOf, type PoolElement } from '../wire/index.js';
import type { ActorEnvironment } from './environment.js';
import { PoolPages, UnlistedElements, type Listed } from './pool-pages.js';
import type { Home, HomePools } from './home.js';
import { ListedElements, type Listing } from './listed-elements.js';
import type { Unsubscribe } from './emitter.js';
import { bounded, deferred, type Deferred } from './waiting.js';

/** What a pool user knows of pools. Handles are keys (`poolHandleKey`). */
export interface PoolView {
  /** From the cache, by the pool's policy; undefined when nothing is cached. What is stale is given out and asked for again meanwhile (RFC 5352 §3.3 C3). Those in
   *  `avoid`, and suspects, only where nothing else is left; those of `preferred`, in this order, before all others (RFC 5352 §3.9 BC2). */
  pick(key: string, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined;
  /** All that is cached, in the registrar's order. */
  elements(key: string): readonly PoolElement[];
  /** Asks the registrar; one question for all who ask at once. Where no registrar answers within T1, what is cached is as good as it gets, and it resolves. Rejects with
   *  UnknownPoolHandleError (one round trip), with NoRegistrarError where nothing is cached, or with the signal's reason. */
  refresh(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  isStale(key: string): boolean;
  /** ASAP_ENDPOINT_UNREACHABLE, RFC 5352 §3.5: once for each event, and the element is not picked for a while. @returns false where it was reported just now. */
  reportUnreachable(key: string, peIdentifier: number): boolean;
  /** A session goes there: load that its element has not told yet. */
  place(key: string, peIdentifier: number): void;
  /** It has accepted a session: no suspicion is left. */
  vouch(key: string, peIdentifier: number): void;
  /** Keeps the entry current while somebody watches: a registrar is asked for updates (S bit, RFC 5352 §2.2.5), and the watcher is called at each answer. @returns ends it. */
  watch(key: string, watcher: PoolWatcher): Unsubscribe;
  /** One element, and no other: without it nobody is to be selected, now or later. */
  readonly stays?: boolean;
}

/** @param removed elements that were known and, says a registrar, are in the pool no more, or elsewhere. */
export type PoolWatcher = (removed: readonly PoolElement[]) => void;

/** The handle cache with a resolution chart for each handle. */
export class Pools implements PoolView, HomePools {
  readonly #environment: ActorEnvironment;
  readonly #timers: Timers;
  readonly #cache: HandleCache;
  readonly #entries = new Map<string, Entry>();
  readonly #home: () => Home;
  readonly #pages: PoolPages;

  constructor({ environment, timers, home }: { environment: ActorEnvironment; timers: Timers; home: () => Home }) {
    this.#environment = environment;
    this.#timers = timers;
    this.#home = home;
    this.#cache = new HandleCache({ random: environment.random, staleAfter: timers.staleCacheValue });
    this.#pages = new PoolPages({
      clock: environment.clock, timers,
      send: (message) => { home().ref.send({ type: 'transmit', message }); },
      suspect: () => { home().ref.send({ type: 'home.seek', why: 'T1-ENRPrequest' }); },
    });
  }

  pick(key: string, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined {
    const entry = this.#entries.get(key);
    if (entry?.isStale === true && !entry.isAsking) this.#ask(entry);
    return this.#cache.pick(key, this.#now(), avoid, preferred);
  }

  refresh(key: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const entry = this.#entry(key);
    if (entry.answer === undefined) this.#expectAnswer(key, entry);
    const { promise } = entry.answer as Deferred<void>;
    this.#ask(entry);
    return bounded(promise, { signal });
  }

  isStale(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry?.isStale !== false || (entry.isSubscribed && this.#cache.isStale(key, this.#now())); // its registrar has not confirmed it
  }

  reportUnreachable(key: string, peIdentifier: number): boolean {
    const now = this.#now();
    const { suspicion } = this.#timers;
    this.#cache.suspect(key, peIdentifier, now + suspicion * (0.5 + this.#environment.random.fraction()));
    const entry = this.#entry(key);
    const last = entry.reported.get(peIdentifier);
    if (last !== undefined && now - last < REPORT_INTERVAL) return false;
    if (entry.reported.size >= MAX_REPORTED) entry.reported.clear();
    entry.reported.set(peIdentifier, now);
    this.#home().report({ type: 'ASAP_ENDPOINT_UNREACHABLE', poolHandle: poolHandleFromKey(key), peIdentifier });
    return true;
  }

  place(key: string, peIdentifier: number): void { this.#cache.place(key, peIdentifier); }
  vouch(key: string, peIdentifier: number): void { this.#cache.vouch(key, peIdentifier); }
  /** @param inUse those that are to be missed also where the pool is longer than a list of it. */
  watch(key: string, watcher: PoolWatcher, inUse?: () => Iterable<PoolElement>): Unsubscribe {
    const { watchers, actor, listed, inUse: all } = this.#entry(key);
    watchers.add(watcher);
    if (inUse !== undefined) all.add(inUse);
    if (watchers.size === 1) listed.answered(this.#listing(key, false)); // what is known so far
    if (watchers.size === 1) actor.send({ type: 'resolution.watch' });
    return () => {
      watchers.delete(watcher);
      if (inUse !== undefined) all.delete(inUse);
    };
  }

  elements(key: string): readonly PoolElement[] {
    return this.#cache.elements(key);
  }

  /** All of the pool, beyond what the cache has of it: a registrar's answer may leave some out. Where it cannot say who, what is known. */
  async list(key: string): Promise<Listed & { readonly unlisted: number }> {
    if (!this.#isCut(key)) return { elements: this.elements(key), isWhole: true, unlisted: 0 };
    const listed = await this.#pages.list(key);
    if (listed.isWhole) return { ...listed, unlisted: 0 };
    const known = new Map([...this.elements(key), ...listed.elements].map((element) => [element.identifier, element]));
    return { elements: [...known.values()], isWhole: false, unlisted: Math.max(0, (this.#entries.get(key)?.size ?? 0) - known.size) };
  }

  /** One element of the pool, also where the cache has not all of it. */
  async find(key: string, identifier: number): Promise<PoolElement | undefined> {
    const known = this.elements(key).find((element) => element.identifier === identifier);
    if (known !== undefined || !this.#isCut(key)) return known;
    return (await this.#pages.find(key, identifier))?.element;
  }

  /** The registrar knows more than it has listed: one of ours, which has pages too. */
  #isCut(key: string): boolean { return (this.#entries.get(key)?.size ?? 0) > this.#cache.elements(key).length; }

  age(key: string): Milliseconds | undefined {
    return this.#cache.age(key, this.#now());
  }

  purge(key: string): void {
    this.#cache.purge(key);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.isStale = true;
    entry.actor.send({ type: 'cache.purge' });
  }

  // ---- HomePools

  /** The cache first, then the chart. */
  answered(message: AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>): void {
    const key = poolHandleKey(message.poolHandle);
    const entry = this.#entries.get(key);
    if (this.#pages.answered(key, message) || entry === undefined) return; // nobody asked
    const { error, poolElements, policy, poolSize } = message;
    entry.size = poolSize ?? poolElements.length;
    if (error === undefined && poolElements.length > 0) this.#cache.put(key, { policy, elements: poolElements, now: this.#now() });
    entry.actor.send(message); // purges, where the pool has vanished
    if (entry.watchers.size === 0) return;
    tellWatchers(entry, entry.listed.answered(this.#listing(key, isWhole(message, entry))));
    if (this.#isCut(key)) this.#lookForUnlisted(key, entry);
  }

  #lookForUnlisted(key: string, entry: Entry): void {
    const { clock } = this.#environment;
    entry.unlisted ??= new UnlistedElements({
      clock, interval: this.#timers.resolutionInterval,
      find: (identifier) => this.#pages.find(key, identifier),
      found: (element, now) => { tellWatchers(entry, entry.listed.asked(element, now, this.#listing(key, false)) ? [element] : []); },
    });
    entry.unlisted.look(() => {
      const listed = new Set(this.elements(key).map(({ identifier }) => identifier));
      const inUse = new Map([...entry.inUse].flatMap((each) => [...each()]).map((element) => [element.identifier, element]));
      return [...inUse.values()].filter(({ identifier }) => !listed.has(identifier));
    });
  }

  #listing(key: string, isWhole: boolean): Listing {
    const { age, since } = this.#home();
    const isItsWord = (this.#cache.age(key, this.#now()) ?? 0) <= age; // and not that of the home before
    return { elements: this.elements(key), isWhole, home: isItsWord ? since : -1, isYoung: age < this.#timers.retranMax };
  }

  *waiting(): Iterable<AnyActorRef> {
    for (const entry of this.#entries.values()) if (entry.isAsking || entry.isSubscribed || entry.watchers.size > 0) yield entry.actor;
  }

  get isWaiting(): boolean {
    for (const entry of this.#entries.values()) if (entry.isAsking || entry.watchers.size > 0) return true;
    return false;
  }

  open(): () => void {
    return () => {
      this.#pages.close();
      for (const key of this.#entries.keys()) this.#end(key, new NoRegistrarError('the access point is closed'));
    };
  }

  // ---- the charts

  #expectAnswer(key: string, entry: Entry): void {
    entry.answer = deferred();
    const { clock } = this.#environment;
    const timer = clock.setTimeout(() => { if (this.#isCached(key)) entry.answer?.resolve(); }, this.#timers.t1EnrpRequest);
    const clear = (): void => { clock.clearTimeout(timer); };
    entry.answer.promise.then(clear, clear);
  }

  #isCached(key: string): boolean {
    return this.#cache.age(key, this.#now()) !== undefined;
  }

  #ask(entry: Entry): void {
    entry.isAsking = true;
    entry.actor.send({ type: 'resolution.request' });
  }

  #entry(key: string, watchers = new Set<PoolWatcher>()): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= MAX_ENTRIES) this.#evict();
    const entry: Entry = { size: 0, actor: this.#createActor(key, watchers), watchers, inUse: new Set(), unlisted: undefined, isStale: true, isAsking: false, isSubscribed: false, listed: new ListedElements(), most: 0, answer: undefined, reported: new Map() };
    entry.actor.on('*', (news) => this.#noted(key, entry, news));
    entry.actor.subscribe({ error: (error) => this.#failed(key, error) });
    this.#entries.set(key, entry);
    entry.actor.start();
    return entry;
  }

  #createActor(key: string, watchers: ReadonlySet<PoolWatcher>): Actor<typeof resolutionMachine> {
    const { clock, random } = this.#environment;
    return createActor(resolutionMachine, {
      clock,
      input: { home: this.#home().ref, poolHandle: key, timers: this.#timers, now: () => clock.now(), isWatched: () => watchers.size > 0, fraction: () => random.fraction() },
    });
  }

  #noted(key: string, entry: Entry, news: ResolutionNews): void {
    if (news.type === 'resolution.stale') {
      entry.isStale = true;
      return;
    }
    entry.isAsking = false;
    entry.isStale = news.type !== 'resolution.cached';
    entry.isSubscribed = news.type === 'resolution.cached' && news.isSubscribed;
    if (news.type === 'resolution.unknown' && !this.#isPremature(key)) this.#cache.purge(key);
    const error = this.#errorOf(key, news);
    if (error === undefined) entry.answer?.resolve();
    else entry.answer?.reject(error);
    entry.answer = undefined;
  }

  #errorOf(key: string, news: ResolutionNews): Error | undefined {
    const handle = poolHandleText(key);
    if (this.#isCached(key)) return undefined; // stale at worst
    switch (news.type) {
      case 'resolution.unknown': return new UnknownPoolHandleError(handle);
      case 'resolution.refused': return new NoRegistrarError(`the registrar does not resolve ${handle}: ${news.causes.map(({ cause }) => cause).join(', ')}`, { cause: news.causes });
      case 'resolution.failed': return new NoRegistrarError(`no registrar has answered for ${handle}`);
      default: return undefined;
    }
  }

  /** A registrar that was found just now may have been started just now: it knows nobody before they have registered again. What was cached before is served meanwhile, as stale. */
  #isPremature(key: string): boolean {
    const { age } = this.#home();
    return age < this.#timers.retranMax && (this.#cache.age(key, this.#now()) ?? 0) > age; // so long an element may rest between two hunts
  }

  /** Never lost: the next question makes a new chart. */
  #failed(key: string, error: unknown): void {
    this.#environment.logger.error({ err: error, poolHandle: poolHandleText(key) }, 'a resolution failed');
    const { watchers } = this.#entry(key);
    this.#end(key, new NoRegistrarError(`the resolution of ${poolHandleText(key)} failed`, { cause: error }));
    if (watchers.size > 0) this.#entry(key, watchers).actor.send({ type: 'resolution.watch' });
  }

  #end(key: string, error: Error): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    entry?.actor.stop();
    entry?.answer?.reject(error);
  }

  #evict(): void {
    for (const [key, { isAsking, watchers }] of this.#entries) {
      if (isAsking || watchers.size > 0) continue;
      this.#cache.purge(key);
      this.#end(key, new NoRegistrarError('too many pool handles at once'));
      return;
    }
  }

  #now(): Milliseconds {
    return this.#environment.clock.now();
  }
}

interface Entry {
  /** Elements of the pool, as the registrar has said last. */
  size: number;
  readonly actor: Actor<typeof resolutionMachine>;
  readonly watchers: Set<PoolWatcher>;
  /** Elements in use that somebody wants to know of, listed or not. */
  readonly inUse: Set<() => Iterable<PoolElement>>;
  unlisted: UnlistedElements | undefined;
  isStale: boolean;
  isAsking: boolean;
  isSubscribed: boolean;
  /** Kept while somebody watches. */
  readonly listed: ListedElements;
  /** Elements in the longest answer. */
  most: number;
  answer: Deferred<void> | undefined;
  /** When each element was reported last. */
  readonly reported: Map<number, Milliseconds>;
}

function tellWatchers({ watchers }: Entry, removed: readonly PoolElement[]): void {
  for (const watcher of [...watchers]) watcher(removed);
}

/** Whether an element that this answer does not list is not in the pool. A registrar of ours (its elements have generations) says when it lists only some; another one may cut
 *  its lists at a number of its own, so one of them is whole only where it is shorter than another. */
function isWhole({ poolElements, poolSize }: AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>, entry: Entry): boolean {
  if (poolSize !== undefined) return false;
  const isOurs = poolElements[0]?.generation !== undefined;
  const isShorter = poolElements.length < entry.most;
  entry.most = Math.max(entry.most, poolElements.length);
  return isOurs || isShorter;
}

/** Pool handles known at once; the one known longest goes. */
const MAX_ENTRIES = 10_000;
/** One failure is noticed by many: reports about one element within this are one event. */
const REPORT_INTERVAL = 1_000;
const MAX_REPORTED = 10_000;
