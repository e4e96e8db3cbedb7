import { describe, expect, it } from '@jest/globals';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../actors/registrar.js';
import { quickTimers } from '../../machines/timers.js';
import type { EnrpMessage, EnrpMessageOf, PoolElement } from '../../wire/index.js';
import { EnrpPeer } from '../support/enrp-peer.js';
import { AsapPeer, echo, elementOf } from '../support/registrar-world.js';
import { World } from '../../testing/world.js';

/** How we read what RFC 5353 leaves open (docs/conformance.md), with peers made by hand where their silence or their lies matter. */

describe('takeovers', () => {
  it('X-20: a peer that is alive and never acknowledges holds nobody up', async () => {
    const { world, target, other } = await withPeers();
    other.deaf.add('ENRP_INIT_TAKEOVER');
    silence(target);
    await world.until(() => other.of('ENRP_INIT_TAKEOVER').length > 0, 5_000);
    const took = await world.until(() => other.of('ENRP_TAKEOVER_SERVER').length > 0, 10 * quickTimers.maxTimeNoResponse);
    expect(took).toBeGreaterThan(2 * quickTimers.maxTimeNoResponse);
  });

  it('X-20: an initiator that dies after it was acknowledged is replaced', async () => {
    const { world, registrar, target, other } = await withPeers();
    own(target, elementOf(1));
    await world.advance(10);
    silence(target);
    other.send({ type: 'ENRP_INIT_TAKEOVER', sendingServer: other.id, receivingServer: 0, targetingServer: target.id });
    await world.until(() => other.of('ENRP_INIT_TAKEOVER_ACK').length > 0, 1_000);
    silence(other);
    for (const link of other.links) link.destroy('LINK_LOST');
    other.host.process.crash({ peersSee: 'reset' });
    await world.until(() => registrar.dump().pools[0]?.elements[0]?.home === '0x00000020', 3 * quickTimers.takeoverExpiry + 5_000);
  });

  it('X-21: the end of a takeover gives the winner what the target owned, and nothing else', async () => {
    const { world, registrar, target, other } = await withPeers();
    own(target, elementOf(1));
    own(other, elementOf(2));
    const pe = new AsapPeer(world, 'pe', registrar.asap[0] as string);
    await world.advance(5);
    await pe.register(elementOf(3));
    silence(target);
    other.send({ type: 'ENRP_INIT_TAKEOVER', sendingServer: other.id, receivingServer: 0, targetingServer: target.id });
    await world.until(() => other.of('ENRP_INIT_TAKEOVER_ACK').length > 0, 1_000);
    other.send({ type: 'ENRP_TAKEOVER_SERVER', sendingServer: other.id, receivingServer: 0, targetingServer: target.id });
    await world.advance(10);
    const homes = (await pe.resolve()).poolElements.map(({ identifier, homeRegistrar }) => [identifier, homeRegistrar]);
    expect(homes.sort()).toEqual([[1, other.id], [2, other.id], [3, registrar.identifier]]);
  });
});

