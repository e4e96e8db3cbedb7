import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import type { Milliseconds } from '../../environment.js';
import { RserpoolError } from '../../errors.js';
import { hexadecimal } from '../../actors/dump.js';
import { quietBound } from '../../machines/bounds.js';
import { quickTimers } from '../../machines/timers.js';
import type { WorldHost } from '../world.js';
import { checksumOf } from './checksum.js';
import { named, type Carrier } from './carrier.js';
import type { Scenario } from './outcome.js';
import { runOn } from './run.js';
import { checksumsSum, lookUpsAnswered, removalsFair, restInvariants, takeoversFair } from './scope-invariants.js';
import { planScope, type ScopePlan } from './scope-plan.js';
import type { ElementView, RegistrarView, ScopeView } from './scope-view.js';
import { counterService } from './service.js';
import { abandoned, registered, rotate } from './session-life.js';
import { InstanceLog } from './session-history.js';
import { Stage, type Role } from './stage.js';
import { WatchedSession } from './watched-session.js';

/** A whole scope: registrars, pools of elements, users with look-ups and sessions; everything that can go wrong does, then nothing, and then all has to be well. */
export const scope = (carrier: Carrier): Scenario => ({
  name: named('scope', carrier),
  run: (seed, cut = {}) => {
    const plan = planScope(seed);
    const stage = new Stage({ seed, cut, carrier, ...plan.network });
    return runOn(named('scope', carrier), stage, seed, cut, () => new Scope(stage, { ...plan, users: plan.users.map((user) => ({ ...user, messages: user.messages.slice(0, cut.messages) })) }, carrier).live());
  },
});

class Scope {
  readonly #stage: Stage;
  readonly #plan: ScopePlan;
  readonly #registrars = new Map<string, Registrar>();
  readonly #elements = new Map<string, RunningElement>();
  readonly #log = new InstanceLog();
  readonly #sessions: WatchedSession[] = [];
  readonly #names = new Map<number, string>();
  #isOver = false;

