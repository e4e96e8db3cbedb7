import { describe, expect, it } from '@jest/globals';
import { createRegistrar, type RegistrarOptions } from '../../actors/registrar.js';
import { resolveTimers, type Timers } from '../../machines/timers.js';
import type { EnrpMessage, EnrpMessageOf, PoolElement } from '../../wire/index.js';
import { EnrpPeer } from '../support/enrp-peer.js';
import { AsapPeer, echo, elementOf } from '../support/registrar-world.js';
import { World } from '../../testing/world.js';

/** RFC 5353 §3.3, §3.4, §3.6, §3.7: a registrar, and peers made by hand. */

const ID = 0x20;

describe('updates that a registrar sends (RFC 5353 §3.3)', () => {
  // proves 5353-2.1-a, 5353-3.3.1-a, 5353-3.3.1-b, 5353-3.3.1-c, 5352-3.1-ao, 5353-3-a
  it('§3.3.1: a registration and a re-registration go to all peers, whole, as ADD_PE', async () => {
    const { peers, pe } = await setting();
    const element = elementOf(7, { policy: { policy: 'least-used', load: 1 }, registrationLife: 99 });
    await pe.register(element);
    await pe.register({ ...element, policy: { policy: 'least-used', load: 2 } });
    for (const peer of peers) {
      const updates = peer.of('ENRP_HANDLE_UPDATE');
      expect(updates.map(({ updateAction, sendingServer, receivingServer }) => [updateAction, sendingServer, receivingServer])).toEqual([['ADD_PE', ID, 0], ['ADD_PE', ID, 0]]);
      expect(updates.map(({ poolHandle }) => Buffer.from(poolHandle).toString())).toEqual(['echo', 'echo']);
      expect(updates.map(({ poolElement }) => poolElement)).toMatchObject([1, 2].map((load) => ({ ...element, policy: { policy: 'least-used', load }, homeRegistrar: ID, asapTransport: { transport: 'tcp' } })));
    }
  });

  // proves 5352-3.2-r
  it('5352 §3.1, §3.2: of what is refused nobody is told', async () => {
    const { peers, pe, world, registrar } = await setting();
    await pe.register(elementOf(7, { policy: { policy: 'random' } }));
    for (const peer of peers) peer.clear();
    expect((await pe.register(elementOf(8))).isRejected).toBe(true);
    const other = new AsapPeer(world, 'other', registrar.asap[0] as string);
    await world.advance(5);
    expect((await other.deregister(7)).error).toBeDefined();
    expect(peers.map((peer) => peer.of('ENRP_HANDLE_UPDATE'))).toEqual([[], []]);
  });

  // proves 5353-3.3.2-a, 5353-3.3.2-b, 5353-3.3.2-c, 5353-3.3.2-d, 5352-3.2-q
  it('§3.3.2: a de-registration, and the removal of one that is dead, go to all peers, whole, as DEL_PE', async () => {
    const { peers, pe, world } = await setting();
    await pe.register(elementOf(7));
    await pe.register(elementOf(8));
    await pe.deregister(7);
    pe.association.destroy('LINK_LOST'); // nobody listens at its address
    await world.advance(5_000);
    for (const peer of peers) {
      const removals = peer.of('ENRP_HANDLE_UPDATE').filter(({ updateAction }) => updateAction === 'DEL_PE');
      expect(removals.map(({ sendingServer, receivingServer, poolElement: { identifier, userTransport } }) => [sendingServer, receivingServer, identifier, userTransport]))
        .toEqual([7, 8].map((identifier) => [ID, 0, identifier, elementOf(identifier).userTransport]));
      expect(removals.map(({ poolHandle }) => Buffer.from(poolHandle).toString())).toEqual(['echo', 'echo']);
    }
  });
});

