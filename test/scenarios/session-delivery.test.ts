import { stat } from 'node:fs/promises';
import type { ServiceSession } from '../../actors/service-session.js';
import type { SessionError } from '../../errors.js';
import { echo, recorder, Seen, SessionWorld, type ElementSetup } from '../support/session-world.js';

/** What a session's application and its service see of the rules of docs/delivery.md, on a simulated network. */

type OnSession = ElementSetup['onSession'];

async function poolOf(onSession: OnSession | readonly OnSession[], options: Omit<ElementSetup, 'onSession'> = {}) {
  const world = new SessionWorld();
  const services = Array.isArray(onSession) ? onSession as readonly OnSession[] : [onSession as OnSession];
  const elements = [];
  for (const [index, service] of services.entries()) elements.push(await world.element(`pe${index + 1}`, { ...options, onSession: service }));
  return { world, elements, user: world.user() };
}

describe('send promises', () => {
  it('D-4: effectively-once resolves when kept, at-least-once when DONE, at-most-once when the link has it', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', (_, info) => new Promise<void>((done) => { world.clock.setTimeout(() => { void info.reply('x'); done(); }, 100); })); });
    const session = await user.connect();
    const settled: string[] = [];
    void session.send('a').then(() => settled.push('effectively-once'));
    void session.send('b', { deliver: 'at-least-once' }).then(() => settled.push('at-least-once'));
    void session.send('c', { deliver: 'at-most-once' }).then(() => settled.push('at-most-once'));
    await world.advance(1);
    expect(settled).toEqual(['effectively-once', 'at-most-once']);
    await world.advance(220);
    expect(settled).toEqual(['effectively-once', 'at-most-once', 'at-least-once']);
  });

  it('D-4: nobody need await them: the error goes to the listener, without one to the logger', async () => {
    const { world, user, elements } = await poolOf(echo);
    const session = await user.connect();
    for (const { host } of elements) host.process.crash();
    void session.send('a', { deliver: 'at-least-once' });
    session.destroy();
    void session.send('b');
    await stat('.'); // a turn of the event loop: an unhandled rejection would end the process here
    expect(world.log.filter(({ host, level }) => host === 'pu' && level === 'warn').map(({ details }) => (details['err'] as SessionError).code)).toEqual(['SESSION_CLOSED']);
  });

  it('D-3: lifetime and signal take a message back before it is transmitted', async () => {
    const { world, user, elements } = await poolOf(echo);
    const session = await user.connect();
    const seen = new Seen(session);
    elements[0]!.host.process.crash();
    await world.advance(50); // nobody is there
    const abort = new AbortController();
    const expired = session.send('a', { lifetime: 100, deliver: 'at-least-once' });
    const aborted = session.send('b', { signal: abort.signal, deliver: 'at-least-once' });
    void session.send('c');
    await world.advance(99);
    abort.abort(new Error('changed my mind'));
    await world.advance(2);
    await expect(expired).rejects.toMatchObject({ code: 'MESSAGE_EXPIRED', outcome: 'not-taken' });
    await expect(aborted).rejects.toMatchObject({ code: 'MESSAGE_ABORTED', outcome: 'not-taken', cause: expect.objectContaining({ message: 'changed my mind' }) as unknown });
    await world.element('pe2', { onSession: echo });
    await world.settled(session.flush());
    expect(seen.data).toEqual(['C']);
    expect(seen.undelivered.sort()).toEqual(['a', 'b']);
  });

  it('D-3: a signal that is aborted already sends nothing', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const seen = new Seen(session);
    await expect(session.send('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'MESSAGE_ABORTED', outcome: 'not-taken' });
    void session.send('b');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['B']);
  });

  it('D-3: a lifetime counts from the call, also for one that first waited for room', async () => {
    const { world, user } = await poolOf(() => new Promise<void>(() => undefined) as never);
    const { user: other } = { user };
    const stuck = await world.element('pe2', { handle: 'slow', onSession: (session) => { session.on('data', () => new Promise<void>((done) => { world.clock.setTimeout(done, 80); })); } });
    const session = await other.connect({ window: { messages: 1, bytes: 1024 } }, 'slow');
    void session.send('a');
    await world.advance(10);
    const waiting = session.send('b', { lifetime: 100, deliver: 'at-least-once' });
    stuck.host.process.crash({ peersSee: 'nothing' });
    void waiting.catch(() => undefined);
    await world.advance(101);
    await expect(waiting).rejects.toMatchObject({ code: 'MESSAGE_EXPIRED' });
  });

  it('D-3: after the first transmission they end the promise only, the message stays in the sequence', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    const seen = new Seen(session);
    const abort = new AbortController();
    void session.send('a', { signal: abort.signal, lifetime: 1 });
    abort.abort();
    await world.settled(session.flush());
    expect(seen.data).toEqual(['A']);
    expect(seen.events).toEqual([]);
  });

  it('ack: resolves when the application has acknowledged, also after its handler has settled', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', (_, info) => { world.clock.setTimeout(() => { info.ack(); }, 500); }); });
    const session = await user.connect();
    await world.settled(session.flush());
    let acknowledged = false;
    const sent = session.send('a', { ack: true }).then(() => { acknowledged = true; });
    await world.advance(400);
    expect(acknowledged).toBe(false);
    await world.settled(sent, 1_000);
  });

  it('ack: rejects when it can no longer come', async () => {
    const { world, user, elements } = await poolOf([(session) => { session.on('data', () => undefined); }, echo]);
    const session = await user.connect();
    const sent = session.send('a', { ack: true });
    await world.settled(session.flush());
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.advance(1_000);
    await expect(sent).rejects.toMatchObject({ code: 'MESSAGE_LOST', outcome: 'handled' });
  });

  // proves 5352-6.7-a
  it('D-30: every rejection says what is known of its message', async () => {
    const { world, user, elements } = await poolOf(recorder('pe1', [], { cookie: false }));
    const session = await user.connect();
    const handled = session.send('a', { ack: true });
    await world.advance(10);
    elements[0]!.host.process.freeze();
    const unknown = session.send('b', { deliver: 'at-least-once' });
    await world.advance(700);
    const notTaken = session.send('c', { deliver: 'at-least-once' });
    session.destroy();
    await expect(handled).rejects.toMatchObject({ code: 'SESSION_CLOSED', outcome: 'handled' });
    await expect(unknown).rejects.toMatchObject({ outcome: 'unknown' });
    await expect(notTaken).rejects.toMatchObject({ outcome: 'not-taken' });
  });
});

