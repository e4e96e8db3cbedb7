import { hash, timingSafeEqual } from 'node:crypto';
import type { Logger, Milliseconds } from '../environment.js';
import { SessionError } from '../errors.js';
import { poolHandleKey, poolHandleText, WireError } from '../wire/index.js';
import { decodeSnapshot, encodeSnapshot, SIGNATURE_LENGTH, signedBytes, type Snapshot } from '../wire/snapshot.js';
import { invalid } from './options.js';

/** A key for state cookies, the operator's secret, the same at all elements of a pool. */
export interface CookieKey {
  /** Told in clear in each cookie, so that it is known which key to check it with. 1 to 255 bytes of UTF-8. */
  readonly id: string;
  /** At least 16 bytes; 32 random ones are best. */
  readonly key: Uint8Array;
}

export interface CookieOptions {
  /** The first signs, all verify: rotation. Default none: cookies are not signed, which the log says once. */
  readonly cookieKeys?: readonly CookieKey[] | undefined;
  /** A signed cookie older than this is stale. Default 1 h (`cookieLife` of the timers). Cookies are issued anew long before. */
  readonly cookieLifetime?: Milliseconds | undefined;
  /** Whether cookies that nobody vouches for are taken where there are keys: those without our part (D-24), and unsigned ones. Default false. */
  readonly foreignCookies?: boolean | undefined;
}

/** By so much the clocks of two pool elements may differ: a cookie may be older than its lifetime, or from the future, by this much. */
export const COOKIE_CLOCK_MARGIN = 60_000;
const MIN_KEY = 16;

export interface CookieSignerSetup extends CookieOptions {
  /** As on the wire. */
  readonly poolHandle: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timeOfDay: () => Milliseconds;
  readonly logger: Logger;
}

/** Makes and checks our part of the state cookies of one pool element (D-24 to D-26). */
export class CookieSigner {
  readonly lifetime: Milliseconds;
  readonly #setup: CookieSignerSetup;
  #isForeignTaken: boolean | undefined;
  #keys = new Map<string, Hmac>();
  #signing: { readonly id: Uint8Array; readonly key: Hmac } | undefined;
  #hasWarned = false;

  constructor(setup: CookieSignerSetup & { readonly cookieLifetime: Milliseconds }) {
    this.#setup = setup;
    this.lifetime = setup.cookieLifetime;
    this.update({ cookieKeys: setup.cookieKeys ?? [], foreignCookies: setup.foreignCookies });
  }

