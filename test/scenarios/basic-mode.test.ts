import type { AccessPointFailover } from '../../actors/access-point-events.js';
import type { RegistrarOptions } from '../../actors/registrar.js';
import type { ServiceAccessPoint } from '../../actors/access-point.js';
import { ScopeWorld } from '../support/scope-world.js';

/** Basic Mode (NO_MAPPING, draft §3.2, §5.1): real registrars, plain servers of any protocol, and who uses them. */

async function setting(registrars = 1, options: Partial<RegistrarOptions> = {}) {
  const scope = await ScopeWorld.start(registrars, options);
  const { world } = scope;
  const user = await scope.accessPoint('user', { failoverIndication: true });
  const indications: AccessPointFailover[] = [];
  user.on('failover', (info) => { indications.push(info); });
  const server = async (name: string, identifier: number, address = `udp://10.9.0.${identifier}:53`): Promise<ServiceAccessPoint> => {
    const rsp = await scope.accessPoint(name);
    await world.settled(rsp.register('dns', { mapping: 'none', address, identifier }));
    return rsp;
  };
  return { scope, world, user, indications, server };
}

describe('Basic Mode (draft §3.2, §4.3, §5.1)', () => {
  it.each([
    ['tcp://10.9.0.1:80', 'tcp', '10.9.0.1', 80], ['udp://10.9.0.1:53', 'udp', '10.9.0.1', 53], ['sctp://10.9.0.1:7', 'sctp', '10.9.0.1', 7], ['dccp://10.9.0.1:7', 'dccp', '10.9.0.1', 7],
    ['udp-lite://[fd00::1]:7', 'udp-lite', 'fd00::1', 7], ['https://www.example:443', 'https', 'www.example', 443],
  ])('anything with a name and a port: %s', async (address, protocol, host, port) => {
    const { world, user, server } = await setting();
    await server('s1', 1, address);
    expect(await world.settled(user.getPrimaryServer('dns'))).toMatchObject({ address, protocol, host, port, mapping: 'none' });
  });

  it('X-7: a server that is removed is replaced, and the one it was given to is told', async () => {
    const { world, user, indications, server } = await setting();
    await server('s1', 1);
    await server('s2', 2);
    const [a, b] = [await world.settled(user.getPrimaryServer('dns', { caller: 'a' })), await world.settled(user.getPrimaryServer('dns', { caller: 'b' }))];
    expect(new Set([a.identifier, b.identifier]).size).toBe(2);
    await world.advance(200);
    world.host(`s${a.identifier}`).process.crash({ peersSee: 'end' });
    await world.advance(300);
    expect(indications).toEqual([{
      from: { handle: 'dns', identifier: a.identifier }, to: { handle: 'dns', identifier: b.identifier }, resent: 0, caller: 'a', server: { ...b }, cause: expect.objectContaining({ code: 'LINK_LOST' }) as unknown,
    }]);
  });

  it.each([false, true])('X-7: where there is nobody else it is told when the next one comes; asked in vain meanwhile: %s', async (hasAsked) => {
    const { world, user, indications, server } = await setting();
    await server('s1', 1);
    await world.settled(user.getPrimaryServer('dns'));
    await world.advance(11_000);
    world.host('s1').process.crash({ peersSee: 'end' });
    await world.advance(2_000);
    expect(indications).toEqual([]);
    if (hasAsked) await expect(world.settled(user.getNextServer('dns'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    await server('s2', 2);
    await world.advance(2_500);
    expect(indications.map(({ from, to }) => [from.identifier, to.identifier])).toEqual([[1, 2]]);
  });

  it('X-7: it survives the registrar, and a server that lives is not replaced', async () => {
    const { scope, world, user, indications, server } = await setting(2);
    await server('s1', 1);
    await server('s2', 2);
    const { identifier } = await world.settled(user.getPrimaryServer('dns'));
    await world.advance(200);
    const home = scope.names.find((name) => scope.address(name) === user.registrar?.address)!;
    world.host(home).process.crash({ peersSee: 'end' });
    await world.advance(15_000);
    expect(indications).toEqual([]);
    world.host(`s${identifier}`).process.crash({ peersSee: 'end' });
    await world.advance(3_000);
    expect(indications.map(({ from }) => from.identifier)).toEqual([identifier]);
  });

  it.each([1, 2])('X-7, X-17: also in a pool longer than an answer; one that lives is not replaced, whoever else leaves, with %d registrars', async (registrars) => {
    const { scope, world, user, indications, server } = await setting(registrars, { limits: { elementsPerAnswer: 3 } });
    for (let identifier = 1; identifier <= 20; identifier++) await server(`s${identifier}`, identifier);
    const { identifier } = await world.settled(user.getPrimaryServer('dns'));
    await world.advance(11_000);
    const others = Array.from({ length: 10 }, (_, index) => index + 1).filter((other) => other !== identifier);
    for (const other of others) {
      world.host(`s${other}`).process.crash({ peersSee: 'end' });
      await world.advance(200);
    }
    if (registrars > 1) world.host(scope.names.find((name) => scope.address(name) === user.registrar?.address)!).process.crash({ peersSee: 'end' });
    await world.advance(12_000);
    expect(indications).toEqual([]);
    world.host(`s${identifier}`).process.crash({ peersSee: 'end' });
    await world.advance(registrars > 1 ? 3_000 : 500);
    expect(indications.map(({ from }) => from.identifier)).toEqual([identifier]);
    expect(others).not.toContain(indications[0]?.to.identifier);
  });

  it('X-9: who finds out by himself asks for the next one, and is not told again', async () => {
    const { world, user, indications, server } = await setting();
    await server('s1', 1);
    await server('s2', 2);
    const first = await world.settled(user.getPrimaryServer('dns'));
    world.host(`s${first.identifier}`).process.crash({ peersSee: 'nothing' });
    const next = await world.settled(user.getNextServer('dns'));
    await world.advance(5_000);
    expect([next.identifier === first.identifier, indications]).toEqual([false, []]);
  });

  it('releaseServer: nothing is told any more', async () => {
    const { world, user, indications, server } = await setting();
    await server('s1', 1);
    await server('s2', 2);
    const { identifier } = await world.settled(user.getPrimaryServer('dns'));
    user.releaseServer('dns');
    world.host(`s${identifier}`).process.crash({ peersSee: 'end' });
    await world.advance(5_000);
    expect(indications).toEqual([]);
    expect(() => { user.releaseServer('dns', { user: 'a' } as object); }).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }) as Error);
  });

  it('without failoverIndication nothing is told', async () => {
    const { scope, world, server } = await setting();
    await server('s1', 1);
    await server('s2', 2);
    const plain = await scope.accessPoint('plain');
    let told = 0;
    plain.on('failover', () => { told += 1; });
    const { identifier } = await world.settled(plain.getPrimaryServer('dns'));
    world.host(`s${identifier}`).process.crash({ peersSee: 'end' });
    await world.advance(5_000);
    expect(told).toBe(0);
  });
});
