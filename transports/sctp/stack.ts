import type { Clock, Logger, Milliseconds, Random } from '../../environment.js';
import { TransportError } from '../../errors.js';
import { formatAddress, isLoopback } from '../address.js';
import type { DatagramSocket, Endpoint } from '../network.js';
import { Association, isInit, type AssociationOwner } from './association.js';
import { ChunkType, COMMON_HEADER, padded, readU16, readU32, REFLECTED, u32 } from './chunks.js';
import { CookieJar, type Cookie, type CookieOwner } from './cookie.js';
import type { ChunkClass, SctpChunk } from './package.js';
import { PacketWriter } from './packet.js';
import type { SctpSettings } from './settings.js';
import { validate } from './validate.js';

export interface StackWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: () => Logger;
  readonly scheme: string;
  readonly settings: SctpSettings;
  readonly chunks: ChunkClass;
}

/** Who lets associations in at an SCTP port. @returns undefined where there is no place for another. */
export type Admit = (association: Association) => AssociationOwner | undefined;

/** All SCTP ports and all peers of one socket for datagrams (RFC 6951): finds the association a packet belongs to, or answers what belongs to none. */
export class Stack {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: SctpSettings;
  readonly writer: PacketWriter;
  /** Packets that were dropped, by the reason. */
  readonly dropped = new Map<string, number>();

  readonly #world: StackWorld;
  readonly #overhead: number; // headers of IP and UDP
  readonly #socket: DatagramSocket;
  readonly #listeners = new Map<number, Admit>();
  readonly #byTag = new Map<number, Association>();
  /** By local port, and the peer's address and ports: for packets that do not bear a tag of ours. */
  readonly #byPeer = new Map<string, Association>();
  readonly #cookies: CookieJar;
  readonly #gone: () => void;
  #answers = 0; // in this second
  #second: Milliseconds = -Infinity;
  #isFloodTold = false;
  #sweepTimer: unknown;
  #swept: Milliseconds = 0;
  #lingerTimer: unknown;
  isClosed = false;

  /** @param gone called when neither a listener nor an association needs it any more. */
  constructor(world: StackWorld, socket: DatagramSocket, overhead: number, gone: () => void) {
    ({ clock: this.clock, random: this.random, settings: this.settings } = world);
    this.#world = world;
    this.#socket = socket;
    this.#gone = gone;
    this.#overhead = overhead;
    this.writer = new PacketWriter(Math.max(this.settings.mtu, this.settings.loopbackMtu));
    this.#cookies = new CookieJar(world.random, () => world.clock.now(), world.settings.cookieLife);
  }

