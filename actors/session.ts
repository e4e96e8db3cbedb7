import { createActor, type Actor } from 'xstate';
import { checkSend, type ReceivedInfo, type SendOptions } from './session-messages.js';
import type { Output } from '../delivery/held.js';
import type { DeliveryMode } from '../delivery/modes.js';
import { PoisonWatch } from '../delivery/poison.js';
import { copyOf, writeData, type Port } from '../delivery/port.js';
import { UserHalf, type UserHalfOwner } from '../delivery/user-half.js';
import type { Kept, WindowLimits } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { RserpoolError, SessionError, UnknownPoolHandleError, UsageError, type Outcome, type TransportError } from '../errors.js';
import { sessionMachine, type SessionOrder, type SessionTimers } from '../machines/session.js';
import { decodeAsap, encodeAsap, poolHandleFromKey, poolHandleText, type PoolElement } from '../wire/index.js';
import { ASAP_PPID, mapping, offsets, readU32 } from '../wire/mapping.js';
import { decodeSnapshot } from '../wire/snapshot.js';
import { ppidOf, type DataLink, type LinkSession } from './data-link.js';
import type { DataPlane } from './data-plane.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { Recovery, type FailoverCallback } from './recovery.js';
import { codeName } from './service-session.js';

export interface SessionOptions {
  /** Default 'effectively-once'. */
  readonly deliveryMode?: DeliveryMode;
  /** Failover callback (draft §4.5.2): runs after the cookie echo and before anything is resent; awaited, at most 10 s. */
  readonly onFailover?: FailoverCallback;
  /** What is kept at most until it is covered. Default 1024 messages, 1 MiB. */
  readonly window?: Partial<WindowLimits>;
  /** Milliseconds for the first pool element to accept. Default 5000. */
  readonly openTimeout?: Milliseconds;
  /** Milliseconds for one failover in all. Default 30 000. */
  readonly failoverTimeout?: Milliseconds;
  /** Ends the attempt to open; no effect on an open session. */
  readonly signal?: AbortSignal;
}

/** Where a session has moved. */
export interface FailoverInfo {
  /** PE identifiers. */
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
  /** Messages that are sent again. */
  readonly resent: number;
  /** Milliseconds from the failure's notice to the replay. */
  readonly duration: Milliseconds;
  /** Why the last pool element was left; undefined where it asked for it. */
  readonly cause: unknown;
}

export interface SessionEvents {
  /** What the service sends; waits for the first listener. */
  data: (data: Buffer, info: ReceivedInfo) => void;
  /** FAILOVER_INDICATION: the session is served by another pool element. */
  failover: (info: FailoverInfo) => void;
  /** Error.Report: also what a rejected promise says that nobody awaited, with the message that is concerned. */
  error: (error: RserpoolError, details: { readonly undelivered?: Buffer }) => void;
  /** The last event. */
  closed: () => void;
}

/** A session with a pool, as the application has it. */
export type Session = Pick<UserSession,
  'id' | 'poolHandle' | 'epoch' | 'deliveryMode' | 'peIdentifier' | 'actor' | 'on' | 'send' | 'flush' | 'close' | 'destroy' | 'transportInfo'>;

const resolved = Promise.resolve();

/** A session with a pool: moves by itself when its pool element dies (docs/delivery.md). */
export class UserSession implements LinkSession, Port, UserHalfOwner {
  /** The statechart (machines/session.ts). */
  readonly actor: Actor<typeof sessionMachine>;
  /** Hexadecimal, 128 bits. */
  readonly id: string;
  readonly deliveryMode: DeliveryMode;
  touched?: boolean;
  readonly #plane: DataPlane;
  readonly #key: string;
  readonly #options: SessionOptions;
  readonly #half: UserHalf;
  readonly #events: Emitter<SessionEvents>;
  readonly #poison = new PoisonWatch();
  readonly #opened: { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void };
  /** Outputs that came before the first `data` listener. */
  #unheard: Output[] | undefined = [];
  #blocked: { readonly length: number; readonly go: () => void; readonly fail: (error: Error) => void }[] = [];
  #flushes: { readonly needsCover: boolean; readonly done: () => void; readonly fail: (error: Error) => void }[] = [];
  #overdue: unknown;
  #link: DataLink | undefined;
  #number = 0;
  #element: PoolElement | undefined;
  #previous: PoolElement | undefined;
  readonly #avoid = new Set<number>();
  #failedAt: Milliseconds | undefined;
  #cause: unknown;
  #isOver = false;
  #isClosing = false;
  /** On a link, with the replay done (the chart: established, cookieOverdue, closing). */
  #isFlowing = false;
  #isStuck = false;
  #acks: Map<number, () => void> | undefined;

