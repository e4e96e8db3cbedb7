import type { TransportError } from '../errors.js';
import { Handlespace, type Pool, type RegisteredElement } from '../handlespace/handlespace.js';
import type { RemovalReason } from '../machines/keep-alive.js';
import type { Timers } from '../machines/timers.js';
import { hostOf, parseAddress, schemeOf } from '../transports/address.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import { decodePoolElement, encodeAsap, poolHandleFromKey, poolHandleKey, poolHandleText, type AsapMessageOf, type Cause, type ControlTransport, type Generation, type PoolElement } from '../wire/index.js';
import { inconsistency, invalidity } from './admission.js';
import type { Association } from './association.js';
import { controlTransport } from './control-transports.js';
import type { ActorEnvironment } from './environment.js';
import { KeepAlives, type KeepAlivesOwner, type Watched } from './keep-alives.js';
import { RegistrarAssociation } from './registrar-association.js';
import type { RegistrarLimits } from './registrar-limits.js';
import { Subscriptions } from './subscriptions.js';

/** `home`: its home registrar, another one, says so. */
export type Removed = RemovalReason | 'home';

export interface RegistrarCoreOwner {
  registered(poolKey: string, peIdentifier: number): void;
  removed(poolKey: string, peIdentifier: number, reason: Removed): void;
}

/** The other registrars, as far as they are told what happens to the pool elements of this one (RFC 5353 §3.3). */
export interface Replicas {
  changed(element: RegisteredElement): void;
  removed(element: RegisteredElement): void;
  /** One of another registrar has gone from the handlespace. */
  gone(element: RegisteredElement): void;
  /** A pool element of another registrar is said to be unreachable. */
  reported(element: RegisteredElement): void;
  /** Whether that registrar is there. */
  isActive(registrar: number): boolean;
}

/** Of a registrar that is alone. */
const nobodyElse: Replicas = { changed: () => undefined, removed: () => undefined, gone: () => undefined, reported: () => undefined, isActive: () => false };

/** What a registrar does with each message: registrations, resolutions, reports (RFC 5352 §3). Plain calls; charts are behind `KeepAlives`. */
export class RegistrarCore implements KeepAlivesOwner {
  readonly handlespace: Handlespace;
  readonly #keepAlives: KeepAlives;
  readonly #associations = new Map<Association, RegistrarAssociation>();
  readonly #subscriptions: Subscriptions<RegistrarAssociation>;
  /** Registrations under an identifier whose present holder is being asked. */
  readonly #claims = new Map<RegisteredElement, Claim>();
  replicas: Replicas = nobodyElse;
  /** Of elements that were handed over; their new home will call. */
  readonly #left = new Set<Association>();
  #abandoned: (() => void) | undefined;
  #isClosed = false;

  /** @param identifier changes while it has not begun to serve, if another has the same. */
  constructor(public identifier: number, readonly environment: ActorEnvironment, readonly timers: Timers, readonly limits: RegistrarLimits, private readonly owner: RegistrarCoreOwner) {
    this.handlespace = new Handlespace({ random: environment.random, items: limits.elementsPerAnswer });
    this.#keepAlives = new KeepAlives(this);
    this.#subscriptions = new Subscriptions(environment.clock, (subscriber, poolKey) => { this.#push(subscriber, poolKey); });
  }

