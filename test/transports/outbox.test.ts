import { EventEmitter } from 'node:events';
import type { ByteSocket } from '../../transports/network.js';
import { BufferPool, Outbox } from '../../transports/outbox.js';

describe('outbox', () => {
  it('lends a buffer for the turn: at rest it holds none, and the next one gets the same', () => {
    const pool = new BufferPool();
    const [first, second] = [new Outbox(pool), new Outbox(pool)];
    const { bytes } = first.reserve(10);
    first.flush(new Sink(), undefined);
    first.rest();
    expect(second.reserve(10).bytes).toBe(bytes);
  });

  it('keeps off what the network has not taken', () => {
    const outbox = new Outbox(new BufferPool());
    const sink = new Sink();
    put(outbox, 'first');
    outbox.flush(sink, undefined);
    put(outbox, 'second');
    outbox.flush(sink, undefined);
    expect(sink.written.map(String)).toEqual(['first', 'second']);
  });

  it('takes a large buffer once a small one was not enough, and a small one again after a quiet turn', () => {
    const outbox = new Outbox(new BufferPool());
    const turn = (frames: number): number => {
      let length = 0;
      for (let index = 0; index < frames; index += 1) length = outbox.reserve(64).bytes.length;
      outbox.flush(new Sink(), undefined);
      outbox.rest();
      return length;
    };
    expect([turn(1), turn(100), turn(1), turn(1)]).toEqual([4096, 65_536, 65_536, 4096]);
  });

  it('has room for a frame of any length', () => {
    const outbox = new Outbox(new BufferPool());
    const sink = new Sink();
    put(outbox, 'a');
    put(outbox, 'b'.repeat(1_000_000));
    put(outbox, 'c');
    outbox.flush(sink, undefined);
    expect(Buffer.concat(sink.written).toString()).toBe(`a${'b'.repeat(1_000_000)}c`);
    expect(outbox.bytes).toBe(0);
  });
});

const put = (outbox: Outbox, text: string): void => {
  const { bytes, offset } = outbox.reserve(text.length);
  bytes.write(text, offset);
};

class Sink extends EventEmitter implements ByteSocket {
  readonly written: Uint8Array[] = [];
  readonly writableLength = 0;
  write(chunk: Uint8Array): boolean {
    this.written.push(chunk); // not copied: what is overwritten shows
    return true;
  }
  cork(): void { /* nothing to gather */ }
  uncork(): void { /* nothing was gathered */ }
  end(): void { /* no peer */ }
  destroy(): void { /* no peer */ }
  resetAndDestroy(): void { /* no peer */ }
  pause(): void { /* no peer */ }
  resume(): void { /* no peer */ }
}
