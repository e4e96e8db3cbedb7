import { describe, expect, it } from '@jest/globals';
import { asapFraming, enrpFraming, Framer } from '../../wire/index.js';
import { padded } from '../../wire/bytes.js';
import { captured, refusal } from './captured.js';
import { asapExamples, enrpExamples } from './examples.js';

const framesOf = (stream: Buffer, size: number, framing: typeof asapFraming): string[] => {
  const framer = new Framer(framing);
  const frames: string[] = [];
  for (let at = 0; at < stream.length; at += size) framer.push(Buffer.from(stream.subarray(at, at + size)), (bytes, start, end) => frames.push(bytes.toString('hex', start, end)));
  expect(framer.pending).toBe(0);
  return frames;
};

describe('streams of messages (RFC 5354 §4)', () => {
  const streams = [
    ['ASAP', asapFraming, [...asapExamples, ...captured.filter(({ protocol }) => protocol === 'ASAP')]],
    ['ENRP', enrpFraming, [...enrpExamples, ...captured.filter(({ protocol }) => protocol === 'ENRP')]],
  ] as const;
  it.each(streams)('%s: the same messages from whole, halved and byte-at-a-time input, padding included', (_, framing, messages) => {
    const frames = messages.map(({ bytes }) => bytes).filter((bytes) => bytes.length === padded(bytes.readUInt16BE(2))); // all but those cut short by hand
    expect(frames.length).toBeGreaterThan(messages.length - 4);
    const stream = Buffer.concat(frames);
    for (const size of [stream.length, Math.ceil(stream.length / 2), 1460, 1]) {
      expect(framesOf(stream, size, framing)).toEqual(frames.map((frame) => frame.toString('hex')));
    }
  });

  it('a length below the header cannot be cut', () => {
    for (const framing of [asapFraming, enrpFraming]) {
      expect(refusal(() => framing.frameLength(Buffer.from('0000010000030000', 'hex'), 2))).toMatchObject({ code: 'LENGTH_OUT_OF_RANGE', offset: 4 });
    }
  });

  it('64 KiB is the longest message', () => {
    expect(asapFraming.frameLength(Buffer.from('0100ffff', 'hex'), 0)).toBe(65536);
  });

  it('hands over what came before the bytes that cannot be cut', () => {
    const seen: string[] = [];
    const stream = Buffer.from('0e00000c000c000800090004' + '01000000', 'hex');
    expect(refusal(() => new Framer(asapFraming).push(stream, (bytes, start, end) => seen.push(bytes.toString('hex', start, end))))).toMatchObject({ code: 'LENGTH_OUT_OF_RANGE' });
    expect(seen).toEqual(['0e00000c000c000800090004']);
  });
});
