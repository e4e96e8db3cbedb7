import { quickTimers } from '../../machines/timers.js';
import type { ServiceAccessPoint } from '../../actors/access-point.js';
import { AsapPeer, echo, elementOf, RegistrarWorld } from '../support/registrar-world.js';

/** What a registrar takes for dead, and how soon (design: evidence rules). */

/** One schedule for all: an element whose time has come is looked at within this. */
const SWEEP = 600;
/** From the moment an element stops answering until it is out of its pool: the longest period, the schedule, the time-out. */
const BOUND = 1.5 * quickTimers.keepAlivePeriod + SWEEP + quickTimers.keepAliveTimeout;
/** The same where most seem dead and the registrar gives itself one more round. */
const DOUBTFUL_BOUND = BOUND + quickTimers.keepAliveTimeout;

describe('a frozen pool element (RFC 5352 §3.4)', () => {
  // proves 5352-3.5-m
  it('is out of its pool within a bound; the others stay', async () => {
    const { world, events, setting } = await withElements(1, 2, 3, 4, 5);
    world.host('pe2').process.freeze();
    const took = await world.until(() => events.length > 0, BOUND);
    expect(events).toEqual(['removed 2: unanswered']);
    expect(took).toBeGreaterThanOrEqual(quickTimers.keepAliveTimeout);
    await world.advance(30_000);
    expect([events.length, setting.registrar.stats().elements]).toEqual([1, 4]);
  });

  it('§2.2.4: finds the news of its removal when it thaws, and is back at once', async () => {
    const { world, events, setting } = await withElements(1, 2, 3, 4, 5);
    world.host('pe2').process.freeze();
    await world.until(() => events.length > 0, BOUND);
    await world.advance(20_000);
    world.host('pe2').process.thaw();
    expect(await world.until(() => events.length > 1)).toBeLessThan(20);
    expect([events, setting.registrar.stats().elements]).toEqual([['removed 2: unanswered', 'registered 2'], 5]);
  });

  it('frozen for less than the time-out it is not even noticed', async () => {
    const { world, events } = await withElements(1, 2);
    for (let time = 0; time < 20; time += 1) {
      world.host('pe1').process.block(quickTimers.keepAliveTimeout - 100);
      await world.advance(2_000);
    }
    expect(events).toEqual([]);
  });
});

describe('a pool element that is killed (X-38)', () => {
  it.each(['reset', 'end'] as const)('is out of its pool at once: its system sees to the association (%s), and refuses the probe', async (peersSee) => {
    const { world, events } = await withElements(1, 2);
    world.host('pe1').process.crash({ peersSee });
    expect(await world.until(() => events.length > 0)).toBeLessThan(10);
    expect(events).toEqual(['removed 1: unreachable']);
  });

  it('with it go all elements of its process, by one probe', async () => {
    const { world, setting, events } = await withElements(1);
    const many = Array.from({ length: 200 }, (_, index) => 100 + index);
    await setting.elements('crowd', ...many);
    events.length = 0;
    const socketsBefore = setting.host.process.sockets.size;
    world.host('crowd').process.crash();
    let most = 0;
    await world.until(() => { most = Math.max(most, setting.host.process.sockets.size); return events.length === 200; }, 50);
    expect(most).toBeLessThanOrEqual(socketsBefore);
    expect(setting.registrar.stats()).toMatchObject({ elements: 1, associations: 1 });
  });

  it('where the power is off, within the bound of a frozen one', async () => {
    const { world, events } = await withElements(1, 2, 3, 4);
    world.host('pe1').process.crash({ peersSee: 'nothing' });
    await world.until(() => events.length > 0, BOUND);
    expect(events).toEqual(['removed 1: unanswered']);
  });
});

