import { jest } from '@jest/globals';
import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import type { PoolElement } from '../../actors/element.js';
import { Home } from '../../actors/home.js';
import type { PoolElement as PoolElementParameter } from '../../wire/index.js';
import { leastUsed, random, roundRobin } from '../../actors/policies.js';
import { rfcTimers } from '../../machines/timers.js';
import { asapUnderTest } from '../support/registrar-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { World } from '../../testing/world.js';

/** A pool element and its registrars, with real charts, associations and framing on a simulated network. */

class Setting {
  readonly transcript: string[] = [];
  readonly events: string[] = [];
  readonly registrars: ScriptedRegistrar[] = [];
  constructor(readonly world = new World()) {}

  async registrar(name: string): Promise<ScriptedRegistrar> {
    const registrar = await ScriptedRegistrar.start(this.world, name, this.registrars.length + 1, this.transcript);
    this.registrars.push(registrar);
    return registrar;
  }

  async accessPoint(name = 'pe', options: Partial<InitializeOptions> = {}): Promise<ServiceAccessPoint> {
    return initialize({ registrars: this.registrars.map(({ address }) => address), environment: this.world.host(name).environment, ...options });
  }

  async element(accessPoint: ServiceAccessPoint, handle = 'echo', options = {}): Promise<PoolElement> {
    const element = await this.world.settled(accessPoint.register(handle, { identifier: 7, ...options }, () => undefined));
    element.on('registered', ({ registrar }) => this.events.push(`registered at ${registrar ?? ''}`));
    element.on('lost', ({ reason }) => this.events.push(`lost: ${reason}`));
    element.on('error', ({ code }) => this.events.push(`error: ${code}`));
    element.on('closed', () => this.events.push('closed'));
    return element;
  }

  /** The registrar that has the element's association, and the others. */
  /** An element of r1 and r2 whose other registrar comes to see it, and says that it is its home, or is not. */
  static async visited(isHome: boolean): Promise<{ setting: Setting; home: ScriptedRegistrar; others: ScriptedRegistrar[] }> {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    await setting.element(await setting.accessPoint());
    const { home, others } = setting.split();
    const element = home.pools.get('echo')?.get(7);
    await others[0]?.visit(element as NonNullable<typeof element>, 'echo', isHome);
    return { setting, home, others };
  }

  split(): { home: ScriptedRegistrar; others: ScriptedRegistrar[] } {
    const home = this.registrars.find(({ links }) => links.size > 0);
    if (home === undefined) throw new Error('no home');
    return { home, others: this.registrars.filter((registrar) => registrar !== home) };
  }
}

