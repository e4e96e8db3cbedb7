import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { RegisterOptions, SessionHandler } from '../../actors/register.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { Session } from '../../actors/session.js';
import type { RserpoolError } from '../../errors.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { World } from '../../testing/world.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** Rendezvous (RFC 5352 §3.9; draft §3.3, §4.5.3): a service's client is lost, and its own messages follow the client's pool. Real processes and a real registrar on a simulated network. */

const quiet = (session: ServiceSession): void => { session.on('data', () => undefined); };

/** A service `feed` on host `feed`; peers on hosts `peer1`, ... with elements of those identifiers; `peer1` is its client. */
async function feedWith(peers: number, { listens = true, takes = true, preferred = [] as readonly number[], serve = undefined as SessionHandler | undefined } = {}) {
  const clock = new SimulatedClock();
  const transcript = new Transcript(() => clock.now());
  const world = new World({ clock, trace: transcript.network });
  const registrar = await RegistrarWorld.start({}, world);
  const log: string[] = [];
  const sessions: ServiceSession[] = [];
  const register = async (name: string, handle: string, identifier: number, onSession: SessionHandler, options: Partial<RegisterOptions> = {}): Promise<ServiceAccessPoint> => {
    const accessPoint = await registrar.accessPoint(name);
    await world.settled(accessPoint.register(handle, { identifier, ...options }, onSession));
    return accessPoint;
  };
  const feed = await register('feed', 'feed', 100, (session) => {
    sessions.push(session);
    session.on('data', (data, info) => { log.push(`feed hears ${data.toString()} from ${info.from?.identifier ?? 'nobody'}`); return serve?.(session); });
    session.on('error', (error) => { log.push(`feed: error ${error.code}`); });
    session.on('closed', (reason, error) => { log.push(`feed: closed${error ? ` ${error.code}` : ''}`); void reason; });
    if (listens) session.on('rendezvous', ({ from, to }) => { log.push(`feed: rendezvous ${from?.identifier ?? 'nobody'} > ${to.identifier} of ${String(to.handle)}`); });
  });
  const taking = (identifier: number): SessionHandler => (session) => {
    log.push(`peer${identifier}: session ${session.rendezvous ? 'rendezvous' : 'plain'} ${session.id === sessions[0]?.id} from ${session.from?.identifier ?? 'nobody'}`);
    session.on('data', (data, info) => {
      log.push(`peer${identifier} hears ${data.toString()}`);
      if (data.toString() === 'answer') void info.reply('here');
      if (data.toString() === 'close') session.close();
    });
    session.on('closed', () => { log.push(`peer${identifier}: closed`); });
  };
  const all: ServiceAccessPoint[] = [];
  for (let identifier = 1; identifier <= peers; identifier++) all.push(await register(`peer${identifier}`, 'peers', identifier, taking(identifier), { rendezvous: takes }));
  await world.settled(all[0]!.setBusinessCard('peers', preferred.map((identifier) => ({ handle: 'peers', identifier }))));
  const client: Session = await world.settled(all[0]!.connect('feed'));
  const heard: string[] = [];
  client.on('data', (data) => { heard.push(data.toString()); });
  client.on('error', () => undefined);
  await world.advance(50);
  return { world, registrar, log, sessions, register, feed, all, client, heard, said: () => transcript.said() };
}

