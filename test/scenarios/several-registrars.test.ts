import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import type { PoolElement } from '../../actors/element.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { failoverBound, homeBound, lookUpBound, ownerlessBound, quietBound } from '../../machines/bounds.js';
import { quickTimers } from '../../machines/timers.js';
import { World } from '../../testing/world.js';
import type { AsapMessage, AsapMessageOf, PoolElement as PoolElementParameter } from '../../wire/index.js';
import { ScopeWorld } from '../support/scope-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';

/** PEs and PUs that know several registrars, which know nothing of each other: what a PE or a PU does by itself when one of them fails. Real registrars on a simulated network. */

const OWNERLESS = 2_000; // what is promised for the default settings (docs/bounds.md)
const LOOK_UP = 1_000;
const SEEDS = Array.from({ length: 6 }, (_, index) => index + 1);

type Fault = 'killed' | 'reset' | 'powered off' | 'frozen' | 'partitioned';
const faults: readonly Fault[] = ['killed', 'reset', 'powered off', 'frozen', 'partitioned'];

class Setting {
  readonly names: readonly string[];
  readonly registrars = new Map<string, Registrar>();
  /** What each of them owns. */
  readonly owned = new Map<string, Set<number>>();
  /** Those that do not run, or cannot be reached. */
  readonly gone = new Set<string>();
  readonly elements: PoolElement[] = [];
  readonly events: string[] = [];

  private constructor(readonly world: World, count: number) {
    this.names = Array.from({ length: count }, (_, index) => `r${index + 1}`);
  }

  static async start(count = 3, seed = 1): Promise<Setting> {
    const setting = new Setting(new World({ seed }), count);
    for (const name of setting.names) await setting.startRegistrar(name);
    return setting;
  }

  /** Does not switch on a machine that is off. */
  addressOf(name: string): string { return `tcp://${this.world.network.machine(name)?.address ?? this.world.host(name).address}:3863`; }

  async startRegistrar(name: string): Promise<void> {
    const owned = new Set<number>();
    this.owned.set(name, owned);
    this.gone.delete(name);
    const registrar = await this.world.settled(createRegistrar({ asap: [this.addressOf(name)], id: 0x100 + this.names.indexOf(name), environment: this.world.host(name).environment }));
    registrar.on('registered', ({ peIdentifier }) => owned.add(peIdentifier));
    registrar.on('removed', ({ peIdentifier }) => owned.delete(peIdentifier));
    this.registrars.set(name, registrar);
  }

  async accessPoint(name: string, options: Partial<InitializeOptions> = {}): Promise<ServiceAccessPoint> {
    return initialize({ registrars: this.names.map((each) => this.addressOf(each)), environment: this.world.host(name).environment, ...options });
  }

  async element(identifier: number, options: Partial<InitializeOptions> = {}): Promise<PoolElement> {
    const accessPoint = await this.accessPoint(`pe${identifier}`, options);
    const element = await this.world.settled(accessPoint.register('echo', { identifier }, () => undefined));
    element.on('lost', ({ reason }) => this.events.push(`${identifier} lost: ${reason}`));
    element.on('registered', ({ registrar }) => this.events.push(`${identifier} registered at ${registrar ?? ''}`));
    this.elements.push(element);
    return element;
  }

  /** Living ones. */
  owners(identifier: number): string[] {
    return this.names.filter((name) => !this.gone.has(name) && this.owned.get(name)?.has(identifier) === true);
  }

  strike(name: string, fault: Fault): void {
    const { process } = this.world.host(name);
    this.world.host('pu'); // is cut off from it too
    this.gone.add(name);
    switch (fault) {
      case 'killed': process.crash({ peersSee: 'end' }); break;
      case 'reset': process.crash(); break;
      case 'powered off': process.crash({ peersSee: 'nothing' }); break;
      case 'frozen': process.freeze(); break;
      case 'partitioned': this.world.network.partition(name); break;
    }
  }

  /** Until each of the elements has a living owner. */
  async allOwned(within: number): Promise<number> {
    return this.world.until(() => this.elements.every(({ identifier }) => this.owners(identifier).length > 0), within);
  }
}

const rest = async ({ world }: Setting): Promise<void> => world.advance(3_000 + world.random.fraction() * 3_000);

