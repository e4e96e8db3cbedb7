import { describe, expect, it } from '@jest/globals';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../actors/registrar.js';
import { quickTimers } from '../../machines/timers.js';
import { EnrpPeer } from '../support/enrp-peer.js';
import { AsapPeer, elementOf } from '../support/registrar-world.js';
import { World } from '../../testing/world.js';

/** RFC 5353 §3.2, both ends: a registrar that starts, and the mentor it asks; the other end is made by hand. */

const ID = 0x20;
const handle = (name: string): Buffer => Buffer.from(name);
const foreign = (identifier: number, home: number, more = {}) => elementOf(identifier, { homeRegistrar: home, asapTransport: { transport: 'tcp', port: 1, addresses: ['10.9.0.1'] }, ...more });

describe('a registrar that starts (RFC 5353 §3.2)', () => {
  // proves 5353-3.2.2.1-c, 5353-3.2.2.1-d, 5353-3.2.2.1-e
  it('§3.2.2.1: told of no other it is alone, and serves at once', async () => {
    const { world, start } = setting();
    const registrar = await start([]);
    expect([world.clock.now(), registrar.peers()]).toEqual([0, []]);
    const pe = new AsapPeer(world, 'pe', registrar.asap[0] as string);
    await world.advance(5);
    expect((await pe.register(elementOf(7))).isRejected).toBe(false);
  });

  // proves 5353-3.2.2.1-a, 5353-3.2.2.2-a, 5353-3.2.2.2-e, 5353-3.2.3-a, 5353-3.2.3-b
  it('§3.2.2.2, §3.2.3: asks the one it was told of for its list, then for the whole of its table, and has its peers from it', async () => {
    const { world, start } = setting();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    const other = await EnrpPeer.start(world, 'other', 0x11);
    mentor.list = [other.information];
    const registrar = await start([mentor.address]);
    const asked = mentor.received.filter(({ type }) => type === 'ENRP_LIST_REQUEST' || type === 'ENRP_HANDLE_TABLE_REQUEST');
    expect(asked).toEqual([
      expect.objectContaining({ type: 'ENRP_LIST_REQUEST', sendingServer: ID }),
      expect.objectContaining({ type: 'ENRP_HANDLE_TABLE_REQUEST', sendingServer: ID, flags: { ownChildrenOnly: false } }),
    ]);
    await world.advance(20);
    expect(registrar.peers().map(({ id }) => id).sort()).toEqual([0x10, 0x11]);
  });

  // proves 5353-3.2.3-g, 5353-3.2.3-h, 5353-3.2.3-i, 5353-3.2.3-j, 5353-3.2.3-k, 5353-3.2.3-l, 5353-3.2.3-m
  it('§3.2.3: asks on while there are pieces, and keeps pools and elements of each, also of a pool that comes in two', async () => {
    const { world, start } = setting();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    const least = (load: number) => ({ policy: { policy: 'least-used', load } as const });
    mentor.pieces = [
      [{ poolHandle: handle('a'), poolElements: [foreign(1, 0x10, least(5))] }, { poolHandle: handle('b'), poolElements: [foreign(1, 0x10), foreign(2, 0x10)] }],
      [{ poolHandle: handle('a'), poolElements: [foreign(2, 0x10, least(1))] }],
      [{ poolHandle: handle('b'), poolElements: [foreign(2, 0x10, { registrationLife: 77, generation: { generation: 2, home: 0x10 } })] }],
    ];
    const registrar = await start([mentor.address]);
    expect(mentor.of('ENRP_HANDLE_TABLE_REQUEST')).toHaveLength(3);
    const user = new AsapPeer(world, 'user', registrar.asap[0] as string);
    await world.advance(5);
    const [a, b] = [await user.resolve({ handle: handle('a') }), await user.resolve({ handle: handle('b') })];
    expect([a.policy?.policy, a.poolElements.map(({ identifier }) => identifier)]).toEqual(['least-used', [2, 1]]);
    expect([b.policy?.policy, b.poolElements.map(({ identifier, registrationLife }) => [identifier, registrationLife]).sort()]).toEqual(['round-robin', [[1, 300], [2, 77]]]);
  });

  // proves 5353-3.2.3-n
  it('§3.2.3, 5: serves when the last piece has come, not before', async () => {
    const { world, host, starting } = setting();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    mentor.deaf.add('ENRP_HANDLE_TABLE_REQUEST');
    const registrar = starting([mentor.address]);
    await world.until(() => mentor.of('ENRP_HANDLE_TABLE_REQUEST').length > 0, 1_000);
    await world.advance(20);
    expect([...host.process.servers.keys()]).toEqual([9901]);
    mentor.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: false }, sendingServer: 0x10, receivingServer: ID, poolEntries: [{ poolHandle: handle('a'), poolElements: [foreign(1, 0x10)] }] });
    await world.settled(registrar);
    const user = new AsapPeer(world, 'user', `tcp://${host.address}:3863`);
    await world.advance(5);
    expect((await user.resolve({ handle: handle('a') })).poolElements).toHaveLength(1);
  });

  // proves 5353-3.2.2.1-b, 5353-3.2.2.2-b, 5353-3.2.2.2-c
  it('§3.2.2.2: asks one; where that one does not answer within MAX-TIME-NO-RESPONSE another', async () => {
    const { world, starting } = setting();
    const [first, second] = [await EnrpPeer.start(world, 'first', 0x10), await EnrpPeer.start(world, 'second', 0x11)];
    for (const mentor of [first, second]) mentor.deaf.add('ENRP_LIST_REQUEST');
    const asked = (): EnrpPeer[] => [first, second].filter((mentor) => mentor.of('ENRP_LIST_REQUEST').length > 0);
    const joining = starting([first.address, second.address]);
    await world.until(() => asked().length > 0, 1_000);
    const [mentor] = asked() as [EnrpPeer];
    const reserve = mentor === first ? second : first;
    reserve.deaf.clear();
    const since = world.clock.now();
    await world.until(() => asked().length > 1, 2 * quickTimers.maxTimeNoResponse);
    expect(world.clock.now() - since).toBeGreaterThan(quickTimers.maxTimeNoResponse / 2);
    await world.settled(joining);
    expect(reserve.of('ENRP_HANDLE_TABLE_REQUEST')).toHaveLength(1);
  });

  // proves 5353-3.2.2.2-g, 5353-3.2.3-p
  it('§3.2.2.2, §3.2.3: refused, it asks again', async () => {
    const { world, starting } = setting();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    mentor.pieces = [[{ poolHandle: handle('a'), poolElements: [foreign(1, 0x10)] }]];
    mentor.isStarting = true;
    const joining = starting([mentor.address]);
    await world.until(() => mentor.of('ENRP_LIST_REQUEST').length > 1, 5_000);
    mentor.isStarting = false;
    mentor.deaf.add('ENRP_HANDLE_TABLE_REQUEST');
    await world.until(() => mentor.of('ENRP_HANDLE_TABLE_REQUEST').length > 0, 5_000);
    mentor.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: true, moreToSend: false }, sendingServer: 0x10, receivingServer: ID, poolEntries: [] });
    mentor.deaf.clear();
    const registrar = await world.settled(joining);
    await world.advance(3_000);
    expect(mentor.of('ENRP_HANDLE_TABLE_REQUEST').length).toBeGreaterThan(1);
    expect(registrar.stats().elements).toBe(1);
  });

  // proves 5353-3.2.3-q, 5353-3.2.3-r
  it('§3.2.3: a download that stops in the middle begins anew with another mentor', async () => {
    const { world, starting } = setting();
    const [first, second] = [await EnrpPeer.start(world, 'first', 0x10), await EnrpPeer.start(world, 'second', 0x11)];
    const piece = [{ poolHandle: handle('a'), poolElements: [foreign(1, 0x10)] }];
    for (const mentor of [first, second]) { mentor.pieces = [piece, piece]; mentor.deaf.add('ENRP_HANDLE_TABLE_REQUEST'); }
    const asked = (): EnrpPeer[] => [first, second].filter((mentor) => mentor.of('ENRP_HANDLE_TABLE_REQUEST').length > 0);
    const joining = starting([first.address, second.address]);
    await world.until(() => asked().length > 0, 1_000);
    const [mentor] = asked() as [EnrpPeer];
    const reserve = mentor === first ? second : first;
    mentor.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: true }, sendingServer: mentor.id, receivingServer: ID, poolEntries: piece });
    reserve.deaf.clear();
    const registrar = await world.settled(joining);
    expect([reserve.of('ENRP_HANDLE_TABLE_REQUEST').length, registrar.stats().elements]).toEqual([2, 1]);
  });
});

