import { MOST_MESSAGES } from '../delivery/credit.js';
import { schemeOf } from '../transports/address.js';
import { Pacer } from '../delivery/pacer.js';
import { deliveryModes } from '../delivery/modes.js';
import type { Milliseconds } from '../environment.js';
import type { TransportError } from '../errors.js';
import type { BusinessCard } from '../machines/control-channel.js';
import type { Timers } from '../machines/timers.js';
import { LoopMonitor } from '../transports/loop-monitor.js';
import type { Link, LinkHandler } from '../transports/transport.js';
import type { PoolElement } from '../wire/index.js';
import type { Frame } from '../wire/mapping.js';
import { BusinessCards } from './business-cards.js';
import { ControlChannel } from './control-channel.js';
import { dataChannel, DataLink, type DataLinkOwner } from './data-link.js';
import { Inquiry } from './introduction.js';
import { Followers, inSlices } from './slices.js';
import { anything, checkOptions, invalid, isCount, isDelay, isFunction, isOneOf, isSignal, isU32 } from './options.js';
import type { Unsubscribe } from './emitter.js';
import type { ActorEnvironment } from './environment.js';
import { dataAddressOf, mappingOf } from './mappings.js';
import { PlainElementLink } from './plain-element-link.js';
import type { PoolView } from './pool.js';
import type { Meeting } from './session-mover.js';
import { Service, type ServiceSetup, type SharedPlane } from './service.js';
import { UserSession, type Session } from './session.js';
import type { SessionOptions } from './session-types.js';

/** Heartbeats a process sends a second at most (D-28). */
const MAX_HEARTBEATS = 2000;
/** For the first element of a lost client's pool; as long as a failover. */
const RENDEZVOUS_TIMEOUT: Milliseconds = 30_000;
/** A link without sessions is closed after so long. */
const LINK_IDLE = 5_000;

/** All data channels of a process: one link for each pool element that its sessions use (D-18), and the services it offers. */
export class DataPlane implements SharedPlane, DataLinkOwner {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly pools: PoolView;
  readonly monitor: LoopMonitor;
  readonly pacer: Pacer<{ pump(): void }>;
  readonly cards: BusinessCards;
  /** Charts that follow their frames. */
  readonly followers: Followers;
  readonly #links = new Map<string, DataLink>();
  readonly #addresses = new Map<DataLink, string>();
  /** Where somebody speaks our frames who was not known to. */
  readonly #speaking = new Set<string>();
  /** And what each of them is a session with. */
  readonly #sessions = new Map<UserSession, string>();
  /** Pools that sessions are open with: what is known of them stays current. */
  readonly #watched = new Map<string, { sessions: number; readonly end: Unsubscribe }>();
  readonly #services = new Set<Service>();
  /** Timers of links without sessions: they keep nobody waiting once all is closed. */
  readonly #idle = new Map<DataLink, unknown>();
  #linkCount = 0;

  constructor({ environment, pools, timers }: { environment: ActorEnvironment; pools: PoolView; timers: Timers }) {
    this.environment = environment;
    this.timers = timers;
    this.pools = pools;
    this.monitor = new LoopMonitor({ clock: environment.clock });
    this.pacer = new Pacer(environment.clock, () => { this.monitor.observe(); });
    this.followers = new Followers(environment.clock);
    this.cards = new BusinessCards(environment.clock, pools);
  }

  /** Opens a session with the pool of `key`. */
  async connect(key: string, options: SessionOptions = {}): Promise<Session> {
    checkSessionOptions(options);
    return this.create(key, options).open();
  }

  /** A session that is still to be opened. `pools`: the pool as it sees it, and its way to it. */
  create(key: string, options: SessionOptions, { pools = this.pools, meeting }: { readonly pools?: PoolView; readonly meeting?: Meeting } = {}): UserSession {
    const session = new UserSession(this, key, options, { pools, meeting });
    this.#sessions.set(session, key);
    this.#watch(key, pools);
    return session;
  }

  /** A session, not opened yet, with the pool of a client that was lost: under the id of its session (RFC 5352 §3.9). */
  meet(id: Buffer, epoch: number, { key, order: [client, ...preferred] }: BusinessCard): UserSession {
    const meeting = { id, epoch, client, own: this.cards.own(key), preferred };
    return this.create(key, { deliveryMode: 'at-most-once', openTimeout: RENDEZVOUS_TIMEOUT }, { meeting });
  }

  /** Opens the data channels of a pool element. */
  async listen(address: string, setup: ServiceSetup): Promise<Service & { readonly address: string }> {
    const service = new Service(this, setup);
    const bound = await service.listen(address);
    this.#services.add(service);
    return Object.assign(service, { address: bound });
  }

