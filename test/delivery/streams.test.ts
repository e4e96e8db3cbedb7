import { keyOf } from '../../delivery/window.js';
import { ASAP_PPID, encodeFrame, MOST_STREAMS, UNORDERED } from '../../wire/mapping.js';
import { decodeCoverage } from '../../wire/snapshot.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { dyingBetweenAnyTwoFrames, SessionPair, settle, type TestService } from '../support/session-pair.js';

/** Streams and unordered delivery (D-23), with every frame in the test's hands: each stream of the transport in its order, and no order between them. */

/** Says back what it is told, numbered by the stream; a message 'wait' is handled for as long as the test likes. */
function echo(): TestService & { go(): void; begun: string[] } {
  let waiting: (() => void)[] = [];
  const begun: string[] = [];
  return {
    stateful: false, begun,
    go: () => { for (const resolve of waiting) resolve(); waiting = []; },
    start: () => ({ handle: async (incoming) => {
      const text = incoming.payload.toString();
      begun.push(`${incoming.stream}:${text}`);
      if (text.startsWith('wait')) await new Promise<void>((resolve) => { waiting.push(resolve); });
      await Promise.resolve();
      void incoming.reply(`${incoming.stream}:${text}`);
    } }),
  };
}

/** Its state is what it was told, in the order in which it handled it, and its replies are that too. */
const diary: TestService = {
  stateful: true,
  start: (session) => {
    let entries: string[] = [];
    return {
      restore: (cookie) => { entries = cookie.toString().split(' '); },
      handle: async (incoming) => {
        entries.push(`(${incoming.stream}`);
        await Promise.resolve(); // half of it is done: nobody may see this
        entries.push(`${incoming.payload.toString()})`);
        void incoming.reply(entries.join(' '));
        session.setCookie(entries.join(' '));
      },
    };
  },
};

async function opened(service: TestService, mode?: SessionPair['mode'], limits?: { messages: number; bytes: number }): Promise<SessionPair> {
  const pair = new SessionPair(service, mode ?? 'effectively-once', limits);
  pair.open();
  await pair.run();
  return pair;
}

const twoStreams = (pair: SessionPair): void => { for (let i = 1; i <= 3; i++) for (const stream of [0, 1, 2]) pair.send(`${i}`, pair.mode, stream); };
const shuffled = (seed: number) => {
  const random = new SeededRandom(seed);
  return (count: number): number => Math.floor(random.fraction() * count);
};