describe('handlers', () => {
  it('D-5: one message of a session at a time, in order; a promise is awaited', async () => {
    const running = { now: 0, most: 0 };
    const order: string[] = [];
    const { world, user } = await poolOf((session) => {
      session.on('data', async (data) => {
        running.most = Math.max(running.most, ++running.now);
        await new Promise<void>((done) => { world.clock.setTimeout(done, 10 - Number(data.toString())); });
        running.now--;
        order.push(data.toString());
      });
    });
    const session = await user.connect();
    for (let i = 0; i < 10; i++) void session.send(String(i));
    await world.settled(session.flush());
    expect(order).toEqual([...'0123456789']);
    expect(running.most).toBe(1);
  });

  it('D-5: a stateless service may take several at once', async () => {
    let most = 0;
    let now = 0;
    const { world, user } = await poolOf((session) => {
      session.on('data', async (data, info) => {
        most = Math.max(most, ++now);
        await new Promise<void>((done) => { world.clock.setTimeout(done, 10); });
        now--;
        await info.reply(data.toString());
      });
    }, { concurrency: 4 });
    const session = await user.connect();
    const seen = new Seen(session);
    for (let i = 0; i < 10; i++) void session.send(String(i));
    await world.settled(session.flush());
    expect(most).toBe(4);
    expect(seen.data.sort()).toEqual([...'0123456789']);
  });

  it('D-9: session.send answers the message in whose asynchronous context it is called', async () => {
    const { world, user } = await poolOf((session) => {
      session.on('data', async (data) => {
        await new Promise<void>((done) => { world.clock.setTimeout(done, 20 - 5 * Number(data.toString())); });
        void session.send(`to ${data.toString()}`);
      });
    }, { concurrency: 4 });
    const session = await user.connect();
    const answers = new Map<string, string>();
    session.on('data', (data, info) => { answers.set(info.inReplyTo ?? 'nothing', data.toString()); });
    for (let i = 0; i < 4; i++) void session.send(String(i));
    await world.settled(session.flush());
    expect([...answers].sort()).toEqual([0, 1, 2, 3].map((i) => [`${session.id}:${i + 1}`, `to ${i}`]));
  });

  it('D-6, D-7: setCookie in a stateless service is a UsageError', async () => {
    let thrown: unknown;
    const { world, user } = await poolOf((session) => { session.on('data', () => { try { session.setCookie('x'); } catch (error) { thrown = error; } }); });
    const session = await user.connect();
    void session.send('a');
    await world.settled(session.flush());
    expect(thrown).toMatchObject({ code: 'STATELESS_SERVICE' });
  });

  it('D-17: a handler that throws ends the instance; the message is tried elsewhere once', async () => {
    const { world, user } = await poolOf([(session) => { session.on('data', () => { throw new Error('no'); }); session.on('error', () => undefined); }, echo]);
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    void session.send('b');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['A', 'B']);
    expect(user.pools.reports).toEqual([]); // nobody is unreachable
  });

  it('D-17: one that throws everywhere ends the session', async () => {
    const throwing: OnSession = (session) => { session.on('data', (data) => { if (data.toString() === 'b') throw new Error('no'); }); session.on('error', () => undefined); };
    const { world, user } = await poolOf([throwing, throwing, throwing]);
    const session = await user.connect();
    const seen = new Seen(session);
    const a = session.send('a', { deliver: 'at-least-once' });
    const b = session.send('b', { deliver: 'at-least-once' });
    await world.settled(a);
    await expect(world.settled(b)).rejects.toMatchObject({ code: 'HANDLER_FAILED', outcome: 'unknown' });
    expect(seen.events.filter((event) => event.startsWith('failover'))).toHaveLength(1);
    expect(seen.events.at(-1)).toBe('closed');
  });

  it('D-17: a message that kills three pool elements is rejected, and the rest of the pool lives', async () => {
    const world = new SessionWorld();
    const alive: string[] = [];
    for (const name of ['pe1', 'pe2', 'pe3', 'pe4', 'pe5']) {
      alive.push(name);
      const element = await world.element(name, { onSession: (session) => {
        session.on('data', (data) => { if (data.toString() === 'poison') { alive.splice(alive.indexOf(name), 1); element.host.process.crash(); return new Promise<void>(() => undefined); } return undefined; });
      } });
    }
    const session = await world.user().connect();
    const seen = new Seen(session);
    void session.send('fine');
    await world.settled(session.flush());
    const poison = session.send('poison', { deliver: 'at-least-once' });
    await expect(world.settled(poison)).rejects.toMatchObject({ code: 'POISONED_MESSAGE', outcome: 'unknown' });
    expect(alive).toHaveLength(2);
    expect(seen.events.at(-1)).toBe('closed');
    expect(seen.undelivered).toEqual(['poison']);
  });

  it('D-17: also one that was DONE at first, and kills whoever handles it again', async () => {
    const world = new SessionWorld();
    const alive: string[] = [];
    let replays = 0;
    for (const name of ['pe1', 'pe2', 'pe3', 'pe4', 'pe5', 'pe6']) {
      alive.push(name);
      const element = await world.element(name, { onSession: (session) => {
        session.on('cookie', () => undefined); // stateful: without a cookie nothing is covered
        session.on('data', (data) => {
          if (data.toString() !== 'again' || replays++ === 0) return undefined;
          alive.splice(alive.indexOf(name), 1);
          element.host.process.crash();
          return new Promise<void>(() => undefined);
        });
      } });
    }
    const session = await world.user().connect();
    const seen = new Seen(session);
    for (const data of ['a', 'again', 'b']) await world.settled(session.send(data, { deliver: 'at-least-once' }));
    for (const data of ['a', 'again', 'b']) void session.send(data);
    await world.advance(50);
    const [first] = alive;
    world.host(first!).process.crash();
    await world.advance(20_000);
    expect(seen.events.at(-1)).toBe('closed');
    expect(alive.length).toBe(3); // the one killed by us counts among them
    expect(seen.events).toContain('error POISONED_MESSAGE');
  });

  it('a snapshot that throws ends the instance, once, and nothing else', async () => {
    const { world, user } = await poolOf([echo, echo]);
    const bad = await world.element('bad', { handle: 'bad', snapshot: () => { throw new Error('no'); }, onSession: (session) => { session.on('data', () => { void session.send('x'); queueMicrotask(() => { void session.send('unprompted'); }); }); session.on('error', () => undefined); } });
    const session = await user.connect({ failoverTimeout: 500 }, 'bad');
    const seen = new Seen(session);
    void session.send('a');
    await world.advance(2_000);
    expect(seen.events.at(-1)).toBe('closed');
    expect(world.log.filter(({ host, message }) => host === bad.name && message.includes('threw'))).toEqual([]);
  });

  it('D-10: a handler that throws half way leaves nothing of itself in a snapshot', async () => {
    let bad = true;
    const half: OnSession = (session: ServiceSession) => {
      let state = '';
      states.set(session, () => state);
      session.on('cookie', (cookie) => { state = cookie.toString(); });
      session.on('error', () => undefined);
      session.on('data', (data, info) => {
        state += data.toString();
        if (data.toString() === 'c' && bad) { bad = false; throw new Error('half way'); }
        void info.reply(state);
      });
    };
    const states = new Map<ServiceSession, () => string>();
    const world = new SessionWorld();
    for (const name of ['pe1', 'pe2']) await world.element(name, { onSession: half, snapshot: (session) => Buffer.from(states.get(session)!()) });
    const session = await world.user().connect({ window: { messages: 4, bytes: 4096 } }); // a snapshot is due at two
    const seen = new Seen(session);
    for (const letter of 'abc') void session.send(letter);
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab', 'abc']);
  });
});

