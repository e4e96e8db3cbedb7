import { createRegistrar, initialize, leastUsed, leastUsedDegradation, priority, priorityLeastUsed, priorityLeastUsedDegradation, randomizedLeastUsed, randomizedLeastUsedDegradation, randomizedPriorityLeastUsed, randomizedPriorityLeastUsedDegradation, RserpoolError, weightedRandom, weightedRoundRobin, type PoolElement, type ServiceAccessPoint, type Session } from '../../index.js';
import { quickTimers } from '../../machines/timers.js';
import { resolveLimits } from '../../actors/registrar-limits.js';
import { RegistrarWorld } from '../support/registrar-world.js';
import { wrong } from '../support/wrong-values.js';

/** Each option of each call, in each wrong type and range: refused with a typed error before anything is done. */

interface Call {
  /** Takes the options, and rejects or throws. */
  readonly call: (setting: Setting, options: object) => unknown;
  /** Each option of the call, and the kind of what it may not be. */
  readonly options: Readonly<Record<string, keyof typeof wrong>>;
  /** What else has to be given, for one option to be looked at. */
  readonly others?: object;
}

class Setting {
  constructor(readonly world: RegistrarWorld, readonly rsp: ServiceAccessPoint, readonly element: PoolElement, readonly session: Session) {}

  static async create(): Promise<Setting> {
    const world = await RegistrarWorld.start();
    const pe = await world.accessPoint('pe');
    const element = await world.world.settled(pe.register('echo', { identifier: 1 }, () => undefined));
    const rsp = await world.accessPoint('pu');
    const session = await world.world.settled(rsp.connect('echo'));
    await world.world.advance(100);
    return new Setting(world, rsp, element, session);
  }

  get environment() { return this.world.world.host('stranger').environment; }
}

const wait = { signal: 'signal', timeout: 'delay' } as const;
const calls: Readonly<Record<string, Call>> = {
  initialize: {
    call: (setting, options) => initialize({ environment: setting.environment, ...options } as never),
    options: { registrars: 'stringsNotEmpty', multicast: 'objectOrBoolean', timeout: 'delay', timers: 'object', logger: 'logger', asap: 'object', adopt: 'choice', failoverIndication: 'boolean' },
    others: { registrars: ['tcp://10.0.0.1:1'] },
  },
  'initialize asap': { call: (setting, options) => initialize({ environment: setting.environment, registrars: ['tcp://10.0.0.1:1'], asap: options }), options: { listen: 'address', advertise: 'address' } },
  register: {
    call: ({ rsp }, options) => rsp.register('pool', options, () => undefined),
    options: {
      listen: 'stringsNotEmpty', advertise: 'address', policy: 'policy', identifier: 'u32', life: 'delayOrForever', mapping: 'choice', address: 'string', mappings: 'mappings', ...wait,
      snapshot: 'function', maxSessions: 'count', concurrency: 'count', outputCommit: 'boolean', rendezvous: 'boolean', liveness: 'liveness', cookieKeys: 'cookieKeys', cookieLifetime: 'delay', foreignCookies: 'boolean',
    },
  },
  'register, Basic Mode': { call: ({ rsp }, options) => rsp.register('pool', { mapping: 'none', ...options }), options: { address: 'anyAddress' } },
  update: { call: ({ element }, options) => element.update(options), options: { policy: 'policy', cookieKeys: 'cookieKeys', foreignCookies: 'boolean' } },
  'update, wait': { call: ({ element }, options) => element.update({}, options), options: wait },
  connect: {
    call: ({ rsp }, options) => rsp.connect('echo', options),
    options: { deliveryMode: 'choice', onFailover: 'function', window: 'object', openTimeout: 'delay', failoverTimeout: 'delay', maxAttempts: 'count', signal: 'signal' },
  },
  'connect window': { call: ({ rsp }, window) => rsp.connect('echo', { window }), options: { messages: 'u32', bytes: 'u32' } },
  send: {
    call: ({ session }, options) => session.send('x', options),
    options: { deliver: 'choice', ppid: 'u32', ack: 'boolean', lifetime: 'delay', signal: 'signal', stream: 'stream', unordered: 'boolean' },
  },
  resolve: { call: ({ rsp }, options) => rsp.resolve('echo', options), options: { refresh: 'boolean', ...wait } },
  getPrimaryServer: { call: ({ rsp }, options) => rsp.getPrimaryServer('echo', options), options: { caller: 'string', ...wait } },
  getNextServer: { call: ({ rsp }, options) => rsp.getNextServer('echo', options), options: { caller: 'string', ...wait } },
  createRegistrar: {
    call: (setting, options) => createRegistrar({ environment: setting.environment, ...options }),
    options: { asap: 'strings', enrp: 'strings', peers: 'strings', multicast: 'objectOrBoolean', id: 'u32', timers: 'object', limits: 'object', logger: 'logger' },
    others: { enrp: ['tcp://10.0.0.1:1'] },
  },
  'createRegistrar limits': { call: (setting, limits) => createRegistrar({ environment: setting.environment, limits }), options: Object.fromEntries(Object.keys(resolveLimits()).map((name) => [name, 'count'])) },
  'initialize timers': {
    call: (setting, timers) => initialize({ environment: setting.environment, registrars: ['tcp://10.0.0.1:1'], timers }),
    options: Object.fromEntries(Object.keys(quickTimers).filter((name) => !/^max(Reg|Req|Bad|Num|Hand)|Rate$|Share$|^maxEnrp/i.test(name)).map((name) => [name, 'delay'])),
  },
  weightedRoundRobin: { call: (_, options) => weightedRoundRobin(options as never), options: { weight: 'u32' } },
  weightedRandom: { call: (_, options) => weightedRandom(options as never), options: { weight: 'u32' } },
  priority: { call: (_, options) => priority(options as never), options: { priority: 'u32' } },
  ...Object.fromEntries(Object.entries({ leastUsed, randomizedLeastUsed }).map(([name, make]): [string, Call] => [name, {
    call: (_, options) => make(options as never), options: { load: 'load', interval: 'delay', threshold: 'fraction' }, others: { load: () => 0 },
  }])),
  ...Object.fromEntries(Object.entries({
    leastUsedDegradation, priorityLeastUsed, randomizedPriorityLeastUsed, randomizedLeastUsedDegradation, priorityLeastUsedDegradation, randomizedPriorityLeastUsedDegradation,
  }).map(([name, make]): [string, Call] => [name, {
    call: (_, options) => make(options as never), options: { load: 'load', degradation: 'fraction', interval: 'delay', threshold: 'fraction' }, others: { load: () => 0, degradation: 0 },
  }])),
};