describe('updates that a registrar gets (RFC 5353 §3.3)', () => {
  // proves 5353-3.3.1-d, 5353-3.3.1-e, 5353-3.3.1-f, 5353-3.3.1-g, 5353-3.3.1-h
  it('§3.3.1, 1 to 3: a new pool with its policy, a new element, a known one replaced', async () => {
    const { peers: [peer], pe, world } = await setting();
    const first = foreign(1, { policy: { policy: 'least-used', load: 5 }, registrationLife: 99 });
    peer.send(update('ADD_PE', first));
    await world.advance(10);
    const one = await pe.resolve();
    expect([one.policy?.policy, one.poolElements]).toMatchObject(['least-used', [first]]);
    peer.send(update('ADD_PE', foreign(2, { policy: { policy: 'least-used', load: 9 } })));
    peer.send(update('ADD_PE', { ...first, policy: { policy: 'least-used', load: 20 } }));
    await world.advance(10);
    expect((await pe.resolve()).poolElements).toMatchObject([{ identifier: 2 }, { identifier: 1, policy: { load: 20 } }]);
  });

  // proves 5353-3.3.2-e, 5353-3.3.2-f, 5353-3.3.2-g
  it('§3.3.2: an element goes, and its pool with the last; what is not known is passed over', async () => {
    const { peers: [peer], pe, world, registrar } = await setting();
    for (const identifier of [1, 2]) peer.send(update('ADD_PE', foreign(identifier)));
    await world.advance(10);
    peer.send(update('DEL_PE', foreign(1)));
    peer.send(update('DEL_PE', foreign(9)));
    peer.send({ ...update('DEL_PE', foreign(1)), poolHandle: Buffer.from('another') } as EnrpMessage);
    await world.advance(10);
    expect((await pe.resolve()).poolElements.map(({ identifier }) => identifier)).toEqual([2]);
    peer.send(update('DEL_PE', foreign(2)));
    await world.advance(10);
    expect([registrar.stats().pools, (await pe.resolve()).error, peer.of('ENRP_ERROR')]).toEqual([0, [{ cause: 'unknown-pool-handle' }], []]);
  });

  // proves 5352-3.1-ag
  it('5352 §3.1 rule 4: an element of another registrar that registers here is ours', async () => {
    const { peers, pe, world } = await setting();
    const [peer] = peers;
    const element = elementOf(7);
    peer.send(update('ADD_PE', { ...element, homeRegistrar: peer.id, asapTransport: { transport: 'tcp', port: 1, addresses: [world.host('pe').address] } }));
    await world.advance(10);
    expect((await pe.register(element)).isRejected).toBe(false);
    expect((await pe.resolve()).poolElements).toMatchObject([{ identifier: 7, homeRegistrar: ID }]);
    expect(peers.map((each) => each.of('ENRP_HANDLE_UPDATE').at(-1)?.poolElement.homeRegistrar)).toEqual([ID, ID]);
  });
});

describe('presence (RFC 5353 §3.4)', () => {
  // proves 5353-3.4-a, 5353-3.4.1-a, 5353-3.4.1-b
  it('§3.4.1: any message of one that is not known makes it a peer, and is answered by a presence that asks for one', async () => {
    const { world, registrar } = await setting();
    const stranger = await EnrpPeer.start(world, 'stranger', 0x33);
    await stranger.meet(registrar.enrp[0] as string, { type: 'ENRP_LIST_REQUEST', sendingServer: stranger.id, receivingServer: ID });
    expect(stranger.of('ENRP_PRESENCE').map(({ flags }) => flags.replyRequired)).toContain(true);
    expect(registrar.peers().find(({ id }) => id === 0x33)?.state).toBe('active');
  });

  // proves 5353-2.1-b, 5353-2.1-d
  it('§2.1: its answer to "reply required" says where it is', async () => {
    const { world, peers: [peer], registrar } = await setting();
    peer.clear();
    await peer.ask(peer.presence(true));
    await world.advance(10);
    const answer = peer.of('ENRP_PRESENCE').find(({ serverInformation }) => serverInformation !== undefined);
    expect(answer).toMatchObject({ sendingServer: ID, serverInformation: { serverId: ID, transport: { port: Number(registrar.enrp[0]?.split(':').at(-1)) } } });
  });

  // proves 5353-3.4.2-a, 5353-3.4.2-b, 5353-2.1-c, 5353-3.6.1-b
  it('§3.4.2: beats each PEER-HEARTBEAT-CYCLE to each peer, asking for nothing, with its checksum', async () => {
    const { world, peers, pe, timers } = await setting();
    for (const peer of peers) peer.clear();
    await world.advance(10 * timers.peerHeartbeatCycle);
    for (const peer of peers) {
      const beats = peer.of('ENRP_PRESENCE').filter(({ flags }) => !flags.replyRequired);
      expect(beats.length).toBeGreaterThanOrEqual(7);
      expect(beats.length).toBeLessThanOrEqual(15);
      expect(new Set(beats.map(({ checksum }) => checksum))).toEqual(new Set([0xffff]));
    }
    await pe.register(elementOf(0x77), Buffer.from('EchoPool'));
    for (const peer of peers) peer.clear();
    await world.advance(2 * timers.peerHeartbeatCycle);
    for (const peer of peers) expect(peer.of('ENRP_PRESENCE').map(({ checksum }) => checksum)).toContain(0x91da);
  });

  // proves 5353-3.4.3-a, 5353-3.4.3-c, 5353-3.4.3-d, 5353-3.4.3-e
  it('§3.4.3: silent for MAX-TIME-LAST-HEARD a peer is asked; silent on for MAX-TIME-NO-RESPONSE it is dead, and a takeover begins', async () => {
    const { world, peers: [peer, other], timers, registrar } = await setting();
    peer.deaf.add('ENRP_PRESENCE');
    peer.rest();
    await world.advance(1);
    peer.clear();
    const asked = await world.until(() => peer.of('ENRP_PRESENCE').some(({ flags }) => flags.replyRequired), 2 * timers.maxTimeLastHeard);
    expect(asked).toBeGreaterThan(timers.maxTimeLastHeard - 250);
    expect(registrar.peers().find(({ id }) => id === peer.id)?.state).toBe('suspected');
    const dead = await world.until(() => other.of('ENRP_INIT_TAKEOVER').length > 0, 2 * timers.maxTimeNoResponse);
    expect(dead).toBeGreaterThan(timers.maxTimeNoResponse - 50);
    expect(other.of('ENRP_INIT_TAKEOVER')[0]).toMatchObject({ sendingServer: ID, targetingServer: peer.id });
  });

  // proves 5353-3.4.3-b
  it('§3.4.3: any message is a sign of life', async () => {
    const { world, peers: [peer], timers, registrar } = await setting();
    peer.rest();
    for (let time = 0; time < 10; time += 1) {
      await world.advance(timers.maxTimeLastHeard / 2);
      peer.send(update('ADD_PE', foreign(1)));
    }
    peer.clear();
    await world.advance(timers.maxTimeLastHeard / 2);
    expect([registrar.peers().find(({ id }) => id === peer.id)?.state, peer.of('ENRP_PRESENCE').filter(({ flags }) => flags.replyRequired)]).toEqual(['active', []]);
  });
});

