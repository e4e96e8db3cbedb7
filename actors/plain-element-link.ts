import type { AsapMessage } from '../wire/index.js';
import { ASAP_PPID, encodeFrame, features, mapping, type Frame } from '../wire/mapping.js';
import { bareCookie, PLAIN_CREDIT, PlainLink } from './plain-link.js';

/** A pool user's link to a pool element that does not speak our frames. */
export class PlainElementLink extends PlainLink {
  protected override readonly dataFlags = mapping.DATA.flags.uncommitted;
  protected override readonly features = features.messageCharge;
  /** The last message that the peer's SCTP has, and the last of the failover callback's. */
  #done: number | undefined;
  #recoveryDone: number | undefined;

  protected greeted(): void { /* the session comes */ }

  protected take(frame: Frame): void {
    switch (frame.type) {
      case 'OPEN': // nobody is asked: who accepts the association serves the session
        this.session = frame.session;
        this.emit(encodeFrame({ type: 'ACCEPT', session: frame.session, credit: PLAIN_CREDIT }));
        this.opened(frame.credit);
        return this.begun();
      case 'DATA': return this.#data(frame);
      case 'CLOSE': return this.closeSoon();
      default: // there is no word for it
    }
  }

  protected asap(message: AsapMessage): void {
    if (message.type === 'ASAP_COOKIE') this.emitAsap({ type: 'ASAP_COOKIE', cookie: message.cookie });
  }

  protected override progress(): readonly Buffer[] {
    const { session } = this;
    const frames = [...super.progress()];
    if (this.#recoveryDone !== undefined) frames.push(encodeFrame({ type: 'DONE', session, id: this.#recoveryDone, recovery: true }));
    if (this.#done !== undefined) frames.push(encodeFrame({ type: 'DONE', session, id: this.#done, cumulative: true }));
    this.#done = this.#recoveryDone = undefined;
    return frames;
  }

  #data(frame: Frame<'DATA'>): void {
    const { id, ppid, recovery, tail } = frame;
    if (ppid !== ASAP_PPID) return this.sendMessage(frame, () => { if (recovery === true) this.#recoveryDone = id; else this.#done = id; });
    const cookie = bareCookie(tail);
    if (cookie !== undefined) this.sendAsap({ type: 'ASAP_COOKIE_ECHO', cookie }); // RFC 5352 §3.8: before any data
  }
}
