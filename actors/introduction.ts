import type { Clock, Milliseconds } from '../environment.js';
import { TransportError } from '../errors.js';
import type { Link, LinkHandler, TransportMessage } from '../transports/transport.js';
import { encodeAsap } from '../wire/index.js';
import { ASAP_PPID } from '../wire/mapping.js';
import { SPEAKS_FRAMES } from './mappings.js';
import { readAsap } from './plain-link.js';

/** How two ends of an SCTP association find out whether they speak our frames (parameter 0x8f02). Registrars may drop what an element says of itself (RSPLIB's does), and RFC 5352
 *  knows no question for it: ours is an ASAP message of an unassigned type whose bits say "skip", which others ignore. It is never data, and nothing of ours is sent to whom does not answer. */
abstract class Introduction implements LinkHandler {
  /** Whom all goes to once it is known who is there. */
  #then: LinkHandler | undefined;

  protected get isKnown(): boolean { return this.#then !== undefined; }
  protected handTo(handler: LinkHandler): void { this.#then = handler; }

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#then === undefined) this.framesCame();
    this.#then?.frame(bytes, start, end);
  }

  message(message: TransportMessage): void { if (this.#then === undefined) this.firstMessage(message); else this.#then.message?.(message); }
  chunkEnd(): void { this.#then?.chunkEnd?.(); }
  beforeWrite(): void { this.#then?.beforeWrite?.(); }
  drain(): void { this.#then?.drain?.(); }
  down(reason: TransportError): void { this.#then?.down(reason); }

  protected abstract framesCame(): void;
  protected abstract firstMessage(message: TransportMessage): void;
}

/** What the pool user's side does with the answer; both give who is told all that comes from there on. */
export interface InquiryOwner {
  speaksFrames(): LinkHandler;
  isPlain(link: Link): LinkHandler;
  /** Nobody has been found there. */
  down(reason: TransportError): void;
}

/** The pool user's side asks. To one that answers it costs a round trip. */
export class Inquiry extends Introduction {
  readonly #clock: Clock;
  readonly #owner: InquiryOwner;
  #link!: Link;
  #grace: unknown;

  constructor(clock: Clock, owner: InquiryOwner) {
    super();
    this.#clock = clock;
    this.#owner = owner;
  }

  on(link: Link): Link { return (this.#link = link); }

  up(): void { this.#ask(); }

  override down(reason: TransportError): void {
    this.#clock.clearTimeout(this.#grace);
    if (this.isKnown) super.down(reason); else this.#owner.down(reason);
  }

  protected framesCame(): void { this.#conclude(true); }

  protected firstMessage(message: TransportMessage): void {
    const isAnswer = message.ppid === ASAP_PPID && readAsap(message.bytes)?.type === 'ASAP_CAPABILITIES';
    this.#conclude(isAnswer);
    if (!isAnswer) this.message(message);
  }

  /** Its transport has what was asked: the answer is here by then, or as long in coming again at most. One that got lost comes with that to the next question. */
  #ask(asked = 1): void {
    this.#link.send(capabilities(false), { ppid: ASAP_PPID, unordered: true, acknowledged: () => { if (asked < MOST_QUESTIONS && !this.isKnown) this.#ask(asked + 1); else this.#awaitAnswer(); } });
  }

  #awaitAnswer(): void {
    if (this.isKnown) return;
    const rtt = this.#link.path?.rtt ?? 0;
    this.#grace = this.#clock.setTimeout(() => { this.#conclude(false); }, Math.min(Math.max(rtt, 1), MOST_GRACE));
  }

  #conclude(speaksFrames: boolean): void {
    if (this.isKnown) return;
    this.#clock.clearTimeout(this.#grace);
    this.handTo(speaksFrames ? this.#owner.speaksFrames() : this.#owner.isPlain(this.#link));
  }
}

/** The pool element's side waits for the first word: a question, which it answers; a frame of ours; or a message of somebody who has none. Who has nothing to say yet may take its time, as long as it is there. */
export class Arrival extends Introduction {
  readonly #link: Link;
  readonly #clock: Clock;
  /** How long nothing has been heard there, our own loop's lag not counted (D-29). */
  readonly #quiet: () => Milliseconds;
  #asked = 0;
  #watch: unknown;
  readonly #come: (first: TransportMessage | undefined) => LinkHandler;
  readonly #gone: () => void;

  /** @param come who it is: with `first`, its first message, somebody who does not speak our frames. `gone`: it was nobody. */
  constructor(link: Link, clock: Clock, quiet: () => Milliseconds, come: (first: TransportMessage | undefined) => LinkHandler, gone: () => void) {
    super();
    this.#link = link;
    this.#clock = clock;
    this.#quiet = quiet;
    this.#come = come;
    this.#gone = gone;
    this.#listen();
  }

  override down(reason: TransportError): void {
    this.#clock.clearTimeout(this.#watch);
    if (this.isKnown) super.down(reason); else this.#gone();
  }

  close(): void { if (!this.isKnown) this.#link.close(); }

  protected override handTo(handler: LinkHandler): void {
    this.#clock.clearTimeout(this.#watch); // the data channel judges its silence
    super.handTo(handler);
  }

  protected framesCame(): void { this.handTo(this.#come(undefined)); }

  /** Judged after a poll phase (D-29). */
  #listen(): void {
    this.#watch = this.#clock.setTimeout(() => { this.#clock.defer(() => { this.#judge(); }); }, MOST_SILENCE);
  }

  #judge(): void {
    if (this.isKnown) return;
    if (this.#quiet() < MOST_SILENCE) return this.#listen();
    this.#link.destroy(new TransportError('SILENCE', `${this.#link.peer} has been silent for ${Math.round(this.#quiet())} ms`));
  }

  protected firstMessage(message: TransportMessage): void {
    const asap = message.ppid === ASAP_PPID ? readAsap(message.bytes) : undefined;
    if (asap?.type === 'ASAP_CAPABILITIES') this.#answer();
    else if (message.ppid !== ASAP_PPID || asap?.type === 'ASAP_COOKIE_ECHO') this.handTo(this.#come(message));
  }

  /** So often as one of ours asks. */
  #answer(): void {
    this.#asked += 1;
    if (this.#asked <= MOST_QUESTIONS) this.#link.send(capabilities(true), { ppid: ASAP_PPID, unordered: true });
  }
}

const capabilities = (answer: boolean): Buffer => encodeAsap({ type: 'ASAP_CAPABILITIES', flags: { answer }, capabilities: SPEAKS_FRAMES });

const MOST_GRACE = 50;
const MOST_QUESTIONS = 3;
const MOST_SILENCE: Milliseconds = 5_000;
