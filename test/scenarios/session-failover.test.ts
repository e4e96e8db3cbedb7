import { quickTimers } from '../../machines/timers.js';
import { echo, recorder, Seen, SessionWorld, type TestElement } from '../support/session-world.js';

/** A pool element dies, freezes, or is cut off, with real charts, actors and framing on a simulated network. */

const letters = (count: number): string[] => Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index));
const grown = (words: readonly string[]): string[] => words.map((_, index) => words.slice(0, index + 1).join(''));

async function threeElements(log: string[] = [], seed = 1) {
  const world = new SessionWorld({ seed });
  const elements: TestElement[] = [];
  for (const name of ['pe1', 'pe2', 'pe3']) elements.push(await world.element(name, { onSession: recorder(name, log) }));
  const user = world.user();
  const session = await user.connect();
  const seen = new Seen(session);
  const serving = () => elements.find(({ identifier }) => identifier === session.peIdentifier)!;
  return { world, elements, user, session, seen, serving, log };
}

describe('a session outlives its pool element (RFC 5352 §3.8, draft §4.5)', () => {
  // proves 5352-1.4-a, 5352-1.4-b, 5352-6.5.5-a
  it.each(['reset', 'end', 'nothing'] as const)('goes on as if nothing had happened when the process is killed and its peers see %s', async (peersSee) => {
    const { world, session, seen, serving } = await threeElements();
    for (const [index, letter] of letters(10).entries()) {
      void session.send(letter);
      if (index === 4) { await world.advance(1); serving().host.process.crash({ peersSee }); }
    }
    await world.settled(session.flush());
    expect(seen.data).toEqual(grown(letters(10)));
    expect(seen.events).toEqual(['failover 1 > 2 epoch 2 resent 5']);
  });

  // proves 5352-3.8-c, 5352-3.8-b
  it('D-13, X-6: OPEN with the epoch, cookie echo, the restored state, the replay in order, then the new', async () => {
    const { world, session, serving } = await threeElements();
    for (const letter of ['a', 'b']) { void session.send(letter); await world.advance(5); }
    world.network.hold('pe1', 'pu'); // c is handled, and nobody hears of it
    void session.send('c');
    await world.advance(5);
    world.transcript.clear();
    serving().host.process.crash({ peersSee: 'nothing' });
    void session.send('d');
    await world.settled(session.flush());
    expect(world.transcript.said().filter((line) => line.includes('pe2'))).toEqual([
      'pu > pe2: connect',
      'pe2 > pu: VERSION',
      'pu > pe2: VERSION',
      'pu > pe2: OPEN 1 epoch 2 with echo pool',
      'pu > pe2: ASAP_COOKIE_ECHO 1 ab',
      'pe2 > pu: ACCEPT 1 stateful',
      'pu > pe2: DATA 1 3 c',
      'pu > pe2: DATA 1 4 d',
      'pe2 > pu: REPLY 1 to 3.0 abc',
      'pe2 > pu: REPLY 1 to 4.0 abcd',
      'pe2 > pu: ASAP_COOKIE 1 abcd',
      'pe2 > pu: DONE 1 up to 4',
    ]);
  });

  it('D-28: a frozen pool element is left within 0.6 s, to the millisecond', async () => {
    const { world, session, seen, serving } = await threeElements();
    void session.send('a');
    await world.advance(1_000);
    serving().host.process.freeze();
    const frozenAt = world.clock.now();
    void session.send('b');
    await world.until(() => seen.data.includes('ab'), 600);
    expect(world.clock.now() - frozenAt).toBeLessThanOrEqual(520);
    expect(world.clock.now() - frozenAt).toBeGreaterThan(350); // not before the silence is over
    expect(seen.events).toEqual(['failover 1 > 2 epoch 2 resent 1']);
  });

  it('D-28: an idle session notices too, and a partition is no different', async () => {
    const { world, session, seen } = await threeElements();
    void session.send('a');
    await world.advance(1_000);
    world.network.partition('pe1');
    const cutAt = world.clock.now();
    await world.until(() => seen.events.length > 0, 600);
    expect(world.clock.now() - cutAt).toBeGreaterThan(350);
    void session.send('b');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab']);
  });

  it('D-28: a loop blocked for 300 ms keeps its sessions, at either end', async () => {
    const { world, user, session, seen, serving } = await threeElements();
    void session.send('a');
    await world.advance(1_000);
    for (const process of [serving().host.process, user.host.process]) {
      for (let round = 0; round < 20; round++) { // at any phase of the heartbeats
        process.block(300);
        await world.advance(317 + round);
      }
    }
    void session.send('b');
    await world.settled(session.flush());
    expect(seen.events).toEqual([]);
    expect(seen.data).toEqual(['a', 'ab']);
    expect(user.pools.reports).toEqual([]);
  });

  it('D-29: a pool user that thaws does not accuse the world', async () => {
    const { world, user, session, seen, elements } = await threeElements();
    const others = await user.connectMany(5);
    await world.advance(1_000);
    user.host.process.freeze();
    await world.advance(400); // the pool elements bear this
    user.host.process.thaw();
    await world.advance(1_000);
    expect(user.pools.reports).toEqual([]);
    expect(seen.events).toEqual([]);
    user.host.process.freeze();
    await world.advance(5_000); // and not this: they have closed when it wakes up
    user.host.process.thaw();
    void session.send('a');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a']);
    expect(others.every(({ peIdentifier }) => elements.some(({ identifier }) => identifier === peIdentifier))).toBe(true);
  });

  it('D-29: a pool element that thaws after the bound hands nothing more to its service until its pool user was heard', async () => {
    const { world, session, seen, log, serving } = await threeElements();
    void session.send('a');
    await world.advance(1_000);
    const first = serving();
    first.host.process.freeze();
    void session.send('b'); // waits in the frozen one's kernel
    await world.until(() => seen.data.includes('ab'));
    log.length = 0;
    first.host.process.thaw();
    await world.advance(2_000);
    expect(log).toEqual([]);
    void session.send('c');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab', 'abc']);
  });

  it('D-29: one that was merely late goes on once its pool user has answered', async () => {
    const { world, session, seen, log, serving } = await threeElements();
    await world.advance(1_000);
    session.on('error', () => undefined);
    serving().host.process.freeze();
    await world.advance(20);
    void session.send('a');
    await world.advance(430); // not yet silent for 500 ms
    serving().host.process.thaw();
    await world.settled(session.flush());
    expect(log).toEqual(['pe1 handles a']);
    expect(seen.events).toEqual([]);
  });

  it('D-14: late frames of an old half are dropped', async () => {
    const { world, session, seen, serving } = await threeElements();
    void session.send('a');
    await world.advance(100);
    world.network.hold('pe1', 'pu');
    void session.send('b');
    await world.until(() => seen.events.length > 0);
    await world.settled(session.flush());
    world.network.heal();
    await world.advance(2_000);
    expect(serving().name).toBe('pe2');
    expect(seen.data).toEqual(['a', 'ab']);
  });

  it('D-16: two pool elements die in a row, the second while it restores', async () => {
    const { world, session, seen, elements, log } = await threeElements();
    void session.send('a');
    await world.advance(50);
    world.network.hold('pe1', 'pu'); // what pe1 does from here on dies with it
    for (const letter of letters(5).slice(1)) void session.send(letter);
    await world.advance(10);
    elements[0]!.host.process.crash({ peersSee: 'nothing' });
    await world.until(() => session.peIdentifier === 2);
    await world.advance(3);
    elements[1]!.host.process.crash();
    await world.settled(session.flush());
    expect(seen.data).toEqual(grown(letters(5)));
    expect(session.peIdentifier).toBe(3);
    expect(log.filter((line) => line.includes('restores'))).toEqual(['pe2 restores a', 'pe3 restores a']);
  });

  // proves 5352-3.5-d
  it('D-18: one link, one report and one connection attempt for all sessions of a process; they spread over the others', async () => {
    const world = new SessionWorld();
    const elements = [];
    for (const name of ['pe1', 'pe2', 'pe3', 'pe4']) elements.push(await world.element(name, { onSession: recorder(name), policy: { policy: 'round-robin' } }));
    const user = world.user();
    const sessions = await user.connectMany(64);
    const seen = sessions.map((session) => new Seen(session));
    const moving = sessions.filter(({ peIdentifier }) => peIdentifier === 1);
    expect(moving.length).toBe(16);
    world.transcript.clear();
    for (const session of sessions) void session.send('a');
    elements[0]!.host.process.crash();
    await world.settled(Promise.all(sessions.map(async (session) => session.flush())));
    expect(seen.map(({ data }) => data)).toEqual(sessions.map(() => ['a']));
    expect(user.pools.reports).toEqual([1]);
    expect(world.transcript.said().filter((line) => line.endsWith('connect'))).toEqual([]); // the other links were there
    const counts = [2, 3, 4].map((identifier) => moving.filter(({ peIdentifier }) => peIdentifier === identifier).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(16);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('D-19: word of a removal only makes it ask: a channel that answers is not left, one that does not is left at once', async () => {
    const { world, user, session, seen, serving } = await threeElements();
    void session.send('a');
    await world.advance(1_050);
    const entry = world.registry.find(({ element }) => element.identifier === session.peIdentifier)!;
    user.plane.probe(entry.element);
    await world.advance(1_000);
    expect(seen.events).toEqual([]);
    serving().host.process.freeze();
    user.plane.probe(entry.element);
    await world.until(() => seen.events.length > 0, 520);
  });

  it('D-14: only the link broke, and the pool element is the same: its running handler is awaited first', async () => {
    const world = new SessionWorld();
    const log: string[] = [];
    const element = await world.element('pe1', { onSession: recorder('pe1', log, { delay: 300, clock: world.clock }) });
    const user = world.user();
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.advance(400);
    void session.send('b');
    await world.advance(50); // handling
    for (const socket of element.host.process.sockets) socket.fail('ECONNRESET', 'read');
    for (const socket of user.host.process.sockets) socket.fail('ECONNRESET', 'read');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab']);
    expect(log).toEqual(['pe1 handles a', 'pe1 handles b', 'pe1 restores a', 'pe1 handles b']); // never two at once
  });

  // proves 5352-6.7-a
  it('every pool element is gone: a typed error with the causes, after the bound', async () => {
    const { world, user, seen, elements } = await threeElements();
    const session = await user.connect({ failoverTimeout: 3_000 });
    const own = new Seen(session);
    void session.send('x').catch(() => undefined);
    for (const { host } of elements) host.process.crash();
    const sent = session.send('y', { deliver: 'at-least-once' });
    await world.advance(3_100);
    await expect(sent).rejects.toMatchObject({ code: 'FAILOVER_FAILED' });
    expect(own.events).toEqual(['error FAILOVER_FAILED', 'error FAILOVER_FAILED', 'error FAILOVER_FAILED', 'closed']); // two messages and the session
    expect(seen.events).toEqual([]); // the other has 30 s
  });

  it('every pool element is silent: the same, after the silence, the bound, and the attempt in progress', async () => {
    const { world, user, elements } = await threeElements();
    const session = await user.connect({ failoverTimeout: 3_000 });
    for (const { host } of elements) host.process.crash({ peersSee: 'nothing' });
    const sent = session.send('y', { deliver: 'at-least-once' });
    const before = world.clock.now();
    await expect(world.settled(sent)).rejects.toMatchObject({ code: 'FAILOVER_FAILED' });
    expect(world.clock.now() - before).toBeLessThanOrEqual(1.1 * quickTimers.silence + 3_000 + quickTimers.connectTimeout);
  });

  it('connect to a pool whose elements are all silent: SESSION_FAILED after openTimeout and the attempt in progress', async () => {
    const { world, elements } = await threeElements();
    for (const { host } of elements) host.process.crash({ peersSee: 'nothing' });
    const before = world.clock.now();
    await expect(world.user('another').connect({ openTimeout: 500 })).rejects.toMatchObject({ code: 'SESSION_FAILED' });
    expect(world.clock.now() - before).toBeLessThanOrEqual(500 + quickTimers.connectTimeout);
  });

  it('a pool without elements: UNKNOWN_POOL_HANDLE; one whose elements are unreachable: SESSION_FAILED within openTimeout', async () => {
    const world = new SessionWorld();
    const user = world.user();
    await expect(user.connect({}, 'nobody')).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    const element = await world.element('pe1', { onSession: echo });
    element.host.process.crash();
    const before = world.clock.now();
    await expect(user.connect({ openTimeout: 2_000 })).rejects.toMatchObject({ code: 'SESSION_FAILED', outcome: 'not-taken' });
    expect(world.clock.now() - before).toBeLessThanOrEqual(2_100);
  });
});
