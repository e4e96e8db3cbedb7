import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import type { Session, UserSession } from '../../actors/session.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import { RserpoolError } from '../../errors.js';
import { SeededRandom } from '../seeded-random.js';
import type { WorldHost } from '../world.js';
import { planFaults, type PlannedFault } from './faults.js';
import { runOn } from './run.js';
import type { Scenario } from './outcome.js';
import { counterService, type ServiceStyle } from './service.js';
import { emptyHistory, type SessionHistory } from './session-history.js';
import { sessionInvariants } from './session-invariants.js';
import { Stage, type Role } from './stage.js';
import { short } from './transcript.js';

/** One session's life: a registrar, two or three pool elements, a user who sends a handful of messages, and what goes wrong. */
export const sessionLife: Scenario = {
  name: 'session',
  run: (seed, cut = {}) => {
    const plan = planSession(seed);
    const stage = new Stage({ seed, cut, ...plan.network, counts: ({ from, to }) => (from === USER) !== (to === USER) && from !== REGISTRAR && to !== REGISTRAR });
    return runOn('session', stage, seed, cut, () => new SessionLife(stage, plan, cut.messages ?? plan.messages.length).live());
  },
};

export interface SessionPlan {
  readonly network: { readonly latency: Milliseconds; readonly jitter: Milliseconds; readonly loss: number; readonly chunks: 'whole' | 'random'; readonly bufferSize: number };
  readonly mode: DeliveryMode;
  readonly style: ServiceStyle;
  readonly elements: readonly string[];
  readonly messages: readonly { readonly after: Milliseconds; readonly padding: number }[];
  readonly window: { readonly messages: number; readonly bytes: number };
  readonly hasCallback: boolean;
  /** The user's listener takes so long. */
  readonly reading: Milliseconds;
  readonly faults: readonly PlannedFault[];
  /** All is well after so long. */
  readonly span: Milliseconds;
}

const REGISTRAR = 'registrar';
const USER = 'pu';
/** Silence that means down, 500 ms, and what a process may be wrong by about its own lag. */
const FENCED = 550;