describe('a lost association of an element that lives (X-38, X-31)', () => {
  // proves 5352-3.5-l
  it('it is asked at its own ASAP listener, stays, and is asked there from then on', async () => {
    const { world, setting, events, peer } = await withPeer();
    await peer.listen();
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport }));
    peer.association.destroy('LINK_LOST');
    await world.advance(10);
    expect(peer.visits).toEqual([{ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: setting.registrar.identifier, poolHandle: echo, peIdentifier: 7 }]);
    await world.advance(20_000);
    expect([events, setting.registrar.stats().elements]).toEqual([['registered 7'], 1]);
    expect(peer.visits.length).toBeGreaterThan(5);
  });

  it('removed later it is told there', async () => {
    const { world, peer } = await withPeer();
    await peer.listen();
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport, registrationLife: 5 }));
    peer.association.destroy('LINK_LOST');
    await world.advance(6_000);
    expect(peer.visits.at(-1)).toMatchObject({ type: 'ASAP_DEREGISTRATION_RESPONSE', peIdentifier: 7 });
  });

  it('when the element registers anew, over an association of its own, that one counts; the probe is let go', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.listen();
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport }));
    peer.association.destroy('LINK_LOST');
    await world.advance(10);
    const again = new AsapPeer(world, 'peer', setting.address);
    await world.advance(5);
    await again.register(elementOf(7, { asapTransport: peer.asapTransport }));
    const visits = peer.visits.length;
    await world.advance(20_000);
    expect(peer.visits.length).toBe(visits);
    expect(again.count('ASAP_ENDPOINT_KEEP_ALIVE')).toBeGreaterThan(5);
    expect([events, setting.host.process.sockets.size]).toEqual([['registered 7'], 1]);
  });

  it('an answer to the probe that comes after a new registration does not take the element away from it', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.listen();
    const element = elementOf(7, { asapTransport: peer.asapTransport });
    await peer.register(element);
    world.network.setPath('registrar', 'peer', { latency: 50 });
    peer.association.destroy('LINK_LOST');
    await world.advance(60); // the registrar knows, and dials
    const again = new AsapPeer(world, 'peer', setting.address);
    await world.advance(105); // it has been asked, and its answer is under way
    again.association.send({ type: 'ASAP_REGISTRATION', poolHandle: echo, poolElement: element });
    await world.advance(2_000);
    const visits = peer.visits.length;
    await world.advance(20_000);
    expect([peer.visits.length, events]).toEqual([visits, ['registered 7']]);
    world.network.setPath('registrar', 'peer', { latency: 1 });
    expect((await again.deregister(7)).error).toBeUndefined();
  });

  it('where it has no ASAP listener it has the time-out to come back, and not more', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.register(elementOf(7));
    await peer.register(elementOf(8));
    peer.association.destroy('LINK_LOST');
    await world.advance(quickTimers.keepAliveTimeout - 50);
    expect(setting.registrar.stats().elements).toBe(2);
    const again = await setting.peer('peer');
    await again.register(elementOf(8));
    await world.advance(100);
    expect(events).toEqual(['registered 7', 'registered 8', 'removed 7: unanswered']);
    await world.advance(10_000);
    expect(setting.registrar.stats().elements).toBe(1);
  });

  it('a listener that accepts and says nothing is no proof of life', async () => {
    const { world, peer, events, setting } = await withPeer();
    await peer.listen();
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport }));
    peer.isAlive = false;
    peer.association.destroy('LINK_LOST');
    await world.advance(quickTimers.keepAliveTimeout + 50);
    expect(events.at(-1)).toBe('removed 7: unanswered');
    await world.advance(2_000);
    expect(setting.host.process.sockets.size).toBe(0);
  });
});

describe('reports of unreachability (RFC 5352 §3.5, X-14)', () => {
  // proves 5352-3.5-f, 5352-3.5-h, 5352-4-j
  it('a report makes the registrar ask at once: what is dead is out of its pool within the time-out', async () => {
    const { world, setting, events } = await withElements(1, 2, 3, 4);
    const user = await setting.peer('user');
    world.host('pe1').process.freeze();
    user.report(1);
    await world.until(() => events.length > 0, quickTimers.keepAliveTimeout + 10);
    expect(events).toEqual(['removed 1: unanswered']);
  });

  // proves 5352-3.5-i
  it('one accuser alone removes nobody that acknowledges, however long he goes on', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.register(elementOf(7));
    const user = await setting.peer('user');
    for (let time = 0; time < 200; time += 1) {
      user.report(7);
      await world.advance(100);
    }
    expect(events).toEqual(['registered 7']);
  });

  it('one accuser with several associations, or several processes of one host, is one: they all see the network from the same place', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.register(elementOf(7));
    const users = [await setting.peer('user'), await setting.peer('user'), await setting.peer('user')];
    for (let time = 0; time < 60; time += 1) {
      users[time % 3]?.report(7);
      await world.advance(100);
    }
    expect(events).toEqual(['registered 7']);
    const other = await setting.peer('other');
    other.report(7);
    await world.advance(20);
    expect(events).toEqual(['registered 7', 'removed 7: reported']);
  });

  // proves 5352-3.5-j, 5352-3.5-k
  it('MAX-BAD-PE-REPORT: two accusers, again and again, remove it; it is told, and may register anew', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.register(elementOf(7));
    const users = [await setting.peer('one'), await setting.peer('two')];
    for (let time = 0; time < 4 && events.length === 1; time += 1) {
      users[time % 2]?.report(7);
      await world.advance(20);
    }
    expect(events).toEqual(['registered 7', 'removed 7: reported']);
    expect(peer.count('ASAP_DEREGISTRATION_RESPONSE')).toBe(1);
    await peer.register(elementOf(7));
    users[0]?.report(7);
    await world.advance(20);
    expect(setting.registrar.stats().elements).toBe(1); // with a clean record
  });

  // proves 5352-9.1-a, 5353-6.1-a
  it('X-44: one association is heeded so many times a second; its reports make nobody answer more often', async () => {
    const { world, setting, peer } = await withPeer({ limits: { reportsPerSecond: 5 } });
    await peer.register(elementOf(7));
    const user = await setting.peer('user');
    const before = peer.count('ASAP_ENDPOINT_KEEP_ALIVE');
    for (let time = 0; time < 100; time += 1) {
      user.report(7);
      await world.advance(10);
    }
    expect(peer.count('ASAP_ENDPOINT_KEEP_ALIVE') - before).toBeLessThanOrEqual(5 + 5 + 2);
    expect(peer.count('ASAP_ENDPOINT_KEEP_ALIVE') - before).toBeGreaterThanOrEqual(5);
  });

  it('reports of what is not there change nothing', async () => {
    const { world, setting, peer, events } = await withPeer();
    await peer.register(elementOf(7));
    peer.report(8);
    peer.report(7, Buffer.from('another'));
    await world.advance(100);
    expect([events, peer.count('ASAP_ENDPOINT_KEEP_ALIVE'), setting.log('error')]).toEqual([['registered 7'], 0, []]);
  });
});

