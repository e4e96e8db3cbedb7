import { createActor, type Actor } from 'xstate';
import { PoisonWatch } from '../delivery/poison.js';
import { writeFrame } from '../delivery/port.js';
import type { UserHalf } from '../delivery/user-half.js';
import { keyOf } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { SessionError, type TransportError } from '../errors.js';
import { sessionMachine, type SessionEvent, type SessionOrder, type SessionTimers } from '../machines/session.js';
import { encodeAsap, poolHandleFromKey, poolHandleText, type PoolElement } from '../wire/index.js';
import { ASAP_PPID, encodeFrame } from '../wire/mapping.js';
import type { DataLink, LinkSession } from './data-link.js';
import type { DataPlane } from './data-plane.js';
import { areTied, mappingOf, mappings } from './mappings.js';
import type { PoolView } from './pool.js';
import { Attempts } from './attempts.js';
import { OldHalf } from './old-half.js';

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
  /** `'moved'`: the last pool element drained, and handed the session over; `'failed'`: it was lost, or refused to go on. */
  readonly reason: 'moved' | 'failed';
  /** Why the last pool element was left; undefined where it asked for it. */
  readonly cause: unknown;
}

/** A rendezvous: a service looks for somebody of the pool of its client, which it has lost (RFC 5352 §3.9). */
export interface Meeting {
  /** Of the session that the client had. */
  readonly id: Buffer;
  readonly epoch: number;
  /** PE identifiers: of the client, which is tried when nobody else is left; */
  readonly client: number | undefined;
  /** of this process, never; */
  readonly own: ReadonlySet<number>;
  /** of the client's card, before all others. */
  readonly preferred: readonly number[];
}

export interface MoverOwner extends LinkSession {
  readonly half: UserHalf;
  readonly hasCallback: boolean;
  runCallback(from: number, to: number): Promise<void>;
  /** It has not settled in time. */
  callbackOverdue(): void;
  /** The next pool element to be tried. */
  selected(element: PoolElement): void;
  /** A pool element has accepted: the first one, or the next. */
  moved(info: FailoverInfo | undefined): void;
  /** The chart has failed. */
  failed(error: unknown): void;
}

/** Moves a session from one pool element to the next as its chart orders (machines/session.ts).
 *
 *  A chart's event costs tens of microseconds, cold ten times as many, and hundreds of sessions fail over together. So where the way is
 *  straight (another element is known, nobody has to be asked) the frames go first and the chart follows in the same order, a slice of
 *  sessions a turn, before anything else happens to the session (`catchUp`). It decides everything that is not straight. */
export class SessionMover {
  readonly actor: Actor<typeof sessionMachine>;
  link: DataLink | undefined;
  element: PoolElement | undefined;
  /** On a link, with the replay done (the chart: established, cookieOverdue, closing). */
  isFlowing = false;
  readonly #plane: DataPlane;
  readonly #pools: PoolView;
  readonly #key: string;
  readonly #owner: MoverOwner;
  readonly attempts: Attempts;
  readonly #poison = new PoisonWatch();
  readonly #avoid = new Set<number>();
  /** Who the pool element that was left wants to be followed by (RFC 5352 §3.9 BC2). */
  #preferred: readonly number[] | undefined;
  readonly #meeting: Meeting | undefined;
  /** Could not be reached in this attempt, or sent the session away: their other mappings are tried last. */
  readonly #failed: PoolElement[] = [];
  /** The registrar has been asked in this attempt. */
  #hasAsked = false;
  #number = 0;
  #previous: PoolElement | undefined;
  #failedAt: Milliseconds | undefined;
  #cause: unknown;
  /** It was when its link was lost. */
  #wasFlowing = false;
  /** It was lost while this process itself did not run (D-29): its pool element has closed it for our silence, and is not to blame. */
  #isOurFault = false;
  /** How far the frames are ahead of the chart. */
  #ahead: 'connecting' | 'opened' | 'resent' | undefined;
  /** What set them going. */
  #aheadOf: SessionEvent = { type: 'session.moved' };
  /** The pool element asked for it (D-27). */
  #isHandOver = false;
  #oldHalf: OldHalf | undefined;
  #isFollowing = false;