describe('windows and credit', () => {
  it('D-20: window full, all DONE and no cookie for 5 s: COOKIE_OVERDUE ends the session', async () => {
    const { world, user } = await poolOf(recorder('pe1', [], { cookie: false }));
    const session = await user.connect({ window: { messages: 8, bytes: 4096 } });
    const seen = new Seen(session);
    for (let i = 0; i < 8; i++) void session.send('a');
    const ninth = session.send('b');
    await world.advance(4_900);
    expect(seen.events).toEqual([]);
    await world.advance(200);
    await expect(ninth).rejects.toMatchObject({ code: 'COOKIE_OVERDUE', outcome: 'not-taken' });
    expect(seen.events.at(-1)).toBe('closed');
  });

  it('D-20: the same after a failover in between, and while closing: send never waits for ever', async () => {
    const { world, user, elements } = await poolOf([recorder('pe1', [], { cookie: false }), recorder('pe2', [], { cookie: false })]);
    const session = await user.connect({ window: { messages: 8, bytes: 4096 } });
    for (let i = 0; i < 8; i++) void session.send('a');
    const ninth = session.send('b');
    await world.advance(1_000);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.advance(1_000);
    const closed = session.close();
    await world.advance(6_000);
    await expect(ninth).rejects.toMatchObject({ code: 'COOKIE_OVERDUE' });
    await world.settled(closed, 10);
  });

  it('D-20: a service with a snapshot is asked at half of the window', async () => {
    const counts = new Map<ServiceSession, number>();
    const asked: number[] = [];
    const { world, user } = await poolOf((session) => { counts.set(session, 0); session.on('data', () => { counts.set(session, counts.get(session)! + 1); }); }, {
      snapshot: (session) => { asked.push(counts.get(session)!); return Buffer.from(String(counts.get(session))); },
    });
    const session = await user.connect({ window: { messages: 20, bytes: 4096 } });
    for (let i = 0; i < 60; i++) { await session.send('a').catch(() => undefined); await world.advance(3); }
    await world.settled(session.flush(), 1_500);
    expect(asked.slice(0, 3)).toEqual([10, 20, 30]);
  });

  it('D-20: flush waits for a cookie at most 5 s; close for none', async () => {
    const { world, user } = await poolOf(recorder('pe1', [], { cookie: false }));
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await expect(world.settled(session.flush())).rejects.toMatchObject({ code: 'COOKIE_OVERDUE', outcome: 'handled' });
    await world.settled(session.close(), 10);
    expect(seen.data).toEqual(['a']);
    expect(seen.events).toEqual(['closed']);
  });

  it('D-21: a slow session takes nothing from a fast one of the same link', async () => {
    const { world, user } = await poolOf((session) => {
      session.on('data', (data) => (data.length > 10_000 ? new Promise<void>((done) => { world.clock.setTimeout(done, 100); }) : session.send('fast')));
    });
    const [slow, fast] = [await user.connect(), await user.connect()];
    const seen = new Seen(fast);
    for (let i = 0; i < 40; i++) void slow.send(Buffer.alloc(100_000));
    for (let i = 0; i < 20; i++) {
      void fast.send('ping');
      await world.advance(50);
      expect(seen.data).toHaveLength(i + 1);
    }
    await world.settled(slow.flush());
  });

  it('D-21: an application that is slow to read holds the credit, and its service waits', async () => {
    let sent = 0;
    const { world, user } = await poolOf((session) => {
      session.on('data', async (_, info) => { for (let i = 0; i < 100; i++) { await info.reply(Buffer.alloc(100_000)); sent++; } });
    }, { outputCommit: false });
    const session = await user.connect();
    let received = 0;
    session.on('data', () => { received++; return new Promise<void>((done) => { world.clock.setTimeout(done, 1_000); }) as never; });
    void session.send('go');
    await world.advance(500);
    expect(sent).toBeLessThan(45); // 4 MiB
    await world.settled(session.flush(), 60_000);
    expect(received).toBe(100);
  });

  it.each([30, 200])('D-21: %d requests of one turn, each answered with 100 KB, come through', async (count) => {
    const { world, user } = await poolOf((session) => { session.on('data', (_, info) => { void info.reply(Buffer.alloc(100_000)); }); });
    const session = await user.connect();
    let received = 0;
    session.on('data', () => { received++; });
    for (let i = 0; i < count; i++) void session.send('chunk, please');
    await world.settled(session.flush(), 10_000);
    expect(received).toBe(count);
  });

  it('D-21: megabytes of unprompted messages in one turn come through, in order', async () => {
    const { world, user } = await poolOf((session) => {
      session.on('data', (_, info) => { void info.reply('soon'); world.clock.setTimeout(() => { for (let i = 0; i < 100; i++) void session.send(`${String(i).padStart(3)}${'x'.repeat(50_000)}`); }, 10); });
    }, { snapshot: () => Buffer.from('state') });
    const session = await user.connect();
    const received: string[] = [];
    session.on('data', (data) => { received.push(data.toString('utf8', 0, 3).trim()); });
    void session.send('go');
    await world.advance(5_000);
    expect(received).toEqual(['soo', ...Array.from({ length: 100 }, (_, index) => String(index))]);
  });

  it.each([false, true])('D-21: unprompted messages for a user that does not read are refused beyond a bound, and those before it come when it reads (snapshot: %s)', async (isStateful) => {
    let service: ServiceSession | undefined;
    const { world, user } = await poolOf((session) => { service = session; }, isStateful ? { snapshot: () => Buffer.from('state') } : {});
    const session = await user.connect();
    let read: () => void = () => undefined;
    const reading = new Promise<void>((resolve) => { read = resolve; });
    const received: string[] = [];
    session.on('data', (data) => { received.push(data.toString('utf8', 0, 3)); return reading as never; });
    const outcomes: string[] = [];
    for (let i = 0; i < 200; i++) {
      const number = String(i).padStart(3);
      void service!.send(number + 'x'.repeat(100_000)).then(() => outcomes.push(number), (error: { code: string; outcome: string }) => outcomes.push(`${error.code} ${error.outcome}`));
      await world.advance(20);
    }
    const refused = outcomes.filter((outcome) => outcome === 'OUTPUT_LIMIT not-taken').length;
    expect(refused).toBeGreaterThanOrEqual(200 - (8 + 4 + 2) * 10);
    read();
    await world.advance(3_000);
    expect(received).toHaveLength(200 - refused);
    expect(received).toEqual(Array.from({ length: 200 - refused }, (_, index) => String(index).padStart(3)));
    await world.settled(service!.send('now'));
  });

  it('D-21: OUTPUT_LIMIT ends a handler that replies more than 1 MiB, and the session with it', async () => {
    const { world, user } = await poolOf([1, 2].map(() => (session: ServiceSession) => {
      session.on('data', (_, info) => { for (let i = 0; i < 12; i++) void info.reply(Buffer.alloc(100_000)); });
      session.on('error', () => undefined);
    }));
    const session = await user.connect();
    const seen = new Seen(session);
    const sent = session.send('a', { deliver: 'effectively-once', ack: true });
    await world.advance(1_000);
    await expect(sent).rejects.toMatchObject({ code: 'OUTPUT_LIMIT' });
    expect(seen.data).toEqual([]);
  });

  it('outputCommit: false streams numbered replies; a failover in the middle repeats none and drops none (D-10)', async () => {
    const stream: OnSession = (session) => {
      session.on('data', async (_, info) => {
        for (let i = 0; i < 50; i++) { await new Promise<void>((done) => { world.clock.setTimeout(done, 10); }); await info.reply(`part ${i}`); }
      });
    };
    const { world, user, elements } = await poolOf([stream, stream], { outputCommit: false });
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('download');
    await world.advance(250);
    expect(seen.data.length).toBeGreaterThan(15);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.settled(session.flush());
    expect(seen.data).toEqual(Array.from({ length: 50 }, (_, index) => `part ${index}`));
  });

  it('messages of 1 MiB go in fragments, both ways, and across a failover', async () => {
    const { world, user, elements } = await poolOf([1, 2].map(() => (session: ServiceSession) => { session.on('data', (data, info) => { void info.reply(Buffer.from(data).reverse()); }); }));
    const session = await user.connect();
    const big = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, index) => index % 251));
    let received: Buffer | undefined;
    session.on('data', (data) => { received = data; });
    void session.send(big);
    await world.advance(1.5);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.settled(session.flush());
    expect(received!.equals(Buffer.from(big).reverse())).toBe(true);
    await expect(session.send(Buffer.alloc(1024 * 1024 + 1))).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  });

  it('64 sessions over one link, every delivery mode, nothing mixed', async () => {
    const { world, user } = await poolOf(echo);
    const sessions = await user.connectMany(64);
    const seen = sessions.map((session) => new Seen(session));
    for (let round = 0; round < 10; round++) {
      for (const [index, session] of sessions.entries()) void session.send(`s${index}m${round}`, { deliver: (['effectively-once', 'at-least-once', 'at-most-once'] as const)[index % 3]! });
      await world.advance(2);
    }
    await world.settled(Promise.all(sessions.map(async (session) => session.flush())));
    for (const [index, { data }] of seen.entries()) expect(data).toEqual(Array.from({ length: 10 }, (_, round) => `S${index}M${round}`));
    expect(world.transcript.said().filter((line) => line.endsWith('connect'))).toHaveLength(1);
  });
});