describe('keep-alives (RFC 5352 §3.4)', () => {
  // proves 5352-3.5-l
  it('X-29: each element of a pool is asked for itself, also over one association, again and again', async () => {
    const { world, peer } = await withPeer();
    for (const identifier of [1, 2, 3]) await peer.register(elementOf(identifier));
    await world.advance(20_000);
    for (const identifier of [1, 2, 3]) {
      const asked = peer.received.filter((message) => message.type === 'ASAP_ENDPOINT_KEEP_ALIVE' && message.peIdentifier === identifier).length;
      expect(asked).toBeGreaterThanOrEqual(6);
      expect(asked).toBeLessThanOrEqual(14); // 2 s on the average
    }
  });

  it('an acknowledgement for somebody else, or by somebody else, is none', async () => {
    const { world, setting, peer, events } = await withPeer();
    const other = await setting.peer('other');
    peer.isAlive = false;
    await peer.register(elementOf(7));
    await peer.register(elementOf(8));
    for (let time = 0; time < 60 && events.length < 4; time += 1) {
      other.association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: echo, peIdentifier: 7 });
      peer.association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: echo, peIdentifier: 8 });
      await world.advance(100);
    }
    expect(events).toEqual(['registered 7', 'registered 8', 'removed 7: unanswered']);
  });

  // proves 5352-9.1-b, 5353-6.1-a
  it('X-44: not more than so many a second; with more elements the period grows', async () => {
    const { world, peer } = await withPeer({ timers: { ...quickTimers, keepAliveRate: 50 } });
    for (let identifier = 1; identifier <= 400; identifier += 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: echo, poolElement: elementOf(identifier) });
    await world.advance(20_000);
    const before = peer.received.length;
    await world.advance(20_000);
    const asked = peer.received.slice(before).flatMap((message) => (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE' ? [message.peIdentifier] : []));
    expect(asked.length).toBeLessThanOrEqual(20 * 55);
    expect(new Set(asked).size).toBe(400);
  });
});

