import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import type { PoolElement } from '../../actors/element.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import { RserpoolError } from '../../errors.js';
import { SeededRandom } from '../seeded-random.js';
import type { WorldHost } from '../world.js';
import { named, type Carrier } from './carrier.js';
import { replyCount } from './counter.js';
import { planFaults, type PlannedFault } from './faults.js';
import { runOn } from './run.js';
import type { Scenario } from './outcome.js';
import { counterService, drawStyle, rotatedKeys, type ServiceStyle } from './service.js';
import { InstanceLog } from './session-history.js';
import { Stage, type Role } from './stage.js';
import { WatchedSession, type ScriptedMessage, type SessionScript } from './watched-session.js';

/** A session's life, or that of a few on one link: a registrar, two or three pool elements, a user who sends a handful of messages, and what goes wrong. */
export const sessionLife = (carrier: Carrier): Scenario => ({
  name: named('session', carrier),
  run: (seed, cut = {}) => {
    const plan = planSession(seed);
    const stage = new Stage({ seed, cut, carrier, ...plan.network, counts: ({ from, to }) => (from === USER) !== (to === USER) && from !== REGISTRAR && to !== REGISTRAR });
    return runOn(named('session', carrier), stage, seed, cut, () => new SessionLife(stage, { ...plan, sessions: plan.sessions.map((session) => ({ ...session, messages: session.messages.slice(0, cut.messages) })) }, carrier).live());
  },
});

