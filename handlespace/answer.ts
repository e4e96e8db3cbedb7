import { encodeAsap, encodePolicy, encodePoolHandle, poolHandleFromKey, type Policy } from '../wire/index.js';
import { Candidate, type Selection } from './selection/index.js';

/** A candidate with its PE parameter as it goes out. */
export abstract class Encoded extends Candidate {
  /** Padded. */
  abstract readonly encoded: Buffer;
}

/** Elements in an answer where the request does not say how many (RSPLIB's 0x803f does; X-17). Any answer stays below 64 KiB. */
export const DEFAULT_ITEMS = 128;

/**
 * A pool's ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 §2.2.6), kept ready until the pool changes: the message up to the elements, and the elements
 * in the policy's order. Those that take turns are kept twice over, so that the list that begins with any of them is one stretch of bytes.
 */
export class PreparedAnswer<C extends Encoded> {
  readonly #selection: Selection<C>;
  readonly #head: Buffer;
  readonly #items: number;
  #circle: object | undefined; // whose bytes are ready
  #turning: Buffer = nothing;
  #turningLength = 0;
  #fixed: Buffer = nothing;
  #start = 0;
  /** Of the whole message that `write` would write. */
  length = 0;

  constructor(poolKey: string, policy: Policy, selection: Selection<C>, items = DEFAULT_ITEMS) {
    this.#selection = selection;
    this.#head = encodeHead(poolKey, policy);
    this.#items = items;
  }

  /** The pool has changed. */
  invalidate(): void {
    this.#circle = undefined;
  }

  /** Picks by the pool's policy and makes the answer that begins with the one picked ready for `write`.
   *  `wanted`: elements at most; 0 leaves it to us. */
  pick(wanted = 0): C {
    const first = this.#selection.pick() as C; // a pool has at least one
    if (wanted > 0 || first.step !== 0) this.#assemble(first, wanted > 0 ? wanted : this.#items); // or its picks change the order
    else if (first.ring !== this.#circle && !this.#prepare(first)) this.#assemble(first, this.#items);
    else this.#start = first.offset;
    this.length = this.#head.length + this.#turningLength + this.#fixed.length;
    return first;
  }

  /** Writes the answer last picked to `bytes[offset, offset + length)`. */
  write(bytes: Buffer, offset: number, acceptUpdates: boolean): void {
    this.#head.copy(bytes, offset);
    if (acceptUpdates) bytes[offset + 1] = ACCEPT_UPDATES;
    bytes[offset + 2] = this.length >> 8;
    bytes[offset + 3] = this.length & 0xff;
    const at = offset + this.#head.length;
    this.#turning.copy(bytes, at, this.#start, this.#start + this.#turningLength);
    if (this.#fixed.length > 0) this.#fixed.copy(bytes, at + this.#turningLength);
  }

  /** @returns false where those that take turns are too many to be kept twice. */
  #prepare(first: C): boolean {
    const circle = first.ring?.size ?? 0;
    const list = this.#fitting(first, this.#items);
    if (circle > list.length) return false;
    let offset = 0;
    for (const each of list.slice(0, circle)) {
      each.offset = offset;
      offset += each.encoded.length;
    }
    const once = list.slice(0, circle).map(({ encoded }) => encoded);
    this.#turning = circle === 1 ? first.encoded : Buffer.concat([...once, ...once]);
    this.#turningLength = offset;
    this.#fixed = Buffer.concat(list.slice(circle).map(({ encoded }) => encoded));
    this.#start = 0;
    this.#circle = first.ring;
    return true;
  }

  #assemble(first: C, wanted: number): void {
    this.#circle = undefined;
    this.#turning = Buffer.concat(this.#fitting(first, wanted).map(({ encoded }) => encoded));
    this.#turningLength = this.#turning.length;
    this.#fixed = nothing;
    this.#start = 0;
  }

  #fitting(first: C, wanted: number): C[] {
    const list = this.#selection.list(first, Math.min(wanted, MOST_ITEMS));
    let room = LONGEST_MESSAGE - this.#head.length;
    const end = list.findIndex(({ encoded }) => (room -= encoded.length) < 0);
    return end < 0 ? list : list.slice(0, Math.max(1, end));
  }
}

const nothing = Buffer.alloc(0);
const ACCEPT_UPDATES = 0x01;
const LONGEST_MESSAGE = 0xfffc; // 16 bits of length, and a whole number of words
const MOST_ITEMS = Math.ceil(LONGEST_MESSAGE / 40); // no PE parameter is shorter

/** Header, pool handle, and the policy where it is not round robin (RFC 5352 §3.3). */
function encodeHead(poolKey: string, policy: Policy): Buffer {
  const poolHandle = poolHandleFromKey(poolKey);
  const empty = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle, poolElements: [] });
  const parameters = [encodePoolHandle(poolHandle), ...(policy.policy === 'round-robin' ? [] : [encodePolicy(policy)])];
  return Buffer.concat([empty.subarray(0, 4), ...parameters]);
}