  /** For the registrar's chart. */
  readonly openKeepAlives = (): (() => void) => () => { this.#keepAlives.close(); };

  get monitor(): LoopMonitor { return this.#keepAlives.monitor; }
  get associations(): number { return this.#associations.size; }

  /** The registrar's end of an association. @param spoken called with its first frame, or at its end. */
  enter(association: Association, spoken: () => void = () => undefined): RegistrarAssociation {
    const entered = new RegistrarAssociation(this, association, spoken);
    this.#associations.set(association, entered);
    return entered;
  }

  probing(association: Association): RegistrarAssociation { return this.enter(association); }

  /** Ends all associations, once what is queued is written. */
  close(): void {
    this.#isClosed = true;
    this.#subscriptions.close();
    for (const association of this.#associations.keys()) association.close();
  }

  // ---- registration, RFC 5352 §3.1, §3.2

  register(by: RegistrarAssociation, message: AsapMessageOf<'ASAP_REGISTRATION'>): void {
    const { poolHandle, poolElement } = message;
    const key = poolHandleKey(poolHandle);
    const known = this.handlespace.find(key, poolElement.identifier);
    const holder = known && this.#keepAlives.get(known);
    const refusal = this.#refusal(by, key, poolElement, known);
    if (refusal !== undefined) return this.#reject(by, message, refusal);
    if (holder !== undefined && isHeldByAnother(holder, by) && !isSameElement(holder, by, poolElement)) return this.#claim(holder, { by, message });
    if (known !== undefined && this.#isAnothers(known, by, poolElement)) return this.#reject(by, message, { cause: 'non-unique-pe-identifier' });
    if (known !== undefined) this.#rejectClaim(known);
    this.#accept(by, key, poolElement, known);
  }

  #accept(by: RegistrarAssociation, key: string, poolElement: PoolElement, known: RegisteredElement | undefined): void {
    const generation = this.#generationOf(by, poolElement, known);
    const before = known?.encoded; // which has its home, too
    const isRenewal = isSameRegistration(known?.generation, generation);
    if (known !== undefined && inconsistency(known.pool, poolElement) !== undefined) this.#dissolve(known);
    const element = this.handlespace.put(key, { ...poolElement, homeRegistrar: this.identifier, generation, asapTransport: poolElement.asapTransport ?? observed(by.association) });
    this.#bind(element, by);
    this.#keepAlives.registered(element, by.association, whereItListens(poolElement, by.association));
    by.association.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: element.pool.handle, peIdentifier: element.identifier, generation });
    if (element.encoded !== before) { // most registrations are renewals, and say nothing new
      this.#subscriptions.changed(key, isRenewal ? 'values' : 'elements');
      this.replicas.changed(element);
    }
    if (known === undefined) this.owner.registered(key, element.identifier);
  }

  #reject(by: RegistrarAssociation, { poolHandle, poolElement: { identifier } }: AsapMessageOf<'ASAP_REGISTRATION'>, cause: Cause): void {
    if (by.mayLog()) this.environment.logger.info({ pool: poolHandleText(poolHandleKey(poolHandle)), peIdentifier: identifier, peer: by.association.peer, cause: cause.cause }, 'a registration is rejected');
    by.association.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: true }, poolHandle, peIdentifier: identifier, error: [cause] });
  }

  #refusal(by: RegistrarAssociation, key: string, element: PoolElement, known: RegisteredElement | undefined): Cause | undefined {
    const { limits, handlespace } = this;
    const pool = handlespace.pool(key);
    const isAlone = known !== undefined && pool?.size === 1; // it may change all of its pool: rule 3 guards the others
    const cause = invalidity(element) ?? (pool && !isAlone ? inconsistency(pool, element) : undefined);
    if (cause !== undefined || known !== undefined) return cause;
    return !this.#hasRoom(key) || by.elements.size >= limits.registrationsPerAssociation ? { cause: 'lack-of-resources' } : undefined;
  }

  /** The only one of its pool makes another pool of it. */
  #dissolve(element: RegisteredElement): void {
    const association = this.#keepAlives.get(element)?.association;
    if (association !== undefined) this.#associations.get(association)?.elements.delete(element);
    this.handlespace.remove(element);
    this.#keepAlives.forget(element);
    this.replicas.removed(element);
  }

  /** X-15 where the home is another registrar: an element that changes its home says its generation, comes from where it was, or listens where it listened. */
  #isAnothers({ home, encoded }: RegisteredElement, by: RegistrarAssociation, element: PoolElement): boolean {
    if (home === this.identifier || element.generation !== undefined || !this.replicas.isActive(home)) return false;
    const known = decodePoolElement(encoded);
    return !isSameTransport(known.userTransport, element.userTransport) && !isFrom(known, by.association);
  }

  /** who holds the identifier over another association that seems to be up is asked. If it answers, the claim is another's: 0x4. If its association
   *  turns out to be gone, or it does not answer, it was the same element, back by another way. */
  #claim(holder: Watched, claim: Claim): void {
    this.#rejectClaim(holder.element);
    this.#claims.set(holder.element, claim);
    this.#keepAlives.send(holder, { type: 'identifier.claimed' });
  }

  #rejectClaim(element: RegisteredElement): void {
    const claim = this.#claims.get(element);
    if (claim === undefined) return;
    this.#claims.delete(element);
    this.#reject(claim.by, claim.message, { cause: 'non-unique-pe-identifier' });
  }

  #grantClaim(element: RegisteredElement): void {
    const claim = this.#claims.get(element);
    if (claim === undefined) return;
    this.#claims.delete(element);
    if (!claim.by.association.isDown) this.register(claim.by, claim.message);
  }

  /** The home that accepts gives the generation; renewing over the same association keeps it. */
  #generationOf(by: RegistrarAssociation, element: PoolElement, known: RegisteredElement | undefined): Generation {
    const isRenewal = known?.home === this.identifier && this.#keepAlives.get(known)?.association === by.association;
    return (isRenewal ? known.generation : undefined) ?? this.handlespace.nextGeneration(this.identifier, newest(element.generation, known?.generation));
  }

  #bind(element: RegisteredElement, by: RegistrarAssociation): void {
    const before = this.#keepAlives.get(element)?.association;
    if (before !== undefined && before !== by.association) this.#associations.get(before)?.elements.delete(element);
    by.elements.add(element);
  }

  deregister(by: RegistrarAssociation, { poolHandle, peIdentifier, generation }: AsapMessageOf<'ASAP_DEREGISTRATION'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.#keepAlives.get(element);
    const answer = { type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle, peIdentifier, generation } as const;
    // Handle and identifier are to show that it is the element itself (§3.2), but everybody knows them: it is bound to its association.
    if (watched !== undefined && isHeldByAnother(watched, by)) {
      by.association.send({ ...answer, error: [{ cause: 'rejected-due-to-security-considerations' }] });
      return;
    }
    // A late removal never deletes a newer registration.
    const isLate = generation !== undefined && element?.generation !== undefined && element.generation.generation - element.takeovers > generation.generation;
    if (watched !== undefined && !isLate) this.#keepAlives.send(watched, { type: 'ASAP_DEREGISTRATION' });
    // It has lost its home and leaves before it is taken over: who grants that becomes its home for a moment, so that the others believe it.
    else if (element !== undefined && !isLate && isFrom(decodePoolElement(element.encoded), by.association)) {
      this.handlespace.rehome(element, this.identifier);
      this.replicas.changed(element);
      this.#remove(element, 'deregistered');
    }
    by.association.send(answer); // §3.2: granted also where nothing is known of it
  }

  // ---- resolution, RFC 5352 §3.3

  /** A page of a pool is neither a pick nor a subscription (0x8f08). */
  page(by: RegistrarAssociation, key: string, from: number, wanted: number | undefined): void {
    const pool = this.handlespace.pool(key);
    if (pool === undefined) return this.#refuse(by, key);
    by.association.sendFrame(pool.page(from, wanted));
  }

  resolve(by: RegistrarAssociation, key: string, wanted: number | undefined, sendUpdates: boolean): void {
    const pool = this.handlespace.pool(key);
    if (pool === undefined) return this.#refuse(by, key);
    this.#answer(by, pool, wanted, sendUpdates && this.#subscribe(by, key));
  }

  #answer({ association }: RegistrarAssociation, { answer }: Pool, wanted: number | undefined, acceptUpdates: boolean): void {
    if (association.isDown) return;
    const message = answer.pick(wanted);
    const { bytes, offset } = association.link.reserve(message.length);
    bytes.set(message, offset);
    if (acceptUpdates) bytes[offset + 1] = ACCEPT_UPDATES;
  }

  #refuse(by: RegistrarAssociation, key: string): void {
    by.association.sendFrame(encodeAsap({
      type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: poolHandleFromKey(key), poolElements: [], error: [{ cause: 'unknown-pool-handle' }],
    }));
  }

  #subscribe(by: RegistrarAssociation, key: string): boolean {
    if (by.subscriptions.size >= this.limits.subscriptionsPerAssociation && !by.subscriptions.has(key)) return false;
    this.#subscriptions.add(by, key);
    return true;
  }

  /** A pool that has vanished ends the subscription by a negative answer. */
  #push(by: RegistrarAssociation, key: string): void {
    const pool = this.handlespace.pool(key);
    if (pool !== undefined) return this.#answer(by, pool, undefined, true);
    this.#subscriptions.remove(by, key);
    this.#refuse(by, key);
  }

  drained(by: RegistrarAssociation): void { this.#subscriptions.drained(by); }

  // ---- keep-alive and reports, RFC 5352 §3.4, §3.5

  acknowledged(by: RegistrarAssociation, { poolHandle, peIdentifier }: AsapMessageOf<'ASAP_ENDPOINT_KEEP_ALIVE_ACK'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.#keepAlives.get(element);
    if (element === undefined || watched === undefined || !this.#keepAlives.acknowledged(watched, by.association)) return;
    by.elements.add(element);
    this.#rejectClaim(element);
  }

  reported(by: RegistrarAssociation, { poolHandle, peIdentifier }: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.#keepAlives.get(element);
    if (watched !== undefined) this.#keepAlives.send(watched, { type: 'ASAP_ENDPOINT_UNREACHABLE', reporter: by.number });
    else if (element !== undefined) this.replicas.reported(element);
  }

  removed({ element, association }: Watched, reason: RemovalReason): void {
    const { pool: { key }, identifier, generation } = element;
    if (association !== undefined) this.#associations.get(association)?.elements.delete(element);
    if (reason !== 'deregistered') {
      this.environment.logger.info({ pool: poolHandleText(key), peIdentifier: identifier, peer: association?.peer, reason }, 'a pool element is removed');
      // §2.2.4: told also when it did not ask; so one that was frozen learns at once that it has to register anew.
      association?.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: poolHandleFromKey(key), peIdentifier: identifier, generation });
    }
    this.#remove(element, reason);
    this.#grantClaim(element);
  }

  #remove(element: RegisteredElement, reason: Removed): void {
    const { pool: { key }, identifier } = element;
    if (!this.handlespace.remove(element)) return;
    this.#subscriptions.changed(key);
    if (element.home === this.identifier) this.replicas.removed(element);
    else this.replicas.gone(element);
    this.owner.removed(key, identifier, reason);
  }

  // ---- what other registrars say, RFC 5353 §3.3, §3.5

  /** A pool element of another registrar is new, has changed, or has moved there. */
  replicated(key: string, poolElement: PoolElement): RegisteredElement | undefined {
    const known = this.handlespace.find(key, poolElement.identifier);
    if (known === undefined && !this.#hasRoom(key)) return undefined;
    if (known?.home === this.identifier) this.#disown(known);
    // The only one of its pool makes another pool of it, at its home and here.
    const isOther = known !== undefined && known.pool.size === 1 && inconsistency(known.pool, poolElement) !== undefined;
    if (isOther) this.handlespace.remove(known);
    const before = isOther ? undefined : known?.encoded;
    const isRenewal = isSameRegistration(known?.generation, poolElement.generation);
    const element = this.handlespace.put(key, poolElement);
    if (poolElement.generation !== undefined) this.handlespace.noteGeneration(poolElement.generation);
    if (element.encoded !== before) this.#subscriptions.changed(key, isRenewal ? 'values' : 'elements');
    if (known === undefined) this.owner.registered(key, element.identifier);
    return element;
  }

  /** Its home has removed it. */
  unreplicated(element: RegisteredElement): void { this.#remove(element, 'home'); }

  /** Takes over another registrar's pool element, or again its own of a former life: asks it to adopt this one (§3.5.2). */
  claim(element: RegisteredElement): void {
    this.handlespace.rehome(element, this.identifier);
    this.#keepAlives.claimed(element);
  }

  /** Another registrar has taken it over. */
  yield(element: RegisteredElement, home: number, isHandedOver = false): void {
    if (element.home === this.identifier) this.#disown(element, isHandedOver);
    this.handlespace.rehome(element, home);
  }

  /** Calls back when the processes whose elements were handed over have left, or at once. */
  whenAbandoned(abandoned: () => void): void {
    if (this.#left.size === 0) return abandoned();
    this.#abandoned = abandoned;
  }

  /** An operator, or another registrar, wants it removed; alive it may come back. @returns false where this is not its home. */
  dismiss({ pool: { key }, identifier }: RegisteredElement): boolean {
    const element = this.handlespace.find(key, identifier);
    const watched = element && this.#keepAlives.get(element);
    if (watched === undefined) return false;
    this.#keepAlives.send(watched, { type: 'dismiss' });
    return true;
  }

  /** Passed on by another registrar, which stands for all who reported there. */
  accused(element: RegisteredElement, accuser: number): void {
    const watched = this.#keepAlives.get(element);
    if (watched !== undefined) this.#keepAlives.send(watched, { type: 'ASAP_ENDPOINT_UNREACHABLE', reporter: -accuser });
  }

  /** The element is told: if it still takes this registrar for its home it registers anew, and that word will be the newest. Nobody can talk it away. */
  #disown(element: RegisteredElement, isHandedOver = false): void {
    const association = this.#keepAlives.get(element)?.association;
    this.#keepAlives.forget(element);
    if (association === undefined) return;
    this.#associations.get(association)?.elements.delete(element);
    if (isHandedOver) this.#left.add(association);
    else association.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: element.pool.handle, peIdentifier: element.identifier, generation: element.generation });
  }

  #hasRoom(key: string): boolean {
    const pool = this.handlespace.pool(key);
    return pool === undefined ? this.handlespace.poolCount < this.limits.pools : pool.size < this.limits.elementsPerPool;
  }

  associationDown(by: RegistrarAssociation, reason: TransportError): void {
    this.#associations.delete(by.association);
    if (this.#left.delete(by.association) && this.#left.size === 0) this.#abandoned?.();
    this.#subscriptions.drop(by);
    for (const [element, claim] of this.#claims) if (claim.by === by) this.#claims.delete(element);
    if (this.#isClosed) return;
    for (const element of by.elements) this.#grantClaim(element);
    this.#keepAlives.lost(by.association, by.elements);
    if (reason.code !== 'LINK_CLOSED' && reason.code !== 'LINK_LOST') this.environment.logger.warn({ peer: by.association.peer, code: reason.code }, reason.message);
  }
}

/** The A flag, RFC 5352 §2.2.6. */
const ACCEPT_UPDATES = 0x01;

interface Claim {
  readonly by: RegistrarAssociation;
  readonly message: AsapMessageOf<'ASAP_REGISTRATION'>;
}

const isHeldByAnother = ({ association }: Watched, by: RegistrarAssociation): boolean => association !== undefined && association !== by.association && !association.isDown;

/** who comes from the same host with the same user transport is the same element, back over another association; nobody else could listen there.
 *  There is no better identity without TLS. */
const isSameElement = ({ association, userTransport }: Watched, by: RegistrarAssociation, element: PoolElement): boolean =>
  association !== undefined && hostOf(association.peer) === hostOf(by.association.peer) && userTransport !== undefined && isSameTransport(userTransport, element.userTransport);

const isSameTransport = (a: PoolElement['userTransport'], b: PoolElement['userTransport']): boolean => JSON.stringify(a) === JSON.stringify(b);

/** It comes from one of the hosts that the element's transports name. */
function isFrom({ userTransport, asapTransport }: PoolElement, association: Association): boolean {
  const named = [userTransport, asapTransport].flatMap((transport) => (transport !== undefined && 'addresses' in transport ? transport.addresses : []));
  return named.includes(hostOf(association.peer));
}

const isSameRegistration = (a: Generation | undefined, b: Generation | undefined): boolean => a !== undefined && a.generation === b?.generation && a.home === b.home;

const newest = (a: Generation | undefined, b: Generation | undefined): Generation | undefined => (a && b ? (a.generation > b.generation ? a : b) : (a ?? b));

/** §3.1 rule 4: where the registration came from, for an element that does not say where it listens. */
function observed({ peer }: Association): ControlTransport {
  const { host, port } = parseAddress(peer, [schemeOf(peer)]);
  return controlTransport(schemeOf(peer), port, [host]);
}

/** Of SCTP it is also where the element takes associations, RSPLIB's do: one end both connects and listens. */
const whereItListens = (element: PoolElement, association: Association): PoolElement =>
  element.asapTransport !== undefined || schemeOf(association.peer) === 'tcp' ? element : { ...element, asapTransport: observed(association) };
