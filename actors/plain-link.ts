import { MESSAGE_CHARGE } from '../delivery/credit.js';
import type { Clock } from '../environment.js';
import { TransportError } from '../errors.js';
import type { Link, LinkHandler, TransportMessage } from '../transports/transport.js';
import { decodeAsap, encodeAsap, type AsapMessage } from '../wire/index.js';
import { ASAP_PPID, decodeFrame, encodeFrame, features, MAGIC, mapping, offsets, VERSION, writeHeader, writeU32, type Frame } from '../wire/mapping.js';

/** Credit of a session in messages that have no such thing: what the peer's SCTP has not acknowledged is bounded by the window of its sender. */
export const PLAIN_CREDIT = 0x4000_0000;

/** The SCTP mapping as RFC 5352 has it, towards whom does not speak our frames (RSPLIB): one session an association, ASAP (cookies, §3.8) by its payload protocol
 *  identifier, and user data by any other.
 *
 *  To the data channel it is a link to a peer that speaks frames: it says in our frames what such a peer would say, so that sessions, charts and failover are the same.
 *  What only frames can say is not known here: a message is DONE when the peer's SCTP has it, a cookie is foreign (D-24). */
export abstract class PlainLink implements Link, LinkHandler {
  protected readonly link: Link;
  /** The number of the session, once it has been opened. */
  protected session = 0;
  readonly #handler: LinkHandler;
  readonly #clock: Clock;
  /** Frames of the data channel, filled in since they were asked for. */
  #out: Uint8Array[] = [];
  #outBytes = 0;
  /** Frames for it. */
  #in: Buffer[] = [];
  /** Messages that have come before there is a session. */
  #early: TransportMessage[] | undefined = [];
  /** Messages for which there is no credit yet. */
  #waiting: TransportMessage[] = [];
  /** The fragments of a message so far. */
  #parts: Uint8Array[] = [];
  /** Bytes that the session still takes, and takes at once at most. */
  #credit = 0;
  #most = 0;
  #lastId = 0;
  /** Of those, so many are handled, where that is said. */
  #handled = 0;
  #granted = 0;
  /** Messages for the peer's SCTP, and those that it has. */
  #sent = 0;
  #acknowledged = 0;
  /** Empty ones, each done with what was sent before it. */
  #empty: { readonly after: number; readonly done: () => void }[] = [];
  #isDue = false;
  #isOver = false;
  readonly #room = { bytes: Buffer.alloc(0), offset: 0 };

  constructor(link: Link, handler: LinkHandler, clock: Clock) {
    this.link = link;
    this.#handler = handler;
    this.#clock = clock;
  }

  /** The data channel has been greeted. */
  protected abstract greeted(): void;
  /** A frame of the session. */
  protected abstract take(frame: Frame): void;
  /** An ASAP message of the peer. */
  protected abstract asap(message: AsapMessage): void;

  // ---- Link, for the data channel

