import type { EnrpMessageOf } from '../wire/index.js';
import type { EnrpCopy } from './enrp-copy.js';
import type { Dialers } from './enrp-dialers.js';
import type { Peer } from './enrp-peer.js';

type TableResponse = EnrpMessageOf<'ENRP_HANDLE_TABLE_RESPONSE'>;
/** What the registrar's chart waits for. */
export type JoiningNews = { type: 'mentor.found' | 'mentor.refused' | 'mentor.lost' | 'mentors.exhausted' | 'list.received' | 'download.progress' | 'download.done' };

export interface JoiningOwner {
  readonly identifier: number;
  readonly peers: ReadonlyMap<number, Peer>;
  readonly isServing: boolean;
  readonly hasMulticast: boolean;
  /** A link to one whose identifier is in question: it introduces itself anew. */
  readonly hasTwins: boolean;
  tell(news: JoiningNews): void;
  requestList(peer: Peer): void;
  requestPiece(peer: Peer, ownChildrenOnly: boolean): void;
}

/** A registrar that starts: which of its peers is its mentor, and what it gets from it (RFC 5353 §3.2.2, §3.2.3). */
export class Joining {
  #mentor: Peer | undefined;
  #awaitsTable = false;

  constructor(private readonly dialers: Dialers, private readonly copy: EnrpCopy, private readonly owner: JoiningOwner) {}

  /** Something has changed among those that might be the mentor. */
  consider(): void {
    if (this.owner.isServing) return;
    const candidates = [...this.owner.peers.values()].filter(({ state, isConnected }) => state === 'active' && isConnected);
    const { areTried } = this.dialers;
    const isFirst = areTried && this.#mayBeFirst(candidates);
    this.#mentor = candidates.find(({ isStarting }) => !isStarting) ?? (areTried && !isFirst ? candidates[0] : undefined);
    if (this.#mentor !== undefined) this.owner.tell({ type: 'mentor.found' });
    else if (isFirst && (candidates.length > 0 || !(this.owner.hasMulticast || this.owner.hasTwins))) this.owner.tell({ type: 'mentors.exhausted' });
  }

  /** All that are there are starting as well: the one with the smallest identifier serves first, and is the mentor of the others. */
  #mayBeFirst(others: readonly Peer[]): boolean { return others.every(({ id, isStarting }) => isStarting && id > this.owner.identifier); }

  isMentor(peer: Peer): boolean { return peer === this.#mentor && !this.owner.isServing; }

  requestList(): void { if (this.#mentor !== undefined) this.owner.requestList(this.#mentor); }

  requestTable(): void {
    this.#awaitsTable = true;
    this.copy.beginDownload();
    if (this.#mentor !== undefined) this.owner.requestPiece(this.#mentor, false);
  }

  end(): void {
    this.#awaitsTable = false;
    this.copy.endDownload();
  }

  rejected(): void {
    this.#awaitsTable = false;
    if (this.#mentor !== undefined) this.#mentor.isStarting = true;
    this.#mentor = undefined;
  }

  /** @returns whether it was a piece that is waited for. */
  tabled(peer: Peer, { flags: { reject, moreToSend }, poolEntries }: TableResponse): boolean {
    if (peer !== this.#mentor || !this.#awaitsTable) return false;
    const isNews = !reject && this.copy.download(poolEntries);
    if (reject || (moreToSend && !isNews)) this.owner.tell({ type: 'mentor.refused' });
    else if (!moreToSend) this.owner.tell({ type: 'download.done' });
    else {
      this.owner.tell({ type: 'download.progress' });
      this.owner.requestPiece(peer, false);
    }
    return true;
  }
}
