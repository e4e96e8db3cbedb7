import { createActor, fromCallback, type Actor, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { NoRegistrarError, type TransportError, UsageError } from '../errors.js';
import { poolUserMachine } from '../machines/pool-user.js';
import { isOlder, type HomeFound } from '../machines/registration.js';
import type { HuntReason, ServerHuntOrder } from '../machines/server-hunt.js';
import type { Timers } from '../machines/timers.js';
import { formatAddress, hostOf, isWildcard, parseAddress, schemeOf, type ParsedAddress } from '../transports/address.js';
import type { Listener } from '../transports/transport.js';
import { asapFraming, poolHandleKey, type AsapMessage, type AsapMessageOf, type Generation } from '../wire/index.js';
import { AskingOrder } from './asking-order.js';
import { AnnouncedRegistrars, type MulticastOptions } from './announced-registrars.js';
import { asapProtocol, Association, CONTROL_SILENCE, CONTROL_SLICE, type AssociationOwner } from './association.js';
import { transportOfScheme } from './control-transports.js';
import type { WaitOptions } from './element.js';
import type { ActorEnvironment } from './environment.js';
import { KnownRegistrars } from './known-registrars.js';
import { LocalElements, type LocalElement } from './local-elements.js';
import { bounded, deferred, type Deferred } from './waiting.js';

/** Who may make himself home by ASAP_ENDPOINT_KEEP_ALIVE with H=1: whoever connects from the host of a configured registrar, or anybody. */
export type AdoptionRule = 'known' | 'any';

export interface HomeOptions {
  readonly environment: ActorEnvironment;
  readonly registrars: readonly string[];
  readonly timers: Timers;
  readonly adopt: AdoptionRule;
  /** Where registrars announce themselves; nowhere without. */
  readonly multicast?: MulticastOptions | undefined;
}

/** What the resolutions of a process need of its home, and give it. */
export interface HomePools {
  answered(message: AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>): void;
  /** The charts that wait for an answer, or for updates. */
  waiting(): Iterable<AnyActorRef>;
  /** Whether one of them needs a registrar: somebody waits for an answer or watches. */
  readonly isWaiting: boolean;
  open(): () => void;
}

/** The process's home registrar: hunts for it (machines/server-hunt.ts), holds its association, and passes messages between it and the charts. Pool elements and
 *  resolutions share it. */
export class Home {
  /** The pool user's role chart, root of the hunt. */
  readonly actor: Actor<typeof poolUserMachine>;
  /** Takes `transmit` and `home.seek` from charts. */
  readonly ref: AnyActorRef;
  readonly #environment: ActorEnvironment;
  readonly #options: HomeOptions;
  readonly #pools: HomePools;
  readonly #attempts = new Map<string, Association>();
  readonly #callers = new Set<Association>();
  readonly #elements = new LocalElements();
  readonly #waiting = new Set<AnyActorRef>();
  readonly #known: KnownRegistrars;
  readonly #announced: AnnouncedRegistrars | undefined;
  readonly #reports: AsapMessage[] = [];
  readonly #order: AskingOrder<LocalElement>;
  #home: Association | undefined;
  #homeSince: Milliseconds = 0;
  /** Silence counts from here: a hunt has brought nobody better. */
  #judgedFrom: Milliseconds = 0;
  #homeId: number | undefined;
  #foundHome: Deferred<void> | undefined;
  /** It has been asked something since it was heard of last. */
  #isAsked = false;
  #askedAt: Milliseconds = 0;
  #isHunting = false;
  #nextProbe = 0;
  #listener: Promise<Listener> | undefined;
  /** Where that is. */
  #own: ParsedAddress | undefined;

  constructor(options: HomeOptions, pools: HomePools) {
    this.#options = options;
    this.#environment = options.environment;
    this.#pools = pools;
    this.ref = createActor(fromCallback<HomeOrder>(({ receive }) => { receive((order) => this.#obey(order)); })).start();
    const { clock, random, logger } = this.#environment;
    this.#order = new AskingOrder(clock);
    this.#known = new KnownRegistrars(this.#environment);
    this.#announced = options.multicast && new AnnouncedRegistrars(options.environment, options.multicast, options.timers, (address) => {
      if (this.#isHunting) this.actor.send({ type: 'registrar.announced', address });
    });
    this.actor = createActor(poolUserMachine, {
      clock,
      input: {
        host: this.ref,
        registrars: options.registrars,
        lookUp: (registrars) => this.#known.lookUp(registrars),
        announced: () => this.#announced?.candidates() ?? [],
        timers: options.timers,
        silence: () => this.#silence(),
        unheard: () => this.#unheard(),
        isNeeded: () => !this.#elements.isEmpty || this.#foundHome !== undefined || this.#waiting.size > 0 || pools.isWaiting,
        fraction: () => random.fraction(),
        openResolutions: () => pools.open(),
      },
    });
    this.actor.subscribe({ error: (error) => logger.error({ err: error }, 'the pool user failed') });
    this.actor.on('child.failed', ({ child, error }) => logger.error({ err: error, child }, 'a procedure of the pool user failed and is begun again'));
  }

  /** Starts hunting. */
  start(): void {
    this.#announced?.start();
    this.actor.start();
  }

  /** Of the registrar in use, as far as known. */
  get registrar(): { readonly address: string; readonly identifier: number | undefined } | undefined {
    return this.#home === undefined ? undefined : { address: this.#home.peer, identifier: this.#homeId };
  }

  /** For how long the present home has been in use. */
  get age(): Milliseconds {
    return this.#home === undefined ? 0 : this.#environment.clock.now() - this.#homeSince;
  }

  /** When the present home came into use; it tells one from another. */
  get since(): Milliseconds { return this.#homeSince; }

  /** This end of the control connection, as the registrar sees it where nobody translates addresses. */
  get localHost(): string | undefined {
    return this.#home === undefined ? undefined : hostOf(this.#home.link.local);
  }

  /** Resolves when there is a home registrar. @throws NoRegistrarError after the time-out, or the signal's reason. */
  async found({ signal, timeout }: WaitOptions, after: Milliseconds): Promise<void> {
    if (this.#home !== undefined) return;
    this.#foundHome ??= deferred();
    this.#seek('none');
    await bounded(this.#foundHome.promise, { signal, timeout: { clock: this.#environment.clock, after: timeout ?? after, error: () => new NoRegistrarError('no registrar can be reached') } });
  }

  /** The PE's own ASAP listener, where a new home connects. The first call decides where. */
  listen(address: string): Promise<Listener> {
    this.#listener ??= this.#listen(address).catch((error: unknown) => {
      this.#listener = undefined;
      throw error;
    });
    return this.#listener;
  }

  async #listen(address: string): Promise<Listener> {
    const listener = await this.#environment.transports(schemeOf(address)).listen(
      address,
      (link) => Association.accept(link, (association) => this.#caller(association), this.#environment),
      { framing: asapFraming, ppid: asapProtocol.ppid, silence: CONTROL_SILENCE, sliceTime: CONTROL_SLICE, maxLinks: 2 * MAX_CALLERS, firstFrameTimeout: 5_000, frameTimeout: 5_000, maxQueued: 256 * 1024 },
    );
    this.#own = parseAddress(listener.address, [schemeOf(listener.address)]);
    return listener;
  }

  /** Where that is when nobody has said: at the host of the data channels, by the transport of the registrars. On SCTP it is the port from which this end talks to its home already:
   *  RSPLIB's registrars call there, whatever was registered. Rejects with NoRegistrarError where that cannot be known in time. */
  async asapAddress(listen: string, wait: WaitOptions, after: Milliseconds): Promise<string> {
    const { host } = parseAddress(listen, [schemeOf(listen)]);
    const scheme = schemeOf(this.#home?.peer ?? this.#options.registrars[0] ?? listen);
    if (transportOfScheme(scheme) !== 'sctp') return formatAddress(scheme, host, 0);
    await this.found(wait, after);
    const own = this.#home === undefined ? undefined : parseAddress(this.#home.link.local, [schemeOf(this.#home.link.local)]);
    return own?.scheme === scheme && (isWildcard(host) || host === own.host) ? formatAddress(scheme, own.host, own.port) : formatAddress(scheme, host, 0);
  }

  has(key: string, peIdentifier: number): boolean {
    return this.#elements.get(key, peIdentifier) !== undefined;
  }

  /** From now on its chart gets what concerns that pool element, and its keep-alives are acknowledged. */
  join(key: string, peIdentifier: number, element: LocalElement): void {
    this.#elements.add(key, peIdentifier, element);
  }

  leave(key: string, peIdentifier: number): void {
    const element = this.#elements.get(key, peIdentifier);
    if (element === undefined) return;
    this.#waiting.delete(element.actor);
    this.#order.forget(element);
    this.#elements.remove(key, peIdentifier);
  }

  /** For how long home has answered nothing that was asked before the last message of that element (machines/registration.ts). */
  sinceProgress(element: LocalElement): Milliseconds { return this.#order.sinceProgress(element); }

  /** Sends it now, or when there is a home again: ASAP_ENDPOINT_UNREACHABLE. */
  report(message: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    if (this.#home !== undefined) this.#home.send(message);
    else if (this.#reports.length < MAX_REPORTS) this.#reports.push(message);
  }

  async close(): Promise<void> {
    this.#announced?.close();
    this.actor.send({ type: 'close' });
    this.ref.stop?.();
    this.#foundHome?.reject(new UsageError('CLOSED', 'the access point is closed'));
    this.#stopAttempts();
    this.#home?.close();
    this.#home = undefined;
    for (const caller of this.#callers) caller.close();
    const listener = await this.#listener?.catch(() => undefined);
    await listener?.close();
  }

  // ---- orders of the charts

  #obey(order: HomeOrder): void {
    switch (order.type) {
      case 'transmit': return this.#ask(order.message);
      case 'home.seek':
        if (order.from !== undefined) this.#waiting.add(order.from);
        return this.#seek(order.why);
      case 'attempt.start': return this.#attempt(order.address);
      case 'attempts.stop': return this.#stopAttempts();
      case 'home.adopt': return this.#adoptAttempt(order.address);
      case 'home.kept':
        if (this.#isHunting) this.#judgedFrom = this.#environment.clock.now();
        this.#isHunting = false;
        return this.#tellFound(this.#waiting, () => 'none');
      case 'home.probe': return this.#probe();
      case 'hunt.begun': this.#isHunting = true; return;
      case 'hunt.failed': return this.#complain(order.rounds);
    }
  }

  /** Without a home the chart hunts, and asks again then (RFC 5352 §3.7.1). */
  #ask(message: AsapMessage): void {
    if (!this.#isAsked) this.#askedAt = this.#environment.clock.now();
    this.#isAsked = true;
    if (this.#home === undefined) return;
    if (message.type === 'ASAP_REGISTRATION') this.#order.asked(this.#elements.get(poolHandleKey(message.poolHandle), message.poolElement.identifier));
    else if (message.type === 'ASAP_DEREGISTRATION') this.#order.asked(this.#elements.get(poolHandleKey(message.poolHandle), message.peIdentifier));
    this.#home.send(message);
  }

  #seek(why: HuntReason): void {
    this.actor.send({ type: 'home.seek', why });
  }

  #attempt(address: string): void {
    const association = Association.connect(this.#environment.transports(schemeOf(address)), address, (attempt) => ({
      up: () => { if (this.#attempts.get(address) === attempt) this.actor.send({ type: 'attempt.up', address }); },
      message: (message) => this.#received(attempt, message),
      down: (reason) => {
        if (attempt === this.#home) return this.#lost(reason);
        if (this.#attempts.get(address) !== attempt) return;
        this.#attempts.delete(address);
        this.#environment.logger.debug({ registrar: address, code: reason.code }, 'a registrar cannot be reached');
        this.actor.send({ type: 'attempt.failed', address });
      },
    }), { ...this.#environment, ...this.#ownPort(address), connectTimeout: 2 * this.#options.timers.retranMax, maxQueued: MAX_QUEUED }); // T5 ends it sooner
    this.#attempts.set(address, association);
  }

  /** An SCTP endpoint connects from the port at which it listens; a second association with the same peer needs another. */
  #ownPort(address: string): { readonly localPort?: number } {
    const scheme = schemeOf(address);
    return this.#own?.scheme === scheme && transportOfScheme(scheme) === 'sctp' && this.#home?.peer !== address ? { localPort: this.#own.port } : {};
  }

  #stopAttempts(): void {
    const attempts = [...this.#attempts.values()];
    this.#attempts.clear();
    for (const attempt of attempts) attempt.destroy('LINK_CLOSED');
  }

  #adoptAttempt(address: string): void {
    const association = this.#attempts.get(address);
    this.#attempts.delete(address);
    this.#stopAttempts();
    if (association === undefined) return;
    this.#replaceHome(association, undefined);
    this.#tellNew(() => 'found');
  }

  #replaceHome(association: Association, identifier: number | undefined): void {
    const old = this.#home;
    this.#home = association;
    this.#isAsked = false;
    this.#order.reset();
    this.#homeSince = this.#judgedFrom = this.#environment.clock.now();
    this.#homeId = identifier;
    this.#isHunting = false;
    this.#foundHome?.resolve();
    this.#foundHome = undefined;
    if (old !== association) old?.close();
    this.#environment.logger.info({ registrar: association.peer, identifier }, 'home registrar');
    for (const report of this.#reports.splice(0)) association.send(report);
  }

  #tellNew(change: (whom: AnyActorRef) => HomeFound['change']): void {
    for (const element of this.#elements.all()) element.homeChanged();
    this.#tellFound([...this.#elements.charts(), ...this.#waiting, ...this.#pools.waiting()], change);
  }

  #tellFound(whom: Iterable<AnyActorRef>, change: (whom: AnyActorRef) => HomeFound['change']): void {
    const refs = new Set(whom);
    this.#waiting.clear();
    for (const ref of refs) ref.send({ type: 'home.found', change: change(ref) });
  }

  #lost(reason: TransportError): void {
    this.#environment.logger.warn({ registrar: this.#home?.peer, code: reason.code }, 'home registrar lost');
    this.#home = undefined;
    this.#homeId = undefined;
    this.actor.send({ type: 'home.down' });
    for (const ref of new Set([...this.#elements.charts(), ...this.#pools.waiting()])) ref.send({ type: 'home.lost' });
  }

  /** By a re-registration of one of ours, each in turn: that renews a registration as well. */
  #probe(): void {
    const charts = [...this.#elements.charts()];
    charts[this.#nextProbe++ % Math.max(1, charts.length)]?.send({ type: 'registration.refresh' });
  }

  #complain(rounds: number): void {
    if ((rounds & (rounds - 1)) !== 0) return; // the first, second, fourth, eighth ... round
    this.#environment.logger.warn({ registrars: this.#options.registrars, rounds }, 'no registrar can be reached; the hunt goes on');
  }

  // ---- messages

  #caller(association: Association): AssociationOwner {
    this.#makeRoom();
    this.#callers.add(association);
    return {
      message: (message) => this.#received(association, message),
      down: (reason) => {
        this.#callers.delete(association);
        if (association === this.#home) this.#lost(reason);
      },
    };
  }

  /** So that idle strangers never keep a new home out: the one that has been silent longest goes. */
  #makeRoom(): void {
    if (this.#callers.size < MAX_CALLERS) return;
    const strangers = [...this.#callers].filter((caller) => caller !== this.#home);
    strangers.reduce((oldest, caller) => (caller.link.lastHeard < oldest.link.lastHeard ? caller : oldest), strangers[0] as Association).destroy('TOO_MANY_LINKS');
  }

  #received(association: Association, message: AsapMessage): void {
    if (association === this.#home) this.#isAsked = false;
    if (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE') return this.#keepAlive(association, message);
    if (association !== this.#home) return; // nobody else's answers count
    switch (message.type) {
      case 'ASAP_REGISTRATION_RESPONSE':
        if (message.generation !== undefined) this.#homeId = message.generation.home;
        this.#tellElement(message);
        break;
      case 'ASAP_DEREGISTRATION_RESPONSE': this.#tellElement(message); break;
      case 'ASAP_HANDLE_RESOLUTION_RESPONSE': this.#pools.answered(message); break;
      default: return;
    }
    if (this.#isHunting) this.actor.send({ type: 'home.heard', answers: answeredTimer[message.type] });
  }

  #tellElement(message: AsapMessageOf<'ASAP_REGISTRATION_RESPONSE' | 'ASAP_DEREGISTRATION_RESPONSE'>): void {
    const element = this.#elements.get(poolHandleKey(message.poolHandle), message.peIdentifier);
    if (element === undefined) return;
    this.#order.answered(element);
    element.actor.send(message);
  }

  /** RFC 5352 §3.4, at once and without a chart: one acknowledgement for each of our elements of that pool, none from a process that only uses pools. Anybody may ask; who may become home is another matter. */
  #keepAlive(association: Association, { poolHandle, peIdentifier, serverIdentifier, flags, generation }: AsapMessageOf<'ASAP_ENDPOINT_KEEP_ALIVE'>): void {
    const pool = this.#elements.pool(poolHandleKey(poolHandle));
    if (pool === undefined || (peIdentifier !== undefined && !pool.has(peIdentifier))) return; // KA1
    const asked = [...pool].filter(([identifier]) => identifier === (peIdentifier ?? identifier));
    for (const [identifier] of asked) association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle, peIdentifier: identifier }); // KA2
    if (association === this.#home) this.#homeId = serverIdentifier;
    if (!flags.home) return;
    const elements = asked.map(([, element]) => element);
    const claim: Claim = { association, serverIdentifier, elements, generation: elements.length === 1 ? generation : undefined }; // it is one registration's
    if (serverIdentifier !== this.#homeId) this.#claimed(claim);
    else this.#confirmed(claim);
  }

  /** KA2.4. One claim after another comes for the elements of a process; the first moves it. */
  #claimed(claim: Claim): void {
    const { association, elements, generation } = claim;
    if (this.#home !== undefined && elements.some((element) => isOlder(generation, element.generation))) {
      this.#environment.logger.info({ peer: association.peer, generation }, 'not adopted as home registrar: its claim is older than the registration');
      return;
    }
    if (!this.#mayBeHome(association)) return;
    this.#takenOver(claim);
  }

  /** By the home that is, over whichever association. */
  #confirmed({ elements, generation }: Claim): void {
    for (const { actor, generation: known } of elements) if (!isOlder(generation, known)) actor.send({ type: 'registration.takenOver', generation });
  }

  #mayBeHome(association: Association): boolean {
    if (this.#options.adopt === 'any' || this.#known.hasHost(hostOf(association.peer))) return true;
    this.#environment.logger.warn({ peer: association.peer }, 'not adopted as home registrar: not a known host');
    return false;
  }

  /** The generation first: what is sent to the new home carries it. */
  #takenOver(claim: Claim): void {
    const { association, serverIdentifier, elements } = claim;
    this.#replaceHome(association, serverIdentifier);
    this.actor.send({ type: 'home.adopted', address: association.peer });
    this.#confirmed(claim);
    const claimed = new Set(elements.map(({ actor }) => actor));
    this.#tellNew((whom) => (claimed.has(whom) ? 'takeover' : 'moved'));
  }

  #silence(): Milliseconds {
    if (this.#home === undefined || this.#elements.isEmpty) return 0;
    const silence = this.#environment.clock.now() - Math.max(this.#judgedFrom, this.#home.link.lastHeard);
    return this.#isAsked ? silence : Math.min(silence, this.#options.timers.homeSilence * (2 / 3)); // who has not been asked may be silent
  }

  #unheard(): Milliseconds {
    if (this.#home === undefined) return Infinity;
    return this.#isAsked ? this.#environment.clock.now() - Math.max(this.#askedAt, this.#home.link.lastHeard) : 0;
  }
}

/** ASAP_ENDPOINT_KEEP_ALIVE with H=1. */
interface Claim {
  readonly association: Association;
  readonly serverIdentifier: number;
  readonly elements: readonly LocalElement[];
  readonly generation: Generation | undefined;
}

type HomeOrder =
  | ServerHuntOrder
  | { type: 'transmit'; message: AsapMessage }
  | { type: 'home.seek'; why: HuntReason; from?: AnyActorRef };

const answeredTimer = {
  ASAP_REGISTRATION_RESPONSE: 'T2-registration',
  ASAP_DEREGISTRATION_RESPONSE: 'T3-deregistration',
  ASAP_HANDLE_RESOLUTION_RESPONSE: 'T1-ENRPrequest',
} as const satisfies Partial<Record<AsapMessage['type'], HuntReason>>;

/** Links to our ASAP listener at once. */
const MAX_CALLERS = 64;
/** Bytes that may wait for a registrar that does not read. */
const MAX_QUEUED = 4 * 1024 * 1024;
/** Reports that wait for a home. */
const MAX_REPORTS = 64;
