import { createActor, type Actor } from 'xstate';
import { takeoverMachine, type TakeoverEvent, type TakeoverOrder } from '../machines/takeover.js';
import type { Cause, EnrpMessage } from '../wire/index.js';
import type { EnrpLink } from './enrp-link.js';
import type { Peer } from './enrp-peer.js';
import type { RegistrarCore } from './registrar-core.js';
import { inSlices } from './slices.js';

export interface TakeoversOwner {
  readonly core: RegistrarCore;
  readonly peers: ReadonlyMap<number, Peer>;
  ownsElements(registrar: number): boolean;
  announcePresence(): void;
  refuse(link: EnrpLink, peer: Peer, cause: Cause): void;
  takeoverBegun(target: number, initiator: number): void;
  takeoverEnded(target: number, outcome: 'won' | 'yielded' | 'refuted'): void;
  takeoverFailed(error: unknown): void;
  /** The elements of this registrar, which leaves, are with their new home. */
  handedOver(): void;
}

/** The takeovers that this registrar knows of (RFC 5353 §3.5), its own and others': a chart (machines/takeover.ts) for each target. */
export class Takeovers {
  readonly #owner: TakeoversOwner;
  readonly #charts = new Map<number, Actor<typeof takeoverMachine>>();
  #isLeaving = false;

  constructor(owner: TakeoversOwner) {
    this.#owner = owner;
  }

