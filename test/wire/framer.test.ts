import { Framer, type Framing } from '../../wire/framer.js';

/** u16 length of the whole frame at +2, as ASAP and ENRP have it. */
const framing: Framing = {
  headerLength: 4,
  frameLength: (bytes, offset) => {
    const length = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
    if (length < 4) throw new Error('cannot be a header');
    return length;
  },
};

const frame = (length: number, fill: number): Buffer => {
  const bytes = Buffer.alloc(length, fill);
  bytes.writeUInt16BE(length, 2);
  return bytes;
};

const collect = (chunks: readonly Buffer[]): string[] => {
  const framer = new Framer(framing);
  const frames: string[] = [];
  for (const chunk of chunks) {
    const own = Buffer.from(chunk);
    framer.push(own, (bytes, start, end) => frames.push(bytes.toString('latin1', start, end)));
    own.fill(0xee); // a chunk may be read into again once push has returned
  }
  expect(framer.pending).toBe(0);
  return frames;
};

const split = (stream: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(stream.length / size) }, (_, index) => stream.subarray(index * size, (index + 1) * size));

describe('framer', () => {
  const frames = [frame(4, 1), frame(64, 2), frame(5, 3), frame(9000, 4), frame(4, 5), frame(65_535, 6), frame(17, 7)];
  const stream = Buffer.concat(frames);

  it.each([stream.length, Math.ceil(stream.length / 2), 4096, 1000, 7, 3, 2, 1])('gives the same frames from chunks of %i bytes', (size) => {
    expect(collect(split(stream, size))).toEqual(frames.map((each) => each.toString('latin1')));
  });

  it('hands a frame that is whole in its chunk over as a range of that chunk', () => {
    const chunk = Buffer.concat([frame(8, 1), frame(12, 2)]);
    const ranges: [boolean, number, number][] = [];
    new Framer(framing).push(chunk, (bytes, start, end) => ranges.push([bytes === chunk, start, end]));
    expect(ranges).toEqual([[true, 0, 8], [true, 8, 20]]);
  });

  it('says how much of a begun frame it holds', () => {
    const framer = new Framer(framing);
    framer.push(frame(100, 1).subarray(0, 30), () => undefined);
    expect(framer.pending).toBe(30);
  });

  it('asks after each KiB of frames whether it may go on, and says how far it came', () => {
    const chunk = Buffer.concat(Array.from({ length: 40 }, () => frame(100, 1)));
    const asked: number[] = [];
    let count = 0;
    const push = (mayGoOn: () => boolean): number => new Framer(framing).push(chunk, () => { count += 1; }, mayGoOn);
    expect(push(() => { asked.push(count); return true; })).toBe(4000);
    expect(asked).toEqual([11, 22, 33]);
    expect(push(() => false)).toBe(1100);
  });

  it('gives what frameLength throws, whether the header is in one chunk or in two', () => {
    const bad = Buffer.from([0, 0, 0, 3]);
    expect(() => new Framer(framing).push(bad, () => undefined)).toThrow('cannot be a header');
    const framer = new Framer(framing);
    framer.push(bad.subarray(0, 3), () => undefined);
    expect(() => framer.push(bad.subarray(3), () => undefined)).toThrow('cannot be a header');
  });
});
