import { getEventListeners } from 'node:events';
import type { ServiceSession } from '../../actors/service-session.js';
import type { Reply } from '../../actors/session-requests.js';
import { echo, recorder, Seen, SessionWorld, type ElementSetup } from '../support/session-world.js';

/** Request and reply on sessions (draft §4.4, §4.5; docs/delivery.md), on a simulated network. */

async function poolOf(...services: ElementSetup['onSession'][]) {
  const world = new SessionWorld();
  const elements = [];
  for (const [index, onSession] of services.entries()) elements.push(await world.element(`pe${index + 1}`, { onSession }));
  return { world, elements, user: world.user() };
}
/** Upper case, each message after `delay`. */
async function slowPool(delay: number) {
  const world = new SessionWorld();
  await world.element('pe1', {
    onSession: (session) => { session.on('data', (data, info) => new Promise<void>((done) => { world.clock.setTimeout(() => { void info.reply(data.toString().toUpperCase()); done(); }, delay); })); },
  });
  return { world, user: world.user() };
}
const text = ({ data }: Reply): string => data.toString();

describe('session.request', () => {
  it('resolves with its reply, which is no data for others', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const seen = new Seen(session);
    const replies = await world.settled(Promise.all(['a', 'b', 'c'].map((data) => session.request(data, { ppid: 7 }))));
    expect(replies.map(text)).toEqual(['A', 'B', 'C']);
    expect(replies[1]?.info).toMatchObject({ ppid: 7, stream: 0, recovery: false, inReplyTo: `${session.id}:2` });
    expect(seen.data).toEqual([]);
  });

  it('is answered by the reply to its own message, also where several are handled at once', async () => {
    const world = new SessionWorld();
    await world.element('pe1', {
      concurrency: 8,
      onSession: (session) => { session.on('data', (data, info) => new Promise<void>((done) => { world.clock.setTimeout(() => { void info.reply(data); done(); }, 100 - 10 * Number(data.toString())); })); },
    });
    const session = await world.user().connect();
    const order: string[] = [];
    const replies = await world.settled(Promise.all([1, 2, 3, 4].map(async (n) => { const reply = await session.request(String(n)); order.push(text(reply)); return text(reply); })));
    expect(replies).toEqual(['1', '2', '3', '4']);
    expect(order).toEqual(['4', '3', '2', '1']);
  });

  it('further replies, and replies to what was sent otherwise, are data', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', (data, info) => { for (const n of [1, 2, 3]) void info.reply(`${data.toString()}${n}`); }); });
    const session = await user.connect();
    const seen = new Seen(session);
    const first = session.request('a');
    void session.send('b');
    expect(text(await world.settled(first))).toBe('a1');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a2', 'a3', 'b1', 'b2', 'b3']);
  });

  it.each([['crash'], ['freeze']] as const)('resolves across a failover (%s), with the reply that the state makes', async (fault) => {
    const log: string[] = [];
    const world = new SessionWorld();
    const options = { delay: 50, clock: world.clock };
    const elements = [await world.element('pe1', { onSession: recorder('pe1', log, options) }), await world.element('pe2', { onSession: recorder('pe2', log, options) })];
    const session = await world.user().connect();
    const seen = new Seen(session);
    const replies = ['a', 'b', 'c', 'd'].map((data) => session.request(data));
    await world.advance(130);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process[fault]();
    expect((await world.settled(Promise.all(replies))).map(text)).toEqual(['a', 'ab', 'abc', 'abcd']);
    expect(seen.data).toEqual([]);
    expect(seen.events).toHaveLength(1);
  });

  it.each(['at-least-once', 'at-most-once'] as const)('at-least-once: a second reply from a replay goes nowhere; at-most-once: lost with its element (%s)', async (deliver) => {
    const world = new SessionWorld();
    const answers = (session: ServiceSession): void => {
      session.on('data', (_, info) => { void info.reply(`from ${session.epoch}`); return new Promise<void>((done) => { world.clock.setTimeout(done, 100); }); });
    };
    const elements = [await world.element('pe1', { onSession: answers }), await world.element('pe2', { onSession: answers })];
    const session = await world.user().connect();
    const seen = new Seen(session);
    const answered = session.request('a', { deliver });
    expect(text(await world.settled(answered))).toBe('from 1');
    const lost = session.request('b', { deliver });
    await world.advance(20);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    if (deliver === 'at-least-once') expect(text(await world.settled(lost))).toBe('from 2');
    else await expect(world.settled(lost)).rejects.toMatchObject({ code: 'MESSAGE_LOST', outcome: 'unknown' });
    await world.advance(500);
    expect(seen.data).toEqual([]);
  });

  it('NO_REPLY: the handler has settled without one', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', (data, info) => { if (data.toString() !== 'b') void info.reply(data); }); });
    const session = await user.connect();
    const seen = new Seen(session);
    const requests = ['a', 'b', 'c'].map((data) => session.request(data));
    await expect(world.settled(requests[1]!)).rejects.toMatchObject({ code: 'NO_REPLY', outcome: 'handled' });
    expect((await world.settled(Promise.all([requests[0]!, requests[2]!]))).map(text)).toEqual(['a', 'c']);
    expect(seen.events).toEqual(['error NO_REPLY']);
  });

  it('NO_REPLY: of a stateful service too, when its cookie covers the message', async () => {
    const { world, user } = await poolOf((session) => { session.on('cookie', () => undefined); session.on('data', () => { session.setCookie('x'); }); });
    const session = await user.connect();
    await expect(world.settled(session.request('a'))).rejects.toMatchObject({ code: 'NO_REPLY', outcome: 'handled' });
  });

  it('REQUEST_TIMEOUT and REQUEST_ABORTED: with what is known; a late reply is dropped, the next request has its own', async () => {
    const { world, user } = await slowPool(200);
    const session = await user.connect();
    const seen = new Seen(session);
    const abort = new AbortController();
    const late = session.request('a', { timeout: 100 });
    const aborted = session.request('b', { signal: abort.signal });
    const next = session.request('c');
    await world.advance(101);
    abort.abort(new Error('changed my mind'));
    await expect(late).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', outcome: 'unknown' });
    await expect(aborted).rejects.toMatchObject({ code: 'REQUEST_ABORTED', outcome: 'unknown', cause: expect.objectContaining({ message: 'changed my mind' }) as unknown });
    expect(text(await world.settled(next))).toBe('C');
    expect(seen.data).toEqual([]);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('D-3: a request that was not sent yet is taken back, one that waits for room too', async () => {
    const { world, user, elements } = await poolOf(echo);
    const session = await user.connect({ window: { messages: 1, bytes: 100 } });
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    await world.advance(50); // nobody is there
    const abort = new AbortController();
    const kept = session.request('a', { timeout: 100 });
    const waiting = session.request('b', { signal: abort.signal });
    const later = session.request('c', { timeout: 100_000 });
    await world.advance(10);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'REQUEST_ABORTED', outcome: 'not-taken' });
    await world.advance(100);
    await expect(kept).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', outcome: 'not-taken' });
    await world.element('pe2', { onSession: echo });
    expect(text(await world.settled(later))).toBe('C');
    expect(seen.undelivered).toEqual(['b', 'a']);
    await expect(session.request('d', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'REQUEST_ABORTED', outcome: 'not-taken' });
  });

  it('D-30: a session that ends rejects all of them', async () => {
    const { world, user } = await slowPool(200);
    const session = await user.connect({ window: { messages: 2, bytes: 100 } });
    const requests = ['a', 'b', 'c'].map((data) => session.request(data));
    await world.advance(10);
    session.destroy();
    const outcomes = (await Promise.allSettled(requests)).map((result) => (result as PromiseRejectedResult).reason as { code: string; outcome: string });
    expect(outcomes.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual(['SESSION_CLOSED unknown', 'SESSION_CLOSED unknown', 'SESSION_CLOSED not-taken']);
    await expect(session.request('d')).rejects.toMatchObject({ code: 'SESSION_CLOSED', outcome: 'not-taken' });
  });

  it('close() waits for the replies', async () => {
    const { world, user } = await slowPool(50);
    const session = await user.connect();
    const requests = ['a', 'b'].map((data) => session.request(data));
    await world.settled(session.close());
    expect((await Promise.all(requests)).map(text)).toEqual(['A', 'B']);
    await expect(session.request('c')).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
  });

  it('bad input rejects at once, and the session lives on', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const wrong: [unknown, object | undefined, string][] = [
      [undefined, undefined, 'INVALID_DATA'], [42, undefined, 'INVALID_DATA'], [{}, undefined, 'INVALID_DATA'], [Buffer.alloc(10 * 1024 * 1024), undefined, 'MESSAGE_TOO_LARGE'],
      ['a', { ack: true }, 'INVALID_OPTION'], ['a', { timeout: 0 }, 'INVALID_OPTION'], ['a', { timeout: '1' }, 'INVALID_OPTION'], ['a', { timeout: NaN }, 'INVALID_OPTION'], ['a', { timeout: Infinity }, 'INVALID_OPTION'],
      ['a', { signal: {} }, 'INVALID_OPTION'], ['a', { deliver: 'twice' }, 'INVALID_OPTION'], ['a', { ppid: 11 }, 'INVALID_OPTION'], ['a', { ppid: -1 }, 'INVALID_OPTION'], ['a', { lifetime: -1 }, 'INVALID_OPTION'],
      ['a', { nonsense: 1 }, 'INVALID_OPTION'], ['a', { unordered: true }, 'INVALID_OPTION'], ['a', { stream: 16 }, 'INVALID_OPTION'],
    ];
    for (const [data, options, code] of wrong) await expect(session.request(data as never, options as never)).rejects.toMatchObject({ code });
    expect(text(await world.settled(session.request('b', { deliver: 'failover', stream: 0, unordered: false })))).toBe('B');
  });
});

