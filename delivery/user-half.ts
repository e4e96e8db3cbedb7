import { closeCodes, encodeFrame, mapping, offsets, readU32 } from '../wire/mapping.js';
import { pieceOf } from './buffers.js';
import { Credit, DEFAULT_CREDIT, MESSAGE_CHARGE, MOST_MESSAGES } from './credit.js';
import { SessionError } from '../errors.js';
import { HeldOutputs, Output } from './held.js';
import { deliveryModes, type DeliveryMode } from './modes.js';
import { writeData, writeFrame, writeWord, type Port } from './port.js';
import { Reassembly } from './reassembly.js';
import { RecoveryQueue } from './recovery-queue.js';
import { isAfter } from './serial.js';
import { Window, type Kept, type WindowLimits } from './window.js';

/** What a half tells the session it belongs to. */
export interface UserHalfOwner {
  /** An output is given to the application; the owner returns its bytes by `consumed` when the application is done with it. */
  give(output: Output): void;
  /** The peer broke the protocol: the session leaves that pool element with a report (D-16). */
  violation(what: string): void;
  /** The window has become roomier, or everything in it is covered. */
  moved(): void;
  /** The application at the pool element acknowledged a message that had asked for it. */
  acknowledged(id: number): void;
  /** An at-most-once message was handed out and is not known to be handled: never sent again, reported. */
  lost(entry: Kept): void;
}

/** The state cookie as the pool user keeps it: both parameters as they came (RFC 5352 §3.8, D-24). */
export interface StoredCookie { readonly cookie: Uint8Array; readonly snapshot: Uint8Array | undefined }

/** The link. */
type UserPort = Pick<Port, 'reserve' | 'congested'> & {
  /** What a message of the pool element takes of the credit beside its bytes. */
  readonly messageCharge: number;
};

/** What ACCEPT said. */
export interface Acceptance { readonly stateful: boolean; readonly streaming: boolean; readonly credit: number }

const { more, recovery, atMostOnce, ackWanted } = mapping.DATA.flags;
const replyDone = mapping.REPLY.flags.done;
/** Held at once at most: a handler's replies and unprompted messages, OUTPUT_LIMIT each and the charge of the last one. Half of the credit is always to be had. */
const OUTPUT_CREDIT = 2 * DEFAULT_CREDIT + 4 * MESSAGE_CHARGE;

/** The pool user's half of a session (docs/delivery.md): what is kept, replayed and given out. It lives as long as the session and is
 *  bound to one link at a time; frames of other epochs never reach it. */
export class UserHalf extends Credit {
  // In this order: first what each message needs, so that it lies together.
  #port: UserPort | undefined;
  #session = 0;
  #flowing = false;
  #stateful = false;
  #streaming = false;
  /** Outputs received in this epoch. */
  #outputs = 0;
  #mode: DeliveryMode;
  readonly window: Window;
  readonly owner: UserHalfOwner;
  readonly #held = new HeldOutputs();
  /** Once a message has come in fragments. */
  #partial: Reassembly | undefined;
  /** A cookie that names an output which has not come (it cannot happen on an ordered link). */
  #early: { outputs: number; accept: () => void } | undefined;
  /** `id`, hexadecimal. */
  readonly sessionId: string;
  cookie: StoredCookie | undefined;
  epoch = 0;
  #unprompted = 0;
  /** Callback messages handed out in this epoch, and those of them that are handled. */
  #recoveryId = 0;
  #recoveryDone = 0;
  readonly #recoveries = new RecoveryQueue();
  /** The message that the last cookie named; messages that need no cookie may be covered behind it. */
  #named: number | undefined;

  readonly #isRendezvous: boolean;

  /** `rendezvousAfter`: this is a service's rendezvous, and the epoch in which it lost its client. */
  constructor(readonly id: Buffer, mode: DeliveryMode, limits: WindowLimits, owner: UserHalfOwner, rendezvousAfter?: number) {
    super(OUTPUT_CREDIT);
    this.owner = owner;
    this.#mode = mode;
    this.#isRendezvous = rendezvousAfter !== undefined;
    if (rendezvousAfter !== undefined) this.epoch = (rendezvousAfter * 0x1_0000) >>> 0; // of several servers that lost it the last one counts
    this.window = new Window(limits);
    this.sessionId = id.toString('hex');
  }