describe('a pool element whose home registrar fails (RFC 5352 §3.6, §3.7; X-1)', () => {
  it.each(faults)('%s: it has a living owner within its bound, whenever that happens, and stays in its pool', async (fault) => {
    let longest = 0;
    for (const seed of SEEDS) {
      const setting = await Setting.start(3, seed);
      await setting.element(7);
      await rest(setting);
      const [home] = setting.owners(7);
      setting.strike(home as string, fault);
      longest = Math.max(longest, await setting.allOwned(OWNERLESS));
      await setting.world.advance(10_000);
      expect([seed, setting.owners(7).length]).toEqual([seed, 1]);
    }
    expect(longest).toBeLessThanOrEqual(homeBound(quickTimers));
    if (fault === 'killed' || fault === 'reset') expect(longest).toBeLessThan(100);
  });

  it.each(faults)('%s with twenty elements: they have living owners within the bound', async (fault) => {
    const setting = await Setting.start(3, 5);
    for (let identifier = 1; identifier <= 20; identifier += 1) await setting.element(identifier);
    await rest(setting);
    setting.strike(setting.owners(1)[0] as string, fault);
    expect(await setting.allOwned(OWNERLESS)).toBeLessThanOrEqual(homeBound(quickTimers));
  });

  it('two of three at once: the third one has all of them, within the bound and one round of hunting for each that is silent', async () => {
    const setting = await Setting.start(3, 3);
    for (let identifier = 1; identifier <= 8; identifier += 1) await setting.element(identifier);
    await rest(setting);
    setting.strike('r1', 'frozen');
    setting.strike('r2', 'powered off');
    expect(await setting.allOwned(5_000)).toBeLessThanOrEqual(homeBound(quickTimers) + quickTimers.t2Registration);
    await setting.world.advance(20_000);
    for (const { identifier, isRegistered } of setting.elements) expect([identifier, setting.owners(identifier), isRegistered]).toEqual([identifier, ['r3'], true]);
  });

  it('X-38: frozen and back after 30 s the old home owns nobody who has gone, and nobody goes back', async () => {
    const setting = await Setting.start(3, 2);
    for (let identifier = 1; identifier <= 6; identifier += 1) await setting.element(identifier);
    await rest(setting);
    const [home] = setting.owners(1);
    setting.strike(home as string, 'frozen');
    await setting.world.advance(30_000);
    const events = setting.events.length;
    setting.world.host(home as string).process.thaw();
    setting.gone.delete(home as string);
    await setting.world.advance(60_000); // without ENRP its registrations end when nobody renews them
    expect(setting.elements.map(({ identifier }) => setting.owners(identifier).length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(setting.events).toHaveLength(events);
  });

  it('all registrars restarted one after the other: no element is without a living owner for longer than the bound', async () => {
    const setting = await Setting.start(3, 4);
    for (let identifier = 1; identifier <= 6; identifier += 1) await setting.element(identifier);
    for (const name of setting.names) {
      await setting.world.advance(2_000);
      setting.strike(name, 'killed');
      expect(await setting.allOwned(OWNERLESS)).toBeLessThan(100);
      await setting.startRegistrar(name);
    }
    await setting.world.advance(10);
    for (const { isRegistered } of setting.elements) expect(isRegistered).toBe(true);
  });

  it('a lone registrar that is started again has all its elements back from themselves, without their restart, within RETRAN.max', async () => {
    const setting = await Setting.start(1);
    for (let identifier = 1; identifier <= 5; identifier += 1) await setting.element(identifier);
    for (const down of [0, 300, 20_000]) {
      setting.strike('r1', 'killed');
      await setting.world.advance(down);
      await setting.startRegistrar('r1');
      expect(await setting.allOwned(quickTimers.retranMax * 1.2)).toBeLessThan(down < 1_000 ? 1_000 : quickTimers.retranMax);
      await setting.world.advance(1_000);
    }
    for (const { isRegistered } of setting.elements) expect(isRegistered).toBe(true);
  });
});

describe('a registrar that accepts and never answers (RFC 5352 §3.1 R4, X-1)', () => {
  const mute = async (setting: Setting, name: string): Promise<ScriptedRegistrar> => {
    const registrar = await ScriptedRegistrar.start(setting.world, name, 0x900);
    registrar.deaf.add('all');
    return registrar;
  };

  it('is not a home for longer than T2, though it is nearer than all others', async () => {
    const setting = await Setting.start(1);
    const near = await mute(setting, 'near');
    setting.world.network.setPath('r1', 'pe7', { latency: 20 });
    const start = setting.world.clock.now();
    await setting.element(7, { registrars: [near.address, setting.addressOf('r1')] });
    expect(setting.world.clock.now() - start).toBeLessThanOrEqual(quickTimers.t2Registration + 200);
    await setting.world.advance(30_000);
    expect([setting.owners(7), setting.events, near.links.size]).toEqual([['r1'], [], 0]);
  });

  it('two such are passed by: who has failed is not asked again before who has not', async () => {
    const setting = await Setting.start(1);
    const mutes = [await mute(setting, 'm1'), await mute(setting, 'm2'), await mute(setting, 'm3')];
    setting.world.network.setPath('r1', 'pe7', { latency: 20 });
    const accessPoint = await setting.accessPoint('pe7', { registrars: [...mutes.map(({ address }) => address), setting.addressOf('r1')], timeout: 30_000 });
    const registering = accessPoint.register('echo', { identifier: 7 }, () => undefined);
    registering.catch(() => undefined);
    const took = await setting.world.until(() => setting.owners(7).length === 1, 30_000);
    expect(took).toBeLessThanOrEqual(3 * quickTimers.t2Registration + 2 * quickTimers.t2Registration + 500); // and the back-off past MAX-REG-ATTEMPT
    await setting.world.settled(registering);
    for (const { received } of mutes) expect(received.filter(({ type }) => type === 'ASAP_REGISTRATION').length).toBeLessThanOrEqual(1);
  });

  it('one that falls mute: acknowledgements count, not the association, which stands', async () => {
    const setting = await Setting.start(1);
    const home = await ScriptedRegistrar.start(setting.world, 'falling', 0x900);
    setting.world.network.setPath('r1', 'pe7', { latency: 20 });
    await setting.element(7, { registrars: [home.address, setting.addressOf('r1')] });
    expect(home.links.size).toBe(1);
    home.deaf.add('all');
    expect(await setting.allOwned(OWNERLESS)).toBeGreaterThan(400);
    await setting.world.advance(100);
    expect([setting.events, setting.elements[0]?.isRegistered, home.links.size]).toEqual([[], true, 0]);
  });
});

describe('the hunt (RFC 5352 §3.6)', () => {
  it('SH1, SH5: three at once at the most; rounds of T5, doubled up to RETRAN.max, not in step with those of others', async () => {
    const setting = await Setting.start(6);
    for (const name of setting.names) setting.strike(name, 'powered off'); // nothing answers, not even with a refusal
    const dials = [await dialsOf(setting, 'pe1'), await dialsOf(setting, 'pe2')];
    let most = 0;
    for (let step = 0; step < 800; step += 1) {
      await setting.world.advance(50);
      most = Math.max(most, ...['pe1', 'pe2'].map((name) => setting.world.host(name).process.sockets.size));
    }
    expect(most).toBe(3);
    const rounds = dials.map((times) => times.filter((_, index) => index % 3 === 0));
    for (const times of rounds) {
      const spans = times.slice(1).map((at, index) => at - (times[index] ?? 0));
      for (const [index, span] of spans.entries()) {
        const t5 = Math.min(quickTimers.t5ServerHunt * 2 ** index, quickTimers.retranMax);
        expect(span).toBeGreaterThanOrEqual(0.9 * t5);
        expect(span).toBeLessThanOrEqual(1.1 * t5 + 1);
      }
      expect(spans.length).toBeGreaterThanOrEqual(6);
    }
    expect(rounds[0]?.at(-1)).not.toBe(rounds[1]?.at(-1));
  });

  it('a registrar that ends each association at once is tried less and less often, up to RETRAN.max', async () => {
    const setting = await Setting.start(1);
    const flapping = await ScriptedRegistrar.start(setting.world, 'flapping', 0x900);
    flapping.deaf.add('all');
    const times = await dialsOf(setting, 'pe1', [flapping.address]);
    for (let step = 0; step < 20_000; step += 5) {
      await setting.world.advance(5);
      for (const link of flapping.links) link.destroy('LINK_CLOSED');
    }
    expect(times.length).toBeGreaterThan(5);
    expect(times.length).toBeLessThan(40);
  });

  /** When it began to connect, each time. */
  async function dialsOf(setting: Setting, name: string, registrars?: readonly string[]): Promise<readonly number[]> {
    const { network } = setting.world.host(name).process;
    const times: number[] = [];
    const { connect } = network;
    Object.assign(network, { connect: (to: Parameters<typeof connect>[0]) => { times.push(setting.world.clock.now()); return connect(to); } });
    const accessPoint = await setting.accessPoint(name, registrars && { registrars });
    accessPoint.register('echo', { timeout: 60_000 }, () => undefined).catch(() => undefined);
    return times;
  }
});

describe('a new home that comes by itself (RFC 5352 §3.4 KA2.4, RFC 5353 §3.5.2)', () => {
  it('X-41: each of several elements of a process is claimed with its generation: the first claim moves the process, all of them count', async () => {
    const { world, old, fresh, elements, parameters } = await claimed();
    for (const [index, parameter] of parameters.entries()) await fresh.visit(parameter, 'echo', true, { peIdentifier: parameter.identifier, generation: { generation: 10 + index, home: fresh.identifier } });
    expect(elements.map(({ generation, isRegistered }) => [generation, isRegistered])).toEqual([10, 11, 12].map((generation) => [{ generation, home: fresh.identifier }, true]));
    expect(acknowledged(fresh)).toEqual([1, 2, 3]);
    await world.advance(500);
    expect([old.links.size, fresh.count('ASAP_REGISTRATION')]).toEqual([0, 0]);
    elements[1]?.deregister().catch(() => undefined);
    await world.advance(10);
    expect(fresh.received.at(-1)).toMatchObject({ type: 'ASAP_DEREGISTRATION', peIdentifier: 2, generation: { generation: 11, home: fresh.identifier } });
  });

  it('X-41: a late removal by the old home, with its generation, makes nobody register anew; one with the new generation does', async () => {
    const { world, fresh, elements, parameters: [parameter], events } = await claimed(1);
    await fresh.visit(parameter as PoolElementParameter, 'echo', true, { peIdentifier: 1, generation: { generation: 10, home: fresh.identifier } });
    fresh.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 1, generation: { generation: 9, home: 1 } });
    await world.advance(20);
    expect([events, fresh.count('ASAP_REGISTRATION'), elements[0]?.isRegistered]).toEqual([[], 0, true]);
    fresh.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 1, generation: { generation: 10, home: fresh.identifier } });
    await world.advance(20);
    expect([events[0], fresh.count('ASAP_REGISTRATION')]).toEqual(['1 lost: removed', 1]);
  });

  it('an element that it does not claim is told to it soon: it may not know it', async () => {
    const { world, fresh, parameters: [first] } = await claimed(2);
    await fresh.visit(first as PoolElementParameter, 'echo', true, { peIdentifier: 1, generation: { generation: 10, home: fresh.identifier } });
    await world.advance(quickTimers.homeSilence / 3);
    expect(fresh.received.flatMap((message) => (message.type === 'ASAP_REGISTRATION' ? [message.poolElement.identifier] : []))).toEqual([2]);
  });

  it('the home that is home already claims anew (it was restarted, or has been taken for dead): acknowledged, its generation taken, nothing else', async () => {
    const { world, old, elements, parameters: [parameter], events } = await claimed(1);
    old.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: old.identifier, poolHandle: Buffer.from('echo'), peIdentifier: 1, generation: { generation: 20, home: old.identifier } });
    await world.advance(10);
    expect([acknowledged(old), elements[0]?.generation]).toEqual([[1], { generation: 20, home: old.identifier }]);
    await old.visit(parameter as PoolElementParameter, 'echo', true, { peIdentifier: 1, generation: { generation: 21, home: old.identifier } }); // by an association of its own
    expect([acknowledged(old), elements[0]?.generation, events]).toEqual([[1, 1], { generation: 21, home: old.identifier }, []]);
    expect(old.count('ASAP_REGISTRATION')).toBe(1);
  });

  it('X-41: a claim older than the registration is acknowledged, and not followed', async () => {
    const { old, fresh, elements, parameters: [parameter], accessPoint } = await claimed(1);
    old.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: old.identifier, poolHandle: Buffer.from('echo'), peIdentifier: 1, generation: { generation: 20, home: old.identifier } });
    await fresh.visit(parameter as PoolElementParameter, 'echo', true, { peIdentifier: 1, generation: { generation: 19, home: fresh.identifier } });
    expect([acknowledged(fresh), accessPoint.registrar?.identifier, elements[0]?.generation?.generation]).toEqual([[1], old.identifier, 20]);
  });

  it('X-30: a process that only uses pools answers no keep-alive, and has no other home by it', async () => {
    const setting = await Setting.start(1);
    const home = await ScriptedRegistrar.start(setting.world, 'old', 1);
    const user = await setting.accessPoint('pu', { registrars: [home.address], adopt: 'any' });
    await setting.world.advance(10);
    for (const isHome of [false, true]) home.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: isHome }, serverIdentifier: 99, poolHandle: Buffer.from('echo') });
    await setting.world.advance(10);
    expect([home.received, user.registrar?.identifier]).toEqual([[], undefined]);
  });

  const acknowledged = (registrar: ScriptedRegistrar): number[] => registrar.received.flatMap((message: AsapMessage) => (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' ? [message.peIdentifier] : []));

  /** A process with so many elements at an old home, and a registrar that will claim them. */
  async function claimed(count = 3) {
    const world = new World();
    const old = await ScriptedRegistrar.start(world, 'old', 1);
    const fresh = await ScriptedRegistrar.start(world, 'fresh', 2);
    const accessPoint = await initialize({ registrars: [old.address], adopt: 'any', environment: world.host('pe').environment });
    const events: string[] = [];
    const elements: PoolElement[] = [];
    for (let identifier = 1; identifier <= count; identifier += 1) {
      const element = await world.settled(accessPoint.register('echo', { identifier }, () => undefined));
      element.on('lost', ({ reason }) => events.push(`${identifier} lost: ${reason}`));
      elements.push(element);
    }
    const parameters = old.received.flatMap((message) => (message.type === 'ASAP_REGISTRATION' ? [(message as AsapMessageOf<'ASAP_REGISTRATION'>).poolElement] : []));
    return { world, old, fresh, elements, parameters, accessPoint, events };
  }
});

