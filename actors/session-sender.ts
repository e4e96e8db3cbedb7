import { copyOf } from '../delivery/buffers.js';
import { type UserHalf } from '../delivery/user-half.js';
import type { UserLane } from '../delivery/user-lane.js';
import type { DeliveryMode } from '../delivery/modes.js';
import { keyOf, type Kept } from '../delivery/window.js';
import type { Clock, Milliseconds } from '../environment.js';
import { SessionError, type Outcome, type RserpoolError } from '../errors.js';
import type { ErrorReport } from './access-point-events.js';
import { laneFor } from './lanes.js';
import { modeOf, type RequestOptions, type SendOptions } from './session-messages.js';
import type { Reply, SessionRequests } from './session-requests.js';
import { quiet } from './waiting.js';

export interface SenderOwner {
  /** Error.Report: to the `error` listeners, else to the logger. */
  complain(error: RserpoolError, details: ErrorReport): void;
  /** The window is full of messages that are DONE, and sends wait for a cookie (D-20); or no longer. */
  stuck(isStuck: boolean): void;
}

const resolved = Promise.resolve();

interface Blocked { readonly length: number; /** An acknowledgement, or a reply, is waited for. */ readonly needsFrames: boolean; readonly go: () => void; readonly fail: (error: RserpoolError) => void }
type Options = SendOptions & RequestOptions;
type Limit = 'lifetime' | 'timeout' | 'signal';

/** The promises of a session: `send`, by delivery mode, and `flush`. */
export class SessionSender {
  /** What waits for room, in each lane in its order; a lane of which nothing waits is not in it. */
  readonly #blocked = new Map<UserLane, Blocked[]>();
  #flushes: { readonly needsCover: boolean; readonly done: () => void; readonly fail: (error: Error) => void }[] = [];
  /** By `key`. */
  #acks: Map<number, { readonly entry: Kept; readonly resolve: () => void; readonly reject: (error: Error) => void }> | undefined;
  #overdue: unknown;
  #isStuck = false;
  /** Nothing waits for the window to move. */
  #isIdle = true;

  constructor(readonly half: UserHalf, readonly clock: Clock, readonly owner: SenderOwner) {}

