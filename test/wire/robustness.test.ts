import { describe, expect, it } from '@jest/globals';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, WireError } from '../../wire/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { decode, different, encode } from './captured.js';
import { examples } from './examples.js';

/** Whatever the bytes: a message or a WireError. RSERPOOL_FUZZ=1000000 for as many mutations (and RSERPOOL_SEED for others). */
const rounds = Number(process.env['RSERPOOL_FUZZ'] ?? 100_000);
const seed = Number(process.env['RSERPOOL_SEED'] ?? 5354);
const corpus = [...different.map(({ protocol, bytes }) => ({ protocol, bytes })), ...examples.map(({ message, bytes }) => ({ protocol: message.type.startsWith('ASAP') ? 'ASAP' as const : 'ENRP' as const, bytes }))];

/** @returns whether it was a message. A message can be encoded, and what is encoded is that message. */
function attempt(protocol: 'ASAP' | 'ENRP', bytes: Buffer): boolean {
  let message;
  try {
    ({ message } = decode(protocol, bytes));
  } catch (error) {
    if (!(error instanceof WireError)) throw new Error(`${protocol} ${bytes.toString('hex')}`, { cause: error });
    if (error.reason === '' || error.offset < 0 || error.offset > bytes.length || error.cause === undefined) throw new Error(`${protocol} ${bytes.toString('hex')}: ${error.message}`);
    if (error.reports.length > 0) encode({ type: 'ASAP_ERROR', error: error.reports });
    return false;
  }
  const again = decode(protocol, encode(message)).message;
  if (JSON.stringify(again) !== JSON.stringify(message)) throw new Error(`${protocol} ${bytes.toString('hex')} is read as another message after it was written`);
  return true;
}

describe('decode, whatever the bytes', () => {
  it('gives a message or a WireError for every truncation of every message', () => {
    let refused = 0;
    let cut = 0;
    for (const { protocol, bytes } of corpus) {
      for (let length = 0; length < bytes.length; length++, cut++) if (!attempt(protocol, bytes.subarray(0, length))) refused++;
    }
    expect(cut).toBeGreaterThan(10_000);
    expect(cut - refused).toBeLessThanOrEqual(corpus.length * 3); // last padding may be missing
  });

  it('gives a message or a WireError for every truncation whose length says so', () => {
    for (const { protocol, bytes } of corpus) {
      for (let length = 4; length < bytes.length; length++) attempt(protocol, withLength(Buffer.from(bytes.subarray(0, length)), length));
    }
  });

  it(`gives a message or a WireError for ${rounds} mutations (seed ${seed})`, () => {
    const random = new SeededRandom(seed);
    let messages = 0;
    for (let round = 0; round < rounds; round++) {
      const { protocol, bytes } = corpus[random.below(corpus.length)]!;
      if (attempt(random.below(16) === 0 ? other(protocol) : protocol, mutate(bytes, random))) messages++;
    }
    expect(messages).toBeGreaterThan(rounds / 50); // the mutations are not all hopeless
    expect(messages).toBeLessThan(rounds);
  }, 3_600_000);

  it(`gives a message or a WireError for ${rounds / 10} strings of random bytes (seed ${seed})`, () => {
    const random = new SeededRandom(seed);
    for (let round = 0; round < rounds / 10; round++) {
      const bytes = Buffer.from(random.bytes(random.below(96)));
      attempt('ASAP', bytes);
      attempt('ENRP', bytes);
      if (bytes.length < 4) continue;
      bytes[0] = random.below(16); // a type there is, a length that fits
      attempt('ASAP', withLength(bytes, bytes.length));
      attempt('ENRP', bytes);
    }
  }, 3_600_000);

  it('leaves the bytes alone and keeps none of them', () => {
    for (const { protocol, bytes } of corpus) {
      const chunk = Buffer.concat([Buffer.alloc(3, 0xaa), bytes, Buffer.alloc(5, 0xbb)]);
      const before = Buffer.from(chunk);
      const read = safely(() => (protocol === 'ASAP' ? decodeAsap : decodeEnrp)(chunk, 3, 3 + bytes.length));
      expect(chunk.equals(before)).toBe(true);
      const shown = JSON.stringify(read);
      chunk.fill(0);
      expect(JSON.stringify(read)).toBe(shown);
    }
  });

  it('never shares memory between two encoded messages', () => {
    const one = encodeAsap({ type: 'ASAP_COOKIE', cookie: Buffer.from('one') });
    const shown = one.toString('hex');
    encodeEnrp({ type: 'ENRP_LIST_REQUEST', sendingServer: 1, receivingServer: 2 });
    expect(one.toString('hex')).toBe(shown);
  });
});

const other = (protocol: 'ASAP' | 'ENRP'): 'ASAP' | 'ENRP' => (protocol === 'ASAP' ? 'ENRP' : 'ASAP');

function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function withLength(bytes: Buffer, length: number): Buffer {
  bytes.writeUInt16BE(length, 2);
  return bytes;
}

/** One to four faults: a bit, a byte, a 16-bit number made extreme, bytes cut out, repeated or put in; often the length is put right after that. */
function mutate(original: Buffer, random: SeededRandom): Buffer {
  let bytes = Buffer.from(original);
  for (let faults = 1 + random.below(4); faults > 0; faults--) {
    const at = random.below(bytes.length);
    const size = Math.min(1 + random.below(12), bytes.length - at);
    switch (random.below(7)) {
      case 0: bytes[at]! ^= 1 << random.below(8); break;
      case 1: bytes[at] = random.below(256); break;
      case 2: if (at + 2 <= bytes.length) bytes.writeUInt16BE([0, 1, 3, 4, 5, 0x7fff, 0x8000, 0xc123, 0xffff][random.below(9)]!, at); break;
      case 3: bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]); break;
      case 4: bytes = Buffer.concat([bytes.subarray(0, at + size), bytes.subarray(at)]); break;
      case 5: bytes = Buffer.concat([bytes.subarray(0, at & ~3), random.bytes(4 * random.below(4)), bytes.subarray(at & ~3)]); break;
      case 6: bytes = Buffer.concat([bytes.subarray(0, at & ~3), Buffer.from('8123000a0102030405060000', 'hex'), bytes.subarray(at & ~3)]); break;
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes.length >= 4 && random.below(4) > 0 ? withLength(bytes, bytes.length) : bytes;
}