describe('for await of a session', () => {
  const pushes = (count: number, bytes: number) => (session: ServiceSession): void => {
    session.on('data', async (_, info) => { for (let i = 0; i < count; i++) await info.reply(Buffer.alloc(bytes, i)); });
  };

  it('gives what the service sends, and ends with the session', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const read: string[] = [];
    const reading = (async () => { for await (const { data, info } of session) read.push(`${data.toString()} ${info.inReplyTo?.split(':')[1] ?? ''}`); })();
    for (const data of ['a', 'b', 'c']) void session.send(data);
    await world.settled(session.close());
    await world.settled(reading);
    expect(read).toEqual(['A 1', 'B 2', 'C 3']);
  });

  it('D-21: holds the credit of what was not read: the service waits for a slow reader, and only for as long as it is slow', async () => {
    const world = new SessionWorld();
    let sent = 0;
    await world.element('pe1', { outputCommit: false, onSession: (session) => { session.on('data', async (_, info) => { for (; sent < 200; sent++) await info.reply(Buffer.alloc(60_000, sent)); }); } });
    const session = await world.user().connect();
    const iterator = session[Symbol.asyncIterator]();
    void session.send('go');
    await world.settled(iterator.next());
    await world.advance(1_000);
    expect(sent * 60_000).toBeLessThan(6 * 1024 * 1024);
    const stopped = sent;
    await world.advance(10_000);
    expect(sent).toBe(stopped);
    let read = 1;
    for (; read < 200; read++) expect((await world.settled(iterator.next())).value?.data[0]).toBe(read);
    expect(sent).toBe(200);
  });

  it('break gives the credit back, and other listeners go on', async () => {
    const { world, user } = await poolOf(pushes(10, 10));
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('go');
    const reading = (async () => { for await (const { data } of session) { if (data[0] === 2) break; } })();
    await world.settled(reading);
    await world.settled(session.flush());
    expect(seen.data).toHaveLength(10);
    for (let i = 0; i < 100; i++) void session.send('go'); // more than the credit, were it not returned
    await world.settled(session.flush());
  });

  it('throws when the session fails, behind what had come', async () => {
    const { world, user, elements } = await poolOf(echo);
    const session = await user.connect({ failoverTimeout: 200 });
    session.on('error', () => undefined);
    const iterator = session[Symbol.asyncIterator]();
    void session.send('a');
    await world.settled(session.flush());
    elements[0]!.host.process.crash();
    await world.advance(5_000);
    expect((await iterator.next()).value?.data.toString()).toBe('A');
    await expect(iterator.next()).rejects.toMatchObject({ code: 'FAILOVER_FAILED' });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('several calls of next() at once each have theirs; one begun on a closed session is at its end', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const iterator = session[Symbol.asyncIterator]();
    const three = [iterator.next(), iterator.next(), iterator.next()];
    void session.send('a');
    void session.send('b');
    await world.settled(session.close());
    expect((await Promise.all(three)).map(({ value }) => value?.data.toString())).toEqual(['A', 'B', undefined]);
    expect((await session[Symbol.asyncIterator]().next()).done).toBe(true);
  });
});

