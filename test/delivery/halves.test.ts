import { MAX_COOKIE } from '../../delivery/service-half.js';
import { encodeFrame, type Frame } from '../../wire/mapping.js';
import { SessionPair, settle, type ServiceEnd, type TestService } from '../support/session-pair.js';

/** Both halves with every frame in the test's hands: the rules that failover.test.ts does not show. */

const reply: TestService = { stateful: false, start: () => ({ handle: (incoming) => { void incoming.reply(incoming.payload.toString().toUpperCase()); } }) };

async function opened(service: TestService, mode: 'effectively-once' | 'at-least-once' = 'effectively-once'): Promise<SessionPair> {
  const pair = new SessionPair(service, mode);
  pair.open();
  await pair.run();
  return pair;
}

/** A stateless service that replies twice, before and after `pause`. */
const twice = (pause?: () => Promise<void>): TestService => ({ stateful: false, start: () => ({ handle: (incoming) => {
  const text = incoming.payload.toString();
  void incoming.reply(`${text}1`);
  if (!pause) return void incoming.reply(`${text}2`);
  return pause().then(() => { void incoming.reply(`${text}2`); });
} }) });

/** A stateful service whose handler does as told by the message. */
function obedient(end: { session?: ServiceEnd } = {}): TestService {
  return {
    stateful: true,
    start: (session) => {
      end.session = session;
      return { handle: (incoming) => {
        for (const order of incoming.payload.toString().split(',')) {
          if (order.startsWith('reply')) void incoming.reply(order);
          if (order.startsWith('cookie')) session.setCookie(order);
        }
      } };
    },
  };
}

describe('cookies', () => {
  it('D-7, D-10: the last one set in a handler leaves when it settles, behind its replies and before DONE', async () => {
    const pair = await opened(obedient());
    pair.trace.length = 0;
    pair.send('cookie 1,reply 1,cookie 2,reply 2');
    await pair.run();
    expect(pair.trace).toEqual(['> DATA 1', '< REPLY 1', '< REPLY 1', '< ASAP_COOKIE', '< DONE 1']);
    expect(Buffer.from(pair.user.cookie!.cookie).toString()).toBe('cookie 2');
  });

  it('D-7: of several in one turn only the last is sent', async () => {
    const pair = await opened(obedient());
    pair.trace.length = 0;
    for (let i = 1; i <= 5; i++) pair.send(`cookie ${i}`);
    await pair.run(Infinity, 5);
    expect(pair.trace.filter((line) => line.startsWith('<'))).toEqual(['< ASAP_COOKIE', '< DONE 5']);
  });

  it('D-7: set outside of a handler it names the last settled message', async () => {
    const end: { session?: ServiceEnd } = {};
    const pair = await opened(obedient(end));
    pair.send('reply 1');
    await pair.run();
    expect(pair.user.window.size).toBe(1); // D-8: nothing is covered before the first cookie
    end.session!.setCookie('late');
    await pair.run();
    expect([pair.user.window.size, pair.violations]).toEqual([0, []]);
  });

  it('D-25: 65 000 bytes, and not one more', async () => {
    const end: { session?: ServiceEnd } = {};
    const pair = await opened(obedient(end));
    end.session!.setCookie('x'.repeat(MAX_COOKIE));
    await pair.run();
    expect(pair.user.cookie?.cookie).toHaveLength(65_000);
    expect(() => { end.session!.setCookie('x'.repeat(65_001)); }).toThrow(expect.objectContaining({ code: 'COOKIE_TOO_LARGE' }) as Error);
  });
});

