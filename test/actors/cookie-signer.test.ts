import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { checkCookieKeys, COOKIE_CLOCK_MARGIN, CookieSigner, type CookieOptions } from '../../actors/cookie-signer.js';
import { recordingLogger, type LogEntry } from '../../testing/world.js';
import { decodeSnapshot, encodeSnapshot } from '../../wire/snapshot.js';

const HOUR = 3_600_000;
const sessionId = Buffer.alloc(16, 7);
const cookie = Buffer.from('count 41');
const old = { id: 'old', key: Buffer.alloc(32, 1) };
const key = { id: 'new', key: Buffer.alloc(16, 2) };

/** An element's signer, and its clock; what it signs is made at `epoch` 3 and covers 41. */
function element(options: CookieOptions & { poolHandle?: string } = {}) {
  const log: LogEntry[] = [];
  let now = 1_764_227_746_123;
  const { poolHandle = 'pool', ...rest } = options;
  const signer = new CookieSigner({ ...rest, cookieLifetime: HOUR, poolHandle: Buffer.from(poolHandle), timeOfDay: () => now, logger: recordingLogger('pe', log) });
  return {
    signer, log,
    pass: (span: number) => { now += span; },
    made: (bytes = cookie, id = sessionId) => signer.sign(bytes, { sessionId: id, epoch: 3, covered: 41, outputs: 5, issued: signer.now() }),
    verdict: (snapshot: Uint8Array | undefined, bytes: Uint8Array = cookie, id: Uint8Array = sessionId): unknown => {
      try { return signer.verify(bytes, snapshot, id)?.covered; } catch (error) { return `${(error as { code: string }).code}: ${(error as Error).message}`; }
    },
  };
}

describe('the signature of a state cookie (D-24)', () => {
  it('is taken by every element that has the key', () => {
    const snapshot = element({ cookieKeys: [key] }).made();
    expect(element({ cookieKeys: [key] }).verdict(snapshot)).toBe(41);
    expect(decodeSnapshot(snapshot)).toMatchObject({ epoch: 3, covered: 41, outputs: 5, issued: 1_764_227_746_123 });
  });

  it.each([16, 32, 64, 65, 200])('is HMAC-SHA-256 over the snapshot before it, pool handle and cookie, as docs/tcp-mapping.md says, with a key of %i bytes', (bytes) => {
    const one = { ...key, key: randomBytes(bytes) };
    const snapshot = Buffer.from(element({ cookieKeys: [one] }).made());
    const length = (bytes: number): Buffer => { const word = Buffer.alloc(4); word.writeUInt32BE(bytes); return word; };
    const over = Buffer.concat([snapshot.subarray(0, 43), length(4), Buffer.from('pool'), length(cookie.length), cookie]);
    expect(snapshot.subarray(43).equals(createHmac('sha256', one.key).update(over).digest())).toBe(true);
  });

  it('no bit of it, of the cookie, or of what stands before it can be another', () => {
    const { made, verdict } = element({ cookieKeys: [key, old] });
    const snapshot = made();
    for (let bit = 0; bit < snapshot.length * 8; bit++) {
      const forged = Buffer.from(snapshot);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(verdict(forged)).toMatch(/^COOKIE_REFUSED: /);
    }
    for (let bit = 0; bit < cookie.length * 8; bit++) {
      const forged = Buffer.from(cookie);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(verdict(snapshot, forged)).toMatch(/^COOKIE_REFUSED: the signature is not that of key "new"/);
    }
    for (const bytes of [Buffer.alloc(0), Buffer.concat([cookie, Buffer.alloc(1)]), cookie.subarray(1)]) expect(verdict(snapshot, bytes)).toMatch(/^COOKIE_REFUSED: the signature/);
  });

  it('no field can be another, by name', () => {
    const { made, verdict } = element({ cookieKeys: [key, old] });
    const genuine = decodeSnapshot(made());
    const forged = { epoch: 4, covered: 42, outputs: 6, issued: genuine.issued + 1, sessionId: Buffer.alloc(16, 8), keyId: Buffer.from('old'), signature: randomBytes(32) };
    for (const [field, value] of Object.entries(forged)) expect(`${field} ${String(verdict(encodeSnapshot({ ...genuine, [field]: value })))}`).toMatch(/^\w+ COOKIE_REFUSED: the signature is not that of key/);
  });

  it('cookies up to 65 000 bytes are signed (D-25)', () => {
    const { made, verdict } = element({ cookieKeys: [key] });
    for (const size of [0, 1, 65_000]) expect(verdict(made(Buffer.alloc(size, 1)), Buffer.alloc(size, 1))).toBe(41);
  });
});

