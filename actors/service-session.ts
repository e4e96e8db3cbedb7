import { AsyncLocalStorage } from 'node:async_hooks';
import { createActor, type Actor } from 'xstate';
import { deliveryModes, type DeliveryMode } from '../delivery/modes.js';
import type { Incoming } from '../delivery/incoming.js';
import type { Port } from '../delivery/port.js';
import { ServiceHalf, type Coverage, type ServiceHalfOwner } from '../delivery/service-half.js';
import { isThenable } from '../delivery/service-lane.js';
import type { Milliseconds } from '../environment.js';
import { SessionError, type TransportError, UsageError, type RserpoolError } from '../errors.js';
import { NO_STATE, serviceMachine, type ServiceEvent, type ServiceOrder } from '../machines/service.js';
import { schemeOf } from '../transports/address.js';
import { decodeAsap, encodeAsap, poolHandleOf } from '../wire/index.js';
import { ASAP_PPID, closeCodes, features, isLane, laneOf, mapping, MOST_STREAMS, offsets, readU32, streamOf, type CloseCode, type Frame } from '../wire/mapping.js';
import type { PoolElementHandle } from './access-point-events.js';
import { ppidOf, type DataLink, type LinkSession } from './data-link.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { laneFor, lacksStreams, type LaneOptions } from './lanes.js';
import { mappingOfScheme } from './mappings.js';
import { invalid } from './options.js';
import { clientOf, isLoss, Rendezvous, type RendezvousInfo } from './rendezvous.js';
import type { Service } from './service.js';
import { quiet } from './waiting.js';

/** What a `'data'` listener at the service learns of a message, and how it answers it. */
export type ServiceMessageInfo = Pick<Incoming, 'id' | 'from' | 'ppid' | 'stream' | 'recovery' | 'ackWanted' | 'reply' | 'ack'>;

export interface ServiceSendOptions extends LaneOptions {
  /** Payload protocol id. Default 0; 11 is ASAP's own. */
  readonly ppid?: number;
}

export interface ServiceSessionEvents {
  /** A message of the pool user. One at a time and in order; a promise that is returned is awaited (D-5). One that throws or rejects ends
   *  this instance of the session: the message is tried at another pool element once (D-17). */
  data: (data: Buffer, info: ServiceMessageInfo) => void | PromiseLike<void>;
  /** COOKIE_INDICATION: the session comes from another pool element; handled to its end before any data. */
  cookie: (cookie: Buffer) => void | PromiseLike<void>;
  /** The client was lost, and its business card names its pool: what the service sends of its own accord goes to an element of that pool from now on, and so does what had not left.
   *  Happens only where somebody listens. At-most-once; the client may live and have moved (D-1). Again when that element is lost too. RFC 5352 §3.9. */
  rendezvous: (info: RendezvousInfo) => void;
  /** This instance is over: the pool user closed, left, or died; or its rendezvous is, with an error where nobody could be met. */
  closed: (reason: string, error?: RserpoolError) => void;
  error: (error: RserpoolError) => void;
}

/** A session at its pool element, as the service has it. */
export type ServiceSession = Pick<ServiceInstance, 'id' | 'poolHandle' | 'epoch' | 'deliveryMode' | 'peer' | 'from' | 'rendezvous' | 'signal' | 'actor' | 'on' | 'send' | 'setCookie' | 'close'>;

/** Whose message is being handled, in its asynchronous context (D-9). */
const handling = new AsyncLocalStorage<Incoming>();

