import type { Milliseconds } from '../../environment.js';
import { TransportError } from '../../errors.js';
import type { Endpoint } from '../network.js';
import { causesOf, STALE_COOKIE } from './causes.js';
import { ChunkType, IMMEDIATE, padded, readU16, readU32, writeU32 } from './chunks.js';
import type { Cookie } from './cookie.js';
import type { SctpMessage, Undelivered } from './messages.js';
import type { SctpChunk } from './package.js';
import { Receiver } from './receiver.js';
import { Sender } from './sender.js';
import type { Stack } from './stack.js';
import { LazyTimer } from './timer.js';

/** Whom an association tells; calls may come from inside of a call of its own methods. */
export interface AssociationOwner {
  established(): void;
  message(message: SctpMessage): void;
  /** The messages of one packet have all been handed over. */
  packetEnd(): void;
  /** Packets are about to be made. */
  beforeFlush(): void;
  /** Less is queued than before. */
  relieved(): void;
  /** The last call. */
  ended(reason: TransportError): void;
}

export type AssociationState =
  | 'idle' | 'COOKIE-WAIT' | 'COOKIE-ECHOED' | 'ESTABLISHED' | 'SHUTDOWN-PENDING' | 'SHUTDOWN-SENT' | 'SHUTDOWN-RECEIVED' | 'SHUTDOWN-ACK-SENT' | 'CLOSED';

/** One association of two endpoints, from the first INIT to the end (RFC 9260 §4). Time, randomness and the network come from the stack. */
export class Association {
  state: AssociationState = 'idle';
  lastHeard: Milliseconds;
  lastSent: Milliseconds;
  peer: Endpoint; // the UDP port may change on the way (RFC 6951 §5.4)
  peerTag = 0;
  /** Since when a message has not been whole; undefined where none has begun. */
  partialSince: Milliseconds | undefined;
  inboundStreams = 0;
  /** So long nothing may be heard of the peer; Infinity: its owner judges. */
  silence: Milliseconds;
  readonly sender: Sender;
  readonly initialTsn: number;
  /** Largest SCTP packet to this peer. */
  readonly packetSize: number;

  #receiver: Receiver | undefined;
  #cookie: Buffer | undefined; // the peer's, while it is echoed
  #owner: AssociationOwner;
  #control: Uint8Array[] = []; // chunks for the next packet
  #attempts = 0;
  #backoff: Milliseconds = 0;
  #flushDue = false;
  #packetsToAcknowledge = 0;
  #sackDue = false;
  #hasGiven = false; // a message, in this packet
  #heartbeats: { readonly nonce: number; readonly at: Milliseconds; heard: (() => void)[] }[] = []; // not answered, the oldest first: on a long path several are under way
  readonly #stack: Stack;
  readonly #setUpTimer: LazyTimer; // T1-init, T1-cookie, T2-shutdown
  readonly #dataTimer: LazyTimer; // T3-rtx
  readonly #sackTimer: LazyTimer;