describe('a pool user and the failure of a registrar (RFC 5352 §3.3, §3.7)', () => {
  it.each(faults)('%s: no look-up fails, none takes longer than the bound, whenever that happens', async (fault) => {
    const spans: number[] = [];
    for (const seed of SEEDS) {
      const setting = await populated(seed);
      const user = await setting.accessPoint('pu');
      await lookUp(setting, user, spans);
      const home = setting.names.find((name) => setting.addressOf(name) === user.registrar?.address) as string;
      await setting.world.advance(setting.world.random.fraction() * 7_000);
      setting.strike(home, fault);
      for (let time = 0; time < 10; time += 1) {
        await lookUp(setting, user, spans);
        await setting.world.advance(setting.world.random.fraction() * 300);
      }
    }
    expect(Math.max(...spans)).toBeLessThanOrEqual(Math.min(LOOK_UP, lookUpBound(quickTimers)));
  });

  it.each(faults)('%s already: the first look-up ever too, though a frozen one goes on to accept associations', async (fault) => {
    const spans: number[] = [];
    for (const seed of SEEDS) {
      const setting = await populated(seed);
      setting.strike(setting.names[seed % 3] as string, fault);
      await setting.world.advance(3_000); // its elements have a new home
      await lookUp(setting, await setting.accessPoint('pu'), spans);
    }
    expect(Math.max(...spans)).toBeLessThanOrEqual(LOOK_UP);
  });

  it('also where the frozen one is nearest, and so the first of all to accept', async () => {
    const spans: number[] = [];
    for (const seed of SEEDS) {
      const setting = await populated(seed);
      const frozen = setting.names[seed % 3] as string;
      for (const name of setting.names) setting.world.network.setPath(name, 'pu', { latency: name === frozen ? 0 : 40 });
      setting.strike(frozen, 'frozen');
      await setting.world.advance(3_000);
      const user = await setting.accessPoint('pu');
      await setting.world.advance(20);
      expect(user.registrar?.address).toBe(setting.addressOf(frozen));
      await lookUp(setting, user, spans);
      expect(user.registrar?.address).not.toBe(setting.addressOf(frozen));
    }
    expect(Math.max(...spans)).toBeLessThanOrEqual(LOOK_UP);
    expect(Math.min(...spans)).toBeGreaterThan(quickTimers.t1EnrpRequest - 1); // it was the frozen one's turn first
  });

  it('two frozen of three: each costs a T1, and none is asked twice', async () => {
    const setting = await populated(3);
    setting.strike('r1', 'frozen');
    setting.strike('r2', 'frozen');
    await setting.world.advance(5_000);
    for (const name of ['r1', 'r2']) setting.world.network.setPath(name, 'pu', { latency: 0 });
    const user = await setting.accessPoint('pu');
    const spans: number[] = [];
    await lookUp(setting, user, spans);
    expect(spans[0]).toBeLessThanOrEqual(failoverBound(quickTimers));
    expect(spans[0]).toBeLessThanOrEqual(2 * quickTimers.t1EnrpRequest + 100);
  });

  /** Three elements at each registrar: without ENRP each knows its own only. */
  async function populated(seed: number): Promise<Setting> {
    const setting = await Setting.start(3, seed);
    for (const [index, name] of setting.names.entries()) await setting.element(index + 1, { registrars: [setting.addressOf(name)] });
    return setting;
  }

  /** Past the cache. */
  async function lookUp({ world }: Setting, user: ServiceAccessPoint, spans: number[]): Promise<void> {
    const start = world.clock.now();
    const { elements } = await world.settled(user.resolve('echo', { refresh: true }));
    expect(elements.length).toBeGreaterThan(0);
    spans.push(world.clock.now() - start);
  }
});

