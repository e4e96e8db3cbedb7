import { isNewer, type RegisteredElement } from '../handlespace/handlespace.js';
import { poolHandleKey, type Cause, type EnrpMessageOf, type Generation, type PoolElement } from '../wire/index.js';
import type { Peer } from './enrp-peer.js';
import type { RegistrarCore } from './registrar-core.js';

type PoolEntries = EnrpMessageOf<'ENRP_HANDLE_TABLE_RESPONSE'>['poolEntries'];

export interface EnrpCopyOwner {
  readonly peers: ReadonlyMap<number, Peer>;
  changed(element: RegisteredElement): void;
  /** Tells that peer of an element of ours that is newer than what it says. */
  correct(peer: Peer, element: RegisteredElement): void;
}

/** What others say of their pool elements goes into the handlespace, as far as it is theirs to say (RFC 5353 §3.2.3, §3.3, §3.6.3). RFC 5353 has no generation, so that a late
 *  message of a former home could hit a newer registration: only the present owner's word counts, the newest registration wins, an audit heals. */
export class EnrpCopy {
  /** Removed while the table of a mentor is on its way: its pieces do not revive them. */
  #removed: Map<string, Generation | undefined> | undefined;
  /** Not named by whom they belonged to, which is by identifier. */
  readonly #disowned = new Map<RegisteredElement, number>();
  /** Their tables may name some of these. */
  readonly #awaited = new Set<Peer>();
  /** By the mentor, in this download. */
  readonly #named = new Set<string>();

  constructor(private readonly core: RegistrarCore, private readonly owner: EnrpCopyOwner) {}

  /** @returns what is wrong with it. */
  update(peer: Peer, { updateAction, poolHandle, poolElement, generation }: EnrpMessageOf<'ENRP_HANDLE_UPDATE'>): Cause | undefined {
    const key = poolHandleKey(poolHandle);
    if (updateAction === 'DEL_PE') return void this.#remove(peer, key, poolElement, generation ?? poolElement.generation);
    return poolElement.homeRegistrar === peer.id ? void this.#put(peer, key, poolElement) : FOREIGN;
  }

  /** A piece of that peer's own elements. @returns false where it names none that it has not named before: such a table might have no end. */
  resynchronise(peer: Peer, poolEntries: PoolEntries): boolean {
    const before = peer.named.size;
    for (const { poolHandle, poolElements } of poolEntries) {
      const key = poolHandleKey(poolHandle);
      for (const element of poolElements) {
        if (element.homeRegistrar !== peer.id) continue;
        peer.named.add(nameOf(key, element.identifier));
        this.#put(peer, key, element);
      }
    }
    return peer.named.size > before;
  }

  /** Those that it has not named are not its own any more (§3.6.3 step 5). */
  sweep(peer: Peer): void {
    for (const element of peer.marked ?? []) this.#disowned.set(element, peer.id);
    if (this.#disowned.size > 0) for (const other of this.owner.peers.values()) if (other.isInQuestion && other !== peer) this.#awaited.add(other);
    this.settled(peer);
  }

  /** The table of that peer has come, or will not. What is nobody's is removed; not while the table of another one is to come that may name it: elements change hands while a registrar
   *  is cut off or frozen, and their old owner's table may come before their new one's. */
  settled(peer: Peer): void {
    this.#awaited.delete(peer);
    if (this.#awaited.size > 0) return;
    for (const [element, home] of this.#disowned) {
      if (element.home === home && this.core.handlespace.find(element.pool.key, element.identifier) === element) this.core.unreplicated(element);
    }
    this.#disowned.clear();
  }

  beginDownload(): void {
    this.#removed = new Map();
    this.#named.clear();
  }

  endDownload(): void {
    this.#removed = undefined;
    this.#named.clear();
  }

  /** A piece of the mentor's table. An update by the owner, which flows meanwhile, is newer than a piece. @returns false where it has nothing new. */
  download(poolEntries: PoolEntries): boolean {
    const before = this.#named.size;
    for (const { poolHandle, poolElements } of poolEntries) {
      const key = poolHandleKey(poolHandle);
      for (const element of poolElements) {
        this.#named.add(nameOf(key, element.identifier));
        this.#fromMentor(key, element);
      }
    }
    return this.#named.size > before;
  }

  #fromMentor(key: string, element: PoolElement): void {
    const known = this.core.handlespace.find(key, element.identifier);
    if (this.#isRemoved(key, element) || (known !== undefined && (element.generation === undefined || !isNewer(element.generation, known.generation)))) return;
    const copy = this.core.replicated(key, element);
    if (copy?.home !== this.core.identifier) return;
    this.core.claim(copy); // of a former life of this registrar
    this.owner.changed(copy);
  }

  #isRemoved(key: string, { identifier, generation }: PoolElement): boolean {
    const name = nameOf(key, identifier);
    return this.#removed?.has(name) === true && !(generation !== undefined && this.#removed.get(name) !== undefined && isNewer(generation, this.#removed.get(name)));
  }

  /** What the owner says of its element. */
  #put(peer: Peer, key: string, element: PoolElement): void {
    const known = this.core.handlespace.find(key, element.identifier);
    this.#removed?.delete(nameOf(key, element.identifier));
    if (known !== undefined && known.home !== peer.id && !isNewer(element.generation, known.generation) && this.#isHomeThere(known.home)) {
      if (known.home === this.core.identifier) this.#correct(peer, known, element);
      return;
    }
    const copy = this.core.replicated(key, element);
    if (copy === undefined) return;
    peer.marked?.delete(copy);
    this.#disowned.delete(copy);
  }

  /** Its word is older than ours. Where both homes gave the same generation at the same time others may have followed that peer's: all are told, or they would lose the element
   *  when that peer gives it up, until an audit brings it back. */
  #correct(peer: Peer, ours: RegisteredElement, theirs: PoolElement): void {
    if (theirs.generation?.generation === ours.generation?.generation) this.owner.changed(ours);
    else this.owner.correct(peer, ours);
  }

  #isHomeThere(home: number): boolean { return home === this.core.identifier || this.owner.peers.get(home)?.state === 'active'; }

  #remove(peer: Peer, key: string, { identifier }: PoolElement, generation: Generation | undefined): void {
    this.#removed?.set(nameOf(key, identifier), generation);
    const known = this.core.handlespace.find(key, identifier);
    if (known === undefined || known.home !== peer.id) return;
    if (generation !== undefined && known.generation !== undefined && known.generation.generation > generation.generation) return;
    this.core.unreplicated(known);
  }
}

const nameOf = (key: string, peIdentifier: number): string => `${peIdentifier} ${key}`;
const FOREIGN: Cause = { cause: 'invalid-values', parameter: new Uint8Array(0) };