  /** Ends sessions and services at once. */
  async close(): Promise<void> {
    for (const session of [...this.#sessions.keys()]) session.destroy();
    await Promise.all([...this.#services].map((service) => service.close()));
    for (const link of [...this.#addresses.keys()]) link.close();
    for (const timer of this.#idle.values()) this.environment.clock.clearTimeout(timer);
    this.monitor.stop();
  }

  // ---- for the sessions

  /** The link to a pool element, shared by all sessions of the process. */
  linkTo(element: PoolElement): DataLink {
    const address = dataAddressOf(element);
    const known = this.#links.get(address);
    if (known) return known;
    const link = new DataLink(this);
    link.control = this.#openControlChannel(link);
    this.#addresses.set(link, address);
    this.linkOpened();
    if (element.capabilities === undefined && !this.#speaking.has(address)) return this.#ask(link, address);
    this.#links.set(address, link);
    return link.attach(this.#connect(address, link), false);
  }

  #connect(address: string, handler: LinkHandler): Link {
    return this.environment.transports(schemeOf(address)).connect(address, handler, { ...dataChannel, connectTimeout: this.timers.connectTimeout });
  }

  /** Of whom it is not known whether it speaks our frames each session has an association of its own, as RFC 5352 has it. */
  #ask(link: DataLink, address: string): DataLink {
    const { clock } = this.environment;
    const inquiry = new Inquiry(clock, {
      speaksFrames: () => {
        remember(this.#speaking, address);
        if (!this.#links.has(address)) this.#links.set(address, link);
        link.up();
        return link;
      },
      isPlain: (connection) => {
        const plain = new PlainElementLink(connection, link, clock);
        link.isPlain = true;
        link.attach(plain, true);
        return plain;
      },
      down: (reason) => { link.down(reason); },
    });
    return link.attach(inquiry.on(this.#connect(address, inquiry)), false);
  }

  sessionLeft(link: DataLink): void {
    const { clock } = this.environment;
    if (link.sessions.size > 0 || !link.isUp) return;
    if (!link.isGreeted && this.#speaking.delete(this.#addresses.get(link) ?? '')) this.#forget(link); // somebody else is there now: asked the next time
    clock.clearTimeout(this.#idle.get(link));
    this.#idle.set(link, clock.setTimeout(() => {
      this.#idle.delete(link);
      if (link.sessions.size > 0) return;
      this.#forget(link); // whoever comes from here on makes a new one
      link.close();
    }, LINK_IDLE));
  }

  sessionOver(session: UserSession): void {
    const key = this.#sessions.get(session);
    const watched = key === undefined ? undefined : this.#watched.get(key);
    this.#sessions.delete(session);
    if (key === undefined || watched === undefined || --watched.sessions > 0) return;
    this.#watched.delete(key);
    watched.end();
  }

  #watch(key: string, pools: PoolView): void {
    const watched = this.#watched.get(key) ?? { sessions: 0, end: pools.watch(key, (removed) => { for (const element of removed) this.probe(element); }) };
    watched.sessions++;
    this.#watched.set(key, watched);
  }

  /** Word from elsewhere that a pool element is gone: only makes us ask it (D-19). */
  probe(element: PoolElement): void {
    if (!mappingOf(element).canCarrySessions) return;
    const gone = dataAddressOf(element);
    for (const [link, address] of this.#addresses) if (address === gone) link.probe();
  }

  // ---- SharedPlane

  heartbeatInterval(): Milliseconds { return Math.max(this.timers.heartbeat, (this.#linkCount * 1000) / MAX_HEARTBEATS); }
  linkOpened(): void { this.#linkCount++; }
  linkClosed(): void { this.#linkCount--; }

  // ---- DataLinkOwner

  /** The card goes before the first session is opened. */
  up(link: DataLink): void {
    if (link.control) {
      link.control.begin();
      this.cards.add(link.control);
    }
    const sessions = [...link.sessions.values()].filter((session) => session instanceof UserSession);
    inSlices(this.environment.clock, sessions, (session) => { if (session.isOn(link)) session.linkUp(); });
    this.sessionLeft(link); // whom it was for may have gone
  }

  down(link: DataLink, _reason: TransportError): void {
    if (link.control) {
      link.control.down();
      this.cards.remove(link.control);
    }
    this.#forget(link);
    if (this.#addresses.delete(link)) this.linkClosed();
  }

  #forget(link: DataLink): void {
    const address = this.#addresses.get(link);
    if (address !== undefined && this.#links.get(address) === link) this.#links.delete(address);
  }

  /** Word of the pool element itself, a business card, or a late frame of a half that has left (D-14). */
  stranger(link: DataLink, frame: Frame): void {
    if (frame.type === 'LIVENESS') return link.vouchedBy(frame);
    if (frame.type === 'IDENTITY') link.peIdentifier = frame.peIdentifier;
    if (frame.type === 'DATA' && frame.session === 0) link.control?.receive(frame);
  }

  #openControlChannel(link: DataLink): ControlChannel {
    const { clock, logger } = this.environment;
    return new ControlChannel(link, { clock, logger, isService: false, card: () => this.cards.ofUser(), lookUp: (card) => { this.cards.lookUp(card); } });
  }
}

/** The newest so many. */
function remember(addresses: Set<string>, address: string): void {
  addresses.delete(address);
  addresses.add(address);
  if (addresses.size > MOST_SPEAKING) addresses.delete(addresses.values().next().value as string);
}

const MOST_SPEAKING = 10_000;

/** @throws UsageError INVALID_OPTION. */
export function checkSessionOptions(options: SessionOptions): void {
  checkOptions('connect', options, {
    deliveryMode: isOneOf(...deliveryModes), onFailover: isFunction, window: anything, openTimeout: isDelay, failoverTimeout: isDelay, maxAttempts: isCount, signal: isSignal,
  });
  if (options.window !== undefined) checkOptions('window', options.window, { messages: isU32, bytes: isU32 });
  const { messages = 1, bytes = 1 } = options.window ?? {};
  if (messages < 1 || bytes < 1) throw invalid('window.messages and window.bytes are at least 1');
  if (messages > MOST_MESSAGES) throw invalid(`window.messages is at most ${MOST_MESSAGES}`);
}
