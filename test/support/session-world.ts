import { DataPlane } from '../../actors/data-plane.js';
import { mappingOfScheme, userTransport } from '../../actors/mappings.js';
import type { PoolView } from '../../actors/pool.js';
import type { Service, ServiceOptions } from '../../actors/service.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { Session } from '../../actors/session.js';
import type { SessionOptions } from '../../actors/session-types.js';
import type { Milliseconds } from '../../environment.js';
import { UnknownPoolHandleError } from '../../errors.js';
import { HandleCache } from '../../handlespace/cache.js';
import { quickTimers, type Timers } from '../../machines/timers.js';
import { parseAddress } from '../../transports/address.js';
import { poolHandleKey, poolHandleText, type PoolElement } from '../../wire/index.js';
import { tellPeers } from '../../testing/links.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { World, type WorldHost } from '../../testing/world.js';

export interface ElementSetup extends ServiceOptions {
  readonly handle?: string;
  readonly policy?: PoolElement['policy'];
  readonly timers?: Partial<Timers>;
  readonly onSession: (session: ServiceSession) => void | PromiseLike<void>;
}

/** By what the elements of session worlds are reached; test/scenarios/over-sctp.test.ts has another one. */
export const mappingUnderTest: { scheme: 'tcp' | 'sctp+udp' } = { scheme: 'tcp' };

/** Pool users and pool elements with their real data planes on a simulated network; what registrars would know stands in one list. */
export class SessionWorld extends World {
  readonly transcript: Transcript;
  readonly registry: { readonly key: string; readonly element: PoolElement }[] = [];
  readonly #users = new Map<string, TestUser>();
  readonly #told = new Set<WorldHost>();
  #lastIdentifier = 0;

  constructor(options: ConstructorParameters<typeof World>[0] = {}) {
    const clock = options.clock ?? new SimulatedClock();
    const transcript = new Transcript(() => clock.now());
    super({ ...options, clock, trace: transcript.network });
    this.transcript = transcript;
  }

  override host(name: string): WorldHost {
    const host = super.host(name);
    if (mappingUnderTest.scheme !== 'tcp' && !this.#told.has(host)) {
      this.#told.add(host);
      tellPeers(host);
    }
    return host;
  }

  /** A process with one pool element; its identifier counts from 1. */
  async element(name: string, { handle = 'pool', policy = { policy: 'round-robin' }, timers = {}, onSession, ...options }: ElementSetup): Promise<TestElement> {
    const host = this.host(name);
    const identifier = ++this.#lastIdentifier;
    const plane = new DataPlane({ environment: host.environment, pools: new StubPools(this, host), timers: { ...quickTimers, ...timers } });
    const service = await this.settled(plane.listen(`${mappingUnderTest.scheme}://${host.address}:0`, { handle, handleBytes: Buffer.from(handle), options, onSession, element: () => undefined }));
    const { port } = parseAddress(service.address, [mappingUnderTest.scheme]);
    const transport = userTransport(mappingOfScheme(mappingUnderTest.scheme), host.address, port);
    const entry = { key: poolHandleKey(handle), element: { identifier, homeRegistrar: 1, registrationLife: -1, userTransport: transport, policy, capabilities: Uint8Array.of(1) } satisfies PoolElement };
    this.registry.push(entry);
    return { name, host, plane, service, identifier, deregister: () => { this.registry.splice(this.registry.indexOf(entry), 1); } };
  }

  /** A process that only uses pools. */
  user(name = 'pu', timers: Partial<Timers> = {}): TestUser {
    const known = this.#users.get(name);
    if (known) return known;
    const host = this.host(name);
    const pools = new StubPools(this, host);
    const plane = new DataPlane({ environment: host.environment, pools, timers: { ...quickTimers, ...timers } });
    const user: TestUser = {
      name, host, plane, pools,
      connect: (options, handle = 'pool') => this.settled(plane.connect(poolHandleKey(handle), options)),
      connectMany: (count, options) => this.settled(Promise.all(Array.from({ length: count }, () => plane.connect(poolHandleKey('pool'), options)))),
    };
    this.#users.set(name, user);
    return user;
  }
}

