import { describe, expect, it } from '@jest/globals';
import { initialize } from '../../actors/access-point.js';
import { FrameTranscript } from '../support/frame-transcript.js';
import { echo, elementOf, RegistrarWorld } from '../support/registrar-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
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

  // proves 5352-3.3-d, 5352-4-l
  it('§3.3 NR3, §4: who is pool element and pool user asks over the association it registered by', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'registrar', 1);
    const accessPoint = await initialize({ registrars: [registrar.address], environment: world.host('both').environment });
    await world.settled(accessPoint.register('echo', {}, () => undefined));
    expect((await world.settled(accessPoint.resolve('echo'))).elements).toHaveLength(1);
    expect([registrar.count('ASAP_HANDLE_RESOLUTION'), registrar.links.size]).toEqual([1, 1]);
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
  // proves 5352-3.9-a, 5352-3.9-c, 5352-4-g
  it('go by the control channel of a session that begins, and are no data of it', async () => {
    const transcript = new FrameTranscript();
    const setting = await RegistrarWorld.start({}, new World({ trace: (event) => { if ([event.from, event.to].sort().join() === 'pe,pu') transcript.note(event); } }));
    const element = await setting.accessPoint('pe');
    await setting.world.settled(element.register('echo', {}, (session) => { session.on('data', (data) => void session.send(data)); }));
    const session = await setting.world.settled((await setting.accessPoint('pu')).connect('echo'));
    const data: string[] = [];
    session.on('data', (received) => data.push(received.toString()));
    void session.send('a');
    await setting.world.settled(session.flush());
    const cards = transcript.lines({ clock: false }).filter((line) => line.includes('ASAP_BUSINESS_CARD'));
    expect([cards, data]).toEqual([['pe > pu: ASAP_BUSINESS_CARD 0'], ['a']]);
  });
});
