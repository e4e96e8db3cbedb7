import { describe, expect, it } from '@jest/globals';
import { initialize } from '../../actors/access-point.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { echo, elementOf, RegistrarWorld } from '../support/registrar-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { ASAP_PPID } from '../../wire/mapping.js';
import { World } from '../../testing/world.js';

/** Clauses of RFC 5352 that no other test proves, with real processes on a simulated network. */

describe('a pool element and its registrar (RFC 5352 §3)', () => {
  // proves 5352-3.1-f
  it('§3.1 R2.2: identifiers are drawn at random from all 32 bits', async () => {
    const setting = await RegistrarWorld.start();
    const accessPoint = await setting.accessPoint();
    const drawn = new Set<number>();
    for (let time = 0; time < 40; time += 1) drawn.add((await setting.world.settled(accessPoint.register('echo', { mapping: 'none', address: 'tcp://10.9.9.9:80' }))).identifier);
    const quarters = new Set([...drawn].map((identifier) => identifier >>> 30));
    expect([drawn.size, drawn.has(0), quarters.size]).toEqual([40, false, 4]);
  });

  // proves 5352-3.2-b, 5352-3.3-d, 5352-4-l
  it('§3.3 NR3, §4: who is pool element and pool user asks and leaves over the association it registered by', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'registrar', 1);
    const accessPoint = await initialize({ registrars: [registrar.address], environment: world.host('both').environment });
    await world.settled(accessPoint.register('echo', {}, () => undefined));
    expect((await world.settled(accessPoint.resolve('echo'))).elements).toHaveLength(1);
    const [link] = registrar.links;
    await world.settled([...accessPoint.elements][0]!.deregister());
    expect([registrar.count('ASAP_HANDLE_RESOLUTION'), registrar.count('ASAP_DEREGISTRATION'), [...registrar.links]]).toEqual([1, 1, [link]]);
  });

  // proves 5352-2.2.2-b, 5352-3.2-d
  it('X-4: leaves by handle and identifier; another element of its pool, policy and process stays', async () => {
    const setting = await RegistrarWorld.start();
    const accessPoint = await setting.elements('pe', 1, 2);
    await setting.world.settled([...accessPoint.elements].find(({ identifier }) => identifier === 1)!.deregister());
    expect(setting.events).toEqual(['registered 1', 'registered 2', 'removed 1: deregistered']);
    expect((await (await setting.peer()).resolve()).poolElements.map(({ identifier }) => identifier)).toEqual([2]);
  });

  // proves 5352-3.5-f, 5352-3.5-g
  it('§3.5: what a report makes the registrar ask has H = 0', async () => {
    const setting = await RegistrarWorld.start();
    const peer = await setting.peer();
    await peer.register(elementOf(7));
    const user = await setting.peer('user');
    const before = peer.received.length;
    user.report(7);
    await setting.world.advance(20);
    const asked = peer.received.slice(before);
    expect(asked).toEqual([expect.objectContaining({ flags: { home: false }, serverIdentifier: setting.registrar.identifier })]);
  });

  // proves 5352-3.5-n
  it('§3.5: keep-alives to elements that registered at one moment are spread over time', async () => {
    const setting = await RegistrarWorld.start();
    const peer = await setting.peer();
    for (let identifier = 1; identifier <= 60; identifier += 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: echo, poolElement: elementOf(identifier) });
    await setting.world.advance(4_000);
    const counts: number[] = [];
    for (let span = 0; span < 50; span += 1) {
      const before = peer.count('ASAP_ENDPOINT_KEEP_ALIVE');
      await setting.world.advance(200);
      counts.push(peer.count('ASAP_ENDPOINT_KEEP_ALIVE') - before);
    }
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThan(120); // two periods at least, of all of them
    expect(Math.max(...counts)).toBeLessThan(30);
  });

  it('X-30: a process that only uses pools ignores keep-alives, and keeps its home', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'registrar', 1);
    registrar.put('echo', elementOf(1));
    const user = await initialize({ registrars: [registrar.address], environment: world.host('user').environment });
    await world.settled(user.resolve('echo'));
    registrar.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: 9, poolHandle: echo });
    await world.advance(50);
    expect([registrar.count('ASAP_ENDPOINT_KEEP_ALIVE_ACK'), registrar.links.size, user.registrar?.address]).toEqual([0, 1, registrar.address]);
  });
});

describe('business cards (RFC 5352 §3.9)', () => {
  // proves 5352-3.9-a, 5352-3.9-c, 5352-4-g, 5352-5-b
  it('go by the control channel of a session that begins, and are no data of it', async () => {
    const clock = new SimulatedClock();
    const transcript = new Transcript(() => clock.now());
    const setting = await RegistrarWorld.start({}, new World({ clock, trace: (event) => { if ([event.from, event.to].sort().join() === 'pe,pu') transcript.network(event); } }));
    const element = await setting.accessPoint('pe');
    const { identifier } = await setting.world.settled(element.register('echo', {}, (session) => { session.on('data', (data) => void session.send(data)); }));
    const session = await setting.world.settled((await setting.accessPoint('pu')).connect('echo'));
    const data: string[] = [];
    session.on('data', (received) => data.push(received.toString()));
    void session.send('a');
    await setting.world.settled(session.flush());
    const cards = transcript.said().filter((line) => line.includes('ASAP_BUSINESS_CARD'));
    expect([cards, data]).toEqual([[`pe > pu: ASAP_BUSINESS_CARD echo: 0x${identifier.toString(16).padStart(8, '0')}`], ['a']]);
  });

  // proves 5352-5-c
  it('§5: data never has the payload protocol identifier of ASAP', async () => {
    const setting = await RegistrarWorld.start();
    const element = await setting.accessPoint('pe');
    await setting.world.settled(element.register('echo', {}, () => undefined));
    const session = await setting.world.settled((await setting.accessPoint('pu')).connect('echo'));
    await expect(async () => session.send('a', { ppid: ASAP_PPID })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