describe('D-23: streams', () => {
  it('each has ids of its own, from 1, and its order; replies come on the stream of their message', async () => {
    const pair = await opened(echo());
    twoStreams(pair);
    await pair.run();
    for (const stream of [0, 1, 2]) expect(pair.given.filter((text) => text.startsWith(`${stream}:`))).toEqual([`${stream}:1`, `${stream}:2`, `${stream}:3`]);
    expect(pair.replies.get(keyOf(2, 3))).toEqual(['2:3']);
    expect([pair.user.isSettled, pair.violations]).toEqual([true, []]);
  });

  it('a handler that is stuck holds up its own stream and no other, however much that one brings', async () => {
    const service = echo();
    const pair = await opened(service, 'effectively-once', { messages: 100_000, bytes: 1024 * 1024 });
    pair.send('wait', pair.mode, 1);
    const large = 'x'.repeat(250_000);
    for (let i = 0; i < 4; i++) pair.send(large, pair.mode, 1); // its window is full
    for (let i = 0; i < 12; i++) { pair.send(large, pair.mode, 2); await pair.run(); } // three times what a session may have under way
    expect([pair.given.filter((text) => text.startsWith('2:')).length, pair.given.filter((text) => text.startsWith('1:')).length]).toEqual([12, 0]);
    service.go();
    await pair.run();
    expect([pair.given.filter((text) => text.startsWith('1:')).length, pair.user.isSettled, pair.violations]).toEqual([5, true, []]);
  });

  it('a datagram that is lost holds up its own stream and no other, either way', async () => {
    const service = echo();
    const pair = await opened(service);
    pair.stuck.add(1);
    twoStreams(pair);
    await pair.run();
    expect(pair.given).toEqual(['0:1', '2:1', '0:2', '2:2', '0:3', '2:3']);
    pair.stuck.clear();
    await pair.run();
    pair.send('wait', pair.mode, 1);
    await pair.run(); // it has come, and is being handled
    pair.stuck.add(1);
    service.go();
    pair.send('4', pair.mode, 2);
    await pair.run();
    expect([service.begun.at(-1), pair.given.at(-1), pair.given.includes('1:wait')]).toEqual(['2:4', '2:4', false]);
    pair.stuck.clear();
    await pair.run();
    expect(pair.given.slice(-1)).toEqual(['1:wait']);
    expect(pair.user.isSettled).toBe(true);
  });

  it('a message in fragments, while other streams bring some too', async () => {
    const pair = await opened(echo());
    pair.choose = shuffled(3);
    const text = (digit: string): string => digit.repeat(200_000);
    for (const stream of [1, 2, 3]) pair.send(text(String(stream)), pair.mode, stream);
    await pair.run();
    expect(pair.given.map((given) => [given.slice(0, 3), given.length]).sort()).toEqual([['1:1', 200_002], ['2:2', 200_002], ['3:3', 200_002]]);
  });

  it('a service with a state takes one message at a time, of all streams; its output keeps one order', async () => {
    const pair = await opened(diary);
    twoStreams(pair);
    pair.choose = shuffled(1);
    await pair.run();
    expect(pair.given.at(-1)?.replace(/\((\d) (\d)\)/g, '')).toMatch(/^ *$/); // no half of one handler within another
    expect(pair.given.every((text, index) => index === 0 || text.startsWith(pair.given[index - 1]!))).toBe(true);
    expect([pair.user.isSettled, pair.violations]).toEqual([true, []]);
    expect(decodeCoverage(pair.user.cookie!.snapshot!)).toMatchObject({ covered: 3, streams: [{ stream: 1, covered: 3 }, { stream: 2, covered: 3 }] });
  });

  it('a session that uses stream 0 alone says nothing of streams: not a byte of its frames and cookies differs', async () => {
    const pair = await opened(diary);
    pair.send('1');
    await pair.run();
    expect([pair.user.cookie!.snapshot!.length, pair.user.cookie!.snapshot![0]]).toEqual([40, 1]);
  });

  it.each([1, 2, 3, 4, 5])('the pool element dies between any two frames: each stream goes on behind what its cookie contains, in its order, nothing twice (order of arrival %i)', async (seed) => {
    const make = (): SessionPair => {
      const pair = new SessionPair(diary, 'effectively-once');
      pair.choose = shuffled(seed);
      return pair;
    };
    await dyingBetweenAnyTwoFrames(make, twoStreams, (pair) => {
      expect(pair.violations).toEqual([]);
      expect(pair.user.isSettled).toBe(true);
      const entries = Buffer.from(pair.user.cookie!.cookie).toString().trim();
      for (const stream of [0, 1, 2]) {
        expect([...entries.matchAll(new RegExp(`\\(${stream} (\\d)\\)`, 'g'))].map(([, id]) => id)).toEqual(['1', '2', '3']);
        for (const id of [1, 2, 3]) expect(pair.replies.get(keyOf(stream, id))).toHaveLength(1);
      }
      expect(pair.given.every((text, index) => index === 0 || text.startsWith(pair.given[index - 1]!))).toBe(true); // what was seen is what is
    });
  });

  it.each([1, 2, 3])('the same without a state: every message answered once, in the order of its stream (order of arrival %i)', async (seed) => {
    const make = (): SessionPair => {
      const pair = new SessionPair(echo(), 'effectively-once');
      pair.choose = shuffled(seed);
      return pair;
    };
    await dyingBetweenAnyTwoFrames(make, twoStreams, (pair) => {
      for (const stream of [0, 1, 2]) expect(pair.given.filter((text) => text.startsWith(`${stream}:`))).toEqual([`${stream}:1`, `${stream}:2`, `${stream}:3`]);
      expect([pair.user.isSettled, pair.violations]).toEqual([true, []]);
    });
  });

  it("what the failover callback sends is handled before any stream's replay (D-15)", async () => {
    const service = echo();
    const pair = await opened(service);
    pair.stuck.add(1).add(2);
    twoStreams(pair);
    await pair.run();
    pair.kill();
    service.begun.length = 0;
    pair.recovery = (send) => { send('wait'); };
    pair.stuck.clear();
    pair.choose = shuffled(1);
    pair.open();
    await pair.run();
    expect(service.begun).toEqual(['0:wait']);
    service.go();
    await pair.run();
    expect([service.begun.length, pair.user.isSettled, pair.recoveries]).toEqual([7, true, ['0:wait']]);
  });

  it('unprompted messages go on the stream they are given, and wait for the cookie that contains them', async () => {
    let session: Parameters<TestService['start']>[0] | undefined;
    const pair = await opened({ stateful: true, start: (end) => { session = end; return { handle: () => undefined, snapshot: () => Buffer.from('state') }; } });
    void session!.half.sendUnprompted('a', 0, 3);
    void session!.half.sendUnprompted('b', 0, 0);
    await pair.run();
    expect([[...pair.given].sort(), pair.violations]).toEqual([['a', 'b'], []]);
    await expect(session!.half.sendUnprompted('c', 0, UNORDERED | 3)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});

describe('D-23: unordered', () => {
  const three = (pair: SessionPair): void => { for (const text of ['1', '2', '3']) pair.send(text, pair.mode, UNORDERED | 1); };

  it.each(['at-least-once', 'at-most-once'] as const)('%s: each is handled when it comes, and DONE one by one', async (mode) => {
    const service = echo();
    const pair = await opened(service, mode);
    pair.choose = (count) => count - 1;
    three(pair);
    await pair.run();
    expect(service.begun).toEqual(['1:3', '1:2', '1:1']);
    expect([pair.user.isSettled, pair.violations, [...pair.given].sort()]).toEqual([true, [], ['1:1', '1:2', '1:3']]);
  });

  it('after a failover at-least-once sends again what is not DONE, at-most-once reports it', async () => {
    for (const mode of ['at-least-once', 'at-most-once'] as const) {
      const service = echo();
      const pair = await opened(service, mode);
      pair.send('wait', pair.mode, UNORDERED);
      three(pair);
      await pair.run();
      pair.kill();
      pair.open();
      await pair.run();
      expect(pair.lostMessages).toEqual(mode === 'at-most-once' ? ['wait'] : []);
      expect(service.begun.filter((text) => text === '0:wait')).toHaveLength(mode === 'at-most-once' ? 1 : 2);
      service.go();
      await pair.run();
      expect([pair.user.isSettled, pair.violations]).toEqual([true, []]);
    }
  });

  it('beside a state: it takes its turn, and no cookie names it', async () => {
    const pair = await opened(diary, 'at-least-once');
    pair.choose = shuffled(2);
    twoStreams(pair);
    three(pair);
    await pair.run();
    expect(decodeCoverage(pair.user.cookie!.snapshot!).streams).toEqual([{ stream: 1, covered: 3 }, { stream: 2, covered: 3 }]);
    expect([pair.user.isSettled, pair.violations]).toEqual([true, []]);
  });
});

describe('D-23: bad peers', () => {
  const data = (id: number, more = false, recovery = false): [Buffer, number, number] => {
    const bytes = encodeFrame({ type: 'DATA', session: 1, more, recovery, ppid: 0, id, tail: Buffer.from('x') });
    return [bytes, 0, bytes.length];
  };

  it('an id behind the last one of its stream', async () => {
    const pair = await opened(echo());
    pair.service!.laneOf(1).onData(...data(2));
    pair.service!.laneOf(2).onData(...data(1));
    expect(pair.ended).toBeUndefined();
    pair.service!.laneOf(1).onData(...data(2));
    expect(pair.ended).toEqual({ code: 'PROTOCOL_ERROR', reason: 'message 2 after message 2 of stream 1' });
  });

  it.each([['fragments that go unordered', UNORDERED | 1, data(1, true)], ["a failover callback's message on stream 1", 1, data(1, false, true)]] as const)('%s', async (reason, lane, frame) => {
    const pair = await opened(echo());
    pair.service!.laneOf(lane).onData(...frame as [Buffer, number, number]);
    expect(pair.ended).toEqual({ code: 'PROTOCOL_ERROR', reason });
  });

  it('more than the credit of a stream', async () => {
    const pair = await opened(echo());
    pair.service!.hold();
    const bytes = encodeFrame({ type: 'DATA', session: 1, ppid: 0, id: 1, tail: Buffer.alloc(65_000) });
    for (let id = 1; id <= 33 && !pair.ended; id++) { bytes.writeUInt32BE(id, 16); pair.service!.laneOf(1).onData(bytes, 0, bytes.length); }
    expect(pair.ended?.reason).toMatch(/^more than the credit/);
  });

  it.each([
    ['names a message of a stream that was not sent', { streams: [{ stream: 1, covered: 4 }] }, 'a cookie names message 4 of stream 1, which was not sent'],
    ['names a stream on which nothing was sent', { streams: [{ stream: 5, covered: 1 }] }, 'a cookie names message 1 of stream 5, on which nothing was sent'],
    ['goes back on a stream', { streams: [{ stream: 1, covered: 2 }] }, 'a cookie names message 2 of stream 1, but 3 was covered before'],
  ])('a cookie that %s', async (_, named, what) => {
    const pair = await opened(diary);
    twoStreams(pair);
    await pair.run();
    pair.user.onCookie({ cookie: Buffer.alloc(0), snapshot: undefined }, { epoch: 1, covered: 3, outputs: 0, ...named });
    expect(pair.violations).toEqual([what]);
  });

  it('DONE, and a reply, of a stream for what was not sent on it', async () => {
    const pair = await opened(echo());
    pair.send('1');
    await pair.run();
    const done = encodeFrame({ type: 'DONE', session: 1, id: 1 });
    pair.user.laneOf(4).onDone(done, 0);
    const reply = encodeFrame({ type: 'REPLY', session: 1, ppid: 0, id: 1, index: 0, tail: Buffer.from('x') });
    pair.user.laneOf(4).onReply(reply, 0, reply.length);
    expect(pair.violations).toEqual(['DONE for message 1, which was not sent', 'a reply to message 1, which was not sent']);
  });
});

it('D-23, D-25: a cookie of full length that names every stream fits into its message', async () => {
  let session: Parameters<TestService['start']>[0] | undefined;
  const pair = await opened({ stateful: true, start: (end) => { session = end; return { handle: () => undefined }; } });
  for (let stream = 0; stream < MOST_STREAMS; stream++) pair.send('x', pair.mode, stream);
  await pair.run();
  session!.setCookie('x'.repeat(65_000));
  await pair.run();
  await settle();
  expect(pair.trace.filter((line) => line.includes('ASAP_COOKIE'))).toHaveLength(1); // one frame
  expect([pair.user.isSettled, pair.user.cookie!.cookie.length, ASAP_PPID]).toEqual([true, 65_000, 11]);
});