  constructor(plane: DataPlane, pools: PoolView, key: string, owner: MoverOwner, timers: SessionTimers, maxAttempts: number, meeting?: Meeting) {
    this.#plane = plane;
    this.#pools = pools;
    this.#key = key;
    this.#owner = owner;
    this.#meeting = meeting;
    this.#preferred = meeting?.preferred;
    const { clock, random } = plane.environment;
    this.attempts = new Attempts(() => clock.now(), maxAttempts);
    this.actor = createActor(sessionMachine, { clock, input: { timers, hasCallback: owner.hasCallback, fraction: () => random.fraction(), now: () => clock.now() } });
    this.actor.subscribe({ error: (error) => { owner.failed(error); } });
    this.actor.on('*', (order) => { this.#obey(order); });
  }

  /** A pool element has accepted the session before. */
  get wasOpen(): boolean { return this.#previous !== undefined; }
  get cause(): unknown { return this.#cause; }

  /** An event for the chart, which is brought up to the moment first. */
  send(event: SessionEvent): void {
    this.catchUp();
    if (this.actor.getSnapshot().status === 'active') this.actor.send(event);
  }

  // ---- news from the link

  linkUp(): void {
    if (this.#ahead !== 'connecting') return this.send({ type: 'link.up' });
    this.#ahead = 'opened';
    this.#open();
  }

  /** First for all sessions of the link: nothing more goes on it. */
  linkLost(reason: TransportError): void {
    this.#cause = reason;
    this.#wasFlowing = this.isFlowing;
    this.#isOurFault = this.#hasSlept();
    const suspects = this.#suspects();
    if (this.isFlowing) this.#failedAt ??= this.#now();
    if (this.isFlowing || suspects.length > 0) this.#poison.countFailover(...suspects);
    if (this.isFlowing) this.attempts.note(this.element, reason); else this.attempts.fails(reason);
    this.leave();
  }

  /** @returns false when the message in handling has killed too many. */
  linkDown(reason: TransportError): boolean {
    if (this.#poison.isPoisoned) return false;
    this.catchUp();
    const event = { type: 'link.down', error: reason } as const;
    if (!this.#wasFlowing || this.#owner.hasCallback) this.send(event);
    else {
      this.#report();
      this.#runAhead(event);
    }
    return true;
  }

  accepted(): void {
    if (this.#ahead !== 'opened') return this.send({ type: 'session.accepted' });
    this.#ahead = 'resent';
    this.#resend();
  }

  /** Another pool element answers at its address: that one is dead, and its successor has not been asked for. */
  get isSucceeded(): boolean {
    const { link, element } = this;
    return link?.peIdentifier !== undefined && element !== undefined && element.identifier !== NOBODY && element.identifier !== link.peIdentifier;
  }

  /** As one that is dead: reported unreachable, and left. */
  leaveSucceeded(error: SessionError): void {
    if (this.element) this.#pools.reportUnreachable(this.#key, this.element.identifier);
    this.moveAway(error);
  }

  /** Leaves this pool element for another; nobody is reported unreachable. */
  moveAway(error: SessionError | undefined): void {
    this.catchUp();
    if (this.element) this.#leaveOut(this.element);
    if (this.isFlowing) this.#failedAt ??= this.#now();
    if (error !== undefined || this.isFlowing) this.#cause = error; // handed on while it failed over: what it failed for is still the reason
    if (error && this.isFlowing) this.attempts.note(this.element, error); else this.attempts.fails(error ?? new SessionError('SESSION_FAILED', 'the pool element drains', { outcome: 'not-taken' }));
    this.#isHandOver = error === undefined;
    if (this.#isHandOver && this.isFlowing && !this.#owner.hasCallback) {
      this.leave();
      return this.#runAhead({ type: 'session.moved' });
    }
    this.send(error ? { type: 'session.refused', error } : { type: 'session.moved' });
  }

  /** The handler of message `id` of a lane threw; 0: a snapshot, or the handler of a callback's message. @returns whether it may be tried elsewhere: once without progress. */
  countThrow(lane: number, id: number): boolean { return this.#poison.countThrow(id === 0 ? this.#noMessage : keyOf(lane, id)); }

  /** What kills pool elements is what the failover callback sends. */
  get suspectsCallback(): boolean { return (this.#poison.suspect ?? 0) < 0; }

  /** What is being handled: a message of each lane, or what the callback sent as long as nothing has come of it. */
  #suspects(): number[] {
    const { half } = this.#owner;
    if (half.hasFruitlessRecovery) return [this.#noMessage];
    return this.isFlowing ? half.lanes().flatMap(({ window }) => window.firstInHandling()?.key ?? []) : [];
  }

  get #noMessage(): number { return -1 - this.#owner.half.window.coveredId; }

  /** Takes the session off its link; a pool element that is there is told. */
  leave(reason = 'moved'): void {
    const { link } = this;
    const isHandOver = this.#isHandOver && link?.isUp === true && reason === 'moved';
    this.#isHandOver = false;
    if (reason !== 'moved') this.#oldHalf?.close();
    if (!link) return;
    if (link.isUp && !isHandOver) this.#owner.half.close('NORMAL', reason);
    const card = this.isFlowing ? link.control?.card : undefined;
    if (this.isFlowing) this.#preferred = card?.key === this.#key ? card.order : undefined;
    link.sessions.delete(this.#number);
    if (isHandOver) this.#handOver(link);
    this.link = undefined;
    this.isFlowing = false;
    this.#owner.half.leave();
    if (!isHandOver) this.#plane.sessionLeft(link);
  }

  #handOver(link: DataLink): void {
    this.#oldHalf?.close();
    this.#oldHalf = new OldHalf(link, this.#number, (left) => { this.#plane.sessionLeft(left); });
  }

  // ---- ahead of the chart

  /** The straight way, where another element is known; else the chart's. */
  #runAhead(event: SessionEvent): void {
    if (!this.#pick()) return this.send(event);
    this.#ahead = 'connecting';
    this.#aheadOf = event;
    this.#join();
    if (this.link?.isUp === true) this.linkUp();
    this.#plane.followers.add(() => { this.catchUp(); });
  }

  /** Steps the chart through what its frames have done. */
  catchUp(): void {
    const ahead = this.#ahead;
    if (ahead === undefined || this.#isFollowing) return;
    this.#isFollowing = true;
    this.actor.send(this.#aheadOf);
    this.#isFollowing = false;
    this.#ahead = undefined;
  }

  /** Everything has been done; the chart is told so in its own order. */
  #follow(order: SessionOrder): void {
    if (order.type === 'order.select') this.actor.send({ type: 'selected' });
    else if (order.type === 'order.connect' && this.#ahead !== 'connecting') this.actor.send({ type: 'link.up' });
    else if (order.type === 'order.open' && this.#ahead === 'resent') this.actor.send({ type: 'session.accepted' });
  }

  // ---- what the chart orders

  #obey(order: SessionOrder): void {
    if (this.#isFollowing && order.type !== 'order.fail' && order.type !== 'order.flush') return this.#follow(order);
    switch (order.type) {
      case 'order.resolve': return this.#resolve();
      case 'order.select': return this.#select();
      case 'order.connect': return this.#connect();
      case 'order.open': return this.#open();
      case 'order.report': return this.#report();
      case 'order.detach': return this.leave();
      case 'order.callback': return void this.#callback();
      case 'order.callbackOverdue': return this.#owner.callbackOverdue();
      case 'order.resend': return this.#resend();
      case 'order.flush': return this.#owner.pump();
      case 'order.fail': return this.#owner.failed(order.error);
    }
  }

  #resolve(): void {
    const pools = this.#pools;
    const isFirstTry = !this.wasOpen && this.#avoid.size === 0; // later ones want to know who has come
    this.#forgetFailed();
    this.attempts.paused();
    if (isFirstTry && !pools.isStale(this.#key)) return this.actor.send({ type: 'resolved' });
    pools.refresh(this.#key).then(() => { this.#hasAsked = true; this.send({ type: 'resolved' }); }, (error: unknown) => {
      this.attempts.note(undefined, error);
      this.send({ type: 'resolution.failed', error });
    });
  }

  #select(): void {
    if (this.#pick()) return this.actor.send({ type: 'selected' });
    if (this.#pools.stays === true || this.attempts.isSpent) return this.actor.send({ type: 'give.up', error: this.#cause });
    const error = this.wasOpen || !this.#hasAsked ? undefined : this.#nothingInCommon();
    this.actor.send(error === undefined ? { type: 'nothing.selectable' } : { type: 'give.up', error });
  }

  /** By the pool's policy, of those whose mapping carries sessions. What is left of an element that could not be reached comes last: it is dead, or its other address is not. */
  #pick(): boolean {
    if (this.attempts.isSpent || this.attempts.needsPause) return false;
    const pools = this.#pools;
    const passed = new Set<number>();
    let last: PoolElement | undefined;
    for (let tries = 0; tries < MAX_PICKS; tries++) {
      const element = pools.pick(this.#key, passed.size === 0 ? this.#shunned() : new Set([...this.#shunned(), ...passed]), this.#preferred);
      if (!element || this.#avoid.has(element.identifier) || passed.has(element.identifier) || this.#meeting?.own.has(element.identifier) === true) break;
      if (!mappingOf(element).canCarrySessions) this.#avoid.add(element.identifier);
      else if (!this.#failed.some((failed) => areTied(failed, element))) return this.#take(element);
      else {
        last ??= element;
        passed.add(element.identifier);
      }
    }
    return last !== undefined && this.#take(last);
  }

  #take(element: PoolElement): true {
    this.element = element;
    this.#owner.selected(element);
    this.#pools.place(this.#key, element.identifier);
    return true;
  }

  /** What the pool offers, where none of it carries sessions. */
  #nothingInCommon(): SessionError | undefined {
    const elements = this.#pools.elements(this.#key);
    if (elements.length === 0 || elements.some((element) => mappingOf(element).canCarrySessions)) return undefined;
    const offers = [...new Set(elements.map((element) => `${mappingOf(element).name} (${element.userTransport.transport})`))].join(', ');
    const ours = mappings.flatMap(({ name, canCarrySessions }) => (canCarrySessions ? [name] : [])).join(', ');
    return new SessionError('NO_COMMON_MAPPING', `${poolHandleText(this.#key)} offers the mappings ${offers}; sessions go by ${ours}`, { outcome: 'not-taken' });
  }

  #leaveOut(element: PoolElement): void {
    this.#avoid.add(element.identifier);
    if (element.tie !== undefined) this.#failed.push(element);
  }

  #forgetFailed(): void {
    this.#avoid.clear();
    this.#failed.length = 0;
  }

  #shunned(): ReadonlySet<number> {
    return this.#meeting === undefined ? this.#avoid : new Set([...this.#avoid, ...this.#meeting.own, ...(this.#meeting.client === undefined ? [] : [this.#meeting.client])]);
  }

  #connect(): void {
    this.#join();
    if (this.link?.isUp === true) this.actor.send({ type: 'link.up' });
  }

  #join(): void {
    const link = this.#plane.linkTo(this.element!);
    this.attempts.begin(this.element!);
    if (this.#poison.suspect !== undefined) link.tolerate(this.#poison.patience(this.#plane.timers.silence));
    this.#number = link.nextNumber();
    link.sessions.set(this.#number, this.#owner);
    this.link = link;
  }

  /** OPEN and the cookie echo, in one write (D-13). */
  #open(): void {
    if (!this.link) return;
    const { half } = this.#owner;
    half.open(this.link, this.#number, poolHandleFromKey(this.#key));
    const { cookie } = half;
    if (cookie) writeFrame(this.link, encodeFrame({ type: 'DATA', session: this.#number, ppid: ASAP_PPID, id: 0, tail: encodeAsap({ type: 'ASAP_COOKIE_ECHO', cookie: cookie.cookie, ...(cookie.snapshot && { snapshot: cookie.snapshot }) }) })); // ASAP goes in one frame, whatever its length
  }

  #report(): void {
    if (!this.element) return;
    const isOurFault = this.#isOurFault;
    this.#isOurFault = false; // the next attempt tells
    this.attempts.fails(new SessionError('SESSION_FAILED', 'the pool element has not accepted the session in time', { outcome: 'not-taken' }));
    if (isOurFault) return;
    this.#leaveOut(this.element);
    this.#pools.reportUnreachable(this.#key, this.element.identifier);
  }

  /** For half of the time a peer bears, just now. */
  #hasSlept(): boolean {
    const { monitor, timers: { silence } } = this.#plane;
    return monitor.activeSince(this.#now() - silence) <= silence / 2;
  }

  async #callback(): Promise<void> {
    const { epoch } = this.#owner.half;
    await this.#owner.runCallback(this.#previous?.identifier ?? 0, this.element?.identifier ?? 0);
    if (this.#owner.half.epoch === epoch) this.send({ type: 'callback.done' });
  }

  #resend(): void {
    const from = this.#previous;
    const { half } = this.#owner;
    this.#forgetFailed();
    this.attempts.succeeded();
    this.#oldHalf?.close();
    this.#oldHalf = undefined;
    this.#previous = this.element;
    if (this.element) this.#pools.vouch(this.#key, this.element.identifier);
    const resent = from ? half.kept().filter(({ sent }) => sent).length : 0;
    this.isFlowing = true;
    half.resume();
    const now = this.#now();
    const info = from && this.element && { from: from.identifier, to: this.element.identifier, epoch: half.epoch, resent, duration: now - (this.#failedAt ?? now), reason: this.#cause === undefined ? 'moved' as const : 'failed' as const, cause: this.#cause };
    this.#failedAt = undefined;
    this.#owner.moved(info);
  }

  #now(): Milliseconds { return this.#plane.environment.clock.now(); }
}

/** Identifier of who is known by an address only (RFC 5352 §6.5.4). */
const NOBODY = 0;

/** Elements passed over in one selection at most. */
const MAX_PICKS = 256;
