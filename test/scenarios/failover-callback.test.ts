import type { FailoverCallback, Recovery } from '../../actors/recovery.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import type { SessionError } from '../../errors.js';
import { echo, recorder, Seen, SessionWorld, type ElementSetup } from '../support/session-world.js';

/** The failover callback, sentence by sentence of draft §4.5.2 (D-15), on a simulated network. */

type OnSession = ElementSetup['onSession'];

async function poolOf(services: readonly OnSession[], options: Omit<ElementSetup, 'onSession'> = {}) {
  const world = new SessionWorld();
  const elements = [];
  for (const [index, onSession] of services.entries()) elements.push(await world.element(`pe${index + 1}`, { ...options, onSession }));
  return { world, elements, user: world.user() };
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => promise.then(() => 'resolved', ({ code }: SessionError) => code);

describe('draft §4.5.2: when the callback is invoked', () => {
  it('whenever a failover has taken place: after a crash, a silence, a drain, a handler that threw; not when the session is opened', async () => {
    const touchy: OnSession = (session) => { session.on('data', (data) => { if (data.toString() === 'throw') throw new Error('no'); }); };
    const { world, elements, user } = await poolOf([touchy, touchy, touchy, touchy, touchy]);
    const calls: string[] = [];
    const session = await user.connect({ onFailover: (recovery, { from, to }) => { calls.push(`${from} > ${to} epoch ${recovery.epoch} ${recovery.id === session.id}`); } });
    session.on('error', () => undefined);
    const serving = () => elements.find(({ identifier }) => identifier === session.peIdentifier)!;
    expect(calls).toEqual([]);
    serving().host.process.crash();
    await world.advance(100);
    serving().host.process.freeze();
    await world.advance(1_000);
    await world.settled(serving().service.drain());
    void session.send('throw', { deliver: 'at-most-once' });
    await world.advance(100);
    expect(calls).toEqual(['1 > 2 epoch 2 true', '2 > 3 epoch 3 true', '3 > 4 epoch 4 true', '4 > 5 epoch 5 true']);
  });

  it('X-6: immediately after the new connection; the cookie goes before it, nothing is resent before it', async () => {
    const log: string[] = [];
    const { world, user, elements } = await poolOf([recorder('pe1', log), recorder('pe2', log)]);
    const calls: unknown[] = [];
    const session = await user.connect({ onFailover: async (recovery, { from, to, pending }) => {
      calls.push({ from, to, pending: pending.map(({ data, wasSent }) => `${data.toString()} ${wasSent}`) });
      await recovery.send('!');
      await new Promise<void>((done) => { user.host.clock.setTimeout(done, 300); });
      await recovery.send('?');
    } });
    const seen = new Seen(session);
    void session.send('a');
    await world.advance(10);
    world.network.hold('pe1', 'pu');
    void session.send('b');
    await world.advance(10);
    log.length = 0;
    world.transcript.clear();
    elements[0]!.host.process.crash({ peersSee: 'nothing' });
    void session.send('c');
    await world.settled(session.flush());
    expect(calls).toEqual([{ from: 1, to: 2, pending: ['b true', 'c true'] }]);
    expect(world.transcript.said().filter((line) => line.startsWith('pu > pe2') && !line.includes('HEARTBEAT'))).toEqual([
      'pu > pe2: connect', 'pu > pe2: VERSION', 'pu > pe2: OPEN 1 epoch 2 with echo pool', 'pu > pe2: ASAP_COOKIE_ECHO 1 a',
      'pu > pe2: DATA 1 callback 1 !', 'pu > pe2: DATA 1 callback 2 ?', 'pu > pe2: DATA 1 2 b', 'pu > pe2: DATA 1 3 c',
    ]);
    expect(log).toEqual(['pe2 restores a', 'pe2 handles callback !', 'pe2 handles callback ?', 'pe2 handles b', 'pe2 handles c']);
    expect(seen.data).toEqual(['a', 'a!', 'a!?', 'a!?b', 'a!?bc']);
  });

  it('state can be with the pool user alone: without a cookie, what the callback sends builds it anew', async () => {
    const service: OnSession = (session) => {
      let total = 0;
      session.on('data', (data, info) => { total = info.recovery ? Number(data) : total + Number(data); void info.reply(String(total)); });
    };
    const { world, user, elements } = await poolOf([service, service]);
    let known = '0';
    const session = await user.connect({ onFailover: (recovery) => { void recovery.send(known); } });
    session.on('data', (data) => { known = data.toString(); });
    for (const term of ['1', '2', '3']) void session.send(term);
    await world.settled(session.flush());
    elements[0]!.host.process.crash();
    void session.send('4');
    await world.settled(session.flush());
    expect(known).toBe('10');
  });

  it.each<DeliveryMode>(['at-most-once', 'at-least-once', 'effectively-once'])('in every delivery mode: %s', async (deliveryMode) => {
    const log: string[] = [];
    const { world, user, elements } = await poolOf([recorder('pe1', log), recorder('pe2', log)]);
    const session = await user.connect({ deliveryMode, onFailover: async (recovery) => recovery.send('!') });
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    await world.advance(100);
    void session.send('a');
    await world.settled(session.flush());
    expect(log).toEqual(['pe2 handles callback !', 'pe2 handles a']);
    expect(seen.data).toEqual(['!', '!a']);
  });

  it('runs again at the next pool element when the new one dies during it; the old one\'s sends and discards have no effect', async () => {
    const log: string[] = [];
    const { world, user, elements } = await poolOf([recorder('pe1', log), recorder('pe2', log), recorder('pe3', log)]);
    const runs: { readonly recovery: Recovery; readonly pending: Parameters<FailoverCallback>[1]['pending'] }[] = [];
    const session = await user.connect({ onFailover: async (recovery, { pending }) => {
      runs.push({ recovery, pending });
      await recovery.send(`run ${runs.length} `);
      return new Promise((done) => { if (runs.length > 1) user.host.clock.setTimeout(done, 100); });
    } });
    elements[0]!.host.process.freeze();
    void session.send('a');
    await world.until(() => log.length === 1);
    elements[1]!.host.process.crash();
    await world.until(() => runs.length === 2);
    expect(await codeOf(runs[0]!.recovery.send('late'))).toBe('MESSAGE_LOST');
    expect(runs.map(({ recovery }) => recovery.isCurrent)).toEqual([false, true]);
    runs[0]!.pending[0]!.discard();
    await world.settled(session.flush());
    expect(log).toEqual(['pe2 handles callback run 1 ', 'pe3 restores run 1 ', 'pe3 handles callback run 2 ', 'pe3 handles a']);
    expect(await codeOf(runs[1]!.recovery.send('late'))).toBe('CALLBACK_OVERDUE');
  });

  it('D-15: may discard what it makes superfluous: old requests are not sent again and count as settled', async () => {
    const log: string[] = [];
    const { world, user, elements } = await poolOf([recorder('pe1', log), recorder('pe2', log)]);
    const session = await user.connect({ onFailover: async (recovery, { pending }) => {
      for (const message of pending) message.discard();
      await recovery.send('instead ');
    } });
    elements[0]!.host.process.freeze();
    const old = session.send('old', { deliver: 'at-least-once' });
    await world.advance(1_000);
    expect(await codeOf(old)).toBe('resolved');
    void session.send('new');
    await world.settled(session.flush());
    expect(log).toEqual(['pe2 handles callback instead ', 'pe2 handles new']);
  });
});

describe('draft §4.5.2: what a callback sends', () => {
  it('D-21: more than the pool element has granted waits for it, in order, and the replay behind it', async () => {
    const sizes: string[] = [];
    const slow: OnSession = (session) => {
      session.on('data', async (data, info) => {
        await new Promise<void>((done) => { elements[1]!.host.clock.setTimeout(done, 50); });
        sizes.push(`${info.recovery ? 'callback ' : ''}${data.length}`);
      });
    };
    const { world, user, elements } = await poolOf([slow, slow]);
    const session = await user.connect({ onFailover: async (recovery) => {
      for (let part = 0; part < 10; part++) await recovery.send(Buffer.alloc(0x8_0000 + part)); // 5 MiB
      for (let part = 0; part < 3; part++) void recovery.send(Buffer.alloc(100 + part)); // handed out all the same
    } });
    elements[0]!.host.process.crash();
    void session.send('a');
    await world.settled(session.flush());
    expect(sizes).toEqual([...Array.from({ length: 10 }, (_, part) => `callback ${0x8_0000 + part}`), 'callback 100', 'callback 101', 'callback 102', '1']);
  });

  it('D-21: at most 2 MiB of it wait; D-4: nobody need await it', async () => {
    const stuck: OnSession = (session) => { session.on('data', async () => new Promise(() => undefined)); };
    const { world, user, elements } = await poolOf([stuck, stuck]);
    const outcomes: Promise<string>[] = [];
    const session = await user.connect({ onFailover: (recovery) => { for (let part = 0; part < 10; part++) outcomes.push(codeOf(recovery.send(Buffer.alloc(0x8_0000)))); } });
    session.on('error', () => undefined);
    elements[0]!.host.process.crash();
    await world.advance(11_000); // one goes, four wait for the link; of these three are granted, one waits until the callback's time is over
    expect(await Promise.all(outcomes)).toEqual([...Array<string>(4).fill('resolved'), 'CALLBACK_OVERDUE', ...Array<string>(5).fill('OUTPUT_LIMIT')]);
  });

  it('is checked as any message is', async () => {
    const { world, user, elements } = await poolOf([echo, echo]);
    const codes: string[] = [];
    const session = await user.connect({ onFailover: async (recovery) => {
      for (const bad of [undefined, null, 7, {}, []]) codes.push(await codeOf(recovery.send(bad as never)));
      codes.push(await codeOf(recovery.send(Buffer.alloc(1024 * 1024 + 1))), await codeOf(recovery.send('a', { ppid: 11 })), await codeOf(recovery.send('a', { ppid: -1 })));
    } });
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    void session.send('a');
    await world.settled(session.flush());
    expect(codes).toEqual([...Array<string>(5).fill('INVALID_DATA'), 'MESSAGE_TOO_LARGE', 'INVALID_OPTION', 'INVALID_OPTION']);
    expect(seen.data).toEqual(['A']);
  });
});

describe('a callback that fails', () => {
  const throwing: FailoverCallback = () => { throw new Error('no'); };
  const rejecting: FailoverCallback = async () => Promise.reject(new Error('no'));

  it.each([['throws', throwing], ['rejects', rejecting]] as const)('one that %s is reported, and the session goes on', async (_, onFailover) => {
    const { world, user, elements } = await poolOf([echo, echo]);
    const session = await user.connect({ onFailover });
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    void session.send('a');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['A']);
    expect(seen.events).toEqual(['error CALLBACK_FAILED', 'failover 1 > 2 epoch 2 resent 1']);
  });

  it('one that never settles holds the session up for 10 s and is reported; what it sends later is refused', async () => {
    const { world, user, elements } = await poolOf([echo, echo]);
    let late: (() => Promise<void>) | undefined;
    const session = await user.connect({ onFailover: async (recovery) => {
      late = async () => recovery.send('late');
      return new Promise(() => undefined);
    } });
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    void session.send('a');
    await world.until(() => late !== undefined);
    const since = world.clock.now();
    await world.settled(session.flush());
    expect(Math.round(world.clock.now() - since)).toBeGreaterThanOrEqual(10_000);
    expect(Math.round(world.clock.now() - since)).toBeLessThan(10_050);
    expect(seen.events).toEqual(['error CALLBACK_OVERDUE', 'failover 1 > 2 epoch 2 resent 1']);
    expect(await codeOf(late!())).toBe('CALLBACK_OVERDUE');
    expect(seen.data).toEqual(['A']);
  });

  it('one whose pool element dies while it awaits a send is not to blame: it runs again', async () => {
    const stuck: OnSession = (session) => { session.on('data', async () => new Promise(() => undefined)); };
    const { world, user, elements } = await poolOf([echo, stuck, echo]);
    const session = await user.connect({ onFailover: async (recovery) => { for (let part = 0; part < 5; part++) await recovery.send(Buffer.alloc(0x8_0000)); } });
    const seen = new Seen(session, { listen: false });
    elements[0]!.host.process.crash();
    await world.advance(500);
    elements[1]!.host.process.crash();
    await world.settled(session.send('a', { deliver: 'at-least-once' }));
    expect(seen.events).toEqual(['failover 1 > 3 epoch 3 resent 0']);
  });

  it('D-17: what it sends must not kill the pool', async () => {
    const world = new SessionWorld();
    let dead = 0;
    const names = ['pe1', 'pe2', 'pe3', 'pe4', 'pe5', 'pe6'];
    for (const name of names) {
      await world.element(name, { onSession: (session) => {
        session.on('data', () => { dead++; world.host(name).process.crash(); });
      } });
    }
    const session = await world.user().connect({ onFailover: async (recovery) => recovery.send('kill') });
    const seen = new Seen(session);
    world.host('pe1').process.crash();
    await world.until(() => seen.events.includes('closed'));
    expect(dead).toBe(3);
    expect(seen.events.at(-2)).toBe('error POISONED_MESSAGE');
  });

  it('close() and destroy() during it', async () => {
    const { world, user, elements } = await poolOf([echo, echo]);
    const runs: (() => void)[] = [];
    const onFailover: FailoverCallback = async () => new Promise<void>((done) => { runs.push(done); });
    const [closing, destroyed] = [await user.connect({ onFailover }), await user.connect({ onFailover })];
    const seen = [new Seen(closing), new Seen(destroyed)];
    elements[0]!.host.process.crash();
    elements[1]!.host.process.freeze();
    elements[1]!.host.process.thaw();
    await world.element('pe3', { onSession: echo });
    await world.until(() => runs.length > 0);
    void closing.send('a');
    const closed = closing.close();
    destroyed.destroy();
    for (const run of runs) run();
    await world.settled(closed);
    expect(seen[0]!.data).toEqual(['A']);
    expect(seen[1]!.events.at(-1)).toBe('closed');
  });
});
