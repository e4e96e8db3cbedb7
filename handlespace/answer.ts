import { encodeAsap, encodePolicy, encodePoolHandle, encodePoolPage, encodePoolSize, poolHandleFromKey, type Policy, type PoolPage } from '../wire/index.js';
import { Candidate, type Selection } from './selection/index.js';

/** A candidate with its PE parameter as it goes out. */
export abstract class Encoded extends Candidate {
  /** Padded. */
  abstract readonly encoded: Buffer;
  /** The whole answer that begins with it, and since which change of its pool it is right. */
  whole: Buffer | undefined;
  wholeSince = -1;
}

/** Elements in an answer where the request does not say how many (RSPLIB's 0x803f does; X-17). Any answer stays below 64 KiB. */
export const DEFAULT_ITEMS = 128;

/**
 * A pool's ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 §2.2.6), kept ready until the pool changes: the message up to the elements, and the elements
 * in the policy's order. Those that take turns are kept twice over, so that the list that begins with any of them is one stretch of bytes; in a small pool
 * each of them has its whole answer besides.
 */
export class PreparedAnswer<C extends Encoded> {
  readonly #selection: Selection<C>;
  readonly #head: Buffer;
  readonly #items: number;
  #changes = 0;
  #circle: object | undefined; // whose bytes are ready
  #turning: Buffer = nothing;
  #turningLength = 0;
  #fixed: Buffer = nothing;

  constructor(poolKey: string, policy: Policy, selection: Selection<C>, items = DEFAULT_ITEMS) {
    this.#selection = selection;
    this.#head = encodeHead(poolKey, policy);
    this.#items = items;
  }

  /** The pool has changed. */
  invalidate(): void {
    this.#changes++;
    this.#circle = undefined;
  }

  /** Picks by the pool's policy. @returns the whole message that begins with the one picked, not to be written to; elements at most `wanted`, 0 leaves it to us. */
  pick(wanted = 0): Buffer {
    const first = this.#selection.pick() as C; // a pool has at least one
    if (wanted > 0) return message([this.#head, ...encodingsOf(this.#fitting(first, wanted))]);
    if (first.step !== 0) return this.#assemble(first); // its picks change the order
    if (first.wholeSince === this.#changes) return first.whole as Buffer;
    if (first.ring !== this.#circle && !this.#prepare(first)) return this.#assemble(first);
    return this.#join(first);
  }

  #join(first: C): Buffer {
    const whole = message([this.#head, this.#turning.subarray(first.offset, first.offset + this.#turningLength), this.#fixed]);
    if (whole.length * (first.ring?.size ?? 1) > MOST_KEPT) return whole;
    first.whole = whole;
    first.wholeSince = this.#changes;
    return whole;
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
    const once = encodingsOf(list.slice(0, circle));
    this.#turning = Buffer.concat([...once, ...once]);
    this.#turningLength = offset;
    this.#fixed = Buffer.concat([...encodingsOf(list.slice(circle)), ...this.#cut(list)]);
    this.#circle = first.ring;
    return true;
  }

  #assemble(first: C): Buffer {
    const list = this.#fitting(first, this.#items);
    return message([this.#head, ...encodingsOf(list), ...this.#cut(list)]);
  }

  /** A list that leaves some out says so to those who did not say themselves how many they want. */
  #cut({ length }: readonly C[]): Buffer[] {
    return length < this.#selection.size ? [encodePoolSize(this.#selection.size)] : [];
  }

  #fitting(first: C, wanted: number): C[] {
    return fitting(this.#selection.list(first, Math.min(wanted, MOST_ITEMS)), LONGEST_MESSAGE - this.#head.length - POOL_SIZE);
  }
}

/** An answer that is one page of a pool (`Pool.page`). @param page `behind` counts those behind `elements`; those that do not fit are added. */
export function encodePage(poolKey: string, policy: Policy, elements: readonly Encoded[], { from, behind }: PoolPage): Buffer {
  const head = encodeHead(poolKey, policy);
  const listed = fitting(elements, LONGEST_MESSAGE - head.length - POOL_PAGE);
  return message([head, ...encodingsOf(listed), encodePoolPage({ from, behind: behind + elements.length - listed.length })]);
}

function fitting<C extends Encoded>(list: C[], room: number): C[];
function fitting<C extends Encoded>(list: readonly C[], room: number): readonly C[];
function fitting<C extends Encoded>(list: readonly C[], room: number): readonly C[] {
  const end = list.findIndex(({ encoded }) => (room -= encoded.length) < 0);
  return end < 0 ? list : list.slice(0, Math.max(1, end));
}

const nothing = Buffer.alloc(0);
const LONGEST_MESSAGE = 0xfffc; // 16 bits of length, and a whole number of words
/** Of the parameter that says that a list is cut. */
const POOL_SIZE = 8;
/** Of the one that makes it a page. */
const POOL_PAGE = 12;
/** Bytes of whole answers that a pool keeps. */
const MOST_KEPT = 0x8000;
/** In one message, and a few more. */
export const MOST_ITEMS = Math.ceil(LONGEST_MESSAGE / 40); // no PE parameter is shorter

const encodingsOf = (list: readonly Encoded[]): Buffer[] => list.map(({ encoded }) => encoded);

/** Header, pool handle, policy. RFC 5352 §3.3 asks for the policy where it is not round robin; RSPLIB reads no answer without one. */
function encodeHead(poolKey: string, policy: Policy): Buffer {
  const poolHandle = poolHandleFromKey(poolKey);
  const empty = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle, poolElements: [] });
  return Buffer.concat([empty.subarray(0, 4), encodePoolHandle(poolHandle), encodePolicy(policy)]);
}

function message(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}