  /** Keeps a copy of the payload, or lets it wait for room. With `requests` the promise is for its reply. */
  send(payload: Uint8Array, options: SendOptions | undefined): Promise<void>;
  send(payload: Uint8Array, options: RequestOptions | undefined, requests: SessionRequests): Promise<Reply>;
  send(payload: Uint8Array, options: Options | undefined, requests?: SessionRequests): Promise<Reply | void> {
    if (options?.signal?.aborted === true) throw limitError('signal', options, requests, 'not-taken');
    const lane = options?.stream === undefined && options?.unordered === undefined ? this.half : this.half.laneOf(laneFor('send', options));
    if ((!this.#isIdle && this.#blocked.has(lane)) || !lane.window.hasRoom(payload.length)) return this.#sendLater(lane, copyOf(payload), options, requests);
    return this.#take(lane, payload, options, requests);
  }

  /** Resolves when everything is handled and replied to and, with `needsCover`, covered. */
  settled(needsCover: boolean): Promise<void> {
    return quiet(new Promise<void>((done, fail) => {
      this.#isIdle = false;
      this.#flushes.push({ needsCover, done, fail });
      this.#checkFlushes();
    }));
  }

  /** The window has moved. */
  moved(): void { if (!this.#isIdle) this.#moved(); }

  #moved(): void {
    let isStuck = false;
    for (const [lane, blocked] of this.#blocked) {
      while (blocked.length > 0 && lane.window.hasRoom(blocked[0]!.length)) blocked.shift()!.go();
      if (blocked.length === 0) this.#blocked.delete(lane); else isStuck ||= this.half.isStateful && lane.window.allDone;
    }
    if (isStuck !== this.#isStuck) { this.#isStuck = isStuck; this.owner.stuck(isStuck); }
    if (this.#flushes.length > 0) this.#checkFlushes();
    this.#isIdle = this.#blocked.size === 0 && this.#flushes.length === 0 && !this.#isStuck;
  }

  /** The session is served by another pool element: it will not be asked to handle, so to acknowledge, what is covered. */
  elementChanged(): void {
    this.#isStuck = false; // the chart begins anew
    for (const [key, ack] of this.#acks ?? []) {
      if (!ack.entry.covered) continue;
      this.#acks?.delete(key);
      ack.reject(new SessionError('MESSAGE_LOST', 'the pool element that handled the message has gone without an acknowledgement', { outcome: 'handled' }));
    }
  }

  /** Acknowledgements do not come where the session is now; its messages go on. */
  refuseAcks(cause: RserpoolError): void {
    for (const { reject } of this.#acks?.values() ?? []) reject(new SessionError('MESSAGE_LOST', 'the session has moved to a pool element that acknowledges nothing; the message goes on', { cause }));
    this.#acks?.clear();
    const refused = [...this.#blocked].flatMap(([lane, blocked]) => blocked.filter(({ needsFrames }) => needsFrames).map((waiting) => ({ lane, waiting })));
    for (const { lane, waiting } of refused) this.#unblock(lane, waiting);
    for (const { waiting } of refused) waiting.fail(cause);
  }

  acknowledged(id: number, lane: number): void {
    const key = keyOf(lane, id);
    this.#acks?.get(key)?.resolve();
    this.#acks?.delete(key);
  }

  /** Everything that waits ends here, with what is known of it (D-30). */
  end(reason: () => RserpoolError, isFailure: boolean): void {
    this.clock.clearTimeout(this.#overdue);
    if (this.half.isEmpty && this.#blocked.size === 0 && this.#flushes.length === 0 && (this.#acks?.size ?? 0) === 0) return;
    const error = reason();
    for (const entry of this.half.kept()) {
      entry.unlimit?.();
      const about = withOutcome(error, entry.done ? 'handled' : entry.sent ? 'unknown' : 'not-taken');
      entry.settle?.reject(about);
      if (isFailure && !entry.done) this.owner.complain(about, { undelivered: entry.payload }); // RFC 5352 §6.7
    }
    const blocked = [...this.#blocked.values()].flat();
    this.#blocked.clear();
    for (const waiting of blocked) waiting.fail(withOutcome(error, 'not-taken'));
    for (const flush of this.#flushes.splice(0)) flush.fail(error);
    for (const { reject } of this.#acks?.values() ?? []) reject(withOutcome(error, 'handled')); // those that are kept have been rejected above
  }

  #take(lane: UserLane, payload: Uint8Array, options: Options | undefined, requests: SessionRequests | undefined): Promise<Reply | void> {
    const mode = options?.deliver === undefined ? this.half.mode : modeOf(options.deliver);
    const entry = lane.send(payload, mode, options?.ppid ?? 0, options?.ack === true);
    const outcome = requests === undefined ? this.#outcomeOf(entry, mode) : requests.ask(entry);
    if (options?.lifetime !== undefined || options?.signal !== undefined || options?.timeout !== undefined) this.#limit(entry, options, requests, outcome);
    return outcome;
  }

  #outcomeOf(entry: Kept, mode: DeliveryMode): Promise<void> {
    if (!entry.ackWanted && (mode === 'effectively-once' || (mode === 'at-most-once' && entry.sent))) return resolved;
    return quiet(new Promise<void>((resolve, reject) => {
      if (entry.ackWanted) (this.#acks ??= new Map()).set(entry.key, { entry, resolve, reject });
      entry.settle = { resolve: entry.ackWanted ? () => undefined : resolve, reject };
    }));
  }

  #sendLater(lane: UserLane, payload: Buffer, options: Options | undefined, requests: SessionRequests | undefined): Promise<Reply | void> {
    const since = this.clock.now();
    const promise = new Promise<Reply | void>((resolve, reject) => {
      const limits = this.#onLimits(options ?? {}, (limit) => {
        this.#unblock(lane, waiting);
        waiting.fail(limitError(limit, options ?? {}, requests, 'not-taken'));
      });
      const waiting = {
        length: payload.length,
        needsFrames: requests !== undefined || options?.ack === true,
        go: (): void => { limits.end(); this.#take(lane, payload, this.#left(options, since), requests).then(resolve, reject); },
        fail: (error: RserpoolError): void => { limits.end(); this.owner.complain(error, { undelivered: payload }); reject(error); },
      };
      this.#isIdle = false;
      const blocked = this.#blocked.get(lane);
      if (blocked) blocked.push(waiting); else this.#blocked.set(lane, [waiting]);
    });
    this.moved();
    return quiet(promise);
  }

  #unblock(lane: UserLane, waiting: Blocked): void {
    const blocked = this.#blocked.get(lane)?.filter((one) => one !== waiting) ?? [];
    if (blocked.length > 0) this.#blocked.set(lane, blocked); else this.#blocked.delete(lane);
  }

  /** Times count from the call. */
  #left(options: Options | undefined, since: Milliseconds): Options | undefined {
    if (options?.lifetime === undefined && options?.timeout === undefined) return options;
    const left = (time: Milliseconds): Milliseconds => Math.max(1, time - (this.clock.now() - since));
    return { ...options, ...(options.lifetime !== undefined && { lifetime: left(options.lifetime) }), ...(options.timeout !== undefined && { timeout: left(options.timeout) }) };
  }

  /** `lifetime`, `signal` and `timeout` take the message back until it is transmitted (D-3); from then on the latter two end the wait, where there is one. None outlives that. */
  #limit(entry: Kept, options: Options, requests: SessionRequests | undefined, outcome: Promise<unknown>): void {
    const isSettled = outcome === resolved;
    if (entry.sent && isSettled) return;
    const limits = this.#onLimits(options, (limit) => {
      const isTakenBack = !entry.sent && !entry.covered;
      this.#withdraw(entry, isTakenBack, limitError(limit, options, requests, isTakenBack ? 'not-taken' : entry.done || entry.covered ? 'handled' : 'unknown'));
    });
    if (entry.sent) limits.endLifetime(); else entry.unlimit = isSettled ? limits.end : limits.endLifetime;
    if (!isSettled) outcome.then(limits.end, limits.end);
  }

  #withdraw(entry: Kept, isTakenBack: boolean, error: SessionError): void {
    this.#acks?.delete(entry.key);
    if (isTakenBack) this.half.laneOf(entry.lane).window.cover(entry);
    entry.settle?.reject(error);
    this.owner.complain(error, error.outcome === 'handled' ? {} : { undelivered: entry.payload });
    if (isTakenBack) this.moved();
  }

  #onLimits({ lifetime, timeout, signal }: Options, reached: (limit: Limit) => void): { readonly endLifetime: () => void; readonly end: () => void } {
    const { clock } = this;
    const aborted = (): void => { end(); reached('signal'); };
    const timerOf = (limit: Limit, after: Milliseconds | undefined): unknown => (after === undefined ? undefined : clock.setTimeout(() => { end(); reached(limit); }, after));
    const lifetimeTimer = timerOf('lifetime', lifetime);
    const timeoutTimer = timerOf('timeout', timeout);
    const endLifetime = (): void => { clock.clearTimeout(lifetimeTimer); };
    const end = (): void => { endLifetime(); clock.clearTimeout(timeoutTimer); signal?.removeEventListener('abort', aborted); };
    signal?.addEventListener('abort', aborted, { once: true });
    return { endLifetime, end };
  }

  #checkFlushes(): void {
    const { isSettled, isStateful } = this.half;
    const isCovered = this.#blocked.size === 0 && isSettled;
    const isHandled = isCovered || (this.#blocked.size === 0 && this.half.lanes().every(({ window }) => window.allDone && window.allSent));
    if (isHandled) {
      const ready = this.#flushes.filter(({ needsCover }) => isCovered || !needsCover);
      this.#flushes = this.#flushes.filter((flush) => !ready.includes(flush));
      for (const { done } of ready) done();
    }
    if (this.#flushes.length === 0 || !isHandled || !isStateful) return this.#stopOverdue();
    this.#overdue ??= this.clock.setTimeout(() => { this.#flushOverdue(); }, COOKIE_OVERDUE);
  }

  #flushOverdue(): void {
    this.#overdue = undefined;
    const error = new SessionError('COOKIE_OVERDUE', `all messages are handled and no state cookie has covered them for ${COOKIE_OVERDUE} ms`, { outcome: 'handled' });
    for (const { fail } of this.#flushes.splice(0)) fail(error);
  }

  #stopOverdue(): void {
    this.clock.clearTimeout(this.#overdue);
    this.#overdue = undefined;
  }
}

/** How long a cookie may be awaited when everything is handled (D-20). */
export const COOKIE_OVERDUE: Milliseconds = 5_000;

function limitError(limit: Limit, { lifetime = 0, timeout = 0, signal }: Options, requests: SessionRequests | undefined, outcome: Outcome): SessionError {
  if (limit === 'timeout') return new SessionError('REQUEST_TIMEOUT', `no reply within ${timeout} ms`, { outcome });
  if (limit === 'lifetime') return new SessionError('MESSAGE_EXPIRED', `the message was not sent within its lifetime of ${lifetime} ms`, { outcome });
  const what = outcome === 'not-taken' ? 'the message was aborted before it was sent' : 'no longer waiting for the message, which had been sent';
  return new SessionError(requests === undefined ? 'MESSAGE_ABORTED' : 'REQUEST_ABORTED', what, { cause: signal?.reason, outcome });
}

function withOutcome(error: RserpoolError, outcome: Outcome): SessionError {
  const code = error instanceof SessionError ? error.code : 'SESSION_FAILED';
  return new SessionError(code, error.message, { cause: error.cause ?? error, outcome });
}