describe('replies', () => {
  it('D-11: the last reply of a stateless service says DONE itself; to a pool user without that feature, or when the handler settles later, DONE does', async () => {
    for (const [service, replyDone, expected] of [
      [twice(), true, ['> DATA 1', '< REPLY 1', '< REPLY 1 done']],
      [twice(), false, ['> DATA 1', '< REPLY 1', '< REPLY 1', '< DONE 1']],
      [twice(settle), true, ['> DATA 1', '< REPLY 1', '< REPLY 1', '< DONE 1']],
    ] as const) {
      const pair = new SessionPair(service, 'effectively-once');
      pair.replyDone = replyDone;
      pair.open();
      await pair.run();
      pair.trace.length = 0;
      pair.send('x');
      await pair.run();
      expect(pair.trace).toEqual(expected);
      expect([pair.given, pair.user.isSettled]).toEqual([['x1', 'x2'], true]);
    }
  });

  it('D-11: a reply that says DONE covers the messages before it, which had none', async () => {
    const pair = await opened({ ...obedient(), stateful: false });
    for (const text of ['nothing', 'reply 1', 'nothing', 'reply 2', 'nothing']) pair.send(text);
    await pair.run(Infinity, 5);
    expect([pair.given, pair.user.isSettled]).toEqual([['reply 1', 'reply 2'], true]);
    expect(pair.trace.filter((line) => line.startsWith('<') && line !== '< ACCEPT')).toEqual(['< REPLY 2 done', '< REPLY 4 done', '< DONE 5']);
  });

  it('D-11: without a cookie they are given out at DONE, and those of a replay are dropped', async () => {
    const pair = await opened(obedient());
    pair.send('reply 1');
    await pair.run();
    expect(pair.given).toEqual(['reply 1']);
    pair.kill();
    pair.open();
    await pair.run();
    expect([pair.given, pair.begun]).toEqual([['reply 1'], [1, 1]]);
  });

  it('D-9: after its handler has settled a message cannot be answered', async () => {
    let late: Promise<void> | undefined;
    const pair = await opened({ stateful: false, start: () => ({ handle: (incoming) => { queueMicrotask(() => { late = incoming.reply('too late'); }); } }) });
    pair.send('a');
    await pair.run();
    await expect(late).rejects.toMatchObject({ code: 'NOT_IN_HANDLER' });
  });

  it('D-5: the next message waits for the promise of the one before', async () => {
    const finish: (() => void)[] = [];
    const pair = await opened({ stateful: false, start: () => ({ handle: () => new Promise<void>((done) => { finish.push(done); }) }) });
    for (const letter of 'abc') pair.send(letter);
    await pair.run();
    expect(pair.begun).toEqual([1]);
    finish[0]!();
    await pair.run();
    expect(pair.begun).toEqual([1, 2]);
  });

  it('D-5: with concurrency several run, and each is DONE by itself', async () => {
    const finish: (() => void)[] = [];
    const pair = await opened({ stateful: false, concurrency: 2, start: () => ({ handle: (incoming) => new Promise<void>((done) => { finish.push(() => { void incoming.reply(incoming.payload.toString()); done(); }); }) }) });
    for (const letter of 'abc') pair.send(letter);
    await pair.run();
    expect(pair.begun).toEqual([1, 2]);
    finish[1]!();
    await pair.run();
    expect([pair.given, pair.begun]).toEqual([['b'], [1, 2, 3]]);
    finish[0]!();
    finish[2]!();
    await pair.run();
    expect([pair.given, pair.user.isSettled]).toEqual([['b', 'a', 'c'], true]);
  });

  it('D-21: OUTPUT_LIMIT above 1 MiB for one handler; nothing of it is given out', async () => {
    const pair = await opened({ stateful: false, start: () => ({ handle: (incoming) => { for (let i = 0; i < 9; i++) void incoming.reply('x'.repeat(128 * 1024)); } }) });
    pair.send('a');
    await pair.run();
    expect([pair.ended?.code, pair.given]).toEqual(['OUTPUT_LIMIT', []]);
  });

  it('D-17: a handler that throws: CLOSE names the message, what earlier ones finished is committed', async () => {
    const pair = await opened({ stateful: false, start: () => ({ handle: (incoming) => {
      if (incoming.sequence === 2) throw new Error('no');
      void incoming.reply('fine');
    } }) });
    pair.send('a');
    pair.send('b');
    await pair.run(Infinity, 2);
    expect([pair.ended, pair.given]).toEqual([{ code: 'HANDLER_FAILED', reason: 'no' }, ['fine']]);
    expect(pair.trace.at(-1)).toBe('< CLOSE 2');
  });
});