describe('identifiers of registrars (RFC 5353 §2.1, §3.2.1)', () => {
  // proves 5353-2.1-e, 5353-3.2.1-a, 5353-3.2.1-b
  it('are drawn at random from 32 bits, are never 0, and stay', async () => {
    const { world } = setting();
    const registrars: Registrar[] = [];
    for (let index = 0; index < 30; index += 1) {
      const { address, environment } = world.host(`registrar${index}`);
      registrars.push(await world.settled(createRegistrar({ asap: [`tcp://${address}:3863`], environment })));
    }
    const drawn = registrars.map(({ identifier }) => identifier);
    await world.advance(10_000);
    expect([new Set(drawn).size, drawn.includes(0), new Set(drawn.map((id) => id >>> 30)).size]).toEqual([30, false, 4]);
    expect(registrars.map(({ identifier }) => identifier)).toEqual(drawn);
  });
});

describe('a mentor (RFC 5353 §3.2)', () => {
  // proves 5353-3.2.2.2-d
  it('§3.2.2.2: answers with all registrars it knows', async () => {
    const { world, start } = setting();
    const registrar = await start([]);
    const peers = [await EnrpPeer.start(world, 'r1', 0x10), await EnrpPeer.start(world, 'r2', 0x11)] as const;
    for (const peer of peers) await peer.meet(registrar.enrp[0] as string);
    const newcomer = await EnrpPeer.start(world, 'r3', 0x12);
    await newcomer.meet(registrar.enrp[0] as string);
    await newcomer.ask({ type: 'ENRP_LIST_REQUEST', sendingServer: 0x12, receivingServer: ID });
    const [answer] = newcomer.of('ENRP_LIST_RESPONSE');
    expect([answer?.flags, answer?.receivingServer]).toEqual([{ reject: false }, 0x12]);
    expect(answer?.serverInformation.map(({ serverId }) => serverId)).toEqual(expect.arrayContaining([0x10, 0x11]));
  });

  // proves 5353-2.3-a, 5353-2.3-b, 5353-2.6-a, 5353-2.6-b, 5353-3.2.2.2-f, 5353-3.2.3-o
  it('§3.2.2.2, §3.2.3: while it starts itself it refuses, with R = 1 and nothing else', async () => {
    const { world, host, starting } = setting();
    const mentor = await EnrpPeer.start(world, 'mentor', 0x10);
    mentor.deaf.add('ENRP_HANDLE_TABLE_REQUEST');
    const start = starting([mentor.address]);
    await world.until(() => mentor.of('ENRP_HANDLE_TABLE_REQUEST').length > 0, 1_000);
    const newcomer = await EnrpPeer.start(world, 'r3', 0x12);
    await newcomer.meet(`tcp://${host.address}:9901`);
    await newcomer.ask({ type: 'ENRP_LIST_REQUEST', sendingServer: 0x12, receivingServer: ID });
    await newcomer.ask({ type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly: false }, sendingServer: 0x12, receivingServer: ID });
    expect(newcomer.of('ENRP_LIST_RESPONSE')).toEqual([expect.objectContaining({ flags: { reject: true }, serverInformation: [] })]);
    expect(newcomer.of('ENRP_HANDLE_TABLE_RESPONSE')).toEqual([expect.objectContaining({ flags: { reject: true, moreToSend: false }, poolEntries: [] })]);
    mentor.deaf.clear();
    await world.settled(start);
  });

  // proves 5353-2.3-c, 5353-2.3-d, 5353-3.2.3-c, 5353-3.2.3-d, 5353-3.2.3-e, 5353-3.2.3-f
  it('§3.2.3: sends its table in pieces, one a request, all but the last with M = 1, and begins anew after it', async () => {
    const { world, newcomer, ask } = await largeTable();
    const pieces = [];
    do pieces.push(await ask()); while (pieces.at(-1)?.flags.moreToSend === true && pieces.length < 100);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.map(({ flags }) => flags.moreToSend)).toEqual([...pieces.slice(1).map(() => true), false]);
    expect(pieces.every(({ poolEntries }) => poolEntries.length > 0)).toBe(true);
    const seen = pieces.flatMap(({ poolEntries }) => poolEntries.flatMap(({ poolElements }) => poolElements.map(({ identifier }) => identifier)));
    expect([seen.length, new Set(seen).size]).toEqual([1_000, 1_000]);
    expect((await ask()).poolEntries[0]?.poolElements[0]?.identifier).toBe(seen[0]);
    expect([newcomer.of('ENRP_ERROR'), world.log.filter(({ level }) => level === 'error')]).toEqual([[], []]);
  });

  // proves 5353-3.2.3-s, 5353-3.2.3-t
  it('§3.2.3: forgets a download that nobody goes on with', async () => {
    const { world, newcomer, ask } = await largeTable();
    const first = (await ask()).poolEntries[0]?.poolElements[0]?.identifier;
    newcomer.beat();
    await world.advance(2 * quickTimers.t1EnrpRequest);
    expect((await ask()).poolEntries[0]?.poolElements[0]?.identifier).toBe(first);
  });
});

