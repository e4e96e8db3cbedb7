import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { RserpoolError } from '../../errors.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { World } from '../../testing/world.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** Business cards (RFC 5352 §3.9, draft §4.5.3): real processes and a real registrar on a simulated network. */

const answers = (session: ServiceSession): void => { session.on('data', (data, info) => { void info.reply(`${data.toString()} ${JSON.stringify(info.from ?? null)}`); }); };
const names = (...identifiers: number[]) => identifiers.map((identifier) => ({ handle: 'service', identifier }));
const codeOf = async (promise: Promise<unknown>): Promise<string> => promise.then(() => 'resolved', ({ code }: RserpoolError) => code);

async function setting() {
  const clock = new SimulatedClock();
  const transcript = new Transcript(() => clock.now());
  const world = new World({ clock, trace: transcript.network });
  const registrar = await RegistrarWorld.start({}, world);
  return {
    world, registrar,
    cards: (to: string) => transcript.said().filter((line) => line.includes(`> ${to}: ASAP_BUSINESS_CARD`)),
    asked: (from: string, pool: string) => transcript.said().filter((line) => line === `${from} > registrar: ASAP_HANDLE_RESOLUTION ${pool}`).length,
    said: () => transcript.said(),
    /** A process with one element of that pool. */
    element: async (name: string, identifier: number, handle = 'service', onSession = answers): Promise<ServiceAccessPoint> => {
      const accessPoint = await registrar.accessPoint(name);
      await world.settled(accessPoint.register(handle, { identifier }, onSession));
      return accessPoint;
    },
  };
}

describe('the card of a pool element (RFC 5352 §3.9)', () => {
  // proves 5352-3.9-a, 5352-3.9-f
  it('BC2: its preferred elements take over in their order; then those by policy', async () => {
    const { world, registrar, cards, element } = await setting();
    const first = await element('pe1', 1);
    for (const identifier of [2, 3, 4, 5]) await element(`pe${identifier}`, identifier);
    const user = await registrar.accessPoint('pu');
    const session = await world.settled(user.connect('service'));
    expect(session.peIdentifier).toBe(1);
    await world.settled(first.setBusinessCard('service', names(5, 3)));
    await world.advance(10);
    expect(cards('pu')).toEqual(['pe1 > pu: ASAP_BUSINESS_CARD service: 0x00000001', 'pe1 > pu: ASAP_BUSINESS_CARD service: 0x00000001, 0x00000005, 0x00000003']);
    world.host('pe5').process.crash();
    world.host('pe1').process.crash();
    await world.advance(2_000); // 5 is preferred and cannot be reached, 3 is next
    expect(session.peIdentifier).toBe(3);
    world.host('pe3').process.crash(); // which prefers nobody
    await world.advance(2_000);
    expect([2, 4]).toContain(session.peIdentifier);
  });

  it('a card that names strangers, or comes from another pool, leads nobody astray', async () => {
    const { world, registrar, element } = await setting();
    const first = await element('pe1', 1);
    await element('pe2', 2);
    const other = await element('other', 77);
    const user = await registrar.accessPoint('pu');
    const session = await world.settled(user.connect('service'));
    await world.settled(first.setBusinessCard('service', names(77, 2)));
    await world.settled(other.close());
    await world.advance(40_000); // the user has asked again since
    world.host('pe1').process.crash();
    await world.settled(session.send('a', { deliver: 'at-least-once' }));
    expect(session.peIdentifier).toBe(2);
  });

  it('is preferred as well in a drain', async () => {
    const { world, registrar, element } = await setting();
    const first = await element('pe1', 1);
    for (const identifier of [2, 3, 4]) await element(`pe${identifier}`, identifier);
    const user = await registrar.accessPoint('pu');
    const sessions = await world.settled(Promise.all(Array.from({ length: 8 }, async () => user.connect('service'))));
    await world.settled(first.setBusinessCard('service', names(4)));
    await world.advance(10);
    const moved = sessions.filter(({ peIdentifier }) => peIdentifier === 1);
    await world.settled([...first.elements][0]!.drain());
    await world.advance(100);
    expect(moved.map(({ peIdentifier }) => peIdentifier)).toEqual(moved.map(() => 4));
  });
});