/** Calls that take their options as they are given. */
const asTheyAre: Readonly<Record<string, (setting: Setting, options: unknown) => unknown>> = {
  initialize: (_, options) => initialize(options as never),
  register: ({ rsp }, options) => rsp.register('pool', options as never, () => undefined),
  update: ({ element }, options) => element.update(options as never),
  'update, wait': ({ element }, options) => element.update({}, options as never),
  connect: ({ rsp }, options) => rsp.connect('echo', options as never),
  send: ({ session }, options) => session.send('x', options as never),
  resolve: ({ rsp }, options) => rsp.resolve('echo', options as never),
  getPrimaryServer: ({ rsp }, options) => rsp.getPrimaryServer('echo', options as never),
  getNextServer: ({ rsp }, options) => rsp.getNextServer('echo', options as never),
  createRegistrar: (_, options) => createRegistrar(options as never),
  leastUsed: (_, options) => leastUsed(options as never),
  priorityLeastUsed: (_, options) => priorityLeastUsed(options as never),
};

const byHandle: Readonly<Record<string, (setting: Setting, handle: string) => unknown>> = {
  register: ({ rsp }, handle) => rsp.register(handle, {}, () => undefined),
  connect: ({ rsp }, handle) => rsp.connect(handle),
  resolve: ({ rsp }, handle) => rsp.resolve(handle),
  purge: ({ rsp }, handle) => { rsp.purge(handle); },
  getPrimaryServer: ({ rsp }, handle) => rsp.getPrimaryServer(handle),
  getNextServer: ({ rsp }, handle) => rsp.getNextServer(handle),
  reportUnreachable: ({ rsp }, handle) => rsp.reportUnreachable({ handle, identifier: 1 }),
};

const snapshot = (): Uint8Array => Buffer.from('x');
const signal = AbortSignal.abort();
/** Each value is right by itself. */
const combinations: [string, object, string][] = [
  ['initialize', { registrars: [] }, 'INVALID_OPTION'],
  ['initialize', { registrars: [], multicast: false }, 'INVALID_OPTION'],
  ['initialize', { registrars: ['tcp://10.0.0.1:1'], timers: { heartbeat: 300, silence: 500 } }, 'INVALID_OPTION'],
  ['register', { concurrency: 2, snapshot }, 'INVALID_OPTION'],
  ['register', { address: 'tcp://10.0.0.1:1' }, 'INVALID_OPTION'],
  ['register', { mapping: 'none', address: 'tcp://10.0.0.1:1' }, 'INVALID_OPTION'],
  ['register', { identifier: 0 }, 'INVALID_OPTION'],
  ['register', { life: quickTimers.t2Registration }, 'INVALID_OPTION'],
  ['register, Basic Mode', {}, 'INVALID_OPTION'],
  ['register, Basic Mode', { address: 'tcp://10.0.0.1:0' }, 'INVALID_URL'],
  ...Object.entries({ listen: ['tcp://10.0.0.1:1'], advertise: 'tcp://10.0.0.1:1', snapshot, maxSessions: 1, concurrency: 1, outputCommit: true, liveness: 'worker', cookieKeys: [], cookieLifetime: 1_000, foreignCookies: true })
    .map(([name, value]): [string, object, string] => ['register, Basic Mode', { address: 'tcp://10.0.0.1:1', [name]: value }, 'INVALID_OPTION']),
  ['connect window', { messages: 0 }, 'INVALID_OPTION'],
  ['connect window', { bytes: 0 }, 'INVALID_OPTION'],
  ['connect', { signal }, 'ABORTED'],
  ['send', { ppid: 11 }, 'INVALID_OPTION'],
  ['send', { signal }, 'MESSAGE_ABORTED'],
  ['send', { stream: 1 }, 'FEATURE_UNAVAILABLE'],
  ['send', { unordered: true }, 'INVALID_OPTION'],
  ['send', { unordered: true, deliver: 'at-most-once' }, 'FEATURE_UNAVAILABLE'],
  ['createRegistrar', { peers: ['tcp://10.0.0.1:1'] }, 'INVALID_OPTION'],
  ['createRegistrar', { multicast: true }, 'INVALID_OPTION'],
  ['createRegistrar', { id: 0 }, 'INVALID_OPTION'],
  ['createRegistrar limits', { highWaterMark: 2, queuedBytes: 1 }, 'INVALID_OPTION'],
];

