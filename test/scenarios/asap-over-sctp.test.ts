import type { ServiceSession } from '../../actors/service-session.js';
import { initialize } from '../../actors/access-point.js';
import { createRegistrar } from '../../actors/registrar.js';
import { World, type WorldHost } from '../../testing/world.js';
import type { Link } from '../../transports/transport.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** Pool elements and pool users that talk to their registrar over SCTP (RFC 5352 §2.1, §3.1), with real registrars. */

const echo = (session: ServiceSession): void => { session.on('data', (data, info) => { void info.reply(data.toString().toUpperCase()); }); };
const REGISTRARS = ['registrar', 'r2'] as const;

const start = async () => RegistrarWorld.start({}, undefined, 'sctp+udp');

/** Two registrars of one scope, SCTP only. */
async function scope() {
  const setting = await RegistrarWorld.start({ enrp: [] });
  const { world } = setting;
  await world.settled(setting.registrar.close());
  const at = (name: string, port: number): string => `sctp+udp://${world.host(name).address}:${port}`;
  const registrars = await world.settled(Promise.all(REGISTRARS.map(async (name, index) => createRegistrar({
    asap: [at(name, 3863)], enrp: [at(name, 9901)], peers: REGISTRARS.filter((other) => other !== name).map((other) => at(other, 9901)), id: 0x11 + index, environment: world.host(name).environment,
  }))));
  await world.advance(3_000);
  const accessPoint = async (name: string, known: readonly string[] = REGISTRARS) => initialize({ registrars: known.map((registrar) => at(registrar, 3863)), adopt: 'any', environment: world.host(name).environment });
  return { world, registrars, at, accessPoint };
}

/** Those that this process makes over SCTP. */
function linksOf({ environment }: WorldHost): readonly Link[] {
  const links: Link[] = [];
  const sctp = environment.transports('sctp+udp');
  const connect = sctp.connect.bind(sctp);
  sctp.connect = (...given) => {
    const link = connect(...given);
    links.push(link);
    return link;
  };
  return links;
}

/** Payload protocol identifiers of a packet's DATA chunks (RFC 9260 §3.3.1). */
function ppidsOf(packet: Buffer): number[] {
  const ppids: number[] = [];
  for (let at = 12; at + 4 <= packet.length; at += (packet.readUInt16BE(at + 2) + 3) & ~3) if (packet[at] === 0) ppids.push(packet.readUInt32BE(at + 12));
  return ppids;
}

