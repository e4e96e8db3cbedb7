import type { Milliseconds } from '../environment.js';
import type { TransportError } from '../errors.js';
import { Handlespace, type Pool, type RegisteredElement } from '../handlespace/handlespace.js';
import type { RemovalReason } from '../machines/keep-alive.js';
import type { Timers } from '../machines/timers.js';
import { poolHandleFromKey, poolHandleKey, poolHandleText, type AsapMessageOf, type Cause, type Generation, type Policy, type PoolElement } from '../wire/index.js';
import type { Association } from './association.js';
import type { ActorEnvironment } from './environment.js';
import { KeepAlives, type KeepAlivesOwner, type Watched } from './keep-alives.js';
import type { RegistrarAssociation } from './registrar-association.js';

/** Limits on everything that comes from the network (RFC 5355 §2.13, §2.14 ask for some and give no numbers: X-44). */
export interface RegistrarLimits {
  /** Associations at once. Default 20 000. */
  readonly associations: number;
  /** Default 100 000. */
  readonly pools: number;
  /** Pool elements in one pool. Default 100 000. */
  readonly elementsPerPool: number;
  /** Registrations over one association. Default 10 000. */
  readonly registrationsPerAssociation: number;
  /** Pools whose updates one association may ask for. Default 1000. */
  readonly subscriptionsPerAssociation: number;
  /** ASAP_ENDPOINT_UNREACHABLE heeded a second from one association. Default 20. */
  readonly reportsPerSecond: number;
  /** Bytes that may wait for one peer before its association is ended. Default 4 MiB. */
  readonly queuedBytes: number;
}
export const defaultLimits: RegistrarLimits = {
  associations: 20_000, pools: 100_000, elementsPerPool: 100_000, registrationsPerAssociation: 10_000, subscriptionsPerAssociation: 1_000, reportsPerSecond: 20, queuedBytes: 4 * 1024 * 1024,
};

export interface RegistrarCoreOwner {
  registered(key: string, element: PoolElement): void;
  removed(key: string, peIdentifier: number, reason: RemovalReason): void;
}

/** What a registrar does with each message: registrations, resolutions, reports (RFC 5352 §3). Plain calls; charts are behind `KeepAlives`. */
export class RegistrarCore implements KeepAlivesOwner {
  readonly handlespace: Handlespace;
  keepAlives: KeepAlives;
  readonly #associations = new Map<Association, RegistrarAssociation>();
  readonly #subscribers = new Map<string, Set<RegistrarAssociation>>();
  readonly #changed = new Set<string>();
  #pushTimer: unknown;
  #accepted = 0;

  constructor(readonly identifier: number, readonly environment: ActorEnvironment, readonly timers: Timers, readonly limits: RegistrarLimits, readonly owner: RegistrarCoreOwner) {
    this.handlespace = new Handlespace({ random: environment.random });
    this.keepAlives = new KeepAlives(this);
  }

  /** For the registrar's chart, which begins them anew should they ever fail. */
  readonly openKeepAlives = (): (() => void) => () => { this.keepAlives.close(); };

  get associations(): ReadonlyMap<Association, RegistrarAssociation> { return this.#associations; }

  nextNumber(): number { return ++this.#accepted; }
  enter(association: RegistrarAssociation): void { this.#associations.set(association.association, association); }

  close(): void {
    this.environment.clock.clearTimeout(this.#pushTimer);
    for (const association of this.#associations.keys()) association.close();
  }

  // ---- registration, RFC 5352 §3.1, §3.2

  register(by: RegistrarAssociation, { poolHandle, poolElement }: AsapMessageOf<'ASAP_REGISTRATION'>): void {
    const key = poolHandleKey(poolHandle);
    const known = this.handlespace.find(key, poolElement.identifier);
    const refusal = this.#refusal(by, key, poolElement, known);
    if (refusal) {
      this.environment.logger.info({ pool: poolHandleText(key), peIdentifier: poolElement.identifier, peer: by.association.peer, cause: refusal.cause }, 'a registration is rejected');
      by.association.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: true }, poolHandle, peIdentifier: poolElement.identifier, error: [refusal] });
      return;
    }
    const generation = this.#generationOf(by, poolElement, known);
    const before = known?.encoded;
    if (known && !belongs(known.pool, poolElement)) this.#dissolve(known);
    const element = this.handlespace.put(key, { ...poolElement, homeRegistrar: this.identifier, generation });
    this.#bind(element, by);
    this.keepAlives.registered(element, by.association, poolElement);
    by.association.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle, peIdentifier: poolElement.identifier, generation });
    if (element.encoded !== before) this.#poolChanged(key); // most registrations are renewals, and say nothing new
    if (!known) this.owner.registered(key, poolElement);
  }

