import type { Policy } from '../../wire/index.js';
import { encodeAsap } from '../../wire/index.js';
import { elementOf, RegistrarWorld, type AsapPeer } from '../support/registrar-world.js';
import { Subscriptions, type Subscriber } from '../../actors/subscriptions.js';
import { World } from '../../testing/world.js';

/** A registrar and those who ask it. */

const identifiers = ({ poolElements }: Awaited<ReturnType<AsapPeer['resolve']>>): number[] => poolElements.map(({ identifier }) => identifier);
const least = (load: number): Policy => ({ policy: 'least-used', load });

describe('handle resolution at the registrar (RFC 5352 §3.3)', () => {
  // proves 5352-2.1-b, 5352-3.3-r, 5352-3.3-s, 5352-3.3-t, 5352-3.3-u, 5352-3.3-v, 5356-4.1.2-b, 5356-4.1.2-c
  it('answers with the elements of the pool, each answer beginning one further on; with the policy', async () => {
    const { setting } = await start(1, 2, 3);
    const user = await setting.peer('user');
    const first = await user.resolve();
    expect([first.flags, first.policy, first.error, identifiers(first)]).toEqual([{ acceptUpdates: false }, { policy: 'round-robin' }, undefined, [1, 2, 3]]);
    expect([identifiers(await user.resolve()), identifiers(await user.resolve())]).toEqual([[2, 3, 1], [3, 1, 2]]);
  });

  // proves 5352-3.3-v
  it('the order is that of the pool\'s policy, and the policy goes along', async () => {
    const { setting, peer } = await start();
    for (const [identifier, load] of [[1, 30], [2, 10], [3, 20]] as const) await peer.register(elementOf(identifier, { policy: least(load) }));
    const answer = await (await setting.peer('user')).resolve();
    expect([answer.policy?.policy, identifiers(answer)]).toEqual(['least-used', [2, 3, 1]]);
    await peer.register(elementOf(1, { policy: least(0) }));
    expect(identifiers(await peer.resolve())).toEqual([1, 2, 3]);
  });

  // proves 5352-3.3-w, 5352-2.2.6-b
  it('a pool handle that nobody serves: 0x9, in one round trip', async () => {
    const { setting, peer } = await start();
    const before = setting.world.clock.now();
    peer.association.send({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: Buffer.from('nobody') });
    await setting.world.until(() => peer.received.length > 0);
    expect(setting.world.clock.now() - before).toBe(2); // 1 ms a way
    expect(peer.received).toEqual([{ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: Buffer.from('nobody'), poolElements: [], error: [{ cause: 'unknown-pool-handle' }] }]);
    const user = await setting.accessPoint('user');
    await expect(setting.world.settled(user.resolve('nobody'), 50)).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
  });

  it('any bytes are a handle (X-16), also those that are no UTF-8', async () => {
    const { peer } = await start();
    const handle = Buffer.from([0, 0xff, 0xfe, 0x80, 0, 1, 2]);
    await peer.register(elementOf(7), handle);
    const answer = await peer.resolve({ handle });
    expect([Buffer.from(answer.poolHandle), identifiers(answer)]).toEqual([handle, [7]]);
    expect((await peer.resolve({ handle: Buffer.from([0, 0xff, 0xfe, 0x80, 0, 1]) })).error).toBeDefined();
  });

  it.each(['a', 'ab', 'abc', 'abcd', 'a much longer handle, of many bytes'])('the straight way and the general one give the same bytes: %j', async (name) => {
    const { setting, peer } = await start();
    const handle = Buffer.from(name);
    await peer.register(elementOf(7, { capabilities: Buffer.from([1, 2, 3]) }), handle);
    const sent: Buffer[] = [];
    const socket = await setting.socket();
    const straight = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: handle });
    const unpadded = Buffer.from(straight);
    unpadded.writeUInt16BE(8 + handle.length, 2); // a length that leaves out the padding, as RFC 5354 §3 has it for parameters
    const general = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: handle, itemsWanted: 0 });
    for (const question of [straight, unpadded, general]) {
      socket.bytes.length = 0;
      socket.socket.write(question);
      await setting.world.advance(5);
      sent.push(Buffer.concat(socket.bytes));
    }
    expect(sent[0]?.length).toBeGreaterThan(40);
    expect(sent[1]).toEqual(sent[0]);
    expect(sent[2]).toEqual(sent[0]);
  });

  it('X-17: as many elements as 0x803f asks for', async () => {
    const { peer } = await start(1, 2, 3, 4);
    expect(identifiers(await peer.resolve({ itemsWanted: 2 }))).toEqual([1, 2]);
    expect(identifiers(await peer.resolve({ itemsWanted: 1 }))).toEqual([2]);
    expect(identifiers(await peer.resolve({ itemsWanted: 0xffff_ffff }))).toHaveLength(4);
  });

  it('X-17: a list that leaves some out says how many there are, to those who did not say how many they want', async () => {
    const { setting, peer } = await start();
    for (let identifier = 1; identifier <= 129; identifier += 1) await peer.register(elementOf(identifier));
    const user = await setting.peer('user');
    const cut = await user.resolve();
    expect([cut.poolElements.length, cut.poolSize]).toEqual([128, 129]);
    expect((await user.resolve({ itemsWanted: 2 })).poolSize).toBeUndefined();
    await peer.deregister(129);
    expect((await user.resolve()).poolSize).toBeUndefined();
    for (let identifier = 1; identifier <= 128; identifier += 1) await peer.register(elementOf(identifier, { policy: least(identifier) }), Buffer.from('least'));
    expect((await user.resolve({ handle: Buffer.from('least') })).poolSize).toBeUndefined();
    await peer.register(elementOf(129, { policy: least(0) }), Buffer.from('least'));
    const least129 = await user.resolve({ handle: Buffer.from('least') });
    expect([least129.poolElements.length, least129.poolSize, identifiers(least129)[0]]).toEqual([128, 129, 129]);
  });

  it('X-17: page by page (0x8f08), by identifier: all of them, whoever comes or goes meanwhile, and nobody\'s turn is changed by it', async () => {
    const { setting, peer } = await start();
    for (let identifier = 2_000; identifier >= 1; identifier -= 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(2 * identifier) });
    await peer.ask();
    const user = await setting.peer('user');
    expect(identifiers(await user.resolve())[0]).toBe(4_000);
    const seen: number[] = [];
    const pages: (number | undefined)[] = [];
    for (let page = await user.resolve({ page: { from: 0, behind: 0 } }); ; page = await user.resolve({ page: { from: seen.at(-1)! + 1, behind: 0 } })) {
      expect(encodeAsap(page).length).toBeLessThanOrEqual(0xffff);
      expect(page.flags.acceptUpdates).toBe(false);
      seen.push(...identifiers(page));
      pages.push(page.page?.behind);
      if (page.page?.behind === 0) break;
      await peer.deregister(2); // it was seen: nobody behind it is passed over
      await peer.register(elementOf(4_001));
    }
    expect(seen).toEqual([...Array.from({ length: 2_000 }, (_, index) => 2 * index + 2), 4_001]);
    expect(pages.length).toBeLessThan(6);
    expect(identifiers(await user.resolve())[0]).toBe(3_998); // whose turn it was
  });

  it('X-17: a page of one says whether that one is there; behind the last there is nobody, and an unknown pool has no pages', async () => {
    const { peer } = await start(5, 9, 0xffff_ffff);
    const one = async (from: number) => {
      const { poolElements, page, error } = await peer.resolve({ itemsWanted: 1, page: { from, behind: 99 } });
      return [poolElements[0]?.identifier, page, error?.[0]?.cause];
    };
    expect(await one(0)).toEqual([5, { from: 0, behind: 2 }, undefined]);
    expect(await one(9)).toEqual([9, { from: 9, behind: 1 }, undefined]);
    expect(await one(0xffff_ffff)).toEqual([0xffff_ffff, { from: 0xffff_ffff, behind: 0 }, undefined]);
    await peer.deregister(0xffff_ffff);
    expect(await one(10)).toEqual([undefined, { from: 10, behind: 0 }, undefined]);
    await peer.deregister(5);
    await peer.deregister(9);
    expect(await one(0)).toEqual([undefined, undefined, 'unknown-pool-handle']);
  });

  it('X-17: never more than 64 KiB, whatever is asked for, and all that fit', async () => {
    const { peer } = await start();
    for (let identifier = 1; identifier <= 2_000; identifier += 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(identifier) });
    await peer.ask();
    const answer = await peer.resolve({ itemsWanted: 0xffff_ffff });
    const { length } = encodeAsap(answer);
    expect(length).toBeLessThanOrEqual(0xffff);
    expect(length).toBeGreaterThan(0xffff - 100);
    expect((await peer.resolve()).poolElements).toHaveLength(128);
  });
});

