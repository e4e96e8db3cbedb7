import { createActor, type Actor } from 'xstate';
import { schemeOf } from '../transports/address.js';
import type { Logger } from '../environment.js';
import { TransportError } from '../errors.js';
import { registrarMachine, type RegistrarOrder } from '../machines/registrar.js';
import { resolveTimers, type TimerOptions, type Timers } from '../machines/timers.js';
import type { Link, LinkHandler, Listener } from '../transports/transport.js';
import { decodePoolElement, poolHandleText, type PeerState } from '../wire/index.js';
import { Announcements, resolveRegistrarMulticast, type RegistrarMulticastOptions } from './announcements.js';
import { asapProtocol, Association, CONTROL_SILENCE, CONTROL_SLICE, enrpProtocol, type AssociationOwner, type ControlProtocol } from './association.js';
import { dumpOf, type Dump, type KnownPeer } from './dump.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { Enrp } from './enrp.js';
import { nodeEnvironment, type ActorEnvironment } from './environment.js';
import { anything, checkAddress, checkOptions, invalid, isLogger, isU32 } from './options.js';
import { RegistrarCore, type Removed } from './registrar-core.js';
import { resolveLimits, type RegistrarLimits } from './registrar-limits.js';
import { ending, quiet, type EndOptions } from './waiting.js';

export interface RegistrarOptions {
  /** Where pool elements and pool users come in, `tcp://host:port` or `sctp+udp://host:port`, as many as you like; port 0 takes a free one. Default `['tcp://127.0.0.1:3863']`, ASAP's port. */
  readonly asap?: readonly string[];
  /** Where other registrars come in, `tcp://host:port` or `sctp+udp://host:port` (9901 is ENRP's port; others of SCTP are met from the same port), and operators (`rserpool dump`). Default none: it stays alone. */
  readonly enrp?: readonly string[];
  /** Addresses of other registrars; each of them tells of more. Needs `enrp`. Default none. */
  readonly peers?: readonly string[];
  /** Announces itself by UDP multicast, and looks for others by it. Default false. */
  readonly multicast?: boolean | RegistrarMulticastOptions;
  /** Its identifier among registrars, 1 to 0xffffffff. Default a random one. */
  readonly id?: number;
  /** Default `'quick'`. */
  readonly timers?: TimerOptions;
  /** Limits on what comes from the network; see RegistrarLimits. */
  readonly limits?: Partial<RegistrarLimits>;
  /** Shaped like pino's. Default silent. */
  readonly logger?: Logger;
  /** Time, randomness and network; for tests. Default Node.js's. */
  readonly environment?: ActorEnvironment;
}

export interface RegistrarEvents {
  /** A pool element is in the handlespace that was not. */
  registered: (info: { readonly poolHandle: string; readonly peIdentifier: number }) => void;
  /** It is not any more. */
  removed: (info: { readonly poolHandle: string; readonly peIdentifier: number; readonly reason: Removed }) => void;
  /** What this registrar thinks of another one; `gone` when it is not on its list any more. */
  peer: (peer: { readonly id: number; readonly state: PeerState | 'gone' }) => void;
  /** A registrar has failed, or leaves: who begins to take it over, and how that ends here. */
  takeover: (takeover: { readonly target: number; readonly role: 'initiating' | 'bystander'; readonly outcome: 'begun' | 'won' | 'yielded' | 'refuted' }) => void;
  /** Something in it failed; it goes on. */
  error: (error: unknown) => void;
}

/** Runs a registrar (ENRP server). Resolves when it serves: at once where it is alone, else when it has the others' handlespace, or after a while without an answer (RFC 5353 §3.2).
 *  Rejects with UsageError, or TransportError ADDRESS_IN_USE, LISTEN_FAILED. */
export async function createRegistrar(options: RegistrarOptions = {}): Promise<Registrar> {
  checkOptions('createRegistrar', options, {
    asap: isStringListOrEmpty, enrp: isStringListOrEmpty, peers: isStringListOrEmpty, multicast: anything, id: isU32, timers: anything, limits: anything, logger: isLogger, environment: anything,
  });
  const environment = options.environment ?? nodeEnvironment({ logger: options.logger });
  const { asap = ['tcp://127.0.0.1:3863'], enrp = [], peers = [], id } = options;
  if (id === 0) throw invalid('createRegistrar: id 0 is nobody');
  const multicast = resolveRegistrarMulticast(environment, options.multicast);
  if (enrp.length === 0 && (peers.length > 0 || multicast !== undefined)) throw invalid('createRegistrar: with peers or multicast it needs an address in enrp, where the others reach it');
  for (const address of [...asap, ...enrp, ...peers]) checkAddress(environment, address);
  const registrar = new Registrar(environment, id ?? (environment.random.u32() || 1), resolveTimers(options.timers), resolveLimits(options.limits), { asap, enrp, peers, multicast });
  await registrar.start();
  return registrar;
}

