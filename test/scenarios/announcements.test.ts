import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import { Announcements, resolveRegistrarMulticast, type RegistrarMulticastOptions } from '../../actors/announcements.js';
import { Association } from '../../actors/association.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { quickTimers } from '../../machines/timers.js';
import type { NetworkEvent } from '../../transports/memory.js';
import type { DatagramSocket, Endpoint } from '../../transports/network.js';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, type AsapMessage, type AsapMessageOf, type EnrpMessage, type EnrpMessageOf } from '../../wire/index.js';
import { World } from '../../testing/world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { captured } from '../wire/captured.js';

/** Announcements by multicast on the simulated network: the real ones, and forged ones. */

const ASAP: Endpoint = { host: '239.0.0.50', port: 3863 };
const ENRP: Endpoint = { host: '239.0.0.51', port: 9901 };
const tcp = (host: string, port = 3863) => ({ transport: 'tcp', port, addresses: [host] }) as const;
const announce = (serverIdentifier: number, ...transports: AsapMessageOf<'ASAP_SERVER_ANNOUNCE'>['transports']): Buffer =>
  encodeAsap({ type: 'ASAP_SERVER_ANNOUNCE', serverIdentifier, transports });
const presence = (id: number, host?: string): EnrpMessageOf<'ENRP_PRESENCE'> => ({
  type: 'ENRP_PRESENCE', flags: { replyRequired: false }, sendingServer: id, receivingServer: 0, checksum: 0xffff,
  serverInformation: host === undefined ? undefined : { serverId: id, transport: tcp(host, 9901) },
});

class Setting {
  readonly connects: NetworkEvent[] = [];
  readonly world = new World({ trace: (event) => { if (event.kind === 'connect') this.connects.push(event); } });
  readonly open: { close(): unknown }[] = [];

  /** Somebody who sends what he likes, and hears what is said in the groups. */
  async peer(name: string): Promise<{ readonly socket: DatagramSocket; readonly asap: AsapMessage[]; readonly enrp: EnrpMessage[]; readonly times: number[] }> {
    const { network, clock } = this.world.host(name);
    const asap: AsapMessage[] = [];
    const enrp: EnrpMessage[] = [];
    const times: number[] = [];
    const a = await this.world.settled(network.bind({ ...ASAP, shared: true }, (bytes) => { asap.push(decodeAsap(bytes).message); times.push(clock.now()); }));
    const e = await this.world.settled(network.bind({ ...ENRP, shared: true }, (bytes) => { enrp.push(decodeEnrp(bytes).message); }));
    a.join(ASAP.host);
    e.join(ENRP.host);
    const socket = await this.world.settled(network.bind({ host: '0.0.0.0', port: 0 }, () => undefined));
    this.open.push(a, e, socket);
    return { socket, asap, enrp, times };
  }

  /** A registrar's announcements without the registrar. */
  async registrar(name: string, identifier: number, { options = true, asap = [`tcp://${this.world.host(name).address}:3863`] }: { readonly options?: true | RegistrarMulticastOptions; readonly asap?: readonly string[] } = {}): Promise<{ readonly announcements: Announcements; readonly hints: string[]; asap: readonly string[] }> {
    const registrar = { hints: [] as string[], asap };
    const announcements = new Announcements(this.world.host(name).environment, options, {
      identifier, asap: () => registrar.asap, presences: () => [presence(identifier, this.world.host(name).address)], timers: quickTimers,
      hint: (id, address) => { registrar.hints.push(`${id} ${address}`); },
    });
    this.open.push(announcements);
    await this.world.settled(announcements.start());
    return Object.assign(registrar, { announcements });
  }

  async realRegistrar(name: string, id: number): Promise<Registrar> {
    const { address, environment, process } = this.world.host(name);
    const registrar = await this.world.settled(createRegistrar({ asap: [`tcp://${address}:3863`], enrp: [`tcp://${address}:9901`], multicast: true, id, environment }));
    this.open.push({ close: () => (process.isAlive ? this.world.settled(registrar.close()) : undefined) });
    return registrar;
  }

  async accessPoint(options: Partial<InitializeOptions> = {}, name = 'pe'): Promise<ServiceAccessPoint> {
    const accessPoint = await initialize({ registrars: [], multicast: true, environment: this.world.host(name).environment, ...options });
    this.open.push({ close: () => this.world.settled(accessPoint.close()) });
    await this.world.advance(0);
    return accessPoint;
  }
}