  /** No message of the RFC says that a registrar leaves: by an ENRP_INIT_TAKEOVER with itself as the target it asks to be taken over. */
  handOver(): void {
    this.#isLeaving = true;
    for (const peer of this.#owner.peers.values()) this.#initiate(peer, this.#self);
  }

  /** That peer is dead, by all that this registrar hears. */
  begin(target: number): void {
    if (this.#charts.has(target)) this.#tell(target, { type: 'target.dead' });
    else this.#open(target);
  }

  /** Something has come from it. */
  heard(peer: Peer): void { if (!peer.isLeaving) this.#tell(peer.id, { type: 'target.heard' }); }
  /** It is dead, or off the list: nobody waits for it. */
  gone(by: number): void { for (const chart of [...this.#charts.values()]) chart.send({ type: 'peer.gone', by }); }

  close(): void {
    for (const chart of this.#charts.values()) chart.stop();
    this.#charts.clear();
  }

  // ---- what others say

  initiated(link: EnrpLink, peer: Peer, target: number): void {
    if (target === this.#self) return this.#isLeaving ? undefined : this.#owner.announcePresence(); // §3.5.1 step 1: alive
    if (target === peer.id) return this.#farewell(peer);
    if (this.#charts.has(target)) return this.#tell(target, { type: 'ENRP_INIT_TAKEOVER', by: peer.id });
    if (this.#owner.peers.has(target)) return this.#open(target, peer.id);
    link.send(this.#about('ENRP_INIT_TAKEOVER_ACK', peer.id, target)); // nobody we know
  }

  acknowledged(by: Peer, target: number): void { this.#tell(target, { type: 'ENRP_INIT_TAKEOVER_ACK', by: by.id }); }

  takenOver(link: EnrpLink, peer: Peer, target: number): void {
    if (target === this.#self) return this.#lostEverything(peer);
    const victim = this.#owner.peers.get(target);
    if (victim?.state === 'active' && !victim.isLeaving && !this.#hasAgreed(target)) return this.#owner.refuse(link, peer, refusal(target)); // of one that is alive
    this.#rehome(target, peer.id);
    this.#tell(target, { type: 'ENRP_TAKEOVER_SERVER', by: peer.id });
    victim?.tell({ type: 'forget' });
  }

  complained(peer: Peer, causes: readonly Cause[]): void {
    for (const cause of causes) {
      const target = cause.cause === REFUSED && cause.information?.length === 4 ? Buffer.from(cause.information).readUInt32BE(0) : undefined;
      if (target !== undefined) this.#tell(target, { type: 'takeover.refused', by: peer.id });
    }
  }

  /** It hands itself over. */
  #farewell(peer: Peer): void {
    peer.isLeaving = true;
    if (this.#charts.has(peer.id)) this.#tell(peer.id, { type: 'target.leaves' });
    else this.#open(peer.id);
  }

  /** This registrar was away, and others have taken it over; or it has asked for that. */
  #lostEverything(by: Peer): void {
    const { core } = this.#owner;
    core.environment.logger.warn({ by: by.id, elements: core.handlespace.owned(this.#self).size }, 'another registrar has taken this one over');
    this.#rehome(this.#self, by.id);
    if (this.#isLeaving) core.whenAbandoned(() => { this.#owner.handedOver(); });
  }

  /** The target's elements have the winner for their home, and no others: RFC 5353 §3.5.2 would have it of each there is. */
  #rehome(from: number, to: number): void {
    const { core } = this.#owner;
    const isHandedOver = this.#isLeaving && from === this.#self;
    inSlices(core.environment.clock, [...core.handlespace.owned(from)], (element) => { if (element.home === from) core.yield(element, to, isHandedOver); });
  }

  // ---- charts

  #open(target: number, initiator?: number): void {
    const { core, peers } = this.#owner;
    const { clock, random } = core.environment;
    const actor = createActor(takeoverMachine, {
      clock,
      input: {
        self: this.#self, target, initiator, timers: core.timers, fraction: () => random.fraction(), ownsElements: () => this.#owner.ownsElements(target), wasAway: () => this.#wasAway(),
        peers: () => [...peers.values()].filter(({ id, state, isLeaving }) => id !== target && !isLeaving && (state === 'active' || state === 'suspected')).map(({ id }) => id),
      },
    });
    this.#charts.set(target, actor);
    actor.on('*', (order) => { this.#obey(target, order); });
    const end = (): void => { if (this.#charts.get(target) === actor) this.#charts.delete(target); };
    actor.subscribe({ complete: end, error: (error) => { end(); this.#owner.takeoverFailed(error); } });
    this.#owner.takeoverBegun(target, initiator ?? this.#self);
    actor.start();
  }

  #tell(target: number, event: TakeoverEvent): void { this.#charts.get(target)?.send(event); }

  /** This registrar has agreed that the target is dead, or says so itself. */
  #hasAgreed(target: number): boolean {
    const state = this.#charts.get(target)?.getSnapshot().value;
    return state !== undefined && state !== 'examining';
  }

  #wasAway(): boolean {
    const { monitor, environment: { clock }, timers } = this.#owner.core;
    const span = 3 * timers.maxTimeNoResponse;
    return monitor.activeSince(clock.now() - span) < span / 2;
  }

  #obey(target: number, order: TakeoverOrder): void {
    const { peers } = this.#owner;
    switch (order.type) {
      case 'order.initiate': for (const peer of peers.values()) this.#initiate(peer, target); return;
      case 'order.examine': return peers.get(target)?.tell({ type: 'doubt' });
      case 'order.acknowledge': for (const id of order.to) peers.get(id)?.send(this.#about('ENRP_INIT_TAKEOVER_ACK', id, target)); return;
      case 'order.refuse': return peers.get(order.to)?.send({ type: 'ENRP_ERROR', sendingServer: this.#self, receivingServer: order.to, error: [refusal(target)] });
      case 'order.claim': return this.#claim(target);
      case 'order.forget':
        this.#owner.takeoverEnded(target, 'yielded');
        return peers.get(target)?.tell({ type: 'forget' });
      case 'order.spare': return this.#owner.takeoverEnded(target, 'refuted');
    }
  }

  /** §3.5.2. */
  #claim(target: number): void {
    const { core, peers } = this.#owner;
    for (const peer of peers.values()) peer.send(this.#about('ENRP_TAKEOVER_SERVER', peer.id, target));
    const elements = [...core.handlespace.owned(target)];
    core.environment.logger.warn({ target, elements: elements.length }, 'another registrar is taken over');
    inSlices(core.environment.clock, elements, (element) => { if (element.home === target) core.claim(element); });
    this.#owner.takeoverEnded(target, 'won');
    peers.get(target)?.tell({ type: 'forget' });
  }

  #initiate(peer: Peer, target: number): void { peer.send(this.#about('ENRP_INIT_TAKEOVER', peer.id, target)); }

  #about(type: 'ENRP_INIT_TAKEOVER' | 'ENRP_INIT_TAKEOVER_ACK' | 'ENRP_TAKEOVER_SERVER', receivingServer: number, targetingServer: number): EnrpMessage {
    return { type, sendingServer: this.#self, receivingServer, targetingServer };
  }

  get #self(): number { return this.#owner.core.identifier; }
}

/** To one who wants to take over a registrar that is heard here: the RFC has no word for it. */
const REFUSED = 'rejected-due-to-security-considerations';
function refusal(target: number): Cause {
  const information = Buffer.alloc(4);
  information.writeUInt32BE(target);
  return { cause: REFUSED, information };
}