describe('signals', () => {
  it('flush and close: the signal ends the wait, what was begun goes on, and nobody listens to it afterwards', async () => {
    const { world, user } = await slowPool(500);
    const session = await user.connect();
    const abort = new AbortController();
    const reason = new Error('enough');
    void session.send('a');
    const flush = session.flush({ signal: abort.signal });
    const close = session.close({ signal: abort.signal });
    await world.advance(10);
    abort.abort(reason);
    await expect(flush).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    await expect(close).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    await expect(session.send('b')).rejects.toMatchObject({ code: 'CLOSED' });
    await world.settled(session.close());
    await expect(session.flush({ signal: 'x' } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('send: no listener stays behind, whichever way the message ends', async () => {
    const { world, user, elements } = await poolOf(echo, echo);
    const abort = new AbortController();
    const session = await user.connect({ signal: abort.signal });
    const modes = ['effectively-once', 'at-least-once', 'at-most-once'] as const;
    for (const deliver of modes) void session.send('a', { deliver, signal: abort.signal, lifetime: 10_000 });
    await world.settled(session.flush());
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    for (const { host } of elements) host.process.crash();
    await world.advance(20);
    for (const deliver of modes) void session.send('b', { deliver, signal: abort.signal });
    void session.send('c', { ack: true, signal: abort.signal });
    void session.request('d', { signal: abort.signal });
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(5);
    session.destroy();
    await world.advance(1);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('D-3: after the transmission a signal ends the promise, and says that the outcome is unknown', async () => {
    const { world, user } = await slowPool(200);
    const session = await user.connect();
    const seen = new Seen(session);
    const abort = new AbortController();
    const aborted = session.send('a', { deliver: 'at-least-once', signal: abort.signal });
    const kept = session.send('b', { deliver: 'at-least-once', lifetime: 50 });
    const ack = session.send('c', { ack: true, signal: abort.signal });
    await world.advance(51);
    abort.abort();
    for (const [promise, code] of [[aborted, 'MESSAGE_ABORTED'], [ack, 'MESSAGE_ABORTED']] as const) await expect(promise).rejects.toMatchObject({ code, outcome: 'unknown' });
    await world.settled(kept);
    await world.settled(session.flush());
    expect(seen.data).toEqual(['A', 'B', 'C']);
  });
});