describe('registration (RFC 5352 §3.1)', () => {
  // proves 5352-3.1-h, 5352-3.1-v, 5352-4-e, 5352-1.1-b
  it('finds a registrar, registers, and keeps itself registered', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const element = await setting.element(await setting.accessPoint(), 'echo', { life: 6_000 });
    expect(setting.transcript).toEqual(['r1 < pe: ASAP_REGISTRATION']);
    expect(element.isRegistered).toBe(true);
    await setting.world.advance(10_000);
    expect(r1.count('ASAP_REGISTRATION')).toBeGreaterThanOrEqual(5); // T4 = 2 s, silence of home asked after
    expect(setting.events).toEqual([]);
  });

  // proves 5352-2.2.1-a, 5352-2.2.1-c, 5352-3.1-g, 5352-3.1-i, 5352-3.1-k
  it('R2, X-1: registers its address as others see it, its ASAP listener, and that it speaks the TCP mapping', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const element = await setting.element(await setting.accessPoint(), 'echo', { life: Infinity, policy: leastUsed({ load: 0.5 }) });
    const { address } = setting.world.host('pe');
    const { poolElement } = r1.received[0] as Extract<(typeof r1.received)[0], { type: 'ASAP_REGISTRATION' }>;
    expect(poolElement).toMatchObject({
      identifier: 7, registrationLife: -1, policy: { policy: 'least-used', load: 0x8000_0000 },
      userTransport: { transport: 'tcp', addresses: [address] }, asapTransport: { transport: 'tcp', addresses: [address] },
    });
    expect(poolElement.capabilities).toEqual(Buffer.from([1]));
    expect(element.address).toBe(`tcp://${address}:${(poolElement.userTransport as { port: number }).port}`);
  });

  it('what is advertised is registered: containers, NAT', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    const element = await setting.element(await setting.accessPoint(), 'echo', { advertise: 'tcp://203.0.113.9:0', listen: ['tcp://0.0.0.0:4000'] });
    expect(element.address).toBe('tcp://203.0.113.9:4000');
  });

  it('listening everywhere, it is registered with the address that leads to its home of now', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    const element = await setting.element(await setting.accessPoint());
    const { home, others } = setting.split();
    const port = element.address.split(':').at(-1);
    const elsewhere = jest.spyOn(Home.prototype, 'localHost', 'get').mockReturnValue('192.0.2.1'); // the way to the other one leads through another interface
    home.host.process.crash({ peersSee: 'end' });
    await setting.world.advance(100);
    expect(others[0]?.pools.get('echo')?.get(7)?.userTransport).toMatchObject({ addresses: ['192.0.2.1'] });
    expect(element.address).toBe(`tcp://192.0.2.1:${port ?? ''}`);
    elsewhere.mockRestore();
  });

  // proves 5352-2.1-c
  it('Basic Mode: an address is registered, nothing is opened for it', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    const element = await setting.world.settled(accessPoint.register('web', { mapping: 'none', address: 'tcp://10.9.9.9:80' }));
    expect(element.address).toBe('tcp://10.9.9.9:80');
    expect((r1.received[0] as { poolElement: { capabilities?: unknown } }).poolElement.capabilities).toBeUndefined();
  });

  // proves 5352-3.1-j, 5352-3.1-q, 5352-3.1-r
  it('a rejection reaches the user with its causes, and nothing stays', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    r1.rejecting = true;
    const accessPoint = await setting.accessPoint();
    await expect(setting.element(accessPoint)).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED', message: expect.stringContaining('inconsistent-pooling-policy') as string });
    expect(accessPoint.elements.size).toBe(0);
    await setting.world.advance(20_000);
    expect(r1.count('ASAP_REGISTRATION')).toBe(1); // §3.1: not again without correction
    r1.rejecting = false;
    await setting.element(accessPoint);
    expect(accessPoint.elements.size).toBe(1);
  });

  // proves 5352-3.1-s, 5352-3.1-t
  it('update: another policy is a re-registration; a rejected one leaves all as it was', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const element = await setting.element(await setting.accessPoint(), 'echo', { policy: leastUsed({ load: 0 }) });
    await setting.world.settled(element.update({ policy: leastUsed({ load: 1 }) }));
    expect(r1.pools.get('echo')?.get(7)?.policy).toEqual({ policy: 'least-used', load: 0xffff_ffff });
    r1.rejecting = true;
    await expect(setting.world.settled(element.update({ policy: random() }))).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED' });
    expect([element.policy, element.isRegistered]).toEqual([leastUsed({ load: 1 }), true]);
  });

  it('§2.2.4: removed by its registrar, an element that lives is back at once, and its user knows', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    await setting.element(await setting.accessPoint());
    r1.pools.clear();
    r1.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 7 });
    await setting.world.advance(5);
    expect(r1.pools.get('echo')?.size).toBe(1);
    expect(setting.events).toEqual(['lost: removed', `registered at ${r1.address}`]);
  });

  it('several elements of a process share one association; each is registered for itself', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint, 'echo');
    await setting.element(accessPoint, 'counter');
    await setting.element(accessPoint, 'echo', { identifier: 8 });
    expect([r1.links.size, r1.pools.get('echo')?.size, r1.pools.get('counter')?.size]).toEqual([1, 2, 1]);
  });
});