/** A session at its pool element, in one epoch: what `onSession` is given. */
export class ServiceInstance implements LinkSession, Port, ServiceHalfOwner {
  // In this order: first what each message needs, so that it lies together.
  readonly half: ServiceHalf;
  readonly #link: DataLink;
  readonly #service: Service;
  /** OPEN announced a cookie echo, which is the next frame (D-13). */
  #awaitsEcho: boolean;
  /** A listener has returned a promise (or is declared async): handlers run in their own asynchronous context. */
  #isAsync = false;
  /** The handler that turned out to be asynchronous only when it returned: sends while it runs are its own. */
  #surprise: Incoming | undefined;
  /** The `data` listeners, and the only one where there is one. */
  #listeners: readonly ServiceSessionEvents['data'][] = [];
  #listener: ServiceSessionEvents['data'] | undefined;
  #commitDue = false;
  touched?: boolean = false;
  /** Of the session, hexadecimal; the same at every pool element. */
  readonly id: string;
  readonly epoch: number;
  readonly deliveryMode: DeliveryMode;
  /** A service that has lost another element of this pool as its client sends here what was for that one; `from` is the service. */
  readonly rendezvous: boolean;
  readonly #number: number;
  readonly #events: Emitter<ServiceSessionEvents>;
  readonly #predecessor: ServiceInstance | undefined;
  /** Of the service's own messages, since its client was lost. */
  #meeting: Rendezvous | undefined;
  #isOver = false;
  #abort: AbortController | undefined;
  readonly #sessionId: Buffer;
  /** When the cookie that the pool user has was made, milliseconds since 1970. */
  #cookieIssued: Milliseconds | undefined;
  /** Why the cookie was not restored. */
  #refusal: unknown;
  #actor: Actor<typeof serviceMachine> | undefined;
  /** What the chart has been spared so far; replayed when there is one. */
  #past: ServiceEvent[] = [];
  #isReplaying = false;

  constructor(service: Service, link: DataLink, open: Frame<'OPEN'>, predecessor: ServiceInstance | undefined) {
    this.#service = service;
    this.#link = link;
    this.#number = open.session;
    this.#predecessor = predecessor;
    this.#awaitsEcho = open.echo === true;
    this.#sessionId = open.sessionId;
    this.id = open.sessionId.toString('hex');
    this.epoch = open.epoch;
    this.deliveryMode = deliveryModes[open.mode] ?? 'at-least-once';
    this.rendezvous = open.rendezvous === true;
    this.#events = new Emitter(service.logger);
    this.half = new ServiceHalf(this, {
      sessionId: this.id, epoch: open.epoch, mode: this.deliveryMode, session: open.session, credit: open.credit,
      windowMessages: open.windowMessages, windowBytes: open.windowBytes,
      outputCommit: service.options.outputCommit, concurrency: service.options.concurrency, replyDone: (link.peerFeatures & features.replyDone) !== 0, messageCharge: link.messageCharge,
    }, this);
  }

