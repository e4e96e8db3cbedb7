import { createActor, type Actor } from 'xstate';
import type { Milliseconds } from '../environment.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import { registrarPeerMachine, type RegistrarPeerEvent, type RegistrarPeerInput, type RegistrarPeerOrder } from '../machines/registrar-peer.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import type { EnrpMessage, PeerState } from '../wire/index.js';
import type { ActorEnvironment } from './environment.js';
import type { EnrpLink } from './enrp-link.js';

export interface PeerOwner {
  readonly environment: ActorEnvironment;
  readonly monitor: LoopMonitor;
  readonly timers: RegistrarPeerInput['timers'];
  ownsElements(registrar: number): boolean;
  suspectsItself(): boolean;
  obeyPeer(peer: Peer, order: RegistrarPeerOrder): void;
  peerChanged(peer: Peer): void;
  /** It is in question no longer. */
  peerSettled(peer: Peer): void;
  peerFailed(peer: Peer, error: unknown): void;
}

/** Another registrar: its chart, its links, and what has been heard of it. */
export class Peer {
  readonly actor: Actor<typeof registrarPeerMachine>;
  readonly links = new Set<EnrpLink>();
  addresses: readonly string[] = [];
  /** It has refused a list or a table: it is not serving yet. */
  isStarting = false;
  /** It has been asked for its list, and has not answered yet; ever. */
  isListAwaited = false;
  wasAsked = false;
  /** It hands itself over: what it still says is no sign of life. */
  isLeaving = false;
  /** Its elements that a resynchronisation has not confirmed yet (RFC 5353 §3.6.3). */
  marked: Set<RegisteredElement> | undefined;
  /** What it has named in that. */
  readonly named = new Set<string>();
  /** More of its table is to come. */
  isBetweenPieces = false;
  state: PeerState | 'gone' = 'unknown';
  /** It owns other elements than is known here, by its checksum; its table is to come. */
  isInQuestion = false;
  #lastHeard: Milliseconds;
  #askedAt: Milliseconds;
  #link: EnrpLink | undefined;

  constructor(private readonly owner: PeerOwner, readonly id: number) {
    const { environment: { clock, random }, monitor, timers } = owner;
    this.#lastHeard = this.#askedAt = clock.now();
    this.actor = createActor(registrarPeerMachine, {
      clock,
      input: {
        timers, silence: () => monitor.activeSince(this.#lastHeard), asked: () => monitor.activeSince(this.#askedAt),
        ownsElements: () => owner.ownsElements(id), suspectsItself: () => owner.suspectsItself(), fraction: () => random.fraction(),
      },
    });
    this.actor.on('*', (order) => {
      if (order.type === 'order.probe') this.#askedAt = clock.now();
      owner.obeyPeer(this, order);
    });
    this.actor.subscribe({
      next: (snapshot) => {
        this.#note(typeof snapshot.value === 'string' ? snapshot.value : 'active');
        this.#question(snapshot.matches({ active: { data: 'differing' } }) || snapshot.matches({ active: { data: 'resyncing' } }));
      },
      error: (error) => { owner.peerFailed(this, error); },
    });
    this.actor.start();
  }

  get isConnected(): boolean { return this.links.size > 0; }
  /** The link that this end sends on: the same one as long as it is up, so that what is sent stays in order. */
  get link(): EnrpLink | undefined {
    if (this.#link === undefined || !this.links.has(this.#link)) [this.#link] = this.links;
    return this.#link;
  }

  send(message: EnrpMessage): void { this.link?.send(message); }
  sendFrame(bytes: Buffer): void { this.link?.association.sendFrame(bytes); }
  tell(event: RegistrarPeerEvent): void { this.actor.send(event); }

  /** A message of any type. */
  heard(): void {
    this.#lastHeard = this.owner.environment.clock.now();
    if (this.state !== 'active') this.tell({ type: 'heard' });
  }

  #question(isInQuestion: boolean): void {
    if (isInQuestion === this.isInQuestion) return;
    this.isInQuestion = isInQuestion;
    if (!isInQuestion) this.owner.peerSettled(this);
  }

  #note(state: PeerState | 'gone'): void {
    if (state === this.state) return;
    this.state = state;
    this.owner.peerChanged(this);
  }
}