describe('joining', () => {
  it('X-22: two that start with each other as mentor both serve, and know each other', async () => {
    const world = new World();
    const starting = ['a', 'b'].map(async (name, index) => begin(world, name, { id: 0x20 + index, peers: [`tcp://${world.host(name === 'a' ? 'b' : 'a').address}:9901`] }));
    const registrars = await world.settled(Promise.all(starting), 5_000);
    await world.advance(500);
    expect(registrars.map((registrar) => registrar.peers().map(({ id, state }) => [id, state]))).toEqual([[[0x21, 'active']], [[0x20, 'active']]]);
  });

  it('X-22: a mentor that is dead holds nobody up for ever; when it is there after all it is a peer', async () => {
    const world = new World();
    world.host('mentor').process.freeze();
    const mentorAddress = `tcp://${world.host('mentor').address}:9901`;
    const registrar = await world.settled(begin(world, 'a', { peers: [mentorAddress] }), 5 * quickTimers.mentorDiscovery);
    world.host('mentor').process.thaw();
    await world.settled(begin(world, 'mentor', { id: 0x10 }));
    await world.until(() => registrar.peers().some(({ id, state }) => id === 0x10 && state === 'active'), 2 * quickTimers.retranMax);
  });

  it('X-49: a newcomer that meets its own identifier takes another one before it serves', async () => {
    const world = new World();
    const first = await world.settled(begin(world, 'a', { id: 0x20 }));
    const second = await world.settled(begin(world, 'b', { id: 0x20, peers: [first.enrp[0] as string] }), 5_000);
    await world.advance(1_000);
    expect(second.identifier).not.toBe(0x20);
    expect([first.identifier, first.peers().map(({ id }) => id), second.peers().map(({ id }) => id)]).toEqual([0x20, [second.identifier], [0x20]]);
  });

  it('X-50: updates flow while the table comes, and win over its pieces', async () => {
    const world = new World();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    mentor.deaf.add('ENRP_HANDLE_TABLE_REQUEST');
    const joining = begin(world, 'a', { peers: [mentor.address] });
    await world.until(() => mentor.of('ENRP_HANDLE_TABLE_REQUEST').length > 0, 2_000);
    own(mentor, elementOf(1, { registrationLife: 99 }));
    own(mentor, elementOf(2));
    remove(mentor, elementOf(2));
    const stale = [1, 2, 3].map((identifier) => ({ ...elementOf(identifier), homeRegistrar: 0x10 }));
    mentor.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: false }, sendingServer: 0x10, receivingServer: 0x20, poolEntries: [{ poolHandle: echo, poolElements: stale }] });
    const registrar = await world.settled(joining);
    const user = new AsapPeer(world, 'user', registrar.asap[0] as string);
    await world.advance(5);
    expect((await user.resolve()).poolElements.map(({ identifier, registrationLife }) => [identifier, registrationLife]).sort()).toEqual([[1, 99], [3, 300]]);
  });
});

describe('presence', () => {
  it('X-24: one without a checksum is a sign of life, and no reason for an audit', async () => {
    const { world, target, registrar } = await withPeers();
    own(target, elementOf(1));
    silence(target);
    for (let time = 0; time < 30; time += 1) {
      target.send({ type: 'ENRP_PRESENCE', flags: { replyRequired: false }, sendingServer: target.id, receivingServer: 0 });
      await world.advance(200);
    }
    expect([target.of('ENRP_HANDLE_TABLE_REQUEST'), registrar.peers().find(({ id }) => id === target.id)?.state]).toEqual([[], 'active']);
  });
});

const silence = (peer: EnrpPeer): void => {
  peer.rest();
  peer.deaf.add('ENRP_PRESENCE');
  peer.deaf.add('ENRP_INIT_TAKEOVER');
};
const tell = (peer: EnrpPeer, updateAction: 'ADD_PE' | 'DEL_PE', element: PoolElement): void => {
  const poolElement = { ...element, homeRegistrar: peer.id, asapTransport: { transport: 'tcp', port: 1, addresses: ['10.9.0.1'] } } as PoolElement;
  peer.send({ type: 'ENRP_HANDLE_UPDATE', sendingServer: peer.id, receivingServer: 0, updateAction, poolHandle: echo, poolElement } as EnrpMessageOf<'ENRP_HANDLE_UPDATE'> & EnrpMessage);
};
const own = (peer: EnrpPeer, element: PoolElement): void => { tell(peer, 'ADD_PE', element); };
const remove = (peer: EnrpPeer, element: PoolElement): void => { tell(peer, 'DEL_PE', element); };

async function begin(world: World, name: string, options: Partial<RegistrarOptions> = {}): Promise<Registrar> {
  const { address, environment } = world.host(name);
  return createRegistrar({ asap: [`tcp://${address}:3863`], enrp: [`tcp://${address}:9901`], id: 0x20, environment, ...options });
}

/** A registrar and two peers that beat; one of them will be a target. */
async function withPeers() {
  const world = new World();
  const registrar = await world.settled(begin(world, 'registrar'));
  const [target, other] = [await EnrpPeer.start(world, 'target', 0x15), await EnrpPeer.start(world, 'other', 0x30)];
  for (const peer of [target, other]) {
    await peer.meet(registrar.enrp[0] as string);
    peer.beat();
  }
  await world.advance(50);
  for (const peer of [target, other]) peer.clear();
  return { world, registrar, target, other };
}
