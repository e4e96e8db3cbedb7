import { describe, expect, it, jest } from '@jest/globals';
import type { CookieOptions } from '../../actors/cookie-signer.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { Session, UserSession } from '../../actors/session.js';
import type { StoredCookie } from '../../delivery/user-half.js';
import { decodeSnapshot } from '../../wire/snapshot.js';
import { echo, recorder, Seen, SessionWorld, type ElementSetup, type TestElement } from '../support/session-world.js';

/** State cookies of whole systems: who can take a session over, who cannot, and what its application hears of it. */

const old = { id: 'old', key: Buffer.alloc(32, 1) };
const key = { id: 'new', key: Buffer.alloc(32, 2) };

/** A pool of recorders: pe1 serves the session, and has answered `a` and `b`. */
async function pool(options: readonly (CookieOptions & Partial<ElementSetup>)[], { handle = 'pool', world = new SessionWorld() } = {}) {
  const log: string[] = [];
  const elements: TestElement[] = [];
  for (const each of options) elements.push(await world.element(`pe${elements.length + 1}`, { handle, onSession: recorder(`pe${elements.length + 1}`, log), ...each }));
  const session = await world.user().connect({}, handle);
  const seen = new Seen(session);
  const refusals: string[] = [];
  session.on('error', (error) => { if (error.code === 'COOKIE_REFUSED') refusals.push(error.message); });
  for (const letter of ['a', 'b']) { void session.send(letter); await world.settled(session.flush()); }
  return {
    world, elements, session, seen, log, refusals,
    crash: (index: number) => { elements[index]!.host.process.crash(); },
    sends: async (letter: string): Promise<void> => { void session.send(letter); await world.settled(session.flush()); },
  };
}

/** What the pool user keeps, in a malicious one's hands. */
const cookieOf = (session: Session): StoredCookie => (session as UserSession).half.cookie!;
const setCookieOf = (session: Session, cookie: StoredCookie | undefined): void => { (session as UserSession).half.cookie = cookie; };
const keyOf = (session: Session): string => Buffer.from(decodeSnapshot(cookieOf(session).snapshot!).keyId ?? []).toString();
const issuedOf = (session: Session): number => decodeSnapshot(cookieOf(session).snapshot!).issued;