describe('unprompted messages (D-12)', () => {
  it('wait for the snapshot that contains them, and come once across a failover', async () => {
    const counts = new Map<ServiceSession, number>();
    const ticking: OnSession = (session) => {
      counts.set(session, 0);
      session.on('cookie', (cookie) => { counts.set(session, Number(cookie.toString())); });
      session.on('data', () => undefined);
      const tick = (): void => {
        if (session.signal.aborted) return;
        counts.set(session, counts.get(session)! + 1);
        void session.send(`tick ${counts.get(session)}`);
        world.clock.setTimeout(tick, 20);
      };
      world.clock.setTimeout(tick, 20);
    };
    const world = new SessionWorld();
    const elements = [];
    for (const name of ['pe1', 'pe2']) elements.push(await world.element(name, { onSession: ticking, snapshot: (session) => Buffer.from(String(counts.get(session))) }));
    const session = await world.user().connect();
    const seen = new Seen(session);
    await world.advance(500);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.advance(500);
    expect(seen.data.length).toBeGreaterThan(40);
    expect(seen.data).toEqual(seen.data.map((_, index) => `tick ${index + 1}`));
  });

  it('without a snapshot they come at once, at-most-once', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', () => undefined); world.clock.setTimeout(() => { void session.send('hello'); }, 5); });
    const session = await user.connect();
    const seen = new Seen(session);
    await world.advance(20);
    expect(seen.data).toEqual(['hello']);
  });

  it('a note after messages that were at-least-once is no protocol error at the next element', async () => {
    const counts = new Map<ServiceSession, number>();
    const noting: OnSession = (session) => {
      counts.set(session, counts.get(session) ?? 0);
      session.on('cookie', (cookie) => { counts.set(session, Number(cookie.toString())); });
      session.on('data', () => { counts.set(session, counts.get(session)! + 1); });
      world.clock.setTimeout(() => { if (!session.signal.aborted) { void session.send('note'); session.setCookie(String(counts.get(session))); } }, 20);
    };
    const world = new SessionWorld();
    const elements = [];
    for (const name of ['pe1', 'pe2', 'pe3']) elements.push(await world.element(name, { onSession: noting }));
    const session = await world.user().connect();
    const seen = new Seen(session);
    await world.advance(100); // the cookie contains nothing
    await world.settled(session.send('a', { deliver: 'at-least-once' }));
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.advance(1_000);
    expect(seen.events).toEqual(['failover 1 > 2 epoch 2 resent 0']);
  });
});

