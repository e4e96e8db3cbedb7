import { Epochs } from '../delivery/epochs.js';
import type { Pacer } from '../delivery/pacer.js';
import type { Logger, Milliseconds } from '../environment.js';
import { FeatureUnavailableError, type TransportError } from '../errors.js';
import type { BusinessCard } from '../machines/control-channel.js';
import type { Timers } from '../machines/timers.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import type { Link, LinkHandler, Listener, TransportAddress } from '../transports/transport.js';
import { poolHandleKey, type PoolElement } from '../wire/index.js';
import { closeCodes, encodeFrame, type CloseCode, type Frame } from '../wire/mapping.js';
import { writeFrame } from '../delivery/port.js';
import type { BusinessCards } from './business-cards.js';
import { ControlChannel } from './control-channel.js';
import { transportOfScheme } from './control-transports.js';
import { dataChannel, DataLink, type DataLinkOwner } from './data-link.js';
import type { ActorEnvironment } from './environment.js';
import { checkCookieKeys, CookieSigner, type CookieOptions } from './cookie-signer.js';
import { Arrival } from './introduction.js';
import { boundOf, checkLiveness, portOf, type Liveness, type Prover } from './liveness.js';
import { anything, invalid, isBoolean, isCount, isDelay, isFunction } from './options.js';
import { PlainUserLink } from './plain-user-link.js';
import { inSlices } from './slices.js';
import type { EndOptions } from './waiting.js';
import { ServiceInstance, type ServiceSession } from './service-session.js';
import type { UserSession } from './session.js';

/** How a service wants to be handed its sessions. */
export interface ServiceOptions extends CookieOptions {
  /** Gives the session's state between handlers: for unprompted messages, for a window half full, once a second, for a drain. Makes the service stateful. */
  readonly snapshot?: (session: ServiceSession) => Uint8Array | undefined;
  /** Sessions of the element at once, by all of its mappings; more are told to go elsewhere. Default no limit. */
  readonly maxSessions?: number;
  /** Messages of one session handled at once; stateless services only. Default 1. */
  readonly concurrency?: number;
  /** False: replies go to the application as they come, not when their handler has settled (large downloads). Default true. */
  readonly outputCommit?: boolean;
  /** A thread proves that the process lives while handlers block its loop (D-28): pool users bear that for `bound`. Default none: they bear 0.5 s. */
  readonly liveness?: Liveness;
  /** Takes the place of others of this pool at the services whose clients they were (RFC 5352 §3.9): `onSession` is given sessions whose `rendezvous` is true. Default false. */
  readonly rendezvous?: boolean;
}

export interface ServiceSetup {
  /** As text, for people. */
  readonly handle: string;
  readonly handleBytes: Uint8Array;
  readonly options: ServiceOptions;
  readonly onSession: (session: ServiceSession) => void | PromiseLike<void>;
  /** The element as it is registered, for its business card (RFC 5352 §3.9). */
  readonly element: () => PoolElement | undefined;
  /** Of all services of this element. */
  readonly count?: SessionCount | undefined;
}

export interface DrainOptions extends EndOptions {
  /** Milliseconds that sessions have to move to other pool elements; the rest is closed, and goes on as after a failure. Default `drainTimeout`, 10 000. */
  readonly timeout?: Milliseconds;
}

/** Sessions of one element, whichever of its mappings they came by. */
export interface SessionCount { sessions: number }

/** What all services and sessions of a process share. */
export interface SharedPlane {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly monitor: LoopMonitor;
  readonly pacer: Pacer<{ pump(): void }>;
  readonly cards: BusinessCards;
  meet(id: Buffer, epoch: number, card: BusinessCard): UserSession;
  heartbeatInterval(): Milliseconds;
  linkOpened(): void;
  linkClosed(): void;
}