describe('a client with a business card is lost (RFC 5352 §3.9, X-8)', () => {
  // proves 5352-3.9-f
  it.each(['end', 'reset', 'nothing'] as const)('BC2: the service\'s own messages go to the preferred element; its peers see %s', async (peersSee) => {
    const { world, log, sessions, heard } = await feedWith(4, { preferred: [3] });
    await world.settled(sessions[0]!.send('a'));
    await world.advance(10);
    world.host('peer1').process.crash({ peersSee });
    await world.until(() => log.some((line) => line.includes('rendezvous 1')));
    await world.settled(sessions[0]!.send('b'));
    await world.settled(sessions[0]!.send('c'));
    await world.advance(50);
    expect(heard).toEqual(['a']);
    expect(log).toEqual(['peer3: session rendezvous true from 100', 'feed: rendezvous 1 > 3 of peers', 'peer3 hears b', 'peer3 hears c']);
    expect(sessions[0]!.from).toEqual({ handle: 'peers', identifier: 3 });
    expect(sessions[0]!.signal.aborted).toBe(false);
  });

  it('the preferred order first, then by policy; again when the next one is lost too', async () => {
    const { world, log, sessions } = await feedWith(4, { preferred: [4, 2] });
    world.host('peer4').process.crash();
    world.host('peer1').process.crash();
    await world.until(() => log.some((line) => line.startsWith('feed: rendezvous')));
    world.host('peer2').process.crash();
    await world.until(() => log.filter((line) => line.startsWith('feed: rendezvous')).length === 2);
    void sessions[0]!.send('a');
    await world.advance(50);
    expect(log.filter((line) => !line.includes('session'))).toEqual(['feed: rendezvous 1 > 2 of peers', 'feed: rendezvous 2 > 3 of peers', 'peer3 hears a']);
  });

  it('what is sent meanwhile waits for it, and so does what had not left for want of credit; D-1: what had left is not sent again', async () => {
    const { world, log, sessions, client } = await feedWith(2);
    const piece = Buffer.alloc(0x8_0000, 'x');
    client.on('data', async () => new Promise(() => undefined)); // it reads no more
    for (let part = 0; part < 9; part++) void sessions[0]!.send(Buffer.concat([Buffer.from(`${part} `), piece])).catch(() => undefined);
    await world.advance(100);
    world.host('peer1').process.crash();
    await world.advance(1);
    const sent = sessions[0]!.send('behind');
    await world.settled(sent);
    await world.advance(500);
    const parts = log.filter((line) => line.startsWith('peer2 hears')).map((line) => line.replace('peer2 hears ', '').slice(0, 6));
    expect(parts.at(-1)).toBe('behind');
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.slice(0, -1)).toEqual(Array.from({ length: 9 }, (_, part) => `${part} xxxx`).slice(-(parts.length - 1))); // the last ones, in order, each once
    expect(parts.length).toBeLessThan(10);
  });

  it('the element answers, of its own accord too; either end closes', async () => {
    const { world, log, sessions } = await feedWith(3, { preferred: [2] });
    world.host('peer1').process.crash();
    await world.until(() => log.some((line) => line.includes('rendezvous 1')));
    void sessions[0]!.send('answer');
    await world.advance(20);
    expect(log.at(-1)).toBe('feed hears here from 2');
    sessions[0]!.close();
    await world.advance(20);
    expect(log.slice(-2).sort()).toEqual(['feed: closed', 'peer2: closed']);
    await expect(sessions[0]!.send('late')).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
    expect(sessions[0]!.signal.aborted).toBe(true);
  });

  it('closed by the element: the service hears it', async () => {
    const { world, log, sessions } = await feedWith(2);
    world.host('peer1').process.crash();
    await world.advance(100);
    void sessions[0]!.send('close');
    await world.advance(20);
    expect(log.filter((line) => line.endsWith('closed'))).toEqual(['peer2: closed', 'feed: closed']);
  });

  it('nobody of the pool can be met: error and closed with RENDEZVOUS_FAILED, in bounded time', async () => {
    const { world, log, sessions } = await feedWith(1);
    world.host('peer1').process.crash();
    const waiting = sessions[0]!.send('a').then(() => 'resolved', ({ code }: RserpoolError) => code);
    const lasted = await world.until(() => log.some((line) => line.startsWith('feed: closed')));
    expect(lasted).toBeLessThan(32_000);
    expect(log.slice(-2)).toEqual(['feed: error RENDEZVOUS_FAILED', 'feed: closed RENDEZVOUS_FAILED']);
    void waiting;
  });

  it('the client\'s own element, started again under its identifier, will do where there is no other', async () => {
    const { world, log, sessions, register } = await feedWith(1);
    world.host('peer1').process.crash();
    await register('peer1', 'peers', 1, (session) => { session.on('data', (data) => { log.push(`again hears ${data.toString()}`); }); }, { rendezvous: true });
    await world.until(() => log.includes('feed: rendezvous 1 > 1 of peers'));
    void sessions[0]!.send('a');
    await world.until(() => log.includes('again hears a'));
  });
});

describe('no rendezvous', () => {
  const metNobody = (log: readonly string[]): boolean => !log.some((line) => line.includes('rendezvous'));

  it.each([['the service does not listen', { listens: false }], ['the pool takes nobody\'s place', { takes: false }]])('%s', async (_, options) => {
    const { world, log } = await feedWith(3, options);
    world.host('peer1').process.crash();
    await world.advance(60_000);
    expect(metNobody(log)).toBe(true);
    expect(log.at(-1)).toBe('listens' in options ? 'feed: closed' : 'feed: closed RENDEZVOUS_FAILED');
  });

  it('the client has no card', async () => {
    const { world, registrar, log } = await feedWith(2);
    const plain = await registrar.accessPoint('plain');
    await world.settled(plain.connect('feed'));
    world.host('plain').process.crash();
    await world.advance(1_000);
    expect(log).toEqual(['feed: closed']);
  });

  it('the client closes, or its process ends in order', async () => {
    const { world, all, log, client } = await feedWith(2);
    await world.settled(client.close());
    await world.settled(all[0]!.connect('feed'));
    await world.settled(all[0]!.close());
    await world.advance(1_000);
    expect(log).toEqual(['feed: closed', 'feed: closed']);
  });

  it('D-29: the service itself did not run, and its client has left it', async () => {
    const { world, log, register } = await feedWith(2);
    await register('feed2', 'feed', 101, quiet);
    world.host('feed').process.freeze();
    await world.advance(5_000);
    world.host('feed').process.thaw();
    await world.advance(5_000);
    expect(log).toEqual(['feed: closed']);
  });
});