export function planSession(seed: number): SessionPlan {
  const random = new SeededRandom(seed).fork();
  const style = drawStyle(random);
  const mode = style.stateful ? 'effectively-once' : (['effectively-once', 'at-least-once', 'at-most-once'] as const)[random.below(3)] ?? 'at-least-once';
  const elements = Array.from({ length: 2 + random.below(2) }, (_, index) => `pe${index + 1}`);
  const span = 300 + random.below(2_200);
  const count = 3 + random.below(10);
  const hasLarge = random.below(8) === 0;
  return {
    network: { latency: 0.5 + random.below(5), jitter: random.below(3) * random.below(5), loss: random.below(4) === 0 ? 0.02 : 0, chunks: random.below(2) === 0 ? 'whole' : 'random', bufferSize: random.below(4) === 0 ? 2_000 : 0x1_0000 },
    mode, style, elements, span,
    messages: Array.from({ length: count }, () => ({ after: random.below(2) * random.below((2 * span) / count), padding: hasLarge ? random.below(2) * random.below(20_000) : random.below(60) })),
    window: random.below(4) === 0 ? { messages: 2 + random.below(4), bytes: 0x10_0000 } : { messages: 1024, bytes: 0x10_0000 },
    hasCallback: random.below(3) === 0,
    reading: random.below(5) === 0 ? random.below(100) : 0,
    faults: planFaults(random, {
      victims: [
        { host: 'serving', weight: 5, kinds: ['crash', 'crash', 'freeze', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', 'drain'] },
        ...elements.map((host) => ({ host, weight: 1, kinds: ['crash', 'freeze', 'cut', 'drain'] as const })),
        { host: USER, weight: 1, kinds: ['freeze', 'block', 'cut', 'cut one way', 'hold', 'break'] },
        { host: REGISTRAR, weight: 1, kinds: ['crash', 'freeze', 'cut', 'break'] },
      ],
      others: [USER, ...elements, REGISTRAR], count: random.below(6), span, segments: 3 * count, longest: 1_600,
    }),
  };
}

function drawStyle(random: SeededRandom): ServiceStyle {
  const stateful = random.below(2) === 0;
  const snapshot = stateful && random.below(2) === 0;
  return {
    stateful, snapshot, every: snapshot ? 1 + random.below(4) : 1, delay: random.below(2) * (1 + random.below(40)),
    concurrency: stateful || random.below(3) > 0 ? 1 : 3, tickAfter: snapshot && random.below(2) === 0 ? 1 + random.below(30) : 0, sends: random.below(3) === 0,
  };
}

class SessionLife {
  readonly #stage: Stage;
  readonly #plan: SessionPlan;
  readonly #messages: number;
  readonly #history: SessionHistory;
  readonly #elements = new Map<string, number>();
  #identifiers = 0;
  #registrar: Registrar | undefined;
  #user: ServiceAccessPoint | undefined;
  #session: UserSession | undefined;

  constructor(stage: Stage, plan: SessionPlan, messages: number) {
    this.#stage = stage;
    this.#plan = plan;
    this.#messages = messages;
    const { mode, style, window } = plan;
    this.#history = emptyHistory({ mode, stateful: style.stateful, concurrency: style.concurrency, window });
    stage.add(this.#registrarRole());
    for (const name of plan.elements) stage.add(this.#elementRole(name));
    stage.onThaw = ({ name }, span) => { if (span > FENCED) this.#fence(name); };
  }

  async live(): Promise<void> {
    const { world } = this.#stage;
    const { elements, faults, span, mode, style } = this.#plan;
    this.#stage.transcript.note('seed', `${mode}, ${style.stateful ? `a cookie with every ${style.every}${style.snapshot ? ' or by snapshot' : ''}` : 'stateless'}, ${this.#messages} messages, handlers of ${style.delay} ms`);
    await world.settled(this.#stage.start(REGISTRAR));
    await world.settled(Promise.all(elements.map((name) => this.#stage.start(name))));
    await this.#connect();
    this.#stage.watch(() => { this.#check('always'); });
    this.#stage.disturb(faults, (part) => (part === 'serving' ? this.#serving() : part));
    this.#send(0);
    await world.advance(span);
    this.#stage.heal();
    await this.#rest();
    this.#check('at rest');
    await this.#stage.close([USER, ...elements, REGISTRAR], 30_000);
  }

  /** Everything sent is settled. A promise to send may wait for the window, so all is sent first. */
  async #rest(): Promise<void> {
    const { world } = this.#stage;
    const { sent, sends } = this.#history;
    const within = 60_000;
    await world.until(() => (sent.length >= this.#messages && this.#stage.waits().length === 0) || this.#history.end !== undefined, within).catch(() => undefined);
    if (this.#history.end === undefined) await this.#stage.settles('flush', this.#stage.track(world.host(USER).process, 'flush', this.#session!.flush()), within);
    await world.until(() => sends.size === sent.length, 5_000).catch(() => undefined);
    this.#history.isSettled = true;
  }

  async #connect(): Promise<void> {
    const host = this.#stage.process(USER);
    this.#user = await initialize({ registrars: [this.#registrarAddress], environment: host.environment });
    this.#stage.add({ host: USER, start: () => Promise.resolve(), close: () => this.#leave() });
    await this.#stage.start(USER);
    const { mode, window, hasCallback } = this.#plan;
    const opening = this.#user.connect('counter', {
      deliveryMode: mode, window, openTimeout: 600_000, failoverTimeout: 600_000, ...(hasCallback && { onFailover: (recovery) => { void recovery.send('callback'); } }),
    });
    const session = await this.#stage.world.settled(opening);
    this.#session = session as UserSession;
    this.#listen(session, host);
  }

  #listen(session: Session, host: WorldHost): void {
    const history = this.#history;
    const note = (what: string): void => { this.#stage.transcript.note(USER, what); };
    const hear = (text: string, recovery: boolean): void => {
      note(`gets ${short(text)}`);
      if (text.startsWith('tick')) history.ticks.push(Number(text.slice(5)));
      else if (!recovery) history.replies.push(text);
    };
    const { reading } = this.#plan;
    session.on('data', (data, { recovery }) => {
      hear(data.toString(), recovery);
      if (reading > 0) return new Promise<void>((read) => { host.clock.setTimeout(read, reading); }) as unknown as undefined; // holds the credit (D-21)
    });
    session.on('failover', ({ from, to, epoch, resent }) => {
      history.failovers += 1;
      note(`failover from ${this.#nameOf(from)} to ${this.#nameOf(to)}, epoch ${epoch}, ${resent} sent again`);
    });
    session.on('error', (error, { undelivered }) => {
      note(`error ${error.code}${undelivered === undefined ? '' : ` of ${short(undelivered.toString())}`}`);
      history.errors.push(error.code);
      if (undelivered !== undefined) history.undelivered.push(undelivered.toString());
    });
    session.on('closed', () => { if (!this.#isLeaving) history.end = history.errors.at(-1) ?? 'closed'; });
  }

  #checked = 0;
  #isLeaving = false;
  async #leave(): Promise<void> {
    this.#isLeaving = true;
    await this.#session?.close();
    await this.#user?.close();
  }

  /** One after the other, each so long after the one before. */
  #send(index: number): void {
    const message = this.#plan.messages[index];
    if (message === undefined || index >= this.#messages) return;
    const host = this.#stage.process(USER);
    host.clock.setTimeout(() => {
      const text = `${index + 1} ${'.'.repeat(message.padding)}`;
      const { sent, sends } = this.#history;
      sent.push(text);
      this.#stage.transcript.note(USER, `sends ${short(text)}`);
      this.#session!.send(text).then(() => { sends.set(index + 1, 'resolved'); }, (error: unknown) => { sends.set(index + 1, error instanceof RserpoolError ? error.code : String(error)); });
      this.#send(index + 1);
    }, message.after);
  }

  // ---- the others

  get #registrarAddress(): string { return `tcp://${this.#stage.process(REGISTRAR).address}:3863`; }

  #registrarRole(): Role {
    return {
      host: REGISTRAR,
      start: async ({ environment }) => { this.#registrar = await createRegistrar({ asap: [this.#registrarAddress], id: 0x77, environment }); },
      close: async () => this.#registrar?.close(),
    };
  }

  #elementRole(name: string): Role {
    let accessPoint: ServiceAccessPoint | undefined;
    let life = 0;
    return {
      host: name,
      start: async (host) => {
        life += 1;
        const identifier = ++this.#identifiers;
        this.#elements.set(name, identifier);
        const service = counterService(this.#plan.style, host, `${name}#${life}`, { history: (id) => (this.#session === undefined || this.#session.id === id ? this.#history : undefined), transcript: this.#stage.transcript });
        accessPoint = await initialize({ registrars: [this.#registrarAddress], environment: host.environment });
        await registered(accessPoint, host, () => accessPoint!.register('counter', { identifier, ...service.options }, service.onSession));
        this.#stage.transcript.note(name, `is registered as ${identifier}`);
      },
      drain: async () => {
        await Promise.all([...accessPoint?.elements ?? []].map((element) => element.drain()));
        await accessPoint?.close();
      },
      close: async () => accessPoint?.close(),
    };
  }

  #serving(): string | undefined {
    const identifier = this.#session?.peIdentifier;
    return [...this.#elements].find(([, known]) => known === identifier)?.[0];
  }

  #nameOf(identifier: number): string { return [...this.#elements].find(([, known]) => known === identifier)?.[0] ?? `the late ${identifier}`; }

  /** Who wakes up and has lost its session meanwhile has to hand nothing out (D-29). */
  #fence(name: string): void {
    const epoch = this.#session?.epoch ?? 0;
    for (const instance of this.#history.instances) if (instance.process.startsWith(`${name}#`) && !instance.isOver && instance.epoch < epoch) instance.isFenced = true;
  }

  /** After a turn in which nothing happened that anybody saw there is nothing new to ask. */
  #check(when: 'always' | 'at rest'): void {
    const history = this.#history;
    const { length } = this.#stage.transcript.lines;
    if (when === 'always' && this.#checked === length) return;
    this.#checked = length;
    const window = this.#session?.half.window;
    if (window !== undefined) history.mostKept = { messages: Math.max(history.mostKept.messages, window.size), bytes: Math.max(history.mostKept.bytes, window.bytes) };
    for (const invariant of sessionInvariants) {
      if (invariant.when !== when) continue;
      const wrong = invariant.check(history);
      if (wrong !== undefined) this.#stage.violated(invariant.name, wrong);
    }
  }
}

/** Registers, however often it takes, while its process lives. */
export async function registered(accessPoint: ServiceAccessPoint, host: WorldHost, register: () => Promise<unknown>): Promise<void> {
  while (host.process.isAlive) {
    try {
      await register();
      return;
    } catch (error) {
      if (!(error instanceof RserpoolError) || error.code === 'CLOSED') throw error;
    }
  }
  await accessPoint.close();
}