interface Places {
  readonly asap: readonly string[];
  readonly enrp: readonly string[];
  readonly peers: readonly string[];
  readonly multicast: RegistrarMulticastOptions | undefined;
}

/** A registrar of this process. */
export class Registrar {
  /** The statechart (machines/registrar.ts). */
  readonly actor: Actor<typeof registrarMachine>;
  readonly #environment: ActorEnvironment;
  readonly #core: RegistrarCore;
  readonly #enrp: Enrp;
  readonly #places: Places;
  readonly #events: Emitter<RegistrarEvents>;
  readonly #announcements: Announcements | undefined;
  /** Have not said anything yet, the oldest first. */
  readonly #silent = new Set<Association>();
  readonly #asapListeners: Listener[] = [];
  readonly #enrpListeners: Listener[] = [];
  readonly #left: Promise<void>;
  #failure: unknown;
  #isServing = false;

  /** @internal */
  constructor(environment: ActorEnvironment, identifier: number, timers: Timers, limits: RegistrarLimits, places: Places) {
    this.#environment = environment;
    this.#places = places;
    this.#events = new Emitter(environment.logger);
    this.#core = new RegistrarCore(identifier, environment, timers, limits, {
      registered: (key, peIdentifier) => { this.#events.emit('registered', { poolHandle: poolHandleText(key), peIdentifier }); },
      removed: (key, peIdentifier, reason) => { this.#events.emit('removed', { poolHandle: poolHandleText(key), peIdentifier, reason }); },
    });
    this.#enrp = this.#createEnrp(places.multicast !== undefined);
    this.#announcements = places.multicast === undefined ? undefined : this.#createAnnouncements(places.multicast);
    this.actor = createActor(registrarMachine, {
      clock: environment.clock,
      input: {
        timers, openKeepAlives: this.#core.openKeepAlives, openPeers: () => () => { this.#enrp.close(); },
        hasPeers: () => this.#enrp.hasPeers, hasActivePeers: () => this.#enrp.hasActivePeers, fraction: () => environment.random.fraction(),
      },
    });
    this.#left = new Promise((resolve) => {
      this.actor.on('*', (order) => { this.#obey(order); });
      this.actor.subscribe({ complete: resolve, error: (error) => { this.#complain(error); resolve(); } });
    });
  }

  /** Its identifier among registrars. */
  get identifier(): number { return this.#core.identifier; }
  /** Where it listens for pool elements and pool users, with the ports that were given. */
  get asap(): readonly string[] { return this.#asapListeners.map(({ address }) => address); }
  /** Where it listens for other registrars. */
  get enrp(): readonly string[] { return this.#enrpListeners.map(({ address }) => address); }

  on<E extends keyof RegistrarEvents>(event: E, listener: RegistrarEvents[E]): Unsubscribe { return this.#events.on(event, listener); }

  /** Counts of the moment. */
  stats(): { readonly pools: number; readonly elements: number; readonly associations: number } {
    const { handlespace, associations } = this.#core;
    return { pools: handlespace.poolCount, elements: handlespace.size, associations };
  }

  /** The other registrars on its list (RFC 5353 §3.4). */
  peers(): readonly KnownPeer[] {
    return [...this.#enrp.peers.values()].flatMap(({ id, addresses, state }) => (state === 'gone' ? [] : [{ id, addresses, state }]));
  }

  /** All that it knows; what `rserpool dump` prints. Made anew at each call: not for every second with 100 000 pool elements. */
  dump(): Dump {
    const pools = [...this.#core.handlespace.pools()].map((pool) => ({ key: pool.key, elements: [...pool.elements()].map(({ encoded }) => decodePoolElement(encoded)) }));
    return dumpOf(this.identifier, this.peers(), pools);
  }

  /** @internal For those who hold it against its invariants. */
  get handlespace(): RegistrarCore['handlespace'] { return this.#core.handlespace; }

  /** @internal */
  async start(): Promise<void> {
    const serving = new Promise<void>((resolve, reject) => {
      const { unsubscribe } = this.actor.subscribe(({ value, status }) => {
        if (value === 'serving') resolve();
        else if (status === 'done') reject(this.#failure instanceof Error ? this.#failure : new TransportError('LISTEN_FAILED', 'the registrar was closed before it served'));
        else return;
        unsubscribe();
      });
    });
    this.actor.start();
    await serving;
  }

  /** Hands its pool elements over to another registrar, where there is one, then ends all associations. Without another, they hunt. */
  close(options: EndOptions = {}): Promise<void> {
    return quiet(ending('close', options, async () => {
      if (this.actor.getSnapshot().status === 'active') this.actor.send({ type: 'close' });
      await this.#left;
    }));
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  #createEnrp(hasMulticast: boolean): Enrp {
    const isServing = (): boolean => this.#isServing;
    const places = (): readonly string[] => this.enrp;
    return new Enrp(this.#core, {
      get isServing() { return isServing(); },
      get enrp() { return places(); },
      tell: (news) => { this.actor.send(news); },
      peerChanged: (peer) => { this.#events.emit('peer', peer); },
      takeoverBegun: ({ target, initiator }) => { this.#events.emit('takeover', { target, role: initiator === this.identifier ? 'initiating' : 'bystander', outcome: 'begun' }); },
      takeoverEnded: ({ target, outcome }) => { this.#events.emit('takeover', { target, role: outcome === 'won' ? 'initiating' : 'bystander', outcome }); },
      failed: (error) => { this.#complain(error); },
    }, hasMulticast);
  }

  #createAnnouncements(options: RegistrarMulticastOptions): Announcements {
    const identifier = (): number => this.identifier;
    return new Announcements(this.#environment, options, {
      get identifier() { return identifier(); },
      asap: () => (this.#isServing ? this.asap : []), presences: () => this.#enrp.announced(), timers: this.#core.timers,
      hint: (registrar, address) => { this.#enrp.hint(registrar, address); },
    });
  }

  #obey(order: RegistrarOrder): void {
    switch (order.type) {
      case 'order.listen.enrp': return void this.#listen(this.#places.enrp, this.#enrpListeners, (address) => this.#openEnrp(address), () => this.#announcements?.start(), () => { this.#enrp.open(this.#places.peers); });
      case 'order.listen.asap': return void this.#listen(this.#places.asap, this.#asapListeners, (address) => this.#openAsap(address), () => undefined, () => { this.#isServing = true; });
      case 'order.mentor': return this.#enrp.joining.consider();
      case 'order.list': return this.#enrp.joining.requestList();
      case 'order.download': return this.#enrp.joining.requestTable();
      case 'order.download.end': return this.#enrp.joining.end();
      case 'order.mentor.rejected': return this.#enrp.joining.rejected();
      case 'order.handOver': return this.#enrp.handOver();
      case 'order.leave': return void this.#leave();
      case 'error.report': return this.#complain(order.error);
    }
  }

  async #listen(addresses: readonly string[], listeners: Listener[], open: (address: string) => Promise<Listener>, then: () => Promise<void> | undefined, done: () => void): Promise<void> {
    try {
      for (const address of addresses) listeners.push(await open(address));
      await then();
      done();
      this.actor.send({ type: 'listening' });
    } catch (error) {
      this.#failure = error;
      this.actor.send({ type: 'listen.failed' });
    }
  }

  async #leave(): Promise<void> {
    this.#announcements?.close();
    await Promise.all([...this.#asapListeners, ...this.#enrpListeners].map((listener) => listener.close()));
    this.#core.close();
    this.actor.send({ type: 'closed' });
  }

  #openAsap(address: string): Promise<Listener> {
    return this.#open(address, asapProtocol, this.#core.limits.associations, (link) => Association.accept(link, (association) => this.#accept(association), this.#environment));
  }

  #openEnrp(address: string): Promise<Listener> {
    return this.#open(address, enrpProtocol(this.identifier), 4 * this.#core.limits.peers, (link) => this.#enrp.accept(link));
  }

  #open(address: string, { framing, ppid }: Pick<ControlProtocol<never>, 'framing' | 'ppid'>, maxLinks: number, accept: (link: Link) => LinkHandler): Promise<Listener> {
    const { highWaterMark, queuedBytes, firstMessageTimeout, messageTimeout } = this.#core.limits;
    return this.#environment.transports(schemeOf(address)).listen(address, accept, { framing, ppid, silence: CONTROL_SILENCE, sliceTime: CONTROL_SLICE, highWaterMark, maxQueued: queuedBytes, maxLinks, firstFrameTimeout: firstMessageTimeout, frameTimeout: messageTimeout });
  }

  #accept(association: Association): AssociationOwner {
    const owner = this.#core.enter(association, () => { this.#silent.delete(association); });
    this.#silent.add(association);
    if (this.#silent.size > this.#core.limits.silentAssociations) this.#endSilent();
    return owner;
  }

  /** Somebody opens many and says nothing: those who come to say something still get in. */
  #endSilent(): void {
    const [oldest] = this.#silent;
    if (oldest === undefined) return;
    this.#silent.delete(oldest);
    oldest.destroy(new TransportError('IDLE_LINK', `${oldest.peer} has not said anything, and too many wait`));
  }

  #complain(error: unknown): void {
    this.#environment.logger.error({ err: error }, 'the registrar failed in a part of it');
    this.#events.emit('error', error);
  }
}

const isStringListOrEmpty = (value: unknown): string | undefined =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? undefined : 'a list of strings';
