import { deliveryModes } from '../delivery/modes.js';
import type { Clock } from '../environment.js';
import type { Link, LinkHandler, TransportMessage } from '../transports/transport.js';
import type { AsapMessage } from '../wire/index.js';
import { ASAP_PPID, encodeFrame, type Frame } from '../wire/mapping.js';
import { bareCookie, isCookieEcho, PLAIN_CREDIT, PlainLink } from './plain-link.js';

/** A pool element's link to a pool user that does not speak our frames. Its first message opens the session. */
export class PlainUserLink extends PlainLink {
  protected override readonly mostWaiting = WINDOW_MESSAGES;
  readonly #first: TransportMessage;
  readonly #id: Buffer;

  /** @param id of the session, which such a pool user does not tell: 16 bytes. */
  constructor(link: Link, handler: LinkHandler, clock: Clock, first: TransportMessage, id: Buffer) {
    super(link, handler, clock);
    this.#first = first;
    this.#id = id;
    this.message(first);
  }

  protected greeted(): void {
    this.session = 1;
    this.emit(encodeFrame({
      type: 'OPEN', session: this.session, echo: isCookieEcho(this.#first), epoch: 1, credit: PLAIN_CREDIT, mode: deliveryModes.indexOf('at-least-once'),
      windowMessages: WINDOW_MESSAGES, windowBytes: WINDOW_BYTES, sessionId: this.#id, tail: Buffer.alloc(0),
    }));
    this.begun();
  }

  protected take(frame: Frame): void {
    switch (frame.type) {
      case 'ACCEPT': return this.opened(frame.credit);
      case 'REPLY': return this.sendMessage(frame);
      case 'DONE': return this.handled(frame);
      case 'DATA': return this.#data(frame);
      case 'REFUSE': case 'CLOSE': case 'MOVE': return this.closeSoon(); // the end of the association is what sends it to the next pool element
      default: // there is no word for it
    }
  }

  protected asap(message: AsapMessage): void {
    if (message.type === 'ASAP_COOKIE_ECHO') this.emitAsap({ type: 'ASAP_COOKIE_ECHO', cookie: message.cookie });
  }

  #data(frame: Frame<'DATA'>): void {
    if (frame.ppid !== ASAP_PPID) return this.sendMessage(frame);
    const cookie = bareCookie(frame.tail);
    if (cookie !== undefined) this.sendAsap({ type: 'ASAP_COOKIE', cookie });
  }
}

/** It does not tell its window: as many messages as of one of ours by default may wait, and as often a `snapshot` is asked for (D-12). */
const WINDOW_MESSAGES = 1024;
const WINDOW_BYTES = 1024 * 1024;
