import type { Clock, Logger, Milliseconds } from '../environment.js';
import { TransportError, type TransportErrorCode } from '../errors.js';
import { Framer } from '../wire/framer.js';
import { formatAddress, type ParsedAddress } from './address.js';
import type { ByteSocket, NetworkError } from './network.js';
import { Outbox, type BufferPool } from './outbox.js';
import type { ConnectOptions, Link, LinkHandler, LinkOptions, ListenOptions, TransportAddress } from './transport.js';

export interface LinkWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: string;
  readonly pool: BufferPool;
}

/** A link over a stream of bytes. What is queued in a turn of the event loop goes out in one write at its end; a small frame costs no allocation,
 *  in either direction. */
export class SocketLink implements Link {
  lastHeard: Milliseconds;
  lastSent: Milliseconds;

  readonly #world: LinkWorld;
  readonly #socket: ByteSocket;
  readonly #options: LinkOptions;
  readonly #remote: ParsedAddress | undefined; // of a link that connects
  readonly #framer: Framer;
  readonly #outbox: Outbox;
  readonly #mark: number;
  readonly #limit: number;
  #handler: LinkHandler;
  #gone: (() => void) | undefined;
  #state: 'connecting' | 'up' | 'closing' | 'down';
  #closedFor: TransportError | undefined; // why it closes in order; set while connecting, it closes once connected
  #local: TransportAddress | undefined;
  #peer: TransportAddress | undefined;
  #backlog = 0; // bytes the socket had not got rid of when last asked
  #writable = true;
  #flushDue = false;
  #paused = false;
  #framed = false; // by the chunk at hand
  #greeted = false; // a whole frame has come
  #rest: Buffer | undefined; // of the chunk at hand, for the next turn
  #sliceBegan: Milliseconds = 0;
  #begunAt: Milliseconds | undefined; // the frame that is not whole
  #phaseTimer: unknown;
  #frameTimer: unknown;