describe('a home registrar is lost (RFC 5352 §3.6, §3.7)', () => {
  // proves 5352-3.6-g, 5352-3.6-r, 5352-3.7.1-c
  it.each(['end', 'reset'] as const)('killed, and its peers see %s: the PE is at another one in milliseconds', async (peersSee) => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    const element = await setting.element(await setting.accessPoint());
    const { home, others } = setting.split();
    home.host.process.crash({ peersSee });
    await setting.world.until(() => others[0]?.pools.get('echo')?.has(7) === true, 50);
    await setting.world.advance(5);
    expect(setting.events).toEqual(['lost: transport.down', `registered at ${others[0]?.address ?? ''}`]);
    expect(element.isRegistered).toBe(true);
  });

  it.each(['frozen', 'partitioned'] as const)('X-1: %s: silence is asked after, and the PE has a new home within 1.7 s', async (how) => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    await setting.element(await setting.accessPoint());
    const { home, others } = setting.split();
    await setting.world.advance(10_000);
    if (how === 'frozen') home.host.process.freeze(); else setting.world.network.partition(home.host.name);
    const took = await setting.world.until(() => others[0]?.pools.get('echo')?.has(7) === true, 1_700);
    expect(took).toBeGreaterThan(400); // a registrar that is only busy keeps its elements
  });

  it('a home that is busy for 0.4 s keeps its elements', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    await setting.element(await setting.accessPoint());
    const { home, others } = setting.split();
    for (let time = 0; time < 20; time += 1) {
      home.host.process.block(400);
      await setting.world.advance(737);
    }
    expect(others[0]?.received).toEqual([]);
    expect(setting.events).toEqual([]);
  });

  it('D-29: a PE that was frozen for a minute asks its home before it doubts it', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    await setting.element(await setting.accessPoint(), 'echo', { life: Infinity });
    const { others } = setting.split();
    setting.world.host('pe').process.freeze();
    await setting.world.advance(60_000);
    setting.world.host('pe').process.thaw();
    await setting.world.advance(5_000);
    expect(others[0]?.received).toEqual([]);
    expect(setting.events).toEqual([]);
  });

  it('T2, X-18: a registrar that answers nothing: the user is told past MAX-REG-ATTEMPT, the PE goes on, and is registered when one answers', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    await setting.element(await setting.accessPoint());
    r1.deaf.add('ASAP_REGISTRATION');
    await setting.world.advance(30_000);
    expect(setting.events.slice(0, 2)).toEqual(['lost: T2-registration', 'error: REGISTRATION_FAILED']);
    expect(r1.count('ASAP_REGISTRATION')).toBeLessThan(15);
    r1.deaf.clear();
    await setting.world.until(() => setting.events.at(-1)?.startsWith('registered') === true, 15_000);
  });

  describe('T2, X-18: a registrar that is busy', () => {
    const basic = (identifier: number) => ({ mapping: 'none', address: `tcp://10.9.9.9:${identifier}`, identifier }) as const;

    it('its elements wait for their turn, however many they are: one association each process, one registration each element', async () => {
      const setting = new Setting();
      const r1 = await setting.registrar('r1');
      r1.workTime = 20; // 120 elements take 2.4 s; T2 is 1 s
      const processes = [1, 2, 3, 4];
      const joining = processes.map(async (process) => {
        const accessPoint = await setting.accessPoint(`pe${process}`, { registrars: ['tcp://10.255.0.1:3863', r1.address] }); // nobody is at the other one
        return Promise.all(Array.from({ length: 30 }, async (_, index) => accessPoint.register('echo', basic(100 * process + index))));
      });
      const links = new Set<unknown>();
      let isDone = false;
      const done = Promise.all(joining).then(() => { isDone = true; });
      while (!isDone && setting.world.clock.now() < 30_000) {
        await setting.world.advance(20);
        for (const link of r1.links) links.add(link);
      }
      await done;
      expect([links.size, r1.count('ASAP_REGISTRATION')]).toEqual([processes.length, 120]);
      expect(r1.pools.get('echo')?.size).toBe(120);
    });

    it('one that stands still for longer than T2 gets each registration once more, and is through with them', async () => {
      const setting = new Setting();
      const r1 = await setting.registrar('r1');
      r1.workTime = 10;
      const accessPoint = await setting.accessPoint();
      await setting.world.settled(accessPoint.register('echo', basic(1)));
      r1.host.process.block(1_300);
      await setting.world.settled(Promise.all(Array.from({ length: 100 }, async (_, index) => accessPoint.register('echo', basic(100 + index)))), 10_000);
      expect(r1.pools.get('echo')?.size).toBe(101);
      expect(r1.count('ASAP_REGISTRATION')).toBeLessThan(350);
    });

    it('one that answers all others and never this one: REGISTRATION_FAILED in its time, and the others stay', async () => {
      const setting = new Setting();
      const r1 = await setting.registrar('r1');
      r1.silentTo.add(7);
      const accessPoint = await setting.accessPoint('pe', { timers: { registrarWait: 8_000 } });
      const others = await setting.world.settled(Promise.all([21, 22, 23].map(async (identifier) => accessPoint.register('echo', basic(identifier)))));
      const { clock } = setting.world.host('pe');
      const ask = (): void => {
        others[0]?.update({ policy: roundRobin() }).catch(() => undefined);
        clock.setTimeout(ask, 200);
      };
      ask(); // so that answers come all the time
      const started = setting.world.clock.now();
      await expect(setting.world.settled(accessPoint.register('echo', basic(7)))).rejects.toMatchObject({ code: 'REGISTRATION_FAILED' });
      expect(setting.world.clock.now() - started).toBeLessThanOrEqual(8_000);
      expect(others.map(({ isRegistered }) => isRegistered)).toEqual([true, true, true]);
    });
  });

  it('the only registrar is started again: its elements come back by themselves', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    await setting.element(await setting.accessPoint());
    r1.host.process.crash({ peersSee: 'end' });
    await setting.world.advance(20_000);
    const again = await ScriptedRegistrar.start(setting.world, 'r1', 9);
    await setting.world.until(() => again.pools.get('echo')?.has(7) === true, 11_000); // RETRAN.max
    await setting.world.advance(5);
    expect(setting.events).toEqual(['lost: transport.down', `registered at ${r1.address}`]);
  });

  it('§3.7.2: the only registrar answers late: the PE keeps the association it has', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint('pe', { registrars: [r1.address, 'tcp://10.255.0.1:3863'], timers: { t2Registration: 300, homeSilence: 60_000 } });
    const element = await setting.element(accessPoint);
    const [link] = r1.links;
    setting.world.network.hold('r1', 'pe'); // its answer, and the new connection, come late
    element.update({ policy: random() }).catch(() => undefined);
    await setting.world.advance(400);
    expect(setting.events).toEqual(['lost: T2-registration']);
    setting.world.network.heal();
    await setting.world.advance(2_000);
    expect(setting.events).toEqual(['lost: T2-registration', `registered at ${r1.address}`]);
    expect([r1.links.size, [...r1.links][0] === link]).toEqual([1, true]);
  });

  // proves 5352-1.1-a
  it('only its home tells a PE that it is registered or removed', async () => {
    const { setting, others } = await Setting.visited(false);
    others[0]?.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 7 });
    await setting.world.advance(10);
    expect(setting.events).toEqual([]);
  });

  // proves 5352-3.6-i
  it('SH1: never has more than three associations', async () => {
    const setting = new Setting();
    for (let index = 1; index <= 6; index += 1) await setting.registrar(`r${index}`);
    await setting.element(await setting.accessPoint());
    for (const { host } of setting.registrars) host.process.freeze();
    let most = 0;
    for (let step = 0; step < 400; step += 1) {
      await setting.world.advance(50);
      most = Math.max(most, setting.world.host('pe').process.sockets.size);
    }
    expect([2, 3]).toContain(most);
  });

  it('with rfc timers the same takes as long as the RFC has it', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    await setting.element(await setting.accessPoint('pe', { timers: 'rfc' }));
    const { home, others } = setting.split();
    home.host.process.freeze();
    const took = await setting.world.until(() => others[0]?.pools.get('echo')?.has(7) === true, 70_000);
    expect(took).toBeGreaterThan(rfcTimers.t2Registration);
  });
});

