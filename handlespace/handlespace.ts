import type { Milliseconds, Random } from '../environment.js';
import { encodePoolElement, poolHandleFromKey, rehomed, type Generation, type Policy, type PoolElement, type TransportParameter } from '../wire/index.js';
import { Encoded, encodePage, MOST_ITEMS, PreparedAnswer } from './answer.js';
import { ByIdentifier } from './by-identifier.js';
import { blockSum, handleSum, PeChecksum } from './checksum.js';
import { createSelection, type Selection } from './selection/index.js';

export interface HandlespaceOptions {
  readonly random: Random;
  /** Elements in an answer that does not ask for a number. */
  readonly items?: number;
}

/** Pools, their elements, and who owns them: plain data, called directly by the hot path. One registrar's copy of what all registrars share. */
export class Handlespace {
  readonly #options: HandlespaceOptions;
  readonly #pools = new Map<string, Pool>();
  readonly #owners = new Map<number, Owner>();
  #size = 0;
  /** The highest generation seen in any registration. */
  #generation = 0;

  constructor(options: HandlespaceOptions) {
    this.#options = options;
  }

  /** Elements in all pools. */
  get size(): number { return this.#size; }
  get poolCount(): number { return this.#pools.size; }

  pool(poolKey: string): Pool | undefined {
    return this.#pools.get(poolKey);
  }

  pools(): IterableIterator<Pool> {
    return this.#pools.values();
  }

  find(poolKey: string, peIdentifier: number): RegisteredElement | undefined {
    return this.#pools.get(poolKey)?.find(peIdentifier);
  }

  /** The elements whose home is that registrar. */
  owned(home: number): ReadonlySet<RegisteredElement> {
    return this.#owners.get(home)?.elements ?? nobody;
  }

  /** Everybody who owns a pool element. */
  owners(): Iterable<number> { return this.#owners.keys(); }

  /** RFC 5353 §3.6.2. */
  checksum(home: number): number {
    return this.#owners.get(home)?.checksum.value ?? 0xffff;
  }

  /** For a registration accepted here: higher than any seen, and than the one the element says it had. A liar hurts himself only: his claim raises no other's. */
  nextGeneration(home: number, claimed?: Generation): Generation {
    this.#generation++;
    const claim = claimed === undefined || claimed.generation >= HIGHEST_CLAIM ? 0 : claimed.generation + 1;
    return { generation: Math.max(this.#generation, claim), home };
  }

  /** A generation some registrar gave. */
  noteGeneration({ generation }: Generation): void {
    this.#generation = Math.max(this.#generation, generation);
  }

  /** Inserts the element, or replaces what was known of it. The element as given goes into answers: home, ASAP transport, generation are filled in. */
  put(poolKey: string, element: PoolElement): RegisteredElement {
    let pool = this.#pools.get(poolKey);
    if (pool === undefined) {
      pool = new Pool(poolKey, element, this.#options);
      this.#pools.set(poolKey, pool);
    }
    const known = pool.find(element.identifier);
    if (known !== undefined) {
      this.#disown(known);
      pool.update(known, element);
      this.#own(known);
      return known;
    }
    const registered = pool.insert(element);
    this.#size++;
    this.#own(registered);
    return registered;
  }

  /** Takes the element out, and the pool with its last. @returns false when it was not in any more. */
  remove(element: RegisteredElement): boolean {
    const { pool } = element;
    if (pool.find(element.identifier) !== element) return false;
    this.#disown(element);
    pool.remove(element);
    this.#size--;
    if (pool.size === 0) this.#pools.delete(pool.key);
    return true;
  }

  /** A takeover: another registrar is its home from now on. Each that hears of it counts on from the generation it knows, so all arrive at the same. */
  rehome(element: RegisteredElement, home: number): void {
    this.#disown(element);
    element.rehome(home);
    element.pool.answer.invalidate();
    if (element.generation !== undefined) this.noteGeneration(element.generation);
    this.#own(element);
  }

  #own(element: RegisteredElement): void {
    let owner = this.#owners.get(element.home);
    if (owner === undefined) {
      owner = { elements: new Set(), checksum: new PeChecksum() };
      this.#owners.set(element.home, owner);
    }
    owner.elements.add(element);
    owner.checksum.add(element.block);
  }

  #disown(element: RegisteredElement): void {
    const owner = this.#owners.get(element.home);
    if (owner === undefined) return;
    owner.elements.delete(element);
    owner.checksum.remove(element.block);
    if (owner.elements.size === 0) this.#owners.delete(element.home);
  }
}

/** Elements under one handle. Its first element decides on policy and transport (RFC 5352 §3.1 rule 1). */
export class Pool {
  readonly handleSum: number;
  readonly policy: Policy;
  readonly transport: TransportParameter;
  /** Its first element says which mapping it is registered for. */
  readonly isMapped: boolean;
  readonly answer: PreparedAnswer<RegisteredElement>;
  readonly #elements = new Map<number, RegisteredElement>();
  readonly #selection: Selection<RegisteredElement>;
  readonly #byIdentifier = new ByIdentifier(() => this.#elements.values());

  constructor(readonly key: string, first: PoolElement, { random, items }: HandlespaceOptions) {
    this.handleSum = handleSum(key);
    this.policy = first.policy;
    this.transport = first.userTransport;
    this.isMapped = saysItsMapping(first);
    this.#selection = createSelection(first.policy.policy, random);
    this.answer = new PreparedAnswer(key, first.policy, this.#selection, items);
  }

  get size(): number { return this.#elements.size; }
  get handle(): Uint8Array { return poolHandleFromKey(this.key); }

  find(peIdentifier: number): RegisteredElement | undefined {
    return this.#elements.get(peIdentifier);
  }

  elements(): IterableIterator<RegisteredElement> {
    return this.#elements.values();
  }

  /** A page of its elements: by identifier, those from `from` on, at most `wanted` (0 leaves it to us), what fits into a message. Nobody is picked by that. */
  page(from: number, wanted = 0): Buffer {
    const { elements, behind } = this.#byIdentifier.page(from, wanted > 0 ? Math.min(wanted, MOST_ITEMS) : MOST_ITEMS);
    return encodePage(this.key, this.policy, elements, { from, behind });
  }

  insert(element: PoolElement): RegisteredElement {
    const registered = new RegisteredElement(this, element);
    this.#elements.set(element.identifier, registered);
    this.#selection.add(registered);
    this.#byIdentifier.add(registered);
    this.answer.invalidate();
    return registered;
  }

  update(registered: RegisteredElement, element: PoolElement): void {
    if (registered.replace(element)) this.answer.invalidate();
    const { ring } = registered;
    this.#selection.update(registered);
    if (registered.ring !== ring) this.answer.invalidate();
  }

  remove(registered: RegisteredElement): void {
    this.#elements.delete(registered.identifier);
    this.#selection.remove(registered);
    this.#byIdentifier.remove(registered);
    this.answer.invalidate();
  }
}

/** By a parameter of ours: it is not a plain registration of some transport. */
export const saysItsMapping = ({ capabilities, tie }: PoolElement): boolean => capabilities !== undefined || tie !== undefined;

/** One pool element as a registrar knows it: what is asked often, and its parameter as it goes out. */
export class RegisteredElement extends Encoded {
  encoded: Buffer;
  policy: Policy;
  home: number;
  generation: Generation | undefined;
  /** Milliseconds a registration lasts; Infinity for -1. Others than its home never expire it. */
  life: Milliseconds;

  constructor(readonly pool: Pool, element: PoolElement) {
    super();
    this.identifier = element.identifier;
    this.encoded = encodePoolElement(element);
    this.policy = element.policy;
    this.home = element.homeRegistrar;
    this.generation = element.generation;
    this.life = lifeOf(element);
  }

  readonly identifier: number;
  /** By which its generation has grown without the element's knowledge. */
  takeovers = 0;
  get block(): number { return blockSum(this.pool.handleSum, this.identifier); }

  rehome(home: number): void {
    this.home = home;
    if (this.generation !== undefined) {
      this.generation = { generation: this.generation.generation + 1, home };
      this.takeovers++;
    }
    this.encoded = rehomed(this.encoded, home, this.generation);
  }

  /** @returns whether what goes out has changed. */
  replace(element: PoolElement): boolean {
    const encoded = encodePoolElement(element);
    this.policy = element.policy;
    this.home = element.homeRegistrar;
    this.generation = element.generation;
    this.life = lifeOf(element);
    this.takeovers = 0;
    if (encoded.equals(this.encoded)) return false;
    this.encoded = encoded;
    return true;
  }
}

/** Of two words about one pool element the newer registration's counts; between homes that gave the same generation, the higher identifier's. One
 *  without a generation comes from a registrar that knows none (RSPLIB): the last word counts then. */
export function isNewer(a: Generation | undefined, b: Generation | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return a.generation === b.generation ? a.home > b.home : a.generation > b.generation;
}

interface Owner {
  readonly elements: Set<RegisteredElement>;
  readonly checksum: PeChecksum;
}
const nobody: ReadonlySet<RegisteredElement> = new Set();
const HIGHEST_CLAIM = 0x8000_0000;

/** Registration Life is signed seconds, -1 for ever; more than 24.8 days is cut to that, the longest that timers can wait. */
export function lifeOf({ registrationLife }: PoolElement): Milliseconds {
  return registrationLife === -1 ? Infinity : Math.min(registrationLife * 1000, 0x7fff_ffff);
}
