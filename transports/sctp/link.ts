import type { Clock, Logger, Milliseconds } from '../../environment.js';
import { TransportError, UsageError } from '../../errors.js';
import { formatAddress } from '../address.js';
import type { Link, LinkHandler, LinkOptions, ListenOptions, MessageOptions, PathInfo, TransportAddress } from '../transport.js';
import type { Association, AssociationOwner } from './association.js';
import { COMMON_HEADER, DATA_HEADER } from './chunks.js';
import { Gathering } from './gathering.js';
import { Fifo, type SctpMessage, type Undelivered } from './messages.js';
import type { SctpSettings } from './settings.js';

export interface LinkWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: string;
  readonly settings: SctpSettings;
}

/** A link over an association: a frame is a message, or several together are (`gathersFrames`; those that come are taken either way). */
export class SctpLink implements Link, AssociationOwner {
  readonly #world: LinkWorld;
  readonly #options: LinkOptions;
  readonly #ppid: number;
  readonly #mark: number;
  readonly #limit: number;
  #handler: LinkHandler;
  #association: Association | undefined;
  #early: SctpMessage[] = []; // before there is an association
  #earlyBytes = 0;
  #state: 'connecting' | 'up' | 'closing' | 'down';
  #closedFor: TransportError | undefined;
  #local: TransportAddress;
  readonly #peer: TransportAddress;
  readonly #began: Milliseconds;
  readonly #inbox = new Fifo<SctpMessage>();
  readonly #gathering: Gathering;
  #gone: (() => void) | undefined;
  #accept: ((link: Link) => LinkHandler) | undefined; // until it is established
  #firstFrameTimeout: Milliseconds | undefined;
  #isWritable = true;
  #wantsWrite = false;
  #isPaused = false;
  #isGreeted = false;
  #isReading = false;
  #readDue = false;
  #endedWith: TransportError | undefined; // the peer's end, while the inbox is being read
  #begunAt: Milliseconds | undefined; // a message that is not whole
  #phaseTimer: unknown;
  #frameTimer: unknown;
  #undelivered: Undelivered = { unsent: [], unacknowledged: [] };

  /** A link that connects: its association comes with `attach`. */
  static connecting(world: LinkWorld, peer: TransportAddress, handler: LinkHandler, options: LinkOptions, connectTimeout: Milliseconds): SctpLink {
    const link = new SctpLink(world, 'connecting', formatAddress(world.scheme, '0.0.0.0', 0), peer, handler, options);
    link.#startPhase(connectTimeout, () => { link.#connectExpired(); });
    return link;
  }

  /** @param gone called when the link is down. */
  static accepted(world: LinkWorld, association: Association, ends: { readonly local: TransportAddress; readonly peer: TransportAddress },
    accept: (link: Link) => LinkHandler, options: ListenOptions, gone: () => void): SctpLink {
    const link = new SctpLink(world, 'up', ends.local, ends.peer, NOBODY, options);
    link.#accept = accept;
    link.#firstFrameTimeout = options.firstFrameTimeout;
    link.#gone = gone;
    link.#bind(association);
    return link;
  }

  private constructor(world: LinkWorld, state: 'connecting' | 'up', local: TransportAddress, peer: TransportAddress, handler: LinkHandler, options: LinkOptions) {
    this.#world = world;
    this.#state = state;
    this.#local = local;
    this.#peer = peer;
    this.#handler = handler;
    this.#options = options;
    this.#ppid = options.ppid ?? ASAP;
    this.#mark = options.highWaterMark ?? HIGH_WATER_MARK;
    this.#limit = options.maxQueued ?? Infinity;
    this.#gathering = new Gathering(this.#ppid);
    this.#gatherFor(world.settings.mtu - IP_AND_UDP);
    this.#began = world.clock.now();
  }