  get hasKeys(): boolean { return this.#signing !== undefined; }
  now(): Milliseconds { return Math.round(this.#setup.timeOfDay()); }

  /** What is given counts from now on; keys have been checked. */
  update({ cookieKeys: keys, foreignCookies = this.#isForeignTaken }: Pick<CookieOptions, 'cookieKeys' | 'foreignCookies'>): void {
    this.#isForeignTaken = foreignCookies;
    if (!keys) return;
    this.#keys = new Map(keys.map(({ id, key }) => [id, new Hmac(key)]));
    const [first] = keys;
    this.#signing = first && { id: Buffer.from(first.id), key: this.#keys.get(first.id)! };
  }

  /** Our part for a cookie. */
  sign(cookie: Uint8Array, fields: Pick<Snapshot, 'sessionId' | 'epoch' | 'covered' | 'streams' | 'outputs' | 'issued'>): Uint8Array {
    if (!this.#signing) return this.#unsigned(fields);
    const { id, key } = this.#signing;
    const snapshot = encodeSnapshot({ ...fields, keyId: id });
    snapshot.write(this.#signature(key, snapshot, cookie), snapshot.length - SIGNATURE_LENGTH, 'binary');
    return snapshot;
  }

  /** What an echoed cookie is; undefined where it is foreign, and may be.
   *  @throws SessionError COOKIE_REFUSED, which says why. */
  verify(cookie: Uint8Array, bytes: Uint8Array | undefined, sessionId: Uint8Array): Pick<Snapshot, 'covered' | 'streams' | 'issued'> | undefined {
    const isForeignTaken = this.#isForeignTaken ?? !this.hasKeys;
    if (!bytes) {
      if (isForeignTaken) return undefined;
      throw refused('nobody vouches for the cookie: it is foreign, and foreignCookies is not set');
    }
    const snapshot = readable(bytes);
    if (snapshot.keyId) this.#checkSignature(snapshot, bytes, cookie);
    else if (!isForeignTaken) throw refused('the cookie is not signed');
    if (Buffer.compare(snapshot.sessionId, sessionId) !== 0) throw refused('the cookie belongs to another session');
    if (snapshot.keyId) this.#checkAge(snapshot.issued);
    return snapshot;
  }

  #checkSignature({ keyId, signature }: Snapshot, bytes: Uint8Array, cookie: Uint8Array): void {
    const id = Buffer.from(keyId!).toString();
    const key = this.#keys.get(id);
    if (!key) throw refused(`the cookie is signed with key ${JSON.stringify(id)}, which this pool element does not have`);
    if (!timingSafeEqual(Buffer.from(this.#signature(key, bytes, cookie), 'binary'), signature!)) throw refused(`the signature is not that of key ${JSON.stringify(id)}: the cookie is forged, damaged, or of another pool`);
  }

  #checkAge(issued: Milliseconds): void {
    const age = this.now() - issued;
    if (age > this.lifetime + COOKIE_CLOCK_MARGIN) throw refused(`the cookie is stale: made ${Math.round(age / 1000)} s ago, cookieLifetime is ${Math.round(this.lifetime / 1000)} s`);
    if (age < -COOKIE_CLOCK_MARGIN) throw refused(`the cookie is from the future: made ${Math.round(-age / 1000)} s from now, by another clock`);
  }

  #signature(key: Hmac, snapshot: Uint8Array, cookie: Uint8Array): string {
    return key.of(signedBytes(snapshot, this.#setup.poolHandle, cookie, BLOCK));
  }

  #unsigned(fields: Snapshot): Buffer {
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      this.#setup.logger.warn({ pool: poolHandleText(poolHandleKey(this.#setup.poolHandle)) }, 'state cookies are not signed: whoever can open a session can hand in any cookie; give cookieKeys to register');
    }
    return encodeSnapshot(fields);
  }
}

/** HMAC-SHA-256 (RFC 2104) by two calls of `hash`, which is half of what `createHmac` takes: that makes objects outside of the heap for each signature, a Buffer as result too. */
class Hmac {
  readonly #inner = Buffer.alloc(BLOCK, 0x36);
  readonly #outer = Buffer.alloc(BLOCK + SIGNATURE_LENGTH, 0x5c);

  constructor(key: Uint8Array) {
    const bytes = key.length > BLOCK ? hash('sha256', key, 'buffer') : key;
    for (const [i, byte] of bytes.entries()) {
      this.#inner[i]! ^= byte;
      this.#outer[i]! ^= byte;
    }
  }

  /** @param bytes begin with BLOCK bytes of room. @returns a character for each byte. */
  of(bytes: Buffer): string {
    bytes.set(this.#inner);
    this.#outer.write(hash('sha256', bytes, 'binary'), BLOCK, 'binary');
    return hash('sha256', this.#outer, 'binary');
  }
}

/** Of SHA-256. */
const BLOCK = 64;

/** @throws UsageError INVALID_OPTION: ids and keys of the wrong type or length, an id twice. */
export function checkCookieKeys(call: string, keys: unknown): asserts keys is readonly CookieKey[] {
  if (!Array.isArray(keys)) throw invalid(`${call}: cookieKeys is a list of { id, key }`);
  const ids = new Set<unknown>();
  for (const item of keys as unknown[]) {
    const { id, key } = (typeof item === 'object' && item !== null ? item : {}) as Partial<Record<keyof CookieKey, unknown>>;
    if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > 255) throw invalid(`${call}: each of cookieKeys has an id, a string of 1 to 255 bytes`);
    if (!(key instanceof Uint8Array) || key.length < MIN_KEY) throw invalid(`${call}: key ${JSON.stringify(id)} of cookieKeys is a Uint8Array of ${MIN_KEY} bytes at least`);
    if (ids.has(id)) throw invalid(`${call}: cookieKeys has the id ${JSON.stringify(id)} twice`);
    ids.add(id);
  }
}

function readable(bytes: Uint8Array): Snapshot {
  try {
    return decodeSnapshot(bytes);
  } catch (error) {
    if (error instanceof WireError) throw refused(`the cookie cannot be read: ${error.reason}`, error);
    throw error;
  }
}

const refused = (reason: string, cause?: unknown): SessionError => new SessionError('COOKIE_REFUSED', reason, { cause, outcome: 'not-taken' });