describe('signed state cookies (D-24 to D-26)', () => {
  // proves 5352-3.8-d
  it('an element with the key takes the session over', async () => {
    const { seen, crash, sends, session } = await pool([{ cookieKeys: [key] }, { cookieKeys: [key] }]);
    expect(keyOf(session)).toBe('new');
    crash(0);
    await sends('c');
    expect([seen.data, seen.events]).toEqual([['a', 'ab', 'abc'], ['failover 1 > 2 epoch 2 resent 1']]);
  });

  it('rotation while sessions fail over: old keys are taken, the new one signs', async () => {
    const { seen, crash, sends, session, world, elements } = await pool([{ cookieKeys: [old] }, { cookieKeys: [key, old] }, { cookieKeys: [key] }]);
    crash(0);
    await sends('c');
    expect([session.peIdentifier, keyOf(session)]).toEqual([2, 'new']);
    elements[0] = await world.element('pe1 again', { cookieKeys: [key], onSession: recorder('pe1 again') });
    crash(1);
    await sends('d');
    expect([seen.data, seen.events.filter((event) => event.startsWith('error'))]).toEqual([['a', 'ab', 'abc', 'abcd'], []]);
  });

  it('X-5: a key that changes while it runs signs the cookies of silent sessions anew, so that the old one can go', async () => {
    const { world, elements, session, crash, sends, seen } = await pool([{ cookieKeys: [old] }, { cookieKeys: [key] }]);
    elements[0]!.service.updateCookies({ cookieKeys: [key, old] });
    await world.advance(1_100);
    expect(keyOf(session)).toBe('new');
    crash(0);
    await sends('c');
    expect([seen.data, seen.events]).toEqual([['a', 'ab', 'abc'], ['failover 1 > 2 epoch 2 resent 1']]);
  });

  it('D-26: an element without the key refuses and says so; the session tries another one', async () => {
    const { seen, crash, sends, refusals, log } = await pool([{ cookieKeys: [key] }, { cookieKeys: [old] }, { cookieKeys: [key] }]);
    crash(0);
    await sends('c');
    expect(seen.data).toEqual(['a', 'ab', 'abc']);
    expect(seen.events).toEqual(['error COOKIE_REFUSED', 'failover 1 > 3 epoch 3 resent 1']);
    expect(refusals).toEqual(['pool element 0x00000002: COOKIE_REFUSED: the cookie is signed with key "new", which this pool element does not have']);
    expect(log.filter((line) => line.startsWith('pe2'))).toEqual([]);
  });

  it('D-26: nor does one without any key begin anew; where nobody restores the session it ends with COOKIE_REFUSED, told once of each element', async () => {
    const { world, session, seen, crash, refusals, log } = await pool([{ cookieKeys: [key] }, {}, { cookieKeys: [old] }]);
    const started = world.clock.now();
    crash(0);
    const sent = session.send('c', { deliver: 'at-least-once' });
    await expect(world.settled(sent)).rejects.toMatchObject({ code: 'COOKIE_REFUSED', outcome: 'unknown' }); // it was on its way
    expect(world.clock.now() - started).toBeGreaterThanOrEqual(30_000);
    expect(world.clock.now() - started).toBeLessThan(32_000);
    expect(seen.data).toEqual(['a', 'ab']);
    expect(seen.events).toEqual([...Array<string>(4).fill('error COOKIE_REFUSED'), 'closed']); // two elements, a message, the session
    expect(refusals.map((words) => words.slice(0, 23))).toEqual(expect.arrayContaining(['pool element 0x00000002', 'pool element 0x00000003', 'no pool element of pool']));
    expect(log.filter((line) => !line.startsWith('pe1'))).toEqual([]);
  });

  it('D-26: the key may come while it is tried', async () => {
    const { world, session, elements, seen, crash } = await pool([{ cookieKeys: [key] }, { cookieKeys: [old] }]);
    crash(0);
    void session.send('c');
    await world.advance(5_000);
    elements[1]!.service.updateCookies({ cookieKeys: [key, old] });
    await world.settled(session.flush());
    expect([seen.data, seen.events]).toEqual([['a', 'ab', 'abc'], ['error COOKIE_REFUSED', 'failover 1 > 2 epoch ' + String(session.epoch) + ' resent 1']]);
    expect(session.epoch).toBeLessThan(30); // it backs off
  });

  it.each<[string, (cookie: StoredCookie) => StoredCookie, RegExp]>([
    ['forged', ({ snapshot }) => ({ cookie: Buffer.from('rich'), snapshot }), /the signature is not that of key "new": the cookie is forged/],
    ['unsigned', ({ cookie, snapshot }) => ({ cookie, snapshot: Buffer.concat([Buffer.of(1, 0), snapshot!.subarray(2, 40)]) }), /the cookie is not signed/],
    ['foreign', ({ cookie }) => ({ cookie, snapshot: undefined }), /nobody vouches for the cookie/],
    ['unreadable', ({ cookie }) => ({ cookie, snapshot: Buffer.alloc(40) }), /the cookie cannot be read/],
  ])('a pool user that hands in a cookie that is %s is refused, and the service never sees it', async (_what, forge, reason) => {
    const { world, session, crash, refusals, log, elements } = await pool([{ cookieKeys: [key] }, { cookieKeys: [key] }]);
    setCookieOf(session, forge(cookieOf(session)));
    crash(0);
    void session.send('c');
    await world.advance(100);
    expect(refusals).toMatchObject([expect.stringMatching(reason)]);
    expect(log.filter((line) => line.startsWith('pe2'))).toEqual([]);
    expect(elements[1]!.service.sessions.size).toBe(0);
    expect(world.log.filter(({ host, level }) => host === 'pe2' && level === 'error').length).toBeGreaterThan(0);
    session.destroy();
  });

  it.each([['another session', 'pool', /the cookie belongs to another session/], ['another pool under the same key', 'other', /the signature is not that of key "new"/]])('nor is one of %s', async (_whose, handle, reason) => {
    const { world, session, crash, refusals } = await pool([{ cookieKeys: [key] }, { cookieKeys: [key] }]);
    await world.element('elsewhere', { handle: 'other', cookieKeys: [key], onSession: recorder('elsewhere') });
    const neighbour = await world.user().connect({}, handle);
    void neighbour.send('z');
    await world.settled(neighbour.flush());
    setCookieOf(session, cookieOf(neighbour));
    crash(0);
    await world.advance(100);
    expect(refusals).toMatchObject([expect.stringMatching(reason)]);
    session.destroy();
  });

  it('D-25: a stale one is refused: nobody can hand in a state of long ago', async () => {
    const { world, session, crash, refusals } = await pool([{ cookieKeys: [key], cookieLifetime: 10_000 }, { cookieKeys: [key], cookieLifetime: 10_000 }]);
    const kept = cookieOf(session);
    await world.advance(71_000);
    setCookieOf(session, kept);
    crash(0);
    await world.advance(100);
    expect(refusals).toEqual(['pool element 0x00000002: COOKIE_REFUSED: the cookie is stale: made 71 s ago, cookieLifetime is 10 s']);
    session.destroy();
  });

  it('D-25: an older genuine one rolls the session back: documented, not prevented', async () => {
    const { session, sends, crash, seen, log } = await pool([{ cookieKeys: [key] }, { cookieKeys: [key] }]);
    const older = cookieOf(session);
    await sends('c');
    setCookieOf(session, older);
    crash(0);
    await sends('d');
    expect(log).toContain('pe2 restores ab');
    expect(seen.data).toEqual(['a', 'ab', 'abc', 'abd']);
  });

  it('D-25: 65 000 bytes travel, signed by a key of the longest id, and are restored; 65 001 are refused', async () => {
    const large = { id: 'k'.repeat(255), key: Buffer.alloc(32) };
    const restored: Buffer[] = [];
    const refused: unknown[] = [];
    const onSession = (session: ServiceSession): void => {
      session.on('cookie', (cookie) => { restored.push(cookie); });
      session.on('data', (data, info) => {
        try { session.setCookie(Buffer.alloc(65_001)); } catch (error) { refused.push(error); }
        session.setCookie(Buffer.alloc(65_000, data));
        void info.reply(data);
      });
    };
    const { crash, sends, seen } = await pool([{ cookieKeys: [large], onSession }, { cookieKeys: [large], onSession }]);
    crash(0);
    await sends('c');
    expect(restored.map((cookie) => cookie.equals(Buffer.alloc(65_000, 'b')))).toEqual([true]);
    expect(refused[0]).toMatchObject({ code: 'COOKIE_TOO_LARGE' });
    expect(seen.data).toEqual(['a', 'b', 'c']);
  });

  it('D-7: of several cookies of one session in a turn only the last is signed', async () => {
    const { elements, session, world } = await pool([{ cookieKeys: [key] }]);
    const sign = jest.spyOn(elements[0]!.service.signer, 'sign');
    for (const letter of 'cdefgh') void session.send(letter);
    await world.settled(session.flush());
    expect(sign.mock.calls.map(([cookie, { covered }]) => [Buffer.from(cookie).toString(), covered])).toEqual([['abcdefgh', 8]]);
  });

  it('D-26: without keys an element warns exactly once, however many sessions and cookies; with keys, or without state, never', async () => {
    const warnings = (world: SessionWorld): string[] => world.log.filter(({ message }) => message.includes('not signed')).map(({ host, level }) => `${host} ${level}`);
    const { world } = await pool([{}]);
    for (let i = 0; i < 3; i++) {
      const another = await world.user().connect();
      for (const letter of 'xyz') void another.send(letter);
      await world.settled(another.flush());
    }
    expect(warnings(world)).toEqual(['pe1 warn']);
    expect(warnings((await pool([{ cookieKeys: [key] }])).world)).toEqual([]);
    expect(warnings((await pool([{ onSession: echo }])).world)).toEqual([]);
  });
});

