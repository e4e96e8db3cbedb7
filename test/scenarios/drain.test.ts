import type { FailoverInfo } from '../../actors/session-mover.js';
import { poolHandleKey } from '../../wire/index.js';
import type { ServiceSession } from '../../actors/service-session.js';
import { RegistrarWorld } from '../support/registrar-world.js';
import { echo, recorder, Seen, SessionWorld } from '../support/session-world.js';

/** D-27: a pool element leaves in order; for its users that is a hand-over and no fault. */

describe('D-27: drain', () => {
  it('1000 sessions move with their state, nobody is reported, and the pause of each is some round trips', async () => {
    const world = new SessionWorld();
    const first = await world.element('pe1', { onSession: recorder('pe1') });
    const user = world.user();
    const sessions = await user.connectMany(1000);
    const seen = sessions.map((session) => new Seen(session));
    const moves: FailoverInfo[] = [];
    for (const session of sessions) {
      session.on('failover', (info) => { moves.push(info); });
      void session.send('a');
    }
    await world.settled(Promise.all(sessions.map((session) => session.flush())));
    for (const name of ['pe2', 'pe3']) await world.element(name, { onSession: recorder(name) });
    first.deregister();
    await world.settled(user.pools.refresh(poolHandleKey('pool')));
    const drained = first.service.drain();
    for (const session of sessions) void session.send('b');
    await world.settled(drained, 2_000);
    await world.settled(Promise.all(sessions.map((session) => session.flush())));
    expect(seen.map(({ data }) => data)).toEqual(sessions.map(() => ['a', 'ab']));
    expect(new Set(moves.map(({ reason, cause }) => `${reason} ${String(cause)}`))).toEqual(new Set(['moved undefined']));
    expect(moves).toHaveLength(1000);
    expect(Math.max(...moves.map(({ duration }) => duration))).toBeLessThan(20);
    expect(user.pools.reports).toEqual([]);
    expect([2, 3].map((identifier) => sessions.filter(({ peIdentifier }) => peIdentifier === identifier).length)).toEqual([500, 500]);
    expect(first.service.sessions.size).toBe(0);
  });

  it('the old half is closed last: nobody else is there, so the element stays until the time-out, closes, and the session goes on when one comes', async () => {
    const world = new SessionWorld();
    const first = await world.element('pe1', { onSession: recorder('pe1') });
    const user = world.user();
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.settled(session.flush());
    let isDrained = false;
    void first.service.drain({ timeout: 3_000 }).then(() => { isDrained = true; });
    void session.send('b');
    await world.advance(2_900);
    expect([isDrained, first.service.sessions.size, seen.events]).toEqual([false, 1, []]);
    await world.advance(200);
    expect(isDrained).toBe(true);
    await world.settled(first.service.close());
    await world.advance(2_000);
    expect(seen.events).toEqual([]); // it goes on looking
    first.deregister();
    await world.element('pe2', { onSession: recorder('pe2') });
    await world.settled(session.flush(), 5_000);
    expect(seen.data).toEqual(['a', 'ab']);
    expect(seen.events).toEqual([expect.stringMatching(/^failover 1 > 2 epoch \d+ resent 1$/)]); // each attempt raised the epoch
  });

  it('another element that comes in time has the session within a pause, and the drain ends', async () => {
    const world = new SessionWorld();
    const first = await world.element('pe1', { onSession: recorder('pe1') });
    const session = await world.user().connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.settled(session.flush());
    first.deregister();
    await world.element('pe2', { onSession: recorder('pe2') });
    await world.settled(first.service.drain(), 1_500);
    void session.send('b');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab']);
  });

  it('a handler that never settles: its message goes elsewhere when the time is over', async () => {
    const world = new SessionWorld();
    const stuck = await world.element('pe1', { onSession: (session) => { session.on('data', () => new Promise<void>(() => undefined)); } });
    const user = world.user();
    const session = await user.connect();
    const seen = new Seen(session);
    await world.element('pe2', { onSession: echo });
    void session.send('a');
    await world.advance(10);
    stuck.deregister();
    await world.settled(stuck.service.drain({ timeout: 1_000 }), 1_100);
    await world.settled(stuck.service.close());
    await world.settled(session.flush(), 3_000);
    expect(seen.data).toEqual(['A']);
    expect(user.pools.reports).toEqual([]);
    expect(world.log.filter(({ message }) => message.includes('not all sessions have moved'))).toHaveLength(1);
  });

  it.each([{}, { listen: ['tcp://0.0.0.0:5001', 'tcp://0.0.0.0:5002'] }])('close() of the access point waits for a drain that is under way: nothing is handled twice (%j)', async (options) => {
    const setting = await RegistrarWorld.start();
    const { world } = setting;
    const handled: string[] = [];
    const service = (name: string) => (session: ServiceSession): void => {
      session.on('cookie', () => undefined);
      session.on('data', async (data) => {
        await new Promise<void>((done) => { world.clock.setTimeout(done, 300); });
        handled.push(`${name} ${data.toString()}`);
        session.setCookie(data);
      });
    };
    const first = await setting.accessPoint('pe1');
    const element = await world.settled(first.register('pool', options, service('pe1')));
    const session = await world.settled((await setting.accessPoint('pu')).connect('pool'));
    const second = await setting.accessPoint('pe2');
    await world.settled(second.register('pool', {}, service('pe2')));
    for (const data of ['a', 'b']) void session.send(data);
    await world.advance(10);
    const drained = element.drain();
    await world.advance(20);
    const closed = first.close();
    await world.settled(Promise.all([drained, closed]), 2_000);
    await world.settled(session.flush(), 2_000);
    expect(handled).toEqual(['pe1 a', 'pe2 b']);
    expect(world.clock.now()).toBeLessThan(3_000);
  });

  it('and where nobody takes the sessions, for its time-out and no longer', async () => {
    const setting = await RegistrarWorld.start();
    const { world } = setting;
    const first = await setting.accessPoint('pe1');
    const element = await world.settled(first.register('pool', {}, recorder('pe1')));
    await world.settled((await setting.accessPoint('pu')).connect('pool'));
    void element.drain({ timeout: 500 });
    await world.advance(20);
    const start = world.clock.now();
    await world.settled(first.close(), 2_000);
    expect(world.clock.now() - start).toBeGreaterThan(300);
    expect(world.clock.now() - start).toBeLessThan(700);
  });
});
