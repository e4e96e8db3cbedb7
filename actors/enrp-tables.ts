import type { EnrpMessageOf } from '../wire/index.js';
import type { EnrpCopy } from './enrp-copy.js';
import type { Joining } from './enrp-joining.js';
import type { EnrpLink } from './enrp-link.js';
import type { Peer } from './enrp-peer.js';
import { TablePieces } from './handle-table.js';
import type { RegistrarCore } from './registrar-core.js';

export interface HandleTablesOwner {
  readonly isServing: boolean;
  requestPiece(peer: Peer, ownChildrenOnly: boolean): void;
}

/** Handle tables in pieces: what others ask of this registrar (RFC 5353 §3.2.3), and what comes when it audits them (§3.6.3). */
export class HandleTables {
  constructor(private readonly core: RegistrarCore, private readonly joining: Joining, private readonly copy: EnrpCopy, private readonly owner: HandleTablesOwner) {}

  answer(link: EnrpLink, { sendingServer, flags }: EnrpMessageOf<'ENRP_HANDLE_TABLE_REQUEST'>): void {
    if (!this.owner.isServing) {
      return link.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: true, moreToSend: false }, sendingServer: this.core.identifier, receivingServer: sendingServer, poolEntries: [] });
    }
    const now = this.core.environment.clock.now();
    const isForgotten = now - link.pieceAt >= 1.5 * this.core.timers.t1EnrpRequest; // §3.2.3: whoever asks has given up by then, after 2 T1, and begins anew
    if (link.pieces?.isOwn !== flags.ownChildrenOnly || isForgotten) link.pieces = new TablePieces(this.core.handlespace, flags.ownChildrenOnly, this.core.identifier);
    link.pieceAt = now;
    const { frame, isLast } = link.pieces.next(sendingServer);
    if (isLast) link.pieces = undefined;
    link.association.sendFrame(frame);
  }

  received(peer: Peer, message: EnrpMessageOf<'ENRP_HANDLE_TABLE_RESPONSE'>): void {
    if (this.joining.tabled(peer, message) || peer.marked === undefined) return;
    const { flags: { reject, moreToSend }, poolEntries } = message;
    peer.isBetweenPieces = moreToSend;
    if (reject) return peer.tell({ type: 'audit.failed' });
    const isNews = this.copy.resynchronise(peer, poolEntries);
    if (moreToSend && !isNews) {
      peer.isBetweenPieces = false;
      return peer.tell({ type: 'audit.failed' });
    }
    if (!moreToSend) {
      this.copy.sweep(peer);
      return peer.tell({ type: 'audit.done' });
    }
    peer.tell({ type: 'audit.progress' });
    this.owner.requestPiece(peer, true);
  }
}