describe('the client lives (D-1, D-14)', () => {
  it('both may happen: it has failed over, and the service that was cut off meets another of its pool', async () => {
    const { world, log, sessions, register, client } = await feedWith(2);
    await register('feed2', 'feed', 101, (session) => { session.on('data', (data) => { log.push(`feed2 hears ${data.toString()}`); }); });
    world.network.partition(['feed', 'peer2'], ['peer1', 'feed2']);
    await world.advance(2_000);
    void client.send('a');
    void sessions[0]!.send('b');
    await world.advance(2_000);
    expect(log.filter((line) => line.includes('hears')).sort()).toEqual(['feed2 hears a', 'peer2 hears b']);
  });

  it('it comes back to the same service: the rendezvous ends, and the session goes on with it', async () => {
    const { world, log, client, heard, sessions } = await feedWith(2);
    world.network.partition(['feed', 'peer2'], ['peer1']);
    await world.until(() => log.some((line) => line.includes('rendezvous 1')));
    world.network.heal();
    await world.until(() => client.epoch > 1 && sessions.length === 2, 30_000);
    await world.advance(100);
    expect(log.filter((line) => line.endsWith('closed')).sort()).toEqual(['feed: closed', 'peer2: closed']);
    void sessions[1]!.send('again');
    await world.advance(20);
    expect(heard).toEqual(['again']);
    expect(client.epoch).toBe(sessions[1]!.epoch);
  });

  it('two services have lost the same client one after the other: at each element the later one counts', async () => {
    const { world, log, register, client } = await feedWith(2);
    const later: ServiceSession[] = [];
    await register('feed2', 'feed', 101, (session) => {
      later.push(session);
      session.on('data', () => undefined);
      session.on('rendezvous', ({ to }) => { log.push(`feed2: rendezvous ${to.identifier}`); });
      session.on('error', () => undefined);
    });
    world.network.partition(['feed', 'peer2'], ['peer1', 'feed2']);
    await world.until(() => log.some((line) => line.includes('feed: rendezvous')) && later.length === 1);
    world.network.heal();
    void client.send('a');
    await world.advance(1_000);
    world.host('peer1').process.crash();
    await world.until(() => log.some((line) => line.startsWith('feed2: rendezvous')));
    void later[0]!.send('of feed2');
    await world.advance(100);
    expect(log).toContain('peer2 hears of feed2');
  });
});

describe('a rendezvous and its surroundings', () => {
  it('the service is drained: what was sent is handled, then it ends', async () => {
    const { world, log, sessions, feed } = await feedWith(2);
    world.host('peer1').process.crash();
    await world.until(() => log.some((line) => line.includes('rendezvous 1')));
    void sessions[0]!.send('last');
    await world.settled([...feed.elements][0]!.drain());
    await world.advance(50);
    expect(log.slice(-3)).toEqual(['peer2 hears last', 'feed: closed', 'peer2: closed']);
  });

  it('the service closes, at each moment of it', async () => {
    for (const after of [0, 1, 2, 3, 5, 8, 100]) {
      const { world, log, feed } = await feedWith(2);
      world.host('peer1').process.crash();
      await world.advance(after);
      await world.settled(feed.close());
      await world.advance(50);
      expect(log.filter((line) => line.startsWith('feed: closed')).length).toBe(1);
      expect(log.filter((line) => line === 'peer2: closed').length).toBe(log.filter((line) => line.startsWith('peer2: session')).length);
    }
  });

  it('peers of one pool: the service\'s own element is nobody to meet', async () => {
    const clock = new SimulatedClock();
    const world = new World({ clock });
    const registrar = await RegistrarWorld.start({}, world);
    const met: string[] = [];
    const points: ServiceAccessPoint[] = [];
    for (const identifier of [1, 2, 3]) {
      const accessPoint = await registrar.accessPoint(`peer${identifier}`);
      await world.settled(accessPoint.register('peers', { identifier, rendezvous: true }, (session) => {
        session.on('data', () => undefined);
        session.on('rendezvous', ({ from, to }) => { met.push(`${identifier}: ${from?.identifier ?? 0} > ${to.identifier}`); });
      }));
      points.push(accessPoint);
    }
    const session = await world.settled(points[0]!.connect('peers'));
    const serving = session.peIdentifier!;
    if (serving === 1) await world.settled(session.close());
    else {
      world.host('peer1').process.crash();
      await world.until(() => met.length > 0);
      expect(met).toEqual([`${serving}: 1 > ${serving === 2 ? 3 : 2}`]);
    }
  });
});