  /** Of the session; a foreign cookie weakens it (D-24). */
  get mode(): DeliveryMode { return this.#mode; }
  get isStateful(): boolean { return this.#stateful; }
  get isFlowing(): boolean { return this.#flowing; }
  /** At a pool element that has accepted, before the replay: the failover callback's time. */
  get isRecovering(): boolean { return this.#port !== undefined && !this.#flowing; }
  /** A callback message has been handed out, and nothing has come of it or of the replay yet. */
  get hasFruitlessRecovery(): boolean { return this.#port !== undefined && this.#recoveryId > this.#recoveryDone && this.#outputs === 0; }
  get isSettled(): boolean { return this.window.isEmpty && this.#held.isEmpty; }

  // ---- opening, at each attempt (D-13, D-14)

  /** Binds the half to a link and asks for the session there. The cookie echo is the caller's next frame. */
  open(port: UserPort, session: number, poolHandle: Uint8Array): void {
    this.epoch++;
    this.#port = port;
    this.#session = session;
    this.#outputs = this.#unprompted = this.#recoveryId = this.#recoveryDone = 0;
    this.forgetReceived();
    writeFrame(port, encodeFrame({
      type: 'OPEN', session, echo: this.cookie !== undefined, rendezvous: this.#isRendezvous, epoch: this.epoch, credit: this.totalCredit,
      mode: deliveryModes.indexOf(this.mode), windowMessages: this.window.limits.messages, windowBytes: this.window.limits.bytes, sessionId: this.id, tail: Buffer.from(poolHandle),
    }));
  }

  accepted(acceptance: Acceptance): void {
    this.#stateful = acceptance.stateful;
    this.#streaming = acceptance.streaming;
    this.resetCredit(acceptance.credit);
  }

  /** A message of the failover callback: outside of the sequence, before the replay (D-15). Resolves when it is handed out. */
  sendRecovery(payload: Buffer, ppid: number): Promise<void> {
    const handedOut = this.#recoveries.put(payload, ppid);
    this.pump();
    return handedOut;
  }

  /** The replay, in order, then what waits; from now on messages are sent as they come. */
  resume(): void {
    if (!this.#recoveries.isEmpty) this.#recoveries.clear(new SessionError('CALLBACK_OVERDUE', 'the failover callback has taken too long; the replay has begun', { outcome: 'not-taken' }));
    this.#flowing = true;
    this.window.rewind();
    this.pump();
  }

  /** The session leaves its pool element: what was not committed is forgotten (D-10), what may not be sent again is reported. */
  leave(): void {
    this.#port = undefined;
    this.#flowing = false;
    this.#early = undefined;
    this.#held.clear();
    this.#partial = undefined;
    this.#recoveries.clear(left());
    for (const entry of this.window.kept()) {
      if (!entry.sent || entry.mode !== 'at-most-once') continue;
      this.window.cover(entry);
      if (!entry.done) this.owner.lost(entry);
    }
    this.window.rewind();
  }

  /** Tells the pool element that the session is over there. */
  close(code: keyof typeof closeCodes, reason: string): void {
    if (this.#port) writeFrame(this.#port, encodeFrame({ type: 'CLOSE', session: this.#session, code: closeCodes[code], id: 0, tail: reason }));
  }

  // ---- sending

  /** Takes a message into the window (the caller has seen to the room) and sends it when it may go. */
  send(payload: Uint8Array, mode: DeliveryMode, ppid: number, wantsAck: boolean): Kept {
    const entry = this.window.add(payload, mode, ppid, wantsAck);
    const port = this.#port;
    if (!this.#flowing || !port) return entry;
    if (this.window.peek() === entry && this.#mayTransmit(port, entry)) this.#transmit(port, entry, payload); else this.pump();
    return entry;
  }

  /** Transmits what may go: after a grant, a drained link, a replay. */
  pump(): void {
    const port = this.#port;
    if (!port) return;
    if (!this.#flowing) return this.#recoveries.pump((payload, ppid) => this.#transmitRecovery(port, payload, ppid));
    for (let entry = this.window.peek(); entry; entry = this.window.peek()) {
      if (!this.#mayTransmit(port, entry)) return;
      this.#transmit(port, entry, entry.payload);
    }
  }

  #mayTransmit(port: UserPort, entry: Kept): boolean { return !port.congested && entry.length <= this.credit; }

  #transmit(port: UserPort, entry: Kept, payload: Uint8Array): void {
    this.window.advance();
    this.takeCredit(entry.length);
    entry.sent = true;
    entry.unlimit?.();
    if (entry.mode === 'at-most-once') entry.settle?.resolve();
    const flags = (entry.mode === 'at-most-once' ? atMostOnce : 0) | (entry.ackWanted ? ackWanted : 0);
    writeData(port, this.#session, flags, entry.ppid, entry.id, payload);
  }

  #transmitRecovery(port: UserPort, payload: Buffer, ppid: number): boolean {
    if (port.congested || payload.length > this.credit) return false;
    this.takeCredit(payload.length);
    writeData(port, this.#session, recovery, ppid, ++this.#recoveryId, payload);
    return true;
  }

  // ---- what comes: `bytes[start, end)` is a frame of this session and epoch

  onReply(bytes: Buffer, start: number, end: number): void {
    const flags = bytes[start + 5]!;
    const payload = this.#whole(pieceOf(bytes, start + offsets.REPLY.tail, end), (flags & more) !== 0);
    if (!payload) return;
    const request = readU32(bytes, start + offsets.REPLY.id);
    const isRecovery = (flags & recovery) !== 0;
    const output = new Output(this.sessionId, request, readU32(bytes, start + offsets.REPLY.index), ++this.#outputs, isRecovery, readU32(bytes, start + offsets.REPLY.ppid), payload);
    if (isRecovery) this.#holdRecovery(output); else if ((flags & replyDone) !== 0) this.#lastReplyTo(request, output); else this.#replyTo(request, output);
    if (this.#early) this.#checkEarly();
  }

  /** An unprompted message: DATA from the pool element (D-12). */
  onData(bytes: Buffer, start: number, end: number): void {
    const flags = bytes[start + 5]!;
    const payload = this.#whole(pieceOf(bytes, start + offsets.DATA.tail, end), (flags & more) !== 0);
    if (!payload) return;
    const output = new Output(this.sessionId, undefined, ++this.#unprompted, ++this.#outputs, false, readU32(bytes, start + offsets.DATA.ppid), payload);
    if ((flags & mapping.DATA.flags.uncommitted) !== 0) this.owner.give(output); else this.#hold(output);
    if (this.#early) this.#checkEarly();
  }

  onDone(bytes: Buffer, start: number): void {
    const flags = bytes[start + 5]!;
    const id = readU32(bytes, start + offsets.DONE.id);
    if ((flags & mapping.DONE.flags.recovery) !== 0) return this.#releaseRecovery(id);
    this.#done(id, (flags & mapping.DONE.flags.cumulative) !== 0);
  }

  #done(id: number, cumulative: boolean): void {
    if (isAfter(id, this.window.transmittedId)) return this.owner.violation(`DONE for message ${id}, which was not sent`);
    if (cumulative && !this.#stateful) return this.#finish(id);
    const finished: Kept[] = [];
    this.window.markDone(id, cumulative, (entry) => { this.#onEntryDone(entry); if (this.#stateful && entry.mode !== 'effectively-once') finished.push(entry); });
    this.#release(id, cumulative);
    if (this.#stateful) for (const entry of finished) this.window.cover(entry); else this.#coverDone(id);
    this.owner.moved();
  }

  onAck(bytes: Buffer, start: number): void {
    this.owner.acknowledged(readU32(bytes, start + offsets.ACK.id));
  }

  onWindow(bytes: Buffer, start: number): void {
    this.grantCredit(readU32(bytes, start + offsets.WINDOW.bytes));
    this.pump();
  }

  /** A state cookie that names the last message it contains (D-8, D-10, D-16). */
  onCookie(stored: StoredCookie, named: { epoch: number; covered: number; outputs: number }): void {
    if (named.epoch !== this.epoch) return this.owner.violation(`a cookie of epoch ${named.epoch} in epoch ${this.epoch}`);
    if (isAfter(named.covered, this.window.transmittedId)) return this.owner.violation(`a cookie names message ${named.covered}, which was not sent`);
    if (this.#named !== undefined && isAfter(this.#named, named.covered)) return this.owner.violation(`a cookie names message ${named.covered}, but ${this.#named} was covered before`);
    const accept = (): void => { this.#cover(stored, named.covered, named.outputs); };
    if (named.outputs > this.#outputs) this.#early = { outputs: named.outputs, accept }; else accept();
  }

  /** A foreign cookie, without our part: kept for the echo. Nobody knows what it contains, so the session goes on at-least-once (D-24): what is
   *  handled need not be kept, nor does anything wait for a cookie. */
  onForeignCookie(stored: StoredCookie): void {
    this.cookie = stored;
    for (const entry of this.window.kept()) if (entry.done && entry.mode === 'effectively-once') this.window.cover(entry);
    this.weaken();
  }

  /** What is handled is not said, or not by what the cookie contains. What the cookie to be echoed does not contain is still sent again. */
  weaken(): void {
    this.#named = undefined;
    if (this.#mode === 'effectively-once') this.#mode = 'at-least-once';
    for (const entry of this.window.kept()) if (entry.mode === 'effectively-once') entry.mode = 'at-least-once';
    this.#held.release(() => true, this.#give);
    this.owner.moved();
  }

  /** The application is done with a message of `bytes` that was given to it. */
  consumed(bytes: number): void {
    const grant = this.consume(bytes + (this.#port?.messageCharge ?? 0));
    if (grant > 0 && this.#port) writeWord(this.#port, 'WINDOW', this.#session, 0, grant);
  }

  /** The chunk's turn ends: nothing kept is a slice of it (D-22). */
  own(): void {
    this.#held.own();
    this.#partial?.own();
  }

  /** Something of the chunk at hand is kept. */
  get keepsPieces(): boolean { return this.#held.keepsPieces || (this.#partial !== undefined && !this.#partial.isEmpty); }

  // ---- below: the rules

  /** A reply that is its message's DONE too (and of those before it): as a rule nothing is held, and it is given out at once. */
  #lastReplyTo(request: number, output: Output): void {
    const entry = this.window.get(request);
    const isNext = this.#held.isEmpty && !this.#stateful && entry !== undefined && entry.sent && !entry.covered && !entry.answered && entry.mode === 'effectively-once' && !this.#streaming;
    if (!isNext || isAfter(request, this.window.transmittedId)) {
      this.#replyTo(request, output);
      return this.#done(request, true);
    }
    this.window.finishTo(request, this.#onEntryDone);
    this.owner.give(output);
    this.owner.moved();
  }

  /** Everything up to `id` is handled, and that is all that was waited for. */
  #finish(id: number): void {
    this.window.finishTo(id, this.#onEntryDone);
    if (!this.#held.isEmpty) this.#release(id, true);
    this.owner.moved();
  }

  #release(id: number, cumulative: boolean): void {
    this.#held.release((output) => !output.recovery && output.request !== undefined && (cumulative ? !isAfter(output.request, id) : output.request === id), this.#give);
  }

  #replyTo(request: number, output: Output): void {
    const entry = this.window.get(request);
    if (!entry || entry.covered) {
      if (isAfter(request, this.window.transmittedId)) this.owner.violation(`a reply to message ${request}, which was not sent`);
      return this.consumed(output.payload.length);
    }
    if (entry.mode !== 'effectively-once') return this.owner.give(output);
    if (this.#streaming) return this.#stream(entry, output);
    if (entry.answered) return this.consumed(output.payload.length);
    this.#hold(output);
  }

  #stream(entry: Kept, output: Output): void {
    if (output.index < entry.given) return this.consumed(output.payload.length);
    entry.given = output.index + 1;
    this.owner.give(output);
  }

  /** More than its pool element may let wait is a violation. */
  #hold(output: Output): void {
    this.#held.hold(output);
    if (this.#held.size > MOST_HELD) this.owner.violation(`${this.#held.size} messages wait for a cookie or DONE`);
  }

  #holdRecovery(output: Output): void {
    if (this.#streaming || this.mode !== 'effectively-once') this.owner.give(output); else this.#hold(output);
  }

  #releaseRecovery(id: number): void {
    this.#recoveryDone = id;
    this.#held.release((output) => output.recovery && output.request === id, this.#give);
    this.owner.moved();
  }

  readonly #give = (output: Output): void => { this.owner.give(output); };

  readonly #onEntryDone = (entry: Kept): void => {
    entry.answered = true;
    entry.settle?.resolve();
  };

  /** Stateless services: covered means handled. Elsewhere only the messages that are never replayed are. */
  #coverDone(id: number): void {
    const entry = this.window.get(id);
    if (entry) this.window.cover(entry);
  }

  #cover(stored: StoredCookie, covered: number, outputs: number): void {
    this.cookie = stored;
    this.#named = covered;
    this.#held.release((output) => !output.recovery && (output.request === undefined ? output.number <= outputs : !isAfter(output.request, covered)), this.#give);
    this.window.coverTo(covered, (entry) => { if (!entry.done) this.#onEntryDone(entry); });
    this.owner.moved();
  }

  #checkEarly(): void {
    if (!this.#early || this.#early.outputs > this.#outputs) return;
    const { accept } = this.#early;
    this.#early = undefined;
    accept();
  }

  /** Puts fragments together; counts credit. */
  #whole(payload: Buffer, hasMore: boolean): Buffer | undefined {
    if (!this.receive(hasMore ? payload.length : payload.length + (this.#port?.messageCharge ?? 0))) {
      this.owner.violation(`more than the credit of ${OUTPUT_CREDIT} bytes was sent`);
      return undefined;
    }
    if (!hasMore && this.#partial === undefined) return payload;
    const whole = (this.#partial ??= new Reassembly()).add(payload, hasMore);
    if (this.#partial.isCrumbled) this.owner.violation('a message in too many fragments');
    return whole;
  }
}

/** A handler's replies and unprompted messages, those of a handler before it whose cookie is on its way, and a callback's. */
const MOST_HELD = 4 * MOST_MESSAGES;

const left = (): SessionError => new SessionError('MESSAGE_LOST', 'the session has left the pool element; its callback runs again at the next', { outcome: 'not-taken' });