describe('with registrars that know each other (RFC 5353): whoever is first, the PE or they', () => {
  it.each(faults)('%s, and back after 30 s: a living owner within the bound, one home that all agree on at rest, no look-up that fails or is slow', async (fault) => {
    let ownerless = 0;
    const lookUps: number[] = [];
    for (const seed of SEEDS.slice(0, 2)) {
      const scope = await ScopeWorld.start(3, {}, new World({ seed }));
      const { world } = scope;
      const addresses = new Map(scope.names.map((name) => [name, scope.address(name)]));
      const processes = [await scope.elements('pe1', [1, 2, 3], 'r1'), await scope.elements('pe2', [4], 'r1'), await scope.elements('pe3', [5], 'r2')];
      const identifiers = processes.flat().map(({ identifier }) => identifier);
      const user = await initialize({ registrars: [...addresses.values()], environment: world.host('pu').environment });
      await world.advance(3_000 + world.random.fraction() * 3_000);
      const living = ['r2', 'r3'];
      const owner = (identifier: number): boolean => living.some((name) => scope.known(name).includes(`${identifier}@${name}`));
      const { process } = world.host('r1');
      strike(world, process, fault);
      const start = world.clock.now();
      let owned = -1;
      while (world.clock.now() - start < 6_000) {
        const from = world.clock.now();
        const { elements } = await world.settled(user.resolve('echo', { refresh: true }));
        lookUps.push(world.clock.now() - from);
        expect(elements.map(({ identifier }) => identifier).sort()).toEqual(identifiers);
        if (owned < 0 && identifiers.every(owner)) owned = world.clock.now() - start;
        await world.advance(20);
      }
      ownerless = Math.max(ownerless, owned < 0 ? Infinity : owned);
      await world.advance(30_000);
      expect([seed, scope.agree(living), scope.known('r2').map((each) => Number(each.split('@')[0])).sort()]).toEqual([seed, true, identifiers]);
      if (fault === 'frozen') process.thaw();
      else if (fault === 'partitioned') world.network.heal();
      else await scope.open('r1');
      await world.advance(quietBound(quickTimers));
      expect([seed, scope.agree(), scope.known('r1').length]).toEqual([seed, true, identifiers.length]);
      for (const element of processes.flat()) expect([seed, element.identifier, element.isRegistered]).toEqual([seed, element.identifier, true]);
    }
    expect(ownerless).toBeLessThanOrEqual(ownerlessBound(quickTimers) + 100);
    expect(Math.max(...lookUps)).toBeLessThanOrEqual(LOOK_UP);
  });

  function strike(world: World, process: ReturnType<World['host']>['process'], fault: Fault): void {
    switch (fault) {
      case 'killed': process.crash({ peersSee: 'end' }); break;
      case 'reset': process.crash(); break;
      case 'powered off': process.crash({ peersSee: 'nothing' }); break;
      case 'frozen': process.freeze(); break;
      case 'partitioned': world.network.partition('r1'); break;
    }
  }
});
