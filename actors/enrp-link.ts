import type { TransportError } from '../errors.js';
import { hostOf, schemeOf } from '../transports/address.js';
import type { EnrpMessage, WireError } from '../wire/index.js';
import type { Association, AssociationOwner } from './association.js';
import type { Peer } from './enrp-peer.js';
import type { TablePieces } from './handle-table.js';

/** Takes what comes over the links between registrars. */
export interface EnrpLinkOwner {
  connected(link: EnrpLink): void;
  received(link: EnrpLink, message: EnrpMessage): void;
  refused(link: EnrpLink, error: WireError): void;
  ended(link: EnrpLink, reason: TransportError): void;
}

/** One link between registrars, or from one who only asks. Whose it is says its first ENRP_PRESENCE: a peer is known by its server id, never by its port. */
export class EnrpLink implements AssociationOwner<EnrpMessage> {
  peer: Peer | undefined;
  /** Another registrar has the identifier that this one says it has: it may ask, and is not believed. */
  isTwin = false;
  /** It has been asked who it is. */
  isAsked = false;
  /** The handle table that is being sent over it, and when its last piece went out. */
  pieces: TablePieces | undefined;
  pieceAt = 0;
  isUp: boolean;

  /** @param dialled the address, where this end has made the link. */
  constructor(private readonly owner: EnrpLinkOwner, readonly association: Association<EnrpMessage>, readonly dialled?: string) {
    this.isUp = dialled === undefined;
  }

  /** This end's host as the other end sees it, where nobody translates addresses. */
  get localHost(): string { return hostOf(this.association.link.local); }
  /** Of both ends' addresses: who comes by SCTP is told of SCTP. */
  get scheme(): string { return schemeOf(this.association.link.local); }
  get remote(): string { return this.dialled ?? this.association.peer; }

  send(message: EnrpMessage): void { this.association.send(message); }

  up(): void {
    this.isUp = true;
    this.owner.connected(this);
  }
  message(message: EnrpMessage): void { this.owner.received(this, message); }
  refused(error: WireError): void { this.owner.refused(this, error); }
  down(reason: TransportError): void { this.owner.ended(this, reason); }
}