  deregister(by: RegistrarAssociation, { poolHandle, peIdentifier, generation }: AsapMessageOf<'ASAP_DEREGISTRATION'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.keepAlives.get(element);
    const answer = { type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle, peIdentifier } as const;
    // "A PE may only deregister itself" (RFC 5352 §3.2): bound to the association.
    if (watched?.association && watched.association !== by.association && !watched.association.isDown) {
      by.association.send({ ...answer, error: [{ cause: 'rejected-due-to-security-considerations' }] });
      return;
    }
    // A late removal never deletes a newer registration.
    const isLate = generation !== undefined && element?.generation !== undefined && element.generation.generation > generation.generation;
    if (watched && !isLate) this.keepAlives.send(watched, { type: 'ASAP_DEREGISTRATION' });
    by.association.send({ ...answer, ...(generation && { generation }) }); // an unknown one is gone as it wishes to be; so does RSPLIB
  }

  #refusal(by: RegistrarAssociation, key: string, element: PoolElement, known: RegisteredElement | undefined): Cause | undefined {
    const { limits, handlespace } = this;
    const pool = handlespace.pool(key);
    if (element.identifier === 0 || (element.registrationLife <= 0 && element.registrationLife !== -1)) return { cause: 'invalid-values', parameter: new Uint8Array(0) };
    if (known && this.#isAnother(by, element, known)) return { cause: 'non-unique-pe-identifier' };
    if (pool && !(known && pool.size === 1)) { // alone in its pool it may change all of it
      if (!isSamePolicy(pool.policy, element.policy)) return { cause: 'inconsistent-pooling-policy', policy: pool.policy };
      if (pool.transport.transport !== element.userTransport.transport) return { cause: 'inconsistent-transport-type', transport: pool.transport };
    }
    if (known) return undefined;
    if (by.elements.size >= limits.registrationsPerAssociation || (pool?.size ?? 0) >= limits.elementsPerPool || (!pool && handlespace.poolCount >= limits.pools)) return { cause: 'lack-of-resources' };
    return undefined;
  }