describe('a peer that breaks the rules (D-16)', () => {
  const frame = (values: Frame): [Buffer, number, number] => { const bytes = encodeFrame(values); return [bytes, 0, bytes.length]; };

  it('DONE, a reply or a cookie for what was never sent', async () => {
    const pair = await opened(reply);
    pair.send('a');
    await pair.run();
    pair.user.onDone(frame({ type: 'DONE', session: 1, id: 2 })[0], 0);
    pair.user.onReply(...frame({ type: 'REPLY', session: 1, ppid: 0, id: 2, index: 0, tail: Buffer.from('x') }));
    pair.user.onCookie({ cookie: Buffer.alloc(0), snapshot: undefined }, { epoch: 1, covered: 2, outputs: 0 });
    expect(pair.violations).toEqual(['DONE for message 2, which was not sent', 'a reply to message 2, which was not sent', 'a cookie names message 2, which was not sent']);
  });

  it('a cookie of another epoch, or one that goes back', async () => {
    const pair = await opened(obedient());
    for (let i = 1; i <= 3; i++) pair.send(`cookie ${i}`);
    await pair.run();
    pair.user.onCookie({ cookie: Buffer.alloc(0), snapshot: undefined }, { epoch: 0, covered: 3, outputs: 0 });
    pair.user.onCookie({ cookie: Buffer.alloc(0), snapshot: undefined }, { epoch: 1, covered: 2, outputs: 0 });
    expect(pair.violations).toEqual(['a cookie of epoch 0 in epoch 1', 'a cookie names message 2, but 3 was covered before']);
  });

  it('a pool user whose ids go back loses the session', async () => {
    const pair = await opened(reply);
    pair.service!.onData(...frame({ type: 'DATA', session: 1, ppid: 0, id: 5, tail: Buffer.from('a') }));
    pair.service!.onData(...frame({ type: 'DATA', session: 1, ppid: 0, id: 5, tail: Buffer.from('a') }));
    expect(pair.ended).toEqual({ code: 'PROTOCOL_ERROR', reason: 'message 5 after message 5' });
  });

  it('D-22: ids go on behind 2^32', async () => {
    const pair = await opened(reply);
    for (const id of [0xfffffffe, 0xffffffff, 0, 1]) pair.service!.onData(...frame({ type: 'DATA', session: 1, ppid: 0, id, tail: Buffer.from('a') }));
    await settle();
    expect([pair.begun, pair.ended]).toEqual([[0xfffffffe, 0xffffffff, 0, 1], undefined]);
  });

  it.each([['a service', 'service'], ['a pool user', 'user']] as const)('D-21: %s that is sent more than it granted', async (_who, to) => {
    const pair = await opened({ stateful: false, start: () => ({ handle: () => new Promise<void>(() => undefined) }) });
    pair.send('a');
    await pair.run();
    const tail = Buffer.alloc(65_000);
    for (let i = 0; i < 70; i++) {
      if (to === 'service') pair.service!.onData(...frame({ type: 'DATA', session: 1, ppid: 0, id: 2 + i, tail }));
      else pair.user.onReply(...frame({ type: 'REPLY', session: 1, ppid: 0, id: 1, index: i, tail }));
    }
    expect(to === 'service' ? pair.ended?.code : pair.violations[0]).toEqual(to === 'service' ? 'PROTOCOL_ERROR' : 'more than the credit of 4194368 bytes was sent');
  });

  it.each([['a service', 'service'], ['a pool user', 'user']] as const)('D-21: %s that is sent messages of no bytes, which no credit counts, without end', async (_who, to) => {
    const pair = await opened({ stateful: false, start: () => ({ handle: () => new Promise<void>(() => undefined) }) });
    pair.send('a');
    await pair.run();
    let sent = 0;
    const isStopped = (): boolean => (to === 'service' ? pair.ended !== undefined : pair.violations.length > 0);
    for (; sent < 300_000 && !isStopped(); sent++) {
      if (to === 'service') pair.service!.onData(...frame({ type: 'DATA', session: 1, ppid: 0, id: 2 + sent, tail: Buffer.alloc(0) }));
      else pair.user.onReply(...frame({ type: 'REPLY', session: 1, ppid: 0, id: 1, index: sent, tail: Buffer.alloc(0) }));
    }
    expect(sent).toBe(to === 'service' ? 0x1_0000 + 1024 + 1 : 4 * 0x1_0000 + 1);
    expect(to === 'service' ? pair.ended?.code : pair.violations[0]).toEqual(to === 'service' ? 'PROTOCOL_ERROR' : '262145 messages wait for a cookie or DONE');
  });

  it.each([[16, 262_148], [0, Infinity]])('D-21: unprompted messages of no bytes with a charge of %d: %d of them are at an application that does not get on, then they wait', async (charge, most) => {
    const pair = new SessionPair({ stateful: false, start: () => ({ handle: () => undefined }) }, 'effectively-once');
    pair.messageCharge = charge;
    pair.consumes = false;
    pair.open();
    await pair.run();
    const sent = 270_000;
    for (let each = 0; each < sent; each++) void pair.service!.sendUnprompted('', 0);
    await pair.run(Infinity, 1, 1_000);
    expect([pair.given.length, pair.violations]).toEqual([Math.min(sent, most), []]);
    for (let each = 0; each < most / 2 && charge > 0; each++) pair.user.consumed(0);
    await pair.run(Infinity, 1, 1_000);
    expect(pair.given.length).toBe(sent);
  });

  it.each([['a service', 'service'], ['a pool user', 'user']] as const)('D-21: %s that is sent crumbs of a message that never ends', async (_who, to) => {
    const pair = await opened({ stateful: false, start: () => ({ handle: () => new Promise<void>(() => undefined) }) });
    pair.send('a');
    await pair.run();
    for (let sent = 0; sent < 1_025; sent++) {
      if (to === 'service') pair.service!.onData(...frame({ type: 'DATA', session: 1, more: true, ppid: 0, id: 2, tail: Buffer.alloc(0) }));
      else pair.user.onReply(...frame({ type: 'REPLY', session: 1, more: true, ppid: 0, id: 1, index: 0, tail: Buffer.alloc(0) }));
    }
    expect(to === 'service' ? pair.ended?.reason : pair.violations[0]).toEqual('a message in too many fragments');
  });

  it('D-21: a handler may reply with nothing 65 536 times, and no more: OUTPUT_LIMIT', async () => {
    const refused: string[] = [];
    const pair = await opened({ stateful: false, start: () => ({ handle: (incoming) => { for (let reply = 0; reply <= 0x1_0000; reply++) incoming.reply('').catch((error: { code: string }) => { refused.push(error.code); }); } }) });
    pair.send('a');
    await pair.run(Infinity, 1, 1_000);
    await settle();
    expect(refused).toEqual(['OUTPUT_LIMIT']);
  });
});