describe('cookies of others, and services that cannot read them', () => {
  it('D-24: a foreign cookie is taken where the operator allows it', async () => {
    const { session, crash, seen, log, world } = await pool([{ cookieKeys: [key] }, { cookieKeys: [key], foreignCookies: true }]);
    setCookieOf(session, { cookie: Buffer.from('foreign '), snapshot: undefined });
    crash(0);
    void session.send('c');
    await world.settled(session.flush());
    expect(log.filter((line) => line.startsWith('pe2'))).toEqual(['pe2 restores foreign ', 'pe2 handles c']);
    expect(seen.data).toEqual(['a', 'ab', 'foreign c']);
  });

  it('the first key in a running pool: unsigned cookies are taken too while foreignCookies is set, and signed from then on', async () => {
    const { session, crash, sends, seen } = await pool([{}, { cookieKeys: [key], foreignCookies: true }, { cookieKeys: [key] }]);
    crash(0);
    await sends('c');
    expect([session.peIdentifier, keyOf(session)]).toEqual([2, 'new']);
    crash(1);
    await sends('d');
    expect([seen.data, seen.events.filter((event) => event.startsWith('error'))]).toEqual([['a', 'ab', 'abc', 'abcd'], []]);
  });

  it('D-26: a service that keeps no state refuses a session that has one', async () => {
    const { world, session, crash, refusals, seen } = await pool([{}, { onSession: echo }]);
    crash(0);
    void session.send('c');
    await world.advance(100);
    expect(refusals).toEqual(['pool element 0x00000002: COOKIE_REFUSED: the service keeps no state, so it cannot take over a session that has one']);
    expect(seen.data).toEqual(['a', 'ab']);
    session.destroy();
  });

  it.each<[string, (cookie: Buffer) => void | Promise<void>]>([
    ['throws', () => { throw new Error('what is this?'); }],
    ['rejects', () => Promise.reject(new Error('what is this?'))],
  ])('a cookie listener that %s: others are tried, nobody is reported, and it is no failover', async (_how, listener) => {
    const onSession = (session: ServiceSession): void => { session.on('cookie', listener); session.on('data', () => undefined); };
    const { world, crash, sends, seen, refusals } = await pool([{}, { onSession }, {}]);
    crash(0);
    await sends('c');
    expect(seen.data).toEqual(['a', 'ab', 'abc']);
    expect(seen.events).toEqual(['error COOKIE_REFUSED', 'failover 1 > 3 epoch 3 resent 1']);
    expect(refusals).toEqual(['pool element 0x00000002: COOKIE_REFUSED: what is this?']);
    expect(world.user().pools.reports).toEqual([1]);
  });

  it('a cookie listener that does not settle has 10 s; then others are tried', async () => {
    const onSession = (session: ServiceSession): void => { session.on('cookie', () => new Promise<void>(() => undefined)); session.on('data', () => undefined); };
    const { world, crash, sends, seen } = await pool([{}, { onSession }, {}]);
    const started = world.clock.now();
    crash(0);
    await sends('c');
    expect(seen.events).toEqual(['error COOKIE_REFUSED', 'failover 1 > 3 epoch 3 resent 1']);
    expect(world.clock.now() - started).toBeGreaterThan(10_000);
    expect(world.clock.now() - started).toBeLessThan(10_200);
    expect(world.user().pools.reports).toEqual([1]);
  });

  it('D-13: the cookie listener is awaited before the session is accepted, so before any data', async () => {
    const world = new SessionWorld();
    const order: string[] = [];
    const onSession = (session: ServiceSession): void => {
      session.on('cookie', async () => {
        order.push('cookie');
        await new Promise<void>((done) => { world.clock.setTimeout(done, 200); });
        order.push('restored');
      });
      session.on('data', (data, info) => { order.push(data.toString()); session.setCookie(data); void info.reply(data); });
    };
    const { session, crash } = await pool([{}, { onSession }], { world });
    session.on('failover', () => { order.push('failover'); });
    crash(0);
    for (const letter of 'cd') void session.send(letter);
    await world.settled(session.flush());
    expect(order).toEqual(['cookie', 'restored', 'failover', 'c', 'd']);
  });

  it('a cookie that a service sets while it fails to restore is not that of the session', async () => {
    const onSession = (session: ServiceSession): void => {
      session.on('cookie', () => { session.setCookie('spoilt'); throw new Error('no'); });
      session.on('data', () => undefined);
    };
    const { crash, sends, seen, log } = await pool([{}, { onSession }, {}]);
    crash(0);
    await sends('c');
    expect(log.filter((line) => line.startsWith('pe3'))).toEqual(['pe3 restores ab', 'pe3 handles c']);
    expect(seen.data).toEqual(['a', 'ab', 'abc']);
  });
});

