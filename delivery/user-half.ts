import { closeCodes, encodeFrame, mapping } from '../wire/mapping.js';
import type { StreamCover } from '../wire/snapshot.js';
import { SessionError } from '../errors.js';
import type { Output } from './held.js';
import { deliveryModes, type DeliveryMode } from './modes.js';
import { writeData, writeFrame, writeWord, type Port } from './port.js';
import { RecoveryQueue } from './recovery-queue.js';
import { SideLane, UserLane } from './user-lane.js';
import type { Kept, WindowLimits } from './window.js';

/** What a half tells the session it belongs to. */
export interface UserHalfOwner {
  /** An output is given to the application; the owner returns its bytes by `consumed` when the application is done with it. */
  give(output: Output): void;
  /** The peer broke the protocol: the session leaves that pool element with a report (D-16). */
  violation(what: string): void;
  /** The window has become roomier, or everything in it is covered. */
  moved(): void;
  /** The application at the pool element acknowledged a message that had asked for it. */
  acknowledged(id: number, lane: number): void;
  /** An at-most-once message was handed out and is not known to be handled: never sent again, reported. */
  lost(entry: Kept): void;
}

/** The state cookie as the pool user keeps it: both parameters as they came (RFC 5352 §3.8, D-24). */
export interface StoredCookie { readonly cookie: Uint8Array; readonly snapshot: Uint8Array | undefined }

/** The link. */
export type UserPort = Pick<Port, 'reserve' | 'congested'> & {
  /** What a message of the pool element takes of the credit beside its bytes. */
  readonly messageCharge: number;
};

/** What ACCEPT said. */
export interface Acceptance { readonly stateful: boolean; readonly streaming: boolean; readonly credit: number }

const { recovery } = mapping.DATA.flags;

/** The pool user's half of a session (docs/delivery.md): what it is at its pool element, the cookie, the failover callback's messages. What is kept, replayed and given out stands in its lanes, of which it
 *  is the first itself. It lives as long as the session and is bound to one link at a time; frames of other epochs never reach it. */
export class UserHalf extends UserLane {
  // In this order: first what each message needs, so that it lies together.
  readonly half: this = this;
  readonly lane: number = 0;
  port: UserPort | undefined;
  /** On its link. */
  session = 0;
  #flowing = false;
  #stateful = false;
  #streaming = false;
  /** Outputs received in this epoch, on all lanes. */
  outputs = 0;
  #mode: DeliveryMode;
  readonly owner: UserHalfOwner;
  /** A cookie that names an output which has not come (it cannot happen on an ordered link). */
  #early: { outputs: number; accept: () => void } | undefined;
  /** `id`, hexadecimal. */
  readonly sessionId: string;
  cookie: StoredCookie | undefined;
  epoch = 0;
  /** Callback messages handed out in this epoch, and those of them that are handled. */
  #recoveryId = 0;
  #recoveryDone = 0;
  readonly #recoveries = new RecoveryQueue();
  readonly #isRendezvous: boolean;
  /** Lanes beside stream 0, by their number in the header. */
  #side: Map<number, UserLane> | undefined;
  /** Who is first when they are pumped. */
  #turn = 0;
  /** Of each lane, to begin with. */
  #firstCredit = 0;

  /** `rendezvousAfter`: this is a service's rendezvous, and the epoch in which it lost its client. */
  constructor(readonly id: Buffer, mode: DeliveryMode, limits: WindowLimits, owner: UserHalfOwner, rendezvousAfter?: number) {
    super(limits, 0);
    this.owner = owner;
    this.#mode = mode;
    this.#isRendezvous = rendezvousAfter !== undefined;
    if (rendezvousAfter !== undefined) this.epoch = (rendezvousAfter * 0x1_0000) >>> 0; // of several servers that lost it the last one counts
    this.sessionId = id.toString('hex');
  }

