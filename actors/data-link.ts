import { createActor, type Actor } from 'xstate';
import { MESSAGE_CHARGE } from '../delivery/credit.js';
import type { Milliseconds } from '../environment.js';
import { TransportError } from '../errors.js';
import { linkMachine } from '../machines/link.js';
import type { Timers } from '../machines/timers.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import type { Link, LinkHandler, LinkOptions, PathInfo } from '../transports/transport.js';
import { decodeFrame, encodeFrame, features, isUnordered, leastLength, MAGIC, mapping, MAPPING_PPID, mappingFraming, offsets, readU32, streamOf, VERSION, type Frame } from '../wire/mapping.js';
import type { ControlChannel } from './control-channel.js';
import type { ActorEnvironment } from './environment.js';
import { Vouching } from './liveness.js';
import { inSlices } from './slices.js';

/** Of all connections that carry sessions, at both ends. Silence is judged here (D-28, D-29), on SCTP, too. */
export const dataChannel: LinkOptions = { framing: mappingFraming, ppid: MAPPING_PPID, gathersFrames: true, silence: Infinity };

/** A session as its link sees it: frames come by its number on that link. */
export interface LinkSession {
  /** `bytes[start, end)` is a frame of this session; its type is `bytes[start + 4]`. */
  frame(bytes: Buffer, start: number, end: number): void;
  /** Some of the frames of the chunk at hand is kept. */
  readonly keepsPieces: boolean;
  /** The chunk's turn ends: what is kept of its frames is copied (D-22). */
  own(): void;
  /** This turn's write is about to be made (D-10). */
  commit(): void;
  /** The link has room again, or the poll phase is over. */
  pump(): void;
  /** The link is gone: nothing more goes on it. */
  linkLost(reason: TransportError): void;
  /** The same, for the chart: a slice of the sessions at a time. The last call. */
  linkDown(reason: TransportError): void;
  /** Set by the link while the session waits for `own`. */
  touched?: boolean;
}

/** What the two ends of a link do differently. */
export interface DataLinkOwner {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly monitor: LoopMonitor;
  /** The interval of heartbeats that keeps the process below 2000 a second (D-28). */
  heartbeatInterval(): Milliseconds;
  /** A frame of a session that the link does not have: OPEN at a pool element; late frames of an old half are dropped. */
  stranger(link: DataLink, frame: Frame): void;
  up?(link: DataLink): void;
  /** The thread that proves that this process lives while its loop is blocked, where it has one (D-28). */
  readonly liveness?: { readonly port: number; readonly bound: Milliseconds } | undefined;
  /** As which pool element it answers here. */
  readonly peIdentifier?: number | undefined;
  down(link: DataLink, reason: TransportError): void;
}

/** One connection that carries sessions: greets, beats, judges silence (machines/link.ts), and hands frames to the sessions by number. */
export class DataLink implements LinkHandler {
  readonly actor: Actor<typeof linkMachine>;
  readonly sessions = new Map<number, LinkSession>();
  /** What the peer's VERSION announced. */
  peerFeatures = 0;
  /** What a message of a pool element takes of its pool user's credit beside its bytes. */
  messageCharge = 0;
  /** The peer does not speak our frames; what they alone can say is not to be had. */
  isPlain = false;
  /** The pool element at the other end, where it has said which one it is. */
  peIdentifier: number | undefined;
  /** Its owner's: business cards (RFC 5352 §3.9). */
  control: ControlChannel | undefined;
  readonly #owner: DataLinkOwner;
  #link: Link | undefined;
  #touched: LinkSession[] = [];
  #dirty: LinkSession[] = [];
  #lastNumber = 0;
  #greeted = false;
  #isUp = false;
  #peerHeartbeat = 0;
  #patience = 0;
  #nonce = 0;
  #nonceAt: Milliseconds = 0;
  /** Smoothed round-trip time and its variation, milliseconds (RFC 6298). */
  #rtt: { smoothed: number; variation: number } | undefined;
  #proof: { nonce: number; heard: () => void } | undefined;
  #rotation = 0;
  #vouching: Vouching | undefined;

