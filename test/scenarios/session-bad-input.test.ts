import type { ServiceSession, Session, SessionOptions } from '../../index.js';
import { Seen, SessionWorld, type ElementSetup } from '../support/session-world.js';

/** What applications hand in, and what their callbacks do: a typed error for whom it concerns, nothing kept, others unharmed. */

const MIB = 1024 * 1024;
const nothing = (): void => undefined;
/** Counts; its cookie is the count. */
const counter = (session: ServiceSession): void => {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (data, info) => { session.setCookie(String(++count)); void info.reply(`${count} ${data.toString()}`); });
};

async function setting(...elements: (ElementSetup['onSession'])[]) {
  const world = new SessionWorld();
  for (const [index, onSession] of elements.entries()) await world.element(`pe${index + 1}`, { onSession });
  const user = world.user();
  const crash = (identifier: number | undefined): void => { world.host(`pe${identifier ?? 0}`).process.crash(); };
  /** Two messages; the element that served the first one is gone before the second one. */
  const acrossFailover = async (session: Session): Promise<void> => {
    void session.send('a');
    await world.settled(session.flush());
    crash(session.peIdentifier);
    void session.send('b');
    await world.settled(session.flush(), 120_000);
  };
  return { world, user, crash, acrossFailover };
}

/** A session that goes on whatever the other one does. */
async function unharmed(world: SessionWorld, bystander: Session): Promise<void> {
  const seen = new Seen(bystander);
  void bystander.send('still');
  await world.settled(bystander.flush());
  expect(seen.data.at(-1)).toMatch(/ still$/);
}

