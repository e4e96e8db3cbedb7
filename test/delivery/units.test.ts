import { Credit, DEFAULT_CREDIT } from '../../delivery/credit.js';
import { Epochs } from '../../delivery/epochs.js';
import { HeldOutputs, Output } from '../../delivery/held.js';
import { OutputQueue } from '../../delivery/output-queue.js';
import { Pacer } from '../../delivery/pacer.js';
import { PoisonWatch } from '../../delivery/poison.js';
import { writeData, writeReply, type Port } from '../../delivery/port.js';
import { Reassembly } from '../../delivery/reassembly.js';
import { isAfter, nextSerial, serialDistance } from '../../delivery/serial.js';
import { decodeFrame, MAX_FRAGMENT } from '../../wire/mapping.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';

describe('serial numbers (RFC 1982, D-22)', () => {
  it('wrap around', () => {
    expect(nextSerial(0xffffffff)).toBe(0);
    expect(isAfter(0, 0xffffffff)).toBe(true);
    expect(isAfter(0xffffffff, 0)).toBe(false);
    expect(isAfter(7, 7)).toBe(false);
  });

  it('have a distance either way, up to 2^31', () => {
    expect(serialDistance(0xfffffff0, 0x10)).toBe(0x20);
    expect(serialDistance(0x10, 0xfffffff0)).toBe(-0x20);
    expect(serialDistance(0, 0x7fffffff)).toBe(0x7fffffff);
  });
});

describe('credit (D-21)', () => {
  it('is granted again in halves, and what was granted is owed no more', () => {
    const credit = new Credit(100);
    expect(credit.receive(60)).toBe(true);
    expect([credit.consume(49), credit.consume(1), credit.consume(10)]).toEqual([0, 50, 0]);
    expect(credit.receive(90)).toBe(true); // 10 were outstanding
    expect(credit.receive(1)).toBe(false);
  });

  it('a message of half the credit can always be sent in the end', () => {
    const sender = new Credit();
    const receiver = new Credit(1000);
    sender.resetCredit(1000);
    for (let i = 0; i < 1000; i++) {
      const size = 1 + ((i * 379) % 500);
      expect(sender.credit).toBeGreaterThanOrEqual(size);
      sender.takeCredit(size);
      expect(receiver.receive(size)).toBe(true);
      sender.grantCredit(receiver.consume(size));
    }
  });

  it('begins anew with each pool element', () => {
    const credit = new Credit();
    credit.receive(DEFAULT_CREDIT);
    credit.forgetReceived();
    expect(credit.receive(DEFAULT_CREDIT)).toBe(true);
  });
});

describe('epochs (D-14)', () => {
  const half = (epoch: number) => ({ epoch });

  it('a later epoch finds the earlier half, the same or an earlier one is stale', () => {
    const epochs = new Epochs<{ epoch: number }>();
    const second = half(2);
    expect(epochs.predecessor('s', 2)).toBeUndefined();
    epochs.enter('s', second);
    expect([epochs.predecessor('s', 1), epochs.predecessor('s', 2), epochs.predecessor('s', 3), epochs.predecessor('other', 1)]).toEqual(['stale', 'stale', second, undefined]);
  });

  it('an old half that leaves late does not take the new one with it', () => {
    const epochs = new Epochs<{ epoch: number }>();
    const [old, current] = [half(1), half(2)];
    epochs.enter('s', old);
    epochs.enter('s', current);
    epochs.leave('s', old);
    expect(epochs.predecessor('s', 3)).toBe(current);
    epochs.leave('s', current);
    expect(epochs.size).toBe(0);
  });
});

describe('held outputs (D-10)', () => {
  const output = (request: number | undefined, number: number, payload = Buffer.from(String(number))) => new Output('s', request, 0, number, false, 0, payload, 0);

  it('are given out in order, those that are committed only', () => {
    const held = new HeldOutputs();
    for (let i = 1; i <= 4; i++) held.hold(output(i, i));
    const given: number[] = [];
    held.release(({ request }) => request! % 2 === 0, ({ number }) => given.push(number));
    held.release(() => true, ({ number }) => given.push(number));
    expect(given).toEqual([2, 4, 1, 3]);
    expect(held.isEmpty).toBe(true);
  });

  it('D-22: are copies once the chunk is over, though some were given out in between', () => {
    const held = new HeldOutputs();
    const chunk = Buffer.from('abc');
    held.hold(output(1, 1, chunk.subarray(0, 1)));
    held.own();
    held.hold(output(2, 2, chunk.subarray(1, 2)));
    held.release(({ request }) => request === 1, () => undefined);
    held.hold(output(3, 3, chunk.subarray(2, 3)));
    held.own();
    chunk.fill('x');
    const given: string[] = [];
    held.release(() => true, ({ payload }) => given.push(payload.toString()));
    expect(given).toEqual(['b', 'c']);
  });

  it('are forgotten when the session leaves', () => {
    const held = new HeldOutputs();
    held.hold(output(1, 1, Buffer.alloc(10)));
    expect(held.clear()).toBe(10);
    expect(held.isEmpty).toBe(true);
  });

  it('D-1: name the message they answer', () => {
    expect([output(7, 1).inReplyTo, output(undefined, 1).inReplyTo, new Output('s', 1, 0, 1, true, 0, Buffer.alloc(0), 0).inReplyTo]).toEqual(['s:7', undefined, 's:r1']);
  });
});