describe('what is refused (D-26)', () => {
  const pe = element({ cookieKeys: [key] });

  it('unsigned, where there are keys', () => {
    expect(pe.verdict(element().made())).toBe('COOKIE_REFUSED: the cookie is not signed');
  });

  it('signed by a key that this element does not have, also when it has none', () => {
    const snapshot = element({ cookieKeys: [old] }).made();
    const words = 'COOKIE_REFUSED: the cookie is signed with key "old", which this pool element does not have';
    expect([pe.verdict(snapshot), element().verdict(snapshot), element({ cookieKeys: [key], foreignCookies: true }).verdict(snapshot)]).toEqual([words, words, words]);
  });

  it('signed by another key of the same id', () => {
    expect(pe.verdict(element({ cookieKeys: [{ id: key.id, key: Buffer.alloc(16, 3) }] }).made())).toMatch(/^COOKIE_REFUSED: the signature is not that of key "new": the cookie is forged, damaged, or of another pool/);
  });

  it('of another pool handle, also one that only begins like it', () => {
    for (const poolHandle of ['other', 'poo', 'pool\0', 'poolcount 41']) expect(pe.verdict(element({ cookieKeys: [key], poolHandle }).made())).toMatch(/^COOKIE_REFUSED: the signature/);
  });

  it('of another session', () => {
    expect(pe.verdict(pe.made(cookie, Buffer.alloc(16, 8)))).toBe('COOKIE_REFUSED: the cookie belongs to another session');
    expect(element().verdict(element().made(cookie, Buffer.alloc(16, 8)))).toBe('COOKIE_REFUSED: the cookie belongs to another session');
  });

  it('D-25: stale is older than the lifetime, with a minute for the difference of two clocks', () => {
    const snapshot = pe.made();
    const later = element({ cookieKeys: [key] });
    later.pass(HOUR + COOKIE_CLOCK_MARGIN);
    expect(later.verdict(snapshot)).toBe(41);
    later.pass(1);
    expect(later.verdict(snapshot)).toBe('COOKIE_REFUSED: the cookie is stale: made 3660 s ago, cookieLifetime is 3600 s');
  });

  it('D-25: and from the future, with the same minute', () => {
    const ahead = element({ cookieKeys: [key] });
    ahead.pass(COOKIE_CLOCK_MARGIN);
    expect(pe.verdict(ahead.made())).toBe(41);
    ahead.pass(1);
    expect(pe.verdict(ahead.made())).toBe('COOKIE_REFUSED: the cookie is from the future: made 60 s from now, by another clock');
  });

  it('unreadable: truncated, or of a format to come', () => {
    const snapshot = pe.made();
    for (let length = 0; length < snapshot.length; length++) expect(pe.verdict(snapshot.subarray(0, length))).toMatch(/^COOKIE_REFUSED: the cookie (cannot be read|is not signed)/);
    const later = Buffer.from(snapshot);
    later[0] = 3;
    expect(pe.verdict(later)).toMatch(/^COOKIE_REFUSED: the cookie cannot be read: snapshot format 3 is unknown/);
  });

  it('D-24: foreign, where there are keys; not where there are none, or the operator allows it', () => {
    expect(pe.verdict(undefined)).toMatch(/^COOKIE_REFUSED: nobody vouches for the cookie/);
    expect(element({ foreignCookies: false }).verdict(undefined)).toMatch(/^COOKIE_REFUSED/);
    for (const options of [{}, { cookieKeys: [key], foreignCookies: true }]) expect(element(options).verdict(undefined)).toBeUndefined();
  });

  it('where foreign ones are allowed so are unsigned ones, for the first key in a running pool; forged ones are not', () => {
    const lenient = element({ cookieKeys: [key], foreignCookies: true });
    expect(lenient.verdict(element().made())).toBe(41);
    const forged = Buffer.from(pe.made());
    forged[60]! ^= 1;
    expect(lenient.verdict(forged)).toMatch(/^COOKIE_REFUSED: the signature/);
  });
});

describe('keys', () => {
  it('the first signs, all verify: rotation, while it runs', () => {
    const pe = element({ cookieKeys: [old] });
    const byOld = pe.made();
    pe.signer.update({ cookieKeys: [key, old] });
    const byNew = pe.made();
    expect([decodeSnapshot(byOld), decodeSnapshot(byNew)].map(({ keyId }) => Buffer.from(keyId ?? []).toString())).toEqual(['old', 'new']);
    expect([pe.verdict(byOld), pe.verdict(byNew)]).toEqual([41, 41]);
    pe.signer.update({ cookieKeys: [key] });
    expect(pe.verdict(byOld)).toMatch(/key "old", which this pool element does not have/);
    pe.signer.update({ foreignCookies: true });
    expect(pe.verdict(undefined)).toBeUndefined();
    expect(pe.verdict(byNew)).toBe(41);
  });

  it('D-26: without a key exactly one warning, at the first cookie; with one none', () => {
    const pe = element();
    expect(pe.log).toEqual([]);
    for (let i = 0; i < 3; i++) pe.made();
    expect(pe.log).toMatchObject([{ level: 'warn', details: { pool: 'pool' }, message: expect.stringContaining('not signed') as unknown }]);
    pe.signer.update({ cookieKeys: [key] });
    pe.signer.update({ cookieKeys: [] });
    pe.made();
    expect(pe.log).toHaveLength(1);
    const signed = element({ cookieKeys: [key] });
    signed.made();
    expect(signed.log).toEqual([]);
  });

  it('the key may be wiped by its owner afterwards', () => {
    const given = Buffer.alloc(32, 9);
    const pe = element({ cookieKeys: [{ id: 'k', key: given }] });
    const snapshot = pe.made();
    given.fill(0);
    expect(pe.verdict(snapshot)).toBe(41);
  });

  it.each([
    [[{ id: 'a', key: Buffer.alloc(15) }], 'key "a" of cookieKeys is a Uint8Array of 16 bytes at least'],
    [[{ id: 'a', key: Buffer.alloc(16) }, { id: 'a', key: Buffer.alloc(17) }], 'cookieKeys has the id "a" twice'],
    [[{ id: '', key: Buffer.alloc(16) }], 'each of cookieKeys has an id, a string of 1 to 255 bytes'],
    [[{ id: 'ü'.repeat(128), key: Buffer.alloc(16) }], 'each of cookieKeys has an id, a string of 1 to 255 bytes'],
  ])('is checked when given', (keys, words) => {
    expect(() => { checkCookieKeys('register', keys); }).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: `register: ${words}` }) as unknown as Error);
  });
});
