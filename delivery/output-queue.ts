import type { Credit } from './credit.js';
import type { Port } from './port.js';

/** A service's own message: it may go elsewhere when its client is lost. */
export interface OwnMessage { readonly payload: Buffer; readonly ppid: number }

/** What a pool element's half sends, in one order: written at once while the link has room and the peer has given credit, else queued. */
export class OutputQueue {
  /** Of `#waiting`. */
  #count = 0;
  #bytes = 0;
  #waiting: { readonly size: number; readonly write: () => void; readonly written: () => void; readonly message: OwnMessage | undefined }[] = [];

  constructor(readonly port: Port, readonly credit: Credit) {}

  /** Bytes of payload that wait. */
  get bytes(): number { return this.#bytes; }

  get isEmpty(): boolean { return this.#count === 0; }

  /** Whether `size` bytes may be written now, without overtaking anything. */
  get isClear(): boolean { return this.#count === 0 && !this.port.congested; }

  /** Frames without payload (`size` 0) take no credit but keep their place. */
  put(size: number, write: () => void, message?: OwnMessage): Promise<void> | undefined {
    if (this.isClear && size <= this.credit.credit) {
      this.credit.takeCredit(size);
      write();
      return undefined;
    }
    this.#bytes += size;
    return new Promise((written) => { this.#count = this.#waiting.push({ size, write, written, message }); });
  }

  /** After a grant, or when the link has drained. */
  pump(): void {
    let sent = 0;
    for (const item of this.#waiting) {
      if (this.port.congested || item.size > this.credit.credit) break;
      this.credit.takeCredit(item.size);
      this.#bytes -= item.size;
      item.write();
      item.written();
      sent++;
    }
    if (sent > 0) this.#waiting.splice(0, sent);
    this.#count = this.#waiting.length;
  }

  /** The service's own messages that wait. */
  undelivered(): OwnMessage[] { return this.#waiting.flatMap(({ message }) => message ?? []); }

  clear(): void {
    for (const item of this.#waiting) item.written();
    this.#waiting = [];
    this.#bytes = this.#count = 0;
  }
}