describe('cookies are repeated (X-5)', () => {
  it('X-5: that of a silent session is issued anew before it gets stale, also where the service only uses setCookie, also by the element that restored it', async () => {
    const options = { cookieKeys: [key], cookieLifetime: 10_000 };
    const { world, session, crash, sends, seen } = await pool([options, options, options]);
    let first = issuedOf(session);
    for (const [index, span] of [[0, 75_000], [1, 75_000]] as const) {
      await world.advance(span);
      expect(world.clock.now() - issuedOf(session)).toBeLessThan(6_100);
      expect(issuedOf(session) - first).toBeGreaterThan(65_000);
      expect(decodeSnapshot(cookieOf(session).snapshot!)).toMatchObject({ covered: 2, epoch: index + 1 });
      first = issuedOf(session);
      crash(index);
      await world.advance(1_000);
      expect(session.peIdentifier).toBe(index + 2);
    }
    await sends('c');
    expect([seen.data, seen.events.filter((event) => event.startsWith('error'))]).toEqual([['a', 'ab', 'abc'], []]);
  });

  it('not oftener than twice a lifetime, and not without keys', async () => {
    const { world, elements } = await pool([{ cookieKeys: [key], cookieLifetime: 10_000 }]);
    const sign = jest.spyOn(elements[0]!.service.signer, 'sign');
    await world.advance(60_000);
    expect(sign.mock.calls.length).toBeGreaterThanOrEqual(9);
    expect(sign.mock.calls.length).toBeLessThanOrEqual(12);
    const unsigned = await pool([{ cookieLifetime: 10_000 }]);
    const none = jest.spyOn(unsigned.elements[0]!.service.signer, 'sign');
    await unsigned.world.advance(30_000);
    expect(none).not.toHaveBeenCalled();
  });

  it('on change: `snapshot` is asked within a second for what was handled since, and not when nothing was', async () => {
    const states = new Map<ServiceSession, string>();
    const onSession = (session: ServiceSession): void => {
      states.set(session, '');
      session.on('cookie', (cookie) => { states.set(session, cookie.toString()); });
      session.on('data', (data, info) => { states.set(session, states.get(session)! + data.toString()); void info.reply(states.get(session)!); });
    };
    const snapshot = jest.fn((session: ServiceSession) => Buffer.from(states.get(session)!));
    const world = new SessionWorld();
    for (const name of ['pe1', 'pe2']) await world.element(name, { cookieKeys: [key], onSession, snapshot });
    const session = await world.user().connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.advance(50);
    void session.send('b');
    await world.advance(1_100);
    expect(snapshot).toHaveBeenCalledTimes(1);
    expect([cookieOf(session).cookie, decodeSnapshot(cookieOf(session).snapshot!).covered]).toEqual([new Uint8Array(Buffer.from('ab')), 2]);
    await world.advance(10_000);
    expect(snapshot).toHaveBeenCalledTimes(1);
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab']);
    await world.settled(session.close());
  });

  it('the repeated cookie says what the first one said: nothing unprompted is taken for contained in it', async () => {
    let later: ServiceSession | undefined;
    const onSession = (session: ServiceSession): void => {
      later = session;
      session.on('cookie', () => undefined);
      session.on('data', (data, info) => { void info.reply(data); session.setCookie(data); });
    };
    const { world, session, elements } = await pool([{ cookieKeys: [key], cookieLifetime: 4_000, onSession }]);
    const before = decodeSnapshot(cookieOf(session).snapshot!);
    void later!.send('unprompted');
    elements[0]!.service.updateCookies({ cookieKeys: [old] });
    await world.advance(1_100);
    expect(keyOf(session)).toBe('old');
    expect(decodeSnapshot(cookieOf(session).snapshot!)).toMatchObject({ covered: before.covered, outputs: before.outputs });
  });
});
