import type { Handlespace, RegisteredElement } from '../handlespace/handlespace.js';
import { encodeEnrp, encodePoolHandle } from '../wire/index.js';

/** A handle table on its way to another registrar, in pieces below 64 KiB (RFC 5353 §3.2.3): what changes meanwhile goes out as an update over the same link, behind
 *  the piece that has it otherwise. Pool elements are copied as they were encoded at their registration. */
export class TablePieces {
  readonly #elements: Iterator<RegisteredElement>;
  #next: IteratorResult<RegisteredElement>;

  /** @param isOwn the elements of this registrar alone (W flag). */
  constructor(private readonly handlespace: Handlespace, readonly isOwn: boolean, private readonly self: number) {
    this.#elements = isOwn ? ownElements(handlespace, self) : allElements(handlespace);
    this.#next = this.#elements.next();
  }

  /** @returns the next ENRP_HANDLE_TABLE_RESPONSE, and whether it is the last. */
  next(receivingServer: number): { readonly frame: Buffer; readonly isLast: boolean } {
    const parts: Buffer[] = [];
    let length = 0;
    let padding = 0;
    let key: string | undefined;
    for (; this.#next.done !== true && length < FULL; this.#next = this.#elements.next()) {
      const { pool, encoded } = this.#next.value;
      if (this.handlespace.find(pool.key, this.#next.value.identifier) !== this.#next.value) continue; // gone since it was looked at
      const handle = pool.key === key ? nothing : encodePoolHandle(pool.handle);
      if (length > 0 && length + handle.length + encoded.length > MOST) break;
      key = pool.key;
      parts.push(handle, encoded);
      length += handle.length + encoded.length;
      padding = -encoded.readUInt16BE(2) & 3;
    }
    const isLast = this.#next.done === true;
    const head = encodeEnrp({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: !isLast }, sendingServer: this.self, receivingServer, poolEntries: [] });
    head.writeUInt16BE(head.length + length - padding, 2);
    return { frame: Buffer.concat([head, ...parts]), isLast };
  }
}

/** An ENRP_HANDLE_UPDATE (RFC 5353 §3.3), put together in the same way: one for each change at each peer. The receiver's identifier is left blank, so that all get the same. */
export function updateFrame(sendingServer: number, { pool, encoded }: RegisteredElement, action: 'ADD_PE' | 'DEL_PE'): Buffer {
  const handle = encodePoolHandle(pool.handle);
  const frame = Buffer.allocUnsafe(UPDATE_HEAD + handle.length + encoded.length);
  frame.writeUInt32BE(HANDLE_UPDATE, 0);
  frame.writeUInt16BE(frame.length - (-encoded.readUInt16BE(2) & 3), 2);
  frame.writeUInt32BE(sendingServer, 4);
  frame.writeUInt32BE(0, 8);
  frame.writeUInt32BE(action === 'ADD_PE' ? 0 : DEL_PE, 12);
  handle.copy(frame, UPDATE_HEAD);
  encoded.copy(frame, UPDATE_HEAD + handle.length);
  return frame;
}

/** Type and flags, before the length; both identifiers, the action (§2.4). */
const HANDLE_UPDATE = 0x0400_0000;
const UPDATE_HEAD = 16;
const DEL_PE = 0x0001_0000;

function* allElements(handlespace: Handlespace): Generator<RegisteredElement> {
  for (const pool of handlespace.pools()) yield* pool.elements();
}

function* ownElements(handlespace: Handlespace, self: number): Generator<RegisteredElement> {
  yield* handlespace.owned(self);
}

const nothing = Buffer.alloc(0);
/** A piece is closed once it is so long: making one is a slice of work that others wait for. */
const FULL = 32 * 1024;
const MOST = 60 * 1024;
