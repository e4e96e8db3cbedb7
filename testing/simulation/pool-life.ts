import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import type { PoolElement } from '../../actors/element.js';
import type { RegisterOptions } from '../../actors/register.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { noticeBound, quietBound } from '../../machines/bounds.js';
import { quickTimers } from '../../machines/timers.js';
import type { WorldHost } from '../world.js';
import { named, type Carrier } from './carrier.js';
import type { Scenario } from './outcome.js';
import { CardWatch } from './pool/cards.js';
import { elementOf, emptyPoolHistory, REGISTRATIONS, type PoolHistory, type PoolView } from './pool/history.js';
import { cachesCleared, poolInvariants, viewInvariants } from './pool/invariants.js';
import { LinkPair } from './pool/pair.js';
import { CLIENTS, planPool, POOL, READER, SENDER, SIDE, type PlannedElement, type PoolPlan } from './pool/plan.js';
import { Sender } from './pool/sender.js';
import { runOn } from './run.js';
import { registered } from './session-life.js';
import { Stage, type Role } from './stage.js';

/** A pool and those who use it otherwise than by one session: single messages to one, to all, to the last; names alone, with indications; business cards and who comes in the place of a
 *  dead client; elements that can be reached in several ways, and processes with two; a slow session beside a fast one. */
export const poolLife = (carrier: Carrier): Scenario => ({
  name: named('pool', carrier),
  run: (seed, cut = {}) => {
    const plan = planPool(seed);
    const stage = new Stage({ seed, cut, carrier, ...plan.network });
    return runOn(named('pool', carrier), stage, seed, cut, () => new PoolLife(stage, { ...plan, sends: plan.sends.slice(0, cut.messages) }, carrier).live());
  },
});

class PoolLife {
  readonly #history: PoolHistory = emptyPoolHistory();
  readonly #registrars = new Map<string, Registrar>();
  readonly #elements = new Map<string, Running>();
  readonly #sender: Sender;
  readonly #cards: CardWatch;
  readonly #pair: LinkPair | undefined;
  #identifiers = 0;
  #isOver = false;

