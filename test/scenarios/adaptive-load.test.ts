import { leastUsed, priorityLeastUsed, random, randomizedLeastUsed, roundRobin } from '../../actors/policies.js';
import type { PoolElement } from '../../actors/element.js';
import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { RegisterOptions } from '../../actors/register.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** RFC 5356 §5: an element whose load is a function tells its registrar when it has changed. */

class Setting {
  load: unknown = 0.2;
  asked = 0;
  readonly source = (): number => {
    this.asked++;
    if (this.load instanceof Error) throw this.load;
    return this.load as number;
  };

  private constructor(readonly world: RegistrarWorld, readonly pe: ServiceAccessPoint, readonly pu: ServiceAccessPoint) {}

  static async create(): Promise<Setting> {
    const world = await RegistrarWorld.start();
    return new Setting(world, await world.accessPoint('pe'), await world.accessPoint('pu'));
  }

  register(policy: RegisterOptions['policy'] & object, identifier = 1): Promise<PoolElement> {
    return this.world.world.settled(this.pe.register('pool', { identifier, policy }, () => undefined));
  }

  /** As the registrar has it, 0 to 1. */
  async known(): Promise<number> {
    const { elements } = await this.world.world.settled(this.pu.resolve('pool', { refresh: true }));
    const { policy } = elements[0]!;
    return 'load' in policy ? Number((policy.load / 0xffff_ffff).toFixed(3)) : NaN;
  }

  /** What the registrar has after so long. */
  async after(time: number): Promise<number> {
    await this.world.world.advance(time);
    return this.known();
  }
}

describe('a load that is a function (RFC 5356 §5)', () => {
  it('is asked once a second, and told when it has changed by 0.05 or more', async () => {
    const setting = await Setting.create();
    const element = await setting.register(leastUsed({ load: setting.source }));
    expect([await setting.known(), setting.asked]).toEqual([0.2, 1]);
    setting.load = 0.24;
    expect(await setting.after(1_200)).toBe(0.2);
    setting.load = 0.25;
    expect(await setting.after(1_200)).toBe(0.25);
    setting.load = 0.7;
    expect(await setting.after(1_200)).toBe(0.7);
    expect(element.policy).toEqual(leastUsed({ load: 0.7 }));
    await setting.world.world.advance(20_000);
    expect(setting.asked).toBeGreaterThan(20);
    expect(setting.asked).toBeLessThan(27);
  });

  it('0 and 1 are told always: nobody, and full', async () => {
    const setting = await Setting.create();
    await setting.register(leastUsed({ load: setting.source, threshold: 0.5 }));
    setting.load = 0.6;
    expect(await setting.after(1_200)).toBe(0.2);
    setting.load = 1;
    expect(await setting.after(1_200)).toBe(1);
    setting.load = 0;
    expect(await setting.after(1_200)).toBe(0);
  });

  it('interval and threshold are options; every policy with a load takes a function', async () => {
    const setting = await Setting.create();
    const element = await setting.register(priorityLeastUsed({ load: setting.source, degradation: 0.1, interval: 100, threshold: 0.01 }));
    setting.load = 0.21;
    expect(await setting.after(120)).toBe(0.21);
    expect(element.policy).toEqual(priorityLeastUsed({ load: 0.21, degradation: 0.1 }));
  });

  it.each([['throws', new Error('no sensor')], ['gives NaN', NaN], ['is out of range', 1.1], ['gives no number', '0.5'], ['gives a promise', Promise.resolve(0.5)]])('one that %s: logged once, the last value stays, and so does the element', async (_, bad) => {
    const setting = await Setting.create();
    const element = await setting.register(leastUsed({ load: setting.source }));
    setting.load = bad;
    expect(await setting.after(5_000)).toBe(0.2);
    expect(element.isRegistered).toBe(true);
    expect(setting.world.world.log.filter(({ host, level }) => host === 'pe' && level === 'error')).toHaveLength(1);
    setting.load = 0.5;
    expect(await setting.after(1_200)).toBe(0.5);
    setting.load = bad;
    await setting.world.world.advance(2_000);
    expect(setting.world.world.log.filter(({ host, level }) => host === 'pe' && level === 'error')).toHaveLength(2); // another failure
  });

  it('a first load that cannot be had is INVALID_OPTION, and nothing is registered', async () => {
    const setting = await Setting.create();
    for (const bad of [new Error('no sensor'), NaN, -1]) {
      setting.load = bad;
      await expect(setting.register(leastUsed({ load: setting.source }))).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
    expect(setting.pe.elements.size).toBe(0);
    setting.load = 0;
    const element = await setting.register(leastUsed({ load: setting.source }));
    setting.load = NaN;
    await expect(element.update({ policy: leastUsed({ load: setting.source }) })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    setting.load = 0.5;
    expect(await setting.after(1_200)).toBe(0.5); // the one before goes on
  });

  it('ends with its element, or with an update to another', async () => {
    const setting = await Setting.create();
    const element = await setting.register(leastUsed({ load: setting.source, interval: 100 }));
    await setting.world.world.settled(element.update({ policy: leastUsed({ load: 0.9 }) }));
    const { asked } = setting;
    expect(await setting.after(1_000)).toBe(0.9);
    expect(setting.asked).toBe(asked);
    await setting.world.world.settled(element.update({ policy: leastUsed({ load: setting.source, interval: 100 }) }));
    await setting.world.world.settled(element.deregister());
    const last = setting.asked;
    await setting.world.world.advance(1_000);
    expect(setting.asked).toBe(last);
  });

  it('goes on after an update that was rejected', async () => {
    const setting = await Setting.create();
    await setting.register(leastUsed({ load: 0.5 }), 2); // the pool is least-used
    const element = await setting.register(leastUsed({ load: setting.source, interval: 100 }));
    await expect(setting.world.world.settled(element.update({ policy: random() }))).rejects.toMatchObject({ code: 'REGISTRATION_REJECTED' });
    setting.load = 0.4;
    expect(await setting.after(200)).toBe(0.4);
  });

  it('elements that were started together do not register together', async () => {
    const setting = await Setting.create();
    const { clock } = setting.world.world;
    const at: number[][] = [];
    for (let i = 0; i < 20; i++) {
      const times: number[] = [];
      at.push(times);
      await setting.register(randomizedLeastUsed({ load: () => { times.push(clock.now()); return 0.5; } }), i + 1);
    }
    await setting.world.world.advance(10_000);
    const last = at.map((times) => times.at(-1)! - times[0]!);
    expect(Math.max(...last) - Math.min(...last)).toBeGreaterThan(300);
  });

  it.each<[string, () => unknown]>([
    ['interval without a function', () => leastUsed({ load: 0.5, interval: 100 } as never)],
    ['threshold without a function', () => leastUsed({ load: 0.5, threshold: 0.1 } as never)],
    ['threshold above 1', () => leastUsed({ load: () => 0, threshold: 2 })],
    ['interval 0', () => leastUsed({ load: () => 0, interval: 0 })],
    ['no degradation', () => priorityLeastUsed({ load: () => 0 } as never)],
    ['no load', () => leastUsed({} as never)],
  ])('%s is INVALID_OPTION', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }) as Error);
    expect(roundRobin()).toEqual({ policy: 'round-robin' });
  });
});