describe('audit (RFC 5353 §3.6)', () => {
  // proves 5353-3.6-a, 5353-3.6.1-c, 5353-3.6.1-d, 5353-3.6.1-e, 5353-3.6.1-f, 5353-3.6.3-a, 5353-3.6.3-c
  it('§3.6.1: a checksum that agrees is that; one that does not makes it ask at once for all that its peer owns', async () => {
    const { world, peers: [peer] } = await setting();
    await world.advance(2_000);
    expect(peer.of('ENRP_HANDLE_TABLE_REQUEST')).toEqual([]);
    peer.saysChecksum = 0x1234;
    await world.until(() => peer.of('ENRP_HANDLE_TABLE_REQUEST').length > 0, 500);
    expect(peer.of('ENRP_HANDLE_TABLE_REQUEST')[0]).toMatchObject({ flags: { ownChildrenOnly: true }, sendingServer: ID });
  });

  // proves 5353-3.6.3-b, 5353-3.6.3-e, 5353-3.6.3-f, 5353-3.6.3-g, 5353-3.6.3-h, 5353-3.6.3-i
  it('§3.6.3: takes what comes, also in pieces, and removes what did not, in silence', async () => {
    const { world, peers: [peer, other], pe } = await setting();
    for (const identifier of [1, 2, 3]) peer.send(update('ADD_PE', foreign(identifier)));
    await world.advance(5);
    other.clear();
    peer.pieces = [[{ poolHandle: echo, poolElements: [foreign(2, { registrationLife: 77 })] }], [{ poolHandle: echo, poolElements: [foreign(4)] }]];
    peer.saysChecksum = 0x1234;
    await world.until(() => peer.of('ENRP_HANDLE_TABLE_REQUEST').length > 1, 1_000);
    await world.advance(10);
    const { poolElements } = await pe.resolve();
    expect(poolElements.map(({ identifier, registrationLife }) => [identifier, registrationLife]).sort()).toEqual([[2, 77], [4, 300]]);
    expect(other.of('ENRP_HANDLE_UPDATE')).toEqual([]);
  });

  it.each([['names it', [2]], ['does not name it either', []]] as const)('X-41: what its owner does not name any more stays while the table of another peer is to come; that one %s', async (_, named) => {
    const { world, peers: [peer, other], pe, timers } = await setting();
    for (const identifier of [1, 2]) peer.send(update('ADD_PE', foreign(identifier)));
    await world.advance(5);
    const listed = async (): Promise<readonly number[]> => (await pe.resolve()).poolElements.map(({ identifier }) => identifier).sort();
    peer.pieces = [[{ poolHandle: echo, poolElements: [foreign(1)] }]];
    other.pieces = [named.map((identifier) => ({ poolHandle: echo, poolElements: [foreign(identifier, { homeRegistrar: other.id })] }))];
    for (const each of [peer, other]) {
      each.rest();
      each.saysChecksum = 0x1234;
    }
    const says = async (each: EnrpPeer, after: number): Promise<void> => {
      await world.advance(after);
      each.send(each.presence());
      await world.advance(10);
    };
    const stands = timers.peerHeartbeatCycle / 2 + 1;
    await says(peer, 0);
    await says(other, stands);
    await says(peer, 0);
    expect([peer, other].map((each) => each.of('ENRP_HANDLE_TABLE_REQUEST').length)).toEqual([1, 0]);
    expect(await listed()).toEqual([1, 2]);
    await says(other, stands);
    expect(other.of('ENRP_HANDLE_TABLE_REQUEST')).toHaveLength(1);
    expect(await listed()).toEqual([1, ...named]);
  });

  // proves 5353-3.6.3-d
  it('§3.6.3, 3: asked with W = 1 it gives what it owns, and no more', async () => {
    const { world, peers: [peer], pe } = await setting();
    await pe.register(elementOf(7));
    peer.send(update('ADD_PE', foreign(1)));
    await world.advance(10);
    await peer.ask({ type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly: true }, sendingServer: peer.id, receivingServer: ID });
    const [answer] = peer.of('ENRP_HANDLE_TABLE_RESPONSE');
    expect([answer?.flags, answer?.poolEntries.flatMap(({ poolElements }) => poolElements.map(({ identifier }) => identifier))]).toEqual([{ reject: false, moreToSend: false }, [7]]);
  });
});

