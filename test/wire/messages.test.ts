import { describe, expect, it } from '@jest/globals';
import { asap, enrp } from '../../wire/index.js';
import { decode, encode } from './captured.js';
import { asapExamples, enrpExamples, type Example } from './examples.js';

const titled = (examples: readonly Example[]): [string, Example][] => examples.map((example) => [`${example.message.type} (RFC ${example.rfc})`, example]);
const protocolOf = ({ message }: Example): 'ASAP' | 'ENRP' => (message.type.startsWith('ASAP') ? 'ASAP' : 'ENRP');

describe.each([['ASAP messages (RFC 5352 §2.2)', asapExamples], ['ENRP messages (RFC 5353 §2)', enrpExamples]])('%s', (_, examples) => {
  // proves 5352-2-a, 5353-2-a, 5353-2-b, 5353-2.3-d, 5353-2.4-a, 5353-2.4-c, 5354-2-a, 5354-3-f, 5354-4-c, 5354-4-e
  it.each(titled(examples))('%s: encode', (_title, { message, bytes }) => {
    expect(encode(message).toString('hex')).toBe(bytes.toString('hex'));
  });

  // proves 5352-2-a, 5353-2-a, 5353-2.3-d, 5353-2.4-a, 5354-2-a
  it.each(titled(examples))('%s: decode', (_title, example) => {
    expect(decode(protocolOf(example), example.bytes)).toEqual({ message: example.message, reports: [] });
  });

  it.each(titled(examples))('%s: round trip', (_title, example) => {
    expect(decode(protocolOf(example), encode(decode(protocolOf(example), example.bytes).message)).message).toEqual(example.message);
  });
});

describe('the tables of messages', () => {
  it('have types 0x01 to 0x0e (RFC 5352 §2.2), one of ours that others skip (0b10), and 0x01 to 0x0a (RFC 5353 §2)', () => {
    expect(Object.values(asap).map(({ type }) => type)).toEqual([...Array.from({ length: 0x0e }, (_, i) => i + 1), 0b10_001111]);
    expect(Object.values(enrp).map(({ type }) => type)).toEqual(Array.from({ length: 0x0a }, (_, i) => i + 1));
  });

  it('have an example for each message', () => {
    const shown = new Set<string>([...asapExamples, ...enrpExamples].map(({ message }) => message.type));
    expect([...Object.keys(asap), ...Object.keys(enrp)].filter((name) => !shown.has(name))).toEqual([]);
  });
});