  constructor(stage: Stage, plan: ScopePlan, private readonly carrier: Carrier) {
    this.#stage = stage;
    this.#plan = plan;
    for (const { name } of plan.registrars) stage.add(this.#registrarRole(name));
    for (const name of plan.elements.keys()) stage.add(this.#elementRole(name));
    for (const user of plan.users) stage.add(this.#userRole(user));
    stage.onThaw = ({ name }, span) => { if (span > FENCED) for (const session of this.#sessions) session.fence(name); };
  }

  async live(): Promise<void> {
    const stage = this.#stage;
    const { registrars, elements, users, faults, span } = this.#plan;
    stage.transcript.note('seed', `${registrars.length} registrars, ${[...elements].map(([name, pool]) => `${name} in ${pool}`).join(', ')}, ${users.length} users`);
    for (const part of [registrars.map(({ name }) => name), [...elements.keys()], users.map(({ name }) => name)]) {
      await stage.world.settled(Promise.all(part.map((name) => stage.start(name))), 30_000);
      await stage.world.advance(REPLICATION);
      if (part.every((name) => elements.has(name))) await this.#agreed(); // registrars with one acquaintance in common have yet to meet
    }
    stage.watch(() => { this.#watch(); });
    stage.disturb(faults, (part) => part);
    await stage.world.advance(span);
    stage.heal();
    await this.#quiet();
    for (const session of this.#living) await session.rest(60_000);
    for (const session of this.#living) session.check('at rest');
    for (const what of abandoned(this.#log, (process) => [...this.#elements.values()].some((element) => element.process === process), this.#living.map(({ id }) => id ?? ''))) stage.violated('the sessions of a user that died end', what);
    this.#isOver = true;
    await stage.close([...users.map(({ name }) => name), ...elements.keys(), ...registrars.map(({ name }) => name)], 30_000);
  }

  get #living(): WatchedSession[] { return this.#sessions.filter(({ isGone }) => !isGone); }

  /** Waits until all invariants hold, which has its bound, and then that they go on to hold. */
  async #quiet(): Promise<void> {
    const { clock, transcript } = this.#stage;
    const since = clock.now();
    await clock.advance(250); // who starts again at this very moment is on its way
    const bound = await this.#agreed();
    transcript.note('FAULT', `quiet after ${Math.round(clock.now() - since)} ms`);
    for (const [name, what] of this.#wrong()) this.#stage.violated(name, `${what} (${Math.round(bound)} ms after the last fault)`);
    await clock.advance(LASTING);
    for (const [name, what] of this.#wrong()) this.#stage.violated(name, what);
  }

  /** @returns how long it may take. */
  async #agreed(): Promise<Milliseconds> {
    const { clock } = this.#stage;
    const bound = quietBound(quickTimers, { elements: this.#plan.elements.size }) + SLACK;
    const since = clock.now();
    while (clock.now() - since < bound && this.#wrong().length > 0) await clock.advance(250);
    return bound;
  }

  #wrong(): [string, string][] {
    const view = this.#view();
    if (view.registrars.length < this.#plan.registrars.length || view.elements.length < this.#plan.elements.size) return [['all are back', `${view.registrars.length} registrars and ${view.elements.length} elements are`]];
    return [...restInvariants, checksumsSum].flatMap(({ name, check }): [string, string][] => {
      const what = check(view);
      return what === undefined ? [] : [[name, what]];
    });
  }

  #view(): ScopeView {
    const registrars = [...this.#registrars].filter(([name]) => this.#stage.isPlaying(name)).map(([name, registrar]): RegistrarView => ({
      name, id: hexadecimal(registrar.identifier), dump: registrar.dump(), checksums: checksumsOf(registrar),
    }));
    const elements = [...this.#elements].filter(([name]) => this.#stage.isPlaying(name)).map(([name, { pool, identifier, accessPoint }]): ElementView => {
      const home = accessPoint.registrar?.identifier;
      return { name, pool, id: hexadecimal(identifier), isRegistered: [...accessPoint.elements].some((element) => element.isRegistered), home: home === undefined ? undefined : hexadecimal(home) };
    });
    return { registrars, elements };
  }

  // ---- meanwhile

  #checked = 0;
  #watch(): void {
    const { length } = this.#stage.transcript.lines;
    if (this.#checked === length) return;
    this.#checked = length;
    for (const session of this.#sessions) session.check('always');
    const registrars = [...this.#registrars].map(([name, registrar]): RegistrarView => ({ name, id: '', dump: NO_DUMP, checksums: checksumsOf(registrar) }));
    const wrong = checksumsSum.check({ registrars, elements: [] });
    if (wrong !== undefined) this.#stage.violated(checksumsSum.name, wrong);
  }

  #removed(registrar: string, peIdentifier: number, reason: string): void {
    const element = this.#names.get(peIdentifier) ?? hexadecimal(peIdentifier);
    this.#stage.transcript.note(registrar, `removes ${element} (${reason})`);
    if (reason === 'deregistered' || this.#isOver) return;
    const running = this.#elements.get(element);
    const isUndisturbed = running?.identifier === peIdentifier && this.#stage.isPlaying(element) && [element, registrar].every((host) => this.#stage.isUndisturbed(host, CALM));
    this.#hold(removalsFair.name, removalsFair.check({ registrar, element, reason, isUndisturbed }));
  }

  #takeover(registrar: string, target: number, outcome: string): void {
    const name = this.#plan.registrars.find(({ id }) => id === target)?.name ?? hexadecimal(target);
    this.#stage.transcript.note(registrar, `takeover of ${name}: ${outcome}`);
    const isUndisturbed = !this.#isOver && this.#stage.isPlaying(name) && [name, registrar].every((host) => this.#stage.isReachable(host, CALM));
    this.#hold(takeoversFair.name, takeoversFair.check({ registrar, target: name, outcome, isUndisturbed }));
    if (outcome === 'won') this.#won(registrar, name);
  }

  #peerIs(registrar: string, id: number, state: string): void {
    const peer = this.#plan.registrars.find((each) => each.id === id)?.name ?? hexadecimal(id);
    this.#stage.transcript.note(registrar, `${peer} is ${state}`);
    if (state === 'active' && this.#wins.get(peer)?.registrar === registrar) this.#wins.delete(peer); // alive after all: whoever takes it over next does so anew
  }

  /** Two that nothing disturbs agree on who takes over. */
  #won(registrar: string, target: string): void {
    const now = this.#stage.now;
    const before = this.#wins.get(target);
    this.#wins.set(target, { registrar, at: now });
    if (before === undefined || before.registrar === registrar || now - before.at > AT_ONCE || this.#isOver) return;
    if ([registrar, before.registrar].every((host) => this.#stage.isPlaying(host) && this.#stage.isUndisturbed(host, CALM))) this.#stage.violated('one takes over', `${before.registrar} and ${registrar} both have taken ${target} over`);
  }
  readonly #wins = new Map<string, { readonly registrar: string; readonly at: Milliseconds }>();

  #hold(name: string, wrong: string | undefined): void { if (wrong !== undefined) this.#stage.violated(name, wrong); }

  // ---- parts

  #asap(name: string): string { return this.#stage.address(name, 3863); }
  #enrp(name: string): string { return this.#stage.address(name, 9901); }
  get #allAsap(): string[] { return this.#plan.registrars.map(({ name }) => this.#asap(name)); }

  #registrarRole(name: string): Role {
    const planned = this.#plan.registrars.find((each) => each.name === name)!;
    const isAlone = this.#plan.registrars.length === 1;
    let current: Promise<Registrar> | undefined; // of the process that runs
    const leave = async (): Promise<void> => (await current)?.close();
    return {
      host: name,
      start: async ({ environment }) => {
        current = createRegistrar({ asap: [this.#asap(name)], id: planned.id, environment, ...(!isAlone && { enrp: [this.#enrp(name)], peers: planned.peers.map((peer) => this.#enrp(peer)) }) });
        const registrar = await current;
        this.#registrars.set(name, registrar);
        this.#stage.transcript.note(name, 'serves');
        registrar.on('removed', ({ peIdentifier, reason }) => { this.#removed(name, peIdentifier, reason); });
        registrar.on('takeover', ({ target, outcome }) => { this.#takeover(name, target, outcome); });
        registrar.on('peer', ({ id, state }) => { this.#peerIs(name, id, state); });
        registrar.on('error', (error) => { this.#stage.violated('nothing fails in itself', `${name}: ${String(error)}`); });
      },
      drain: leave,
      close: leave,
    };
  }

  #elementRole(name: string): Role {
    const pool = this.#plan.elements.get(name) ?? '';
    let life = 0;
    return {
      host: name,
      start: async (host) => {
        life += 1;
        const identifier = this.#plan.identifiers(name, life);
        this.#names.set(identifier, name);
        const accessPoint = await initialize({ registrars: this.#allAsap, environment: host.environment });
        this.#elements.set(name, { pool, identifier, accessPoint, process: `${name}#${life}` });
        const service = counterService(this.#plan.styles.get(pool)!, host, `${name}#${life}`, { log: this.#log, transcript: this.#stage.transcript });
        await registered(accessPoint, host, async () => {
          const element = await accessPoint.register(pool, { identifier, mapping: this.carrier, ...service.options }, service.onSession);
          rotate(element, host, this.#plan.styles.get(pool)!, this.#plan.span / 2);
          this.#stage.transcript.note(name, `is registered in ${pool} at ${accessPoint.registrar?.address ?? 'nobody'}`);
          element.on('lost', ({ reason }) => { this.#stage.transcript.note(name, `has lost its registration: ${reason}`); });
          element.on('registered', ({ registrar }) => { this.#stage.transcript.note(name, `is registered again at ${registrar ?? 'nobody'}`); });
        });
      },
      drain: async () => {
        const running = this.#elements.get(name);
        await Promise.all([...running?.accessPoint.elements ?? []].map((element) => element.drain()));
        await running?.accessPoint.close();
      },
      close: async () => this.#elements.get(name)?.accessPoint.close(),
    };
  }

  #userRole(user: ScopePlan['users'][number]): Role {
    let accessPoint: ServiceAccessPoint | undefined;
    let session: WatchedSession | undefined;
    return {
      host: user.name,
      start: async (host) => {
        accessPoint = await initialize({ registrars: this.#allAsap, environment: host.environment });
        void this.#lookUp(accessPoint, host, user);
        const style = this.#plan.styles.get(user.pool)!;
        session = new WatchedSession(this.#stage, host, { ...style, mode: user.mode, messages: user.messages, window: { messages: 1024, bytes: 0x10_0000 }, callback: user.callback, reading: 0, isForged: false }, (identifier) => this.#names.get(identifier) ?? hexadecimal(identifier), this.#log);
        await session.open(accessPoint, user.pool, () => this.#isForlorn());
        this.#sessions.push(session);
        session.send();
      },
      close: async () => {
        await session?.close();
        await accessPoint?.close();
      },
    };
  }

  /** Again and again, from the cache and from the registrar in turn. */
  async #lookUp(accessPoint: ServiceAccessPoint, host: WorldHost, user: ScopePlan['users'][number]): Promise<void> {
    const known = new Set<string>();
    for (let turn = 0; !this.#isOver; turn += 1) {
      const pool = this.#plan.pools[turn % this.#plan.pools.length] ?? '';
      const refresh = turn % 3 === 0;
      const since = host.clock.now();
      const wasOwed = this.#isOwed(host.name, pool, refresh) && known.has(pool);
      const outcome = await this.#stage.track(host.process, `look-up of ${pool} by ${host.name}`, accessPoint.resolve(pool, { refresh })).then(() => 'answered', (error: unknown) => (error instanceof RserpoolError ? error.code : String(error)));
      if (outcome === 'answered') known.add(pool); else this.#stage.transcript.note(host.name, `looks ${pool} up: ${outcome}`);
      const took = host.clock.now() - since;
      this.#hold(lookUpsAnswered.name, lookUpsAnswered.check({ user: host.name, pool, outcome, took, isOwed: !this.#isOver && wasOwed && this.#isOwed(host.name, pool, refresh) }));
      await new Promise<void>((resolve) => { host.clock.setTimeout(resolve, user.pause); });
    }
  }

  /** Every registrar is in trouble, or was just now: with the only one of a scope drained a user that starts waits as long as that is away. */
  #isForlorn(): boolean { return this.#plan.registrars.every(({ name }) => !this.#stage.isPlaying(name) || !this.#stage.isUndisturbed(name, CALM)); }

  /** Whether this look-up has to be answered at once: at most one registrar is in trouble, the user is not, and the pool has somebody who never was. */
  #isOwed(user: string, pool: string, refresh: boolean): boolean {
    const stage = this.#stage;
    const troubled = this.#plan.registrars.filter(({ name }) => !stage.isPlaying(name) || !stage.isUndisturbed(name, CALM)).length;
    const isHealthy = [...this.#plan.elements].some(([name, itsPool]) => itsPool === pool && stage.wasNeverDisturbed(name));
    return isHealthy && stage.isUndisturbed(user, CALM) && (!refresh || (troubled <= 1 && this.#plan.registrars.length > troubled));
  }
}

interface RunningElement {
  /** `e1#2`. */
  readonly process: string;
  readonly pool: string;
  readonly identifier: number;
  readonly accessPoint: ServiceAccessPoint;
}

function checksumsOf({ handlespace }: Registrar): RegistrarView['checksums'] {
  return [...handlespace.owners()].map((owner) => ({
    owner: hexadecimal(owner), kept: handlespace.checksum(owner), summed: checksumOf([...handlespace.owned(owner)].map(({ pool, identifier }) => ({ handle: Buffer.from(pool.key, 'latin1'), identifier }))),
  }));
}

const NO_DUMP = { registrar: '', peers: [], pools: [] };
/** Silence that means down, 500 ms, and what a process may be wrong by about its own lag. */
const FENCED = 550;
/** Longer than anything that a fault sets going among those it did not hit. */
const CALM: Milliseconds = 8_000;
/** What one registrar knows the others know soon after. */
const REPLICATION: Milliseconds = 500;
/** A takeover by another one is a second one after so long: the target was there again meanwhile. */
const AT_ONCE: Milliseconds = 1_000;
/** Hops, and what is lost on the way: bounds count them as nothing. */
const SLACK: Milliseconds = 2_000;
/** What holds has to hold for so long. */
const LASTING: Milliseconds = 4_000;