describe('keep-alive (RFC 5352 §3.4)', () => {
  const acknowledged = (registrar: ScriptedRegistrar): number[] => registrar.received.flatMap((message) => (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' ? [message.peIdentifier] : []));

  // proves 5352-3.4-a, 5352-3.4-b, 5352-3.4-c, 5352-3.4-d, 5352-4-f
  it('KA1, KA2, X-29: one acknowledgement for each element of that pool, none for a foreign handle, one alone where it is named', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint, 'echo');
    await setting.element(accessPoint, 'echo', { identifier: 8 });
    await setting.element(accessPoint, 'other', { identifier: 9 });
    const ask = async (handle: string, peIdentifier?: number): Promise<void> => {
      r1.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: 1, poolHandle: Buffer.from(handle), peIdentifier });
      await setting.world.advance(5);
    };
    await ask('echo');
    expect(acknowledged(r1)).toEqual([7, 8]);
    await ask('stranger');
    await ask('echo', 9);
    expect(acknowledged(r1)).toEqual([7, 8]);
    await ask('echo', 8);
    expect(acknowledged(r1)).toEqual([7, 8, 8]);
    expect(accessPoint.registrar?.identifier).toBe(1);
  });

  // proves 5352-1.1-a, 5352-2.2.7-a, 5352-3.4-d, 5352-3.4-e, 5353-1.1-a
  it('KA2.4: H=1 at its own ASAP listener: the sender is home, and the registration stands', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    const { home, others } = setting.split();
    const element = home.pools.get('echo')?.get(7);
    await others[0]?.visit(element as NonNullable<typeof element>, 'echo', true);
    expect(acknowledged(others[0] as ScriptedRegistrar)).toEqual([7]);
    expect(accessPoint.registrar?.identifier).toBe(others[0]?.identifier);
    expect(setting.events).toEqual([]);
    expect(home.links.size).toBe(0);
    const before = home.received.length;
    await setting.world.advance(3_000); // asked after its silence: at the new home
    expect(others[0]?.count('ASAP_REGISTRATION')).toBeGreaterThan(0);
    expect(home.received).toHaveLength(before);
  });

  it('KA2.4: takes over a PE whose home is dead while it still hunts', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    const accessPoint = await setting.accessPoint('pe', { adopt: 'any' });
    await setting.element(accessPoint);
    const { home } = setting.split();
    const element = home.pools.get('echo')?.get(7);
    home.host.process.crash({ peersSee: 'end' });
    await setting.world.advance(3_000);
    const r2 = await setting.registrar('r2'); // not in the PE's list
    await r2.visit(element as NonNullable<typeof element>, 'echo', true);
    expect(accessPoint.registrar?.identifier).toBe(2);
    expect(setting.events.at(-1)).toBe(`registered at ${accessPoint.registrar?.address ?? ''}`);
  });

  it('a home that came by itself is a home like any other: lost, the PE hunts', async () => {
    const { setting, home, others } = await Setting.visited(true);
    others[0]?.host.process.crash({ peersSee: 'end' });
    await setting.world.advance(100);
    expect(setting.events).toEqual(['lost: transport.down', `registered at ${home.address}`]);
  });

  it('knows its home by the identifier of a keep-alive, and is not moved by that same registrar at another association', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    r1.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: 77, poolHandle: Buffer.from('echo') });
    await setting.world.advance(5);
    expect(accessPoint.registrar?.identifier).toBe(77);
    const same = new ScriptedRegistrar(setting.world, r1.host, 77);
    const element = r1.pools.get('echo')?.get(7);
    await same.visit(element as NonNullable<typeof element>, 'echo', true);
    expect(acknowledged(same)).toEqual([7]);
    expect(accessPoint.registrar?.address).toBe(r1.address);
  });

  it('strangers who stay connected never keep a new home out', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    await setting.registrar('r2');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    const { home, others } = setting.split();
    const element = home.pools.get('echo')?.get(7) as PoolElementParameter;
    const stranger = new ScriptedRegistrar(setting.world, setting.world.host('stranger'), 66);
    for (let count = 0; count < 100; count += 1) await stranger.visit(element, 'echo', false);
    expect(stranger.links.size).toBe(64);
    await others[0]?.visit(element, 'echo', true);
    expect(accessPoint.registrar?.identifier).toBe(others[0]?.identifier);
  });

  // proves 5352-2.2.7-a
  it('X-48: whoever is no known registrar gets his acknowledgement, and is not home', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    const stranger = new ScriptedRegistrar(setting.world, setting.world.host('stranger'), 66);
    const element = r1.pools.get('echo')?.get(7);
    await stranger.visit(element as NonNullable<typeof element>, 'echo', true);
    expect(acknowledged(stranger)).toEqual([7]);
    expect(accessPoint.registrar?.address).toBe(r1.address);
    expect(setting.world.log.some(({ message }) => message.includes('not adopted'))).toBe(true);
  });
});