describe('leaving (D-27)', () => {
  it('drain: sessions move with their state, nothing is lost, nobody is reported', async () => {
    const log: string[] = [];
    const { world, user, elements } = await poolOf([recorder('pe1', log), recorder('pe2', log)]);
    const sessions = await user.connectMany(8);
    const seen = sessions.map((session) => new Seen(session));
    const drained = world.advance(20).then(async () => {
      elements[0]!.deregister();
      const draining = elements[0]!.service.drain();
      await world.settled(draining, 2_000);
      await elements[0]!.service.close();
    });
    await drained;
    for (const letter of 'abc') for (const session of sessions) void session.send(letter);
    await world.settled(Promise.all(sessions.map(async (session) => session.flush())));
    expect(seen.map(({ data }) => data)).toEqual(sessions.map(() => ['a', 'ab', 'abc']));
    expect(sessions.map(({ peIdentifier }) => peIdentifier)).toEqual(sessions.map(() => 2));
    expect(user.pools.reports).toEqual([]);
  });

  it('drain under load: a running handler settles first, and its message is not handled again', async () => {
    const log: string[] = [];
    const world = new SessionWorld();
    const slow = { delay: 50, clock: world.clock };
    const first = await world.element('pe1', { onSession: recorder('pe1', log, slow) });
    const session = await world.user().connect();
    const seen = new Seen(session);
    await world.element('pe2', { onSession: recorder('pe2', log, slow) });
    for (const letter of 'abcdef') void session.send(letter);
    await world.advance(75);
    void first.service.drain();
    await world.settled(session.flush());
    expect(seen.data).toEqual(['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef']);
    expect(log.filter((line) => line.includes('handles'))).toEqual(['pe1 handles a', 'pe1 handles b', ...[...'cdef'].map((letter) => `pe2 handles ${letter}`)]);
    expect(world.user().pools.reports).toEqual([]);
  });

  // proves 5352-3.2-j, 5352-3.2-k
  it('drain: a session that has not begun there is sent elsewhere at once', async () => {
    const world = new SessionWorld();
    const never = await world.element('pe1', { onSession: () => new Promise<void>(() => undefined) });
    const user = world.user();
    const connecting = user.plane.connect('pool');
    await world.advance(20);
    await world.element('pe2', { onSession: echo });
    const draining = never.service.drain();
    await world.settled(draining, 100); // and not the drain time-out
    expect((await world.settled(connecting, 1_000)).peIdentifier).toBe(2);
    expect(user.pools.reports).toEqual([]);
  });

  it('maxSessions: a busy pool element sends the next session elsewhere, and is not reported', async () => {
    const { world, user } = await poolOf([echo, echo], { maxSessions: 2 });
    const sessions = await user.connectMany(4);
    expect(sessions.map(({ peIdentifier }) => peIdentifier).sort()).toEqual([1, 1, 2, 2]);
    expect(user.pools.reports).toEqual([]);
    await expect(user.connect({ openTimeout: 300 })).rejects.toMatchObject({ code: 'SESSION_FAILED', cause: expect.objectContaining({ message: expect.stringContaining('BUSY') as unknown }) as unknown });
    await world.settled(sessions[0]!.close());
    await user.connect();
  });

  it('close: waits for replies, then ends both ends; destroy does not', async () => {
    const reasons: string[] = [];
    const { world, user } = await poolOf((session) => {
      session.on('data', (data, info) => new Promise<void>((done) => { world.clock.setTimeout(() => { void info.reply(data); done(); }, 50); }));
      session.on('closed', (reason) => { reasons.push(reason); });
    });
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.settled(session.close());
    expect([seen.data, seen.events]).toEqual([['a'], ['closed']]);
    await expect(session.send('b')).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
    const other = await user.connect();
    void other.send('a');
    other.destroy();
    await world.advance(10);
    expect(reasons).toHaveLength(2);
  });

  it('a service that closes its session ends it for the pool user', async () => {
    const { world, user } = await poolOf((session) => { session.on('data', () => { session.close(); }); });
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.advance(10);
    expect(seen.events).toEqual(['closed']);
  });

  it('a session that opens while an idle link is being closed reports nobody', async () => {
    const { world, user } = await poolOf(echo);
    for (let offset = -2; offset <= 3; offset++) {
      const first = await user.connect();
      const closedAt = world.clock.now();
      await world.settled(first.close());
      await world.advance(closedAt + 5_000 + offset - world.clock.now());
      const session = await user.connect();
      const seen = new Seen(session);
      void session.send('a');
      await world.settled(session.flush());
      expect(seen.events).toEqual([]);
      await world.settled(session.close());
      await world.advance(6_000);
    }
    expect(user.pools.reports).toEqual([]);
  });
});

describe('those who misbehave', () => {
  it('listeners that throw hurt nobody but the log', async () => {
    const { world, user } = await poolOf(echo);
    const session = await user.connect();
    session.on('data', () => { throw new Error('no'); });
    session.on('closed', () => { throw new Error('no'); });
    const seen = new Seen(session);
    for (const letter of 'abc') void session.send(letter);
    await world.settled(session.flush());
    await world.settled(session.close());
    expect(seen.data).toEqual(['A', 'B', 'C']);
    expect(world.log.filter(({ level }) => level === 'error')).toHaveLength(4);
  });

  it('onSession that throws, or never settles, is tried elsewhere', async () => {
    const { world, user } = await poolOf([() => { throw new Error('no'); }, () => new Promise<void>(() => undefined), echo], { timers: { cookieHandlerTimeout: 1_000 } });
    const session = await user.connect();
    const seen = new Seen(session);
    void session.send('a');
    await world.settled(session.flush());
    expect(seen.data).toEqual(['A']);
    expect(session.peIdentifier).toBe(3);
  });
});