  /** Takes the session in. On the straight way (no earlier epoch, `onSession` and the cookie listeners settle at once) nothing has to be timed or
   *  waited for, so the chart, which costs as much as all the rest, is made only when something needs it, or somebody looks. */
  start(): void {
    if (this.#predecessor) return void this.actor;
    if (!this.#awaitsEcho) this.#settledBy(this.#introduce());
  }

  // ---- the API

  /** The statechart (machines/service.ts). */
  get actor(): Actor<typeof serviceMachine> { return this.#actor ?? this.#createActor(); }
  get poolHandle(): string { return this.#service.poolHandle; }
  /** Address of the pool user's end of the link. */
  get peer(): string { return this.#link.peer; }
  /** The pool user as a pool element, where its business card says that it is one (RFC 5352 §3.9, X-11): its own claim, unproved. */
  get from(): PoolElementHandle | undefined { return this.#meeting ? this.#meeting.at : clientOf(this.#link.control?.card); }
  /** Aborted when this instance of the session ends: work for it is in vain. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isOver) this.#abort.abort();
    return this.#abort.signal;
  }

  on<E extends keyof ServiceSessionEvents>(event: E, listener: ServiceSessionEvents[E]): Unsubscribe {
    const unsubscribe = this.#events.on(event, listener);
    if (event !== 'data') return unsubscribe;
    if (listener.constructor.name === 'AsyncFunction') this.#isAsync = true;
    this.#listenersChanged();
    return () => { unsubscribe(); this.#listenersChanged(); };
  }

  #listenersChanged(): void {
    this.#listeners = this.#events.listeners('data');
    this.#listener = this.#listeners.length === 1 ? this.#listeners[0] : undefined;
  }

  /** In a handler: a reply to its message, on its stream (D-9). Elsewhere: an unprompted message, which waits for the next cookie; at-most-once where the
   *  service has no `snapshot` (D-12); `stream` and `unordered` (D-23) are for these. Resolves when the link has room. */
  send(data: Uint8Array | string, options: ServiceSendOptions = {}): Promise<void> {
    checkData(data);
    const incoming = this.#handled();
    let lane = 0;
    try {
      if (options.stream !== undefined || options.unordered !== undefined) lane = this.#laneFor(options, incoming);
    } catch (error) {
      return quiet(Promise.reject(error as RserpoolError));
    }
    if (incoming) return incoming.reply(data, options);
    return this.#meeting ? this.#meeting.send(data, options.ppid ?? 0) : this.half.sendUnprompted(data, options.ppid ?? 0, lane);
  }

  #laneFor(options: ServiceSendOptions, incoming: Incoming | undefined): number {
    const lane = laneFor('session.send', options);
    if (incoming && lane !== incoming.stream) throw invalid('session.send: a reply goes on the stream of its message, in order');
    if (lane !== 0 && !incoming && (this.#meeting !== undefined || !this.#link.hasStreams)) throw lacksStreams(lane, this.#meeting ? 'a rendezvous' : `mapping ${mappingOfScheme(schemeOf(this.#link.peer)).name}`);
    return lane;
  }

  /** SET_COOKIE: the state of the session after the handler in progress, or after the last one (D-7). At most 65 000 bytes.
   *  @throws UsageError COOKIE_TOO_LARGE, STATELESS_SERVICE. */
  setCookie(cookie: Uint8Array | string): void {
    checkData(cookie);
    this.half.setCookie(cookie, this.#handled());
  }

  /** Ends the session for the pool user too. */
  close(): void {
    if (this.#meeting) this.#meeting.close(); else this.half.close('NORMAL', 'closed by the service');
  }

  // ---- for the service

  /** What the pool user has is kept up to date while the session says nothing itself: by `snapshot` where something is not covered; else the last
   *  cookie is issued anew before it gets old. */
  repeatCookie(): void {
    if (this.half.isUncovered) this.half.takeSnapshot();
    const { signer } = this.#service;
    if (signer.hasKeys && this.#cookieIssued !== undefined && signer.now() - this.#cookieIssued >= signer.lifetime / 2) this.half.repeatCookie();
  }

  /** The pool element closes. */
  shutDown(): void {
    this.half.close('GOING_AWAY', 'the pool element closes');
    this.#meeting?.destroy();
  }

  /** Its client lives: it has opened the session anew; or another service has met the element. */
  supersede(): void {
    if (this.rendezvous) this.half.close('STALE_EPOCH', 'another service has lost the same client later'); else this.half.end('NORMAL', 'the session was opened anew');
    this.#meeting?.destroy();
  }

  /** The keys have changed: the next repetition is due. */
  outdateCookie(): void { if (this.#cookieIssued !== undefined) this.#cookieIssued = -Infinity; }

  /** D-27; on the straight way without a chart, as `start`. */
  drain(): void {
    if (this.#actor || this.#meeting || !this.half.isServing) return this.actor.send({ type: 'drain' });
    this.#past.push({ type: 'drain' });
    void this.half.drain();
  }

  // ---- LinkSession

  frame(bytes: Buffer, start: number, end: number): void {
    if (laneOf(bytes, start) !== 0 && (this.#link.peerFeatures & features.streams) !== 0) return this.#sideFrame(laneOf(bytes, start), bytes, start, end);
    switch (bytes[start + 4]) {
      case mapping.DATA.type:
        if (ppidOf(bytes, start) !== ASAP_PPID && this.#awaitsEcho) return this.half.close('PROTOCOL_ERROR', 'data before the cookie echo that OPEN announced');
        if (ppidOf(bytes, start) === ASAP_PPID) this.#control(bytes.subarray(start + offsets.DATA.tail, end)); else this.half.onData(bytes, start, end);
        return;
      case mapping.WINDOW.type: return this.half.onWindow(bytes, start);
      case mapping.CLOSE.type: return this.half.end(codeName(readU32(bytes, start + offsets.CLOSE.code)), 'closed by the pool user');
      default: return this.half.close('PROTOCOL_ERROR', `frame type ${bytes[start + 4] ?? 0} does not go to a pool element`);
    }
  }

  #sideFrame(lane: number, bytes: Buffer, start: number, end: number): void {
    if (!isLane(lane)) return this.half.close('PROTOCOL_ERROR', `stream ${streamOf(lane)}; there are ${MOST_STREAMS}`);
    if (bytes[start + 4] !== mapping.DATA.type || ppidOf(bytes, start) === ASAP_PPID) return this.half.close('PROTOCOL_ERROR', `frame type ${bytes[start + 4] ?? 0} does not go on stream ${streamOf(lane)}`);
    if (!this.half.isServing && !this.half.isDraining) return this.half.close('PROTOCOL_ERROR', `data on stream ${streamOf(lane)} before the session was accepted`);
    this.half.laneOf(lane).onData(bytes, start, end);
  }

  get keepsPieces(): boolean { return this.half.keepsPieces; }
  own(): void { this.half.own(); }
  commit(): void { this.#commitDue = false; this.half.commit(); }
  pump(): void { this.half.output.pump(); this.half.pump(); }
  linkLost(reason: TransportError): void {
    const card = this.#mayMeet(reason) ? this.#link.control?.card : undefined;
    if (!card) return this.half.end('NORMAL', reason.message, reason);
    const session = this.#service.meet(this.#sessionId, this.epoch, card);
    this.#meeting = new Rendezvous(session, poolHandleOf(card.key), clientOf(card), this.half.output.undelivered(), {
      met: (info) => { this.#events.emit('rendezvous', info); },
      heard: (data, info) => callAll(this.#events.listeners('data'), data, info),
      complain: (error) => { this.#report(error); },
      over: (why, error) => {
        if (error) this.#report(error);
        this.#finish(why, error);
      },
    });
    this.#advance({ type: 'client.lost' });
    this.half.end('NORMAL', reason.message, reason);
  }
  linkDown(): void { /* it has ended */ }

  // ---- Port

  reserve(length: number, way?: number): { readonly bytes: Buffer; readonly offset: number } { return this.#link.reserve(length, way); }
  get congested(): boolean { return this.#link.congested; }
  flushSoon(): void {
    if (this.#commitDue) return;
    this.#commitDue = true;
    this.#link.commitSoon(this);
  }

  // ---- ServiceHalfOwner

  get snapshot(): (() => Uint8Array | undefined) | undefined {
    const { snapshot } = this.#service.options;
    return snapshot && (() => snapshot(this));
  }

  mayRun(): boolean { return this.#service.pacer.mayRun(this); }

  handle(incoming: Incoming): void | PromiseLike<void> {
    if (this.#isAsync) return handling.run(incoming, callAll, this.#listeners, incoming.payload, incoming);
    const result = this.#listener === undefined ? callAll(this.#listeners, incoming.payload, incoming) : this.#listener(incoming.payload, incoming);
    if (!isThenable(result)) return undefined;
    this.#isAsync = true;
    this.#surprise = incoming;
    return result;
  }

  restore(cookie: Buffer): void | PromiseLike<void> {
    const results = this.#events.listeners('cookie').map((listener) => listener(cookie)).filter((result) => result !== undefined);
    return results.length === 0 ? undefined : Promise.all(results).then(() => undefined);
  }

  encodeCookie(cookie: Buffer, { covered, streams }: Coverage, outputs: number): Uint8Array {
    const { signer } = this.#service;
    this.#cookieIssued = signer.now();
    return encodeAsap({ type: 'ASAP_COOKIE', cookie, snapshot: signer.sign(cookie, { sessionId: this.#sessionId, epoch: this.epoch, covered, streams, outputs, issued: this.#cookieIssued }) });
  }

  ended(code: CloseCode, reason: string, cause?: unknown): void {
    this.#link.sessions.delete(this.#number);
    if (this.#meeting) return; // it goes on there
    if (code !== 'NORMAL' && code !== 'GOING_AWAY') this.#complain(code, reason, cause);
    this.#finish(reason, undefined);
  }

  // ---- below

  #finish(reason: string, error: RserpoolError | undefined): void {
    this.#isOver = true;
    this.#abort?.abort();
    this.#service.left(this);
    if (error) this.#events.emit('closed', reason, error); else this.#events.emit('closed', reason);
    this.#advance({ type: 'session.ended' });
  }

  /** Somebody listens, and it is the client that was lost: neither left, nor thrown out, nor given up by us while we did not run. */
  #mayMeet({ code }: TransportError): boolean {
    return isLoss(code) && this.half.isServing && !this.rendezvous && this.#events.listeners('rendezvous').length > 0 && !this.#service.hasSlept();
  }

  #createActor(): Actor<typeof serviceMachine> {
    const { timers, environment } = this.#service;
    const actor = createActor(serviceMachine, {
      clock: environment.clock,
      input: { hasPredecessor: this.#predecessor !== undefined, timers: { handler: timers.cookieHandlerTimeout, cookieHandler: timers.cookieHandlerTimeout } },
    });
    actor.subscribe({ error: (error) => { this.half.close('PROTOCOL_ERROR', 'the session failed', error); } });
    actor.on('*', (order) => { if (!this.#isReplaying) this.#obey(order); });
    this.#actor = actor;
    this.#isReplaying = this.#isStraight;
    actor.start();
    for (const event of this.#past) actor.send(event);
    this.#isReplaying = false;
    return actor;
  }

  /** `start` has gone the straight way, so far. */
  get #isStraight(): boolean { return this.#predecessor === undefined; }

  #advance(event: ServiceEvent): void {
    if (!this.#actor) this.#past.push(event); else if (this.#actor.getSnapshot().status === 'active') this.#actor.send(event);
  }

  #obey(order: ServiceOrder): void {
    switch (order.type) {
      case 'order.endPredecessor': return void this.#endPredecessor();
      case 'order.introduce': return this.#awaitsEcho ? undefined : this.#settledBy(this.#introduce());
      case 'order.restore': return this.#settledBy(this.#restoreCookie());
      case 'order.serve': return this.half.serve();
      case 'order.drain': return this.#meeting ? this.#meeting.close() : void this.half.drain();
      case 'order.refuse': return this.half.close(order.code, order.reason, this.#refusal);
    }
  }

  async #endPredecessor(): Promise<void> {
    this.#predecessor?.supersede();
    await this.#predecessor?.half.settled();
    this.#advance({ type: 'predecessor.settled' });
  }

  /** Something is awaited, so it is bounded: by the chart. */
  #settledBy(step: PromiseLike<void> | void): void { if (step) void this.actor; }

  /** @returns a promise where `onSession` gave one. */
  #introduce(): PromiseLike<void> | void {
    const failed = (error: unknown): void => {
      this.#service.logger.error({ err: error, session: this.id }, 'onSession failed');
      if (this.#isStraight && !this.#actor) this.half.close('HANDLER_FAILED', 'onSession failed', error); else this.#advance({ type: 'session.failed' });
    };
    try {
      const result = this.#service.onSession(this);
      if (!isThenable(result)) return this.#introduced();
      return result.then(() => this.#settledBy(this.#introduced()), failed);
    } catch (error) {
      return failed(error);
    }
  }

  #introduced(): PromiseLike<void> | void {
    const stateful = this.#events.listeners('cookie').length > 0 || this.#service.options.snapshot !== undefined;
    const { hasEcho } = this.half;
    this.half.declare(stateful);
    this.#advance({ type: 'session.ready', stateful, echo: hasEcho });
    if (this.#actor) return undefined; // the chart orders what comes next
    if (hasEcho) return stateful ? this.#restoreCookie() : this.half.close('COOKIE_REFUSED', NO_STATE);
    return this.half.serve();
  }

  /** COOKIE_INDICATION. @returns a promise where a listener gave one. */
  #restoreCookie(): PromiseLike<void> | void {
    const restored = (): void => {
      this.#advance({ type: 'cookie.restored' });
      if (!this.#actor) this.half.serve();
    };
    const refused = (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#refusal = error;
      this.#advance({ type: 'cookie.refused', reason });
      if (!this.#actor) this.half.close('COOKIE_REFUSED', reason, error);
    };
    try {
      const result = this.half.restore();
      if (!isThenable(result)) return restored();
      return result.then(restored, refused);
    } catch (error) {
      return refused(error);
    }
  }

  #handled(): Incoming | undefined {
    const incoming = this.half.current ?? handling.getStore() ?? this.#surprise;
    if (incoming === undefined || incoming.settled || incoming.owner.half !== this.half) return undefined;
    return incoming;
  }

  #control(bytes: Buffer): void {
    const { message } = decodeAsap(bytes);
    if (message.type !== 'ASAP_COOKIE_ECHO' || !this.#awaitsEcho) return;
    this.#awaitsEcho = false;
    try {
      const known = this.#service.signer.verify(message.cookie, message.snapshot, this.#sessionId);
      this.#cookieIssued = known?.issued;
      this.half.onEcho(Buffer.from(message.cookie), known);
    } catch (error) {
      return this.half.close('COOKIE_REFUSED', error instanceof Error ? error.message : String(error), error);
    }
    if (!this.#predecessor || this.#actor?.getSnapshot().matches('accepting') === true) this.#settledBy(this.#introduce());
  }

  #complain(code: CloseCode, reason: string, cause: unknown): void {
    const error = new SessionError(code === 'OUTPUT_LIMIT' ? 'OUTPUT_LIMIT' : code === 'COOKIE_REFUSED' ? 'COOKIE_REFUSED' : code === 'HANDLER_FAILED' ? 'HANDLER_FAILED' : 'SESSION_FAILED', reason, { cause });
    this.#report(error);
  }

  #report(error: RserpoolError): void {
    if (!this.#events.emit('error', error)) this.#service.logger.error({ err: error, session: this.id }, error.message);
  }
}

/** @returns a promise where a listener gave one; all listeners are called, the first failure counts. */
function callAll(listeners: readonly ServiceSessionEvents['data'][], data: Buffer, info: ServiceMessageInfo): void | PromiseLike<void> {
  if (listeners.length === 1) return listeners[0]!(data, info);
  const results = listeners.map((listener) => listener(data, info)).filter((result) => result !== undefined);
  return results.length === 0 ? undefined : Promise.all(results).then(() => undefined);
}

function checkData(data: unknown): void {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) throw new UsageError('INVALID_DATA', `data is a string or Uint8Array, not ${typeof data}`);
}

export const codeName = (code: number): CloseCode => (Object.entries(closeCodes).find(([, value]) => value === code)?.[0] ?? 'PROTOCOL_ERROR') as CloseCode;