describe('what is too large', () => {
  it('a message of 10 MB: MESSAGE_TOO_LARGE, whatever the window; nothing of it is kept, the session lives on', async () => {
    const { world, user } = await setting(counter);
    for (const window of [{}, { bytes: 64 * MIB }]) {
      const session = await user.connect({ window });
      for (const data of [Buffer.alloc(10_000_000), 'x'.repeat(10_000_000), Buffer.alloc(MIB + 1)]) {
        await expect(session.send(data)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
        await expect(session.request(data)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
      }
      await unharmed(world, session);
    }
  });

  it('a reply of 10 MB: OUTPUT_LIMIT for its session, with nothing given out; the next session is served', async () => {
    const { world, user } = await setting((session) => { session.on('data', (_, info) => { void info.reply(Buffer.alloc(10_000_000)); }); session.on('error', nothing); });
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.until(() => seen.events.includes('closed'));
    expect([seen.data, seen.undelivered, seen.events]).toEqual([[], ['a'], ['error OUTPUT_LIMIT', 'error OUTPUT_LIMIT', 'closed']]); // of the message, and of the session
    await user.connect();
  });

  it('D-25: a cookie of 65 000 bytes is one, of 65 001 COOKIE_TOO_LARGE, in a handler and outside; the one before it stands', async () => {
    const codes: unknown[] = [];
    const attempt = (session: ServiceSession, length: number): void => { try { session.setCookie(Buffer.alloc(length, 'c')); } catch (error) { codes.push((error as { code: string }).code); } };
    const restored: number[] = [];
    const onSession = (session: ServiceSession): void => {
      session.on('cookie', (cookie) => { restored.push(cookie.length); });
      session.on('data', (_, info) => { attempt(session, 65_000); attempt(session, 65_001); void info.reply('done'); });
      attempt(session, 65_001);
    };
    const { user, acrossFailover } = await setting(onSession, onSession);
    const session = await user.connect();
    const seen = new Seen(session);
    await acrossFailover(session);
    expect([seen.data, restored]).toEqual([['done', 'done'], [65_000]]);
    expect(codes).toEqual(Array(4).fill('COOKIE_TOO_LARGE'));
  });
});

describe('callbacks that throw, reject, or never settle', () => {
  const bad: Readonly<Record<'throws' | 'rejects' | 'never settles', () => never>> = {
    throws: () => { throw new Error('boom'); },
    rejects: () => Promise.reject(new Error('boom')) as never,
    'never settles': () => new Promise<never>(nothing) as never,
  };
  const each = Object.entries(bad);

  it.each(each)("a user's listener of data %s: the other messages come, the session lives", async (_, callback) => {
    const { world, user } = await setting(counter);
    const session = await user.connect();
    const received: string[] = [];
    session.on('data', callback);
    session.on('data', (data) => { received.push(data.toString()); });
    for (const data of ['a', 'b', 'c']) void session.send(data);
    await world.settled(session.flush());
    expect(received).toEqual(['1 a', '2 b', '3 c']);
  });

  it.each(['failover', 'error', 'closed'] as const)("a user's listener of %s that throws costs nothing but a line in the log", async (event) => {
    const { world, user, crash } = await setting(counter, counter);
    const session = await user.connect();
    session.on(event, bad.throws);
    const seen = new Seen(session);
    void session.send('a');
    await world.settled(session.flush());
    crash(session.peIdentifier);
    await session.send('x'.repeat(MIB + 1)).catch(nothing);
    void session.send('b');
    await world.settled(session.flush());
    await world.settled(session.close());
    expect(seen.data).toEqual(['1 a', '2 b']);
    expect(world.log.filter(({ level }) => level === 'error').length).toBeGreaterThan(0);
  });

  it.each(each)('onFailover %s: reported, and the session goes on at the next element', async (_, onFailover) => {
    const { user, acrossFailover } = await setting(counter, counter, counter);
    const session = await user.connect({ onFailover } as SessionOptions);
    const seen = new Seen(session);
    await acrossFailover(session);
    expect(seen.data).toEqual(['1 a', '2 b']);
    expect(seen.events.some((line) => line.startsWith('error '))).toBe(true);
  });

  it.each(each)('onSession %s at one element: the session opens at the other one', async (_, onSession) => {
    const { world, user } = await setting(onSession, counter);
    const session = await user.connect({ openTimeout: 30_000 });
    expect(session.peIdentifier).toBe(2);
    await unharmed(world, session);
  });

  it.each(each)("a cookie listener %s: refused there, restored at the third element", async (_, callback) => {
    const { user, acrossFailover } = await setting(counter, (session) => { counter(session); session.on('cookie', callback); session.on('error', nothing); }, counter);
    const session = await user.connect();
    const seen = new Seen(session);
    await acrossFailover(session);
    expect([seen.data, session.peIdentifier]).toEqual([['1 a', '2 b'], 3]);
  });

  it.each<[string, () => unknown]>([...each, ['is no bytes', () => 7], ['is too large', () => Buffer.alloc(65_001)]])('a snapshot that %s: HANDLER_FAILED, and the process lives', async (_, snapshot) => {
    const world = new SessionWorld();
    await world.element('pe1', { onSession: (session) => { session.on('error', nothing); session.on('data', (data, info) => { void info.reply(data); }); }, snapshot: snapshot as never });
    const session = await world.user().connect({ window: { messages: 8 } });
    const seen = new Seen(session);
    for (let i = 0; i < 20; i++) void session.send(String(i)).catch(nothing);
    await world.until(() => seen.events.includes('closed'));
    expect([...new Set(seen.events.filter((line) => !line.startsWith('failover')))]).toEqual(['error HANDLER_FAILED', 'closed']);
    await world.element('pe2', { onSession: counter, handle: 'other' });
    await unharmed(world, await world.user().connect({}, 'other'));
  });
});

describe('a handler that throws in the middle of a replay', () => {
  it.each(['throws', 'rejects'] as const)('once (it %s): the rest of the replay goes on elsewhere, nothing lost or doubled, others stay', async (how) => {
    let isDue = true;
    const careless = (session: ServiceSession): void => {
      let count = 0;
      session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
      session.on('error', nothing);
      session.on('data', (data, info) => {
        if (data.toString() === 'c' && isDue && count > 1) {
          isDue = false;
          if (how === 'throws') throw new Error('boom');
          return Promise.reject(new Error('boom'));
        }
        session.setCookie(String(++count));
        void info.reply(`${count} ${data.toString()}`);
        return undefined;
      });
    };
    const silent = (session: ServiceSession): void => { session.on('cookie', nothing); session.on('data', () => new Promise<void>(nothing)); };
    const { world, user, crash } = await setting(silent, careless, careless);
    const session = await user.connect();
    expect(session.peIdentifier).toBe(1);
    const bystander = await user.connect();
    const seen = new Seen(session);
    for (const data of ['a', 'b', 'c', 'd']) void session.send(data);
    await world.advance(50);
    crash(1);
    await world.settled(session.flush());
    expect([seen.data, isDue]).toEqual([['1 a', '2 b', '3 c', '4 d'], false]);
    await unharmed(world, bystander);
  });

  it('each time: HANDLER_FAILED after the second element, with the message; others stay', async () => {
    const hostile = (session: ServiceSession): void => {
      counter(session);
      session.on('error', nothing);
      session.on('data', (data) => { if (data.toString() === 'c') throw new Error('boom'); });
    };
    const { world, user } = await setting(hostile, hostile, hostile);
    const [session, bystander] = [await user.connect(), await user.connect()];
    const seen = new Seen(session);
    for (const data of ['a', 'b', 'c', 'd']) void session.send(data).catch(nothing);
    await world.until(() => seen.events.includes('closed'));
    expect(seen.data).toEqual(['1 a', '2 b']);
    expect(seen.undelivered).toEqual(['c', 'd']);
    expect(seen.events.filter((line) => !line.startsWith('failover'))).toEqual([...Array<string>(3).fill('error HANDLER_FAILED'), 'closed']); // of each message, and of the session
    await unharmed(world, bystander);
  });
});