let setting: Setting;
beforeEach(() => { setting = new Setting(); });
afterEach(async () => {
  for (const each of setting.open.reverse()) await each.close();
  await setting.world.advance(100);
});

describe('a registrar announces itself (RFC 5352 §3.6)', () => {
  // proves 5352-3.6-a, 5352-4-k
  it('every T6 while it is alone, with its identifier and all its ASAP addresses, names resolved', async () => {
    const { asap, times } = await setting.peer('listener');
    const { address } = setting.world.host('r1');
    await setting.registrar('r1', 0x11, { asap: [`tcp://${address}:3863`, 'tcp://r1:4000', 'tcp://0.0.0.0:5000'] });
    await setting.world.advance(20_000);
    expect(asap[0]).toEqual({ type: 'ASAP_SERVER_ANNOUNCE', serverIdentifier: 0x11, transports: [tcp(address), tcp(address, 4000), tcp('0.0.0.0', 5000)] });
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    expect(gaps.length).toBeGreaterThan(18);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(750);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1000);
    expect(new Set(gaps).size).toBeGreaterThan(10); // jittered
  });

  // proves 5352-3.6-a
  it('less often where others do too, but never so seldom that its address ages: forged ones do not silence it', async () => {
    const { asap, socket } = await setting.peer('listener');
    await setting.registrar('r1', 0x11);
    const count = async (): Promise<number> => {
      await setting.world.advance(6_000); // what was heard counts by now
      asap.length = 0;
      await setting.world.advance(20_000);
      return asap.filter((message) => message.type === 'ASAP_SERVER_ANNOUNCE' && message.serverIdentifier === 0x11).length;
    };
    const alone = await count();
    await setting.registrar('r2', 0x22);
    const beside = await count();
    expect(beside / alone).toBeGreaterThan(0.4);
    expect(beside / alone).toBeLessThan(0.6);
    const forge = (): void => {
      for (let id = 1000; id < 1400; id += 1) socket.send(announce(id), ASAP);
      setting.world.clock.setTimeout(forge, 1000);
    };
    forge();
    expect(await count()).toBeGreaterThanOrEqual(20_000 / (quickTimers.t7EnrpOutdate / 2));
  });

  it('not before it serves', async () => {
    const { asap } = await setting.peer('listener');
    const registrar = await setting.registrar('r1', 0x11, { asap: [] });
    await setting.world.advance(3_000);
    expect(asap).toEqual([]);
    registrar.asap = ['tcp://10.0.0.9:3863'];
    await setting.world.advance(1_000);
    expect(asap).toHaveLength(1);
  });

  it('X-39: and to registrars by its presence, every PEER-HEARTBEAT-CYCLE', async () => {
    const { enrp } = await setting.peer('listener');
    await setting.registrar('r1', 0x11);
    await setting.world.advance(3_000);
    expect(enrp[0]).toEqual(presence(0x11, setting.world.host('r1').address));
    expect(enrp.length).toBeGreaterThanOrEqual(10);
    expect(enrp.length).toBeLessThanOrEqual(14);
  });

  it('in the groups it is told, and not in others', async () => {
    const { asap, enrp } = await setting.peer('listener');
    const other = await setting.registrar('r1', 0x11, { options: { asapGroup: '239.1.0.1:3863', enrpGroup: '239.1.0.2:9901' } });
    const same = await setting.registrar('r2', 0x22, { options: { asapGroup: '239.1.0.1:3863', enrpGroup: '239.1.0.2:9901' } });
    await setting.world.advance(3_000);
    expect([asap, enrp]).toEqual([[], []]);
    expect([other.hints[0], same.hints[0]]).toEqual([`34 tcp://${setting.world.host('r2').address}:9901`, `17 tcp://${setting.world.host('r1').address}:9901`]);
  });

  it('a presence that cannot be made, and a name without an address, are logged once; it goes on', async () => {
    const { asap } = await setting.peer('listener');
    const { environment } = setting.world.host('r1');
    let fails = true;
    const announcements = new Announcements(environment, true, {
      identifier: 0x11, timers: quickTimers, hint: () => undefined,
      asap: () => (fails ? ['tcp://nobody:3863'] : ['tcp://10.0.0.9:3863']),
      presences: () => { throw new Error('a fault'); },
    });
    setting.open.push(announcements);
    await setting.world.settled(announcements.start());
    await setting.world.advance(5_000);
    expect(setting.world.log.filter(({ level }) => level === 'warn')).toHaveLength(2);
    fails = false;
    await setting.world.advance(1_000);
    expect(asap).toHaveLength(1);
  });

  it('says in the log where only loopback addresses are announced to others', async () => {
    await setting.registrar('r1', 0x11, { asap: ['tcp://127.0.0.1:3863'] });
    await setting.world.advance(3_000);
    expect(setting.world.log.map(({ message }) => message)).toEqual(['only loopback addresses are announced: other hosts cannot use them']);
  });

  it('a port that somebody has alone is ADDRESS_IN_USE, and nothing stays open', async () => {
    const { network, process, environment } = setting.world.host('r1');
    const alone = await setting.world.settled(network.bind({ host: '0.0.0.0', port: 9901 }, () => undefined));
    const announcements = new Announcements(environment, true, { identifier: 1, asap: () => [], presences: () => [presence(1)], timers: quickTimers, hint: () => undefined });
    await expect(setting.world.settled(announcements.start())).rejects.toMatchObject({ code: 'ADDRESS_IN_USE', message: 'cannot join the group 239.0.0.51:9901: EADDRINUSE' });
    alone.close();
    expect(process.datagramSockets.size).toBe(0);
  });

  it('closed, also while it starts, it says no more and leaves nothing', async () => {
    const { asap, enrp } = await setting.peer('listener');
    const { announcements } = await setting.registrar('r1', 0x11);
    await setting.world.advance(3_000);
    announcements.close();
    const { environment, process } = setting.world.host('r1');
    const starting = new Announcements(environment, true, { identifier: 1, asap: () => [], presences: () => [presence(1)], timers: quickTimers, hint: () => undefined });
    const started = starting.start();
    starting.close();
    await setting.world.settled(started);
    const before = [asap.length, enrp.length];
    await setting.world.advance(3_000);
    expect([asap.length, enrp.length]).toEqual(before);
    expect(process.datagramSockets.size).toBe(0);
  });

  it.each([
    [{ asapGroup: '10.0.0.1:3863' }, 'asapGroup is a multicast group, address:port'],
    [{ enrpGroup: '239.0.0.51' }, 'enrpGroup is a multicast group, address:port'],
    [{ enrpGroup: '239.0.0.51:0' }, 'enrpGroup is a multicast group, address:port'],
    [{ ttl: 256 }, 'ttl is a whole number from 0 to 255'],
    [{ interface: 1 }, 'interface is a string'],
    [{ group: '239.0.0.51:9901' }, 'has no option group'],
    ['239.0.0.51:9901', 'takes its options as an object'],
  ])('refuses %j', (options, message) => {
    const { environment } = setting.world.host('r1');
    expect(() => resolveRegistrarMulticast(environment, options as never)).toThrow(message);
    expect(() => resolveRegistrarMulticast({ ...environment, datagrams: undefined }, true)).toThrow('needs an environment with datagrams');
    expect([resolveRegistrarMulticast(environment, false), resolveRegistrarMulticast(environment, undefined), resolveRegistrarMulticast(environment, true)]).toEqual([undefined, undefined, {}]);
  });
});

