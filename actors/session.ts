import type { Output } from '../delivery/held.js';
import type { DeliveryMode } from '../delivery/modes.js';
import { copyOf, pieceOf } from '../delivery/buffers.js';
import { UserHalf, type UserHalfOwner } from '../delivery/user-half.js';
import type { Kept } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { AbortError, FeatureUnavailableError, SessionError, UsageError, type RserpoolError, type TransportError } from '../errors.js';
import { decodeAsap, poolHandleOf, poolHandleText, type PoolElement } from '../wire/index.js';
import { ASAP_PPID, isLane, isUnordered, laneOf, mapping, MOST_STREAMS, offsets, readU32, streamOf } from '../wire/mapping.js';
import { decodeCoverage } from '../wire/snapshot.js';
import { ppidOf, type DataLink } from './data-link.js';
import type { ErrorReport, PoolElementHandle } from './access-point-events.js';
import type { DataPlane } from './data-plane.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { Ending } from './ending.js';
import { checkUnordered, lacksStreams, laneFor } from './lanes.js';
import { mappingOf, noMapping, sctpMapping, type Mapping } from './mappings.js';
import { Recovery } from './recovery.js';
import { codeName } from './service-session.js';
import { SessionIteration, type Received } from './session-iteration.js';
import { finalError, hex, refusal } from './session-failures.js';
import { checkSend, modeOf, type RequestOptions, type SendOptions } from './session-messages.js';
import { SessionMover, type FailoverInfo, type Meeting, type MoverOwner } from './session-mover.js';
import { SessionRequests, type Reply } from './session-requests.js';
import { COOKIE_OVERDUE, SessionSender, type SenderOwner } from './session-sender.js';
import type { PoolView } from './pool.js';
import type { SessionEvents, SessionOptions } from './session-types.js';
import { deferred, ending, quiet, type EndOptions } from './waiting.js';

/** A session with a pool, as the application has it. */
export type Session = Pick<UserSession,
  'id' | 'poolHandle' | 'epoch' | 'deliveryMode' | 'peIdentifier' | 'actor' | 'on' | 'send' | 'flush' | 'close' | 'destroy' | 'transportInfo' | 'request' | typeof Symbol.asyncIterator | typeof Symbol.asyncDispose>;

/** A session with a pool: moves by itself when its pool element dies (docs/delivery.md). Here its halves meet: what is kept and given out
 *  (delivery/user-half.ts), the promises (session-sender.ts), the chart that moves it (session-mover.ts), the frames of its link. */
export class UserSession implements MoverOwner, SenderOwner, UserHalfOwner {
  // In this order: first what each message needs, so that it lies together.
  readonly half: UserHalf;
  readonly #sender: SessionSender;
  #isOver = false;
  #isOpen = false;
  touched?: boolean = false;
  #closing: Promise<void> | undefined;
  #requests: SessionRequests | undefined;
  /** Outputs that came before the first `data` listener. */
  #unheard: Output[] | undefined = [];
  /** The only `data` listener; undefined where there are none or several. */
  #listener: SessionEvents['data'] | undefined;
  /** PE handle of the one that serves it, or did last. */
  #servedBy: PoolElementHandle | undefined;
  /** Hexadecimal, 128 bits. */
  readonly id: string;
  readonly #plane: DataPlane;
  readonly #key: string;
  /** It has one pool element, and no other. */
  readonly #stays: boolean;
  readonly #options: SessionOptions;
  readonly #events: Emitter<SessionEvents>;
  readonly #mover: SessionMover;
  readonly #opened = deferred<void>();
  /** The last refusal of the state cookie in this failover, and who has refused it (PE identifiers). */
  #cookieRefusal: SessionError | undefined;
  readonly #refusedBy = new Set<number>();
  #failure: RserpoolError | undefined;
  readonly #ending = new Ending();