describe('the registrar doubts itself first', () => {
  it('cut off from all its elements for a while it removes none of them', async () => {
    const { world, events, peers } = await withPeers(12);
    for (let time = 0; time < 10; time += 1) {
      world.network.partition('registrar');
      await world.advance(1_500);
      world.network.heal();
      await world.advance(3_700);
    }
    expect([events, peers.filter(({ down }) => down !== undefined)]).toEqual([[], []]);
  });

  it('it ends by itself: where all are dead indeed they are out of their pools within the bound and one time-out more', async () => {
    const { world, events, setting } = await withPeers(12);
    for (let index = 0; index < 12; index += 1) world.host(`pe${index}`).process.crash({ peersSee: 'nothing' });
    await world.until(() => events.length === 12, DOUBTFUL_BOUND);
    expect(setting.registrar.stats()).toMatchObject({ pools: 0, elements: 0 });
  });

  it('elements of one process are one witness: a hundred that die with it are removed within the bound, without a second question', async () => {
    const { world, setting, peers, events } = await withPeers(3);
    const crowd = await setting.peer('crowd');
    for (let identifier = 1001; identifier <= 1100; identifier += 1) crowd.association.send({ type: 'ASAP_REGISTRATION', poolHandle: echo, poolElement: elementOf(identifier) });
    await world.advance(5_000);
    events.length = 0;
    world.host('crowd').process.crash({ peersSee: 'nothing' });
    await world.until(() => events.length === 100, BOUND);
    expect([setting.registrar.stats().elements, setting.log('warn'), peers.length]).toEqual([3, [], 3]);
  });

  it('frozen and thawed it removes nobody who goes on', async () => {
    const { world, setting, events } = await withElements(1, 2, 3);
    for (const span of [500, 3_000, 40_000, 90_000]) { // their lives are 30 s
      setting.host.process.freeze();
      await world.advance(span);
      setting.host.process.thaw();
      await world.advance(5_000);
      expect([span, events, setting.registrar.stats().elements]).toEqual([span, [], 3]);
    }
  });

  it('and whoever is dead by then is removed a little later', async () => {
    const { world, setting, events } = await withElements(1, 2, 3, 4);
    setting.host.process.freeze();
    await world.advance(10_000);
    world.host('pe1').process.crash({ peersSee: 'nothing' });
    world.host('pe2').process.crash();
    setting.host.process.thaw();
    await world.until(() => events.length > 1, BOUND);
    await world.advance(5_000);
    expect(events.map((event) => event.slice(0, 9)).sort()).toEqual(['removed 1', 'removed 2']);
  });

  it('a busy loop costs nobody its registration', async () => {
    const { world, setting, events } = await withElements(1, 2, 3);
    for (let time = 0; time < 30; time += 1) {
      setting.host.process.block(900);
      await world.advance(1_000);
    }
    await world.advance(3_000);
    expect([events, setting.registrar.stats().elements]).toEqual([[], 3]);
  });
});

describe('a lone registrar', () => {
  it('started anew it has its elements back from themselves', async () => {
    const { world, setting, events, accessPoints } = await withElements(1, 2, 3);
    setting.host.process.crash();
    await world.advance(10_000);
    await setting.restart();
    await world.until(() => events.length === 3, quickTimers.retranMax * 1.5 + 1_000);
    await world.advance(5);
    expect([[...events].sort(), setting.registrar.stats().elements]).toEqual([['registered 1', 'registered 2', 'registered 3'], 3]);
    for (const accessPoint of accessPoints) for (const element of accessPoint.elements) expect(element.isRegistered).toBe(true);
  });

  it('closed it leaves no timer and no socket, whatever was under way', async () => {
    const { world, setting, peer } = await withPeer();
    await peer.listen();
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport }));
    await peer.register(elementOf(8));
    const other = await setting.peer('other');
    await other.listen();
    await other.register(elementOf(9, { asapTransport: other.asapTransport }));
    await other.resolve({ sendUpdates: true });
    other.isAlive = peer.isAlive = false;
    other.association.destroy('LINK_LOST'); // a probe by a dial is open
    other.report(7); // and one by the association, and an update waits for its pace
    await peer.deregister(8);
    await world.settled(setting.registrar.close());
    await world.advance(1_100);
    expect([world.clock.pending, setting.host.process.sockets.size, setting.host.process.servers.size]).toEqual([0, 0, 0]);
    await setting.registrar.close(); // again: nothing
    expect([peer.down, setting.log('error'), setting.log('warn')]).toEqual(['LINK_CLOSED', [], []]);
  });
});

async function withPeer(options: Parameters<typeof RegistrarWorld.start>[0] = {}) {
  const setting = await RegistrarWorld.start(options);
  return { setting, world: setting.world, events: setting.events, peer: await setting.peer() };
}

/** So many processes with one element each, on hosts `pe0` ...: nobody but the registrar asks anything. */
async function withPeers(count: number) {
  const setting = await RegistrarWorld.start();
  const peers: AsapPeer[] = [];
  for (let index = 0; index < count; index += 1) {
    const peer = await setting.peer(`pe${index}`);
    await peer.register(elementOf(100 + index));
    peers.push(peer);
  }
  await setting.world.advance(5_000);
  setting.events.length = 0;
  return { setting, world: setting.world, events: setting.events, peers };
}

/** Real processes, `pe<identifier>` with one element each. */
async function withElements(...identifiers: readonly number[]) {
  const setting = await RegistrarWorld.start();
  const accessPoints: ServiceAccessPoint[] = [];
  for (const identifier of identifiers) accessPoints.push(await setting.elements(`pe${identifier}`, identifier));
  await setting.world.advance(3_000);
  setting.events.length = 0;
  return { setting, world: setting.world, events: setting.events, accessPoints };
}