function setting(world = new World()) {
  const host = world.host('registrar');
  const starting = async (peers: readonly string[], options: Partial<RegistrarOptions> = {}): Promise<Registrar> =>
    createRegistrar({ asap: [`tcp://${host.address}:3863`], enrp: [`tcp://${host.address}:9901`], peers, id: ID, environment: host.environment, ...options });
  return { world, host, starting, start: async (...args: Parameters<typeof starting>) => world.settled(starting(...args)) };
}

/** A registrar with 1000 elements, and one that downloads them by hand. */
async function largeTable() {
  const { world, start } = setting();
  const registrar = await start([]);
  const pe = new AsapPeer(world, 'pe', registrar.asap[0] as string);
  for (let identifier = 1; identifier <= 1_000; identifier += 1) pe.association.send({ type: 'ASAP_REGISTRATION', poolHandle: handle(`pool ${identifier % 3}`), poolElement: elementOf(identifier) });
  await pe.ask();
  const newcomer = await EnrpPeer.start(world, 'r3', 0x12);
  await newcomer.meet(registrar.enrp[0] as string);
  const ask = async () => {
    newcomer.clear();
    await newcomer.ask({ type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly: false }, sendingServer: 0x12, receivingServer: ID });
    const [answer] = newcomer.of('ENRP_HANDLE_TABLE_RESPONSE');
    if (answer === undefined) throw new Error('no piece');
    return answer;
  };
  return { world, newcomer, ask };
}
