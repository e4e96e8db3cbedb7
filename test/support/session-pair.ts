import type { Output } from '../../delivery/held.js';
import type { Incoming } from '../../delivery/incoming.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import { writeData, type Port } from '../../delivery/port.js';
import { ServiceHalf, type Coverage, type ServiceHalfOwner } from '../../delivery/service-half.js';
import { UserHalf, type UserHalfOwner } from '../../delivery/user-half.js';
import { keyOf, type Kept } from '../../delivery/window.js';
import { decodeAsap, encodeAsap } from '../../wire/index.js';
import { ASAP_PPID, decodeFrame, isUnordered, laneOf, mapping, offsets, readU32, streamOf, type CloseCode, type Frame } from '../../wire/mapping.js';
import { decodeSnapshot, encodeSnapshot } from '../../wire/snapshot.js';

/** What a service of these tests does; `state` is lost with its pool element. */
export interface TestService {
  readonly stateful: boolean;
  readonly outputCommit?: boolean;
  readonly concurrency?: number;
  /** A fresh instance, at a fresh pool element. */
  start(session: ServiceEnd): {
    handle(incoming: Incoming): void | PromiseLike<void>;
    restore?(cookie: Buffer): void | PromiseLike<void>;
    snapshot?(): Uint8Array | undefined;
  };
}
export interface ServiceEnd {
  send(data: string): void;
  setCookie(cookie: string): void;
  readonly half: ServiceHalf;
}

/** Both halves of a session with every frame between them in the test's hands; pool elements come and go, without sockets or clocks. */
export class SessionPair implements UserHalfOwner {
  readonly user: UserHalf;
  /** What the application at the pool user has been given. */
  readonly given: string[] = [];
  /** By key; of stream 0 that is the id. */
  readonly replies = new Map<number, string[]>();
  readonly lostMessages: string[] = [];
  readonly violations: string[] = [];
  /** Keys (of stream 0: ids) of messages whose handlers were begun, over all pool elements. */
  readonly begun: number[] = [];
  readonly recoveries: string[] = [];
  /** Names of all frames in the order in which they were delivered. */
  readonly trace: string[] = [];
  recovery: ((send: (data: string) => void) => void) | undefined;
  /** The pool user knows REPLY's flag `done`. */
  replyDone = true;
  /** The application is done with what it is given at once. */
  consumes = true;
  /** Of the connection. */
  messageCharge = 16;
  frames = 0;
  ended: { code: CloseCode; reason: string } | undefined;
  service: ServiceHalf | undefined;
  /** Streams of the transport on which nothing comes through: a datagram of theirs is lost, and not sent again yet. */
  readonly stuck = new Set<number>();
  /** Which of several frames that may come next does. Default the one that was sent first. */
  choose: ((count: number) => number) | undefined;
  #toService = new Way();
  #toUser = new Way();
  #commitDue = false;
  #session = 0;

  constructor(readonly testService: TestService, readonly mode: DeliveryMode, limits = { messages: 1024, bytes: 1024 * 1024 }) {
    this.user = new UserHalf(Buffer.alloc(16, 7), mode, limits, this);
  }

  send(data: string, mode: DeliveryMode = this.mode, lane = 0): Kept { return this.user.laneOf(lane).send(Buffer.from(data), mode, 0, false); }

