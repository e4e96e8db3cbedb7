import { describe, expect, it } from '@jest/globals';
import { createRegistrar } from '../../actors/registrar.js';
import { World } from '../../testing/world.js';
import { elementOf, AsapPeer } from '../support/registrar-world.js';
import { ScopeWorld } from '../support/scope-world.js';

const all = (scope: ScopeWorld) => scope.names.map((name) => scope.known(name));

describe('registrars join (RFC 5353 §3.2)', () => {
  it('three find each other and share the handlespace', async () => {
    const scope = await ScopeWorld.start();
    expect(scope.names.map((name) => scope.peers(name))).toEqual([['r2 active', 'r3 active'], ['r1 active', 'r3 active'], ['r1 active', 'r2 active']]);
    await scope.elements('pe1', [1, 2], 'r1');
    await scope.elements('pe2', [3], 'r2');
    await scope.world.advance(100);
    expect(scope.names.map((name) => scope.known(name).length)).toEqual([3, 3, 3]);
    expect(scope.agree()).toBe(true);
  });

  // proves 5353-3.2.3-c, 5353-3.2.3-g, 5353-3.2.2.2-e
  it('one that comes later gets the list and the whole handlespace from one mentor, in pieces below 64 KiB', async () => {
    const scope = await ScopeWorld.start(2);
    const peer = new AsapPeer(scope.world, 'many', scope.address('r1'));
    await scope.world.advance(5);
    for (let i = 1; i <= 1500; i++) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from(`pool ${i % 7}`), poolElement: elementOf(i) });
    await scope.world.advance(500);
    const late = await scope.world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], enrp: ['tcp://0.0.0.0:9901'], peers: [scope.address('r2', 9901)], environment: scope.world.host('late').environment }));
    expect(late.stats().elements).toBe(1500);
    await scope.world.advance(300);
    expect(late.peers().map(({ id, state }) => [id, state]).sort()).toEqual([[scope.id('r1'), 'active'], [scope.id('r2'), 'active']]);
    expect(late.dump().pools).toEqual(scope.registrar('r1').dump().pools);
  });

  it('alone it serves at once, though its peers are not there', async () => {
    const world = new World();
    world.host('r2');
    const started = world.clock.now();
    await world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], enrp: ['tcp://0.0.0.0:9901'], peers: [`tcp://${world.host('r2').address}:9901`], environment: world.host('r1').environment }));
    expect(world.clock.now() - started).toBeLessThan(20);
  });

  it('X-22: those that start together, each the mentor of the others, wait for nobody for ever', async () => {
    const scope = await ScopeWorld.start(0);
    const world = new World();
    const both = await ScopeWorld.start(0, {}, world);
    expect([scope.names, both.names]).toEqual([[], []]);
    const three = await ScopeWorld.start(3, {}, new World({ seed: 3 }));
    for (const name of three.names) three.world.host(name).process.crash();
    const started = three.world.clock.now();
    await three.world.settled(Promise.all(three.names.map((name) => three.opening(name))));
    expect(three.world.clock.now() - started).toBeLessThan(1_000);
    await three.world.advance(500);
    expect(three.names.map((name) => three.peers(name))).toEqual([['r2 active', 'r3 active'], ['r1 active', 'r3 active'], ['r1 active', 'r2 active']]);
  });

  it('X-22: a mentor that accepts and never answers: after a while it serves alone, and goes on looking', async () => {
    const scope = await ScopeWorld.start(2);
    scope.world.host('r1').process.freeze();
    const started = scope.world.clock.now();
    const environment = scope.world.host('late').environment;
    await scope.world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], enrp: ['tcp://0.0.0.0:9901'], peers: [scope.address('r1', 9901)], environment }));
    expect(scope.world.clock.now() - started).toBeLessThan(3_000);
  });

  it('a peer that is the registrar itself, one that is dead, one that speaks ASAP: a clear word each, and service goes on', async () => {
    const world = new World();
    const host = world.host('r1');
    const other = await world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], environment: world.host('r2').environment }));
    const peers = [`tcp://${host.address}:9901`, 'tcp://10.99.0.1:9901', `tcp://${world.host('r2').address}:3863`];
    const registrar = await world.settled(createRegistrar({ asap: [`tcp://${host.address}:3863`], enrp: ['tcp://0.0.0.0:9901'], peers, environment: host.environment }));
    await world.advance(2_000);
    const said = world.log.filter(({ host: name, level }) => name === 'r1' && level !== 'debug').map(({ message }) => message);
    expect(said).toEqual(expect.arrayContaining([
      expect.stringContaining('is this registrar itself'), expect.stringContaining('cannot be reached'), expect.stringContaining('does not speak ENRP'),
    ]));
    const peer = new AsapPeer(world, 'pe', `tcp://${host.address}:3863`);
    await world.advance(5);
    expect((await peer.register(elementOf(7))).isRejected).toBe(false);
    expect(registrar.peers()).toEqual([]);
    expect(other.stats().elements).toBe(0);
  });

  it('X-49: a newcomer whose identifier another has takes another one before it serves', async () => {
    const scope = await ScopeWorld.start(2);
    for (const from of ['r1', 'r2']) {
      const environment = scope.world.host(`twin of ${from}`).environment;
      const twin = await scope.world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], enrp: ['tcp://0.0.0.0:9901'], peers: [scope.address('r1', 9901)], id: scope.id(from), environment }));
      expect(twin.identifier).not.toBe(scope.id(from));
      await scope.world.advance(500);
      expect(twin.peers().filter(({ state }) => state === 'active').map(({ id }) => id)).toEqual(expect.arrayContaining([scope.id('r1'), scope.id('r2')]));
    }
    expect(scope.peers('r1').slice(0, 1)).not.toEqual([]);
  });
});

