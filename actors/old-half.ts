import { writeFrame } from '../delivery/port.js';
import { closeCodes, encodeFrame } from '../wire/mapping.js';
import type { DataLink, LinkSession } from './data-link.js';

/** What is left of a session at a pool element that handed it over: closed when another one has accepted it (D-27), so that the old one knows whom it waits for. Late frames are dropped. */
export class OldHalf implements LinkSession {
  readonly keepsPieces = false;
  readonly #left: (link: DataLink) => void;

  constructor(readonly link: DataLink, readonly number: number, left: (link: DataLink) => void) {
    this.#left = left;
    link.sessions.set(number, this);
  }

  close(): void {
    if (this.link.sessions.get(this.number) !== this) return;
    this.link.sessions.delete(this.number);
    if (this.link.isUp) writeFrame(this.link, encodeFrame({ type: 'CLOSE', session: this.number, code: closeCodes.NORMAL, id: 0, tail: 'moved' }));
    this.#left(this.link);
  }

  frame(): void { /* nobody's any more */ }
  own(): void { /* nothing is kept */ }
  commit(): void { /* nothing is promised */ }
  pump(): void { /* nothing waits */ }
  linkLost(): void { /* it is closed as well */ }
  linkDown(): void { /* it is closed as well */ }
}