describe('de-registration (RFC 5352 §3.2)', () => {
  // proves 5352-3.2-a, 5352-4-e
  it('leaves the pool, then closes its data channels', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    const element = await setting.element(accessPoint);
    await setting.world.settled(element.deregister());
    expect(r1.pools.get('echo')?.size).toBe(0);
    expect([setting.events, accessPoint.elements.size, element.isRegistered]).toEqual([['closed'], 0, false]);
    await expect(element.update({ policy: random() })).rejects.toMatchObject({ code: 'CLOSED' });
    await setting.element(accessPoint); // the identifier is free again
  });

  it('close deregisters all elements; calls after it are refused', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    await setting.element(accessPoint, 'other');
    await setting.world.settled(accessPoint.close());
    expect(r1.count('ASAP_DEREGISTRATION')).toBe(2);
    await expect(accessPoint.register('echo', {}, () => undefined)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(accessPoint.resolve('echo')).rejects.toMatchObject({ code: 'CLOSED' });
    await setting.world.advance(100);
    expect([r1.links.size, setting.world.host('pe').process.sockets.size, setting.world.host('pe').process.servers.size]).toEqual([0, 0, 0]);
    await setting.world.advance(60_000);
    expect(setting.world.clock.pending).toBe(0);
  });

  it.each([['silent', 4_000], ['gone', 4_000]] as const)('close ends within seconds where the registrar is %s', async (how, within) => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    await setting.element(accessPoint);
    if (how === 'silent') r1.deaf.add('all'); else r1.host.process.crash({ peersSee: 'nothing' });
    await setting.world.settled(accessPoint.close(), within);
  });
});

