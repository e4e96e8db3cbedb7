import type { TransportError } from '../errors.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import type { RegistrarPeerOrder } from '../machines/registrar-peer.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import type { Link } from '../transports/transport.js';
import type { Cause, EnrpMessage, EnrpMessageOf, PeerState, WireError } from '../wire/index.js';
import { Allowance, Association, enrpProtocol } from './association.js';
import { controlTransportOf } from './control-transports.js';
import { Acquaintances, type AcquaintancesOwner } from './enrp-acquaintances.js';
import { EnrpCopy } from './enrp-copy.js';
import { Dialers } from './enrp-dialers.js';
import { Joining, type JoiningNews, type JoiningOwner } from './enrp-joining.js';
import { EnrpLink, type EnrpLinkOwner } from './enrp-link.js';
import { Peer, type PeerOwner } from './enrp-peer.js';
import { EnrpRequests } from './enrp-requests.js';
import { HandleTables, type HandleTablesOwner } from './enrp-tables.js';
import { Takeovers, type TakeoversOwner } from './enrp-takeovers.js';
import type { ActorEnvironment } from './environment.js';
import { updateFrame } from './handle-table.js';
import type { RegistrarCore, Replicas } from './registrar-core.js';

export interface EnrpOwner {
  /** Its ENRP listeners. */
  readonly enrp: readonly string[];
  readonly isServing: boolean;
  /** What its chart waits for. */
  tell(news: JoiningNews | { type: 'handed.over' }): void;
  peerChanged(peer: { readonly id: number; readonly state: PeerState | 'gone' }): void;
  takeoverBegun(takeover: { readonly target: number; readonly initiator: number }): void;
  takeoverEnded(takeover: { readonly target: number; readonly outcome: 'won' | 'yielded' | 'refuted' }): void;
  failed(error: unknown): void;
}

/** A registrar among the others (RFC 5353): links and peers, what each says and is told. Charts decide (machines/registrar-peer.ts, machines/takeover.ts). */
export class Enrp implements Replicas, EnrpLinkOwner, PeerOwner, TakeoversOwner, JoiningOwner, AcquaintancesOwner, HandleTablesOwner {
  readonly peers = new Map<number, Peer>();
  readonly monitor: LoopMonitor;
  readonly environment: ActorEnvironment;
  readonly #links = new Set<EnrpLink>();
  readonly #dialers: Dialers;
  readonly #takeovers: Takeovers;
  readonly #copy: EnrpCopy;
  readonly #requests: EnrpRequests;
  readonly #acquaintances: Acquaintances;
  readonly #tables: HandleTables;
  /** For the registrar's chart, while it starts. */
  readonly joining: Joining;
  readonly #warnings: Allowance;
  #heartbeat: unknown;
  #beats = 0;
  #isLeaving = false;
  #isClosed = false;