  constructor(owner: DataLinkOwner) {
    this.#owner = owner;
    this.actor = createActor(linkMachine, {
      clock: owner.environment.clock,
      input: {
        connect: owner.timers.connectTimeout,
        heartbeat: () => owner.heartbeatInterval(),
        silence: () => Math.max(owner.timers.silence, this.#patience, 5 * this.#peerHeartbeat),
        quiet: () => this.#quiet(),
      },
    });
    this.actor.subscribe({ error: (error) => { this.destroy(new TransportError('LINK_LOST', 'the link failed', { cause: error })); } });
    this.actor.on('order.greet', () => { this.#greet(); });
    this.actor.on('order.heartbeat', () => { this.#heartbeat(); });
    this.actor.on('order.heartbeatIfQuiet', () => { this.#beat(); });
    this.actor.on('order.awaitPoll', () => { owner.environment.clock.defer(() => { this.actor.send({ type: 'poll.done' }); }); });
    this.actor.on('order.giveUp', ({ reason }) => { this.#giveUp(reason); });
    this.actor.start();
  }

  /** Binds the link to its connection; one that was accepted is up at once. */
  attach(link: Link, isUp: boolean): this {
    this.#link = link;
    if (isUp) this.up();
    return this;
  }

  get isUp(): boolean { return this.#isUp; }
  /** The peer has sent its VERSION. */
  get isGreeted(): boolean { return this.#greeted; }
  get peer(): string { return this.#link?.peer ?? ''; }
  get congested(): boolean { return this.#link !== undefined && !this.#link.writable; }
  /** What the transport knows of its path; else what the heartbeats tell: `rto` as RFC 6298 computes it, without its lower bound. */
  get path(): PathInfo {
    return this.#link?.path ?? { rtt: this.#rtt?.smoothed, rto: this.#rtt && this.#rtt.smoothed + 4 * this.#rtt.variation };
  }

  // ---- for the sessions

  nextNumber(): number { return ++this.#lastNumber; }
  /** `way`: the transport's stream, where it has some, and the bit UNORDERED. */
  reserve(length: number, way = 0): { readonly bytes: Buffer; readonly offset: number } {
    return way === 0 ? this.#link!.reserve(length) : this.#link!.reserve(length, streamOf(way), isUnordered(way));
  }

  /** Sessions may use other streams than 0: the mapping has some, and the peer knows of them (D-23). */
  get hasStreams(): boolean { return this.knowsStreams && this.#link?.path?.streams !== undefined; }
  /** It takes frames of other streams, by whatever mapping: those of one connection then have one order. */
  get knowsStreams(): boolean { return (this.peerFeatures & features.streams) !== 0; }


  /** The session has something to commit before this turn's write. */
  commitSoon(session: LinkSession): void {
    this.#dirty.push(session);
    this.#link?.flushSoon();
  }

  /** Bears at least this silence from now on (D-17). */
  tolerate(silence: Milliseconds): void { this.#patience = Math.max(this.#patience, silence); }
  /** Asks the peer for a sign of life now (D-19). */
  probe(): void { this.actor.send({ type: 'probe' }); }

  /** A thread of the peer answers at a port of its own while its loop is blocked: it is asked before silence counts (D-28). */
  vouchedBy(liveness: Frame<'LIVENESS'>): void {
    this.#vouching?.rest();
    this.#vouching = new Vouching(this.#owner.environment, this.peer, liveness);
  }

  /** Calls `heard` when the peer has answered a heartbeat sent now, so has read what we sent before and we what it did (D-29). */
  prove(heard: () => void): void {
    this.#heartbeat();
    this.#proof = { nonce: this.#nonce, heard };
  }

  close(): void { this.#link?.close(); }
  destroy(reason: TransportError): void { this.#link?.destroy(reason); }

  // ---- LinkHandler

  up(): void {
    this.#isUp = true;
    this.actor.send({ type: 'transport.up' });
    this.#owner.up?.(this);
  }

  frame(bytes: Buffer, start: number, end: number): void {
    const session = this.sessions.get(readU32(bytes, start + 8));
    if (session === undefined || !this.#greeted || bytes[start + 4]! >= mapping.HEARTBEAT.type) return this.#other(bytes, start, end);
    if (end - start < leastLength(bytes[start + 4]!)) return this.#misbehaved('a frame is shorter than its fixed part');
    session.frame(bytes, start, end);
    if (session.keepsPieces && session.touched !== true) { session.touched = true; this.#touched.push(session); }
  }

  chunkEnd(): void {
    const touched = this.#touched;
    for (const session of touched) { session.touched = false; session.own(); }
    touched.length = 0;
  }

  beforeWrite(): void {
    while (this.#dirty.length > 0) { // a snapshot taken here is committed here
      const dirty = this.#dirty;
      this.#dirty = [];
      for (const session of dirty) session.commit();
    }
  }

  /** Each time another session comes first: the link is shared (D-21). */
  drain(): void {
    const sessions = [...this.sessions.values()];
    const first = this.#rotation++ % Math.max(1, sessions.length);
    for (let i = 0; i < sessions.length && !this.congested; i++) sessions[(first + i) % sessions.length]!.pump();
  }

  down(reason: TransportError): void {
    this.#isUp = false;
    this.#vouching?.rest();
    this.actor.send({ type: 'transport.down' });
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    this.#owner.down(this, reason);
    for (const session of sessions) session.linkLost(reason);
    inSlices(this.#owner.environment.clock, sessions, (session) => { session.linkDown(reason); });
  }

  // ---- below

  #other(bytes: Buffer, start: number, end: number): void {
    const frame = decodeFrame(bytes, start, end);
    if (!this.#greeted && frame.type !== 'VERSION') return this.#misbehaved('its first frame is not VERSION');
    switch (frame.type) {
      case 'VERSION': return this.#greetedBy(frame);
      case 'HEARTBEAT': this.#peerHeartbeat = frame.interval; return this.#write(encodeFrame({ type: 'HEARTBEAT_ACK', session: 0, nonce: frame.nonce }));
      case 'HEARTBEAT_ACK': return this.#acknowledged(frame.nonce);
      default: return this.#owner.stranger(this, frame);
    }
  }

  #greetedBy(frame: Frame<'VERSION'>): void {
    if (frame.magic !== MAGIC) return this.#misbehaved('it does not speak our mapping');
    if (frame.lowest > VERSION) return this.#misbehaved(`it speaks version ${frame.lowest} and later of the mapping; we speak ${VERSION}`);
    this.#greeted = true;
    const { liveness, peIdentifier } = this.#owner;
    if (peIdentifier !== undefined && (frame.features & features.identity) !== 0) this.#write(encodeFrame({ type: 'IDENTITY', session: 0, peIdentifier }));
    if (liveness && (frame.features & features.liveness) !== 0) this.#write(encodeFrame({ type: 'LIVENESS', session: 0, ...liveness }));
    this.#peerHeartbeat = frame.heartbeat;
    this.peerFeatures = frame.features;
    if ((frame.features & features.messageCharge) !== 0) this.messageCharge = MESSAGE_CHARGE;
  }

  #greet(): void {
    const { timers } = this.#owner;
    this.#write(encodeFrame({ type: 'VERSION', session: 0, magic: MAGIC, version: VERSION, lowest: VERSION, features: features.liveness | features.replyDone | features.identity | features.messageCharge | features.streams, heartbeat: Math.min(0xffff, Math.round(this.#owner.heartbeatInterval())), silence: Math.min(0xffff, timers.silence) }));
  }

  #beat(): void {
    const { environment: { clock }, timers: { silence } } = this.#owner;
    if (this.#link && clock.now() - this.#link.lastSent >= this.#owner.heartbeatInterval() * 0.9) this.#heartbeat();
    if (this.#vouching === undefined || !this.#link) return;
    if (this.#silentFor(this.#link.lastHeard) >= silence / 2) this.#vouching.ask(); else this.#vouching.rest();
  }

  #heartbeat(): void {
    this.#nonce = (this.#nonce + 1) >>> 0;
    this.#nonceAt = this.#owner.environment.clock.now();
    this.#write(encodeFrame({ type: 'HEARTBEAT', session: 0, nonce: this.#nonce, interval: Math.round(this.#owner.heartbeatInterval()) }));
  }

  #acknowledged(nonce: number): void {
    if (nonce === this.#nonce) this.#measure(this.#owner.environment.clock.now() - this.#nonceAt);
    if (!this.#proof || ((nonce - this.#proof.nonce) | 0) < 0) return;
    const { heard } = this.#proof;
    this.#proof = undefined;
    heard();
  }

  #measure(sample: Milliseconds): void {
    if (!this.#rtt) { this.#rtt = { smoothed: sample, variation: sample / 2 }; return; }
    this.#rtt.variation += (Math.abs(this.#rtt.smoothed - sample) - this.#rtt.variation) / 4;
    this.#rtt.smoothed += (sample - this.#rtt.smoothed) / 8;
  }

  /** How long nothing has been heard, our own loop's lag not counted (D-29). */
  #quiet(): Milliseconds {
    if (!this.#link || !this.#isUp) return 0;
    const { lastHeard } = this.#link;
    const { at = -Infinity, bound = 0 } = this.#vouching ?? {};
    return this.#silentFor(this.#silentFor(lastHeard) <= bound ? Math.max(lastHeard, at) : lastHeard);
  }

  #silentFor(since: Milliseconds): Milliseconds { return this.#owner.monitor.activeSince(since); }

  #giveUp(reason: 'CONNECT_TIMEOUT' | 'SILENCE'): void {
    const what = reason === 'SILENCE' ? `${this.peer} has been silent for ${Math.round(this.#quiet())} ms` : `${this.peer} did not answer in ${this.#owner.timers.connectTimeout} ms`;
    this.destroy(new TransportError(reason, what));
  }

  #misbehaved(how: string): void {
    this.#owner.environment.logger.warn({ peer: this.peer }, `the peer misbehaves: ${how}`);
    this.destroy(new TransportError('PEER_MISBEHAVED', `${this.peer}: ${how}`));
  }

  #write(frame: Buffer): void {
    if (!this.#link) return;
    const { bytes, offset } = this.#link.reserve(frame.length);
    bytes.set(frame, offset);
  }
}

/** Where the payload protocol id of a DATA frame lies: ASAP's belong to the control channel. */
export const ppidOf = (bytes: Buffer, start: number): number => readU32(bytes, start + offsets.DATA.ppid);
