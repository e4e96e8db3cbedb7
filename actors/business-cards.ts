import type { Clock, Milliseconds } from '../environment.js';
import { UsageError } from '../errors.js';
import type { BusinessCard } from '../machines/control-channel.js';
import { encodeAsap, poolHandleFromKey, poolHandleText, type PoolElement } from '../wire/index.js';
import { MAX_FRAGMENT } from '../wire/mapping.js';
import type { PoolElementHandle } from './access-point-events.js';
import { MAX_PREFERRED, type ControlChannel } from './control-channel.js';
import { checkElementHandle, checkHandle, invalid } from './options.js';
import type { PoolView } from './pool.js';
import { inSlices } from './slices.js';

/** A pool element of this process, as its card shows it. */
export interface OwnElement {
  readonly key: string;
  readonly identifier: number;
  /** As it is registered. */
  readonly parameter: PoolElement;
}

/** The business cards of a process (RFC 5352 §3.9; draft §4.5.3, X-8): what it says of its own elements to whom it talks to, and what it looks up when others tell it theirs.
 *
 *  A card of ours names its sender first, then the elements it prefers to be followed by, in order. A pool element's card is about its own pool; a pool user's about the pool of
 *  `setBusinessCard`, else of the element that this process registered first. A registration that changed only its policy's values is not worth a card. */
export class BusinessCards {
  readonly #clock: Clock;
  readonly #pools: PoolView;
  readonly #own = new Set<OwnElement>();
  readonly #channels = new Set<ControlChannel>();
  /** By pool: who should follow. */
  readonly #preferred = new Map<string, readonly PoolElement[]>();
  /** The pool that was set last. */
  #chosen: string | undefined;
  /** What the cards say now. */
  #said = '';
  #ofUser: Uint8Array | undefined;
  #lookedUpAt: Milliseconds = -Infinity;

  constructor(clock: Clock, pools: PoolView) {
    this.#clock = clock;
    this.#pools = pools;
  }

  /** An own element is registered, or is so differently. */
  registered(element: OwnElement): void {
    this.#own.add(element);
    this.#announce();
  }

  left(element: OwnElement): void {
    if (this.#own.delete(element)) this.#announce(); // who should follow stays: its sessions are about to be handed over
  }

  /** Whose cards are kept current; not before it has begun. */
  add(channel: ControlChannel): void { this.#channels.add(channel); }
  remove(channel: ControlChannel): void { this.#channels.delete(channel); }

  /** PE identifiers of this process in that pool. */
  own(key: string): ReadonlySet<number> { return new Set(Array.from(this.#own).filter((element) => element.key === key).map(({ identifier }) => identifier)); }

  /** As pool user; undefined when this process is no pool element. */
  ofUser(): Uint8Array | undefined {
    const element = (this.#chosen !== undefined ? this.#elementIn(this.#chosen) : undefined) ?? this.#own.values().next().value;
    return element && (this.#ofUser ??= this.ofElement(element.key, element.parameter));
  }

  /** Of one of its elements. */
  ofElement(key: string, sender: PoolElement): Uint8Array {
    const failoverOrder = [sender, ...(this.#preferred.get(key) ?? []).filter(({ identifier }) => identifier !== sender.identifier)];
    for (;;) {
      const card = encodeAsap({ type: 'ASAP_BUSINESS_CARD', poolHandle: poolHandleFromKey(key), failoverOrder });
      if (card.length <= MAX_FRAGMENT || failoverOrder.length === 1) return card; // elements with many addresses
      failoverOrder.pop();
    }
  }

  /** Set.BusinessCard.PE.List (draft §4.5.3). Rejects with UsageError (NOT_REGISTERED, UNKNOWN_POOL_ELEMENT, INVALID_OPTION, INVALID_HANDLE) or as `refresh` does. */
  async set(handle: string | Uint8Array, preferred: readonly PoolElementHandle[]): Promise<void> {
    const key = checkHandle(handle);
    const wanted = checkPreferred(key, preferred);
    if (!this.#elementIn(key)) throw notRegistered(key);
    const isKnown = (identifier: number): boolean => this.#pools.elements(key).some((element) => element.identifier === identifier);
    if (!wanted.every(isKnown)) await this.#pools.refresh(key);
    const known = new Map(this.#pools.elements(key).map((element) => [element.identifier, element]));
    const elements = wanted.map((identifier) => known.get(identifier) ?? unknown(key, identifier));
    if (!this.#elementIn(key)) throw notRegistered(key);
    this.#preferred.set(key, elements);
    this.#chosen = key;
    this.#announce();
  }

  /** BC1: a pool, or an element of it, that a card names and nobody here knows is asked for; so many in a second, whoever sends cards. */
  lookUp({ key, order }: BusinessCard): void {
    const now = this.#clock.now();
    if (now - this.#lookedUpAt < LOOK_UP_PACE) return;
    const known = this.#pools.elements(key);
    if (known.length > 0 && order.every((identifier) => known.some((element) => element.identifier === identifier))) return;
    this.#lookedUpAt = now;
    this.#pools.refresh(key).catch(() => undefined); // it will be asked for again when it is needed
  }

  #elementIn(key: string): OwnElement | undefined {
    for (const element of this.#own) if (element.key === key) return element;
    return undefined;
  }

  #announce(): void {
    this.#ofUser = undefined;
    const said = JSON.stringify([this.#chosen, ...Array.from(this.#own, ({ key, identifier, parameter: { userTransport } }) => [key, identifier, userTransport, this.#preferred.get(key)?.map((element) => element.identifier)])]);
    if (said === this.#said) return;
    this.#said = said;
    inSlices(this.#clock, [...this.#channels], (channel) => { if (this.#channels.has(channel)) channel.cardChanged(); });
  }
}

/** @returns identifiers, each once. */
function checkPreferred(key: string, preferred: unknown): readonly number[] {
  if (!Array.isArray(preferred)) throw invalid('setBusinessCard: the preferred elements are a list of { handle, identifier }');
  if (preferred.length > MAX_PREFERRED) throw invalid(`setBusinessCard: ${preferred.length} preferred elements; ${MAX_PREFERRED} are possible`);
  const elements = preferred.map((element: unknown) => checkElementHandle(element));
  if (elements.some((element) => element.key !== key)) throw invalid(`setBusinessCard: the preferred elements are of ${poolHandleText(key)}, as this one is`);
  return [...new Set(elements.map(({ identifier }) => identifier))];
}

const notRegistered = (key: string): UsageError => new UsageError('NOT_REGISTERED', `this process has no element in ${poolHandleText(key)}`);
function unknown(key: string, identifier: number): never {
  throw new UsageError('UNKNOWN_POOL_ELEMENT', `no element 0x${identifier.toString(16)} is known in ${poolHandleText(key)}`);
}

const LOOK_UP_PACE: Milliseconds = 100;
