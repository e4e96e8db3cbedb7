import { describe, expect, it } from '@jest/globals';
import { createRegistrar } from '../../actors/registrar.js';
import { quickTimers } from '../../machines/timers.js';
import type { EnrpMessage, EnrpMessageOf, PoolElement } from '../../wire/index.js';
import { EnrpPeer } from '../support/enrp-peer.js';
import { AsapPeer, echo, elementOf } from '../support/registrar-world.js';
import { World } from '../../testing/world.js';

/** RFC 5353 §3.5: a registrar that takes another one over, or is asked to let it be; its peers are made by hand. */

const ID = 0x20;

describe('the initiating registrar (RFC 5353 §3.5)', () => {
  // proves 5353-3.5.1-a, 5353-3.5.1-b, 5353-3.5.1-c, 5353-3.5.1-m, 5353-3.5.1-n, 5353-3.5.2-a, 5353-3.5.2-b, 5353-3.5.2-c, 5353-3.5.2-d, 5353-3.5.2-e, 5353-3.5.2-f
  it('asks all peers, waits for each but the target, tells them, and makes itself home of what the target owned', async () => {
    const { world, registrar, target, others, pe } = await setting();
    others[1].deaf.add('ENRP_INIT_TAKEOVER');
    await pe.listen();
    own(target, elementOf(1, { asapTransport: pe.asapTransport }));
    own(others[0], elementOf(2, { asapTransport: pe.asapTransport }));
    await world.advance(20);
    target.rest();
    target.deaf.add('ENRP_PRESENCE');
    target.deaf.add('ENRP_INIT_TAKEOVER');
    await world.until(() => others.every((peer) => peer.of('ENRP_INIT_TAKEOVER').length > 0), 5_000);
    for (const peer of others) expect(peer.of('ENRP_INIT_TAKEOVER')[0]).toMatchObject({ sendingServer: ID, targetingServer: target.id });
    expect(target.of('ENRP_INIT_TAKEOVER')[0]).toMatchObject({ sendingServer: ID, targetingServer: target.id });
    await world.advance(20);
    expect(others[0].of('ENRP_TAKEOVER_SERVER')).toEqual([]); // one has not answered yet
    others[1].send({ type: 'ENRP_INIT_TAKEOVER_ACK', sendingServer: others[1].id, receivingServer: ID, targetingServer: target.id });
    await world.advance(20);
    for (const peer of others) expect(peer.of('ENRP_TAKEOVER_SERVER')).toEqual([expect.objectContaining({ sendingServer: ID, targetingServer: target.id })]);
    expect(registrar.peers().map(({ id }) => id)).not.toContain(target.id);
    expect(pe.visits.filter(({ type }) => type === 'ASAP_ENDPOINT_KEEP_ALIVE')).toEqual([expect.objectContaining({ flags: { home: true }, serverIdentifier: ID, poolHandle: echo })]);
    const { poolElements } = await pe.resolve();
    expect(poolElements.map(({ identifier, homeRegistrar }) => [identifier, homeRegistrar]).sort()).toEqual([[1, ID], [2, others[0].id]]);
  });

  // proves 5353-3.5.1-f, 5353-3.5.1-o
  it('§3.5.1: a presence of the target stops it, and the target is active', async () => {
    const { world, registrar, target, others } = await setting();
    for (const peer of others) peer.deaf.add('ENRP_INIT_TAKEOVER');
    target.rest();
    target.deaf.add('ENRP_PRESENCE');
    await world.until(() => others[0].of('ENRP_INIT_TAKEOVER').length > 0, 5_000);
    target.beat();
    await world.advance(50);
    for (const peer of others) peer.send({ type: 'ENRP_INIT_TAKEOVER_ACK', sendingServer: peer.id, receivingServer: ID, targetingServer: target.id });
    await world.advance(500);
    expect(others.flatMap((peer) => peer.of('ENRP_TAKEOVER_SERVER'))).toEqual([]);
    expect(registrar.peers().find(({ id }) => id === target.id)?.state).toBe('active');
  });
});