  /** @param initialTsn any number that cannot be guessed. */
  constructor(stack: Stack, readonly localPort: number, readonly peerPort: number, peer: Endpoint, readonly tag: number, initialTsn: number, owner: AssociationOwner) {
    this.#stack = stack;
    this.#owner = owner;
    this.peer = peer;
    this.initialTsn = initialTsn;
    this.silence = stack.settings.silence;
    this.packetSize = stack.packetSizeTo(peer.host);
    this.sender = new Sender(stack.settings, initialTsn, this.packetSize);
    this.lastHeard = this.lastSent = stack.clock.now();
    this.#setUpTimer = new LazyTimer(stack.clock, () => { this.#setUpExpired(); });
    this.#dataTimer = new LazyTimer(stack.clock, () => { this.#dataExpired(); });
    this.#sackTimer = new LazyTimer(stack.clock, () => {
      this.#sackDue = this.#packetsToAcknowledge > 0;
      this.#flush();
    });
  }

  set owner(owner: AssociationOwner) { this.#owner = owner; }
  get rto(): Milliseconds { return this.sender.rto; }
  get pathMtu(): number { return this.#stack.mtuTo(this.peer.host); }
  get isOpen(): boolean { return OPEN.has(this.state); }
  get undelivered(): Undelivered { return this.sender.undelivered(); }

  // What its owner asks

  connect(): void {
    this.state = 'COOKIE-WAIT';
    this.#restartBackoff();
    this.#setUpExpired();
  }

  send(message: SctpMessage): void {
    this.sender.push(message);
    this.flushSoon();
  }

  /** The owner has taken a message out of its box. */
  read(message: SctpMessage): void {
    if (this.#receiver?.read(message) !== true) return;
    this.#sackDue = true;
    this.flushSoon();
  }

  /** In order: what is queued is brought over first. */
  shutdown(): void {
    if (this.state !== 'ESTABLISHED') return;
    this.state = 'SHUTDOWN-PENDING';
    this.flushSoon();
  }

  /** At once; the peer is told why. */
  abort(reason: TransportError): void {
    if (this.state === 'CLOSED') return;
    if (this.peerTag !== 0) this.#stack.sendNow(this, this.peerTag, this.#stack.encode('abort', { error_causes: [{ cause: 'USER_INITIATED_ABORT', abort_reason: reason.message.slice(0, 200) }] }));
    this.end(reason);
  }

  flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#stack.clock.defer(this.#flush);
  }

  // What the stack tells

  /** A valid cookie of ours came back: the association begins, or goes on where both sides began at once (§5.2.1). */
  accept(cookie: Cookie): void {
    this.#begin(cookie.peerTag, cookie.peerInitialTsn, cookie.peerWindow, cookie.streams, cookie.peerStreams);
    this.acknowledgeCookie();
    this.#establish();
  }

  acknowledgeCookie(): void {
    this.#control.unshift(COOKIE_ACK);
    this.flushSoon();
  }

  /** A packet whose structure and verification tag are right. `start`: its first chunk that is for us. */
  receive(bytes: Buffer, from: Endpoint, start: number): void {
    this.lastHeard = this.#stack.clock.now();
    let hasData = false;
    for (let at = start; at < bytes.length && this.state !== 'CLOSED';) {
      const end = at + readU16(bytes, at + 2);
      hasData ||= bytes[at] === ChunkType.DATA;
      if (!this.#take(bytes, at, end, from)) break;
      at = padded(end);
    }
    if (hasData && this.#receiver !== undefined) {
      this.#packetsToAcknowledge += 1;
      this.partialSince = !this.#receiver.isPartial ? undefined : this.#hasGiven ? this.lastHeard : (this.partialSince ?? this.lastHeard);
      this.#hasGiven = false;
      if (this.#receiver.hasGaps || this.#receiver.hasDuplicates) this.#sackDue = true; // §6.7
      this.flushSoon();
    }
    this.#owner.packetEnd();
  }

  /** Looks for silence, and asks where nothing has come (§8.3, but often). */
  tick(now: Milliseconds, mayJudge: boolean): void {
    if (!this.isOpen) return;
    const { heartbeatInterval } = this.#stack.settings;
    const quiet = now - this.lastHeard;
    if (mayJudge && quiet >= this.silence) return this.#isAllAcknowledged ? this.end(this.#closed()) : this.#lose('SILENCE', `nothing was heard of ${this.#name} for ${Math.round(quiet)} ms`);
    const last = this.#heartbeats.at(-1);
    if (quiet < heartbeatInterval || (last !== undefined && now - last.at < heartbeatInterval)) return;
    this.#sendHeartbeat();
  }

  /** `heard`: a heartbeat that is sent now, or later, was answered. */
  ping(heard: () => void): void { this.#sendHeartbeat([heard]); }

  #sendHeartbeat(heard: (() => void)[] = []): void {
    const heartbeat = { nonce: this.#stack.random.u32(), at: this.#stack.clock.now(), heard };
    this.#heartbeats.push(heartbeat);
    if (this.#heartbeats.length > MOST_HEARTBEATS) this.#heartbeats[1]!.heard.unshift(...this.#heartbeats.shift()!.heard);
    this.#control.push(heartbeatChunk(heartbeat.nonce));
    this.flushSoon();
  }

  /** Ends it without a word to the peer. */
  end(reason: TransportError): void {
    if (this.state === 'CLOSED') return;
    this.state = 'CLOSED';
    for (const timer of [this.#setUpTimer, this.#dataTimer, this.#sackTimer]) timer.clear();
    this.#stack.forget(this);
    this.#owner.ended(reason);
  }

  // Chunks that come in

  /** @returns whether the rest of the packet is to be looked at. */
  #take(bytes: Buffer, at: number, end: number, from: Endpoint): boolean {
    switch (bytes[at]!) {
      case ChunkType.DATA: return this.#takeData(bytes, at, end);
      case ChunkType.SACK: this.#takeSack(bytes, at); break;
      case ChunkType.INIT_ACK: this.#takeInitAck(bytes, at, end); break;
      case ChunkType.COOKIE_ACK:
        if (this.state === 'COOKIE-ECHOED') this.#establish();
        break;
      case ChunkType.HEARTBEAT: this.#stack.sendTo(from, this, heartbeatAck(bytes, at, end)); break; // to where it came from (§8.3)
      case ChunkType.HEARTBEAT_ACK: this.#takeHeartbeatAck(bytes, at, end); break;
      case ChunkType.ABORT: this.#takeAbort(bytes, at, end); return false;
      case ChunkType.ERROR: this.#takeError(bytes, at, end); break;
      case ChunkType.SHUTDOWN: this.#takeShutdown(bytes, at); break;
      case ChunkType.SHUTDOWN_ACK:
        if (!this.isOpen) return false;
        this.#stack.sendNow(this, this.peerTag, SHUTDOWN_COMPLETE);
        this.end(this.#closed());
        return false;
      case ChunkType.SHUTDOWN_COMPLETE:
        if (this.state === 'SHUTDOWN-ACK-SENT') this.end(this.#closed());
        return false;
      case ChunkType.COOKIE_ECHO: break; // the stack has looked at it
      default: return this.#takeUnknown(bytes, at, end);
    }
    return true;
  }

  #takeData(bytes: Buffer, at: number, end: number): boolean {
    const receiver = this.#receiver;
    if (receiver === undefined || !RECEIVING.has(this.state)) return true;
    const stream = readU16(bytes, at + 8);
    const reception = receiver.take(readU32(bytes, at + 4), bytes[at + 1]!, stream, readU16(bytes, at + 10), readU32(bytes, at + 12), bytes.subarray(at + 16, end));
    if (reception === 'no room' || (bytes[at + 1]! & IMMEDIATE) !== 0) this.#sackDue = true;
    if (reception === 'no such stream') this.#control.push(this.#stack.encode('error', { error_causes: [{ cause: 'INVALID_STREAM_IDENTIFIER', stream_id: stream }] }));
    if (reception === 'message too long') {
      this.abort(new TransportError('PEER_MISBEHAVED', `${this.#name} sent a message longer than ${this.#stack.settings.maxMessage} bytes`));
      return false;
    }
    if (this.state === 'SHUTDOWN-SENT') this.#control.push(this.#shutdownChunk()); // §9.2
    return true;
  }

  #takeSack(bytes: Buffer, at: number): void {
    if (this.#receiver === undefined) return;
    const now = this.#stack.clock.now();
    this.#acknowledge(() => this.sender.acknowledge(readU32(bytes, at + 4), readU32(bytes, at + 8), bytes, at + 16, readU16(bytes, at + 12), now));
  }

  /** T3-rtx is that of the earliest chunk which is not acknowledged: what else arrives does not put it off (§6.3.2 R3). */
  #acknowledge(take: () => boolean): void {
    const { acknowledged } = this.sender;
    if (!take()) return;
    if (!this.sender.hasOutstanding && !this.sender.isStuck) this.#dataTimer.stop();
    else if (this.sender.acknowledged !== acknowledged || this.sender.isStuck || !this.#dataTimer.isSet) this.#dataTimer.set(this.sender.rto);
    this.flushSoon();
  }

  #takeInitAck(bytes: Buffer, at: number, end: number): void {
    if (this.state !== 'COOKIE-WAIT') return; // §5.2.3
    const chunk = this.#stack.decode(bytes.subarray(at, end));
    if (chunk?.state_cookie === undefined || !isInit(chunk)) return;
    this.#begin(chunk.initiate_tag, chunk.initial_tsn, chunk.a_rwnd, Math.min(this.#stack.settings.streams, chunk.inbound_streams), chunk.outbound_streams);
    this.#cookie = this.#stack.encode('cookie_echo', { cookie: Buffer.from(chunk.state_cookie) });
    this.state = 'COOKIE-ECHOED';
    this.#restartBackoff();
    this.#setUpExpired();
  }

  #takeHeartbeatAck(bytes: Buffer, at: number, end: number): void {
    if (end - at < 12) return;
    const nonce = readU32(bytes, at + 8);
    const answered = this.#heartbeats.splice(0, 1 + this.#heartbeats.findIndex((heartbeat) => heartbeat.nonce === nonce)); // and those before it
    const last = answered.at(-1);
    if (last === undefined) return;
    this.sender.measure(this.#stack.clock.now() - last.at);
    if (this.sender.timeouts <= MOST_AT_ONE_RTO && this.#dataTimer.remaining > this.sender.rto) this.#dataTimer.set(this.sender.rto);
    for (const { heard } of answered) for (const tell of heard) tell();
  }

  #takeAbort(bytes: Buffer, at: number, end: number): void {
    const [cause] = causesOf(bytes, at + 4, end);
    const why = cause === undefined ? 'without a cause' : cause.text || `cause ${cause.code}`;
    if (this.state === 'COOKIE-WAIT' || this.state === 'COOKIE-ECHOED') {
      const refused = Object.assign(new Error(`ABORT: ${why}`), { code: 'ECONNREFUSED' });
      return this.end(new TransportError('CONNECT_FAILED', `cannot connect to ${this.#name}: refused`, { cause: refused }));
    }
    this.end(this.#isAllAcknowledged ? this.#closed() : new TransportError('LINK_LOST', `${this.#name} aborted the link: ${why}`));
  }

  #takeError(bytes: Buffer, at: number, end: number): void {
    const causes = causesOf(bytes, at + 4, end);
    this.#stack.logger.debug({ peer: this.#name, causes }, 'the peer reports an error');
    if (this.state === 'COOKIE-ECHOED' && causes.some(({ code }) => code === STALE_COOKIE)) this.connect(); // §5.2.6
  }

  #takeShutdown(bytes: Buffer, at: number): void {
    if (!this.isOpen) return;
    if (this.state === 'SHUTDOWN-SENT' || this.state === 'SHUTDOWN-ACK-SENT') return this.#acknowledgeShutdown();
    this.#acknowledge(() => this.sender.acknowledge(readU32(bytes, at + 4), Infinity, bytes, 0, 0, this.#stack.clock.now()));
    this.state = 'SHUTDOWN-RECEIVED';
    this.flushSoon();
  }

  /** What the upper bits of the type say (§3.2). */
  #takeUnknown(bytes: Buffer, at: number, end: number): boolean {
    const type = bytes[at]!;
    if ((type & 0x40) !== 0 && this.isOpen) {
      this.#control.push(this.#stack.encode('error', { error_causes: [{ cause: 'UNRECONGNIZED_CHUNK_TYPE', unrecognized_chunk: bytes.subarray(at, Math.min(end, at + 64)) }] }));
      this.flushSoon();
    }
    return (type & 0x80) !== 0;
  }

  // Its life

  #begin(peerTag: number, peerInitialTsn: number, peerWindow: number, streams: number, peerStreams: number): void {
    this.peerTag = peerTag;
    this.inboundStreams = Math.min(this.#stack.settings.streams, peerStreams);
    this.sender.begin(streams, peerWindow);
    this.#receiver = new Receiver(this.#stack.settings, peerInitialTsn, (message) => {
      this.#hasGiven = true;
      this.#owner.message(message);
    });
  }

  #establish(): void {
    this.state = 'ESTABLISHED';
    this.#cookie = undefined;
    this.#setUpTimer.stop();
    this.lastHeard = this.#stack.clock.now();
    this.#stack.established(this);
    this.#owner.established();
    this.flushSoon();
  }

  #restartBackoff(): void {
    this.#attempts = 0;
    this.#backoff = this.#stack.settings.rtoInitial;
  }

  /** T1 and T2: what is to be answered is sent, and again. */
  #setUpExpired(): void {
    if (this.#attempts > this.#stack.settings.maxRetransmissions) return this.#giveUp();
    this.#attempts += 1;
    switch (this.state) {
      case 'COOKIE-WAIT': this.#stack.sendNow(this, 0, this.#stack.initChunk('init', this.tag, this.initialTsn)); break;
      case 'COOKIE-ECHOED': if (this.#cookie !== undefined) this.#stack.sendNow(this, this.peerTag, this.#cookie); break;
      case 'SHUTDOWN-SENT': this.#stack.sendNow(this, this.peerTag, this.#shutdownChunk()); break;
      case 'SHUTDOWN-ACK-SENT': this.#stack.sendNow(this, this.peerTag, SHUTDOWN_ACK); break;
      default: return;
    }
    this.#setUpTimer.set(this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, this.#stack.settings.rtoMax);
  }

  #giveUp(): void {
    if (this.isOpen) return this.end(this.#closed()); // all had been acknowledged before SHUTDOWN was sent
    this.end(new TransportError('CONNECT_TIMEOUT', `${this.#name} did not answer in time`));
  }

  #dataExpired(): void {
    this.sender.timedOut();
    if (this.sender.timeouts > this.#stack.settings.maxRetransmissions) return this.#lose('LINK_LOST', `${this.#name} acknowledges nothing any more`);
    this.#dataTimer.set(this.sender.rto);
    this.#flush();
  }

  #lose(code: 'SILENCE' | 'LINK_LOST', what: string): void {
    this.abort(new TransportError(code, what));
  }

  get #isAllAcknowledged(): boolean { return this.state === 'SHUTDOWN-SENT' || this.state === 'SHUTDOWN-ACK-SENT'; }

  #closed(): TransportError {
    if (this.#receiver?.isPartial === true) return new TransportError('LINK_LOST', `the link with ${this.#name} ended within a frame`);
    return new TransportError('LINK_CLOSED', `${this.#name} closed the link`);
  }

  /** In SHUTDOWN-PENDING and SHUTDOWN-RECEIVED: once everything has been acknowledged (§9.2; D3, D5). */
  #continueShutdown(): void {
    if (!this.sender.isIdle) return;
    if (this.state === 'SHUTDOWN-PENDING') this.state = 'SHUTDOWN-SENT';
    else if (this.state === 'SHUTDOWN-RECEIVED') this.state = 'SHUTDOWN-ACK-SENT';
    else return;
    this.#restartBackoff();
    this.#backoff = this.sender.rto;
    this.#setUpExpired();
  }

  #acknowledgeShutdown(): void {
    this.state = 'SHUTDOWN-ACK-SENT';
    this.#restartBackoff();
    this.#setUpExpired();
  }

  #shutdownChunk(): Buffer {
    const chunk = Buffer.from([ChunkType.SHUTDOWN, 0, 0, 8, 0, 0, 0, 0]);
    writeU32(chunk, 4, this.#receiver?.cumulative ?? 0);
    return chunk;
  }

  // Outgoing

  readonly #flush = (): void => {
    if (this.state !== 'CLOSED') this.#owner.beforeFlush();
    this.#flushDue = false;
    if (this.#receiver === undefined || this.state === 'CLOSED') return;
    const queued = this.sender.unsentBytes;
    this.#sendPackets();
    if (this.sender.unsentBytes < queued) this.#owner.relieved();
    if (this.state !== 'ESTABLISHED') this.#continueShutdown();
  };

  #sendPackets(): void {
    const { clock, writer } = this.#stack;
    const now = clock.now();
    for (let burst = 0; burst < MOST_IN_A_TURN; burst += this.packetSize) {
      writer.begin(this.localPort, this.peerPort, this.peerTag, this.packetSize);
      this.#addControl();
      const mayHaveSack = this.#packetsToAcknowledge > 0 || this.#sackDue;
      const isSackDue = this.#sackDue || this.#packetsToAcknowledge >= 2; // §6.2
      if (mayHaveSack && (isSackDue || this.#hasDataToSend())) this.#addSack();
      this.#addData(now);
      if (writer.isEmpty) return this.#watchSack();
      this.#stack.send(writer.finish(), this.peer);
      this.lastSent = now;
      this.sender.packetSent();
    }
    this.flushSoon(); // others have their turn
  }

  #addControl(): void {
    const { writer } = this.#stack;
    while (this.#control.length > 0 && (writer.isEmpty || this.#control[0]!.length <= writer.room)) writer.add(this.#control.shift()!);
  }

  #hasDataToSend(): boolean {
    return SENDING.has(this.state) && this.sender.unsentBytes > 0 && this.sender.flight < this.sender.cwnd;
  }

  #addSack(): void {
    if (this.#receiver === undefined || this.#stack.writer.room < 20) return;
    this.#stack.writer.addSack(this.#receiver);
    this.#packetsToAcknowledge = 0;
    this.#sackDue = false;
    this.#sackTimer.stop();
  }

  #addData(now: Milliseconds): void {
    if (!SENDING.has(this.state)) return;
    const { writer } = this.#stack;
    for (let isFirst = writer.isEmpty; writer.room > 16; isFirst = false) {
      const fragment = this.sender.next(writer.room, isFirst, now);
      if (fragment === undefined) break;
      writer.addData(fragment);
      if (!this.#dataTimer.isSet || (fragment.transmissions > 1 && this.sender.isFirst(fragment))) this.#dataTimer.set(this.sender.rto); // §7.2.4
    }
    if (this.sender.isStuck && !this.#dataTimer.isSet) this.#dataTimer.set(this.sender.rto);
  }

  #watchSack(): void {
    if (this.#packetsToAcknowledge > 0 && !this.#sackTimer.isSet) this.#sackTimer.set(this.#stack.settings.sackDelay);
  }

  get #name(): string { return this.#stack.nameOf(this); }
}