  get local(): TransportAddress { return this.#local; }
  get peer(): TransportAddress { return this.#peer; }
  get lastHeard(): Milliseconds { return this.#association?.lastHeard ?? this.#began; }
  get lastSent(): Milliseconds { return this.#association?.lastSent ?? this.#began; }
  get queued(): number { return this.#state === 'down' ? 0 : this.#gathering.bytes + this.#earlyBytes + (this.#association?.sender.unsentBytes ?? 0); }
  get writable(): boolean { return this.#isWritable && this.#isOpen(); }
  get path(): Required<PathInfo> | undefined {
    const association = this.#association;
    if (association?.isOpen !== true) return undefined;
    const { sender } = association;
    return { rtt: sender.srtt, rto: sender.rto, pathMtu: association.pathMtu, streams: sender.streams };
  }
  /** After `down`: what did not reach the peer for certain. */
  get undelivered(): Undelivered { return this.#undelivered; }

  /** @throws UsageError INVALID_DATA for an empty message, MESSAGE_TOO_LARGE, INVALID_OPTION for a stream there cannot be. */
  send(frame: Uint8Array, { ppid = this.#ppid, stream = 0, unordered = false, acknowledged }: MessageOptions = {}): boolean {
    this.#check(frame.length, stream);
    if (!this.#isOpen() || this.#overflows(frame.length)) return false;
    if (ppid === this.#ppid && !unordered && acknowledged === undefined && frame.length <= this.#gathering.bound) {
      const { bytes, offset } = this.#gather(frame.length, stream);
      bytes.set(frame, offset);
    } else {
      this.#takeGathered();
      this.#queue({ bytes: frame, ppid, stream, unordered, acknowledged });
      this.#queued();
    }
    return this.writable;
  }

  reserve(length: number, stream = 0, unordered = false): { readonly bytes: Buffer; readonly offset: number } {
    this.#check(length, 0);
    if (!this.#isOpen() || this.#overflows(length)) return unseen(length);
    const way = stream % this.#world.settings.streams;
    return unordered ? this.#apart(length, way) : this.#gather(length, way);
  }

  flushSoon(): void {
    if (!this.#isOpen()) return;
    this.#wantsWrite = true;
    this.#association?.flushSoon();
  }

  ping(heard: () => void): void { if (this.#isOpen()) this.#association?.ping(heard); }

  pause(): void { if (this.#isOpen()) this.#isPaused = true; }

  resume(): void {
    if (!this.#isOpen() || !this.#isPaused) return;
    this.#isPaused = false;
    if (this.#begunAt !== undefined) this.#begunAt = this.#world.clock.now(); // it was not the peer that was slow
    this.#readSoon();
  }

  close(): void {
    if (this.#isOpen()) this.#close(new TransportError('LINK_CLOSED', `the link with ${this.#peer} was closed here`));
  }

  destroy(reason: TransportError): void {
    if (this.#state === 'down') return;
    this.#finish(reason);
    this.#association?.abort(reason);
  }

  /** The socket and the address are there. */
  attach(association: Association, local: TransportAddress): void {
    this.#local = local;
    this.#takeGathered();
    this.#bind(association);
    for (const message of this.#early) association.send(message);
    this.#early = [];
    this.#earlyBytes = 0;
  }

  #bind(association: Association): void {
    this.#association = association;
    association.silence = this.#options.silence ?? association.silence;
    this.#gatherFor(association.packetSize);
  }

  /** As long as fits a packet with a SACK, so that nothing in a message waits for another packet. */
  #gatherFor(packetSize: number): void {
    if (this.#options.gathersFrames === true) this.#gathering.bound = (packetSize - COMMON_HEADER - DATA_HEADER - SACK) & ~3;
  }

  /** It could not be attached. */
  failed(reason: TransportError): void { if (this.#state !== 'down') this.#finish(this.#closedFor ?? reason); }

  get isDown(): boolean { return this.#state === 'down'; }

  /** The address of this end, once it is known. */
  nameLocal(local: TransportAddress): void { this.#local = local; }

  #isOpen(): boolean { return this.#state === 'up' || (this.#state === 'connecting' && this.#closedFor === undefined); }

  // Outgoing

  #check(length: number, stream: number): void {
    const { maxMessage, streams } = this.#world.settings;
    if (length === 0) throw new UsageError('INVALID_DATA', 'SCTP has no empty messages');
    if (length > maxMessage) throw new UsageError('MESSAGE_TOO_LARGE', `a message of ${length} bytes; ${maxMessage} are the most`);
    if (!Number.isInteger(stream) || stream < 0 || stream >= streams) throw new UsageError('INVALID_OPTION', `stream ${stream}; there are ${streams}`);
  }

  /** Room in the message that grows until the end of the turn, or until something comes that is not to go into it. */
  #gather(length: number, stream: number): { readonly bytes: Buffer; readonly offset: number } {
    if (!this.#gathering.fits(length, stream)) this.#takeGathered();
    const room = this.#gathering.reserve(length, stream);
    this.#association?.flushSoon();
    this.#queued();
    return room;
  }

  /** Room in a message of its own, which may overtake: read when the packet is made, at the end of the turn. */
  #apart(length: number, stream: number): { readonly bytes: Buffer; readonly offset: number } {
    const bytes = Buffer.allocUnsafe(length);
    this.#takeGathered();
    this.#queue({ bytes, ppid: this.#ppid, stream, unordered: true });
    this.#association?.flushSoon();
    this.#queued();
    return { bytes, offset: 0 };
  }

  #takeGathered(): void {
    const message = this.#gathering.take();
    if (message !== undefined) this.#queue(message);
  }

  #queue(message: SctpMessage): void {
    if (this.#association === undefined) {
      this.#early.push(message);
      this.#earlyBytes += message.bytes.length;
    } else {
      this.#association.send(message);
    }
  }

  #queued(): void {
    this.#wantsWrite = true;
    if (this.queued > this.#mark) this.#isWritable = false;
  }

  /** Before it is queued: nobody is left with room that is never filled. */
  #overflows(length: number): boolean {
    const queued = this.queued + length;
    if (queued <= this.#limit) return false;
    this.#world.logger.warn({ peer: this.#peer, queued, limit: this.#limit }, 'the peer does not read: link destroyed');
    this.destroy(new TransportError('QUEUE_OVERFLOW', `more than ${this.#limit} bytes wait for ${this.#peer}`));
    return true;
  }

  beforeFlush(): void {
    if (this.#wantsWrite && this.#state === 'up') {
      if (this.#handler.beforeWrite !== undefined) this.#tell('beforeWrite');
      this.#wantsWrite = false;
    }
    this.#takeGathered();
  }

  relieved(): void {
    if (this.#isWritable || this.#state !== 'up' || this.queued > this.#mark) return;
    this.#isWritable = true;
    this.#tell('drain');
  }

  // Incoming

  message(message: SctpMessage): void { this.#inbox.push(message); }

  packetEnd(): void {
    if (!this.#readDue) this.#read();
    if (this.#options.frameTimeout !== undefined) this.#watchFrame(this.#options.frameTimeout);
  }

  #readSoon(): void {
    if (this.#readDue) return;
    this.#readDue = true;
    this.#world.clock.defer(() => {
      this.#readDue = false;
      this.#read();
    });
  }

  /** Hands over what has come whole, for a slice of time. */
  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const { clock } = this.#world;
    const { sliceTime } = this.#options;
    const until = sliceTime === undefined ? Infinity : clock.now() + sliceTime;
    let hasFrames = false;
    while (this.#inbox.length > 0 && (!this.#isPaused || this.#endedWith !== undefined)) { // at its end nothing is kept back any more
      if (hasFrames && sliceTime !== undefined && clock.now() >= until) {
        this.#readSoon();
        break;
      }
      const message = this.#inbox.shift()!;
      this.#association?.read(message);
      if (this.#state !== 'up') continue; // thrown away
      hasFrames = true;
      this.#hand(message);
    }
    this.#isReading = false;
    if (hasFrames && this.#state === 'up' && this.#handler.chunkEnd !== undefined) this.#tell('chunkEnd');
    if (this.#inbox.length === 0 && this.#endedWith !== undefined) this.#finish(this.#endedWith);
  }

  #hand(message: SctpMessage): void {
    if (message.ppid !== this.#ppid) {
      this.#isGreeted = true;
      if (this.#handler.message === undefined) return;
      try {
        this.#handler.message(message);
      } catch (error) {
        this.#fail('the handler of its messages threw', error);
      }
      return;
    }
    const bytes = message.bytes as Buffer; // as received
    const { frameLength, headerLength } = this.#options.framing;
    for (let start = 0; start < bytes.length && this.#state === 'up';) {
      let end: number;
      try {
        end = bytes.length - start < headerLength ? Infinity : start + frameLength(bytes, start);
        if (end > bytes.length && end - bytes.length > 3) throw new RangeError(`${bytes.length - start} bytes are no whole frame`);
      } catch (error) {
        return this.#misframed(error);
      }
      this.#isGreeted = true;
      this.#frame(bytes, start, Math.min(end, bytes.length)); // the padding may be left out where the message ends
      start = end;
    }
  }

  #frame(bytes: Buffer, start: number, end: number): void {
    try {
      this.#handler.frame(bytes, start, end);
    } catch (error) {
      this.#fail('the handler of its frames threw', error);
    }
  }

  #misframed(error: unknown): void {
    this.#world.logger.warn({ peer: this.#peer, err: error }, 'the peer sent what makes no frames: link destroyed');
    this.destroy(new TransportError('PEER_MISBEHAVED', `${this.#peer} sent what makes no frames`, { cause: error }));
  }

  /** One timer at most: it looks at the message that is not whole when it expires. */
  #watchFrame(timeout: Milliseconds): void {
    const since = this.#association?.partialSince;
    if (this.#state !== 'up' || since === undefined) {
      this.#begunAt = undefined;
      return;
    }
    this.#begunAt = Math.max(this.#begunAt ?? 0, since);
    if (this.#frameTimer === undefined) this.#startFrameTimer(timeout, timeout);
  }

  #startFrameTimer(delay: Milliseconds, timeout: Milliseconds): void {
    const { clock } = this.#world;
    this.#frameTimer = clock.setTimeout(() => { clock.defer(() => { this.#frameExpired(timeout); }); }, delay);
  }

  #frameExpired(timeout: Milliseconds): void {
    this.#frameTimer = undefined;
    if (this.#state !== 'up' || this.#begunAt === undefined) return;
    const remaining = this.#begunAt + timeout - this.#world.clock.now();
    if (this.#isPaused || remaining > 0) this.#startFrameTimer(this.#isPaused ? timeout : remaining, timeout);
    else this.#idle(`a frame of ${this.#peer} was not whole after ${timeout} ms`);
  }

  #firstFrameExpired(): void {
    if (this.#state === 'up' && !this.#isGreeted && !this.#isPaused) this.#idle(`${this.#peer} sent no frame`);
  }

  #idle(what: string): void {
    this.#world.logger.warn({ peer: this.#peer }, `${what}: link destroyed`);
    this.destroy(new TransportError('IDLE_LINK', what));
  }

  // Its life

  #begin(accept: (link: Link) => LinkHandler): void {
    this.#accept = undefined;
    if (this.#firstFrameTimeout !== undefined) this.#startPhase(this.#firstFrameTimeout, () => { this.#firstFrameExpired(); });
    try {
      this.#handler = accept(this);
    } catch (error) {
      this.#fail('the acceptor of links threw', error);
    }
  }

  established(): void {
    if (this.#accept !== undefined) return this.#begin(this.#accept);
    if (this.#state !== 'connecting') return;
    this.#stopPhase();
    this.#state = 'up';
    if (this.#closedFor !== undefined) return this.#close(this.#closedFor);
    this.#wantsWrite = true;
    this.#tell('up');
  }

  #connectExpired(): void {
    if (this.#state === 'connecting') this.destroy(new TransportError('CONNECT_TIMEOUT', `${this.#peer} did not answer in time`));
  }

  #close(reason: TransportError): void {
    this.#closedFor = reason;
    if (this.#state === 'connecting') return;
    this.#state = 'closing';
    this.#isPaused = false;
    this.#association?.shutdown();
    this.#read(); // what has come is thrown away: it would hold the peer up
    this.#startPhase(this.#world.settings.closeTimeout, () => { this.destroy(reason); });
  }

  /** The association is over; what it has brought is still handed over. */
  ended(reason: TransportError): void {
    if (this.#state === 'down') return;
    if (this.#closedFor !== undefined) return this.#finish(this.#closedFor);
    if (this.#state === 'connecting' || this.#inbox.length === 0) return this.#finish(reason);
    this.#endedWith = reason;
    this.#readSoon();
  }

  #finish(reason: TransportError): void {
    const { clock } = this.#world;
    this.#state = 'down';
    this.#endedWith = undefined;
    this.#stopPhase();
    clock.clearTimeout(this.#frameTimer);
    this.#takeGathered();
    this.#undelivered = this.#association?.undelivered ?? { unsent: this.#early, unacknowledged: [] };
    this.#inbox.clear();
    this.#gone?.();
    clock.defer(() => { this.#down(reason); }); // not from inside of a call of ours
  }

  #down(reason: TransportError): void {
    try {
      this.#handler.down(reason);
    } catch (error) {
      this.#world.logger.error({ peer: this.#peer, err: error }, 'the handler of a link that is down threw');
    }
  }

  #tell(what: 'up' | 'beforeWrite' | 'drain' | 'chunkEnd'): void {
    if (this.#state !== 'up') return;
    try {
      this.#handler[what]?.();
    } catch (error) {
      this.#fail(`the handler of ${what} threw`, error);
    }
  }

  /** An error of our own side costs this link and nothing else. */
  #fail(what: string, error: unknown): void {
    this.#world.logger.error({ peer: this.#peer, err: error }, `${what}: link destroyed`);
    this.destroy(new TransportError('PEER_MISBEHAVED', `the link with ${this.#peer} was destroyed: ${what}`, { cause: error }));
  }

  #startPhase(delay: Milliseconds, expired: () => void): void {
    const { clock } = this.#world;
    this.#stopPhase();
    this.#phaseTimer = clock.setTimeout(() => { clock.defer(() => { if (this.#state !== 'down') expired(); }); }, delay);
  }

  #stopPhase(): void {
    this.#world.clock.clearTimeout(this.#phaseTimer);
    this.#phaseTimer = undefined;
  }
}

const ASAP = 11;
const HIGH_WATER_MARK = 0x4_0000;
const IP_AND_UDP = 40 + 8; // until it is known whether it is IPv6
const SACK = 20; // with a gap
const NOBODY: LinkHandler = { frame: () => undefined, down: () => undefined };

/** For a frame that is dropped. */
const unseen = (length: number): { bytes: Buffer; offset: number } => ({ bytes: Buffer.allocUnsafe(length), offset: 0 });