describe('a registrar hears of others (RFC 5353 §3.1, X-39): hints', () => {
  it('the address is that of the server information, or where the datagram came from; the own identifier is ignored', async () => {
    const { socket } = await setting.peer('other');
    const { address } = setting.world.host('other');
    const { hints } = await setting.registrar('r1', 0x11);
    for (const message of [
      presence(0x21, '10.9.9.9'), presence(0x22), presence(0x23, '0.0.0.0'), // somewhere, here, here
      presence(0x11, '10.9.9.9'), presence(0, '10.9.9.9'), presence(0x24, '239.0.0.51'), { ...presence(0x25), serverInformation: { serverId: 0x99, transport: tcp('10.9.9.9', 9901) } },
    ]) socket.send(encodeEnrp(message), ENRP);
    await setting.world.advance(4_000);
    expect([...hints].sort()).toEqual([`33 tcp://10.9.9.9:9901`, `34 tcp://${address}:9901`, `35 tcp://${address}:9901`]);
  });

  it('who says so again is told again after T7, not before', async () => {
    const { hints } = await setting.registrar('r1', 0x11);
    await setting.registrar('r2', 0x22);
    await setting.world.advance(4_900);
    expect(hints).toHaveLength(1);
    await setting.world.advance(6_000);
    expect(hints).toHaveLength(2);
  });

  it('what is no presence is nothing: other messages, bytes, a transport without a port (logged once); of RSPLIB the SCTP address is worth a try', async () => {
    const socket = await setting.world.settled(setting.world.host('other').network.bind({ host: '0.0.0.0', port: 0 }, () => undefined));
    const { hints } = await setting.registrar('r1', 0x11);
    const rsplib = captured.filter(({ protocol, bytes }) => protocol === 'ENRP' && bytes[0] === 1).slice(0, 20);
    expect(rsplib.length).toBeGreaterThan(0);
    for (const { bytes } of rsplib) socket.send(bytes, ENRP);
    const nowhere = encodeEnrp({
      type: 'ENRP_PRESENCE', flags: { replyRequired: false }, sendingServer: 0x33, receivingServer: 0, checksum: 0xffff,
      serverInformation: { serverId: 0x33, transport: { transport: 'sctp', port: 0, use: 'data-only', addresses: ['10.9.0.1'] } },
    });
    for (const bytes of [nowhere, nowhere, Buffer.alloc(0), Buffer.from('nonsense'), Buffer.alloc(60_000, 1), announce(7), encodeEnrp({ type: 'ENRP_LIST_REQUEST', sendingServer: 7, receivingServer: 0 })]) {
      socket.send(bytes, ENRP);
      socket.send(bytes, ASAP);
    }
    await setting.world.advance(3_000);
    expect(new Set(hints.map((hint) => hint.replace(/^\d+ /, '')))).toEqual(new Set(['sctp+udp://10.77.0.10:9901']));
    expect(setting.world.log.filter(({ host, level }) => host === 'r1' && level === 'warn')).toHaveLength(1);
  });

  // proves 5352-9.2-t
  it('forged by the thousand: at most a few a second are passed on, and an honest one is not kept out', async () => {
    const { socket } = await setting.peer('forger');
    const { hints } = await setting.registrar('r1', 0x11);
    let id = 1000;
    const forge = (): void => {
      for (let count = 0; count < 40; count += 1) {
        id += 1;
        socket.send(encodeEnrp(presence(id, `10.66.${id & 0xff}.${(id >> 8) & 0xff}`)), ENRP);
      }
      setting.world.clock.setTimeout(forge, 100);
    };
    forge();
    await setting.world.advance(10_000);
    expect(hints.length).toBeGreaterThan(30);
    expect(hints.length).toBeLessThan(60);
    await setting.registrar('r2', 0x22);
    const honest = `34 tcp://${setting.world.host('r2').address}:9901`;
    expect(await setting.world.until(() => hints.includes(honest))).toBeLessThan(5_000);
  });
});