  static connecting(world: LinkWorld, socket: ByteSocket, to: ParsedAddress, handler: LinkHandler, options: ConnectOptions): SocketLink {
    const link = new SocketLink(world, socket, 'connecting', to, handler, options);
    socket.on('connect', () => link.#connected());
    link.#startPhase(options.connectTimeout ?? CONNECT_TIMEOUT, () => link.#connectExpired());
    return link;
  }

  /** @param gone called when the link is down. */
  static accepted(world: LinkWorld, socket: ByteSocket, accept: (link: Link) => LinkHandler, options: ListenOptions, gone: () => void): void {
    const link = new SocketLink(world, socket, 'up', undefined, NOBODY, options);
    link.#gone = gone;
    link.#nameEnds();
    if (options.firstFrameTimeout !== undefined) link.#startPhase(options.firstFrameTimeout, () => link.#firstFrameExpired());
    try {
      link.#handler = accept(link);
    } catch (error) {
      link.#fail('the acceptor of links threw', error);
    }
  }

  private constructor(
    world: LinkWorld, socket: ByteSocket, state: 'connecting' | 'up', remote: ParsedAddress | undefined, handler: LinkHandler, options: LinkOptions,
  ) {
    this.#world = world;
    this.#socket = socket;
    this.#state = state;
    this.#remote = remote;
    this.#handler = handler;
    this.#options = options;
    this.#framer = new Framer(options.framing);
    this.#outbox = new Outbox(world.pool);
    this.#mark = options.highWaterMark ?? HIGH_WATER_MARK;
    this.#limit = options.maxQueued ?? Infinity;
    this.lastHeard = this.lastSent = world.clock.now();
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('drain', this.#written);
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#broken(error));
    socket.on('close', () => this.#closed());
  }

  get local(): TransportAddress {
    return this.#local ?? formatAddress(this.#world.scheme, '0.0.0.0', 0);
  }

  get peer(): TransportAddress {
    const { host, port } = this.#remote ?? { host: '0.0.0.0', port: 0 };
    return (this.#peer ??= formatAddress(this.#world.scheme, host, port));
  }

  get queued(): number {
    return this.#state === 'down' ? 0 : this.#outbox.bytes + this.#socket.writableLength;
  }

  get writable(): boolean {
    return this.#writable && this.#isOpen();
  }

  send(frame: Uint8Array): boolean {
    if (frame.length < BY_REFERENCE) {
      const { bytes, offset } = this.reserve(frame.length);
      bytes.set(frame, offset);
    } else if (this.#isOpen()) {
      this.#outbox.append(frame);
      this.#queued();
    }
    return this.writable;
  }

  reserve(length: number): { readonly bytes: Buffer; readonly offset: number } {
    if (!this.#isOpen()) return unseen(length);
    const room = this.#outbox.reserve(length);
    this.#queued();
    return this.#state === 'down' ? unseen(length) : room; // down: that was one frame too many
  }

  flushSoon(): void {
    if (this.#flushDue || !this.#isOpen()) return;
    this.#flushDue = true;
    this.#world.clock.defer(this.#flushTask);
  }

  pause(): void {
    if (!this.#isOpen()) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isOpen()) return;
    this.#paused = false;
    if (this.#begunAt !== undefined) this.#begunAt = this.#world.clock.now(); // it was not the peer that was slow
    if (this.#rest === undefined) this.#socket.resume();
  }

  close(): void {
    if (this.#isOpen()) this.#close(new TransportError('LINK_CLOSED', `the link with ${this.peer} was closed here`));
  }

  destroy(reason: TransportError): void {
    if (this.#state === 'down') return;
    if (this.#state === 'connecting') this.#socket.destroy();
    else this.#socket.resetAndDestroy(); // the peer must not take it for an orderly end
    this.#finish(reason);
  }

  #isOpen(): boolean {
    return this.#state === 'up' || (this.#state === 'connecting' && this.#closedFor === undefined);
  }

  // Outgoing

  #queued(): void {
    if (this.#outbox.bytes + this.#backlog > this.#mark) this.#checkQueue();
    this.flushSoon();
  }

  #checkQueue(): void {
    const queued = this.queued;
    this.#backlog = queued - this.#outbox.bytes;
    if (queued > this.#mark) this.#writable = false;
    if (queued <= this.#limit) return;
    this.#world.logger.warn({ peer: this.peer, queued, limit: this.#limit }, 'the peer does not read: link destroyed');
    this.destroy(new TransportError('QUEUE_OVERFLOW', `more than ${this.#limit} bytes wait for ${this.peer}`));
  }

  readonly #flushTask = (): void => {
    if (this.#state === 'up' && this.#handler.beforeWrite !== undefined) this.#tell('beforeWrite');
    this.#flushDue = false;
    if (this.#state !== 'up') return;
    this.#flush();
    this.#relieve();
  };

  #flush(): void {
    if (this.#outbox.bytes === 0) return;
    this.#outbox.flush(this.#socket, this.#writable ? undefined : this.#written);
    this.lastSent = this.#world.clock.now();
    this.#backlog = this.#socket.writableLength;
    if (this.#backlog === 0) this.#outbox.rest();
  }

  readonly #written = (): void => {
    if (this.#state === 'down') return;
    this.#backlog = this.#socket.writableLength;
    this.#relieve();
  };

  #relieve(): void {
    if (this.#writable || this.#state !== 'up' || this.#outbox.bytes + this.#backlog > this.#mark) return;
    this.#writable = true;
    this.#tell('drain');
  }

  // Incoming

  #read(chunk: Buffer): void {
    if (this.#state !== 'up') return;
    this.lastHeard = this.#world.clock.now();
    this.#take(chunk, this.#options.sliceTime === undefined ? undefined : this.#mayGoOn);
  }

  #take(chunk: Buffer, mayGoOn?: () => boolean): void {
    this.#framed = false;
    this.#sliceBegan = this.#world.clock.now();
    try {
      const taken = this.#framer.push(chunk, this.#sink, mayGoOn);
      if (taken < chunk.length && this.#state === 'up') this.#takeLater(chunk.subarray(taken));
    } catch (error) {
      return this.#misframed(error);
    }
    if (this.#framed) {
      this.#greeted = true;
      if (this.#handler.chunkEnd !== undefined) this.#tell('chunkEnd');
    }
    if (this.#options.frameTimeout !== undefined) this.#watchFrame(this.#options.frameTimeout);
  }

  readonly #mayGoOn = (): boolean => this.#world.clock.now() - this.#sliceBegan < (this.#options.sliceTime ?? Infinity);

  #takeLater(rest: Buffer): void {
    this.#rest = rest;
    this.#socket.pause();
    this.#world.clock.defer(() => {
      this.#takeRest(this.#mayGoOn);
      if (this.#rest === undefined && !this.#paused && this.#state === 'up') this.#socket.resume();
    });
  }

  #takeRest(mayGoOn?: () => boolean): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined && this.#state === 'up') this.#take(rest, mayGoOn);
  }

  readonly #sink = (bytes: Buffer, start: number, end: number): void => {
    if (this.#state !== 'up') return;
    this.#framed = true;
    try {
      this.#handler.frame(bytes, start, end);
    } catch (error) {
      this.#fail('the handler of its frames threw', error);
    }
  };

  #misframed(error: unknown): void {
    this.#world.logger.warn({ peer: this.peer, err: error }, 'the peer sent what makes no frames: link destroyed');
    this.destroy(new TransportError('PEER_MISBEHAVED', `${this.peer} sent what makes no frames`, { cause: error }));
  }

  /** One timer at most, whatever the number of frames: it looks at the frame that is incomplete when it expires. */
  #watchFrame(timeout: Milliseconds): void {
    if (this.#state !== 'up' || this.#framer.pending === 0) {
      this.#begunAt = undefined;
      return;
    }
    if (this.#framed || this.#begunAt === undefined) this.#begunAt = this.lastHeard;
    if (this.#frameTimer === undefined) this.#startFrameTimer(timeout, timeout);
  }

  #startFrameTimer(delay: Milliseconds, timeout: Milliseconds): void {
    const { clock } = this.#world;
    this.#frameTimer = clock.setTimeout(() => clock.defer(() => this.#frameExpired(timeout)), delay);
  }

  #frameExpired(timeout: Milliseconds): void {
    this.#frameTimer = undefined;
    if (this.#state !== 'up' || this.#begunAt === undefined) return;
    const remaining = this.#begunAt + timeout - this.#world.clock.now();
    if (this.#paused || remaining > 0) this.#startFrameTimer(this.#paused ? timeout : remaining, timeout);
    else this.#idle(`a frame of ${this.peer} was not whole after ${timeout} ms`);
  }

  #firstFrameExpired(): void {
    if (this.#state === 'up' && !this.#greeted && !this.#paused) this.#idle(`${this.peer} sent no frame`);
  }

  #idle(what: string): void {
    this.#world.logger.warn({ peer: this.peer }, `${what}: link destroyed`);
    this.destroy(new TransportError('IDLE_LINK', what));
  }

  // Its life

  #connected(): void {
    if (this.#state !== 'connecting') return;
    this.#stopPhase();
    this.#state = 'up';
    this.lastHeard = this.#world.clock.now();
    this.#nameEnds();
    if (this.#closedFor !== undefined) return this.#close(this.#closedFor);
    this.#tell('up');
    this.#flushTask();
  }

  #connectExpired(): void {
    if (this.#state === 'connecting') this.destroy(new TransportError('CONNECT_TIMEOUT', `${this.peer} did not answer in time`));
  }

  #nameEnds(): void {
    const { localAddress = '0.0.0.0', localPort = 0, remoteAddress = '0.0.0.0', remotePort = 0 } = this.#socket;
    this.#local = formatAddress(this.#world.scheme, plain(localAddress), localPort);
    if (this.#remote === undefined) this.#peer = formatAddress(this.#world.scheme, plain(remoteAddress), remotePort);
  }

  /** In order, and within a bound. Until the peer has closed too we read on: closing with bytes unread would reset what is still on its way to it. */
  #close(reason: TransportError): void {
    this.#closedFor = reason;
    if (this.#state === 'connecting') return;
    this.#flush();
    this.#state = 'closing';
    this.#socket.end();
    this.#socket.resume();
    this.#startPhase(CLOSE_TIMEOUT, () => this.destroy(reason));
  }

  /** The peer sends no more; what is queued for it may still be written. */
  #ended(): void {
    this.#takeRest(); // node's sockets end while they are paused, too
    if (this.#state !== 'up') return;
    const reason = this.#framer.pending > 0
      ? new TransportError('LINK_LOST', `the link with ${this.peer} ended within a frame`)
      : new TransportError('LINK_CLOSED', `${this.peer} closed the link`);
    this.#flush();
    if (this.#socket.writableLength > 0) return this.#close(reason);
    this.#socket.destroy();
    this.#finish(reason);
  }

  #broken(error: NetworkError): void {
    this.#takeRest();
    if (this.#state === 'down') return;
    const code = this.#state === 'connecting' ? connectCode(error) : 'LINK_LOST';
    const what = this.#state === 'connecting' ? 'cannot connect to' : 'lost the link with';
    this.#socket.destroy();
    this.#finish(this.#closedFor ?? new TransportError(code, `${what} ${this.peer}: ${error.code ?? error.message}`, { cause: error }));
  }

  #closed(): void {
    this.#takeRest();
    if (this.#state !== 'down') this.#finish(this.#closedFor ?? new TransportError('LINK_LOST', `the link with ${this.peer} is gone`));
  }

  #finish(reason: TransportError): void {
    const { clock } = this.#world;
    this.#state = 'down';
    this.#stopPhase();
    clock.clearTimeout(this.#frameTimer);
    this.#outbox.clear();
    this.#gone?.();
    clock.defer(() => this.#down(reason)); // not from inside of a call of ours
  }

  #down(reason: TransportError): void {
    try {
      this.#handler.down(reason);
    } catch (error) {
      this.#world.logger.error({ peer: this.peer, err: error }, 'the handler of a link that is down threw');
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
    this.#world.logger.error({ peer: this.peer, err: error }, `${what}: link destroyed`);
    this.destroy(new TransportError('PEER_MISBEHAVED', `the link with ${this.peer} was destroyed: ${what}`, { cause: error }));
  }

  /** Judged after the poll phase: when a process wakes up, timers run before the input that came meanwhile (D-29). */
  #startPhase(delay: Milliseconds, expired: () => void): void {
    const { clock } = this.#world;
    this.#stopPhase();
    this.#phaseTimer = clock.setTimeout(() => clock.defer(() => this.#state === 'down' || expired()), delay);
  }

  #stopPhase(): void {
    this.#world.clock.clearTimeout(this.#phaseTimer);
    this.#phaseTimer = undefined;
  }
}

const HIGH_WATER_MARK = 0x4_0000;
const BY_REFERENCE = 0x4000; // from this length on a frame is not copied
const CONNECT_TIMEOUT = 1000;
const CLOSE_TIMEOUT = 1000;

/** For a frame that is dropped. */
const unseen = (length: number): { bytes: Buffer; offset: number } => ({ bytes: Buffer.allocUnsafe(length), offset: 0 });

const NOBODY: LinkHandler = { frame: () => undefined, down: () => undefined };

const connectCode = (error: NetworkError): TransportErrorCode => {
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'LOOKUP_FAILED';
  return error.code === 'ETIMEDOUT' ? 'CONNECT_TIMEOUT' : 'CONNECT_FAILED';
};

/** A listener on `::` names its IPv4 peers ::ffff:a.b.c.d. */
const plain = (address: string): string => (address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address);