describe('a registrar fails (RFC 5353 §3.4, §3.5)', () => {
  it.each(['crash', 'freeze'] as const)('%s: its pool elements have one living owner within 2 s, and never leave the handlespace', async (fault) => {
    const scope = await ScopeWorld.start();
    for (const [index, home] of scope.names.entries()) await scope.elements(`pe${index}`, [10 * index + 1, 10 * index + 2], home);
    await scope.world.advance(300);
    scope.world.host('r2').process[fault]();
    const took = await scope.world.until(() => ['r1', 'r3'].every((name) => scope.known(name).length === 6 && scope.known(name).every((element) => !element.endsWith('@r2'))) && scope.agree(['r1', 'r3']), 2_000);
    expect(took).toBeLessThan(2_000);
    await scope.world.advance(5_000);
    expect(scope.events.filter((event) => event.includes('removed'))).toEqual([]);
    expect(scope.agree(['r1', 'r3'])).toBe(true);
  });

  it('frozen and thawed it learns that it has lost its pool elements, and claims none', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe', [1, 2, 3], 'r1');
    await scope.world.advance(300);
    scope.world.host('r1').process.freeze();
    await scope.world.advance(30_000);
    scope.world.host('r1').process.thaw();
    await scope.world.advance(1_500);
    expect(scope.agree()).toBe(true);
    expect(all(scope)[0]).toEqual(all(scope)[1]);
    expect(all(scope)[0]!.filter((element) => element.endsWith('@r1'))).toEqual([]);
    expect(scope.events.filter((event) => event.includes('removed'))).toEqual([]);
  });

  it('one that is restarted at once under its identifier gets its elements back, or they have another home', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe', [1, 2, 3], 'r1');
    await scope.world.advance(300);
    scope.world.host('r1').process.crash();
    await scope.open('r1');
    await scope.world.advance(2_000);
    expect(scope.agree()).toBe(true);
    expect(all(scope)[0]).toHaveLength(3);
    expect(scope.events.filter((event) => event.includes('removed'))).toEqual([]);
  });

  // proves 5353-3.5.1-o
  it('alive after all: a bystander that hears it refuses, and nobody takes it over', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe', [1, 2], 'r1');
    await scope.world.advance(300);
    scope.world.network.partition('r1', 'r2'); // r3 hears both
    await scope.world.advance(8_000);
    expect(scope.events.filter((event) => event.includes('won'))).toEqual([]);
    expect(scope.events.filter((event) => event === 'r3: bystander r1 refuted').length).toBeGreaterThan(0);
    expect(scope.known('r3')).toEqual(['1@r1', '2@r1']);
    scope.world.network.heal();
    await scope.world.advance(4_000);
    expect(scope.agree()).toBe(true);
    expect(all(scope)[0]).toEqual(['1@r1', '2@r1']);
  });

  it('two that part and meet again agree, each element with one home', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe1', [1, 2], 'r1');
    await scope.elements('pe2', [3], 'r2');
    await scope.world.advance(300);
    for (const span of [2_000, 2_700, 6_000]) {
      scope.world.network.partition(['r1', 'pe1'], ['r2', 'r3', 'pe2']);
      await scope.world.advance(span);
      scope.world.network.heal();
      await scope.world.advance(6_000);
      expect([span, scope.agree(), all(scope)[0]!.length]).toEqual([span, true, 3]);
    }
  });

  it('a winner that dies in the middle is replaced', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe1', [1, 2], 'r1');
    await scope.world.advance(300);
    scope.world.host('r1').process.freeze();
    await scope.world.until(() => scope.events.some((event) => event.includes('initiating')), 5_000);
    scope.world.host('r3').process.crash();
    await scope.world.advance(6_000);
    expect(scope.known('r2')).toEqual(['1@r2', '2@r2']);
  });
});

describe('a registrar leaves (X-40)', () => {
  it('hands its elements over before it closes', async () => {
    const scope = await ScopeWorld.start();
    await scope.elements('pe', [1, 2], 'r1');
    await scope.world.advance(300);
    await scope.world.settled(scope.registrar('r1').close(), 1_000);
    expect([scope.known('r2'), scope.known('r3')]).toEqual([['1@r3', '2@r3'], ['1@r3', '2@r3']]);
    expect(scope.world.log.filter(({ host, level }) => host === 'pe' && level === 'warn')).toEqual([]);
    scope.events.length = 0;
    await scope.world.advance(5_000);
    expect(scope.events).toEqual([]);
    expect(scope.peers('r2')).toEqual(['r3 active']);
  });

  it('all of them one after the other: no element is without an owner at any time', async () => {
    const scope = await ScopeWorld.start();
    for (const [index, home] of scope.names.entries()) await scope.elements(`pe${index}`, [index + 1], home);
    await scope.world.advance(300);
    for (const name of scope.names) {
      await scope.world.settled(scope.registrar(name).close(), 2_000);
      scope.world.host(name).process.crash();
      await scope.open(name);
      await scope.world.advance(500);
      expect([name, scope.agree(), all(scope)[0]!.length]).toEqual([name, true, 3]);
    }
    expect(scope.events.filter((event) => event.includes('removed'))).toEqual([]);
  });
});