describe('close while a registration is under way', () => {
  it.each(['no registrar', 'a silent registrar'])('with %s: it rejects, and nothing stays open', async (which) => {
    const setting = new Setting();
    const { world } = setting;
    const r1 = await setting.registrar('r1');
    if (which === 'no registrar') r1.host.process.crash({ peersSee: 'end' }); else r1.deaf.add('all');
    const accessPoint = await setting.accessPoint();
    const registering = accessPoint.register('echo', {}, () => undefined);
    registering.catch(() => undefined);
    await world.advance(100);
    const start = world.clock.now();
    await world.settled(accessPoint.close());
    await expect(world.settled(registering)).rejects.toMatchObject({ code: 'CLOSED' });
    expect(world.clock.now() - start).toBeLessThan(4_000);
    await world.advance(60_000);
    expect([world.host('pe').process.servers.size, world.host('pe').process.sockets.size, world.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe('no registrar (RFC 5352 §3.6)', () => {
  it('register waits for a bounded time, rejects with NoRegistrarError, and works when a registrar has come', async () => {
    const setting = new Setting();
    const { world } = setting;
    const accessPoint = await setting.accessPoint('pe', { registrars: [`tcp://${world.host('r1').address}:3863`] });
    const start = world.clock.now();
    await expect(setting.element(accessPoint)).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    expect(world.clock.now() - start).toBe(5_000);
    await expect(setting.element(accessPoint, 'echo', { timeout: 100 })).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    await setting.registrar('r1');
    await setting.element(accessPoint);
    expect(world.host('pe').process.servers.size).toBe(2);
  });

  it('a signal ends the wait', async () => {
    const setting = new Setting();
    const accessPoint = await setting.accessPoint('pe', { registrars: [`tcp://${setting.world.host('r1').address}:3863`] });
    const abort = new AbortController();
    const registering = setting.element(accessPoint, 'echo', { signal: abort.signal });
    registering.catch(() => undefined);
    abort.abort(new Error('enough'));
    await expect(registering).rejects.toMatchObject({ code: 'ABORTED', cause: expect.objectContaining({ message: 'enough' }) as unknown });
  });

  it('what failed is tried again with the same identifier: once the first attempt is taken back', async () => {
    const setting = new Setting();
    const r1 = await setting.registrar('r1');
    r1.deaf.add('all');
    const accessPoint = await setting.accessPoint();
    await expect(setting.element(accessPoint, 'echo', { timeout: 300 })).rejects.toMatchObject({ code: 'REGISTRATION_FAILED' });
    await expect(setting.element(accessPoint, 'echo', { timeout: 50 })).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    const again = setting.element(accessPoint);
    r1.deaf.clear();
    expect((await again).isRegistered).toBe(true);
    expect([...r1.pools.get('echo')?.keys() ?? []]).toEqual([7]);
  });

  it('host names are resolved at each hunt: a registrar may move', async () => {
    const setting = new Setting();
    const { world } = setting;
    const accessPoint = await setting.accessPoint('pe', { registrars: [`${asapUnderTest.scheme}://r9:3863`] });
    await world.advance(1_000);
    const moved = await ScriptedRegistrar.start(world, 'r9', 9);
    await setting.element(accessPoint);
    expect(moved.count('ASAP_REGISTRATION')).toBe(1);
  });
});

describe('usage', () => {
  it('a second registration of the same element is refused at once', async () => {
    const setting = new Setting();
    await setting.registrar('r1');
    const accessPoint = await setting.accessPoint();
    const first = accessPoint.register('echo', { identifier: 7 }, () => undefined);
    await expect(accessPoint.register('echo', { identifier: 7 }, () => undefined)).rejects.toMatchObject({ code: 'ALREADY_REGISTERED' });
    await setting.world.settled(first);
    await expect(accessPoint.register('echo', { identifier: 7 }, () => undefined)).rejects.toMatchObject({ code: 'ALREADY_REGISTERED' });
    await setting.world.settled(accessPoint.register('other', { identifier: 7 }, () => undefined));
  });

  const refusals: [unknown, unknown, string][] = [
    ['', {}, 'INVALID_HANDLE'], ['x'.repeat(65_001), {}, 'INVALID_HANDLE'], [7, {}, 'INVALID_HANDLE'], [undefined, {}, 'INVALID_HANDLE'],
    ['echo', { lister: [] }, 'INVALID_OPTION'], ['echo', { listen: 'tcp://0.0.0.0:0' }, 'INVALID_OPTION'], ['echo', { listen: ['0.0.0.0:0'] }, 'INVALID_URL'],
    ['echo', { listen: ['tcp://0.0.0.0:0', 'tcp://0.0.0.0:1'], identifier: 1 }, 'INVALID_OPTION'], ['echo', { identifier: 0 }, 'INVALID_OPTION'], ['echo', { identifier: 2 ** 32 }, 'INVALID_OPTION'],
    ['echo', { life: 900 }, 'INVALID_OPTION'], ['echo', { policy: 'random' }, 'INVALID_OPTION'], ['echo', { policy: { policy: 'best' } }, 'INVALID_OPTION'],
    ['echo', { policy: { policy: 'least-used', load: -1 } }, 'INVALID_OPTION'], ['echo', { mapping: 'none' }, 'INVALID_OPTION'], ['echo', { address: 'tcp://h:1' }, 'INVALID_OPTION'],
    ['echo', { timeout: 0 }, 'INVALID_OPTION'], ['echo', { signal: 1 }, 'INVALID_OPTION'], ['echo', { advertise: 'http://h:1' }, 'INVALID_URL'],
  ];
  it.each(refusals.map(([handle, options, code]) => ({ handle, options, code, title: `${String(handle).slice(0, 8)}, ${JSON.stringify(options)}` })))('register($title) is refused at once, with $code', async ({ handle, options, code }) => {
    const setting = new Setting();
    const accessPoint = await setting.accessPoint('pe', { registrars: ['tcp://10.0.0.1:3863'] });
    await expect(accessPoint.register(handle as string, options as object, () => undefined)).rejects.toMatchObject({ code });
  });

  it('register needs onSession, or Basic Mode', async () => {
    const accessPoint = await new Setting().accessPoint('pe', { registrars: ['tcp://10.0.0.1:3863'] });
    await expect(accessPoint.register('echo', {})).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(accessPoint.register('echo', {}, 'no function' as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(accessPoint.register('echo', { mapping: 'none', address: 'tcp://h:1' }, () => undefined)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  // proves 5352-3.6-f
  it.each<[object, string]>([
    [{}, 'INVALID_OPTION'], [{ registrars: [] }, 'INVALID_OPTION'], [{ registrars: ['localhost'] }, 'INVALID_URL'], [{ registrars: ['tcp://h:1'], registrar: 'x' }, 'INVALID_OPTION'],
    [{ registrars: ['tcp://h:1'], timers: 'slow' }, 'INVALID_OPTION'], [{ registrars: ['tcp://h:1'], logger: {} }, 'INVALID_OPTION'], [{ registrars: ['tcp://h:1'], asap: { port: 1 } }, 'INVALID_OPTION'],
    [{ registrars: ['tls://h:1'] }, 'FEATURE_UNAVAILABLE'], [{ registrars: ['tcp://h:1'], timeout: '5' }, 'INVALID_OPTION'], [{ registrars: ['tcp://h:1'], adopt: 'some' }, 'INVALID_OPTION'],
  ])('initialize(%j) is refused with %s', async (options, code) => {
    await expect(initialize(options as InitializeOptions)).rejects.toMatchObject({ code });
  });
});
