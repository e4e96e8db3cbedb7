import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fieldsOf } from '../interop/tshark/fields.js';
import { different } from './captured.js';

/** By protocol and bytes of a message: the fields tshark shows of it, or that it is malformed. How it was made: test/interop/tshark/README.md. */
const tshark = JSON.parse(readFileSync(new URL('../interop/tshark/fields.json', import.meta.url), 'utf8')) as Record<string, string[] | 'malformed'>;

describe('what tshark reads in the captures', () => {
  it('covers each message', () => {
    expect(different.map(keyOf).sort()).toEqual(Object.keys(tshark).sort());
  });

  it('is what we read, field by field', () => {
    let compared = 0;
    for (const one of different) {
      const theirs = tshark[keyOf(one)];
      const ours = fieldsOf(one.protocol, one.bytes);
      if (theirs === 'malformed' || ours === undefined) continue;
      expect(ours).toEqual(theirs);
      compared++;
    }
    expect(compared).toBe(282);
  });

  it('is malformed where it was made so by hand, and where RSPLIB leaves out what a cause should carry', () => {
    expect(different.filter((one) => tshark[keyOf(one)] === 'malformed').map((one) => [keyOf(one).slice(0, 40), fieldsOf(one.protocol, one.bytes)])).toEqual([
      ['asap 3f000008deadbeef', undefined],
      ['asap 0500000c000900ff61626364', undefined],
      ['asap 0e00000c000c000800030004', ['message_type 14', 'message_flags 0', 'cause_code 3']],
      ['asap 010000440009000c4563686f506f6f6c000', undefined],
      ['asap 030100200009000c4563686f506f6f6c000', ['message_type 3', 'message_flags 1', 'r_bit 1', 'pool_handle_pool_handle 4563686f506f6f6c', 'pe_identifier 2864434398', 'cause_code 5']],
    ]);
  });
});

const keyOf = ({ protocol, bytes }: (typeof different)[number]): string => `${protocol.toLowerCase()} ${bytes.toString('hex')}`;