/** A pool element's data channels: accepts links and sessions, one instance per registration. */
export class Service implements DataLinkOwner {
  readonly options: Required<Pick<ServiceOptions, 'concurrency' | 'outputCommit' | 'maxSessions' | 'rendezvous'>> & Pick<ServiceOptions, 'snapshot'>;
  /** Of its state cookies. */
  readonly signer: CookieSigner;
  readonly #plane: SharedPlane;
  readonly #setup: ServiceSetup;
  readonly #count: SessionCount;
  readonly #epochs = new Epochs<ServiceInstance>();
  readonly #sessions = new Set<ServiceInstance>();
  readonly #links = new Set<DataLink>();
  /** Of whom nothing is known yet. */
  readonly #arrivals = new Set<Arrival>();
  readonly #unsubscribe: () => void;
  #listener: Listener | undefined;
  #prover: Prover | undefined;
  #isDraining = false;
  #emptied: (() => void) | undefined;

  constructor(plane: SharedPlane, setup: ServiceSetup) {
    this.#plane = plane;
    this.#setup = setup;
    this.#count = setup.count ?? { sessions: 0 };
    const { concurrency = 1, outputCommit = true, maxSessions = Infinity, rendezvous = false, snapshot } = setup.options;
    this.options = { concurrency, outputCommit, maxSessions, rendezvous, ...(snapshot && { snapshot }) };
    const { environment, timers } = plane;
    const { cookieKeys, foreignCookies, cookieLifetime = timers.cookieLife } = setup.options;
    this.signer = new CookieSigner({
      cookieKeys, foreignCookies, cookieLifetime, poolHandle: setup.handleBytes, logger: environment.logger, timeOfDay: environment.timeOfDay ?? (() => environment.clock.now()),
    });
    this.#unsubscribe = plane.monitor.onLag((lag) => { if (lag >= plane.timers.silence / 2) this.#holdAll(); });
  }