  constructor(plane: DataPlane, key: string, options: SessionOptions) {
    this.#plane = plane;
    this.#key = key;
    this.#options = options;
    this.deliveryMode = options.deliveryMode ?? 'effectively-once';
    const id = Buffer.from(plane.environment.random.bytes(16));
    this.id = id.toString('hex');
    this.#half = new UserHalf(id, this.deliveryMode, { messages: options.window?.messages ?? 1024, bytes: options.window?.bytes ?? 1024 * 1024 }, this);
    this.#events = new Emitter(plane.environment.logger);
    this.#opened = withResolvers();
    this.#opened.promise.catch(() => undefined);
    this.actor = this.#createActor();
  }

  /** @internal Resolves with the session once its first pool element has accepted it. */
  async open(): Promise<this> {
    const { signal } = this.#options;
    const abort = (): void => { this.#over(new SessionError('SESSION_FAILED', 'the attempt to open was aborted', { cause: signal?.reason, outcome: 'not-taken' })); };
    if (signal?.aborted === true) { abort(); } else { signal?.addEventListener('abort', abort, { once: true }); this.actor.start(); }
    try { await this.#opened.promise; } finally { signal?.removeEventListener('abort', abort); }
    return this;
  }

  // ---- the API

  get poolHandle(): string { return poolHandleText(this.#key); }
  /** Raised at every attempt to open the session at a pool element (D-14). */
  get epoch(): number { return this.#half.epoch; }
  /** PE identifier of the one that serves it, or did last. */
  get peIdentifier(): number | undefined { return this.#element?.identifier; }

  on<E extends keyof SessionEvents>(event: E, listener: SessionEvents[E]): Unsubscribe {
    const unsubscribe = this.#events.on(event, listener);
    if (event === 'data' && this.#unheard) {
      const unheard = this.#unheard;
      this.#unheard = undefined;
      for (const output of unheard) this.#deliver(output);
    }
    return unsubscribe;
  }

  /** Sends a message. Resolves, by delivery mode: effectively-once when it is kept (there is room in the window), at-least-once when the
   *  service has handled it, at-most-once when the link has it; with `ack: true` when the application at the service acknowledged it.
   *  Rejects with a SessionError or UsageError whose `outcome` says what is known; nobody need await it (D-4). */
  send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
    try {
      if (this.#isOver) throw new SessionError('SESSION_CLOSED', 'the session is closed', { outcome: 'not-taken' });
      if (this.#isClosing) throw new UsageError('CLOSED', 'close() has been called');
      const length = checkSend(data, options, this.#half.window.limits);
      const payload = typeof data === 'string' ? Buffer.from(data) : copyOf(data); // it is kept (D-22)
      if (this.#blocked.length > 0 || !this.#half.window.hasRoom(length)) return this.#sendLater(payload, options);
      return this.#take(payload, options);
    } catch (error) {
      return this.#rejected(error as RserpoolError, undefined);
    }
  }

  /** Resolves when all that was sent is covered and replied to. Rejects with COOKIE_OVERDUE when everything has been handled and no
   *  state cookie has come for 5 s. */
  flush(): Promise<void> { return this.#settled(true); }

  /** Waits until all that was sent is handled and replied to, then ends the session. Nothing moves any more after that, so a cookie
   *  that covers it is not waited for. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isClosing = true;
    this.actor.send({ type: 'close.request' });
    await this.#settled(false).catch(() => undefined);
    this.#over(undefined);
  }

  /** Ends the session at once; promises that wait are rejected. */
  destroy(): void {
    this.#over(new SessionError('SESSION_CLOSED', 'the session was destroyed'), false);
  }

  /** What the mapping knows of the path: milliseconds, bytes; undefined what is not (yet) known. TCP does not tell its path MTU. */
  transportInfo(): { readonly mapping: 'tcp'; readonly rtt: Milliseconds | undefined; readonly rto: Milliseconds | undefined; readonly pathMtu: number | undefined } {
    const trip = this.#link?.roundTrip;
    return { mapping: 'tcp', rtt: trip?.rtt, rto: trip?.rto, pathMtu: undefined };
  }

  // ---- LinkSession

  frame(bytes: Buffer, start: number, end: number): void {
    const half = this.#half;
    switch (bytes[start + 4]) {
      case mapping.REPLY.type: return half.onReply(bytes, start, end);
      case mapping.DONE.type: return half.onDone(bytes, start);
      case mapping.DATA.type: return ppidOf(bytes, start) === ASAP_PPID ? this.#control(bytes, start, end) : half.onData(bytes, start, end);
      case mapping.WINDOW.type: return half.onWindow(bytes, start);
      case mapping.ACK.type: return half.onAck(bytes, start);
      case mapping.ACCEPT.type: return this.#accepted(bytes, start);
      case mapping.REFUSE.type: return this.#refused(readU32(bytes, start + offsets.REFUSE.code), 0, bytes.toString('utf8', start + offsets.REFUSE.tail, end));
      case mapping.CLOSE.type: return this.#refused(readU32(bytes, start + offsets.CLOSE.code), readU32(bytes, start + offsets.CLOSE.id), bytes.toString('utf8', start + offsets.CLOSE.tail, end));
      case mapping.MOVE.type: return this.#moveAway(undefined);
      default: return this.violation(`frame type ${bytes[start + 4] ?? 0} does not go to a pool user`);
    }
  }

  own(): void { this.#half.own(); }
  commit(): void { /* a pool user's frames need none */ }
  pump(): void { this.#half.pump(); this.moved(); }

  isOn(link: DataLink): boolean { return this.#link === link; }
  linkUp(): void { this.actor.send({ type: 'link.up' }); }

  linkLost(reason: TransportError): void {
    this.#cause = reason;
    if (this.#isFlowing) {
      this.#failedAt ??= this.#plane.environment.clock.now();
      this.#poison.countFailover(this.#half.window.firstInHandling()?.id);
    }
    this.#leaveElement();
  }

  linkDown(reason: TransportError): void {
    if (this.#poison.isPoisoned) this.#poisoned(reason); else this.actor.send({ type: 'link.down', error: reason });
  }

  // ---- Port

  reserve(length: number): { readonly bytes: Buffer; readonly offset: number } { return this.#link!.reserve(length); }
  get congested(): boolean { return this.#link?.congested ?? true; }
  flushSoon(): void { /* what is reserved is written */ }

  // ---- UserHalfOwner

  give(output: Output): void { if (!this.#unheard) return this.#deliver(output);
    output.payload = Buffer.from(output.payload);
    this.#unheard.push(output);
  }

  violation(what: string): void {
    const error = new SessionError('PEER_MISBEHAVED', `pool element ${hex(this.#element?.identifier)}: ${what}`);
    this.#complain(error, {});
    this.#half.close('PROTOCOL_ERROR', what);
    this.#moveAway(error);
  }

  moved(): void {
    const { window } = this.#half;
    while (this.#blocked.length > 0 && window.hasRoom(this.#blocked[0]!.length)) this.#blocked.shift()!.go();
    const isStuck = this.#blocked.length > 0 && this.#half.isStateful && window.allDone;
    if (isStuck !== this.#isStuck) { this.#isStuck = isStuck; this.actor.send({ type: isStuck ? 'window.stuck' : 'window.moved' }); }
    if (this.#flushes.length > 0) this.#checkFlushes();
  }

  acknowledged(entry: Kept): void { this.#acks?.get(entry.id)?.(); this.#acks?.delete(entry.id); }

  lost(entry: Kept): void {
    const error = new SessionError('MESSAGE_LOST', 'an at-most-once message was handed out and is not known to be handled', { cause: this.#cause, outcome: 'unknown' });
    if (entry.settle) entry.settle.reject(error);
    this.#complain(error, { undelivered: entry.payload });
  }

  // ---- sending

  #take(payload: Buffer, options: SendOptions | undefined): Promise<void> {
    const mode = options?.deliver ?? this.deliveryMode;
    const entry = this.#half.send(payload, mode, options?.ppid ?? 0, options?.ack === true);
    if (options !== undefined && !entry.sent) this.#limit(entry, options);
    if (options?.ack === true) return this.#awaitAck(entry, options);
    if (mode === 'effectively-once' || (mode === 'at-most-once' && entry.sent)) return resolved;
    return quiet(new Promise((resolve, reject) => { entry.settle = { resolve, reject }; }));
  }

  #sendLater(payload: Buffer, options: SendOptions | undefined): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      const stop = this.#onLimits(options, (error) => {
        this.#blocked = this.#blocked.filter((one) => one !== waiting);
        waiting.fail(error);
      });
      const waiting = {
        length: payload.length,
        go: (): void => { stop(); this.#take(payload, options).then(resolve, reject); },
        fail: (error: Error): void => { stop(); this.#complain(error as RserpoolError, { undelivered: payload }); reject(error); },
      };
      this.#blocked.push(waiting);
    });
    this.moved();
    return quiet(promise);
  }

  /** `lifetime` and `signal` act until the first transmission: the message is taken back (D-3). */
  #limit(entry: Kept, options: SendOptions): void {
    this.#onLimits(options, (error) => {
      if (entry.sent || entry.covered) return;
      this.#half.window.cover(entry);
      entry.settle?.reject(error);
      this.#complain(error, { undelivered: entry.payload });
      this.moved();
    });
  }

  #onLimits(options: SendOptions | undefined, expire: (error: SessionError) => void): () => void {
    const { lifetime, signal } = options ?? {};
    const { clock } = this.#plane.environment;
    const aborted = (): void => { expire(new SessionError('MESSAGE_ABORTED', 'the message was aborted before it was sent', { cause: signal?.reason, outcome: 'not-taken' })); };
    const timer = lifetime === undefined ? undefined : clock.setTimeout(() => { expire(new SessionError('MESSAGE_EXPIRED', `the message was not sent within its lifetime of ${lifetime} ms`, { outcome: 'not-taken' })); }, lifetime);
    signal?.addEventListener('abort', aborted, { once: true });
    return () => { clock.clearTimeout(timer); signal?.removeEventListener('abort', aborted); };
  }

  #awaitAck(entry: Kept, options: SendOptions): Promise<void> {
    return quiet(new Promise<void>((resolve, reject) => {
      (this.#acks ??= new Map()).set(entry.id, resolve);
      entry.settle = { resolve: () => undefined, reject };
      options.signal?.addEventListener('abort', () => { reject(new SessionError('MESSAGE_ABORTED', 'no longer waiting for the acknowledgement', { cause: options.signal?.reason, outcome: entry.sent ? 'unknown' : 'not-taken' })); }, { once: true });
    }));
  }

  // ---- receiving

  #deliver(output: Output): void {
    if (this.#isOver) return;
    output.from = this.#element?.identifier;
    let pending: PromiseLike<unknown>[] | undefined;
    for (const listener of this.#events.listeners('data')) {
      try {
        const result: unknown = listener(output.payload, output);
        if (result instanceof Promise) (pending ??= []).push(result);
      } catch (error) {
        this.#plane.environment.logger.error({ err: error, session: this.id }, 'a data listener threw');
      }
    }
    if (pending) void this.#consumedLater(pending, output.payload.length); else this.#half.consumed(output.payload.length);
  }

  /** Asynchronous listeners hold the credit of what they work on (D-21). */
  async #consumedLater(pending: readonly PromiseLike<unknown>[], bytes: number): Promise<void> {
    for (const result of await Promise.allSettled(pending)) {
      if (result.status === 'rejected') this.#plane.environment.logger.error({ err: result.reason as unknown, session: this.id }, 'a data listener rejected');
    }
    this.#half.consumed(bytes);
  }

  #control(bytes: Buffer, start: number, end: number): void {
    const { message } = decodeAsap(Buffer.from(bytes.subarray(start + offsets.DATA.tail, end)));
    if (message.type !== 'ASAP_COOKIE') return;
    const stored = { cookie: message.cookie, snapshot: message.snapshot };
    if (message.snapshot) this.#half.onCookie(stored, decodeSnapshot(message.snapshot)); else this.#half.onForeignCookie(stored);
  }

  // ---- what the chart orders

  #createActor(): Actor<typeof sessionMachine> {
    const { environment, timers } = this.#plane;
    const sessionTimers: SessionTimers = {
      open: this.#options.openTimeout ?? timers.registrarWait, failover: this.#options.failoverTimeout ?? 30_000, accept: timers.cookieHandlerTimeout, callback: timers.callbackTimeout, cookieOverdue: COOKIE_OVERDUE,
    };
    const actor = createActor(sessionMachine, {
      clock: environment.clock,
      input: { timers: sessionTimers, hasCallback: this.#options.onFailover !== undefined, fraction: () => environment.random.fraction(), now: () => environment.clock.now() },
    });
    actor.subscribe({ error: (error) => { this.#over(new SessionError('SESSION_FAILED', 'the session failed', { cause: error })); } });
    actor.on('*', (order) => { this.#obey(order); });
    return actor;
  }

  #obey(order: SessionOrder): void {
    switch (order.type) {
      case 'order.resolve': return this.#resolve();
      case 'order.select': return this.#select();
      case 'order.connect': return this.#connect();
      case 'order.open': return this.#open();
      case 'order.report': return this.#report();
      case 'order.detach': return this.#leaveElement();
      case 'order.callback': return void this.#callback();
      case 'order.resend': return this.#resend();
      case 'order.flush': return this.moved();
      case 'order.fail': return this.#over(this.#final(order.error));
    }
  }

  #resolve(): void {
    const { pools } = this.#plane;
    this.#avoid.clear();
    if (!this.#previous && !pools.isStale(this.#key)) return this.actor.send({ type: 'resolved' });
    pools.refresh(this.#key).then(() => { this.actor.send({ type: 'resolved' }); }, (error: unknown) => { this.actor.send({ type: 'resolution.failed', error }); });
  }

  #select(): void {
    const element = this.#plane.pools.pick(this.#key, this.#avoid);
    if (!element || this.#avoid.has(element.identifier) || element.userTransport.transport !== 'tcp') return this.actor.send({ type: 'nothing.selectable' });
    this.#element = element;
    this.actor.send({ type: 'selected' });
  }

  #connect(): void {
    this.#link = this.#plane.linkTo(this.#element!);
    if (this.#poison.suspect !== undefined) this.#link.tolerate(this.#poison.patience(this.#plane.timers.silence));
    this.#number = this.#link.nextNumber();
    this.#link.sessions.set(this.#number, this);
    if (this.#link.isUp) this.actor.send({ type: 'link.up' });
  }

  #open(): void {
    if (!this.#link) return;
    this.#half.open(this, this.#number, poolHandleFromKey(this.#key));
    const { cookie } = this.#half;
    if (cookie) writeData(this, this.#number, 0, ASAP_PPID, 0, encodeAsap({ type: 'ASAP_COOKIE_ECHO', cookie: cookie.cookie, ...(cookie.snapshot && { snapshot: cookie.snapshot }) }));
  }

  #accepted(bytes: Buffer, start: number): void {
    const flags = bytes[start + 5]!;
    this.#half.accepted({ stateful: (flags & mapping.ACCEPT.flags.stateful) !== 0, streaming: (flags & mapping.ACCEPT.flags.streaming) !== 0, credit: readU32(bytes, start + offsets.ACCEPT.credit) });
    this.actor.send({ type: 'session.accepted' });
  }

  #report(): void {
    const element = this.#element;
    if (!element) return;
    this.#avoid.add(element.identifier);
    this.#plane.report(this.#key, element.identifier);
  }

  async #callback(): Promise<void> {
    const { onFailover } = this.#options;
    const { epoch } = this;
    try {
      await onFailover?.(new Recovery(this, this.#half, () => this.epoch === epoch), { from: this.#previous?.identifier ?? 0, to: this.#element?.identifier ?? 0, pending: Recovery.pending(this.#half) });
    } catch (error) {
      this.#complain(new SessionError('SESSION_FAILED', 'the failover callback failed', { cause: error }), {});
    }
    if (this.epoch === epoch) this.actor.send({ type: 'callback.done' });
  }

  #resend(): void {
    const from = this.#previous;
    const { epoch } = this;
    this.#avoid.clear();
    this.#previous = this.#element;
    const resent = this.#half.window.kept().filter(({ sent }) => sent).length;
    this.#isFlowing = true;
    this.#half.resume();
    this.#opened.resolve();
    if (from && this.#element) {
      const now = this.#plane.environment.clock.now();
      const info: FailoverInfo = { from: from.identifier, to: this.#element.identifier, epoch, resent, duration: now - (this.#failedAt ?? now), cause: this.#cause };
      this.#failedAt = this.#cause = undefined;
      this.#events.emit('failover', info);
    }
    this.moved();
  }

  // ---- leaving a pool element, and the end

  #refused(code: number, id: number, reason: string): void {
    const name = codeName(code);
    const isServed = this.#isFlowing;
    if (name === 'NORMAL') return this.#over(new SessionError('SESSION_CLOSED', 'the service has closed the session'));
    if (name === 'GOING_AWAY' && isServed) return this.#moveAway(undefined);
    const error = new SessionError(name === 'COOKIE_REFUSED' || name === 'OUTPUT_LIMIT' || name === 'HANDLER_FAILED' ? name : 'SESSION_FAILED', `pool element ${hex(this.#element?.identifier)}: ${name}: ${reason}`);
    if (name === 'OUTPUT_LIMIT') return this.#giveUp(error);
    if (name === 'HANDLER_FAILED' && id !== 0 && !this.#poison.countThrow(id)) return this.#giveUp(error);
    if (name === 'COOKIE_REFUSED') this.#complain(error, {});
    this.#moveAway(error);
  }

  /** Leaves this pool element for another; nobody is reported unreachable. */
  #moveAway(error: SessionError | undefined): void {
    if (this.#element) this.#avoid.add(this.#element.identifier);
    this.#failedAt ??= this.#plane.environment.clock.now();
    this.#cause = error;
    this.actor.send(error ? { type: 'session.refused', error } : { type: 'session.moved' });
  }

  #leaveElement(): void {
    const link = this.#link;
    if (!link) return;
    if (link.isUp) this.#half.close('NORMAL', this.#isOver ? 'closed' : 'moved');
    link.sessions.delete(this.#number);
    this.#link = undefined;
    this.#isFlowing = false;
    this.#half.leave();
    this.#plane.sessionLeft(link);
  }

  #poisoned(reason: TransportError): void {
    const entry = this.#half.window.firstInHandling();
    const error = new SessionError('POISONED_MESSAGE', `pool elements died three times while they handled the same message`, { cause: reason, outcome: 'unknown' });
    if (entry) this.#complain(error, { undelivered: entry.payload });
    this.#giveUp(error);
  }

  #giveUp(error: SessionError): void { this.actor.send({ type: 'give.up', error }); }

  #final(error: unknown): RserpoolError {
    const wasOpen = this.#previous !== undefined;
    if (error === 'COOKIE_OVERDUE') return new SessionError('COOKIE_OVERDUE', 'the window is full of handled messages and no state cookie has come for 5 s', { outcome: 'handled' });
    if (error instanceof SessionError && (error.code === 'POISONED_MESSAGE' || error.code === 'HANDLER_FAILED' || error.code === 'OUTPUT_LIMIT')) return error;
    if (error instanceof UnknownPoolHandleError && !wasOpen) return error;
    if (error instanceof RserpoolError && !wasOpen && error.code === 'NO_REGISTRAR') return error;
    return wasOpen
      ? new SessionError('FAILOVER_FAILED', `no pool element of ${this.poolHandle} took the session over`, { cause: error })
      : new SessionError('SESSION_FAILED', `no pool element of ${this.poolHandle} accepted the session`, { cause: error, outcome: 'not-taken' });
  }

  /** Everything that waits ends here, with what is known of it (D-30). */
  #over(error: RserpoolError | undefined, complain = true): void {
    if (this.#isOver) return;
    const wasOpen = this.#previous !== undefined;
    this.#isOver = true;
    this.#plane.environment.clock.clearTimeout(this.#overdue);
    if (!wasOpen) this.#opened.reject(error ?? new SessionError('SESSION_CLOSED', 'the session was closed before it was open'));
    this.#leaveElement();
    if (!this.#isIdle) this.#rejectAll(error ?? new SessionError('SESSION_CLOSED', 'the session was closed'));
    this.#plane.sessionOver(this);
    if (this.actor.getSnapshot().status === 'active') this.actor.send({ type: 'destroy.request' });
    if (error && complain && wasOpen && error.code !== 'SESSION_CLOSED') this.#complain(error, {});
    this.#events.emit('closed');
  }

  get #isIdle(): boolean { return this.#half.window.isEmpty && this.#blocked.length === 0 && this.#flushes.length === 0; }

  #rejectAll(reason: RserpoolError): void {
    for (const entry of this.#half.window.kept()) entry.settle?.reject(withOutcome(reason, entry.done ? 'handled' : entry.sent ? 'unknown' : 'not-taken'));
    for (const waiting of this.#blocked.splice(0)) waiting.fail(withOutcome(reason, 'not-taken'));
    for (const flush of this.#flushes.splice(0)) flush.fail(reason);
  }

  // ---- flush

  #settled(needsCover: boolean): Promise<void> {
    if (this.#isOver) return this.#rejected(new SessionError('SESSION_CLOSED', 'the session is closed', { outcome: 'not-taken' }), undefined);
    return quiet(new Promise<void>((done, fail) => {
      this.#flushes.push({ needsCover, done, fail });
      this.#checkFlushes();
    }));
  }

  #checkFlushes(): void {
    const { window, isSettled, isStateful } = this.#half;
    const isHandled = this.#blocked.length === 0 && (isSettled || (window.allDone && window.allSent));
    const isCovered = this.#blocked.length === 0 && isSettled;
    if (isHandled || isCovered) {
      const [ready, waiting] = partition(this.#flushes, ({ needsCover }) => isCovered || !needsCover);
      this.#flushes = waiting;
      for (const { done } of ready) done();
    }
    const { clock } = this.#plane.environment;
    if (this.#flushes.length === 0 || !isHandled || !isStateful) { clock.clearTimeout(this.#overdue); this.#overdue = undefined; return; }
    this.#overdue ??= clock.setTimeout(() => {
      this.#overdue = undefined;
      const error = new SessionError('COOKIE_OVERDUE', 'all messages are handled and no state cookie has covered them for 5 s', { outcome: 'handled' });
      for (const { fail } of this.#flushes.splice(0)) fail(error);
    }, COOKIE_OVERDUE);
  }

  // ---- errors

  #rejected(error: RserpoolError, undelivered: Buffer | undefined): Promise<never> {
    this.#complain(error, undelivered ? { undelivered } : {});
    return quiet(Promise.reject(error));
  }

  /** To the `error` listeners; without one, to the logger (D-4). */
  #complain(error: RserpoolError, details: { readonly undelivered?: Buffer }): void {
    if (!this.#events.emit('error', error, details)) this.#plane.environment.logger.warn({ err: error, session: this.id }, error.message);
  }
}

/** For a cookie when everything is handled. */
const COOKIE_OVERDUE = 5_000;

/** A promise that nobody need await. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
}

function withOutcome(error: RserpoolError, outcome: Outcome): SessionError {
  const code = error instanceof SessionError ? error.code : 'SESSION_FAILED';
  return new SessionError(code, error.message, { cause: error.cause ?? error, outcome });
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

const hex = (identifier: number | undefined): string => identifier === undefined ? 'unknown' : `0x${identifier.toString(16).padStart(8, '0')}`;