it('D-20: a snapshot is asked for when half of the window is handled, by messages or by bytes', async () => {
  for (const limits of [{ messages: 6, bytes: 1e6 }, { messages: 1_000, bytes: 6 }]) {
    let asked = 0;
    const pair = new SessionPair({ stateful: true, start: () => ({ handle: () => undefined, snapshot: () => Buffer.from(String(++asked)) }) }, 'effectively-once', limits);
    pair.open();
    await pair.run();
    for (let i = 1; i <= 6; i++) { pair.send('x'); await pair.run(); expect(asked).toBe(Math.floor(i / 3)); }
    expect(pair.user.isSettled).toBe(true);
  }
});

it('D-27: drain settles the running handler, hands out nothing more, sends cookie and MOVE', async () => {
  let finish: (() => void) | undefined;
  const pair = await opened({ stateful: true, start: (session) => ({ handle: async (incoming) => {
    await new Promise<void>((done) => { finish = done; });
    session.setCookie(`after ${incoming.sequence}`);
  } }) });
  for (const letter of 'abc') pair.send(letter);
  await pair.run();
  const drained = pair.service!.drain();
  finish!();
  await drained;
  pair.trace.length = 0;
  await pair.run();
  expect(pair.trace).toEqual(['< ASAP_COOKIE', '< DONE 1', '< MOVE']);
  expect([pair.begun, pair.user.window.size]).toEqual([[1], 2]);
});

it('D-29: a half on hold hands out nothing, whatever its state, and goes on when released', async () => {
  const pair = new SessionPair(reply, 'effectively-once');
  pair.open();
  await pair.run(1); // OPEN has come
  pair.service!.hold();
  pair.send('a');
  await pair.run();
  expect(pair.begun).toEqual([]);
  pair.service!.release();
  await pair.run();
  expect(pair.given).toEqual(['A']);
});