describe('what is not known (RFC 5353 §3.7)', () => {
  // proves 5353-3.7-a, 5353-3.7-b
  it('messages and parameters: ENRP_ERROR where their bits ask for it', async () => {
    const { world, peers: [peer], registrar } = await setting();
    for (const type of [0x3f, 0x7f, 0xbf, 0xff]) peer.sendFrame(Buffer.from([type, 0, 0, 12, 0, 0, 0, peer.id, 0, 0, 0, 0]));
    peer.sendFrame(Buffer.from([0x01, 0, 0, 16, 0, 0, 0, peer.id, 0, 0, 0, 0, 0xc1, 0x23, 0, 4]));
    await world.advance(10);
    expect(peer.of('ENRP_ERROR').map(({ sendingServer, error }) => [sendingServer, error.map(({ cause }) => cause)])).toEqual([[ID, ['unrecognized-message']], [ID, ['unrecognized-parameter']]]);
    expect(registrar.peers().find(({ id }) => id === peer.id)?.state).toBe('active');
  });
});

const foreign = (identifier: number, more: Partial<PoolElement> = {}): PoolElement => elementOf(identifier, { homeRegistrar: 0x10, asapTransport: { transport: 'tcp', port: 1, addresses: ['10.9.0.1'] }, ...more });
const update = (updateAction: 'ADD_PE' | 'DEL_PE', poolElement: PoolElement): EnrpMessage =>
  ({ type: 'ENRP_HANDLE_UPDATE', sendingServer: poolElement.homeRegistrar, receivingServer: 0, updateAction, poolHandle: echo, poolElement } as EnrpMessageOf<'ENRP_HANDLE_UPDATE'> & EnrpMessage);

/** A registrar with two peers that beat, and an association of a pool element. */
async function setting(options: Partial<RegistrarOptions> = {}) {
  const world = new World();
  const host = world.host('registrar');
  const timers: Timers = resolveTimers();
  const registrar = await world.settled(createRegistrar({ asap: [`tcp://${host.address}:3863`], enrp: [`tcp://${host.address}:9901`], id: ID, environment: host.environment, ...options }));
  const peers = [await EnrpPeer.start(world, 'r1', 0x10), await EnrpPeer.start(world, 'r2', 0x11)] as const;
  for (const peer of peers) {
    await peer.meet(registrar.enrp[0] as string);
    peer.beat();
  }
  const pe = new AsapPeer(world, 'pe', registrar.asap[0] as string);
  await world.advance(50);
  for (const peer of peers) peer.clear();
  return { world, host, registrar, peers, pe, timers };
}
