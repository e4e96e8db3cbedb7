import { createActor, type Actor } from 'xstate';
import type { Logger } from '../environment.js';
import { TransportError } from '../errors.js';
import { registrarMachine } from '../machines/registrar.js';
import { resolveTimers, type TimerOptions, type Timers } from '../machines/timers.js';
import type { Listener } from '../transports/transport.js';
import { asapFraming, poolHandleText } from '../wire/index.js';
import { Association, type AssociationOwner } from './association.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { nodeEnvironment, schemeOf, type ActorEnvironment } from './environment.js';
import { anything, checkAddress, checkOptions, invalid, isLogger, isU32, notYet } from './options.js';
import { RegistrarCore, type Removed } from './registrar-core.js';
import { resolveLimits, type RegistrarLimits } from './registrar-limits.js';

export interface RegistrarOptions {
  /** Where pool elements and pool users come in, `tcp://host:port`; port 0 takes a free one. Default `['tcp://127.0.0.1:3863']`, ASAP's port. */
  readonly asap?: readonly string[];
  /** Where other registrars come in; none in this release. */
  readonly enrp?: readonly string[];
  /** Other registrars; none in this release. */
  readonly peers?: readonly string[];
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
  /** Something in it failed; it goes on. */
  error: (error: unknown) => void;
}

/** Runs a registrar (ENRP server). Rejects with UsageError, or TransportError ADDRESS_IN_USE, LISTEN_FAILED. */
export async function createRegistrar(options: RegistrarOptions = {}): Promise<Registrar> {
  checkOptions('createRegistrar', options, { asap: isStringListOrEmpty, enrp: anything, peers: anything, id: isU32, timers: anything, limits: anything, logger: isLogger, environment: anything });
  const environment = options.environment ?? nodeEnvironment({ logger: options.logger });
  const { asap = ['tcp://127.0.0.1:3863'], enrp = [], peers = [], id } = options;
  if (enrp.length > 0 || peers.length > 0) throw notYet('registrars among each other (ENRP)');
  if (id === 0) throw invalid('createRegistrar: id 0 is nobody');
  for (const address of asap) checkAddress(environment, address);
  const registrar = new Registrar(environment, id ?? (environment.random.u32() || 1), resolveTimers(options.timers), resolveLimits(options.limits));
  await registrar.listen(asap);
  return registrar;
}

/** A registrar of this process. */
export class Registrar {
  /** The statechart (machines/registrar.ts). */
  readonly actor: Actor<typeof registrarMachine>;
  readonly #environment: ActorEnvironment;
  readonly #core: RegistrarCore;
  readonly #events: Emitter<RegistrarEvents>;
  /** Have not said anything yet, the oldest first. */
  readonly #silent = new Set<Association>();
  readonly #listeners: Listener[] = [];
  readonly #left: Promise<void>;

  /** @internal */
  constructor(environment: ActorEnvironment, identifier: number, timers: Timers, limits: RegistrarLimits) {
    this.#environment = environment;
    this.#events = new Emitter(environment.logger);
    this.#core = new RegistrarCore(identifier, environment, timers, limits, {
      registered: (key, peIdentifier) => { this.#events.emit('registered', { poolHandle: poolHandleText(key), peIdentifier }); },
      removed: (key, peIdentifier, reason) => { this.#events.emit('removed', { poolHandle: poolHandleText(key), peIdentifier, reason }); },
    });
    this.actor = createActor(registrarMachine, { clock: environment.clock, input: { openKeepAlives: this.#core.openKeepAlives } });
    this.actor.on('error.report', ({ error }) => { this.#complain(error); });
    this.#left = new Promise((resolve) => {
      this.actor.on('order.leave', () => void this.#leave());
      this.actor.subscribe({ complete: resolve, error: (error) => { this.#complain(error); resolve(); } });
    });
  }

  /** Its identifier among registrars. */
  get identifier(): number { return this.#core.identifier; }
  /** Where it listens for pool elements and pool users, with the ports that were given. */
  get asap(): readonly string[] { return this.#listeners.map(({ address }) => address); }

  on<E extends keyof RegistrarEvents>(event: E, listener: RegistrarEvents[E]): Unsubscribe { return this.#events.on(event, listener); }

  /** Counts of the moment. */
  stats(): { readonly pools: number; readonly elements: number; readonly associations: number } {
    const { handlespace, associations } = this.#core;
    return { pools: handlespace.poolCount, elements: handlespace.size, associations };
  }

  /** @internal */
  async listen(addresses: readonly string[]): Promise<void> {
    this.actor.start();
    try {
      for (const address of addresses) this.#listeners.push(await this.#open(address));
      this.actor.send({ type: 'listening' });
    } catch (error) {
      this.actor.send({ type: 'listen.failed' });
      await this.#left;
      throw error;
    }
  }

  /** Stops listening and ends all associations: pool elements hunt for another registrar. */
  async close(): Promise<void> {
    if (this.actor.getSnapshot().status === 'active') this.actor.send({ type: 'close' });
    await this.#left;
  }

  async #leave(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#core.close();
    this.actor.send({ type: 'closed' });
  }

  #open(address: string): Promise<Listener> {
    const { highWaterMark, queuedBytes, associations, firstMessageTimeout, messageTimeout } = this.#core.limits;
    return this.#environment.transports(schemeOf(address)).listen(
      address,
      (link) => Association.accept(link, (association) => this.#accept(association), this.#environment),
      { framing: asapFraming, highWaterMark, maxQueued: queuedBytes, maxLinks: associations, firstFrameTimeout: firstMessageTimeout, frameTimeout: messageTimeout },
    );
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