  get environment(): ActorEnvironment { return this.#plane.environment; }
  get timers(): Timers { return this.#plane.timers; }
  get monitor(): LoopMonitor { return this.#plane.monitor; }
  get pacer(): Pacer<{ pump(): void }> { return this.#plane.pacer; }
  get logger(): Logger { return this.#plane.environment.logger; }
  get poolHandle(): string { return this.#setup.handle; }
  get sessions(): ReadonlySet<ServiceInstance> { return this.#sessions; }
  heartbeatInterval(): Milliseconds { return this.#plane.heartbeatInterval(); }

  /** @returns the address with the port that was given. */
  async listen(address: TransportAddress): Promise<TransportAddress> {
    const transport = this.environment.transports(schemeOf(address));
    const speaksFirst = transportOfScheme(schemeOf(address)) === 'tcp'; // pool users of others may have nothing to say for long
    this.#listener = await transport.listen(address, (link) => (speaksFirst ? this.#newLink().attach(link, true) : this.#introduce(link)), {
      ...dataChannel, ...(speaksFirst && { firstFrameTimeout: 5_000 }), frameTimeout: 10_000, maxQueued: MAX_QUEUED,
    });
    await this.#prove(address);
    return this.#listener.address;
  }

  #newLink(): DataLink {
    const link = new DataLink(this);
    link.control = this.#openControlChannel(link);
    this.#links.add(link);
    this.#plane.linkOpened();
    return link;
  }

  /** Its first word tells whether it speaks our frames. */
  #introduce(link: Link): LinkHandler {
    const { clock, random } = this.environment;
    const arrival = new Arrival(link, clock, () => this.monitor.activeSince(link.lastHeard), (first) => {
      this.#arrivals.delete(arrival);
      const dataLink = this.#newLink();
      if (first === undefined) return dataLink.attach(link, true);
      const plain = new PlainUserLink(link, dataLink, clock, first, Buffer.from(random.bytes(16)));
      dataLink.attach(plain, true);
      return plain;
    }, () => { this.#arrivals.delete(arrival); });
    this.#arrivals.add(arrival);
    return arrival;
  }

  async #prove(address: TransportAddress): Promise<void> {
    const { liveness } = this.#setup.options;
    if (liveness === undefined) return;
    try {
      if (!this.environment.prover) throw new FeatureUnavailableError('liveness', 'this environment');
      this.#prover = await this.environment.prover({ host: parseAddress(address, [schemeOf(address)]).host, port: portOf(liveness) });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What pool users are told of the thread. */
  get liveness(): DataLinkOwner['liveness'] {
    const { liveness } = this.#setup.options;
    return this.#prover && liveness !== undefined ? { port: this.#prover.port, bound: boundOf(liveness) } : undefined;
  }

  get peIdentifier(): number | undefined { return this.#setup.element()?.identifier; }

  onSession(session: ServiceInstance): void | PromiseLike<void> { return this.#setup.onSession(session); }

  /** Other keys from now on; what the pool users have is signed anew within a second. */
  updateCookies(options: Pick<CookieOptions, 'cookieKeys' | 'foreignCookies'>): void {
    this.signer.update(options);
    if (options.cookieKeys) for (const session of this.#sessions) session.outdateCookie();
  }

  /** Hands every session over: cookie and MOVE (D-27), a slice of them a turn; those whose turn has not come are served. Resolves when all have left, or after `timeout`. */
  async drain({ timeout = this.timers.drainTimeout }: { readonly timeout?: Milliseconds | undefined } = {}): Promise<void> {
    this.#isDraining = true;
    if (this.#sessions.size === 0) return;
    const empty = new Promise<void>((resolve) => { this.#emptied = resolve; });
    const timer = this.environment.clock.setTimeout(() => { this.#emptied?.(); }, timeout);
    inSlices(this.environment.clock, [...this.#sessions], (session) => { session.drain(); });
    await empty;
    this.environment.clock.clearTimeout(timer);
    if (this.#sessions.size > 0) this.logger.warn({ poolHandle: this.poolHandle, sessions: this.#sessions.size }, 'drained, but not all sessions have moved: they are closed');
  }

  /** Ends what is left, links and listener. */
  async close(): Promise<void> {
    this.#isDraining = true;
    this.#unsubscribe();
    for (const session of [...this.#sessions]) session.shutDown();
    for (const link of [...this.#links, ...this.#arrivals]) link.close();
    await this.#prover?.close();
    await this.#listener?.close();
  }

  // ---- DataLinkOwner

  stranger(link: DataLink, frame: Frame): void {
    if (frame.type === 'DATA' && frame.session === 0) return link.control?.receive(frame);
    if (frame.type !== 'OPEN') return; // a late frame of a session that has left (D-14)
    const refusal = this.#refusal(frame);
    if (refusal) return this.#refuse(link, frame, ...refusal);
    const id = epochKey(frame.sessionId.toString('hex'), frame.rendezvous === true);
    const predecessor = this.#epochs.predecessor(id, frame.epoch);
    if (predecessor === 'stale') return this.#refuse(link, frame, 'STALE_EPOCH', 'a later epoch of this session is here');
    const session = new ServiceInstance(this, link, frame, predecessor);
    this.#epochs.enter(id, session);
    this.#sessions.add(session);
    this.#count.sessions++;
    link.sessions.set(frame.session, session);
    this.#begin(link);
    session.start();
  }

  down(link: DataLink, { code, message }: TransportError): void {
    if (code !== 'LINK_CLOSED' && code !== 'LINK_LOST') this.logger.info({ peer: link.peer, code }, message);
    if (link.control) {
      link.control.down();
      this.#plane.cards.remove(link.control);
    }
    if (this.#links.delete(link)) this.#plane.linkClosed();
  }

  // ---- for the sessions

  meet(id: Buffer, epoch: number, card: BusinessCard): UserSession { return this.#plane.meet(id, epoch, card); }

  /** This process itself did not run just now: whose link was lost may have left it, and live (D-29). */
  hasSlept(): boolean {
    const { silence } = this.timers;
    return this.monitor.activeSince(this.environment.clock.now() - silence) <= silence / 2;
  }

  left(session: ServiceInstance): void {
    void session.half.settled().then(() => { this.#epochs.leave(epochKey(session.id, session.rendezvous), session); }); // its running handler is awaited by the next epoch (D-14)
    if (this.#sessions.delete(session)) this.#count.sessions--;
    if (this.#sessions.size === 0) this.#emptied?.();
  }

  // ---- below

  /** Communication begins (RFC 5352 §3.9), or goes on. */
  #begin({ control }: DataLink): void {
    if (!control) return;
    control.begin();
    this.#plane.cards.add(control);
  }

  #refusal(frame: Frame<'OPEN'>): [CloseCode, string] | undefined {
    if (frame.tail.length > 0 && !frame.tail.equals(this.#setup.handleBytes)) return ['NO_SUCH_POOL', `this pool element serves ${this.poolHandle}`];
    if (this.#isDraining) return ['GOING_AWAY', 'the pool element drains'];
    if (this.#count.sessions >= this.options.maxSessions) return ['BUSY', `${this.options.maxSessions} sessions are here`];
    if (frame.rendezvous === true && !this.options.rendezvous) return ['NO_RENDEZVOUS', 'this pool element takes nobody\'s place'];
    if (frame.mode > 2) return ['PROTOCOL_ERROR', `delivery mode ${frame.mode} is unknown`];
    return undefined;
  }

  #refuse(link: DataLink, open: Frame<'OPEN'>, code: CloseCode, reason: string): void {
    writeFrame(link, encodeFrame({ type: 'REFUSE', session: open.session, code: closeCodes[code], tail: reason }));
  }

  /** Our own loop stood still for so long that pool users may have left (they count from our last heartbeat, we from the last look): nothing more is handed to the service until each has been heard (D-29). */
  #holdAll(): void {
    for (const session of this.#sessions) session.half.hold();
    for (const link of this.#links) link.prove(() => { for (const session of link.sessions.values()) if (session instanceof ServiceInstance) session.half.release(); });
  }

  #openControlChannel(link: DataLink): ControlChannel {
    const { cards } = this.#plane;
    const key = poolHandleKey(this.#setup.handleBytes);
    return new ControlChannel(link, {
      clock: this.environment.clock, logger: this.logger, isService: true,
      card: () => { const element = this.#setup.element(); return element && cards.ofElement(key, element); },
      lookUp: (card) => { cards.lookUp(card); },
      repeatCookies: () => { this.#repeatCookies(link); },
    });
  }

  #repeatCookies(link: DataLink): void {
    for (const session of link.sessions.values()) if (session instanceof ServiceInstance) session.repeatCookie();
  }
}

/** A session that is a rendezvous has nothing to do with the one whose id it bears. */
const epochKey = (id: string, isRendezvous: boolean): string => (isRendezvous ? `${id} rendezvous` : id);

/** A pool user that asks and never reads is let go when so much waits for it. */
const MAX_QUEUED = 64 * 1024 * 1024;

/** What `register` takes for a service. */
export const serviceChecks = { snapshot: isFunction, maxSessions: isCount, concurrency: isCount, outputCommit: isBoolean, rendezvous: isBoolean, liveness: anything, cookieKeys: anything, cookieLifetime: isDelay, foreignCookies: isBoolean };

/** @throws UsageError INVALID_OPTION where options contradict each other. */
export function checkServiceOptions({ concurrency = 1, snapshot, cookieKeys, liveness }: ServiceOptions): void {
  checkLiveness(liveness);
  if (cookieKeys !== undefined) checkCookieKeys('register', cookieKeys);
  if (concurrency > 1 && snapshot) throw invalid('concurrency above 1 is for stateless services: they have no snapshot');
}