describe('registrars that know each other by multicast alone (X-39)', () => {
  const states = (registrars: readonly Registrar[]): string[] => registrars.map((registrar) => registrar.peers().map(({ id, state }) => `${id} ${state}`).sort().join());

  it('find each other, and a process finds them; it moves when its home dies', async () => {
    const registrars = [await setting.realRegistrar('r1', 1), await setting.realRegistrar('r2', 2), await setting.realRegistrar('r3', 3)];
    await setting.world.until(() => states(registrars).join(' | ') === '2 active,3 active | 1 active,3 active | 1 active,2 active', 5_000);
    const accessPoint = await setting.accessPoint();
    await setting.world.settled(accessPoint.register('echo', { identifier: 7 }, () => undefined));
    await setting.world.until(() => registrars.every((registrar) => registrar.stats().elements === 1), 1_000);
    const home = registrars.findIndex(({ asap }) => asap[0] === accessPoint.registrar?.address);
    setting.world.host(`r${home + 1}`).process.crash();
    const [other] = registrars.filter((_, index) => index !== home);
    await setting.world.until(() => other?.dump().pools[0]?.elements[0]?.home !== registrars[home]?.dump().registrar, 2_000);
    expect(accessPoint.registrar?.address).not.toBe(registrars[home]?.asap[0]);
  });

  // proves 5352-9.2-t
  it('forged presences by the thousand make no peer, change no checksum and end no peer; an honest newcomer is met', async () => {
    const registrars = [await setting.realRegistrar('r1', 1), await setting.realRegistrar('r2', 2)];
    await setting.world.until(() => states(registrars).join(' | ') === '2 active | 1 active', 5_000);
    const { socket } = await setting.peer('forger');
    let id = 1000;
    const forge = (): void => {
      socket.send(encodeEnrp({ ...presence(2, '10.66.0.1'), checksum: 7 }), ENRP); // in the name of a living one
      for (let count = 0; count < 30; count += 1) {
        id += 1;
        socket.send(encodeEnrp(presence(id, `10.66.${id & 0xff}.${(id >> 8) & 0xff}`)), ENRP);
      }
      setting.world.clock.setTimeout(forge, 100);
    };
    forge();
    const news: string[] = [];
    for (const registrar of registrars) registrar.on('peer', (peer) => news.push(JSON.stringify(peer)));
    await setting.world.advance(60_000);
    expect([states(registrars), news]).toEqual([['2 active', '1 active'], []]);
    const third = await setting.realRegistrar('r3', 3);
    await setting.world.until(() => [...registrars, third].every((registrar) => registrar.peers().length === 2), 10_000);
  });
});