describe('ASAP over SCTP', () => {
  // proves 5352-2.2.1-b
  // proves 5352-3.1-b
  it('hunt, registration, resolution, a session over SCTP, deregistration', async () => {
    const setting = await start();
    const { world } = setting;
    const point = await setting.accessPoint('pe');
    const element = await world.settled(point.register('pool', { listen: ['sctp+udp://0.0.0.0:0'], identifier: 7 }, echo));
    expect(point.registrar?.address).toBe(setting.address);
    const user = await setting.accessPoint('pu');
    const session = await world.settled(user.connect('pool'));
    expect((await world.settled(session.request('hello'))).data.toString()).toBe('HELLO');
    expect(session.transportInfo().mapping).toBe('sctp');
    await world.settled(session.close());
    await world.settled(element.deregister());
    expect(setting.events).toEqual(['registered 7', 'removed 7: deregistered']);
    await expect(world.settled(user.resolve('pool', { refresh: true }))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
  });

  it('sessions over TCP are registered over SCTP as well', async () => {
    const setting = await start();
    const { world } = setting;
    const point = await setting.accessPoint('pe');
    await world.settled(point.register('pool', { identifier: 7 }, echo));
    const session = await world.settled((await setting.accessPoint('pu')).connect('pool'));
    expect((await world.settled(session.request('hello'))).data.toString()).toBe('HELLO');
    expect(session.transportInfo().mapping).toBe('tcp');
  });

  it('keep-alives are answered, and who is gone without a word is removed', async () => {
    const setting = await start();
    const { world } = setting;
    const point = await setting.accessPoint('pe');
    await world.settled(point.register('pool', { identifier: 7 }, echo));
    await world.advance(60_000);
    expect(setting.events).toEqual(['registered 7']);
    world.host('pe').process.crash({ peersSee: 'nothing' });
    await world.until(() => setting.events.length > 1, 10_000);
    expect(setting.events.at(-1)).toMatch(/^removed 7: /);
  });

  // proves 5352-3.1-d, 5352-6.1-a
  it('X-1: its ASAP transport is the port that it talks from: one SCTP endpoint listens and connects', async () => {
    const { world, registrars, accessPoint } = await scope();
    const links = linksOf(world.host('pe'));
    const point = await accessPoint('pe');
    await world.settled(point.register('pool', { listen: ['sctp+udp://0.0.0.0:0'], identifier: 7 }, echo));
    const home = links.find(({ peer }) => peer === point.registrar?.address)!;
    await world.advance(1_000); // the other registrar hears of it
    for (const registrar of registrars) {
      expect(registrar.dump().pools[0]?.elements[0]?.transports.filter((address) => address.startsWith('asap+'))).toEqual([`asap+${home.local}`]);
    }
  });

  it('KA2.4: the registrar that takes over calls at that port with H=1, and is the new home', async () => {
    const { world, registrars, accessPoint, at } = await scope();
    const point = await accessPoint('pe', ['registrar']); // knows no other, so it can find none
    const element = await world.settled(point.register('pool', { listen: ['sctp+udp://0.0.0.0:0'], identifier: 7 }, echo));
    await world.advance(1_000);
    world.host('registrar').process.crash({ peersSee: 'nothing' });
    await world.until(() => point.registrar?.identifier === registrars[1]!.identifier, 20_000);
    const user = await accessPoint('pu', ['r2']);
    const session = await world.settled(user.connect('pool'));
    expect((await world.settled(session.request('hello'))).data.toString()).toBe('HELLO');
    expect(registrars[1]!.dump().pools[0]?.elements[0]).toMatchObject({ id: '0x00000007', home: registrars[1]!.dump().registrar });
    await world.settled(element.deregister());
    expect(point.registrar?.address.startsWith(at('r2', 0).slice(0, -1))).toBe(true);
  });

  it('asap.listen over SCTP is there from the beginning, and associations with registrars come from it', async () => {
    const setting = await start();
    const { world } = setting;
    const asap = { listen: `sctp+udp://${world.host('pe').address}:5000` };
    const links = linksOf(world.host('pe'));
    const point = await setting.accessPoint('pe', { asap });
    await world.settled(point.register('pool', { identifier: 7 }, echo));
    expect(links.filter(({ peer }) => peer === setting.address).map(({ local }) => local)).toEqual([asap.listen]);
    await expect(setting.accessPoint('pe', { asap })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  });

  // proves 5352-5-a
  it('payload protocol id 11: ASAP, both ways', async () => {
    const ppids = new Set<number>();
    const world = new World({ trace: ({ kind, bytes }) => { if (kind === 'datagram' && bytes !== undefined) for (const ppid of ppidsOf(Buffer.from(bytes))) ppids.add(ppid); } });
    const setting = await RegistrarWorld.start({}, world, 'sctp+udp');
    const point = await setting.accessPoint('pe');
    await world.settled(point.register('pool', { identifier: 7 }, echo));
    await world.advance(10_000);
    expect([...ppids]).toEqual([11]);
  });

  // proves 5352-3.5-c
  it('a report that an element is unreachable goes over it', async () => {
    const setting = await start();
    const { world } = setting;
    const point = await setting.accessPoint('pe');
    await world.settled(point.register('pool', { listen: ['sctp+udp://0.0.0.0:0'], identifier: 7 }, echo));
    const user = await setting.accessPoint('pu');
    await world.settled(user.resolve('pool'));
    const before = world.log.length;
    expect(user.reportUnreachable({ handle: 'pool', identifier: 7 })).toBe(true);
    await world.advance(3_000);
    expect(world.log.slice(before).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    expect(setting.events).toEqual(['registered 7']); // asked, and answered: a report alone removes nobody
  });

  it('a home that is lost is found again, from the same port', async () => {
    const setting = await start();
    const { world } = setting;
    const point = await setting.accessPoint('pe');
    await world.settled(point.register('pool', { listen: ['sctp+udp://0.0.0.0:0'], identifier: 7 }, echo));
    setting.host.process.crash({ peersSee: 'nothing' });
    await world.advance(5_000);
    await setting.restart();
    await world.until(() => setting.events.filter((event) => event === 'registered 7').length === 2, 30_000);
  });
});