describe('the card of a pool user that is a pool element too (RFC 5352 §3.9)', () => {
  // proves 5352-3.9-b, 5352-3.9-c
  it('goes before its first session; who is no element sends none; X-11: messages are from its PE handle', async () => {
    const { world, registrar, cards, said, element } = await setting();
    await element('pe', 1);
    const peer = await element('peer', 2, 'peers');
    const plain = await registrar.accessPoint('plain');
    const heard: string[] = [];
    for (const accessPoint of [peer, plain]) {
      const session = await world.settled(accessPoint.connect('service'));
      session.on('data', (data) => { heard.push(data.toString()); });
      await world.settled(session.send('a', { deliver: 'at-least-once' }));
    }
    expect(cards('pe')).toEqual(['peer > pe: ASAP_BUSINESS_CARD peers: 0x00000002']);
    const way = said().filter((line) => line.startsWith('peer > pe'));
    expect(way.findIndex((line) => line.includes('CARD'))).toBeLessThan(way.findIndex((line) => line.includes('OPEN')));
    expect(heard).toEqual(['a {"handle":"peers","identifier":2}', 'a null']);
  });

  // proves 5352-3.9-d
  it('X-8: and again on change: registered, set, another pool, deregistered; not when only a load has changed', async () => {
    const { world, registrar, cards, element } = await setting();
    await element('pe', 1);
    for (const identifier of [11, 12]) await element(`peer${identifier}`, identifier, 'peers');
    const both = await registrar.accessPoint('both');
    await world.settled(both.connect('service'));
    expect(cards('pe')).toEqual([]);
    const register = async (handle: string, identifier: number) => world.settled(both.register(handle, { identifier }, answers));
    const told = async (): Promise<string | undefined> => { await world.advance(20); return cards('pe').at(-1)?.replace(/.*CARD /, '').replaceAll('0x000000', ''); };
    const mine = await register('peers', 10);
    expect(await told()).toBe('peers: 0a');
    const other = await register('others', 20);
    await world.settled(both.setBusinessCard('peers', [{ handle: 'peers', identifier: 12 }, { handle: Buffer.from('peers'), identifier: 10 }, { handle: 'peers', identifier: 11 }, { handle: 'peers', identifier: 12 }]));
    expect(await told()).toBe('peers: 0a, 0c, 0b'); // itself first, each once
    await world.settled(both.setBusinessCard('others'));
    expect(await told()).toBe('others: 14');
    await world.settled(other.deregister());
    expect(await told()).toBe('peers: 0a, 0c, 0b');
    const before = cards('pe').length;
    await world.settled(mine.update({ policy: { policy: 'round-robin' } }));
    await world.advance(60_000); // renewals
    expect(cards('pe').length).toBe(before);
  });

  it('X-8: is taken back when the last pool is left: nobody is turned to then', async () => {
    const { world, registrar, cards, element } = await setting();
    const from: unknown[] = [];
    await element('pe', 1, 'service', (session) => {
      session.on('data', (_, info) => { from.push(info.from); });
      session.on('rendezvous', () => { from.push('rendezvous'); });
    });
    await element('peer', 11, 'peers');
    const both = await registrar.accessPoint('both');
    const mine = await world.settled(both.register('peers', { identifier: 10 }, answers));
    const session = await world.settled(both.connect('service'));
    await world.settled(session.send('a', { deliver: 'at-least-once' }));
    await world.settled(mine.deregister());
    await world.advance(20);
    expect(cards('pe').at(-1)).toMatch(/ASAP_BUSINESS_CARD peers/);
    await world.settled(session.send('b', { deliver: 'at-least-once' }));
    world.host('both').process.crash();
    await world.advance(2_000);
    expect(from).toEqual([{ handle: 'peers', identifier: 10 }, undefined]);
  });

  // proves 5352-3.9-e
  it('BC1: a pool that a card names and nobody knows is resolved at once', async () => {
    const { world, asked, element } = await setting();
    await element('pe', 1);
    const peer = await element('peer', 2, 'peers');
    expect(asked('pe', 'peers')).toBe(0);
    await world.settled(peer.connect('service'));
    await world.advance(50);
    expect(asked('pe', 'peers')).toBe(1);
  });
});

describe('setBusinessCard (draft §4.5.3, X-8)', () => {
  it('refuses what makes no sense, at once, and changes nothing', async () => {
    const { world, registrar, element } = await setting();
    const both = await element('both', 1, 'peers');
    await element('pe', 7);
    const user = await registrar.accessPoint('pu');
    const refused = async (...args: readonly unknown[]): Promise<string> => codeOf(world.settled(both.setBusinessCard(...args as Parameters<ServiceAccessPoint['setBusinessCard']>)));
    expect(await refused('service', names(7))).toBe('NOT_REGISTERED');
    expect(await codeOf(world.settled(user.setBusinessCard('peers')))).toBe('NOT_REGISTERED');
    expect(await refused('peers', names(7))).toBe('INVALID_OPTION'); // foreign
    expect(await refused('peers', [{ handle: 'peers', identifier: 99 }])).toBe('UNKNOWN_POOL_ELEMENT');
    expect(await refused('peers', Array.from({ length: 65 }, (_, index) => ({ handle: 'peers', identifier: index + 1 })))).toBe('INVALID_OPTION');
    for (const bad of [7, 'x', {}, null]) expect(await refused('peers', bad)).toBe('INVALID_OPTION');
    for (const bad of [[7], [null], [{ handle: 'peers' }], [{ identifier: 1 }], [{ handle: 'peers', identifier: 0 }], [{ handle: 'peers', identifier: -1 }]]) expect(await refused('peers', bad)).toBe('INVALID_HANDLE');
    for (const bad of ['', 7, undefined, null]) expect(await refused(bad)).toBe('INVALID_HANDLE');
    await world.settled(both.close());
    expect(await codeOf(both.setBusinessCard('peers'))).toBe('CLOSED');
  });
});