describe('subscriptions (S bit, RFC 5352 §2.2.5, §2.2.6, X-33)', () => {
  it('are confirmed by the A bit; changes are pushed, paced, with the A bit', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    expect((await user.resolve({ sendUpdates: true })).flags).toEqual({ acceptUpdates: true });
    for (const identifier of [2, 3, 4]) await peer.register(elementOf(identifier));
    await setting.world.advance(200);
    const pushed = user.received.slice(1);
    expect(pushed).toHaveLength(1); // three registrations within 100 ms are one update
    expect(pushed[0]).toMatchObject({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: true } });
    expect(pushed[0]).toHaveProperty('poolElements.length', 4);
  });

  it('a change every 10 ms is an update every 100 ms; nothing is sent where nothing changes', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    for (let time = 0; time < 100; time += 1) await peer.register(elementOf(2 + time));
    await setting.world.advance(200);
    const { length } = user.received;
    expect(length).toBeGreaterThan(8);
    expect(length).toBeLessThan(14);
    await setting.world.advance(20_000);
    expect(user.received.length).toBe(length);
  });

  it('a renewal that changes nothing is no change', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    for (let time = 0; time < 10; time += 1) {
      await peer.register(elementOf(1));
      await setting.world.advance(500);
    }
    expect(user.received.length).toBe(1);
  });

  it('where only values change, an update every 500 ms will do; an element that comes goes along at once', async () => {
    const { setting, peer } = await start();
    await peer.register(elementOf(1, { policy: least(0) }));
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    const begun = setting.world.clock.now();
    for (let load = 1; load <= 100; load += 1) {
      await peer.register(elementOf(1, { policy: least(load) }));
      await setting.world.advance(48);
    }
    await setting.world.advance(600);
    const { length } = user.received;
    expect(length).toBeGreaterThan(8);
    expect(length).toBeLessThanOrEqual(2 + (setting.world.clock.now() - begun) / 500);
    await peer.register(elementOf(1, { policy: least(1) }));
    await peer.register(elementOf(2, { policy: least(1) }));
    await setting.world.advance(110);
    expect(user.received.length).toBe(length + 1);
  });

  it('many subscribers of pools that change often stretch the pace: 10 000 updates a second, all pools in turn', async () => {
    const world = new World();
    const pushed = new Map<string, number>();
    const subscriptions = new Subscriptions<Subscriber>(world.clock, (_, poolKey) => { pushed.set(poolKey, (pushed.get(poolKey) ?? 0) + 1); });
    for (const poolKey of ['a', 'b']) for (let count = 0; count < 5_000; count += 1) subscriptions.add({ subscriptions: new Set(), isWritable: true }, poolKey);
    for (let time = 0; time < 100; time += 1) {
      for (const poolKey of ['a', 'b']) subscriptions.changed(poolKey);
      await world.advance(100);
    }
    const [a = 0, b = 0] = [pushed.get('a'), pushed.get('b')];
    expect(a + b).toBeLessThanOrEqual(110_000);
    expect(Math.min(a, b)).toBeGreaterThanOrEqual(40_000);
  });

  // proves 5352-2.2.5-b
  it('when the pool vanishes it ends them, by a negative answer; a pool that comes anew has no subscribers', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    await peer.deregister(1);
    await setting.world.advance(200);
    expect(user.received.slice(1)).toEqual([{ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: Buffer.from('echo'), poolElements: [], error: [{ cause: 'unknown-pool-handle' }] }]);
    await peer.register(elementOf(1));
    await setting.world.advance(1_000);
    expect(user.received.length).toBe(2);
  });

  it('a pool that vanished and was back before the update is a change, no end', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    await peer.deregister(1);
    await peer.register(elementOf(2));
    await setting.world.advance(200);
    expect(user.received.slice(1)).toEqual([expect.objectContaining({ flags: { acceptUpdates: true }, poolElements: [expect.objectContaining({ identifier: 2 })] })]);
  });

  // proves 5352-2.2.5-b
  it('a pool that is not there cannot be subscribed to', async () => {
    const { setting, peer } = await start();
    const user = await setting.peer('user');
    expect(await user.resolve({ sendUpdates: true })).toMatchObject({ flags: { acceptUpdates: false }, error: [{ cause: 'unknown-pool-handle' }] });
    await peer.register(elementOf(1));
    await setting.world.advance(500);
    expect(user.received.length).toBe(1);
  });

  it('several times by one association is one subscription; it ends with the association', async () => {
    const { setting, peer } = await start(1);
    const user = await setting.peer('user');
    for (let time = 0; time < 5; time += 1) await user.resolve({ sendUpdates: true });
    await peer.register(elementOf(2));
    await setting.world.advance(200);
    expect(user.received.length).toBe(6);
    user.association.destroy('LINK_LOST');
    await setting.world.advance(5);
    await peer.register(elementOf(3));
    await setting.world.advance(200);
    expect(setting.log('error')).toEqual([]);
  });

  it('a limit: more are answered without the A bit', async () => {
    const { setting, peer } = await start(1);
    await peer.register(elementOf(1), Buffer.from('second'));
    await setting.registrar.close();
    const other = await start(1, { limits: { subscriptionsPerAssociation: 1 } });
    await other.peer.register(elementOf(1), Buffer.from('second'));
    const user = await other.setting.peer('user');
    expect((await user.resolve({ sendUpdates: true })).flags.acceptUpdates).toBe(true);
    expect((await user.resolve({ sendUpdates: true, handle: Buffer.from('second') }))).toMatchObject({ flags: { acceptUpdates: false }, error: undefined });
    expect((await user.resolve({ sendUpdates: true })).flags.acceptUpdates).toBe(true); // it has that one
  });

  it('a subscriber that does not read misses what is between, and has the last state when it reads again', async () => {
    const { setting, peer } = await start(1, new World({ bufferSize: 8 * 1024 }));
    for (let identifier = 2; identifier <= 120; identifier += 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(identifier) });
    await setting.world.advance(500);
    const user = await setting.peer('user');
    await user.resolve({ sendUpdates: true });
    user.association.link.pause();
    for (let time = 1; time <= 100; time += 1) {
      await peer.register(elementOf(1, { registrationLife: 1_000 + time }));
      await setting.world.advance(110);
    }
    user.association.link.resume();
    await setting.world.advance(1_000);
    const updates = user.received.map((message) => (message.type === 'ASAP_HANDLE_RESOLUTION_RESPONSE' ? message.poolElements.find(({ identifier }) => identifier === 1)?.registrationLife : undefined));
    expect(updates.at(-1)).toBe(1_100);
    expect(updates.length).toBeLessThan(60); // what fills the queue to its mark, and one more
    expect(user.down).toBeUndefined();
  });
});

type Given = number | World | Parameters<typeof RegistrarWorld.start>[0];

/** With one association that has registered elements of these identifiers. */
async function start(...given: readonly Given[]): Promise<{ setting: RegistrarWorld; peer: AsapPeer }> {
  const world = given.find((each) => each instanceof World);
  const options = given.find((each): each is Exclude<Given, number | World> => typeof each === 'object' && !(each instanceof World));
  const setting = await RegistrarWorld.start(options, world);
  const peer = await setting.peer();
  for (const identifier of given) if (typeof identifier === 'number') await peer.register(elementOf(identifier));
  return { setting, peer };
}