  constructor(plane: DataPlane, key: string, options: SessionOptions, { meeting, pools = plane.pools }: { readonly meeting?: Meeting | undefined; readonly pools?: PoolView } = {}) {
    const { environment, timers } = plane;
    const id = meeting?.id ?? Buffer.from(environment.random.bytes(16));
    this.#plane = plane;
    this.#key = key;
    this.#stays = pools.stays === true;
    this.#options = options;
    this.id = id.toString('hex');
    this.#events = new Emitter(environment.logger);
    this.half = new UserHalf(id, options.deliveryMode ?? 'effectively-once', { messages: options.window?.messages ?? 1024, bytes: options.window?.bytes ?? 1024 * 1024 }, this, meeting?.epoch);
    this.#sender = new SessionSender(this.half, environment.clock, this);
    this.#mover = new SessionMover(plane, pools, key, this, {
      open: options.openTimeout ?? timers.registrarWait, failover: options.failoverTimeout ?? 30_000,
      accept: 2 * timers.cookieHandlerTimeout + 1_000, callback: timers.callbackTimeout, cookieOverdue: COOKIE_OVERDUE,
    }, options.maxAttempts ?? MAX_ATTEMPTS, meeting);
  }

  /** Resolves with the session once its first pool element has accepted it. */
  async open(): Promise<this> {
    const { signal } = this.#options;
    const abort = (): void => { if (signal !== undefined) this.#over(new AbortError(signal)); };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) abort(); else this.#mover.actor.start();
    try { await this.#opened.promise; } finally { signal?.removeEventListener('abort', abort); }
    return this;
  }

  // ---- the API

  /** As asked for; at-least-once after a cookie of which nobody knows what it contains (D-24). */
  get deliveryMode(): DeliveryMode { return this.half.mode; }
  get poolHandle(): string { return poolHandleText(this.#key); }
  /** Raised at every attempt to open the session at a pool element (D-14). */
  get epoch(): number { return this.half.epoch; }
  /** PE identifier of the one that serves it, or did last. */
  get peIdentifier(): number | undefined { return this.#mover.element?.identifier; }
  /** The statechart (machines/session.ts). */
  get actor(): SessionMover['actor'] {
    this.#mover.catchUp();
    return this.#mover.actor;
  }

  on<E extends keyof SessionEvents>(event: E, listener: SessionEvents[E]): Unsubscribe {
    const unsubscribe = this.#events.on(event, listener);
    if (event !== 'data') return unsubscribe;
    this.#listenersChanged();
    const unheard = this.#unheard;
    this.#unheard = undefined;
    for (const output of unheard ?? []) this.#deliver(output);
    return () => { unsubscribe(); this.#listenersChanged(); };
  }

  #listenersChanged(): void {
    const listeners = this.#events.listeners('data');
    this.#listener = listeners.length === 1 ? listeners[0] : undefined;
  }

  /** Sends a message. Resolves, by delivery mode: effectively-once when it is kept (there is room in the window), at-least-once when the
   *  service has handled it, at-most-once when the link has it; with `ack: true` when the application at the service acknowledged it.
   *  Rejects with a SessionError or UsageError whose `outcome` says what is known; nobody need await it (D-4). */
  send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
    try {
      this.#checkSending();
      if (options?.ack === true) this.#checkFrames('ack');
      const length = checkSend(data, options, this.half.window.limits);
      if (options?.stream !== undefined || options?.unordered !== undefined) this.#checkLane(length, options);
      return this.#sender.send(typeof data === 'string' ? Buffer.from(data) : data, options); // copied where it is kept (D-22)
    } catch (error) {
      return this.#rejected(error as RserpoolError);
    }
  }

  /** Sends a message and resolves with its reply, the first if there are several; across failovers, where the delivery mode has it sent again. That reply is
   *  no `'data'`. Rejects with NO_REPLY when the service has handled it without one, with REQUEST_TIMEOUT or REQUEST_ABORTED, or when the session ends. */
  request(data: Uint8Array | string, options?: RequestOptions): Promise<Reply> {
    try {
      this.#checkSending();
      this.#checkFrames('request()');
      const length = checkSend(data, options, this.half.window.limits, 'request');
      if (options?.stream !== undefined || options?.unordered !== undefined) this.#checkLane(length, options);
      return this.#sender.send(typeof data === 'string' ? Buffer.from(data) : data, options, (this.#requests ??= new SessionRequests((error) => { this.complain(error, {}); })));
    } catch (error) {
      return this.#rejected(error as RserpoolError);
    }
  }

  /** What the service sends, pulled: a message is done with when the next one is asked for. Ends with the session; throws when it fails. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received> { return new SessionIteration(this); }

  /** Resolves when all that was sent is covered and replied to. Rejects with COOKIE_OVERDUE when everything has been handled and no
   *  state cookie has come for 5 s. `signal` ends the wait. */
  flush(options: EndOptions = {}): Promise<void> {
    return quiet(ending('flush', options, () => this.#isOver ? this.#rejected(new SessionError('SESSION_CLOSED', 'the session is closed', { outcome: 'not-taken' })) : this.#sender.settled(true)));
  }

  /** Waits until all that was sent is handled and replied to, then ends the session. Nothing moves any more after that, so a cookie
   *  that covers it is not waited for. `signal` ends the wait; the session goes on closing, or is ended at once by `destroy`. */
  close(options: EndOptions = {}): Promise<void> {
    return quiet(ending('close', options, () => (this.#closing ??= this.#close())));
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  async #close(): Promise<void> {
    if (this.#isOver) return;
    this.#mover.send({ type: 'close.request' });
    await this.#sender.settled(false).catch(() => undefined);
    this.#mover.send({ type: 'settled' });
    this.#over(undefined);
  }

  /** Ends the session at once; promises that wait are rejected. */
  destroy(): void { this.#over(undefined); }

  /** What the mapping knows of the path: milliseconds, bytes; undefined what is not (yet) known. TCP does not tell its path MTU. `mapping` is that of the pool element. */
  transportInfo(): { readonly mapping: Mapping['name']; readonly rtt: Milliseconds | undefined; readonly rto: Milliseconds | undefined; readonly pathMtu: number | undefined } {
    const { element, link } = this.#mover;
    const { rtt, rto, pathMtu } = link?.path ?? {};
    return { mapping: element === undefined ? 'none' : mappingOf(element).name, rtt, rto, pathMtu };
  }

  get isOver(): boolean { return this.#isOver; }
  /** Why it has ended, where that was not in order. */
  get failure(): RserpoolError | undefined { return this.#failure; }

  // ---- LinkSession

  frame(bytes: Buffer, start: number, end: number): void {
    const { half } = this;
    if (laneOf(bytes, start) !== 0 && this.#mover.link?.knowsStreams === true && bytes[start + 4] !== mapping.CLOSE.type) return this.#sideFrame(half, laneOf(bytes, start), bytes, start, end);
    switch (bytes[start + 4]) {
      case mapping.REPLY.type: return half.onReply(bytes, start, end);
      case mapping.DONE.type: return half.onDone(bytes, start);
      case mapping.DATA.type: return ppidOf(bytes, start) === ASAP_PPID ? this.#control(bytes, start, end) : half.onData(bytes, start, end);
      case mapping.WINDOW.type: return half.onWindow(bytes, start);
      case mapping.ACK.type: return half.onAck(bytes, start);
      case mapping.ACCEPT.type: return this.#accepted(bytes, start);
      case mapping.REFUSE.type: return this.#refused(readU32(bytes, start + offsets.REFUSE.code), 0, bytes.toString('utf8', start + offsets.REFUSE.tail, end));
      case mapping.CLOSE.type: {
        const [code, id, lane, reason] = [readU32(bytes, start + offsets.CLOSE.code), readU32(bytes, start + offsets.CLOSE.id), laneOf(bytes, start), bytes.toString('utf8', start + offsets.CLOSE.tail, end)] as const;
        return this.#ending.frame(half.epoch, bytes, start, () => { this.#refused(code, id, reason, lane); });
      }
      case mapping.MOVE.type: return this.#ending.frame(half.epoch, bytes, start, () => { this.#mover.moveAway(undefined); });
      default: return this.violation(`frame type ${bytes[start + 4] ?? 0} does not go to a pool user`);
    }
  }

  #sideFrame(half: UserHalf, lane: number, bytes: Buffer, start: number, end: number): void {
    const type = bytes[start + 4]!;
    if (!isLane(lane)) return this.violation(`stream ${streamOf(lane)}; there are ${MOST_STREAMS}`);
    switch (type === mapping.DATA.type && ppidOf(bytes, start) === ASAP_PPID ? 0 : type) {
      case mapping.REPLY.type: return half.laneOf(lane).onReply(bytes, start, end);
      case mapping.DONE.type: return half.laneOf(lane).onDone(bytes, start);
      case mapping.DATA.type: return half.laneOf(lane).onData(bytes, start, end);
      case mapping.WINDOW.type: return half.laneOf(lane).onWindow(bytes, start);
      case mapping.ACK.type: return half.laneOf(lane).onAck(bytes, start);
      default: return this.violation(`frame type ${type} does not go on stream ${streamOf(lane)}`);
    }
  }

  get keepsPieces(): boolean { return this.half.keepsPieces; }
  own(): void { this.half.own(); }
  commit(): void { /* a pool user's frames need none */ }
  pump(): void { this.half.pump(); this.#sender.moved(); }

  isOn(link: DataLink): boolean { return this.#mover.link === link; }
  linkUp(): void { this.#mover.linkUp(); }
  linkLost(reason: TransportError): void { this.#mover.linkLost(reason); }
  linkDown(reason: TransportError): void { if (!this.#mover.linkDown(reason)) this.#poisoned(reason); }

  // ---- UserHalfOwner

  give(output: Output): void {
    if (this.#requests !== undefined && this.#answers(this.#requests, output)) return;
    if (!this.#unheard) return this.#deliver(output);
    output.payload = copyOf(output.payload);
    this.#unheard.push(output);
  }

  violation(what: string): void {
    const error = new SessionError('PEER_MISBEHAVED', `pool element ${hex(this.peIdentifier)}: ${what}`);
    this.complain(error, {});
    this.half.close('PROTOCOL_ERROR', what);
    this.#mover.moveAway(error);
  }

  acknowledged(id: number, lane: number): void { this.#sender.acknowledged(id, lane); }

  lost(entry: Kept): void {
    const error = new SessionError('MESSAGE_LOST', 'an at-most-once message was handed out and is not known to be handled', { cause: this.#mover.cause, outcome: 'unknown' });
    entry.settle?.reject(error);
    this.complain(error, { undelivered: entry.payload });
  }

  // ---- SenderOwner, MoverOwner

  moved(info?: FailoverInfo): void {
    if (info) this.#elementChanged();
    this.#requests?.moved();
    this.#sender.moved();
    if (info) this.#events.emit('failover', info);
    else if (!this.#isOpen && this.#mover.isFlowing) this.#open();
  }

  stuck(isStuck: boolean): void { this.#mover.send({ type: isStuck ? 'window.stuck' : 'window.moved' }); }

  /** To the `error` listeners; without one, to the logger (D-4). */
  complain(error: RserpoolError, details: ErrorReport): void {
    if (!this.#events.emit('error', error, { destination: this.#servedBy, ...details })) this.#plane.environment.logger.warn({ err: error, session: this.id }, error.message);
  }

  selected({ identifier }: PoolElement): void {
    if (identifier !== this.#servedBy?.identifier) this.#servedBy = { handle: poolHandleOf(this.#key), identifier };
  }

  get hasCallback(): boolean { return this.#options.onFailover !== undefined; }

  /** Draft §4.5.2. What it leaves waiting is handed out before the replay. One that fails costs nobody the session. */
  async runCallback(from: number, to: number): Promise<void> {
    const recovery = new Recovery(this, this.half);
    try {
      await this.#options.onFailover?.(recovery, { from, to, pending: recovery.pending() });
      await recovery.handedOut();
    } catch (error) {
      if (recovery.isCurrent) this.complain(new SessionError('CALLBACK_FAILED', 'the failover callback failed; the session goes on without it', { cause: error }), {});
    }
  }

  callbackOverdue(): void {
    this.complain(new SessionError('CALLBACK_OVERDUE', `the failover callback has not settled within ${this.#plane.timers.callbackTimeout} ms; the session goes on without it`), {});
  }

  failed(error: unknown): void { this.#over(finalError(error, { wasOpen: this.#isOpen, stays: this.#stays, peIdentifier: this.peIdentifier, poolHandle: this.poolHandle, cookieRefusal: this.#cookieRefusal, attempts: this.#mover.attempts.failed })); }

  // ---- receiving


  #answers(requests: SessionRequests, output: Output): boolean {
    output.from = this.#servedBy;
    if (!requests.takes(output)) return false;
    this.half.consumed(output.payload.length);
    return true;
  }

  #deliver(output: Output): void {
    if (this.#isOver) return;
    output.from = this.#servedBy;
    const bytes = output.payload.length;
    const pending = this.#listener === undefined ? this.#tellAll(output) : this.#tell(this.#listener, output);
    if (pending === undefined) this.half.consumed(bytes); else void pending.then(() => { this.half.consumed(bytes); }); // asynchronous listeners hold the credit of what they work on (D-21)
  }

  #tellAll(output: Output): Promise<unknown> | undefined {
    const pending = this.#events.listeners('data').flatMap((listener) => this.#tell(listener, output) ?? []);
    return pending.length === 0 ? undefined : Promise.all(pending);
  }

  /** @returns a promise where the listener gave one; it never rejects. */
  #tell(listener: SessionEvents['data'], output: Output): Promise<unknown> | undefined {
    try {
      const result: unknown = listener(output.payload, output);
      return result !== undefined && result instanceof Promise ? result.catch((error: unknown) => { this.#listenerFailed('rejected', error); }) : undefined;
    } catch (error) {
      this.#listenerFailed('threw', error);
      return undefined;
    }
  }

  #listenerFailed(how: string, error: unknown): void {
    this.#plane.environment.logger.error({ err: error, session: this.id }, `a data listener ${how}`);
  }

  #control(bytes: Buffer, start: number, end: number): void {
    const { message } = decodeAsap(copyOf(pieceOf(bytes, start + offsets.DATA.tail, end))); // the cookie is kept
    if (message.type !== 'ASAP_COOKIE') return;
    const stored = { cookie: message.cookie, snapshot: message.snapshot };
    if (message.snapshot) this.half.onCookie(stored, decodeCoverage(message.snapshot)); else this.half.onForeignCookie(stored);
  }

  #accepted(bytes: Buffer, start: number): void {
    if (this.#mover.isSucceeded) return this.#mover.leaveSucceeded(new SessionError('ELEMENT_UNREACHABLE', `another pool element is where ${hex(this.peIdentifier)} was`, { outcome: 'not-taken' }));
    if (this.half.hasLanes && this.#mover.link?.knowsStreams !== true) return this.#mover.moveAway(new SessionError('ELEMENT_UNREACHABLE', `pool element ${hex(this.peIdentifier)} does not know of streams, which the session has used`, { outcome: 'not-taken' }));
    if (this.#mover.link?.isPlain === true) this.#goPlain();
    const flags = bytes[start + 5]!;
    const { stateful, streaming } = mapping.ACCEPT.flags;
    this.half.accepted({ stateful: (flags & stateful) !== 0, streaming: (flags & streaming) !== 0, credit: readU32(bytes, start + offsets.ACCEPT.credit) });
    this.#mover.accepted();
  }

  /** What only our frames can say is waited for no longer. */
  #goPlain(): void {
    this.half.weaken();
    this.#sender.refuseAcks(new FeatureUnavailableError('ack', WITHOUT_FRAMES));
    this.#requests?.refuse(new SessionError('NO_REPLY', 'the session has moved to a pool element whose replies are data; the message goes on', { cause: new FeatureUnavailableError('request()', WITHOUT_FRAMES) }));
  }

  // ---- leaving a pool element, and the end

  #open(): void {
    this.#isOpen = true;
    this.#opened.resolve();
  }

  #refused(code: number, id: number, reason: string, lane = 0): void {
    const name = codeName(code);
    if (name === 'NORMAL') return this.#over(new SessionError('SESSION_CLOSED', 'the service has closed the session'));
    if (name === 'GOING_AWAY' && this.#mover.isFlowing) return this.#mover.moveAway(undefined);
    const error = refusal(name, this.peIdentifier, reason);
    if (name === 'OUTPUT_LIMIT' || (name === 'HANDLER_FAILED' && this.#mover.isFlowing && !this.#mover.countThrow(lane, id))) return this.#giveUp(error);
    if (name === 'COOKIE_REFUSED') this.#cookieRefused(error);
    this.#mover.moveAway(error);
  }

  /** Told once of each pool element in a failover: they are tried again until its time is over, since keys may be on their way to them (D-26). */
  #cookieRefused(error: SessionError): void {
    this.#cookieRefusal = error;
    if (this.peIdentifier === undefined || this.#refusedBy.has(this.peIdentifier)) return;
    this.#refusedBy.add(this.peIdentifier);
    this.complain(error, {});
  }

  #elementChanged(): void {
    this.#cookieRefusal = undefined;
    this.#refusedBy.clear();
    this.#sender.elementChanged();
  }

  #poisoned(reason: TransportError): void {
    const what = this.#mover.suspectsCallback ? 'what the failover callback sends' : 'the same message';
    this.#giveUp(new SessionError('POISONED_MESSAGE', `pool elements died three times while they handled ${what}`, { cause: reason, outcome: 'unknown' }));
  }

  #giveUp(error: SessionError): void { this.#mover.send({ type: 'give.up', error }); }

  #over(error: RserpoolError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error?.code !== 'SESSION_CLOSED') this.#failure = error;
    const reason = (): RserpoolError => error ?? new SessionError('SESSION_CLOSED', 'the session is closed');
    if (!this.#isOpen) this.#opened.reject(reason());
    this.#mover.leave('closed');
    this.#sender.end(reason, this.#failure !== undefined);
    this.#plane.sessionOver(this);
    this.#mover.send({ type: 'destroy.request' });
    if (error && this.#isOpen && error.code !== 'SESSION_CLOSED') this.complain(error, {});
    this.#events.emit('closed');
  }

  /** While the session is on its way the element that it was at decides. */
  #checkLane(length: number, options: SendOptions): void {
    const lane = laneFor('send', options);
    if (isUnordered(lane)) checkUnordered(length, (options.deliver === undefined ? this.half.mode : modeOf(options.deliver)) === 'effectively-once');
    if (lane === 0) return;
    const { link, element } = this.#mover;
    const { name } = element === undefined ? noMapping : mappingOf(element);
    if (name !== sctpMapping.name) throw lacksStreams(lane, `mapping ${name}`);
    if (link?.isGreeted === true && !link.hasStreams) throw lacksStreams(lane, `mapping ${name} towards pool element ${hex(this.peIdentifier)}, which does not know of it`);
  }

  #checkSending(): void {
    if (this.#isOver) throw new SessionError('SESSION_CLOSED', 'the session is closed', { outcome: 'not-taken' });
    if (this.#closing !== undefined) throw new UsageError('CLOSED', 'close() has been called');
  }

  /** @throws FeatureUnavailableError: which reply, or acknowledgement, is whose is said by our frames alone. */
  #checkFrames(feature: string): void {
    if (this.#mover.link?.isPlain === true) throw new FeatureUnavailableError(feature, WITHOUT_FRAMES);
  }

  #rejected(error: RserpoolError): Promise<never> {
    this.complain(error, {});
    return quiet(Promise.reject(error));
  }
}

const MAX_ATTEMPTS = 256;
const WITHOUT_FRAMES = 'mapping sctp towards a pool element that does not speak our frames';