describe('a process hears of registrars (RFC 5352 §3.6)', () => {
  // proves 5352-1.1-b, 5352-3.6-b
  it('that knows none hunts until somebody announces himself, and is registered there', async () => {
    const accessPoint = await setting.accessPoint();
    await setting.world.advance(10_000);
    expect([accessPoint.registrar, setting.connects]).toEqual([undefined, []]);
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    await setting.registrar('r1', 1);
    expect(await setting.world.until(() => accessPoint.registrar !== undefined)).toBeLessThan(1_700); // T6, and about T5
    expect(accessPoint.registrar?.address).toBe(r1.address);
    await setting.world.settled(accessPoint.register('echo', {}, () => undefined));
    expect(r1.count('ASAP_REGISTRATION')).toBe(1);
  });

  it('an operation that waits is served as soon as somebody is announced', async () => {
    const accessPoint = await setting.accessPoint();
    const registered = accessPoint.register('echo', {}, () => undefined);
    await ScriptedRegistrar.start(setting.world, 'r1', 1);
    await setting.registrar('r1', 1);
    await setting.world.settled(registered, 2_000);
  });

  // proves 5352-3.6-d
  it('an announcement without transports stands for its source and the ASAP port, as RSPLIB sends them', async () => {
    const [rsplib] = captured.filter(({ protocol, bytes }) => protocol === 'ASAP' && bytes[0] === 0x0a);
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    const { socket } = await setting.peer('r1');
    const accessPoint = await setting.accessPoint();
    socket.send(rsplib!.bytes, ASAP);
    await setting.world.until(() => accessPoint.registrar !== undefined);
    expect(accessPoint.registrar?.address).toBe(r1.address);
  });

  it('a registrar that listens everywhere is looked for where its announcement came from', async () => {
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    await setting.registrar('r1', 1, { asap: ['tcp://0.0.0.0:3863'] });
    const accessPoint = await setting.accessPoint();
    await setting.world.until(() => accessPoint.registrar !== undefined);
    expect(accessPoint.registrar?.address).toBe(r1.address);
  });

  // proves 5352-3.6-c, 5352-3.6-e
  it('X-10, T7: an address ages that is not announced any more, and the configured one never does', async () => {
    const configured = setting.world.host('configured').address;
    const announced = setting.world.host('announced').address; // nobody listens at either
    const { announcements } = await setting.registrar('announced', 1);
    await setting.accessPoint({ registrars: [`tcp://${configured}:3863`] });
    const tried = (): string[] => [...new Set(setting.connects.splice(0).map(({ to }) => to))].sort();
    await setting.world.advance(30_000);
    expect(tried()).toEqual(['announced', 'configured']); // announced again and again
    announcements.close();
    await setting.world.advance(quickTimers.t7EnrpOutdate - 1_000);
    tried();
    await setting.world.advance(1_000);
    tried();
    await setting.world.advance(60_000);
    expect(tried()).toEqual(['configured']);
    expect(announced).not.toBe(configured);
  });

  it('a home that dies is replaced by one that was announced', async () => {
    const registrars = [await ScriptedRegistrar.start(setting.world, 'r1', 1), await ScriptedRegistrar.start(setting.world, 'r2', 2)];
    for (const { host, identifier } of registrars) await setting.registrar(host.name, identifier);
    const accessPoint = await setting.accessPoint();
    await setting.world.settled(accessPoint.register('echo', {}, () => undefined));
    const home = accessPoint.registrar?.address;
    registrars.find(({ address }) => address === home)?.host.process.crash();
    expect(await setting.world.until(() => ![undefined, home].includes(accessPoint.registrar?.address))).toBeLessThan(1_000);
  });

  // proves 5352-9.2-t
  it('forged by the thousand: a living home stays, nobody else is connected to, nothing is kept beyond a bound', async () => {
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    const accessPoint = await setting.accessPoint({ registrars: [r1.address] });
    await setting.world.settled(accessPoint.register('echo', {}, () => undefined));
    setting.connects.length = 0;
    const { socket } = await setting.peer('forger');
    for (let count = 0; count < 5_000; count += 1) {
      socket.send(announce(count, tcp(`10.66.${count & 0xff}.${count >> 8}`)), ASAP);
      if (count % 50 === 0) await setting.world.advance(20);
    }
    await setting.world.advance(10_000);
    expect([accessPoint.registrar?.address, setting.connects, r1.links.size]).toEqual([r1.address, [], 1]);
  });

  // proves 5352-9.2-t
  it('forged by the thousand while it hunts: a few hunts a second at most, and who is configured or honest is found', async () => {
    const { socket } = await setting.peer('forger');
    const victim = setting.world.host('victim').address;
    let port = 1;
    const forge = (): void => {
      for (let count = 0; count < 40; count += 1) socket.send(announce(port, tcp(victim, (port += 1) & 0x7fff)), ASAP);
      setting.world.clock.setTimeout(forge, 100);
    };
    forge();
    const accessPoint = await setting.accessPoint();
    await setting.world.advance(20_000);
    expect(setting.connects.length).toBeGreaterThan(20); // it is a hint, after all
    expect(setting.connects.length).toBeLessThan(20 * 4 * 16);
    await ScriptedRegistrar.start(setting.world, 'r1', 1);
    await setting.registrar('r1', 1);
    expect(await setting.world.until(() => accessPoint.registrar !== undefined)).toBeLessThan(5_000);
  });

  it('X-48: an announced host is no known one: it does not make itself home by H=1', async () => {
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    await setting.registrar('r2', 2);
    const accessPoint = await setting.accessPoint({ registrars: [r1.address] });
    await setting.world.settled(accessPoint.register('echo', { identifier: 7 }, () => undefined));
    await setting.world.advance(3_000);
    const [element] = [...r1.pools.values()][0]?.values() ?? [];
    const { port = 0, addresses = [] } = element?.asapTransport ?? {};
    const { tcp: transport, environment } = setting.world.host('r2');
    const received: AsapMessage[] = [];
    const association = Association.connect(transport, `tcp://${addresses[0] ?? ''}:${port}`, () => ({ message: (message) => received.push(message), down: () => undefined }), environment);
    setting.open.push(association);
    association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: 2, poolHandle: Buffer.from('echo') });
    await setting.world.advance(100);
    expect(received.map(({ type }) => type)).toEqual(['ASAP_ENDPOINT_KEEP_ALIVE_ACK']);
    expect(accessPoint.registrar?.address).toBe(r1.address);
  });

  it('where the group cannot be joined it goes on with what is configured, says so once, and tries again', async () => {
    const { network, process } = setting.world.host('pe');
    const alone = await setting.world.settled(network.bind({ host: '0.0.0.0', port: 3863 }, () => undefined));
    const r1 = await ScriptedRegistrar.start(setting.world, 'r1', 1);
    const accessPoint = await setting.accessPoint({ registrars: [r1.address] });
    await setting.world.until(() => accessPoint.registrar !== undefined);
    await setting.world.advance(3 * quickTimers.retranMax);
    expect(setting.world.log.filter(({ message }) => message.startsWith('announcements'))).toHaveLength(1);
    alone.close();
    await setting.world.advance(quickTimers.retranMax);
    expect(process.datagramSockets.size).toBe(1);
    await setting.world.settled(accessPoint.close());
    expect(process.datagramSockets.size).toBe(0);
  });

  // proves 5352-3.6-f
  it('without multicast there are registrars; options are checked', async () => {
    const { environment } = setting.world.host('pe');
    const refusal = async (options: object): Promise<unknown> => initialize({ environment, ...options } as never).catch((error: unknown) => (error as Error).message);
    expect(await refusal({ registrars: [] })).toBe('initialize needs registrars, or multicast');
    expect(await refusal({ multicast: false })).toBe('initialize needs registrars, or multicast');
    expect(await refusal({ registrars: [], multicast: { group: 'nonsense' } })).toBe('initialize: multicast: group is a multicast group, address:port, not "nonsense"');
    expect(await refusal({ registrars: [], multicast: { ttl: 1 } })).toBe('initialize: multicast has no option ttl; there are group, interface');
    expect(await refusal({ registrars: 'tcp://127.0.0.1:3863', multicast: true })).toContain('a list of strings');
  });
});
