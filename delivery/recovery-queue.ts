import { SessionError } from '../errors.js';

/** Bytes that a failover callback may leave waiting for the pool element's credit. */
export const CALLBACK_LIMIT = 2 * 1024 * 1024;

interface Waiting { readonly payload: Buffer; readonly ppid: number; readonly written: () => void; readonly lost: (error: SessionError) => void }

/** What a failover callback sends: in its order, as the pool element grants it, before the replay (D-15). */
export class RecoveryQueue {
  #waiting: Waiting[] = [];
  #bytes = 0;

  get isEmpty(): boolean { return this.#waiting.length === 0; }

  /** Resolves when the message is handed out. Rejects with OUTPUT_LIMIT when too much waits, or as `clear` says. */
  put(payload: Buffer, ppid: number): Promise<void> {
    if (this.#bytes > 0 && this.#bytes + payload.length > CALLBACK_LIMIT) {
      return Promise.reject(new SessionError('OUTPUT_LIMIT', `${CALLBACK_LIMIT} bytes of a failover callback may wait for the pool element: await what send() gives`, { outcome: 'not-taken' }));
    }
    this.#bytes += payload.length;
    return new Promise((written, lost) => { this.#waiting.push({ payload, ppid, written, lost }); });
  }

  /** Hands out what `write` takes; it says false where there is no room. */
  pump(write: (payload: Buffer, ppid: number) => boolean): void {
    let sent = 0;
    for (const { payload, ppid, written } of this.#waiting) {
      if (!write(payload, ppid)) break;
      this.#bytes -= payload.length;
      written();
      sent++;
    }
    if (sent > 0) this.#waiting.splice(0, sent);
  }

  clear(error: SessionError): void {
    for (const { lost } of this.#waiting) lost(error);
    this.#waiting = [];
    this.#bytes = 0;
  }
}