export interface SessionPlan {
  readonly network: { readonly latency: Milliseconds; readonly jitter: Milliseconds; readonly loss: number; readonly chunks: 'whole' | 'random'; readonly bufferSize: number };
  readonly style: ServiceStyle;
  readonly elements: readonly string[];
  /** Of one user, so on one link. */
  readonly sessions: readonly Omit<SessionScript, 'stateful' | 'concurrency' | 'streaming'>[];
  /** When the operator of each element tells it to sign with the newer key. */
  readonly rotations: ReadonlyMap<string, Milliseconds>;
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
  const elements = Array.from({ length: random.below(6) === 0 ? 1 : 2 + random.below(2) }, (_, index) => `pe${index + 1}`);
  const leaving = elements.length > 1 ? ['drain'] as const : []; // the only one has nobody to leave its sessions to
  const isRolling = elements.length > 1 && random.below(6) === 0; // elements are replaced one after the other, while there is work
  const span = 300 + random.below(2_200);
  const sessions = Array.from({ length: random.below(4) === 0 ? 2 + random.below(2) : 1 }, () => drawSession(random, span, style));
  const count = Math.max(...sessions.map(({ messages }) => messages.length));
  return {
    network: { latency: 0.5 + random.below(5), jitter: random.below(3) * random.below(5), loss: random.below(4) === 0 ? 0.02 : 0, chunks: random.below(2) === 0 ? 'whole' : 'random', bufferSize: random.below(4) === 0 ? 2_000 : 0x1_0000 },
    style: { ...style, maxSessions: Math.max(style.maxSessions, Math.ceil(sessions.length / elements.length)) }, elements, sessions, span,
    rotations: new Map(elements.map((element) => [element, random.below(span)])),
    faults: planFaults(random, {
      victims: [
        ...(isRolling ? [{ host: 'serving', weight: 50, kinds: ['drain'] as const }] : []),
        { host: 'serving', weight: 5, kinds: ['crash', 'crash', 'freeze', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', ...leaving] },
        ...elements.map((host) => ({ host, weight: 1, kinds: ['crash', 'freeze', 'cut', ...leaving] as const })),
        { host: USER, weight: 1, kinds: ['freeze', 'freeze', 'block', 'block', 'cut', 'cut one way', 'hold', 'break', 'crash'] },
        { host: REGISTRAR, weight: 1, kinds: ['crash', 'freeze', 'cut', 'break'] },
      ],
      others: [USER, ...elements, REGISTRAR], count: random.below(6), span, segments: 3 * count, longest: 1_600,
    }),
  };
}

function drawSession(random: SeededRandom, span: Milliseconds, style: ServiceStyle): SessionPlan['sessions'][number] {
  const count = 3 + random.below(10);
  const hasLarge = random.below(8) === 0;
  return {
    mode: drawMode(random),
    messages: drawMessages(random, count, () => ({ after: random.below(2) * random.below((2 * span) / count), padding: hasLarge ? random.below(2) * random.below(20_000) : random.below(60) })),
    window: random.below(4) === 0 ? { messages: 2 + random.below(4), bytes: 0x10_0000 } : { messages: 1024, bytes: 0x10_0000 },
    callback: drawCallback(random),
    reading: random.below(5) === 0 ? random.below(100) : 0,
    isForged: style.rotates && random.below(2) === 0,
  };
}

/** Effectively-once most often: it promises most. */
export const drawMode = (random: SeededRandom): DeliveryMode => (['effectively-once', 'effectively-once', 'at-least-once', 'at-most-once'] as const)[random.below(4)] ?? 'at-least-once';
export const drawCallback = (random: SeededRandom): SessionScript['callback'] => (['none', 'none', 'sends', 'discards'] as const)[random.below(4)] ?? 'none';

/** In some sessions messages have modes of their own; in some a few are taken back, or would be if they still waited. */
export function drawMessages(random: SeededRandom, count: number, plain: () => ScriptedMessage): ScriptedMessage[] {
  const isMixed = random.below(3) === 0;
  const isLimited = random.below(3) === 0;
  const wantsAcks = random.below(4) === 0;
  const asks = random.below(3) === 0;
  return Array.from({ length: count }, (_, index) => (asks && random.below(2) === 0 && replyCount(index + 1) > 0 ? { ...plain(), isRequest: true } : {
    ...plain(),
    ...(isMixed && random.below(2) === 0 && { deliver: drawMode(random) }),
    ...(isLimited && random.below(3) === 0 && { lifetime: 1 + random.below(random.below(2) === 0 ? 10 : 1_000) }),
    ...(isLimited && random.below(3) === 0 && { abortAfter: random.below(random.below(2) === 0 ? 10 : 1_000) }),
    ...(wantsAcks && random.below(2) === 0 && { ack: true }),
  }));
}

class SessionLife {
  readonly #stage: Stage;
  readonly #plan: SessionPlan;
  readonly #log = new InstanceLog();
  readonly #elements = new Map<string, number>();
  /** Of elements, those that run: `pe1#2`. */
  readonly #processes = new Set<string>();
  #identifiers = 0;
  #registrar: Registrar | undefined;
  #user: ServiceAccessPoint | undefined;
  /** Of all lives of the user. */
  readonly #sessions: WatchedSession[] = [];
  #isOn = false;

  constructor(stage: Stage, plan: SessionPlan, private readonly carrier: Carrier) {
    this.#stage = stage;
    this.#plan = plan;
    stage.add(this.#registrarRole());
    for (const name of plan.elements) stage.add(this.#elementRole(name));
    stage.add(this.#userRole());
    stage.onThaw = ({ name }, span) => { if (span > FENCED) for (const session of this.#sessions) session.fence(name); };
  }

  async live(): Promise<void> {
    const { world } = this.#stage;
    const { elements, faults, span, style, sessions } = this.#plan;
    this.#stage.transcript.note('seed', `${sessions.map(({ mode, messages }) => `${messages.length} messages ${mode}`).join(', ')}; ${style.stateful ? `a cookie with every ${style.every}${style.snapshot ? ' or by snapshot' : ''}` : 'stateless'}, handlers of ${style.delay} ms`);
    await world.settled(this.#stage.start(REGISTRAR));
    await world.settled(Promise.all(elements.map((name) => this.#stage.start(name))));
    await world.settled(this.#stage.start(USER));
    this.#stage.watch(() => { this.#check(); });
    this.#stage.disturb(faults, (part) => (part === 'serving' ? this.#serving() : part));
    this.#isOn = true;
    for (const session of this.#sessions) session.send();
    await world.advance(span);
    this.#stage.heal();
    await world.advance(1); // a user that starts again
    for (const session of this.#living) await session.rest(60_000);
    await world.advance(SILENT);
    for (const session of this.#living) session.check('at rest');
    for (const what of abandoned(this.#log, (process) => this.#processes.has(process), this.#living.map(({ id }) => id ?? ''))) this.#stage.violated('the sessions of a user that died end', what);
    await this.#stage.close([USER, ...elements, REGISTRAR], 30_000);
  }

  // ---- parts

  get #registrarAddress(): string { return this.#stage.address(REGISTRAR, 3863); }

  #registrarRole(): Role {
    return {
      host: REGISTRAR,
      start: async ({ environment }) => { this.#registrar = await createRegistrar({ asap: [this.#registrarAddress], id: 0x77, environment }); },
      close: async () => this.#registrar?.close(),
    };
  }

  #userRole(): Role {
    return {
      host: USER,
      start: async ({ environment }) => {
        const user = await initialize({ registrars: [this.#registrarAddress], environment });
        this.#user = user;
        const host = this.#stage.process(USER);
        const sessions = this.#plan.sessions.map((script) => new WatchedSession(this.#stage, host, { ...script, ...this.#plan.style }, (identifier) => this.#nameOf(identifier), this.#log));
        this.#sessions.push(...sessions);
        await Promise.all(sessions.map((session) => session.open(user, 'counter')));
        if (this.#isOn) for (const session of sessions) session.send();
      },
      close: async () => {
        await Promise.all(this.#living.map((session) => session.close()));
        await this.#user?.close();
      },
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
        const service = counterService(this.#plan.style, host, `${name}#${life}`, { log: this.#log, transcript: this.#stage.transcript });
        accessPoint = await initialize({ registrars: [this.#registrarAddress], environment: host.environment });
        this.#processes.delete(`${name}#${life - 1}`);
        this.#processes.add(`${name}#${life}`);
        await registered(accessPoint, host, async () => rotate(await accessPoint!.register('counter', { identifier, mapping: this.carrier, ...service.options }, service.onSession), host, this.#plan.style, (this.#plan.rotations.get(name) ?? 0) - this.#stage.now));
        this.#stage.transcript.note(name, `is registered as ${identifier}`);
      },
      drain: async () => {
        await Promise.all([...accessPoint?.elements ?? []].map((element) => element.drain()));
        await accessPoint?.close();
      },
      close: async () => accessPoint?.close(),
    };
  }

  /** Those whose user has not died. */
  get #living(): WatchedSession[] { return this.#sessions.filter(({ isGone }) => !isGone); }

  #serving(): string | undefined {
    const peIdentifier = this.#living[0]?.peIdentifier;
    return [...this.#elements].find(([, known]) => known === peIdentifier)?.[0];
  }

  #nameOf(identifier: number): string { return [...this.#elements].find(([, known]) => known === identifier)?.[0] ?? `the late ${identifier}`; }

  /** After a turn in which nothing happened that anybody saw there is nothing new to ask. */
  #check(): void {
    const { length } = this.#stage.transcript.lines;
    if (this.#checked === length) return;
    this.#checked = length;
    for (const session of this.#sessions) session.check('always');
  }
  #checked = 0;
}

/** Silence, and what a process may be wrong by about its own lag: by then an element has noticed that a user is dead. */
const SILENT = 1_500;

/** Sessions that go on at elements that run, though nobody has them. */
export function abandoned(log: InstanceLog, runs: (process: string) => boolean, living: readonly string[]): string[] {
  return [...log].filter(([id, { process, isOver }]) => !isOver && runs(process) && !living.includes(id)).map(([id, { process, epoch }]) => `${process} still has epoch ${epoch} of ${id.slice(0, 4)}`);
}

/** The operator tells the element, after so long, to sign with the newer key. */
export function rotate(element: PoolElement, host: WorldHost, { rotates }: ServiceStyle, after: Milliseconds): void {
  if (!rotates) return;
  const timer = host.clock.setTimeout(() => { element.update({ cookieKeys: rotatedKeys }).catch(() => undefined); }, Math.max(0, after)); // it may be leaving
  element.on('closed', () => { host.clock.clearTimeout(timer); });
}

/** Registers, however often it takes, while its process lives and its access point is open. */
export async function registered(accessPoint: ServiceAccessPoint, host: WorldHost, register: () => Promise<unknown>): Promise<void> {
  while (host.process.isAlive) {
    try {
      await register();
      return;
    } catch (error) {
      if (!(error instanceof RserpoolError)) throw error;
      if (error.code === 'CLOSED') return; // by whoever began it
      if (error.code === 'ALREADY_REGISTERED') throw error;
    }
  }
  await accessPoint.close();
}
