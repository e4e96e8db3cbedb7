import { afterEach, describe, expect, it } from '@jest/globals';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { Association, enrpProtocol } from '../../actors/association.js';
import { quickTimers } from '../../machines/timers.js';
import { World } from '../../testing/world.js';
import { readU16 } from '../../wire/bytes.js';
import { AsapPeer, echo, elementOf, RegistrarWorld } from '../support/registrar-world.js';
import { ScopeWorld } from '../support/scope-world.js';

/** Registrars on SCTP over UDP: the real transport on simulated datagrams. What they do is tested on TCP; here what is different. */

const SCTP = 'sctp+udp';
const open: Registrar[] = [];
afterEach(() => { for (const registrar of open.splice(0)) void registrar.close(); });

describe('ASAP over SCTP (RFC 5352 §2.1)', () => {
  it('registration, resolution, keep-alives and deregistration, as over TCP', async () => {
    const { world, peer } = await registrar();
    expect(await peer.register(element(7))).toMatchObject({ isRejected: false });
    await world.advance(2 * quickTimers.keepAlivePeriod);
    expect(peer.count('ASAP_ENDPOINT_KEEP_ALIVE')).toBeGreaterThan(0);
    expect((await peer.resolve()).poolElements).toMatchObject([{ identifier: 7, userTransport: { transport: 'sctp' } }]);
    await peer.deregister(7);
    expect((await peer.resolve()).error).toEqual([{ cause: 'unknown-pool-handle' }]);
  });

  it('§3.1 rule 4: who does not say where it listens is listed with the SCTP port that it came from', async () => {
    const { setting, peer } = await registrar({}, 4_711);
    await peer.register(element(7));
    expect(setting.registrar.dump().pools[0]?.elements[0]?.transports).toEqual(['sctp+udp://10.9.0.1:5007', `asap+sctp+udp://${peer.address}:4711`]);
  });

  it('X-38: an element whose association is lost is asked at the port that it came from, and stays', async () => {
    const { world, setting, peer } = await registrar({}, 4_711);
    await peer.listen();
    await peer.register(element(7));
    peer.association.destroy('LINK_CLOSED');
    await world.advance(100);
    expect(peer.visits).toMatchObject([{ type: 'ASAP_ENDPOINT_KEEP_ALIVE', peIdentifier: 7, flags: { home: false } }]);
    await world.advance(30_000);
    expect(setting.registrar.stats().elements).toBe(1);
  });

  it('X-38: a killed one, whose system says so, is out of its pool at once', async () => {
    const { world, setting, peer } = await registrar({}, 4_711);
    await peer.register(element(7));
    peer.association.destroy('LINK_CLOSED'); // ABORT; and nobody listens there
    expect(await world.until(() => setting.events.includes('removed 7: unreachable'))).toBeLessThan(100);
  });

  it('one that vanishes without a word is out of its pool within the bound', async () => {
    const { world, setting, peer } = await registrar({}, 4_711);
    await peer.register(element(7));
    world.host('peer').process.crash({ peersSee: 'nothing' });
    await world.until(() => setting.events.some((event) => event.startsWith('removed 7')), 1.5 * quickTimers.keepAlivePeriod + 600 + 2 * quickTimers.keepAliveTimeout);
  });

  it('RFC 5354 §3.4: a multi-homed element is asked at its other addresses where the first does not answer', async () => {
    const { world, setting, peer } = await registrar({}, 4_711);
    await peer.listen();
    await peer.register({ ...element(7), asapTransport: { transport: 'sctp', port: 4_711, use: 'data-only', addresses: ['10.9.9.9', peer.address] } });
    peer.association.destroy('LINK_CLOSED');
    await world.advance(quickTimers.keepAliveTimeout);
    expect(peer.visits).toHaveLength(1);
    await world.advance(10_000);
    expect(setting.registrar.stats().elements).toBe(1);
  });

  // proves 5352-3.3-r
  it('on TCP and SCTP at once there is one handlespace', async () => {
    const world = new World();
    const { address } = world.host('registrar');
    const setting = await RegistrarWorld.start({ asap: [`tcp://${address}:3863`, `${SCTP}://${address}:3863`] }, world);
    const [tcp, sctp] = [await setting.peer('one'), new AsapPeer(world, 'two', `${SCTP}://${address}:3863`)];
    await world.advance(50);
    await sctp.register(element(7));
    await tcp.register(elementOf(8, { userTransport: { transport: 'sctp', port: 1, use: 'data-only', addresses: ['10.9.0.2'] } }));
    expect((await tcp.resolve()).poolElements.map(({ identifier }) => identifier).sort()).toEqual([7, 8]);
    expect((await sctp.resolve()).poolElements.map(({ identifier }) => identifier).sort()).toEqual([7, 8]);
  });

  it('a port that is in use is ADDRESS_IN_USE', async () => {
    const { setting } = await registrar();
    await expect(setting.world.settled(createRegistrar({ asap: [setting.address], environment: setting.host.environment }))).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  });
});