  get logger(): Logger { return this.#world.logger(); }
  get local(): Endpoint { return this.#socket.local; }
  get associations(): number { return this.#byTag.size; }

  mtuTo(host: string): number { return isLoopback(host) ? this.settings.loopbackMtu : this.settings.mtu; }

  packetSizeTo(host: string): number { return this.mtuTo(host) - this.#overhead; }

  // Ports and associations

  /** Port 0 gives a free one. @throws TransportError ADDRESS_IN_USE */
  listen(port: number, admit: Admit): number {
    const chosen = port === 0 ? this.#freePort() : port;
    if (this.#listeners.has(chosen)) throw new TransportError('ADDRESS_IN_USE', `SCTP port ${chosen} is in use`);
    this.#listeners.set(chosen, admit);
    return chosen;
  }

  /** The associations of the port stay. */
  unlisten(port: number): void {
    this.#listeners.delete(port);
    this.restIfUnused();
  }

  isListening(port: number): boolean { return this.#listeners.has(port); }

  /** The association is there, and has yet to `connect`.
   *  @param localPort 0: a free one. @throws TransportError where there are too many, or there is one already. */
  connect(localPort: number, peerPort: number, peer: Endpoint, owner: AssociationOwner): Association {
    const from = localPort === 0 ? this.#freePort() : localPort;
    const states = [...this.#byTag.values()];
    if (states.length >= this.settings.maxAssociations || states.filter(({ state }) => state === 'COOKIE-WAIT').length >= this.settings.maxConnecting) {
      throw new TransportError('TOO_MANY_LINKS', 'too many associations');
    }
    if (this.#byPeer.has(keyOf(from, peerPort, peer))) throw new TransportError('CONNECT_FAILED', `port ${from} has an association with ${peer.host}:${peerPort} already`);
    return this.#add(from, peerPort, peer, this.#freeTag(), this.random.u32(), owner);
  }

  forget(association: Association): void {
    if (this.#byTag.get(association.tag) === association) this.#byTag.delete(association.tag);
    const key = keyOf(association.localPort, association.peerPort, association.peer);
    if (this.#byPeer.get(key) === association) this.#byPeer.delete(key);
    this.restIfUnused();
  }

  established(_: Association): void { this.#startSweep(); }

  nameOf({ peer, peerPort }: Association): string { return formatAddress(this.#world.scheme, peer.host, peerPort); }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.clock.clearTimeout(this.#sweepTimer);
    this.clock.clearTimeout(this.#lingerTimer);
    this.#socket.close();
  }

  // Outgoing

  encode(type: string, options: object = {}): Buffer { return new this.#world.chunks(type, options).toBuffer(); }

  decode(bytes: Buffer): SctpChunk | undefined { return this.#world.chunks.fromBuffer(bytes) || undefined; }

  initChunk(type: 'init' | 'init_ack', tag: number, initialTsn: number, more: object = {}): Buffer {
    const { receiveWindow, streams } = this.settings;
    return this.encode(type, { initiate_tag: tag, a_rwnd: receiveWindow, outbound_streams: streams, inbound_streams: streams, initial_tsn: initialTsn, ...more });
  }

  send(packet: Buffer, to: Endpoint): void { if (!this.isClosed) this.#socket.send(packet, to); }

  /** A packet with one chunk, at once. */
  sendNow(association: Association, tag: number, chunk: Uint8Array): void { this.#sendChunk(association, tag, chunk, association.peer); }

  sendTo(to: Endpoint, association: Association, chunk: Uint8Array): void { this.#sendChunk(association, association.peerTag, chunk, to); }

  #sendChunk({ localPort, peerPort }: { readonly localPort: number; readonly peerPort: number }, tag: number, chunk: Uint8Array, to: Endpoint): void {
    this.writer.begin(localPort, peerPort, tag, this.packetSizeTo(to.host));
    this.writer.add(chunk);
    this.send(this.writer.finish(), to);
  }

  // Incoming

  receive(bytes: Buffer, from: Endpoint): void {
    if (this.isClosed) return;
    const flaw = validate(bytes);
    if (flaw !== undefined) return this.#drop(flaw);
    try {
      this.#dispatch(bytes, from);
    } catch (error) {
      this.#drop('error');
      this.logger.error({ from: `${from.host}:${from.port}`, err: error }, 'a packet could not be handled');
    }
  }

  #dispatch(bytes: Buffer, from: Endpoint): void {
    const [peerPort, localPort, tag, type] = [readU16(bytes, 0), readU16(bytes, 2), readU32(bytes, 4), bytes[COMMON_HEADER]!];
    if (type === ChunkType.INIT) return this.#init(bytes, from, localPort, peerPort);
    const association = this.#byTag.get(tag);
    if (type === ChunkType.COOKIE_ECHO) return this.#cookieEcho(bytes, from, localPort, peerPort, tag, association);
    if (association === undefined || association.localPort !== localPort || association.peerPort !== peerPort) return this.#outOfTheBlue(bytes, from, localPort, peerPort, tag);
    if ((type === ChunkType.ABORT || type === ChunkType.SHUTDOWN_COMPLETE) && (bytes[COMMON_HEADER + 1]! & REFLECTED) !== 0) return this.#drop('tag'); // §8.5.1: not with a tag of ours
    if (association.state === 'COOKIE-WAIT' && from.host !== association.peer.host) return this.#drop('address');
    this.#follow(association, from);
    association.receive(bytes, from, COMMON_HEADER);
  }

  /** The peer's UDP port is where its packets come from, once one with the right tag has come (RFC 6951 §5.4). Packets from others of its addresses are taken
   *  too; data goes on to the first. */
  #follow(association: Association, from: Endpoint): void {
    if (from.port === association.peer.port || from.host !== association.peer.host) return;
    this.#byPeer.delete(keyOf(association.localPort, association.peerPort, association.peer));
    association.peer = from;
    this.#byPeer.set(keyOf(association.localPort, association.peerPort, from), association);
  }

  /** Answered from nothing but the packet: all that an association will need is in the cookie (§5.1). */
  #init(bytes: Buffer, from: Endpoint, localPort: number, peerPort: number): void {
    const chunk = this.decode(bytes.subarray(COMMON_HEADER, COMMON_HEADER + readU16(bytes, COMMON_HEADER + 2)));
    if (chunk === undefined || !isInit(chunk)) return this.#drop('init');
    const known = this.#byPeer.get(keyOf(localPort, peerPort, from));
    if (!this.#mayAnswer()) return;
    if (known?.state === 'SHUTDOWN-ACK-SENT') return this.sendNow(known, known.peerTag, this.encode('shutdown_ack')); // §9.2
    const isMutual = known?.state === 'COOKIE-WAIT' || known?.state === 'COOKIE-ECHOED';
    if (!isMutual && !this.#listeners.has(localPort)) return this.#abort(from, localPort, peerPort, chunk.initiate_tag, 0);
    const cookie: Cookie = {
      tag: isMutual ? known.tag : this.#freeTag(), initialTsn: isMutual ? known.initialTsn : this.random.u32(), peerTag: chunk.initiate_tag, peerInitialTsn: chunk.initial_tsn,
      peerWindow: chunk.a_rwnd, streams: Math.min(this.settings.streams, chunk.inbound_streams), peerStreams: chunk.outbound_streams,
    };
    const more = { state_cookie: this.#cookies.issue(cookie, ownerOf(from, localPort, peerPort)), ...(chunk.errors !== undefined && { unrecognized_parameter: chunk.errors }) };
    this.#sendChunk({ localPort, peerPort }, chunk.initiate_tag, this.initChunk('init_ack', cookie.tag, cookie.initialTsn, more), from);
  }

  #cookieEcho(bytes: Buffer, from: Endpoint, localPort: number, peerPort: number, tag: number, known: Association | undefined): void {
    const end = COMMON_HEADER + readU16(bytes, COMMON_HEADER + 2);
    const cookie = this.#cookies.open(bytes.subarray(COMMON_HEADER + 4, end), ownerOf(from, localPort, peerPort));
    if (cookie === undefined) return this.#drop('cookie');
    if (cookie === 'stale') return this.#staleCookie(from, localPort, peerPort, bytes);
    if (cookie.tag !== tag) return this.#drop('cookie');
    const association = known ?? this.#admit(cookie, from, localPort, peerPort);
    if (association === undefined) return;
    if (known !== undefined) this.#again(known, cookie);
    if (association.peerTag === cookie.peerTag) association.receive(bytes, from, padded(end));
  }

  /** A cookie of an association that is there (§5.2.4): both began at once, or COOKIE ACK was lost. */
  #again(association: Association, cookie: Cookie): void {
    if (association.state === 'COOKIE-WAIT' || association.state === 'COOKIE-ECHOED') association.accept(cookie);
    else if (association.peerTag === cookie.peerTag) association.acknowledgeCookie();
  }

  /** A new association; where there was one with this peer it was restarted, and whoever had the old one is told that it is lost (§5.2.4.1 goes on with it). */
  #admit(cookie: Cookie, from: Endpoint, localPort: number, peerPort: number): Association | undefined {
    const before = this.#byPeer.get(keyOf(localPort, peerPort, from));
    if (before !== undefined && !before.isOpen) return this.#late();
    const admit = this.#listeners.get(localPort);
    if (admit === undefined) return this.#refuse(cookie, from, localPort, peerPort);
    before?.end(new TransportError('LINK_LOST', `${this.nameOf(before)} was restarted`));
    if (this.#byTag.size >= this.settings.maxAssociations) return this.#refuse(cookie, from, localPort, peerPort);
    const association = this.#add(localPort, peerPort, from, cookie.tag, cookie.initialTsn, NOBODY);
    const owner = admit(association);
    if (owner === undefined) {
      association.end(new TransportError('TOO_MANY_LINKS', 'no place for another association'));
      return this.#refuse(cookie, from, localPort, peerPort);
    }
    association.owner = owner;
    association.accept(cookie);
    return association;
  }

  #late(): undefined { this.#drop('late cookie'); }

  #refuse({ peerTag }: Cookie, to: Endpoint, localPort: number, peerPort: number): undefined {
    this.#sendChunk({ localPort, peerPort }, peerTag, this.encode('abort', { error_causes: [{ cause: 'OUT_OF_RESOURCE' }] }), to);
  }

  #staleCookie(to: Endpoint, localPort: number, peerPort: number, echo: Buffer): void {
    const cookie = echo.subarray(COMMON_HEADER + 4);
    const chunk = Buffer.from([ChunkType.ERROR, 0, 0, 12, 0, 3, 0, 8, 0, 0, 0, 0]); // the package writes this cause without its value
    if (this.#mayAnswer()) this.#sendChunk({ localPort, peerPort }, CookieJar.peerTagOf(cookie), chunk, to);
  }

  /** Packets that belong to no association (§8.4). */
  #outOfTheBlue(bytes: Buffer, from: Endpoint, localPort: number, peerPort: number, tag: number): void {
    const type = bytes[COMMON_HEADER]!;
    if (type === ChunkType.ABORT || type === ChunkType.SHUTDOWN_COMPLETE) return this.#reflected(bytes, from, localPort, peerPort, tag);
    this.#drop('no association');
    if (SILENT.has(type) || !this.#mayAnswer()) return;
    if (type === ChunkType.SHUTDOWN_ACK) this.#sendChunk({ localPort, peerPort }, tag, Uint8Array.of(ChunkType.SHUTDOWN_COMPLETE, REFLECTED, 0, 4), from);
    else this.#abort(from, localPort, peerPort, tag, REFLECTED);
  }

  /** From a peer that knows of no association: it bears the tag that we send (§8.5.1). */
  #reflected(bytes: Buffer, from: Endpoint, localPort: number, peerPort: number, tag: number): void {
    const association = this.#byPeer.get(keyOf(localPort, peerPort, from));
    if (association === undefined || association.peerTag !== tag || (bytes[COMMON_HEADER + 1]! & REFLECTED) === 0) return this.#drop('no association');
    association.receive(bytes, from, COMMON_HEADER);
  }

  #abort(to: Endpoint, localPort: number, peerPort: number, tag: number, flags: number): void {
    this.#sendChunk({ localPort, peerPort }, tag, Uint8Array.of(ChunkType.ABORT, flags, 0, 4), to);
  }

  #drop(why: string): void { this.dropped.set(why, (this.dropped.get(why) ?? 0) + 1); }

  /** Who floods us makes us neither send as much nor sign as many cookies. */
  #mayAnswer(): boolean {
    const now = this.clock.now();
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#answers = 0;
      this.#isFloodTold = false;
    }
    this.#answers += 1;
    if (this.#answers <= this.settings.maxAnswers) return true;
    this.#drop('too many a second');
    if (!this.#isFloodTold) this.logger.warn({ code: 'TOO_MANY_LINKS', port: this.local.port, answers: this.settings.maxAnswers }, 'too many INITs and strays a second: not answered');
    this.#isFloodTold = true;
    return false;
  }

  // Its life

  #add(localPort: number, peerPort: number, peer: Endpoint, tag: number, initialTsn: number, owner: AssociationOwner): Association {
    const association = new Association(this, localPort, peerPort, peer, tag, initialTsn, owner);
    this.#byTag.set(tag, association);
    this.#byPeer.set(keyOf(localPort, peerPort, peer), association);
    return association;
  }

  #freeTag(): number {
    let tag: number;
    do tag = u32(this.random.u32()); while (tag === 0 || this.#byTag.has(tag));
    return tag;
  }

  /** Ephemeral ones by chance: two peers behind one address do not choose the same. */
  #freePort(): number {
    const used = new Set([...this.#byTag.values()].map(({ localPort }) => localPort));
    let port: number;
    do port = 0xc000 + (this.random.u32() % 0x4000); while (used.has(port) || this.#listeners.has(port));
    return port;
  }

  /** One timer for all associations. Where it comes late this process has slept, and nobody is judged before it has read what came meanwhile. */
  #startSweep(): void {
    if (this.#sweepTimer !== undefined) return;
    const interval = this.settings.heartbeatInterval / 2;
    const sweep = (): void => {
      const now = this.clock.now();
      const isLate = now - this.#swept > 2 * interval;
      this.#swept = now;
      for (const association of [...this.#byTag.values()]) association.tick(now, !isLate);
      this.#sweepTimer = undefined;
      if ([...this.#byTag.values()].some(({ isOpen }) => isOpen)) this.#startSweep();
    };
    this.#swept = this.clock.now();
    this.#sweepTimer = this.clock.setTimeout(() => { this.clock.defer(sweep); }, interval);
  }

  /** Gives the socket back, in a while, where nobody has a use for it. */
  restIfUnused(): void {
    if (!this.#isUnused || this.#lingerTimer !== undefined) return;
    this.#lingerTimer = this.clock.setTimeout(() => {
      this.#lingerTimer = undefined;
      if (this.#isUnused) this.#gone();
    }, this.settings.linger);
  }

  get #isUnused(): boolean {
    return this.#listeners.size === 0 && this.#byTag.size === 0;
  }
}

const keyOf = (localPort: number, peerPort: number, peer: Endpoint): string => `${localPort} ${peerPort} ${peer.port} ${peer.host}`;
const ownerOf = (from: Endpoint, localPort: number, peerPort: number): CookieOwner => ({ host: from.host, udpPort: from.port, peerPort, localPort });

/** Not answered when out of the blue. */
const SILENT: ReadonlySet<number> = new Set([ChunkType.INIT_ACK, ChunkType.COOKIE_ACK, ChunkType.ERROR]);

const NOBODY: AssociationOwner = { established: () => undefined, message: () => undefined, packetEnd: () => undefined, beforeFlush: () => undefined, relieved: () => undefined, ended: () => undefined };