  /** A pool element opens the session: OPEN, cookie echo; the rest follows as frames are delivered. */
  open(): void {
    this.#session++;
    this.service = undefined;
    this.#toService = new Way();
    this.#toUser = new Way();
    this.#userPort.messageCharge = this.messageCharge;
    this.user.open(this.#userPort, this.#session, Buffer.from('pool'));
    const { cookie } = this.user;
    if (cookie) writeData(this.#userPort, this.#session, 0, ASAP_PPID, 0, encodeAsap({ type: 'ASAP_COOKIE_ECHO', cookie: cookie.cookie, ...(cookie.snapshot && { snapshot: cookie.snapshot }) }));
  }

  /** The pool element dies: with its state, and with all that is on its way. */
  kill(): void {
    this.service = undefined;
    this.#toService = new Way();
    this.#toUser = new Way();
    this.user.leave();
  }

  /** Delivers frames, `batch` at a time to the pool element and `back` to the pool user, until nothing moves or `limit` frames have been delivered in all. */
  async run(limit = Infinity, batch = 1, back = 1): Promise<boolean> {
    while (this.frames < limit) {
      let moved = false;
      for (let i = 0; i < batch && this.frames < limit && this.#deliverToService(); i++) moved = true;
      if (moved) await settle();
      if (this.#commitDue) { this.#commitDue = false; this.service?.commit(); moved = true; }
      for (let i = 0; i < back && this.frames < limit && this.#deliverToUser(); i++) moved = true;
      await settle();
      if (!moved && !this.#commitDue) return true;
    }
    return false;
  }

  #deliverToService(): boolean {
    const bytes = this.#next(this.#toService);
    if (!bytes) return false;
    this.#note('>', bytes);
    const frame = decodeFrame(bytes, 0, bytes.length);
    if (frame.type === 'OPEN') { this.#openService(frame); return true; }
    if (frame.type === 'DATA' && frame.ppid === ASAP_PPID) this.#echo(frame);
    else if (frame.type === 'DATA') this.service?.laneOf(laneOf(bytes, 0)).onData(bytes, 0, bytes.length);
    else if (frame.type === 'WINDOW') this.service?.onWindow(bytes, 0);
    else if (frame.type === 'CLOSE') this.service?.end('NORMAL', 'closed by the pool user');
    this.service?.own();
    return true;
  }

  #echo(frame: Frame<'DATA'>): void {
    const { message } = decodeAsap(frame.tail);
    if (message.type === 'ASAP_COOKIE_ECHO') this.service?.onEcho(Buffer.from(message.cookie), message.snapshot && decodeSnapshot(message.snapshot));
  }

  #openService(open: Frame<'OPEN'>): void {
    const owner = new TestOwner(this, this.testService);
    const half = new ServiceHalf(this.#servicePort, {
      sessionId: open.sessionId.toString('hex'), epoch: open.epoch, mode: this.mode, session: open.session, credit: open.credit,
      windowMessages: open.windowMessages, windowBytes: open.windowBytes,
      outputCommit: this.testService.outputCommit ?? true, concurrency: this.testService.concurrency ?? 1, replyDone: this.replyDone, messageCharge: this.messageCharge,
    }, owner);
    owner.begin(half);
    this.service = half;
    void settle().then(async () => { // `onSession` has settled; an echo, if announced, has come with OPEN
      if (this.service !== half) return;
      half.declare(this.testService.stateful);
      if (half.hasEcho) await half.restore();
      half.serve();
    });
    if (open.echo && !this.#toService.isEmpty) this.#deliverToService(); // the same write
  }

  /** In the order of its stream, unless it goes unordered. */
  #next(queue: Way): Buffer | undefined {
    if (!this.choose && this.stuck.size === 0) return queue.first()?.bytes;
    const seen = new Set<number>(this.stuck);
    const free = queue.waiting().filter(({ way }) => {
      if (seen.has(streamOf(way))) return false;
      if (!isUnordered(way)) seen.add(way);
      return true;
    });
    const chosen = free[this.choose?.(free.length) ?? 0];
    if (chosen) queue.take(chosen);
    return chosen?.bytes;
  }

  #deliverToUser(): boolean {
    const bytes = this.#next(this.#toUser);
    if (!bytes) return false;
    this.#note('<', bytes);
    if (readU32(bytes, 8) !== this.#session) return true;
    const lane = this.user.laneOf(bytes[4] === mapping.CLOSE.type ? 0 : laneOf(bytes, 0));
    switch (bytes[4]) {
      case mapping.ACCEPT.type: this.#accepted(decodeFrame(bytes, 0, bytes.length) as Frame<'ACCEPT'>); break;
      case mapping.REPLY.type: lane.onReply(bytes, 0, bytes.length); break;
      case mapping.DONE.type: lane.onDone(bytes, 0); break;
      case mapping.WINDOW.type: lane.onWindow(bytes, 0); break;
      case mapping.DATA.type: if (readU32(bytes, offsets.DATA.ppid) === ASAP_PPID) this.#cookie(bytes); else lane.onData(bytes, 0, bytes.length); break;
      default: break;
    }
    this.user.own();
    return true;
  }

  #accepted(frame: Frame<'ACCEPT'>): void {
    this.user.accepted({ stateful: frame.stateful === true, streaming: frame.streaming === true, credit: frame.credit });
    if (this.#session > 1) this.recovery?.((data) => { this.user.sendRecovery(Buffer.from(data), 0).catch(() => undefined); });
    this.user.resume();
  }

  #cookie(bytes: Buffer): void {
    const { message } = decodeAsap(bytes.subarray(offsets.DATA.tail));
    if (message.type === 'ASAP_COOKIE') this.user.onCookie({ cookie: message.cookie, snapshot: message.snapshot }, decodeSnapshot(message.snapshot!));
  }

  #note(direction: string, bytes: Buffer): void {
    this.frames++;
    if (isUnprompted(bytes)) { this.trace.push(`${direction} DATA`); return; } // not decoded: there may be hundreds of thousands
    const frame = decodeFrame(bytes, 0, bytes.length);
    const isControl = frame.type === 'DATA' && frame.ppid === ASAP_PPID;
    this.trace.push(`${direction} ${isControl ? decodeAsap(frame.tail).message.type : frame.type}${'id' in frame && !isControl && frame.id > 0 ? ` ${laneOf(bytes, 0) === 0 ? '' : `${laneOf(bytes, 0)}.`}${frame.id}` : ''}${frame.type === 'REPLY' && frame.done === true ? ' done' : ''}`);
  }

  readonly #userPort = port(() => this.#toService, () => undefined);
  readonly #servicePort: Port = port(() => this.#toUser, () => { this.#commitDue = true; });

  // UserHalfOwner

  give(output: Output): void {
    const text = output.payload.toString();
    this.given.push(text);
    if (output.recovery) this.recoveries.push(text);
    else if (output.request !== undefined) this.#noteReply(keyOf(output.lane, output.request), text);
    if (this.consumes) this.user.consumed(output.payload.length);
  }
  #noteReply(key: number, text: string): void {
    const replies = this.replies.get(key);
    if (replies) replies.push(text); else this.replies.set(key, [text]);
  }
  violation(what: string): void { this.violations.push(what); }
  moved(): void { /* nobody waits */ }
  acknowledged(): void { /* not asked for */ }
  lost(entry: Kept): void { this.lostMessages.push(entry.payload.toString()); }
}

