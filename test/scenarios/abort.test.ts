import { getEventListeners } from 'node:events';
import { leastUsed, type PoolElement, type ServiceAccessPoint, type Session } from '../../index.js';
import { RegistrarWorld } from '../support/registrar-world.js';
import { World } from '../../testing/world.js';

/** Whatever waits is aborted after each turn of the event loop that it takes, one after another in one world, so that whatever is left behind adds up:
 *  timers of the whole world, listeners on the signal, sessions at the service, registrations. Somebody else's session goes on all the time. */

type Fault = 'none' | 'the pool element is frozen' | 'the registrar is frozen';

class Setting {
  readonly answers: string[] = [];

  private constructor(readonly all: RegistrarWorld, readonly element: PoolElement, readonly rsp: ServiceAccessPoint, readonly sessions: ReadonlySet<unknown>) {}

  static async create(): Promise<Setting> {
    const all = await RegistrarWorld.start({}, new World({ latency: 1 }));
    const sessions = new Set<unknown>();
    const pe = await all.accessPoint('pe');
    const element = await all.world.settled(pe.register('echo', { identifier: 1, policy: leastUsed({ load: 0 }) }, (session) => {
      sessions.add(session);
      session.on('data', (data, info) => { info.ack(); void info.reply(data); });
      session.on('closed', () => { sessions.delete(session); });
    }));
    return new Setting(all, element, await all.accessPoint('pu'), sessions);
  }

  get world(): World { return this.all.world; }

  async connect(options = {}): Promise<Session> {
    const session = await this.world.settled(this.rsp.connect('echo', options));
    session.on('error', () => undefined);
    return session;
  }

  /** The fewest timers of a while: what is always there. */
  async timers(): Promise<number> {
    let least = Infinity;
    for (let i = 0; i < 100; i++) {
      least = Math.min(least, this.world.clock.pending);
      await this.world.advance(37);
    }
    return least;
  }

  strike(fault: Fault): void {
    if (fault === 'the pool element is frozen') this.world.host('pe').process.freeze();
    if (fault === 'the registrar is frozen') this.all.host.process.freeze();
  }

  heal(): void {
    for (const { process } of [this.world.host('pe'), this.all.host]) process.thaw();
  }
}

interface Wait {
  readonly faults: readonly Fault[];
  /** Before the faults; gives what waits. */
  readonly prepare: (setting: Setting) => Promise<(signal: AbortSignal) => Promise<unknown>>;
  /** The end of what it resolved with. */
  readonly undo?: (setting: Setting, result: unknown) => unknown;
}

const waits: Readonly<Record<string, Wait>> = {
  connect: {
    faults: ['none', 'the pool element is frozen', 'the registrar is frozen'],
    prepare: async ({ rsp }) => Promise.resolve((signal) => rsp.connect('echo', { signal })),
    undo: (_, session) => (session as Session).close(),
  },
  register: {
    faults: ['none', 'the registrar is frozen'],
    prepare: async ({ rsp }) => Promise.resolve((signal) => rsp.register('other', { signal, identifier: 9 }, () => undefined)),
    undo: (_, element) => (element as PoolElement).deregister(),
  },
  update: {
    faults: ['none', 'the registrar is frozen'],
    prepare: async ({ element }) => Promise.resolve((signal) => element.update({ policy: leastUsed({ load: 0.5 }) }, { signal })),
  },
  resolve: {
    faults: ['none', 'the registrar is frozen'],
    prepare: async ({ rsp }) => Promise.resolve((signal) => rsp.resolve('echo', { refresh: true, signal })),
  },
  'resolve what nobody serves': {
    faults: ['none', 'the registrar is frozen'],
    prepare: async ({ rsp }) => Promise.resolve((signal) => rsp.resolve('nobody', { signal })),
  },
  getPrimaryServer: {
    faults: ['none', 'the registrar is frozen'],
    prepare: async ({ rsp }) => Promise.resolve((signal) => { rsp.purge('echo'); return rsp.getPrimaryServer('echo', { signal }); }),
  },
  send: {
    faults: ['none', 'the pool element is frozen'],
    prepare: async (setting) => {
      const session = await setting.connect({ deliveryMode: 'at-least-once' });
      return (signal) => session.send('x', { signal, lifetime: 3_600_000 });
    },
  },
  'send, acknowledged': {
    faults: ['none', 'the pool element is frozen'],
    prepare: async (setting) => {
      const session = await setting.connect();
      return (signal) => session.send('x', { signal, ack: true, lifetime: 3_600_000 });
    },
  },
  'send into a full window': {
    faults: ['none', 'the pool element is frozen'],
    prepare: async (setting) => {
      const session = await setting.connect({ window: { messages: 1 } });
      return (signal) => { void session.send('fills it'); return session.send('x', { signal, lifetime: 3_600_000 }); };
    },
  },
};

const cases = Object.entries(waits).flatMap(([name, wait]) => wait.faults.map((fault) => [name, fault, wait] as const));

describe('abort at each moment', () => {
  it.each(cases)('%s (%s): ends at once, leaves nothing behind, and nobody else is concerned', async (_, fault, { prepare, undo }) => {
    const setting = await Setting.create();
    const { world } = setting;
    const bystander = await setting.connect();
    bystander.on('data', (data) => { setting.answers.push(data.toString()); });
    const begin = await prepare(setting);
    await world.advance(6_000); // links that only the preparation needed are gone
    const before = { timers: await setting.timers(), sessions: setting.sessions.size };
    const outcomes: string[] = [];
    for (let turn = 0, isOver = false; !isOver && turn < MOST_TURNS; turn += 1 + Math.floor(turn / 8)) {
      setting.strike(fault);
      const [abort, { clock }] = [new AbortController(), world];
      let [outcome, result] = ['waits', undefined as unknown];
      const end = clock.turns + turn;
      if (turn === 0) abort.abort(); // before it begins
      begin(abort.signal).then((value) => { [outcome, result] = ['resolved', value]; }, (error: Error & { code?: string }) => { outcome = error.code ?? String(error); });
      if (turn > 0) {
        await world.until(() => outcome !== 'waits' || clock.turns >= end);
        isOver = outcome !== 'waits';
        abort.abort();
      }
      for (let i = 0; i < 20; i++) await Promise.resolve(); // no time, no input
      outcomes.push(outcome);
      expect([turn, outcome, getEventListeners(abort.signal, 'abort')]).toEqual([turn, expect.stringMatching(isOver ? /./ : /ABORTED$/), []]);
      setting.heal();
      if (outcome === 'resolved') await world.settled(Promise.resolve(undo?.(setting, result)));
      const said = `after turn ${turn}`;
      void bystander.send(said);
      await world.until(() => setting.answers.includes(said));
    }
    expect(outcomes.length).toBeGreaterThan(1);
    await world.advance(40_000);
    expect(await setting.timers()).toBeLessThanOrEqual(before.timers);
    expect(setting.sessions.size).toBeLessThanOrEqual(before.sessions); // less where it was frozen for so long that its session gave up
    expect(setting.all.registrar.dump().pools.map(({ handle, elements }) => `${handle}: ${elements.length}`)).toEqual(['echo: 1']);
    expect(world.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

const MOST_TURNS = 2_000;