  /** the same association, the same user transport, or nobody else who answers: the same element. Else somebody else has the identifier. */
  #isAnother(by: RegistrarAssociation, element: PoolElement, known: RegisteredElement): boolean {
    const watched = this.keepAlives.get(known);
    if (!watched?.association || watched.association === by.association || watched.association.isDown) return false;
    return JSON.stringify(element.userTransport) !== JSON.stringify(watched.userTransport);
  }

  /** The only one of its pool makes another pool of it. */
  #dissolve(element: RegisteredElement): void {
    const association = this.keepAlives.get(element)?.association;
    if (association) this.#associations.get(association)?.elements.delete(element);
    this.handlespace.remove(element);
    this.keepAlives.forget(element);
  }

  /** The home that accepts gives the generation; renewing over the same association keeps it. */
  #generationOf(by: RegistrarAssociation, element: PoolElement, known: RegisteredElement | undefined): Generation {
    const isRenewal = known?.generation !== undefined && known.home === this.identifier && this.keepAlives.get(known)?.association === by.association;
    return isRenewal ? known.generation! : this.handlespace.nextGeneration(this.identifier, newest(element.generation, known?.generation));
  }

  #bind(element: RegisteredElement, by: RegistrarAssociation): void {
    const before = this.keepAlives.get(element)?.association;
    if (before && before !== by.association) this.#associations.get(before)?.elements.delete(element);
    by.elements.add(element);
  }

  // ---- resolution, RFC 5352 §3.3

  resolve(by: RegistrarAssociation, key: string, wanted: number | undefined, sendUpdates: boolean): void {
    const pool = this.handlespace.pool(key);
    if (!pool) return this.#unknown(by, key);
    this.#answer(by, pool, wanted, sendUpdates && this.#subscribe(by, key));
  }

  #answer(by: RegistrarAssociation, pool: Pool, wanted: number | undefined, acceptUpdates: boolean): void {
    if (by.association.isDown) return;
    const { answer } = pool;
    answer.pick(wanted);
    const { bytes, offset } = by.association.link.reserve(answer.length);
    answer.write(bytes, offset, acceptUpdates);
  }

  #unknown(by: RegistrarAssociation, key: string): void {
    by.association.send({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: poolHandleFromKey(key), poolElements: [], error: [{ cause: 'unknown-pool-handle' }] });
  }

  #subscribe(by: RegistrarAssociation, key: string): boolean {
    if (by.subscriptions.size >= this.limits.subscriptionsPerAssociation && !by.subscriptions.has(key)) return false;
    by.subscriptions.add(key);
    const subscribers = this.#subscribers.get(key) ?? new Set();
    this.#subscribers.set(key, subscribers.add(by));
    return true;
  }

  /** Pushed on change, paced; a pool that vanished ends the subscription by a negative answer. */
  #poolChanged(key: string): void {
    if (!this.#subscribers.has(key)) return;
    this.#changed.add(key);
    this.#pushTimer ??= this.environment.clock.setTimeout(() => { this.#push(); }, PUSH_PACE);
  }

  #push(): void {
    this.#pushTimer = undefined;
    for (const key of this.#changed) for (const subscriber of this.#subscribers.get(key) ?? []) this.#update(subscriber, key);
    this.#changed.clear();
  }

  /** One who does not read gets what he missed when he does: the last state only. */
  #update(subscriber: RegistrarAssociation, key: string): void {
    const pool = this.handlespace.pool(key);
    if (!subscriber.association.link.writable) subscriber.owed.add(key);
    else if (pool) this.#answer(subscriber, pool, undefined, true);
    else {
      this.#unsubscribe(subscriber, key);
      this.#unknown(subscriber, key);
    }
  }

  /** He reads again. */
  pay(subscriber: RegistrarAssociation): void {
    const owed = [...subscriber.owed];
    subscriber.owed.clear();
    for (const key of owed) this.#update(subscriber, key);
  }

  #unsubscribe(subscriber: RegistrarAssociation, key: string): void {
    const subscribers = this.#subscribers.get(key);
    subscriber.subscriptions.delete(key);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#subscribers.delete(key);
  }

  // ---- keep-alive and reports, RFC 5352 §3.4, §3.5

  acknowledged(by: RegistrarAssociation, { poolHandle, peIdentifier }: AsapMessageOf<'ASAP_ENDPOINT_KEEP_ALIVE_ACK'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.keepAlives.get(element);
    if (watched && watched.association === by.association) this.keepAlives.send(watched, { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' });
  }

  /** The answer of an element whose association was gone: it is bound to the one that it answered on. */
  received(association: Association, watched: Watched, peIdentifier: number): void {
    if (watched.element.identifier !== peIdentifier) return;
    watched.association = association;
    this.keepAlives.send(watched, { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' });
  }

  reported(by: RegistrarAssociation, { poolHandle, peIdentifier }: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.keepAlives.get(element);
    if (watched) this.keepAlives.send(watched, { type: 'ASAP_ENDPOINT_UNREACHABLE', reporter: by.number });
  }

  removed({ element, association }: Watched, reason: RemovalReason): void {
    const { key } = element.pool;
    this.handlespace.remove(element);
    if (association) this.#associations.get(association)?.elements.delete(element);
    // RFC 5352 §2.2.4: told also when its life is over; so one that was frozen learns at once that it has to register anew.
    if (reason !== 'deregistered' && association && !association.isDown) {
      association.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: poolHandleFromKey(key), peIdentifier: element.identifier, ...(element.generation && { generation: element.generation }) });
    }
    this.#poolChanged(key);
    this.owner.removed(key, element.identifier, reason);
  }

  associationDown(by: RegistrarAssociation, reason: TransportError): void {
    this.#associations.delete(by.association);
    for (const key of by.subscriptions) this.#unsubscribe(by, key);
    for (const element of by.elements) {
      const watched = this.keepAlives.get(element);
      if (watched?.association === by.association) this.keepAlives.send(watched, { type: 'association.lost' });
    }
    if (reason.code !== 'LINK_CLOSED' && reason.code !== 'LINK_LOST') this.environment.logger.warn({ peer: by.association.peer, code: reason.code }, reason.message);
  }
}

/** Between two updates of a pool to its subscribers. */
const PUSH_PACE: Milliseconds = 100;

const newest = (a: Generation | undefined, b: Generation | undefined): Generation | undefined => (a && b ? (a.generation > b.generation ? a : b) : (a ?? b));

const belongs = (pool: Pool, { policy, userTransport }: PoolElement): boolean => isSamePolicy(pool.policy, policy) && pool.transport.transport === userTransport.transport;

const isSamePolicy = (a: Policy, b: Policy): boolean => a.policy === b.policy && (a.policy !== 'unknown' || b.policy !== 'unknown' || a.type === b.type);
