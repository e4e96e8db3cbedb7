import type { Logger, Milliseconds } from '../environment.js';
import { schemeOf } from '../transports/address.js';
import { NoRegistrarError, TransportError, UnknownPoolHandleError, UsageError, type RserpoolError } from '../errors.js';
import { resolveTimers, type TimerOptions, type Timers } from '../machines/timers.js';
import { poolHandleText, type PoolElement as PoolElementParameter } from '../wire/index.js';
import type { AccessPointEvents, ErrorReport, PoolElementHandle } from './access-point-events.js';
import { resolveHuntMulticast, type MulticastOptions } from './announced-registrars.js';
import { DataPlane } from './data-plane.js';
import type { PoolElement, WaitOptions } from './element.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { transportOfScheme } from './control-transports.js';
import { nodeEnvironment, type ActorEnvironment } from './environment.js';
import { Home, type AdoptionRule } from './home.js';
import { checkAddress, checkElementHandle, checkHandle, checkOptions, invalid, isBoolean, isDelay, isLogger, isOneOf, isSignal, isString, isStringList, anything } from './options.js';
import { patient } from './patient-clock.js';
import { Pools } from './pool.js';
import { checkRegister, mappingsOf, register, type AsapOptions, type RegisterOptions, type SessionHandler } from './register.js';
import { describe, Servers, type Replacement, type ServerInfo } from './servers.js';
import type { Session } from './session.js';
import type { SessionOptions } from './session-types.js';
import { Sending } from './sending.js';
import type { AccessPointSendOptions, TransportUrl } from './sending-options.js';
import { bounded, ending, quiet, type EndOptions } from './waiting.js';

export interface InitializeOptions {
  /** Registrars to hunt for, `tcp://host:port` or `sctp+udp://host:port`; host names are resolved at each hunt. None are needed with `multicast`. */
  readonly registrars: readonly string[];
  /** Hear of registrars by their announcements over UDP multicast too (RFC 5352 §3.6). Anybody in the network can send those. Default false. */
  readonly multicast?: boolean | MulticastOptions;
  /** How long an operation waits for an answer before it rejects, in milliseconds. Default 5000. */
  readonly timeout?: Milliseconds;
  /** `'quick'` (default), `'rfc'`, or values that replace those of `quick` (machines/timers.ts). */
  readonly timers?: TimerOptions;
  /** pino-shaped; silent by default. */
  readonly logger?: Logger;
  /** Where this process's own ASAP listener is, once it has registered an element. */
  readonly asap?: AsapOptions;
  /** Which registrar may make itself home by connecting to that listener (RFC 5352 §3.4 KA2.4, X-48): one at the host of a configured registrar (`'known'`, default), or `'any'`. */
  readonly adopt?: AdoptionRule;
  /** Automatic failover without data services (draft §4.3, X-7): while a server that `getPrimaryServer` or `getNextServer` has given is in use, its pool is watched, and
   *  where a registrar removes it `'failover'` tells the next one. Default false. */
  readonly failoverIndication?: boolean;
  /** @internal Time, randomness and transports; default Node.js's. */
  readonly environment?: ActorEnvironment;
}

/** What is known of a pool. */
export interface Resolution {
  /** In the registrar's order. */
  readonly elements: readonly ServerInfo[];
  /** Milliseconds since a registrar said so. */
  readonly age: Milliseconds;
  /** Older than the stale cache value, or no registrar answers: given out all the same. */
  readonly isStale: boolean;
}
export interface ResolveOptions extends WaitOptions {
  /** Ask the registrar even where the cache is fresh. Default false. */
  readonly refresh?: boolean;
}
export interface ServerOptions extends WaitOptions {
  /** Who asks; each caller has its own primary and next servers. Default ''. */
  readonly caller?: string;
}

/** Establishes a service access point (draft §4.1). Options are checked, and the hunt for a registrar begins; operations wait for it, for a bounded time each. */
export async function initialize(options: InitializeOptions): Promise<ServiceAccessPoint> {
  const point = new ServiceAccessPoint(options);
  await point.begin();
  return point;
}