  constructor(readonly core: RegistrarCore, private readonly owner: EnrpOwner, readonly hasMulticast: boolean) {
    this.environment = core.environment;
    this.monitor = core.monitor;
    this.#warnings = new Allowance(core.environment.clock, 10);
    this.#dialers = new Dialers(core.environment, core.timers.retranMax / 4, 2 * core.limits.peers, this);
    this.#takeovers = new Takeovers(this);
    this.#copy = new EnrpCopy(core, this);
    this.#requests = new EnrpRequests(core, this);
    this.joining = new Joining(this.#dialers, this.#copy, this);
    this.#acquaintances = new Acquaintances(core, this.#dialers, this.joining, this);
    this.#tables = new HandleTables(core, this.joining, this.#copy, this);
    core.replicas = this;
  }

  get identifier(): number { return this.core.identifier; }
  get isServing(): boolean { return this.owner.isServing; }
  get addresses(): readonly string[] { return this.owner.enrp; }
  get hasTwins(): boolean { return [...this.#links].some(({ isTwin }) => isTwin); }
  tell(news: JoiningNews): void { this.owner.tell(news); }
  get timers() { return this.core.timers; }
  get hasPeers(): boolean { return this.hasMulticast || !this.#dialers.isEmpty || this.peers.size > 0; }
  get hasActivePeers(): boolean { return [...this.peers.values()].some(({ state }) => state === 'active'); }

  /** Looks for the others from now on. */
  open(peers: readonly string[]): void {
    this.#dialers.configure(peers);
    this.#arm();
  }

  /** A link that has come in. */
  accept(link: Link): Association<EnrpMessage> {
    return Association.take(enrpProtocol(this.identifier), link, (association) => this.#enter(new EnrpLink(this, association)), this.environment);
  }

  close(): void {
    this.#isClosed = true;
    this.environment.clock.clearTimeout(this.#heartbeat);
    this.#dialers.close();
    this.#requests.close();
    this.#takeovers.close();
    for (const peer of this.peers.values()) peer.actor.stop();
    for (const { association } of this.#links) association.close();
  }

  /** An announcement: somebody says that a registrar is there. A link is made, nothing else is believed; where nobody is, it is forgotten soon: forged ones keep no place. */
  hint(registrar: number, address: string): void {
    if (registrar !== this.identifier && !this.isConnected(registrar)) this.#dialers.learn(address, this.timers.t7EnrpOutdate);
  }

  /** Over that link, which says which of the own addresses counts there. */
  presence(receivingServer: number, replyRequired: boolean, { scheme, localHost }: Pick<EnrpLink, 'scheme' | 'localHost'>): EnrpMessageOf<'ENRP_PRESENCE'> {
    const { enrp } = this.owner;
    return this.#presenceAt(enrp.find((address) => schemeOf(address) === scheme) ?? enrp[0], receivingServer, replyRequired, localHost);
  }

  /** For a group: one for each transport that it is reached by, since a message has room for one. */
  announced(): readonly EnrpMessage[] {
    const { enrp } = this.owner;
    return enrp.filter((address, index) => enrp.findIndex((other) => schemeOf(other) === schemeOf(address)) === index).map((address) => this.#presenceAt(address, 0, false, ANYWHERE));
  }

  #presenceAt(address: string | undefined, receivingServer: number, replyRequired: boolean, seenHost: string): EnrpMessageOf<'ENRP_PRESENCE'> {
    const { identifier, core } = this;
    return {
      type: 'ENRP_PRESENCE', flags: { replyRequired }, sendingServer: identifier, receivingServer, checksum: core.handlespace.checksum(identifier),
      serverInformation: address === undefined ? undefined : { serverId: identifier, transport: controlTransportOf(address, seenHost) },
    };
  }

  // ---- what it asks for

  requestList(peer: Peer): void {
    peer.isListAwaited = peer.wasAsked = true;
    peer.send({ type: 'ENRP_LIST_REQUEST', sendingServer: this.identifier, receivingServer: peer.id });
  }

  requestPiece(peer: Peer, ownChildrenOnly: boolean): void {
    peer.send({ type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly }, sendingServer: this.identifier, receivingServer: peer.id });
  }

  handOver(): void {
    this.#isLeaving = true;
    this.#dialers.close();
    this.#takeovers.handOver();
  }

  // ---- links

  dial(address: string): void {
    Association.open(enrpProtocol(this.identifier), this.environment.transports(schemeOf(address)), address, (association) => this.#enter(new EnrpLink(this, association, address)), { ...this.#linkOptions(), ...this.#ownPort(schemeOf(address)) });
  }

  /** RSPLIB knows a peer by where it comes from, too: over SCTP from the very port that its server information has. */
  #ownPort(scheme: string): { readonly localPort?: number } {
    const own = scheme === 'tcp' ? undefined : this.owner.enrp.find((address) => schemeOf(address) === scheme);
    return own === undefined ? {} : { localPort: parseAddress(own, [scheme]).port };
  }

  closeLinks(): void { for (const { association } of [...this.#links]) association.destroy('LINK_CLOSED'); }
  isConnected(registrar: number): boolean { return this.peers.get(registrar)?.isConnected === true; }

  #linkOptions() {
    const { environment, core: { limits, timers: { maxTimeLastHeard } } } = this;
    return { ...environment, connectTimeout: maxTimeLastHeard, highWaterMark: limits.highWaterMark, maxQueued: limits.queuedBytes, frameTimeout: limits.messageTimeout };
  }

  #enter(link: EnrpLink): EnrpLink {
    this.#links.add(link);
    return link;
  }

  connected(link: EnrpLink): void { link.send(this.presence(0, true, link)); }

  ended(link: EnrpLink, reason: TransportError): void {
    this.#links.delete(link);
    this.#requests.drop(link);
    const { peer, dialled } = link;
    peer?.links.delete(link);
    if (this.#isClosed) return;
    if (dialled !== undefined) {
      const failures = this.#dialers.ended(dialled, peer !== undefined || link.isTwin);
      if (failures === 3) this.environment.logger.warn({ peer: dialled, code: reason.code }, 'another registrar cannot be reached; it is tried again');
    }
    if (peer !== undefined && !peer.isConnected) this.#lost(peer);
    else this.joining.consider();
  }

  #lost(peer: Peer): void {
    if (this.joining.isMentor(peer)) this.owner.tell({ type: 'mentor.lost' });
    this.#dialers.hurry(peer.id);
    peer.tell({ type: 'transport.down' });
    this.joining.consider();
  }

  refused(link: EnrpLink, { reason }: WireError): void {
    if (link.peer === undefined && link.dialled !== undefined) this.warn(link, { reason }, 'what answers there does not speak ENRP: is it the address of a registrar for ASAP?');
  }

  // ---- messages

  received(link: EnrpLink, message: EnrpMessage): void {
    if (message.sendingServer === this.identifier) return this.#acquaintances.ownIdentifier(link, message);
    if (link.peer === undefined && message.type === 'ENRP_PRESENCE' && !link.isTwin) this.#acquaintances.introduce(link, message);
    const { peer } = link;
    if (peer === undefined) return this.#stranger(link, message);
    if (peer.id !== message.sendingServer) return this.warn(link, { registrar: peer.id, says: message.sendingServer }, 'a registrar speaks for another: not heeded');
    peer.heard();
    this.#takeovers.heard(peer);
    this.#heed(link, peer, message);
  }

  #heed(link: EnrpLink, peer: Peer, message: EnrpMessage): void {
    switch (message.type) {
      case 'ENRP_PRESENCE': return this.#present(link, peer, message);
      case 'ENRP_LIST_REQUEST': return this.#acquaintances.answerList(link, message, false);
      case 'ENRP_LIST_RESPONSE': return this.#acquaintances.listed(peer, message);
      case 'ENRP_HANDLE_TABLE_REQUEST': return this.#tables.answer(link, message);
      case 'ENRP_HANDLE_TABLE_RESPONSE': return this.#tables.received(peer, message);
      case 'ENRP_HANDLE_UPDATE':
        if (message.removalRequest !== undefined) return this.#requests.asked(link, message);
        return this.#updated(link, peer, message);
      case 'ENRP_INIT_TAKEOVER': return this.#takeovers.initiated(link, peer, message.targetingServer);
      case 'ENRP_INIT_TAKEOVER_ACK': return this.#takeovers.acknowledged(peer, message.targetingServer);
      case 'ENRP_TAKEOVER_SERVER': return this.#takeovers.takenOver(link, peer, message.targetingServer);
      case 'ENRP_ERROR': return this.#takeovers.complained(peer, message.error);
    }
  }

  /** From one who has not said who he is: an operator's tool, or a registrar that asks first. */
  #stranger(link: EnrpLink, message: EnrpMessage): void {
    switch (message.type) {
      case 'ENRP_LIST_REQUEST': this.#acquaintances.answerList(link, message, true); break;
      case 'ENRP_HANDLE_TABLE_REQUEST': this.#tables.answer(link, message); break;
      case 'ENRP_HANDLE_UPDATE': if (message.removalRequest !== undefined) this.#requests.asked(link, message); break;
      case 'ENRP_PRESENCE': if (message.flags.replyRequired) link.send(this.presence(message.sendingServer, false, link)); return;
      default:
    }
    if (message.sendingServer === 0 || link.isAsked || link.isTwin) return;
    link.isAsked = true;
    link.send(this.presence(message.sendingServer, true, link)); // §3.4.1
  }

  meet(registrar: number): Peer {
    const peer = new Peer(this, registrar);
    this.peers.set(registrar, peer);
    return peer;
  }

  #present(link: EnrpLink, peer: Peer, { flags, checksum }: EnrpMessageOf<'ENRP_PRESENCE'>): void {
    if (flags.replyRequired && !this.#isLeaving) link.send(this.presence(peer.id, false, link));
    if (checksum === undefined || !this.owner.isServing) return; // no audit without
    peer.tell({ type: checksum === this.core.handlespace.checksum(peer.id) ? 'checksum.agrees' : 'checksum.differs' });
  }

  // ---- updates, RFC 5353 §3.3

  #updated(link: EnrpLink, peer: Peer, message: EnrpMessageOf<'ENRP_HANDLE_UPDATE'>): void {
    const cause = this.#copy.update(peer, message);
    if (cause !== undefined) this.refuse(link, peer, cause);
  }

  changed(element: RegisteredElement): void { this.#announce(element, 'ADD_PE'); }
  removed(element: RegisteredElement): void {
    this.#announce(element, 'DEL_PE');
    this.#requests.removed(element);
  }

  gone(element: RegisteredElement): void { this.#requests.removed(element); }

  /** To all at once: the receiver's identifier is left blank (§3.3). */
  #announce(element: RegisteredElement, action: 'ADD_PE' | 'DEL_PE'): void {
    if (this.peers.size === 0) return;
    const frame = updateFrame(this.identifier, element, action);
    for (const peer of this.peers.values()) if (peer.isConnected) peer.sendFrame(Buffer.from(frame));
  }

  /** One that is newer than what that peer says. */
  correct(peer: Peer, element: RegisteredElement): void { peer.sendFrame(updateFrame(this.identifier, element, 'ADD_PE')); }

  reported(element: RegisteredElement): void { this.#requests.passOn(element); }
  isActive(registrar: number): boolean { return this.peers.get(registrar)?.state === 'active'; }

  refuse(link: EnrpLink, peer: Peer, cause: Cause): void {
    this.warn(link, { registrar: peer.id, cause: cause.cause }, 'a registrar says what it may not say: not heeded');
    this.sendError(link, peer.id, cause);
  }

  sendError(link: EnrpLink, receivingServer: number, cause: Cause): void {
    link.send({ type: 'ENRP_ERROR', sendingServer: this.identifier, receivingServer, error: [cause] });
  }

  // ---- supervision, RFC 5353 §3.4

  #arm(): void {
    const { environment: { clock, random }, timers: { peerHeartbeatCycle, maxTimeLastHeard } } = this;
    // With many peers it is longer, but never so long that one lost heartbeat is a suspicion.
    const cycle = Math.min(Math.max(peerHeartbeatCycle, (peerHeartbeatCycle * this.peers.size) / MANY_PEERS), Math.max(peerHeartbeatCycle, maxTimeLastHeard / 2));
    this.#heartbeat = clock.setTimeout(() => {
      this.#beat();
      this.#arm();
    }, cycle * (0.75 + random.fraction() / 2));
    (this.#heartbeat as { unref?: () => void } | undefined)?.unref?.();
  }

  #beat(): void {
    if (this.#isLeaving) return;
    this.announcePresence();
    if (!this.owner.isServing) return;
    this.#adoptOrphans();
    this.#askAround();
  }

  /** A peer that is new is asked for its list, and one of all now and then. Registrars that have one acquaintance in common, and came to it at the same time, learn of
   *  each other so: §3.4 has nothing for them. */
  #askAround(): void {
    const active = [...this.peers.values()].filter(({ state }) => state === 'active');
    for (const peer of active) if (!peer.wasAsked) this.requestList(peer);
    if (++this.#beats % BEATS_PER_LIST !== 0 || active.length === 0) return;
    this.requestList(active[this.environment.random.u32() % active.length] as Peer);
  }

  announcePresence(): void {
    for (const peer of this.peers.values()) {
      const { link } = peer;
      link?.send(this.presence(peer.id, false, link));
    }
  }

  /** Pool elements whose home nobody knows any more: it is met as one that has only been named, and taken over when it stays away. */
  #adoptOrphans(): void {
    for (const home of [...this.core.handlespace.owners()]) if (home !== this.identifier && home !== 0 && !this.peers.has(home)) this.meet(home);
  }

  ownsElements(registrar: number): boolean { return this.core.handlespace.owned(registrar).size > 0; }

  suspectsItself(): boolean {
    const met = [...this.peers.values()].filter(({ state }) => state !== 'unknown');
    return met.length > 1 && 2 * met.filter(({ state }) => state === 'suspected').length > met.length;
  }

  takeoverBegun(target: number, initiator: number): void { this.owner.takeoverBegun({ target, initiator }); }
  takeoverEnded(target: number, outcome: 'won' | 'yielded' | 'refuted'): void { this.owner.takeoverEnded({ target, outcome }); }
  handedOver(): void { this.owner.tell({ type: 'handed.over' }); }
  takeoverFailed(error: unknown): void { this.owner.failed(error); }
  peerChanged({ id, state }: Peer): void { this.owner.peerChanged({ id, state }); }
  /** Its chart is gone: it is met anew when it says something. */
  peerFailed(peer: Peer, error: unknown): void {
    this.owner.failed(error);
    this.#forget(peer);
  }

  peerSettled(peer: Peer): void { this.#copy.settled(peer); }

  obeyPeer(peer: Peer, order: RegistrarPeerOrder): void {
    const { link, id } = peer;
    switch (order.type) {
      case 'order.probe':
        if (link === undefined) return this.#dialers.hurry(id);
        return link.send(this.presence(id, true, link));
      case 'order.audit':
        peer.marked = new Set(this.core.handlespace.owned(id));
        return this.requestPiece(peer, true);
      case 'order.audit.end':
        peer.marked = undefined;
        peer.named.clear();
        if (peer.isBetweenPieces) link?.association.close(); // a piece may still come, late, and is not to be taken for one of the next table
        peer.isBetweenPieces = false;
        return;
      case 'order.takeover':
        this.#takeovers.gone(id);
        return this.#takeovers.begin(id);
      case 'order.forget': return this.#forget(peer);
    }
  }

  #forget(peer: Peer): void {
    this.peers.delete(peer.id);
    this.#dialers.forget(peer.id);
    for (const { association } of [...peer.links]) association.close(); // behind what it is still told
    this.#takeovers.gone(peer.id);
  }

  warn(link: EnrpLink, details: object, message: string): void {
    if (this.#warnings.take()) this.environment.logger.warn({ peer: link.remote, ...details }, message);
  }
}

/** Whom a group is told is reached where its packets come from. */
const ANYWHERE = '0.0.0.0';
/** Heartbeats after which one of the peers is asked for its list. */
const BEATS_PER_LIST = 5;
/** Peers up to which each gets a heartbeat in every cycle. */
const MANY_PEERS = 10;
