import type { SendOptions } from '../../actors/session-messages.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { Session } from '../../actors/session.js';
import type { RserpoolError } from '../../errors.js';
import { mappingUnderTest, SessionWorld, type ElementSetup } from '../support/session-world.js';

/** Streams and unordered delivery of sessions (D-23) on the real SCTP over simulated datagrams; every interleaving of frames is in test/delivery/streams.test.ts. */

type OnSession = ElementSetup['onSession'];
const scheme = { sctp: 'sctp+udp', tcp: 'tcp' } as const;

async function poolOf(services: readonly OnSession[], mapping: keyof typeof scheme = 'sctp', options: Partial<ElementSetup> = {}, world = new SessionWorld()) {
  mappingUnderTest.scheme = scheme[mapping];
  const elements = [];
  for (const [index, onSession] of services.entries()) elements.push(await world.element(`pe${index + 1}`, { ...options, onSession }));
  const user = world.user();
  return { world, elements, user };
}

/** What the application has been given, by stream, with the message that it answers. */
function heard(session: Session): { readonly all: string[]; on(stream: number): string[] } {
  const all: string[] = [];
  session.on('data', (data, info) => { all.push(`${info.stream} ${data.toString()}`); });
  return { all, on: (stream) => all.filter((text) => text.startsWith(`${stream} `)).map((text) => text.slice(text.indexOf(' ') + 1)) };
}

const echo: OnSession = (session) => { session.on('data', (data, info) => info.reply(`${info.stream}:${data.toString()}`)); };

/** Handlers of the messages 'stuck' settle when they are let go. */
function holding() {
  const waiting: (() => void)[] = [];
  const handled: string[] = [];
  const service: OnSession = (session) => {
    session.on('data', async (data, info) => {
      handled.push(`${info.stream} ${data.toString()}`);
      if (data.toString() === 'stuck') await new Promise<void>((resolve) => { waiting.push(resolve); });
      void info.reply(data);
    });
  };
  return { service, handled, go: () => { for (const resolve of waiting.splice(0)) resolve(); } };
}

/** Its state: for each stream the sum of what came on it, and how many messages that were. */
const sums: OnSession = (session) => {
  let state: Record<string, [number, number]> = {};
  session.on('cookie', (cookie) => { state = JSON.parse(cookie.toString()) as typeof state; });
  session.on('data', async (data, info) => {
    const [sum, count] = state[info.stream] ?? [0, 0];
    await Promise.resolve();
    state[info.stream] = [sum + Number(data.toString()), count + 1];
    void info.reply(state[info.stream]!.join('/'));
    session.setCookie(JSON.stringify(state));
  });
};

afterEach(() => { mappingUnderTest.scheme = 'tcp'; });

