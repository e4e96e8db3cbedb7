import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { World } from '../../testing/world.js';
import type { PoolElement } from '../../wire/index.js';

/** A pool user and its registrars, with real charts, associations and framing on a simulated network. */

const elementOf = (identifier: number): PoolElement => ({
  identifier, homeRegistrar: 1, registrationLife: 300, policy: { policy: 'round-robin' }, userTransport: { transport: 'tcp', port: 4000 + identifier, addresses: [`10.1.0.${identifier}`] },
});

async function setting({ registrars = ['r1'], ...options }: { registrars?: string[] } & Partial<Omit<InitializeOptions, 'registrars'>> = {}) {
  const world = new World();
  const started: ScriptedRegistrar[] = [];
  for (const [index, name] of registrars.entries()) started.push(await ScriptedRegistrar.start(world, name, index + 1));
  for (const registrar of started) registrar.put('echo', elementOf(1), elementOf(2), elementOf(3));
  const accessPoint = await initialize({ registrars: started.map(({ address }) => address), environment: world.host('pu').environment, ...options });
  await world.advance(10);
  const r1 = started[0] as ScriptedRegistrar;
  const asked = (): number => started.reduce((sum, registrar) => sum + registrar.count('ASAP_HANDLE_RESOLUTION'), 0);
  const resolve = (handle = 'echo', given = {}): ReturnType<ServiceAccessPoint['resolve']> => world.settled(accessPoint.resolve(handle, given));
  const home = (): ScriptedRegistrar => started.find(({ links }) => links.size > 0) as ScriptedRegistrar;
  return { world, registrars: started, r1, accessPoint, asked, resolve, home };
}