  /** Of the session; a foreign cookie weakens it (D-24). */
  get mode(): DeliveryMode { return this.#mode; }
  get isStateful(): boolean { return this.#stateful; }
  get isStreaming(): boolean { return this.#streaming; }
  get isFlowing(): boolean { return this.#flowing; }
  /** At a pool element that has accepted, before the replay: the failover callback's time. */
  get isRecovering(): boolean { return this.port !== undefined && !this.#flowing; }
  /** A callback message has been handed out, and nothing has come of it or of the replay yet. */
  get hasFruitlessRecovery(): boolean { return this.port !== undefined && this.#recoveryId > this.#recoveryDone && this.outputs === 0; }
  /** What the callback has handed out is handled. */
  get isRecovered(): boolean { return this.#recoveryId === this.#recoveryDone; }
  /** Nothing is kept. */
  get isEmpty(): boolean { return this.lanes().every(({ window }) => window.isEmpty); }
  get isSettled(): boolean { return this.lanes().every(({ isLaneSettled }) => isLaneSettled); }
  /** What a message of the pool element takes of the credit beside its bytes. */
  get messageCharge(): number { return this.port?.messageCharge ?? 0; }

  // ---- lanes (D-23)

  /** Something has gone, or come, on another lane than stream 0. */
  get hasLanes(): boolean { return this.#side !== undefined; }

  lanes(): UserLane[] { return this.#side === undefined ? [this] : [this, ...this.#side.values()]; }

  /** The lane of that number; made where it is new. */
  laneOf(lane: number): UserLane {
    if (lane === 0) return this;
    let known = this.#side?.get(lane);
    if (known === undefined) {
      known = new SideLane(this, lane);
      known.resetCredit(this.#firstCredit);
      (this.#side ??= new Map()).set(lane, known);
    }
    return known;
  }

  /** What is kept, of each lane oldest first. */
  kept(): Kept[] { return this.#side === undefined ? this.window.kept() : this.lanes().flatMap(({ window }) => window.kept()); }

  // ---- opening, at each attempt (D-13, D-14)

  /** Binds the half to a link and asks for the session there. The cookie echo is the caller's next frame. */
  open(port: UserPort, session: number, poolHandle: Uint8Array): void {
    this.epoch++;
    this.port = port;
    this.session = session;
    this.outputs = this.#recoveryId = this.#recoveryDone = 0;
    for (const lane of this.lanes()) lane.begin();
    this.forgetReceived();
    writeFrame(port, encodeFrame({
      type: 'OPEN', session, echo: this.cookie !== undefined, rendezvous: this.#isRendezvous, epoch: this.epoch, credit: this.totalCredit,
      mode: deliveryModes.indexOf(this.mode), windowMessages: this.window.limits.messages, windowBytes: this.window.limits.bytes, sessionId: this.id, tail: Buffer.from(poolHandle),
    }));
  }

  accepted(acceptance: Acceptance): void {
    this.#stateful = acceptance.stateful;
    this.#streaming = acceptance.streaming;
    this.#firstCredit = acceptance.credit;
    for (const lane of this.lanes()) lane.resetCredit(acceptance.credit);
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
    for (const { window } of this.lanes()) window.rewind();
    this.pump();
  }

  /** The session leaves its pool element: what was not committed is forgotten (D-10), what may not be sent again is reported. */
  leave(): void {
    this.port = undefined;
    this.#flowing = false;
    this.#early = undefined;
    this.#recoveries.clear(left());
    for (const lane of this.lanes()) lane.leaveLane();
  }

  /** Tells the pool element that the session is over there. */
  close(code: keyof typeof closeCodes, reason: string): void {
    if (this.port) writeFrame(this.port, encodeFrame({ type: 'CLOSE', session: this.session, code: closeCodes[code], id: 0, tail: reason }));
  }

  // ---- sending

  /** Transmits what may go, of each lane: after a grant, a drained link, a replay. */
  pump(): void {
    const { port } = this;
    if (!port) return;
    if (!this.#flowing) return this.#recoveries.pump((payload, ppid) => this.#transmitRecovery(port, payload, ppid));
    if (this.#side === undefined) return this.pumpLane();
    const lanes = this.lanes();
    const first = this.#turn++ % lanes.length;
    for (let i = 0; i < lanes.length; i++) lanes[(first + i) % lanes.length]!.pumpLane();
  }

  #transmitRecovery(port: UserPort, payload: Buffer, ppid: number): boolean {
    if (port.congested || payload.length > this.credit) return false;
    this.takeCredit(payload.length);
    writeData(port, this.session, recovery, ppid, ++this.#recoveryId, payload);
    return true;
  }

  // ---- what comes

  /** A state cookie that names the last message of each stream that it contains (D-8, D-10, D-16, D-23). */
  onCookie(stored: StoredCookie, named: { readonly epoch: number; readonly covered: number; readonly streams?: readonly StreamCover[] | undefined; readonly outputs: number }): void {
    const { epoch, covered, streams = [], outputs } = named;
    if (epoch !== this.epoch) return this.owner.violation(`a cookie of epoch ${epoch} in epoch ${this.epoch}`);
    const contradiction = this.contradiction(covered) ?? this.#contradictionOf(streams);
    if (contradiction !== undefined) return this.owner.violation(contradiction);
    const accept = (): void => { this.#cover(stored, covered, streams, outputs); };
    if (outputs > this.outputs) this.#early = { outputs, accept }; else accept();
  }

  #contradictionOf(streams: readonly StreamCover[]): string | undefined {
    for (const { stream, covered } of streams) {
      const lane = this.#side?.get(stream);
      const what = lane === undefined ? `a cookie names message ${covered} of stream ${stream}, on which nothing was sent` : lane.contradiction(covered);
      if (what !== undefined) return what;
    }
    return undefined;
  }

  /** A foreign cookie, without our part: kept for the echo. Nobody knows what it contains, so the session goes on at-least-once (D-24): what is
   *  handled need not be kept, nor does anything wait for a cookie. */
  onForeignCookie(stored: StoredCookie): void {
    this.cookie = stored;
    for (const entry of this.kept()) if (entry.done && entry.mode === 'effectively-once') this.laneOf(entry.lane).window.cover(entry);
    this.weaken();
  }

  /** What is handled is not said, or not by what the cookie contains. What the cookie to be echoed does not contain is still sent again. */
  weaken(): void {
    if (this.#mode === 'effectively-once') this.#mode = 'at-least-once';
    for (const lane of this.lanes()) lane.weakenLane();
    this.owner.moved();
  }

  /** The application is done with a message of `bytes` that was given to it. */
  consumed(bytes: number): void {
    const grant = this.consume(bytes + this.messageCharge);
    if (grant > 0 && this.port) writeWord(this.port, 'WINDOW', this.session, 0, grant);
  }

  /** The chunk's turn ends: nothing kept is a slice of it (D-22). */
  own(): void {
    this.ownPieces();
    if (this.#side !== undefined) for (const lane of this.#side.values()) lane.ownPieces();
  }

  /** Something of the chunk at hand is kept. */
  get keepsPieces(): boolean { return this.hasPieces || (this.#side !== undefined && this.lanes().some(({ hasPieces }) => hasPieces)); }

  // ---- for the lanes

  /** DONE of a callback's message; lanes beside stream 0 have waited for it. */
  recoveryHandled(id: number): void {
    this.#recoveryDone = id;
    this.releaseRecovery(id);
    if (this.#side !== undefined && this.isRecovered) this.pump();
    this.owner.moved();
  }

  /** A cookie waits for outputs that it names. */
  get isAwaitingOutputs(): boolean { return this.#early !== undefined; }

  checkEarly(): void {
    if (!this.#early || this.#early.outputs > this.outputs) return;
    const { accept } = this.#early;
    this.#early = undefined;
    accept();
  }

  #cover(stored: StoredCookie, covered: number, streams: readonly StreamCover[], outputs: number): void {
    this.cookie = stored;
    this.cover(covered, outputs);
    if (this.#side !== undefined) for (const [number, lane] of this.#side) {
      const named = streams.find(({ stream }) => stream === number);
      if (named === undefined) lane.releaseUnprompted(outputs); else lane.cover(named.covered, outputs);
    }
    this.owner.moved();
  }
}

const left = (): SessionError => new SessionError('MESSAGE_LOST', 'the session has left the pool element; its callback runs again at the next', { outcome: 'not-taken' });