class TestOwner implements ServiceHalfOwner {
  #instance: ReturnType<TestService['start']> | undefined;
  #half: ServiceHalf | undefined;
  snapshot: (() => Uint8Array | undefined) | undefined;

  constructor(readonly pair: SessionPair, readonly service: TestService) {}

  begin(half: ServiceHalf): void {
    this.#half = half;
    this.#instance = this.service.start({
      half,
      // One at a time here, so the one that runs is the one whose context it is (D-9).
      send: (data) => { const running = half.current ?? [...half.running][0]; void (running ? running.reply(data) : half.sendUnprompted(data, 0)); },
      setCookie: (cookie) => { half.setCookie(cookie, half.current ?? [...half.running][0]); },
    });
    this.snapshot = this.#instance.snapshot;
  }

  handle(incoming: Incoming): void | PromiseLike<void> {
    if (!incoming.recovery) this.pair.begun.push(keyOf(incoming.owner.lane, incoming.sequence));
    return this.#instance!.handle(incoming);
  }
  restore(cookie: Buffer): void | PromiseLike<void> { return this.#instance!.restore?.(cookie); }
  encodeCookie(cookie: Buffer, { covered, streams }: Coverage, outputs: number): Uint8Array {
    return encodeAsap({ type: 'ASAP_COOKIE', cookie, snapshot: encodeSnapshot({ sessionId: Buffer.alloc(16, 7), epoch: this.#half!.epoch, covered, streams, outputs, issued: 0 }) });
  }
  readonly from = undefined;
  mayRun(): boolean { return true; }
  ended(code: CloseCode, reason: string): void { this.pair.ended = { code, reason }; }
}

/** `way`: its stream of the transport, with the bit of what goes unordered. */
interface OnItsWay { readonly bytes: Buffer; readonly way: number }

function isUnprompted(bytes: Buffer): boolean {
  return bytes[4] === mapping.DATA.type && readU32(bytes, offsets.DATA.id) === 0 && readU32(bytes, offsets.DATA.ppid) !== ASAP_PPID;
}

/** What has been sent in one direction, in that order. Taking the first leaves its place empty: `shift` moves all the others, and there may be hundreds of thousands. */
class Way {
  #frames: OnItsWay[] = [];
  #head = 0;

  get isEmpty(): boolean { return this.#head === this.#frames.length; }
  push(frame: OnItsWay): void { this.#frames.push(frame); }
  waiting(): OnItsWay[] { return this.#frames.slice(this.#head); }
  take(frame: OnItsWay): void { this.#frames.splice(this.#frames.indexOf(frame, this.#head), 1); }

  first(): OnItsWay | undefined {
    if (this.isEmpty) return undefined;
    const frame = this.#frames[this.#head++];
    if (this.isEmpty) this.#frames.length = this.#head = 0;
    return frame;
  }
}

function port(queue: () => Way, flushSoon: () => void): Port & { messageCharge: number } {
  return {
    messageCharge: 0,
    congested: false,
    flushSoon,
    reserve: (length, way = 0) => {
      const bytes = Buffer.alloc(length);
      queue().push({ bytes, way });
      return { bytes, offset: 0 };
    },
  };
}

/** Lets promises settle. */
export async function settle(): Promise<void> { for (let i = 0; i < 8; i++) await Promise.resolve(); }

/** Runs `scenario` once without a fault, then once for each frame after which the pool element may die; each run ends on a fresh one. */
export async function dyingBetweenAnyTwoFrames(make: () => SessionPair, scenario: (pair: SessionPair) => void, check: (pair: SessionPair, reference: SessionPair, at: number) => void, batch = 1): Promise<number> {
  const reference = make();
  reference.open();
  scenario(reference);
  await reference.run(Infinity, batch);
  for (let at = 1; at <= reference.frames; at++) {
    const pair = make();
    pair.open();
    scenario(pair);
    await pair.run(at, batch);
    pair.kill();
    pair.open();
    await pair.run(Infinity, batch);
    check(pair, reference, at);
  }
  return reference.frames;
}