describe('handle resolution (RFC 5352 §3.3, §6.9.1)', () => {
  // proves 5352-1.1-c, 5352-3.3-c, 5352-3.3-j, 5352-3.3-k, 5352-3.3-l, 5352-3.3-p, 5352-3.3-q, 5352-4-a, 5352-6.3-a, 5352-6.9.1-a, 5353-1.1-b
  it('asks the home registrar, and answers from the cache then (C1, C4)', async () => {
    const { resolve, asked } = await setting();
    const { elements, age, isStale } = await resolve();
    expect(elements.map(({ identifier, address, protocol, host, port, mapping }) => ({ identifier, address, protocol, host, port, mapping }))[0])
      .toEqual({ identifier: 1, address: 'tcp://10.1.0.1:4001', protocol: 'tcp', host: '10.1.0.1', port: 4001, mapping: 'none' });
    expect([elements.length, age, isStale]).toEqual([3, 0, false]);
    await resolve();
    expect(asked()).toBe(1);
  });

  it('a thousand who ask at once are one question', async () => {
    const { world, accessPoint, asked } = await setting();
    await world.settled(Promise.all(Array.from({ length: 1_000 }, async () => accessPoint.resolve('echo'))));
    expect(asked()).toBe(1);
  });

  // proves 5352-3.3-n, 5352-3.3-o
  it('C3: what is stale is given out, as stale, and asked for again meanwhile', async () => {
    const { world, r1, resolve } = await setting();
    await resolve();
    await world.advance(6_000);
    r1.put('echo', elementOf(4));
    const stale = await resolve();
    expect([stale.elements.length, stale.isStale, stale.age >= 5_000]).toEqual([3, true, true]);
    await world.advance(10);
    const fresh = await resolve();
    expect([fresh.elements.map(({ identifier }) => identifier), fresh.isStale]).toEqual([[4], false]);
  });

  it('a handle nobody serves: UnknownPoolHandleError in one round trip, every time anew', async () => {
    const { world, r1, accessPoint } = await setting();
    const start = world.clock.now();
    await expect(world.settled(accessPoint.resolve('nobody'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE', poolHandle: 'nobody' });
    expect(world.clock.now() - start).toBeLessThanOrEqual(3);
    r1.put('nobody', elementOf(9));
    expect((await world.settled(accessPoint.resolve('nobody'))).elements).toHaveLength(1);
  });

  it('refresh asks although the cache is fresh; two questions about one handle are a while apart', async () => {
    const { world, resolve, asked } = await setting();
    await resolve();
    const start = world.clock.now();
    await resolve('echo', { refresh: true });
    await resolve('echo', { refresh: true });
    expect(asked()).toBe(3);
    expect(world.clock.now() - start).toBeGreaterThanOrEqual(200);
  });

  // proves 5352-6.4-a
  it('§6.4: purge forgets', async () => {
    const { resolve, asked, accessPoint } = await setting();
    await resolve();
    accessPoint.purge('echo');
    await resolve();
    expect(asked()).toBe(2);
  });

  it('handles are any bytes (X-16)', async () => {
    const { r1, resolve } = await setting();
    r1.put('ä€', elementOf(5));
    r1.pools.set('\xff\x00', new Map([[6, elementOf(6)]]));
    r1.pools.set(Buffer.from('ä€').toString('latin1'), new Map([[5, elementOf(5)]]));
    expect((await resolve('ä€')).elements[0]?.identifier).toBe(5);
    expect((await resolve(Buffer.from([0xff, 0]) as unknown as string)).elements[0]?.identifier).toBe(6);
  });
});

describe('registrars that fail (RFC 5352 §3.7)', () => {
  it('T1: a frozen registrar costs its pool users T1, not the answer', async () => {
    const { world, home, resolve } = await setting({ registrars: ['r1', 'r2'] });
    home().host.process.freeze();
    const start = world.clock.now();
    expect((await resolve()).elements).toHaveLength(3);
    expect(world.clock.now() - start).toBeLessThan(520);
  });

  it('killed: the next question goes to another one at once', async () => {
    const { world, home, resolve } = await setting({ registrars: ['r1', 'r2'] });
    home().host.process.crash({ peersSee: 'end' });
    const start = world.clock.now();
    await resolve();
    expect(world.clock.now() - start).toBeLessThan(20);
  });

  it('the cache outlives all registrars: given out as stale, with its age', async () => {
    const { world, r1, resolve } = await setting();
    await resolve();
    r1.host.process.crash({ peersSee: 'nothing' });
    await world.advance(60_000);
    const { elements, isStale, age } = await resolve();
    expect([elements.length, isStale, age >= 60_000]).toEqual([3, true, true]);
  });

  it('asked to refresh while no registrar answers, what is cached is as good as it gets after T1', async () => {
    const { world, r1, resolve } = await setting();
    await resolve();
    r1.deaf.add('all');
    await world.advance(10_000);
    const start = world.clock.now();
    const { elements, isStale } = await resolve('echo', { refresh: true });
    expect([elements.length, isStale, world.clock.now() - start]).toEqual([3, true, 500]);
  });

  it('a registrar that has just been started knows nobody yet: what is cached stays', async () => {
    const { world, r1, resolve } = await setting();
    await resolve();
    r1.host.process.crash({ peersSee: 'end' });
    await world.advance(6_000);
    const again = await ScriptedRegistrar.start(world, 'r1', 1);
    await resolve();
    await world.until(() => again.count('ASAP_HANDLE_RESOLUTION') > 0, 15_000);
    await world.advance(10);
    expect((await resolve()).elements).toHaveLength(3);
    await world.advance(10_000); // by now its elements would have come back
    await resolve();
    await world.advance(200);
    await expect(resolve()).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
  });

  it('silent, and no other: NoRegistrarError within a bound', async () => {
    const { world, r1, accessPoint } = await setting();
    r1.deaf.add('all');
    const start = world.clock.now();
    await expect(world.settled(accessPoint.resolve('echo'))).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    expect(world.clock.now() - start).toBeLessThanOrEqual(1_510); // T1, three times, and two hunts
  });

  it('none at all: NoRegistrarError within `timeout`; it works when one has come', async () => {
    const { world, r1, accessPoint, resolve } = await setting();
    r1.host.process.crash({ peersSee: 'end' });
    await world.advance(30_000);
    const start = world.clock.now();
    await expect(world.settled(accessPoint.resolve('echo', { timeout: 700 }))).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    expect(world.clock.now() - start).toBe(700);
    const again = await ScriptedRegistrar.start(world, 'r1', 1);
    again.put('echo', elementOf(1));
    expect((await resolve()).elements).toHaveLength(1); // within 5 s: who asks shortens the hunt's rest
  });

  it('a registrar that closes idle links is not bothered until somebody asks', async () => {
    const { world, r1, resolve, asked } = await setting();
    for (const link of r1.links) link.close();
    await world.advance(60_000);
    expect(r1.links.size).toBe(0);
    await resolve();
    expect(asked()).toBe(1);
  });

  it('a signal ends the wait', async () => {
    const { r1, accessPoint } = await setting();
    r1.deaf.add('all');
    const abort = new AbortController();
    const resolving = accessPoint.resolve('echo', { signal: abort.signal });
    resolving.catch(() => undefined);
    abort.abort();
    await expect(resolving).rejects.toThrow();
    await expect(accessPoint.resolve('echo', { signal: abort.signal })).rejects.toThrow();
  });

  // proves 5352-4-b
  it('unusable answers are answered with ASAP_ERROR, and change nothing', async () => {
    const { world, r1, resolve } = await setting();
    for (const link of r1.links) link.sendFrame(Buffer.from([0x43, 0, 0, 4]));
    await world.advance(5);
    expect(r1.received.at(-1)).toMatchObject({ type: 'ASAP_ERROR', error: [{ cause: 'unrecognized-message' }] });
    await resolve();
  });
});

describe('unreachable elements (RFC 5352 §3.5, §6.9.2)', () => {
  // proves 5352-3.5-a, 5352-3.5-b, 5352-3.5-d, 5352-9.1-a
  it('reports once for each event, and avoids the element for a while', async () => {
    const { world, r1, accessPoint, resolve } = await setting();
    await resolve();
    expect(accessPoint.reportUnreachable({ handle: 'echo', identifier: 1 })).toBe(true);
    expect(accessPoint.reportUnreachable({ handle: 'echo', identifier: 1 })).toBe(false);
    await world.advance(5);
    expect(r1.received.filter(({ type }) => type === 'ASAP_ENDPOINT_UNREACHABLE')).toEqual([expect.objectContaining({ peIdentifier: 1 })]);
    const given = new Set<number>();
    for (let time = 0; time < 10; time += 1) given.add((await accessPoint.getPrimaryServer('echo')).identifier);
    expect([...given].sort()).toEqual([2, 3]);
    await world.advance(10_000);
    for (let time = 0; time < 10; time += 1) given.add((await accessPoint.getPrimaryServer('echo')).identifier);
    expect([...given].sort()).toEqual([1, 2, 3]);
  });

  // proves 5352-3.5-e, 5352-6.9.2-a
  it('§3.5: never one that was not given out', async () => {
    const { world, r1, accessPoint } = await setting();
    expect(accessPoint.reportUnreachable({ handle: 'echo', identifier: 1 })).toBe(false);
    await world.advance(5);
    expect(r1.count('ASAP_ENDPOINT_UNREACHABLE')).toBe(0);
  });

  // proves 5352-3.7.1-d
  it('a report waits for a registrar where there is none', async () => {
    const { world, r1, accessPoint, resolve } = await setting();
    await resolve();
    r1.host.process.crash({ peersSee: 'end' });
    await world.advance(10);
    accessPoint.reportUnreachable({ handle: 'echo', identifier: 2 });
    const again = await ScriptedRegistrar.start(world, 'r1', 1);
    again.put('echo', elementOf(1));
    await world.settled(accessPoint.resolve('other').catch(() => undefined));
    expect(again.count('ASAP_ENDPOINT_UNREACHABLE')).toBe(1);
  });
});

describe('GET_PRIMARY_SERVER and GET_NEXT_SERVER (draft §4.3, X-9)', () => {
  it('the next server says that the last one has failed; each caller has its own', async () => {
    const { world, r1, accessPoint } = await setting();
    const first = await world.settled(accessPoint.getPrimaryServer('echo', { caller: 'a' }));
    const second = await accessPoint.getNextServer('echo', { caller: 'a' });
    const third = await accessPoint.getNextServer('echo', { caller: 'a' });
    await world.advance(5);
    expect(new Set([first, second, third].map(({ identifier }) => identifier)).size).toBe(3);
    expect(r1.received.flatMap((message) => (message.type === 'ASAP_ENDPOINT_UNREACHABLE' ? [message.peIdentifier] : []))).toEqual([first.identifier, second.identifier]);
    const again = await accessPoint.getNextServer('echo', { caller: 'a' });
    expect(again.address).toMatch(/^tcp:\/\/10\.1\.0\.\d:400\d$/); // all have failed: from the beginning
  });

  it('without a predecessor it is the primary one, and nobody is reported', async () => {
    const { world, r1, accessPoint } = await setting();
    await world.settled(accessPoint.getNextServer('echo'));
    await world.advance(5);
    expect(r1.count('ASAP_ENDPOINT_UNREACHABLE')).toBe(0);
  });

  it('an unknown pool, an unknown option', async () => {
    const { world, accessPoint } = await setting();
    await expect(world.settled(accessPoint.getPrimaryServer('nobody'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    await expect(accessPoint.getNextServer('echo', { user: 'a' } as object)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