describe('one that is asked (RFC 5353 §3.5.1)', () => {
  // proves 5353-3.5.1-d, 5353-3.5.1-e
  it('1: is the target itself: it announces itself to all its peers at once', async () => {
    const { world, others: [first, second], target } = await setting();
    for (const peer of [first, second, target]) peer.clear();
    first.send(initTakeover(first, ID));
    await world.advance(5);
    for (const peer of [first, second, target]) expect(peer.of('ENRP_PRESENCE').filter(({ sendingServer }) => sendingServer === ID).length).toBeGreaterThan(0);
    expect(first.of('ENRP_INIT_TAKEOVER_ACK')).toEqual([]);
  });

  // proves 5353-3.5.1-k, 5353-3.5.1-l
  it('3: has not begun itself: it agrees, and watches the target no longer', async () => {
    const { world, registrar, others: [first, second], target } = await setting();
    target.rest();
    target.deaf.add('ENRP_PRESENCE');
    await world.advance(10);
    first.send(initTakeover(first, target.id));
    await world.advance(quickTimers.maxTimeNoResponse + 20); // asks the target before it agrees
    expect(first.of('ENRP_INIT_TAKEOVER_ACK')).toEqual([expect.objectContaining({ sendingServer: ID, targetingServer: target.id })]);
    expect(registrar.peers().find(({ id }) => id === target.id)?.state).not.toBe('active');
    await world.advance(1_000);
    expect(second.of('ENRP_INIT_TAKEOVER')).toEqual([]);
  });

  // proves 5353-3.5.1-g, 5353-3.5.1-h, 5353-3.5.1-i
  it('2A: has begun, and its id is the smaller one: it gives up and agrees', async () => {
    const { world, larger, target, registrar } = await arbitrating();
    larger.send(initTakeover(larger, target.id));
    await world.advance(10);
    expect(larger.of('ENRP_INIT_TAKEOVER_ACK')).toEqual([expect.objectContaining({ sendingServer: ID, targetingServer: target.id })]);
    larger.send({ type: 'ENRP_INIT_TAKEOVER_ACK', sendingServer: larger.id, receivingServer: ID, targetingServer: target.id });
    await world.advance(300);
    expect(larger.of('ENRP_TAKEOVER_SERVER')).toEqual([]);
    expect(registrar.peers().find(({ id }) => id === target.id)?.state).not.toBe('active');
  });

  // proves 5353-3.5.1-g, 5353-3.5.1-j
  it('2B: has begun, and its id is the larger one: it does not answer, and goes on', async () => {
    const { world, smaller, larger, target } = await arbitrating();
    smaller.send(initTakeover(smaller, target.id));
    await world.advance(10);
    expect(smaller.of('ENRP_INIT_TAKEOVER_ACK')).toEqual([]);
    for (const peer of [smaller, larger]) peer.send({ type: 'ENRP_INIT_TAKEOVER_ACK', sendingServer: peer.id, receivingServer: ID, targetingServer: target.id });
    await world.advance(20);
    expect(smaller.of('ENRP_TAKEOVER_SERVER')).toHaveLength(1);
  });

  // proves 5353-3.5.2-g, 5353-3.5.2-h
  it('§3.5.2: told of the end, it removes the target, and the winner is home of what the target owned', async () => {
    const { world, registrar, others: [first, second], target, pe } = await setting();
    own(target, elementOf(1));
    own(second, elementOf(2));
    await world.advance(20);
    target.rest();
    target.deaf.add('ENRP_PRESENCE');
    first.send(initTakeover(first, target.id));
    await world.advance(quickTimers.maxTimeNoResponse + 20);
    first.send({ type: 'ENRP_TAKEOVER_SERVER', sendingServer: first.id, receivingServer: 0, targetingServer: target.id });
    await world.advance(10);
    expect(registrar.peers().map(({ id }) => id)).not.toContain(target.id);
    expect((await pe.resolve()).poolElements.map(({ identifier, homeRegistrar }) => [identifier, homeRegistrar]).sort()).toEqual([[1, first.id], [2, second.id]]);
  });
});

const initTakeover = (from: EnrpPeer, targetingServer: number): EnrpMessage => ({ type: 'ENRP_INIT_TAKEOVER', sendingServer: from.id, receivingServer: 0, targetingServer });

function own(peer: EnrpPeer, element: PoolElement): void {
  const asapTransport = element.asapTransport ?? { transport: 'tcp', port: 1, addresses: ['10.9.0.1'] } as const;
  peer.send({ type: 'ENRP_HANDLE_UPDATE', sendingServer: peer.id, receivingServer: 0, updateAction: 'ADD_PE', poolHandle: echo, poolElement: { ...element, homeRegistrar: peer.id, asapTransport } } as EnrpMessageOf<'ENRP_HANDLE_UPDATE'> & EnrpMessage);
}

/** A registrar with three peers that beat: the target, one with a smaller and one with a larger id than its own; and an association of a pool element. */
async function setting() {
  const world = new World();
  const host = world.host('registrar');
  const registrar = await world.settled(createRegistrar({ asap: [`tcp://${host.address}:3863`], enrp: [`tcp://${host.address}:9901`], id: ID, environment: host.environment }));
  const [target, smaller, larger] = [await EnrpPeer.start(world, 'target', 0x15), await EnrpPeer.start(world, 'smaller', 0x10), await EnrpPeer.start(world, 'larger', 0x30)];
  for (const peer of [target, smaller, larger]) {
    await peer.meet(registrar.enrp[0] as string);
    peer.beat();
  }
  const pe = new AsapPeer(world, 'pe', registrar.asap[0] as string);
  await world.advance(50);
  for (const peer of [target, smaller, larger]) peer.clear();
  return { world, registrar, target, smaller, larger, others: [smaller, larger] as const, pe };
}

/** The registrar has begun to take the target over, and waits for its two peers. */
async function arbitrating() {
  const given = await setting();
  for (const peer of given.others) peer.deaf.add('ENRP_INIT_TAKEOVER');
  given.target.rest();
  given.target.deaf.add('ENRP_PRESENCE');
  given.target.deaf.add('ENRP_INIT_TAKEOVER');
  await given.world.until(() => given.others.every((peer) => peer.of('ENRP_INIT_TAKEOVER').length > 0), 5_000);
  return given;
}
