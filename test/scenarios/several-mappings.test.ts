import type { PoolElement } from '../../actors/element.js';
import type { RegisterOptions } from '../../actors/register.js';
import type { Session } from '../../actors/session.js';
import type { ServiceSession } from '../../actors/service-session.js';
import { leastUsed, roundRobin } from '../../actors/policies.js';
import { ScopeWorld } from '../support/scope-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { initialize } from '../../actors/access-point.js';
import { World } from '../../testing/world.js';

/** Pool elements that can be reached in several ways (X-3, draft §5.1): real registrars, elements and users. */

const count = (session: ServiceSession): void => {
  let all = 0;
  session.on('cookie', (cookie) => { all = cookie.readUInt32BE(0); });
  session.on('data', (_, info) => {
    all += 1;
    void info.reply(String(all));
    const cookie = Buffer.alloc(4);
    cookie.writeUInt32BE(all);
    session.setCookie(cookie);
  });
};

const BOTH = { mappings: [{ mapping: 'tcp', identifier: 1 }, { mapping: 'none', address: 'udp://10.9.0.9:53', identifier: 2 }] } as const;

async function setting() {
  const scope = await ScopeWorld.start(1);
  const { world } = scope;
  const user = await scope.accessPoint('user');
  const register = async (name: string, options: RegisterOptions, pool = 'echo'): Promise<PoolElement> =>
    world.settled((await scope.accessPoint(name)).register(pool, options, (options.mapping ?? options.mappings?.[0]?.mapping) === 'none' ? undefined : count));
  const resolve = async () => (await world.settled(user.resolve('echo', { refresh: true }))).elements;
  return { scope, world, user, register, resolve };
}