describe('poison (D-17)', () => {
  it('three failovers with the same message in handling', () => {
    const watch = new PoisonWatch();
    watch.countFailover(7);
    watch.countFailover(7);
    expect(watch.isPoisoned).toBe(false);
    watch.countFailover(7);
    expect([watch.isPoisoned, watch.suspect]).toEqual([true, 7]);
  });

  it('another message, or none, begins anew', () => {
    const watch = new PoisonWatch();
    for (const ids of [[7], [7], [8], [8], [], [8], [8]]) watch.countFailover(...ids);
    expect(watch.isPoisoned).toBe(false);
    const idle = new PoisonWatch();
    for (let i = 0; i < 5; i++) idle.countFailover();
    expect(idle.isPoisoned).toBe(false);
  });

  it('after two, silence is borne twice as long, at most 10 s', () => {
    const watch = new PoisonWatch();
    expect(watch.patience(500)).toBe(500);
    watch.countFailover(7);
    expect(watch.patience(500)).toBe(500);
    watch.countFailover(7);
    expect(watch.patience(500)).toBe(1_000);
    expect(watch.patience(8_000)).toBe(10_000);
  });

  it('a handler that throws is tried elsewhere once', () => {
    const watch = new PoisonWatch();
    expect([watch.countThrow(7), watch.countThrow(7), watch.countThrow(8)]).toEqual([true, false, true]);
  });
});

describe('the pacer (D-5)', () => {
  it('yields to the poll phase after 10 ms of handlers, and resumes those who waited, once', async () => {
    const clock = new SimulatedClock();
    let now = 0;
    const pacer = new Pacer<{ pump(): void }>({ now: () => now, defer: (task) => { clock.defer(task); } });
    const pumped: string[] = [];
    const waiter = { pump: () => { pumped.push('pumped'); } };
    expect(pacer.mayRun(waiter)).toBe(true);
    now = 10;
    expect(pacer.mayRun(waiter)).toBe(true);
    now = 10.5;
    expect([pacer.mayRun(waiter), pacer.mayRun(waiter)]).toEqual([false, false]);
    await clock.settle();
    expect(pumped).toEqual(['pumped']);
    expect(pacer.mayRun(waiter)).toBe(true); // a new turn, a new budget
  });
});

describe('the output queue (D-21)', () => {
  function queue() {
    const port = { congested: false, reserve: () => { throw new Error('not here'); }, flushSoon: () => undefined };
    const output = new OutputQueue(port as Port, new Credit());
    const written: string[] = [];
    const put = (name: string, size: number) => output.put(size, () => { written.push(name); });
    return { port, output, written, put };
  }

  it('writes at once within the credit, then keeps the order, also of frames that need none', () => {
    const { output, written, put } = queue();
    output.credit.resetCredit(10);
    void put('a', 10);
    void put('b', 5);
    void put('done', 0);
    expect([written, output.bytes]).toEqual([['a'], 5]);
    output.credit.grantCredit(5);
    output.pump();
    expect([written, output.bytes, output.isEmpty]).toEqual([['a', 'b', 'done'], 0, true]);
  });

  it('waits while the link is congested; its promise resolves when it has room', async () => {
    const { port, output, written, put } = queue();
    output.credit.resetCredit(100);
    port.congested = true;
    const promise = put('a', 1);
    output.pump();
    expect(written).toEqual([]);
    port.congested = false;
    output.pump();
    await promise;
    expect(written).toEqual(['a']);
  });

  it('lets nobody wait for ever: clear resolves', async () => {
    const { output, written, put } = queue();
    const promise = put('a', 1);
    output.clear();
    await promise;
    expect([written, output.bytes]).toEqual([[], 0]);
  });
});

describe('fragments', () => {
  const collect = (): { port: Port; frames: Buffer[] } => {
    const frames: Buffer[] = [];
    return { frames, port: { congested: false, flushSoon: () => undefined, reserve: (length) => { const bytes = Buffer.alloc(length); frames.push(bytes); return { bytes, offset: 0 }; } } };
  };

  it.each([0, 1, MAX_FRAGMENT, MAX_FRAGMENT + 1, 1024 * 1024])('a payload of %d bytes comes together again', (length) => {
    const payload = Buffer.from(Array.from({ length }, (_, index) => index % 253));
    const { port, frames } = collect();
    writeData(port, 3, 0, 9, 7, payload);
    writeReply(port, 3, 0, 9, 7, 1, payload);
    const reassembly = new Reassembly();
    const whole = frames.map((bytes) => decodeFrame(bytes, 0, bytes.length)).flatMap((frame) => ('tail' in frame && 'more' in frame ? reassembly.add(frame.tail as Buffer, frame.more === true) ?? [] : []));
    expect(frames).toHaveLength(2 * Math.max(1, Math.ceil(length / MAX_FRAGMENT)));
    expect(whole.map((bytes) => bytes.equals(payload))).toEqual([true, true]);
    expect(reassembly.isEmpty).toBe(true);
  });

  it('D-22: what has begun is a copy once the chunk is over', () => {
    const reassembly = new Reassembly();
    const chunk = Buffer.from('ab');
    reassembly.add(chunk.subarray(0, 1), true);
    reassembly.own();
    chunk.fill('x');
    expect(reassembly.add(Buffer.from('b'), false)?.toString()).toBe('ab');
  });
});