  constructor(private readonly stage: Stage, private readonly plan: PoolPlan, private readonly carrier: Carrier) {
    this.#sender = new Sender(stage, plan, this.#history, { isWell: (id) => this.#isWell(id), owed: () => this.#owed() });
    this.#cards = new CardWatch(stage, plan, { areRegistrarsWell: () => this.#areRegistrarsWell(), isRegistered: (name) => this.#elements.get(name)?.element?.isRegistered === true, identifier: (name) => this.#elements.get(name)?.identifier });
    this.#pair = plan.pair && new LinkPair(stage, plan.pair, this.#history, plan.elements[0]?.name ?? '');
    for (const name of plan.registrars) stage.add(this.#registrarRole(name));
    for (const element of plan.elements) stage.add(this.#elementRole(element));
    for (const name of plan.clients) stage.add(this.#clientRole(name));
    stage.add(this.#sender.role(this.#addresses));
    if (this.#pair) stage.add(this.#pair.role(this.#addresses));
  }

  async live(): Promise<void> {
    const { stage, plan } = this;
    const { registrars, elements, clients, faults, span } = plan;
    const users = [SENDER, ...(this.#pair ? [READER] : [])];
    const peers = [...clients.slice(1), ...clients.slice(0, 1)]; // the first names the others
    stage.transcript.note('seed', `${elements.map(({ name, shape }) => `${name} ${shape}`).join(', ')}; ${plan.sends.length} messages${this.#pair ? ', two sessions on a link' : ''}${clients.length > 0 ? ', a client with a card' : ''}`);
    for (const part of [registrars, elements.map(({ name }) => name), ...peers.map((name) => [name]), users]) {
      await stage.world.settled(Promise.all(part.map((name) => stage.start(name))), 30_000);
      await stage.world.advance(REPLICATION);
    }
    stage.watch(() => { this.#check(); });
    stage.disturb(faults, (part) => part);
    this.#sender.begin();
    this.#pair?.begin();
    await stage.world.advance(span);
    stage.heal();
    await stage.world.advance(1);
    await this.#quiet();
    await this.#sender.rest(60_000);
    await this.#pair?.rest(60_000);
    await stage.world.advance(SILENT);
    for (const { name, when, check } of poolInvariants) if (when === 'at rest') this.#hold(name, check(this.#history));
    for (const [name, what] of this.#cards.wrong('at rest')) stage.violated(name, what);
    this.#isOver = true;
    this.#cards.end();
    for (const running of this.#elements.values()) running.isLeaving = true;
    await stage.close([...users, ...peers, ...elements.map(({ name }) => name), ...registrars], 30_000);
  }

  /** After a turn in which nothing happened that anybody saw there is nothing new to ask. */
  #check(): void {
    const { length } = this.stage.transcript.lines;
    if (this.#checked === length) return;
    this.#checked = length;
    for (const { name, when, check } of poolInvariants) if (when === 'always') this.#hold(name, check(this.#history));
    for (const [name, what] of this.#cards.wrong('always')) this.stage.violated(name, what);
  }
  #checked = 0;

  #hold(name: string, wrong: string | undefined): void { if (wrong !== undefined) this.stage.violated(name, wrong); }

  // ---- at rest

  async #quiet(): Promise<void> {
    const { clock } = this.stage;
    const isLeaving = (): boolean => [...this.#elements.values()].some((running) => running.isLeaving);
    await clock.advanceUntil(() => !isLeaving(), LEAVING).catch(() => undefined); // who drains waits for its sessions, and is back later
    const since = clock.now();
    const bound = quietBound(quickTimers, { elements: this.#elements.size }) + SLACK;
    let wrong = await this.#wrong();
    while (wrong.length > 0 && clock.now() - since < bound) {
      await clock.advance(250);
      wrong = await this.#wrong();
    }
    this.stage.transcript.note('FAULT', `quiet after ${Math.round(clock.now() - since)} ms`);
    for (const [name, what] of wrong) this.stage.violated(name, what);
    await clock.advance(LASTING);
    for (const [name, what] of await this.#wrong()) this.stage.violated(name, what);
  }

  async #wrong(): Promise<[string, string][]> {
    const view = await this.#view();
    if (typeof view === 'string') return [['all are back', view]];
    return viewInvariants.flatMap(({ name, check }): [string, string][] => {
      const what = check(view);
      return what === undefined ? [] : [[name, what]];
    });
  }

  async #view(): Promise<PoolView | string> {
    const { plan, stage } = this;
    const away = [...this.plan.registrars, ...plan.elements.map(({ name }) => name), ...plan.clients].filter((name) => !stage.isPlaying(name) || (this.#elements.has(name) && (!this.#elements.get(name)?.isComplete || this.#elements.get(name)?.isLeaving)));
    if (away.length > 0) return `${away.join(', ')} are not`;
    const cache = await this.#sender.cached();
    const pools = (name: string) => this.#registrars.get(name)?.dump().pools ?? [];
    return {
      living: [...this.#elements.values()].flatMap(({ all, gone }) => all.flatMap(({ handle, element }) => element.registrations.filter(({ identifier }) => !gone.has(identifier)).map(({ identifier }) => `${handle} ${identifier}`))),
      registrars: plan.registrars.map((name) => ({
        name,
        pools: pools(name).flatMap(({ handle, elements }) => elements.map(({ id }) => `${handle} ${Number(id)}`)),
        watched: pools(name).filter(({ handle }) => handle === POOL).flatMap(({ elements }) => elements.map(({ id, transports }) => `${Number(id)} ${transports[0] ?? ''}`)),
      })),
      cache, callers: this.#sender.callers,
    };
  }

  // ---- who is well

  #areRegistrarsWell(): boolean { return this.plan.registrars.every((name) => this.stage.wasNeverDisturbed(name)); }

  /** It lives, wants to be registered, and nothing has ever happened to it, a registrar, or the one who sends. */
  #isWell(peIdentifier: number): boolean {
    const [name, running] = [...this.#elements].find(([, { identifier }]) => identifier === elementOf(peIdentifier)) ?? [];
    return name !== undefined && running !== undefined && !running.gone.has(peIdentifier) && [name, SENDER].every((host) => this.stage.wasNeverDisturbed(host)) && this.#areRegistrarsWell();
  }

  #owed(): number[] {
    const carriers = [...this.#elements.values()].flatMap(({ all }) => all.filter(({ handle }) => handle === POOL).flatMap(({ element }) => element.registrations.map(({ identifier }) => identifier)));
    return carriers.filter((id) => !this.#history.basic.has(id) && this.#isWell(id));
  }

  // ---- parts

  readonly #addresses = (): string[] => this.plan.registrars.map((name) => this.stage.address(name, 3863));

  #registrarRole(name: string): Role {
    const peers = this.plan.registrars.filter((other) => other !== name);
    return {
      host: name,
      start: async ({ environment }) => {
        const registrar = await createRegistrar({ asap: [this.stage.address(name, 3863)], id: 0x70 + Number(name.slice(1)), environment, ...(peers.length > 0 && { enrp: [this.stage.address(name, 9901)], peers: peers.map((peer) => this.stage.address(peer, 9901)) }) });
        this.#registrars.set(name, registrar);
        registrar.on('removed', ({ poolHandle, peIdentifier, reason }) => {
          this.stage.transcript.note(name, `removes ${peIdentifier} (${reason})`);
          if (poolHandle === POOL) this.#expectCleared(name, peIdentifier);
        });
      },
      close: async () => this.#registrars.get(name)?.close(),
    };
  }

  /** The user has had time to hear of it, and so has the registrar to change its mind. */
  #expectCleared(registrar: string, element: number): void {
    const { stage } = this;
    stage.clock.setTimeout(() => {
      const isOwed = !this.#isOver && [registrar, SENDER].every((host) => stage.isPlaying(host) && stage.isUndisturbed(host, CALM)) && this.#sender.home === this.stage.address(registrar, 3863)
        && this.#registrars.get(registrar)?.dump().pools.every(({ handle, elements }) => handle !== POOL || !elements.some(({ id }) => Number(id) === element)) === true;
      if (isOwed) void this.#sender.cached().then((cached) => { this.#hold(cachesCleared.name, cachesCleared.check({ element, cached: cached.map((line) => Number.parseInt(line, 10)), isOwed })); });
    }, noticeBound(quickTimers, 'update') + NOTICE);
  }

  #elementRole(planned: PlannedElement): Role {
    const { name, shape, hasSide } = planned;
    return this.#roleOf(name, async (host, accessPoint, running) => {
      const { identifier } = running;
      const { carrier: mapping } = this;
      const second = identifier + 1;
      if (shape === 'tied') this.#history.basic.add(second);
      if (shape === 'two ways') this.#history.carriers.set(identifier, 2);
      const options: RegisterOptions = shape === 'plain' ? { identifier, mapping } : { mappings: [{ mapping, identifier }, shape === 'tied' ? { mapping: 'none', address: `udp://${host.address}:53`, identifier: second } : { mapping: 'tcp', identifier: second }] };
      const service = this.#cards.service(name, host, identifier, (number) => this.#history.sent.get(number)?.handledBy.push(identifier));
      const element = await accessPoint.register(POOL, options, service);
      running.all.push({ handle: POOL, element });
      if (hasSide) running.all.push({ handle: SIDE, element: await accessPoint.register(SIDE, { identifier: identifier + 8, mapping }, this.#pair?.service(identifier, service) ?? service) });
      this.#takeBack(host, planned, running, element);
    });
  }

  #takeBack(host: WorldHost, { name, lessAfter }: PlannedElement, running: Running, element: PoolElement): void {
    const [, registration] = element.registrations;
    if (lessAfter === undefined || registration === undefined || running.identifier >= REGISTRATIONS * (1 + this.plan.elements.length + this.plan.clients.length)) return; // in its first life
    host.clock.setTimeout(() => {
      if (running.isLeaving || this.#isOver) return;
      running.gone.add(registration.identifier);
      this.stage.transcript.note(name, `takes ${registration.identifier} back`);
      registration.deregister().catch(() => undefined); // it may be leaving
    }, lessAfter);
  }

  #clientRole(name: string): Role {
    return this.#roleOf(name, async (host, accessPoint, running) => {
      const element = await accessPoint.register(CLIENTS, { identifier: running.identifier, mapping: this.carrier, rendezvous: true }, this.#cards.clientService(name));
      running.all.push({ handle: CLIENTS, element });
      if (name === this.plan.clients[0]) await this.#cards.client(host, accessPoint, running.identifier);
    });
  }

  /** A process with elements. */
  #roleOf(name: string, join: (host: WorldHost, accessPoint: ServiceAccessPoint, running: Running) => Promise<void>): Role {
    const leave = (): Running | undefined => {
      const running = this.#elements.get(name);
      if (running) running.isLeaving = true;
      return running;
    };
    return {
      host: name,
      start: async (host) => {
        const identifier = REGISTRATIONS * ++this.#identifiers;
        this.#history.hosts.set(identifier, name);
        let running: Running | undefined;
        const accessPoint = await initialize({ registrars: this.#addresses(), environment: host.environment });
        await registered(accessPoint, host, async () => {
          for (const { element } of running?.all ?? []) await element.deregister(); // half of it had been accepted
          running = { identifier, accessPoint, all: [], gone: new Set(), isComplete: false, isLeaving: false, get element() { return this.all[0]?.element; } };
          this.#elements.set(name, running);
          await join(host, accessPoint, running);
          running.isComplete = true;
          this.stage.transcript.note(name, `is registered as ${identifier}`);
        });
      },
      drain: async () => {
        const running = leave();
        this.#cards.leaves(name);
        await Promise.all([...running?.accessPoint.elements ?? []].map((element) => element.drain()));
        await running?.accessPoint.close();
      },
      close: async () => leave()?.accessPoint.close(),
    };
  }
}

interface Running {
  readonly identifier: number;
  readonly accessPoint: ServiceAccessPoint;
  readonly all: { readonly handle: string; readonly element: PoolElement }[];
  /** Registrations that were taken back. */
  readonly gone: Set<number>;
  readonly element: PoolElement | undefined;
  isComplete: boolean;
  isLeaving: boolean;
}

/** A drain's time-out, and until the process is back. */
const LEAVING = 30_000;
/** What one registrar knows the others know soon after. */
const REPLICATION = 500;
/** Longer than anything that a fault sets going between two that it did not hit. */
const CALM = 2_500;
/** For an update to arrive. */
const NOTICE = 400;
const SLACK = 2_000;
/** What holds has to hold for so long. */
const LASTING = 800;
/** Silence, and what a process may be wrong by about its own lag. */
const SILENT = 700;