const shown = (value: unknown): string => (typeof value === 'function' ? 'a function' : typeof value === 'bigint' || typeof value === 'symbol' ? String(value) : JSON.stringify(value) ?? String(value));

/** What the call rejects with at once, or throws; undefined where it does neither. */
async function refusalOf(setting: Setting, call: () => unknown): Promise<unknown> {
  let refusal: unknown;
  void Promise.resolve().then(call).catch((error: unknown) => { refusal = error; });
  await setting.world.world.clock.settle();
  return refusal;
}

describe('options', () => {
  it.each(Object.entries(calls))('%s: each option that there is, of no wrong type and out of no range, nothing left behind', async (_, { call, options, others }) => {
    const setting = await Setting.create();
    const { clock } = setting.world.world;
    const [timers, logged] = [clock.pending, setting.world.world.log.length];
    const taken: string[] = [];
    for (const [name, kind] of Object.entries(options)) {
      for (const value of wrong[kind]) {
        const error = await refusalOf(setting, () => call(setting, { ...others, [name]: value }));
        if (!(error instanceof RserpoolError) || !CODES.includes(error.code)) taken.push(`${name}: ${shown(value)}: ${String(error)}`);
      }
    }
    expect(taken).toEqual([]);
    expect(clock.pending).toBe(timers);
    expect(setting.world.world.log.slice(logged).filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each(Object.entries(calls).filter(([name]) => !name.includes('timers')))('%s: is tried with each option that it takes', async (_, { call, options }) => {
    const setting = await Setting.create();
    const error = await refusalOf(setting, () => call(setting, { nonsense: 1 })) as Error;
    const listed = (/there are (.*)$/.exec(error.message)?.[1] ?? '').split(', ').filter((name) => name !== 'environment');
    expect(listed.filter((name) => !Object.hasOwn(options, name) && !Object.hasOwn(calls['register']!.options, name))).toEqual([]);
  });

  it.each(Object.entries(asTheyAre))('%s: options that are no object', async (_, call) => {
    const setting = await Setting.create();
    for (const options of [null, 7, 'x', true, () => undefined, []]) expect([shown(options), await refusalOf(setting, () => call(setting, options))]).toEqual([shown(options), expect.any(RserpoolError)]);
  });

  it.each(combinations)('%s: %j', async (name, options, code) => {
    const setting = await Setting.create();
    expect(await refusalOf(setting, () => calls[name]!.call(setting, options))).toMatchObject({ code });
  });
});

describe('arguments', () => {
  it.each(Object.entries(byHandle))('%s: a handle that is none', async (_, call) => {
    const setting = await Setting.create();
    for (const handle of [undefined, null, 7, {}, [], '', new Uint8Array(), new Uint8Array(65_001), 'x'.repeat(65_001), 'é'.repeat(32_501), new Uint16Array(2)]) {
      expect([shown(handle).slice(0, 20), await refusalOf(setting, () => call(setting, handle as never))]).toEqual([shown(handle).slice(0, 20), expect.objectContaining({ code: 'INVALID_HANDLE' })]);
    }
  });

  it.each<[string, unknown]>([
    ['nothing', undefined], ['null', null], ['a number', 7], ['a handle', 'echo'], ['no handle', { identifier: 1 }], ['no identifier', { handle: 'echo' }],
    ['an identifier that is none', { handle: 'echo', identifier: '1' }], ['an identifier out of range', { handle: 'echo', identifier: 2 ** 32 }],
  ])('reportUnreachable: %s is no element', async (_, element) => {
    const { rsp } = await Setting.create();
    expect(() => rsp.reportUnreachable(element as never)).toThrow(expect.objectContaining({ code: 'INVALID_HANDLE' }) as Error);
  });

  it('register: a handler that is none', async () => {
    const { rsp } = await Setting.create();
    for (const handler of [null, 7, 'x', {}, []]) await expect(rsp.register('pool', {}, handler as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('data that is none: at both ends', async () => {
    const { session } = await Setting.create();
    for (const data of [undefined, null, 7, {}, [1, 2], true, new ArrayBuffer(1), new Uint16Array(1)]) await expect(session.send(data as never)).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });
});

const CODES = ['INVALID_OPTION', 'INVALID_URL', 'FEATURE_UNAVAILABLE'];