const OPEN: ReadonlySet<AssociationState> = new Set<AssociationState>(['ESTABLISHED', 'SHUTDOWN-PENDING', 'SHUTDOWN-SENT', 'SHUTDOWN-RECEIVED', 'SHUTDOWN-ACK-SENT']);
const SENDING: ReadonlySet<AssociationState> = new Set<AssociationState>(['ESTABLISHED', 'SHUTDOWN-PENDING', 'SHUTDOWN-RECEIVED']);
/** DATA that overtakes COOKIE ACK is sent again. */
const RECEIVING: ReadonlySet<AssociationState> = new Set<AssociationState>(['ESTABLISHED', 'SHUTDOWN-PENDING', 'SHUTDOWN-SENT']);
const MOST_HEARTBEATS = 64;
const MOST_IN_A_TURN = 48_000; // bytes, or packets of them
/** A measurement takes the doubling of RTO back (§6.3.3), and the answer to a HEARTBEAT is one: the path is there. So data lost several times do not wait for what the timer was set to before; but where they go
 *  on to be lost, somebody has too much. */
const MOST_AT_ONE_RTO = 3;

const COOKIE_ACK = Uint8Array.of(ChunkType.COOKIE_ACK, 0, 0, 4);
const SHUTDOWN_ACK = Uint8Array.of(ChunkType.SHUTDOWN_ACK, 0, 0, 4);
const SHUTDOWN_COMPLETE = Uint8Array.of(ChunkType.SHUTDOWN_COMPLETE, 0, 0, 4);

function heartbeatChunk(nonce: number): Uint8Array {
  const chunk = Uint8Array.of(ChunkType.HEARTBEAT, 0, 0, 12, 0, 1, 0, 8, 0, 0, 0, 0);
  writeU32(chunk, 8, nonce);
  return chunk;
}

function heartbeatAck(bytes: Buffer, at: number, end: number): Uint8Array {
  const chunk = new Uint8Array(padded(end - at));
  chunk.set(bytes.subarray(at, end));
  chunk[0] = ChunkType.HEARTBEAT_ACK;
  return chunk;
}

type Init = SctpChunk & Required<Pick<SctpChunk, 'initiate_tag' | 'initial_tsn' | 'a_rwnd' | 'inbound_streams' | 'outbound_streams'>>;

/** Whether it may begin an association (§3.3.2: neither tag nor numbers of streams are zero). */
export const isInit = (chunk: SctpChunk): chunk is Init =>
  (chunk.initiate_tag ?? 0) !== 0 && (chunk.inbound_streams ?? 0) > 0 && (chunk.outbound_streams ?? 0) > 0 && chunk.initial_tsn !== undefined && chunk.a_rwnd !== undefined;
