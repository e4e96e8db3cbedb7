import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Milliseconds, Random } from '../../environment.js';
import { readU16, readU32, writeU16, writeU32 } from './chunks.js';

/** What a state cookie holds (RFC 9260 §5.1.3): all that is needed to begin the association, so that who only says INIT is not remembered. */
export interface Cookie {
  readonly tag: number;
  readonly initialTsn: number;
  readonly peerTag: number;
  readonly peerInitialTsn: number;
  readonly peerWindow: number;
  /** Outgoing ones that both can have, and those the peer would use. */
  readonly streams: number;
  readonly peerStreams: number;
}

/** Whose cookie it is: addresses, both UDP and SCTP ports. It is good for nobody else (D15). */
export interface CookieOwner {
  readonly host: string;
  readonly udpPort: number;
  readonly peerPort: number;
  readonly localPort: number;
}

/** Signs with HMAC-SHA-256 and a key that changes; the one before is still good (S7). */
export class CookieJar {
  #key: Uint8Array;
  #keyBefore: Uint8Array;
  #changed: Milliseconds;

  constructor(private readonly random: Random, private readonly now: () => Milliseconds, private readonly life: Milliseconds) {
    this.#key = this.#keyBefore = random.bytes(32);
    this.#changed = now();
  }

  issue(cookie: Cookie, owner: CookieOwner): Buffer {
    this.#changeKey();
    const bytes = Buffer.alloc(LENGTH);
    bytes.writeDoubleBE(this.now(), MAC);
    FIELDS.forEach((field, index) => { writeU32(bytes, MAC + 8 + 4 * index, cookie[field]); });
    writeU16(bytes, STREAMS, cookie.streams);
    writeU16(bytes, STREAMS + 2, cookie.peerStreams);
    this.#sign(this.#key, bytes, owner).copy(bytes);
    return bytes;
  }

  /** Of a cookie that was opened. */
  static peerTagOf(bytes: Buffer): number { return readU32(bytes, MAC + 8 + 4 * FIELDS.indexOf('peerTag')); }

  /** @returns undefined for what is not ours or not the owner's; `'stale'` for what was. */
  open(bytes: Buffer, owner: CookieOwner): Cookie | 'stale' | undefined {
    if (bytes.length !== LENGTH) return undefined;
    const mac = bytes.subarray(0, MAC);
    if (![this.#key, this.#keyBefore].some((key) => timingSafeEqual(mac, this.#sign(key, bytes, owner)))) return undefined;
    if (this.now() - bytes.readDoubleBE(MAC) > this.life) return 'stale';
    const [tag = 0, initialTsn = 0, peerTag = 0, peerInitialTsn = 0, peerWindow = 0] = FIELDS.map((_, index) => readU32(bytes, MAC + 8 + 4 * index));
    return { tag, initialTsn, peerTag, peerInitialTsn, peerWindow, streams: readU16(bytes, STREAMS), peerStreams: readU16(bytes, STREAMS + 2) };
  }

  /** So seldom that the key before outlives every cookie it has signed. */
  #changeKey(): void {
    if (this.now() - this.#changed < this.life) return;
    this.#keyBefore = this.#key;
    this.#key = this.random.bytes(32);
    this.#changed = this.now();
  }

  #sign(key: Uint8Array, bytes: Buffer, { host, udpPort, peerPort, localPort }: CookieOwner): Buffer {
    return createHmac('sha256', key).update(`${localPort} ${peerPort} ${udpPort} ${host} `).update(bytes.subarray(MAC)).digest();
  }
}

const MAC = 32;
const FIELDS = ['tag', 'initialTsn', 'peerTag', 'peerInitialTsn', 'peerWindow'] as const;
const STREAMS = MAC + 8 + 4 * FIELDS.length;
const LENGTH = STREAMS + 4;