describe('D-23: streams over SCTP', () => {
  it('each message comes on its stream, in its order, and so does its reply; info says which', async () => {
    const { world, user } = await poolOf([echo]);
    const session = await user.connect();
    const seen = heard(session);
    for (let i = 1; i <= 20; i++) for (const stream of [0, 3, 15]) void session.send(`${i}`, { stream });
    await world.settled(session.flush());
    for (const stream of [0, 3, 15]) expect(seen.on(stream)).toEqual(Array.from({ length: 20 }, (_, i) => `${stream}:${i + 1}`));
    const { info } = await world.settled(session.request('question', { stream: 3 }));
    expect([info.stream, info.inReplyTo]).toEqual([3, `${session.id}:s3.21`]);
    await world.settled(session.close());
  });

  it('a handler that is stuck holds up its stream and no other; at-least-once and ack wait for their own', async () => {
    const { service, go, handled } = holding();
    const { world, user } = await poolOf([service]);
    const session = await user.connect({ window: { messages: 4 } });
    const seen = heard(session);
    void session.send('stuck', { stream: 1 });
    let blocked = 0;
    for (let i = 0; i < 10; i++) void session.send(`${i}`, { stream: 1 }).then(() => { blocked++; }); // more than its window takes
    const done = session.send('done', { stream: 2, deliver: 'at-least-once' });
    for (let i = 0; i < 10; i++) void session.send(`${i}`, { stream: 2 });
    await world.settled(done);
    await world.until(() => seen.on(2).length === 11);
    expect([blocked, seen.on(1), handled.filter((text) => text.startsWith('1 '))]).toEqual([3, [], ['1 stuck']]);
    go();
    await world.settled(session.flush());
    expect(seen.on(1)).toEqual(['stuck', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });

  it('a lost datagram holds up its own stream and no other', async () => {
    const world = new SessionWorld({ latency: 5 });
    const { user, elements } = await poolOf([echo], 'sctp', {}, world);
    const session = await user.connect();
    const seen = heard(session);
    await world.advance(50);
    world.network.partition('pu', 'pe1');
    void session.send('lost', { stream: 1 });
    await world.advance(1);
    world.network.heal();
    void session.send('behind', { stream: 1 });
    void session.send('free', { stream: 2 });
    await world.advance(30);
    expect([seen.on(1), seen.on(2)]).toEqual([[], ['2:free']]);
    await world.settled(session.flush());
    expect([seen.on(1), elements.length]).toEqual([['1:lost', '1:behind'], 1]);
  });

  it.each([1, 2, 3, 4])('with 10 %% loss, elements dying: state, order and replies of each stream as if nothing had happened (seed %i)', async (seed) => {
    const world = new SessionWorld({ seed, loss: 0.1 });
    const { user, elements } = await poolOf([sums, sums, sums], 'sctp', {}, world);
    const session = await user.connect();
    const seen = heard(session);
    for (let i = 1; i <= 30; i++) {
      for (const stream of [0, 1, 2]) void session.send(String(i), { stream });
      await world.advance(7);
      if (i === 10 || i === 20) elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    }
    await world.settled(session.flush());
    const expected = Array.from({ length: 30 }, (_, i) => `${((i + 1) * (i + 2)) / 2}/${i + 1}`);
    for (const stream of [0, 1, 2]) expect(seen.on(stream)).toEqual(expected);
    expect(session.epoch).toBeGreaterThan(1);
  });

  it.each(['drained', 'closed'] as const)('%s by the service: what it had sent on other streams comes first, also where that was lost once', async (how) => {
    const calls: string[] = [];
    const at: ServiceSession[] = [];
    const service: OnSession = (session) => {
      at.push(session);
      session.on('data', (data, info) => {
        calls.push(data.toString());
        void info.reply(data);
      });
    };
    const world = new SessionWorld({ latency: 5 });
    const { user, elements } = await poolOf([service, service], 'sctp', {}, world);
    const session = await user.connect();
    const seen = heard(session);
    const events: string[] = [];
    session.on('failover', ({ reason }) => { events.push(reason); });
    session.on('closed', () => { events.push('closed'); });
    await world.advance(50);
    for (const stream of [1, 2]) void session.send(`to ${stream}`, { stream });
    await world.advance(4.5);
    const here = elements.find(({ identifier }) => identifier === session.peIdentifier)!;
    world.network.partitionOneWay(here.name, 'pu');
    await world.advance(1);
    world.network.heal();
    here.deregister();
    if (how === 'drained') await world.settled(here.service.drain()); else at[0]!.close();
    await world.until(() => events.length > 0);
    expect([seen.all.sort(), calls.sort(), events]).toEqual([['1 to 1', '2 to 2'], ['to 1', 'to 2'], [how === 'drained' ? 'moved' : 'closed']]);
  });

  it('the service sends on streams too; a reply stays on that of its message', async () => {
    const failures: string[] = [];
    const service: OnSession = (session) => {
      session.on('data', async (_, info) => {
        void info.reply('reply');
        await session.send('elsewhere', { stream: 5 }).catch(({ code }: RserpoolError) => { failures.push(code); });
        await session.send('out of range', { stream: 16 }).catch(({ code }: RserpoolError) => { failures.push(code); });
      });
      void session.send('hello', { stream: 4 });
      void session.send('whenever', { stream: 4, unordered: true });
    };
    const { world, user } = await poolOf([service]);
    const session = await user.connect();
    const seen = heard(session);
    void session.send('x', { stream: 7 });
    await world.settled(session.flush());
    expect(seen.all.sort()).toEqual(['4 hello', '4 whenever', '7 reply']);
    expect(failures).toEqual(['INVALID_OPTION', 'INVALID_OPTION']);
  });
});

describe('D-23: unordered over SCTP', () => {
  it('overtakes what is lost, on its own stream', async () => {
    const world = new SessionWorld({ latency: 5 });
    const { user } = await poolOf([echo], 'sctp', {}, world);
    const session = await user.connect({ deliveryMode: 'at-least-once' });
    const seen = heard(session);
    await world.advance(50);
    world.network.partition('pu', 'pe1');
    const lost = session.send('lost', { unordered: true, stream: 2 });
    await world.advance(1);
    world.network.heal();
    void session.send('next', { unordered: true, stream: 2 });
    await world.advance(12);
    expect(seen.all).toEqual(['2 2:next']);
    await world.settled(lost);
    expect(seen.all).toEqual(['2 2:next', '2 2:lost']);
  });

  it('after a failover what is not handled is sent again, at-least-once', async () => {
    const { service, handled, go } = holding();
    const { world, user, elements } = await poolOf([service, service]);
    const session = await user.connect();
    const sent = session.send('stuck', { unordered: true, deliver: 'at-least-once' });
    await world.advance(20);
    elements.find(({ identifier }) => identifier === session.peIdentifier)!.host.process.crash();
    await world.until(() => handled.length === 2);
    go();
    await world.settled(sent);
    expect(handled).toEqual(['0 stuck', '0 stuck']);
  });
});

describe('D-23: what cannot be', () => {
  const refusals: [SendOptions & { unordered?: boolean }, string][] = [[{ stream: 16 }, 'INVALID_OPTION'], [{ stream: -1 }, 'INVALID_OPTION'], [{ stream: 1.5 }, 'INVALID_OPTION'], [{ unordered: true }, 'INVALID_OPTION'], [{ unordered: true, deliver: 'failover' }, 'INVALID_OPTION']];

  it.each(refusals)('%j over SCTP: %s', async (options, code) => {
    const { user } = await poolOf([echo]);
    const session = await user.connect();
    session.on('error', () => undefined);
    await expect(session.send('x', options)).rejects.toMatchObject({ code });
    await expect(session.request('x', options)).rejects.toMatchObject({ code });
  });

  it('an unordered message in more than one piece: MESSAGE_TOO_LARGE', async () => {
    const { world, user } = await poolOf([echo]);
    const session = await user.connect();
    session.on('error', () => undefined);
    await expect(session.send(Buffer.alloc(65_473), { unordered: true, deliver: 'at-most-once' })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    await world.settled(session.send(Buffer.alloc(65_472), { unordered: true, deliver: 'at-least-once' }));
  });

  it.each([[{ stream: 1 }, 'a second stream'], [{ unordered: true, deliver: 'at-most-once' }, 'unordered delivery']] as const satisfies [SendOptions, string][])('%j over TCP: FEATURE_UNAVAILABLE, which names feature and mapping', async (options, feature) => {
    const failures: RserpoolError[] = [];
    const { world, user } = await poolOf([(session) => { session.send('x', { stream: 1 }).catch((error: RserpoolError) => { failures.push(error); }); echo(session); }], 'tcp');
    const session = await user.connect();
    session.on('error', () => undefined);
    await expect(session.send('x', options)).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE', message: expect.stringMatching(`${feature}.*mapping tcp`) as string });
    await world.settled(session.request('y', { stream: 0, unordered: false }));
    expect(failures.map(({ code, message }) => [code, message.includes('mapping tcp')])).toEqual([['FEATURE_UNAVAILABLE', true]]);
  });

  it('a session that has used streams goes on at an element over TCP: in the same order, on one connection', async () => {
    const { world, user, elements } = await poolOf([sums]);
    mappingUnderTest.scheme = 'tcp';
    await world.element('pe2', { onSession: sums });
    let session = await user.connect();
    while (session.peIdentifier !== 1) session = await user.connect();
    const seen = heard(session);
    for (let i = 1; i <= 5; i++) for (const stream of [0, 1]) void session.send(String(i), { stream });
    await world.settled(session.flush());
    elements[0]!.host.process.crash();
    for (let i = 6; i <= 8; i++) void session.send(String(i), { stream: 1 });
    await world.settled(session.flush());
    expect([seen.on(1).at(-1), session.peIdentifier, session.transportInfo().mapping]).toEqual(['36/8', 2, 'tcp']);
    session.on('error', () => undefined);
    await expect(session.send('9', { stream: 1 })).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE' });
  });
});