/** PE and PU in one: registers pool elements, opens sessions with pools, resolves handles. */
export class ServiceAccessPoint {
  readonly #environment: ActorEnvironment;
  /** The same, for what waits for registrars. */
  readonly #control: ActorEnvironment;
  readonly #timers: Timers;
  readonly #timeout: Milliseconds;
  readonly #asap: AsapOptions;
  readonly #pools: Pools;
  readonly #home: Home;
  readonly #plane: DataPlane;
  readonly #servers: Servers;
  readonly #events: Emitter<AccessPointEvents>;
  readonly #sending: Sending;
  readonly #elements = new Set<PoolElement>();
  /** They have left their pools; their sessions may still be on their way. */
  readonly #departing = new Set<PoolElement>();
  /** Handle and identifier of those that are being registered. */
  readonly #registering = new Set<string>();
  /** Registrations of `register` calls that failed, until no registrar has them any more. */
  readonly #withdrawing = new Map<string, Promise<void>>();
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(options: InitializeOptions) {
    checkInitialize(options);
    const { registrars = [], timeout = 5_000, timers, logger, asap = {}, adopt = 'known' } = options;
    const environment = options.environment ?? nodeEnvironment({ logger });
    const multicast = resolveHuntMulticast(environment, options.multicast);
    if (registrars.length === 0 && multicast === undefined) throw invalid('initialize needs registrars, or multicast');
    for (const address of [...registrars, ...Object.values(asap as Record<string, string>)]) checkAddress(environment, address);
    this.#environment = logger === undefined ? environment : { ...environment, logger };
    this.#events = new Emitter(this.#environment.logger);
    this.#timers = resolveTimers(timers);
    this.#timeout = timeout;
    this.#asap = asap;
    this.#control = { ...this.#environment, clock: patient(environment.clock) };
    this.#pools = new Pools({ environment: this.#control, timers: this.#timers, home: () => this.#home });
    this.#home = new Home({ environment: this.#control, registrars, timers: this.#timers, adopt, multicast }, this.#pools);
    this.#plane = new DataPlane({ environment: this.#environment, pools: this.#pools, timers: this.#timers });
    this.#servers = new Servers(this.#pools, options.failoverIndication === true ? (replacement) => { this.#replaced(replacement); } : undefined);
    this.#sending = new Sending({
      plane: this.#plane, events: this.#events, complain: (error, details) => { this.#complain(error, details); },
      list: (key) => this.#pools.list(key), find: (key, identifier) => this.#pools.find(key, identifier),
      known: (key, fresh) => this.#known(key, {}, fresh && this.#pools.isStale(key)),
    });
  }

  /** @internal On SCTP its ASAP listener comes first, where it is said: all associations with registrars come from that port. Rejects with a TransportError where it cannot be. */
  async begin(): Promise<void> {
    const { listen } = this.#asap;
    if (listen !== undefined && transportOfScheme(schemeOf(listen)) === 'sctp') await this.#home.listen(listen);
    this.#home.start();
  }

  /** The home registrar in use: its address, and its identifier where it has told it. */
  get registrar(): { readonly address: string; readonly identifier: number | undefined } | undefined { return this.#home.registrar; }
  /** The pool user's statechart (machines/pool-user.ts). */
  get actor(): Home['actor'] { return this.#home.actor; }
  /** Those registered or on their way to it. */
  get elements(): ReadonlySet<PoolElement> { return this.#elements; }

  on<E extends keyof AccessPointEvents>(event: E, listener: AccessPointEvents[E]): Unsubscribe {
    const unsubscribe = this.#events.on(event, listener);
    if (event === 'data') this.#sending.listen();
    return unsubscribe;
  }

  /** REGISTER (draft §4.2): makes this process an element of the pool. Resolves when a registrar has accepted it; from then on it is kept registered. */
  async register(handle: string | Uint8Array, options: RegisterOptions, onSession?: SessionHandler): Promise<PoolElement> {
    this.#checkOpen();
    const key = checkHandle(handle);
    checkRegister(this.#environment, this.#timers, options, onSession);
    const identifiers: number[] = [];
    let begun: PoolElement | undefined;
    await this.#withdrawn(key, options);
    try {
      for (const { identifier } of mappingsOf(options)) identifiers.push(this.#reserve(key, identifier));
      const element = await register({
        environment: this.#control, timers: this.#timers, home: this.#home, plane: this.#plane, asap: this.#asap, timeout: this.#timeout,
        begun: (element) => { this.#checkOpen(); this.#elements.add(element); begun = element; },
        registered: (element) => { this.#plane.cards.registered(element); },
        left: (element) => {
          this.#elements.delete(element);
          this.#depart(element);
          this.#plane.cards.left(element);
        },
      }, key, handle, identifiers, options, onSession);
      this.#checkOpen();
      return element;
    } catch (error) {
      for (const { identifier, gone } of begun?.registrations ?? []) this.#withdraws(`${identifier} ${key}`, gone);
      throw error;
    } finally {
      for (const identifier of identifiers) this.#registering.delete(`${identifier} ${key}`);
    }
  }

  /** Set.BusinessCard.PE.List (draft §4.5.3): which elements of its own pool `handle` others should turn to when this process is gone, the best first; at most 64, none by default. They are
   *  told at once, and whoever comes later when communication begins (RFC 5352 §3.9). To the servers of its own sessions a process with elements in several pools is a member of the pool
   *  set last, else of that of its first element. */
  async setBusinessCard(handle: string | Uint8Array, preferredElements: readonly PoolElementHandle[] = []): Promise<void> {
    this.#checkOpen();
    return this.#plane.cards.set(handle, preferredElements);
  }

  /** Opens a session with a pool. It survives its pool elements. */
  async connect(handle: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    this.#checkOpen();
    return this.#plane.connect(checkHandle(handle), options);
  }

  /** DATA_SEND_REQUEST (draft §4.4, RFC 5352 §6.5): sends a message to an element of a pool, chosen for each message by its policy; to one element; or to an address. Answers come as `'data'`.
   *  Resolves, when `session.send` would, with the element that has it: with failover, asked for or as to a pool by default, that may be another than the one that was chosen. With `toAll` with all that
   *  have it; SendToAllError says who has not. It opens sessions for that, and closes them 30 s after their last use. */
  send(address: TransportUrl, data: Uint8Array | string, options?: AccessPointSendOptions): Promise<undefined>;
  send(destination: string | Uint8Array, data: Uint8Array | string, options: AccessPointSendOptions & { readonly toAll: true }): Promise<readonly PoolElementHandle[]>;
  send(destination: string | Uint8Array | PoolElementHandle, data: Uint8Array | string, options?: AccessPointSendOptions): Promise<PoolElementHandle>;
  send(destination: string | Uint8Array | PoolElementHandle, data: Uint8Array | string, options: AccessPointSendOptions = {}): Promise<unknown> {
    return quiet(this.#send(destination, data, options));
  }

  async #send(destination: unknown, data: Uint8Array | string, options: AccessPointSendOptions): Promise<unknown> {
    this.#checkOpen();
    return this.#sending.send(destination, data, options);
  }

  /** Translation.Request, CachePopulate (RFC 5352 §6.9.1, §6.3), by pool handle or the handle of an element in it. From the cache where it knows; what is stale is asked for again meanwhile. */
  async resolve(poolOrElement: string | Uint8Array | PoolElementHandle, options: ResolveOptions = {}): Promise<Resolution> {
    this.#checkOpen();
    const { key, handle } = poolOf(poolOrElement);
    checkOptions('resolve', options, { refresh: isBoolean, signal: isSignal, timeout: isDelay });
    await this.#known(key, options, options.refresh === true);
    const elements = this.#pools.elements(key).map((element) => describe(handle, element));
    if (elements.length === 0) throw new UnknownPoolHandleError(poolHandleText(key));
    return { elements, age: this.#pools.age(key) ?? 0, isStale: this.#pools.isStale(key) };
  }

  /** CachePurge (RFC 5352 §6.4), by pool handle or the handle of an element in it. */
  purge(poolOrElement: string | Uint8Array | PoolElementHandle): void {
    this.#checkOpen();
    this.#pools.purge(poolOf(poolOrElement).key);
  }

  /** GET_PRIMARY_SERVER (draft §4.3): an element by the pool's policy, for applications that talk to it themselves. */
  async getPrimaryServer(handle: string | Uint8Array, options: ServerOptions = {}): Promise<ServerInfo> {
    return this.#server(handle, options, (key, caller) => this.#servers.primary(key, caller));
  }

  /** GET_NEXT_SERVER (draft §4.3): says that the server given to this caller last has failed, and gives another one. The first call is as GET_PRIMARY_SERVER. */
  async getNextServer(handle: string | Uint8Array, options: ServerOptions = {}): Promise<ServerInfo> {
    return this.#server(handle, options, (key, caller) => this.#servers.next(key, caller));
  }

  /** The server that this caller was given is not used any more: with `failoverIndication` its pool need not be watched. */
  releaseServer(handle: string | Uint8Array, options: { readonly caller?: string } = {}): void {
    this.#checkOpen();
    const key = checkHandle(handle);
    checkOptions('releaseServer', options, { caller: isString });
    this.#servers.release(key, options.caller ?? '');
  }

  /** Transport.Failure (RFC 5352 §6.9.2): the registrar asks the element whether it lives. @returns false where nothing was sent: the element was never given out here, or has been reported just now. */
  reportUnreachable(element: PoolElementHandle): boolean {
    this.#checkOpen();
    const { key, identifier } = checkElementHandle(element);
    if (!this.#pools.elements(key).some((known) => known.identifier === identifier)) return false; // RFC 5352 §3.5: only what was used
    return this.#pools.reportUnreachable(key, identifier);
  }

  /** Deregisters its elements, ends its sessions, leaves its registrar; elements that drain are given their time. Operations under way reject. `signal` ends the wait. */
  close(options: EndOptions = {}): Promise<void> {
    return quiet(ending('close', options, () => (this.#closed ??= this.#close())));
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  /** Error.Report: to the `error` listeners; without one, to the logger (D-4). */
  #complain(error: RserpoolError, details: ErrorReport): void {
    if (!this.#events.emit('error', error, details)) this.#environment.logger.warn({ err: error, destination: details.destination }, error.message);
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#elements].map((element) => element.deregister()));
    await Promise.all([...this.#departing].map(({ gone }) => gone)); // a drain that is under way: cut short, what its sessions have handled would be handled twice
    await this.#plane.close();
    await this.#home.close();
  }

  #depart(element: PoolElement): void {
    this.#departing.add(element);
    const over = (): void => { this.#departing.delete(element); };
    void Promise.resolve().then(() => element.gone).then(over, over); // it is about to say what it waits for
  }

  #replaced({ key, caller, from, to }: Replacement): void {
    const handle = poolHandleText(key);
    const cause = new TransportError('LINK_LOST', `a registrar has removed 0x${from.identifier.toString(16).padStart(8, '0')} from ${handle}`);
    this.#events.emit('failover', { from: { handle, identifier: from.identifier }, to: { handle, identifier: to.identifier }, resent: 0, cause, caller, server: describe(handle, to) });
  }

  async #server(handle: string | Uint8Array, options: ServerOptions, choose: (key: string, caller: string) => PoolElementParameter | undefined): Promise<ServerInfo> {
    this.#checkOpen();
    const key = checkHandle(handle);
    checkOptions('getPrimaryServer and getNextServer', options, { caller: isString, signal: isSignal, timeout: isDelay });
    await this.#known(key, options, false);
    const element = choose(key, options.caller ?? '');
    if (element === undefined) throw new UnknownPoolHandleError(poolHandleText(key));
    return describe(handle, element);
  }

  /** Something is cached, or a typed error says why not. */
  async #known(key: string, { signal, timeout = this.#timeout }: WaitOptions, refresh: boolean): Promise<void> {
    if (!refresh && this.#pools.elements(key).length > 0) {
      if (this.#pools.isStale(key)) this.#pools.refresh(key).catch(() => undefined); // stale, and asked for again meanwhile (RFC 5352 §3.3 C3)
      return;
    }
    const error = (): Error => new NoRegistrarError(`no registrar has resolved ${poolHandleText(key)} within ${timeout} ms`);
    await bounded(this.#pools.refresh(key), { signal, timeout: { clock: this.#control.clock, after: timeout, error } });
  }

  /** A registration that failed is taken back, which a registrar that is slow may not have acknowledged yet: whoever tries again waits for that. */
  async #withdrawn(key: string, options: RegisterOptions): Promise<void> {
    const { signal, timeout = this.#timeout } = options;
    for (const { identifier } of mappingsOf(options)) {
      const gone = this.#withdrawing.get(`${identifier} ${key}`);
      if (gone !== undefined) await bounded(gone, { signal, timeout: { clock: this.#control.clock, after: timeout, error: () => new NoRegistrarError('no registrar has acknowledged that the registration before is taken back') } });
    }
  }

  #withdraws(registration: string, gone: Promise<void>): void {
    const over = (): void => { this.#withdrawing.delete(registration); };
    this.#withdrawing.set(registration, gone.then(over, over));
  }

  /** Until it is registered. */
  #reserve(key: string, wanted: number | undefined): number {
    const identifier = this.#identifier(key, wanted);
    this.#registering.add(`${identifier} ${key}`);
    return identifier;
  }

  #identifier(key: string, wanted: number | undefined): number {
    const isTaken = (identifier: number): boolean => this.#home.has(key, identifier) || this.#registering.has(`${identifier} ${key}`);
    if (wanted !== undefined) {
      if (isTaken(wanted)) throw new UsageError('ALREADY_REGISTERED', `0x${wanted.toString(16)} is registered in ${poolHandleText(key)} by this process already`);
      return wanted;
    }
    for (;;) {
      const identifier = this.#environment.random.u32();
      if (identifier !== 0 && !isTaken(identifier)) return identifier;
    }
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new UsageError('CLOSED', 'the access point is closed');
  }
}

function poolOf(named: string | Uint8Array | PoolElementHandle): { readonly key: string; readonly handle: string | Uint8Array } {
  const isElement = typeof named === 'object' && !(named instanceof Uint8Array) && named !== null && 'identifier' in named;
  return isElement ? { key: checkElementHandle(named).key, handle: named.handle } : { key: checkHandle(named), handle: named as string | Uint8Array };
}

function checkInitialize(options: InitializeOptions): void {
  checkOptions('initialize', options, {
    registrars: (value) => (Array.isArray(value) && value.length === 0 ? undefined : isStringList(value)), multicast: anything, timeout: isDelay, timers: anything, logger: isLogger, asap: anything, adopt: isOneOf('known', 'any'), failoverIndication: isBoolean, environment: anything,
  });
  if (options.asap !== undefined) checkOptions('initialize: asap', options.asap, { listen: isString, advertise: isString });
}