export interface TestElement {
  readonly name: string;
  readonly host: WorldHost;
  readonly plane: DataPlane;
  readonly service: Service;
  readonly identifier: number;
  deregister(): void;
}
export interface TestUser {
  readonly name: string;
  readonly host: WorldHost;
  readonly plane: DataPlane;
  readonly pools: StubPools;
  connect(options?: SessionOptions, handle?: string): Promise<Session>;
  /** So many at once. */
  connectMany(count: number, options?: SessionOptions): Promise<Session[]>;
}

/** A pool user's view of the list: asked as a registrar would be, one round trip of 2 ms away. */
export class StubPools implements PoolView {
  /** PE identifiers that were reported unreachable, one for each event. */
  readonly reports: number[] = [];
  readonly #cache: HandleCache;
  readonly #reportedAt = new Map<number, Milliseconds>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(readonly world: SessionWorld, readonly host: WorldHost) {
    this.#cache = new HandleCache({ random: host.random, staleAfter: quickTimers.staleCacheValue });
  }

  place(key: string, peIdentifier: number): void { this.#cache.place(key, peIdentifier); }
  vouch(key: string, peIdentifier: number): void { this.#cache.vouch(key, peIdentifier); }
  pick(key: string, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined { return this.#cache.pick(key, this.host.clock.now(), avoid, preferred); }
  isStale(key: string): boolean { return this.#cache.isStale(key, this.host.clock.now()); }
  elements(key: string): readonly PoolElement[] { return this.#cache.elements(key); }
  watch(): () => void { return () => undefined; } // nobody tells what changes

  refresh(key: string): Promise<void> {
    const asking = this.#asking.get(key) ?? this.#ask(key).finally(() => { this.#asking.delete(key); });
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(key: string): Promise<void> {
    await new Promise<void>((answered) => { this.host.clock.setTimeout(answered, 2); });
    const elements = this.world.registry.filter((entry) => entry.key === key).map(({ element }) => element);
    if (elements.length === 0) throw new UnknownPoolHandleError(poolHandleText(key));
    this.#cache.put(key, { elements, policy: elements[0]?.policy, now: this.host.clock.now() });
  }

  reportUnreachable(key: string, peIdentifier: number): boolean {
    const now = this.host.clock.now();
    this.#cache.suspect(key, peIdentifier, now + quickTimers.suspicion);
    if (now - (this.#reportedAt.get(peIdentifier) ?? -Infinity) < 1_000) return false;
    this.#reportedAt.set(peIdentifier, now);
    this.reports.push(peIdentifier);
    return true;
  }
}

/** What a session's application saw, in order. */
export class Seen {
  readonly data: string[] = [];
  readonly events: string[] = [];
  readonly undelivered: string[] = [];

  constructor(session: Session, { listen = true } = {}) {
    if (listen) session.on('data', (data) => { this.data.push(data.toString()); });
    session.on('failover', ({ from, to, epoch, resent }) => { this.events.push(`failover ${from} > ${to} epoch ${epoch} resent ${resent}`); });
    session.on('error', (error, { undelivered }) => {
      this.events.push(`error ${error.code}`);
      if (undelivered) this.undelivered.push(undelivered.toString());
    });
    session.on('closed', () => { this.events.push('closed'); });
  }
}

/** Its state is what it handled, its cookie too; answers with all of it. `log` notes what each element does. */
export function recorder(name: string, log: string[] = [], { cookie = true, delay = 0, clock = undefined as { setTimeout(run: () => void, delay: number): unknown } | undefined } = {}) {
  return (session: ServiceSession): void => {
    let seen = '';
    session.on('cookie', (restored) => { seen = restored.toString(); log.push(`${name} restores ${seen}`); });
    session.on('data', (data, info) => {
      const handle = (): void => {
        seen += data.toString();
        log.push(`${name} handles ${info.recovery ? 'callback ' : ''}${data.toString()}`);
        void session.send(seen);
        if (cookie) session.setCookie(seen);
      };
      if (delay === 0 || clock === undefined) return handle();
      return new Promise<void>((done) => { clock.setTimeout(done, delay); }).then(handle); // in the handler's asynchronous context
    });
  };
}

/** Stateless: upper case. */
export const echo = (session: ServiceSession): void => { session.on('data', (data, info) => { void info.reply(data.toString().toUpperCase()); }); };