describe('several mappings of one element (X-3, draft §5.1)', () => {
  it('one registration each, with its own PE identifier, tied together; users choose by what they can do', async () => {
    const { world, user, register, resolve } = await setting();
    const element = await register('pe', BOTH);
    expect(element.registrations.map(({ identifier, isRegistered }) => [identifier, isRegistered])).toEqual([[1, true], [2, true]]);
    expect((await resolve()).map(({ identifier, protocol, mapping }) => [identifier, protocol, mapping]).sort()).toEqual([[1, 'tcp', 'tcp'], [2, 'udp', 'none']]);
    for (let time = 0; time < 4; time += 1) expect((await world.settled(user.connect('echo'))).peIdentifier).toBe(1);
  });

  it('several addresses to listen on are several registrations', async () => {
    const { register, resolve } = await setting();
    const element = await register('pe', { listen: ['tcp://0.0.0.0:5001', 'tcp://0.0.0.0:5002'] });
    expect(element.registrations).toHaveLength(2);
    expect((await resolve()).map(({ port, mapping }) => [port, mapping]).sort()).toEqual([[5001, 'tcp'], [5002, 'tcp']]);
  });

  it('maxSessions is the element\'s, by whichever registration its sessions came', async () => {
    const { world, user, register } = await setting();
    await register('pe', { listen: ['tcp://0.0.0.0:5001', 'tcp://0.0.0.0:5002'], maxSessions: 3 });
    const sessions: Session[] = [];
    for (let time = 0; time < 3; time += 1) sessions.push(await world.settled(user.connect('echo')));
    expect(new Set(sessions.map(({ peIdentifier }) => peIdentifier)).size).toBe(2);
    await expect(world.settled(user.connect('echo', { openTimeout: 300 }))).rejects.toMatchObject({ code: 'SESSION_FAILED' });
    await world.settled(sessions[0]!.close());
    await world.settled(user.connect('echo'));
  });

  it('update, deregister and what is told are for all of them', async () => {
    const { world, register, resolve } = await setting();
    const element = await register('pe', { ...BOTH, policy: leastUsed({ load: 0.5 }) });
    const events: string[] = [];
    element.on('closed', () => events.push('closed'));
    await world.settled(element.update({ policy: leastUsed({ load: 0.25 }) }));
    expect(new Set((await resolve()).map(({ policy }) => JSON.stringify(policy))).size).toBe(1);
    expect((await resolve())[0]?.policy).toEqual(leastUsed({ load: 0.25 }));
    await expect(world.settled(element.update({ policy: roundRobin() }))).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED' });
    expect(element.policy).toEqual(leastUsed({ load: 0.25 }));
    await world.advance(100);
    expect(new Set((await resolve()).map(({ policy }) => JSON.stringify(policy))).size).toBe(1);
    await world.settled(element.deregister());
    expect(events).toEqual(['closed']);
    await expect(resolve()).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
  });

  it('all are registered, or none: a strict registrar\'s 0x7 reaches the caller, by name', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'r1', 1);
    registrar.refused.set(2, { cause: 'inconsistent-transport-type', transport: { transport: 'tcp', port: 1, addresses: ['10.0.0.1'] } });
    const pe = await initialize({ registrars: [registrar.address], environment: world.host('pe').environment });
    await expect(world.settled(pe.register('echo', BOTH, count))).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED', message: expect.stringMatching(/0x00000002.*inconsistent-transport-type/) as string });
    await world.advance(100);
    expect([pe.elements.size, registrar.pools.get('echo')?.size ?? 0]).toEqual([0, 0]);
    await world.settled(pe.register('echo', { ...BOTH, mappings: [BOTH.mappings[0]] }, count)); // its identifiers are free again
  });

  it('a plain registration of another transport is refused as ever (RFC 5352 §3.1)', async () => {
    const { register } = await setting();
    await register('pe', BOTH);
    await expect(register('other', { mapping: 'none', address: 'udp://10.9.0.8:53' })).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED' });
  });

  it('one of its two addresses fails, the other does not: the session goes on there', async () => {
    const { world, user, register } = await setting();
    const element = await register('pe', { listen: ['tcp://0.0.0.0:5001', 'tcp://0.0.0.0:5002'] });
    const [, second] = element.registrations;
    const sessions = [await world.settled(user.connect('echo')), await world.settled(user.connect('echo'))]; // in turn
    const session = sessions.find(({ peIdentifier }) => peIdentifier === second?.identifier)!;
    const replies: string[] = [];
    session.on('data', (data) => { replies.push(data.toString()); });
    await session.send('a');
    await world.advance(50);
    const first = session.peIdentifier;
    await world.settled(second!.deregister()); // its data channels close
    await session.send('b');
    await world.advance(2_000);
    expect([replies, session.peIdentifier === first]).toEqual([['1', '2'], false]);
  });

  it('the other address of an element that is dead comes last: another element is tried first', async () => {
    const { world, user, register } = await setting();
    await register('pe1', { mappings: [{ mapping: 'tcp', listen: 'tcp://0.0.0.0:5001', identifier: 1 }, { mapping: 'tcp', listen: 'tcp://0.0.0.0:5002', identifier: 2 }] });
    const sessions: Session[] = [];
    for (let time = 0; time < 4; time += 1) sessions.push(await world.settled(user.connect('echo')));
    await register('pe2', { identifier: 3 });
    await world.advance(150);
    world.host('pe1').process.crash({ peersSee: 'end' });
    const start = world.clock.now();
    await world.until(() => sessions.every(({ peIdentifier }) => peIdentifier === 3));
    await world.advance(20);
    expect([world.clock.now() - start < 70, sessions.map(({ epoch }) => epoch)]).toEqual([true, [2, 2, 2, 2]]); // nobody tried the other one in vain
  });

  it('nothing in common with the pool: an error that lists what it offers, at once', async () => {
    const { world, user, register } = await setting();
    await register('pe', { mappings: [{ mapping: 'none', address: 'udp://10.9.0.9:53' }, { mapping: 'none', address: 'ws://pe.example:80' }] });
    const start = world.clock.now();
    await expect(world.settled(user.connect('echo'))).rejects.toMatchObject({ code: 'NO_COMMON_MAPPING', outcome: 'not-taken', message: expect.stringMatching(/offers the mappings none \((udp|opaque)\), none \((udp|opaque)\); sessions go by sctp, tcp/) as string });
    expect(world.clock.now() - start).toBeLessThan(500);
  });

  it('drains all of it', async () => {
    const { world, user, register } = await setting();
    const element = await register('pe1', { listen: ['tcp://0.0.0.0:5001', 'tcp://0.0.0.0:5002'] });
    const session = await world.settled(user.connect('echo'));
    await register('pe2', { identifier: 3 });
    await world.advance(150);
    await world.settled(element.drain());
    await world.advance(20);
    expect(session.peIdentifier).toBe(3);
  });

  it.each<[string, object]>([
    ['with another way to say it', { ...BOTH, listen: ['tcp://0.0.0.0:0'] }], ['an empty list', { mappings: [] }], ['no list', { mappings: 'tcp' }], ['a mapping nobody has', { mappings: [{ mapping: 'udp' }] }],
    ['Basic Mode without an address', { mappings: [{ mapping: 'none' }] }], ['with a place to listen', { mappings: [{ mapping: 'none', address: 'udp://h:1', listen: 'tcp://0.0.0.0:0' }] }],
    ['an address that is not ours', { mappings: [{ mapping: 'tcp', address: 'tcp://h:1' }] }], ['identifier 0', { mappings: [{ mapping: 'tcp', identifier: 0 }] }], ['an unknown option', { mappings: [{ mapping: 'tcp', port: 1 }] }],
    ['no objects', { mappings: [null] }], ['too many', { mappings: Array.from({ length: 17 }, () => ({ mapping: 'tcp' })) }], ['one identifier for two', { listen: ['tcp://0.0.0.0:0', 'tcp://0.0.0.0:0'], identifier: 1 }],
  ])('bad options: %s', async (_, options) => {
    const { user } = await setting();
    await expect(user.register('echo', options as RegisterOptions, count)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('the same identifier twice', async () => {
    const { user } = await setting();
    await expect(user.register('echo', { mappings: [{ mapping: 'tcp', identifier: 5 }, { mapping: 'tcp', identifier: 5 }] }, count)).rejects.toMatchObject({ code: 'ALREADY_REGISTERED' });
  });
});