describe('ENRP over SCTP (RFC 5353 §2)', () => {
  // proves 5353-3.1-a
  it('registrars meet, by an association from port 9901 to port 9901', async () => {
    const packets: string[] = [];
    const scope = await scopeOf(2, {}, (from, to) => { packets.push(`${from} ${to}`); });
    await scope.world.until(() => scope.peers('r1').join() === 'r2 active' && scope.peers('r2').join() === 'r1 active');
    expect([...new Set(packets)]).toEqual(['9901 9901']);
    expect(scope.registrar('r1').peers()).toMatchObject([{ addresses: [scope.address('r2', 9901)] }]);
  });

  it('a registration is known everywhere; a third that joins downloads it', async () => {
    const scope = await scopeOf(3, {}, undefined, ['r1', 'r2']);
    const peer = await elementAt(scope, 'r1');
    expect(scope.known('r2')).toEqual(['7@r1']);
    await scope.open('r3');
    expect(scope.known('r3')).toEqual(['7@r1']);
    await peer.deregister(7);
    await scope.world.advance(50);
    expect(scope.known('r3')).toEqual([]);
  });

  it('§3.5: the elements of one that vanishes are taken over, at the port that they came from, with H set', async () => {
    const scope = await scopeOf(3);
    const peer = await elementAt(scope, 'r1');
    scope.world.host('r1').process.crash({ peersSee: 'nothing' });
    scope.registrars.delete('r1');
    await scope.world.until(() => peer.visits.length > 0, 5_000);
    expect(peer.visits[0]).toMatchObject({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, peIdentifier: 7 });
    await scope.world.advance(20_000);
    expect(scope.events.filter((event) => event.endsWith('won'))).toHaveLength(1);
    expect(scope.agree(['r2', 'r3'])).toBe(true);
    expect(scope.known('r2')[0]).toMatch(/7@r[23]/);
  });

  it('where one is on TCP and another on SCTP, a third on both joins them', async () => {
    const world = new World();
    const scope = await ScopeWorld.start(3, {}, world, []);
    const [t, s] = [(name: string, port: number) => scope.address(name, port), (name: string, port: number) => scope.address(name, port, SCTP)];
    await scope.open('r1', { asap: [t('r1', 3863), s('r1', 3863)], enrp: [t('r1', 9901), s('r1', 9901)], peers: [] });
    await scope.open('r2', { asap: [t('r2', 3863)], enrp: [t('r2', 9901)], peers: [t('r1', 9901)] });
    await scope.open('r3', { asap: [s('r3', 3863)], enrp: [s('r3', 9901)], peers: [s('r1', 9901)] });
    open.push(...scope.registrars.values());
    await world.until(() => ['r1', 'r2', 'r3'].every((name) => scope.peers(name).every((state) => state.endsWith('active')) && scope.peers(name).length === 2), 10_000);
    const peer = new AsapPeer(world, 'pe', s('r3', 3863), 4_711);
    await peer.listen();
    await world.advance(50);
    await peer.register(element(7));
    await world.advance(50);
    expect(['r1', 'r2', 'r3'].map((name) => scope.known(name))).toEqual([['7@r3'], ['7@r3'], ['7@r3']]);
    world.host('r3').process.crash({ peersSee: 'nothing' });
    scope.registrars.delete('r3');
    await world.until(() => peer.visits.length > 0, 5_000); // also where the one on TCP alone has won
    await world.advance(20_000);
    expect(scope.agree(['r1', 'r2'])).toBe(true);
    expect(scope.known('r1')[0]).toMatch(/7@r[12]/);
  });

  it('a presence with several addresses (multi-homing) is met at one that answers', async () => {
    const scope = await scopeOf(2, {}, undefined, ['r1']);
    const { world } = scope;
    const stranger = world.host('r2');
    const sctp = stranger.environment.transports(SCTP);
    const visited: string[] = [];
    await world.settled(sctp.listen(`${SCTP}://${stranger.address}:9901`, (link) => Association.take(enrpProtocol(0x55), link, () => ({ message: ({ type }) => { visited.push(type); }, down: () => undefined }), stranger.environment), enrpProtocol(0x55)));
    const first = Association.open(enrpProtocol(0x55), sctp, scope.address('r1', 9901), (association) => ({
      up: () => {
        association.send({
          type: 'ENRP_PRESENCE', flags: { replyRequired: false }, sendingServer: 0x55, receivingServer: 0, checksum: 0xffff,
          serverInformation: { serverId: 0x55, transport: { transport: 'sctp', port: 9901, use: 'data-only', addresses: ['10.9.9.9', stranger.address] } },
        });
      },
      message: () => undefined, down: () => undefined,
    }), { ...stranger.environment, localPort: 9901 });
    await world.advance(200);
    first.destroy('LINK_CLOSED');
    await world.until(() => visited.includes('ENRP_PRESENCE'), 10_000);
  });
});

async function registrar(options = {}, localPort = 0) {
  const world = new World();
  const setting = await RegistrarWorld.start(options, world, SCTP);
  open.push(setting.registrar);
  const peer = new AsapPeer(world, 'peer', setting.address, localPort);
  await world.advance(50);
  return { world, setting, peer };
}

const element = (identifier: number) => elementOf(identifier, { userTransport: { transport: 'sctp', port: 5_000 + identifier, use: 'data-only', addresses: ['10.9.0.1'] } });

async function scopeOf(count: number, options = {}, seen?: (from: number, to: number) => void, names?: readonly string[]): Promise<ScopeWorld> {
  const world = new World(seen && { trace: ({ kind, bytes }) => { if (kind === 'datagram' && bytes !== undefined) seen(readU16(bytes, 0), readU16(bytes, 2)); } });
  const scope = await ScopeWorld.start(count, options, world, names, SCTP);
  open.push(...scope.registrars.values());
  return scope;
}

async function elementAt(scope: ScopeWorld, home: string): Promise<AsapPeer> {
  const peer = new AsapPeer(scope.world, 'pe', scope.address(home), 4_711);
  await peer.listen();
  await scope.world.advance(50);
  await peer.register(element(7), echo);
  await scope.world.advance(50);
  return peer;
}