  get local(): string { return this.link.local; }
  get peer(): string { return this.link.peer; }
  get lastHeard(): number { return this.link.lastHeard; }
  get lastSent(): number { return this.link.lastSent; }
  get queued(): number { return this.link.queued + this.#outBytes; }
  /** Within a turn, too, in which nothing leaves: a handler may await each of its replies and never let it end. */
  get writable(): boolean { return this.#outBytes <= MOST_OUT && this.link.writable; }
  get path(): Link['path'] { return this.link.path; }

  send(frame: Uint8Array): boolean {
    this.#out.push(frame);
    this.#outBytes += frame.length;
    this.link.flushSoon();
    return this.writable;
  }

  reserve(length: number): { readonly bytes: Buffer; readonly offset: number } {
    this.#room.bytes = Buffer.allocUnsafe(length);
    this.send(this.#room.bytes);
    return this.#room;
  }

  flushSoon(): void { this.link.flushSoon(); }
  pause(): void { this.link.pause(); }
  resume(): void { this.link.resume(); }
  destroy(reason: TransportError): void { this.link.destroy(reason); }

  /** The end of the association is the end of the session, and how it is told. */
  close(): void {
    this.#translate();
    this.#isOver = true;
    this.link.close();
  }

  // ---- LinkHandler, for the association

  frame(): void { this.misbehaved('our frames, on an association that had none'); }

  message(message: TransportMessage): void {
    if (this.#isOver) return;
    if (this.#early !== undefined) {
      this.#early.push(message);
      return this.link.pause();
    }
    if (message.ppid === ASAP_PPID) {
      const asap = readAsap(message.bytes);
      return asap === undefined ? undefined : this.asap(asap);
    }
    this.#waiting.push(message);
    this.#pumpIn();
  }

  beforeWrite(): void {
    this.#handler.beforeWrite?.();
    const wasFull = this.#outBytes > MOST_OUT;
    this.#translate();
    if (wasFull && this.writable) this.#clock.defer(() => { this.drain(); });
  }

  drain(): void { this.#handler.drain?.(); }
  down(reason: TransportError): void {
    this.#isOver = true;
    this.#handler.down(reason);
  }

  // ---- for the two kinds of peers

  /** A frame for the data channel, in its turn. */
  protected emit(frame: Buffer): void {
    this.#in.push(frame);
    this.#deliverSoon();
  }

  protected sendAsap(message: AsapMessage): void { this.link.send(encodeAsap(message), { ppid: ASAP_PPID }); }

  /** A message in frames; `acknowledged` when the peer's SCTP has it. Its bytes are credit again then. */
  protected sendMessage(frame: Frame<'DATA' | 'REPLY'>, acknowledged?: () => void): void {
    const { more, ppid, tail } = frame;
    if (more === true || this.#parts.length > 0) this.#parts.push(tail);
    if (more === true) return;
    const bytes = this.#parts.length === 0 ? tail : Buffer.concat(this.#parts);
    this.#parts = [];
    const done = (): void => {
      acknowledged?.();
      this.#granted += bytes.length;
      this.#deliverSoon();
    };
    if (bytes.length === 0) return this.#sendNothing(done);
    this.#sent += 1;
    this.link.send(bytes, { ppid, acknowledged: () => { this.#acknowledge(done); } });
  }

  /** SCTP has no empty messages. */
  #sendNothing(done: () => void): void {
    if (this.#acknowledged === this.#sent) this.#clock.defer(done); else this.#empty.push({ after: this.#sent, done });
  }

  #acknowledge(done: () => void): void {
    this.#acknowledged += 1;
    done();
    while (this.#empty[0] !== undefined && this.#empty[0].after <= this.#acknowledged) this.#empty.shift()!.done();
  }

  /** The session is known; what has come for it follows. */
  protected begun(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.link.resume();
    for (const message of early) this.message(message);
  }

  /** The session takes messages. */
  protected opened(credit: number): void {
    this.#credit = this.#most = credit;
    this.#pumpIn();
  }

  protected emitAsap(message: AsapMessage): void { this.emitData(ASAP_PPID, 0, encodeAsap(message)); }

  protected emitData(ppid: number, id: number, bytes: Uint8Array): void {
    const head = offsets.DATA.tail;
    const frame = Buffer.allocUnsafe(head + bytes.length);
    writeHeader(frame, 0, frame.length, mapping.DATA.type, this.dataFlags, this.session);
    writeU32(frame, offsets.DATA.ppid, ppid);
    writeU32(frame, offsets.DATA.id, id);
    frame.set(bytes, head);
    this.emit(frame);
  }

  /** The session has handled a message, or all up to it. */
  protected handled({ id, cumulative }: Frame<'DONE'>): void {
    this.#handled = cumulative === true ? id : (this.#handled + 1) >>> 0;
    this.#pumpIn();
  }

  /** Of messages that the peer sends. */
  protected readonly dataFlags: number = 0;
  /** Of frames that the peer is to know. */
  protected readonly features: number = 0;
  /** Messages that may wait for the session to handle them, where it says so. */
  protected readonly mostWaiting: number = Infinity;

  protected misbehaved(how: string): void { this.destroy(new TransportError('PEER_MISBEHAVED', `${this.peer}: ${how}`)); }

  /** Behind what is being written now. */
  protected closeSoon(): void {
    this.#isOver = true;
    this.#clock.defer(() => { this.link.close(); });
  }

  /** What the acknowledgements since the last time say, in frames. */
  protected progress(): readonly Buffer[] {
    const granted = this.#granted;
    this.#granted = 0;
    return granted === 0 ? [] : [encodeFrame({ type: 'WINDOW', session: this.session, bytes: granted })];
  }

  // ---- below

  #translate(): void {
    while (this.#out.length > 0 && !this.#isOver) {
      const out = this.#out;
      this.#out = [];
      this.#outBytes = 0;
      for (const bytes of out) this.#take(decodeFrame(bytes as Buffer, 0, bytes.length));
    }
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'VERSION':
        this.emit(encodeFrame({ type: 'VERSION', session: 0, magic: MAGIC, version: VERSION, lowest: VERSION, features: this.features, heartbeat: 0, silence: 0 }));
        return this.greeted();
      case 'HEARTBEAT': return this.link.ping?.(() => { this.emit(encodeFrame({ type: 'HEARTBEAT_ACK', session: 0, nonce: frame.nonce })); });
      case 'WINDOW':
        this.#credit += frame.bytes;
        return this.#pumpIn();
      case 'DATA':
        return frame.session === 0 ? undefined : this.take(frame); // no business cards: RSPLIB reads them wrongly
      default: return this.take(frame);
    }
  }

  /** Messages that have come, as far as the session takes them; while it does not, the peer is held up by its own window. */
  #pumpIn(): void {
    const charge = (this.features & features.messageCharge) === 0 ? 0 : MESSAGE_CHARGE;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { bytes, ppid } = first;
      const cost = bytes.length + charge;
      if (this.#most > 0 && cost > this.#most / 2) return this.misbehaved(`a message of ${bytes.length} bytes; ${this.#most / 2} are possible`); // there may never be credit for it (delivery/credit.ts)
      if (cost > this.#credit || (this.#lastId - this.#handled) >>> 0 >= this.mostWaiting) break;
      this.#waiting.shift();
      this.#credit -= cost;
      this.#lastId = (this.#lastId + 1) >>> 0;
      this.emitData(ppid, this.#lastId, bytes);
    }
    if (this.#waiting.length > 0) this.link.pause(); else this.link.resume();
  }

  #deliverSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.defer(() => { this.#deliver(); });
  }

  #deliver(): void {
    this.#isDue = false;
    const frames = [...this.#in, ...this.progress()];
    this.#in = [];
    try {
      for (const bytes of frames) this.#handler.frame(bytes, 0, bytes.length);
      this.#handler.chunkEnd?.();
    } catch (error) {
      this.destroy(new TransportError('PEER_MISBEHAVED', `the link with ${this.peer} was destroyed: the handler of its frames threw`, { cause: error }));
    }
  }
}

/** Of frames that wait to be translated: as much as a link has for its queue's mark. */
const MOST_OUT = 0x4_0000;

/** The cookie alone: what we say beside it is not for whom does not speak our frames. */
export function bareCookie(bytes: Uint8Array): Uint8Array | undefined {
  const message = readAsap(bytes);
  return message?.type === 'ASAP_COOKIE' || message?.type === 'ASAP_COOKIE_ECHO' ? message.cookie : undefined;
}

export const isCookieEcho = ({ ppid, bytes }: TransportMessage): boolean => ppid === ASAP_PPID && readAsap(bytes)?.type === 'ASAP_COOKIE_ECHO';

/** What cannot be read is skipped: nobody waits for an answer on this channel. */
export function readAsap(bytes: Uint8Array): AsapMessage | undefined {
  try {
    return decodeAsap(bytes).message;
  } catch {
    return undefined;
  }
}
