import type { TransportError } from '../errors.js';
import { Handlespace, type Pool, type RegisteredElement } from '../handlespace/handlespace.js';
import type { RemovalReason } from '../machines/keep-alive.js';
import type { Timers } from '../machines/timers.js';
import { parseAddress } from '../transports/address.js';
import { encodeAsap, poolHandleFromKey, poolHandleKey, poolHandleText, type AsapMessageOf, type Cause, type ControlTransport, type Generation, type PoolElement } from '../wire/index.js';
import { inconsistency, invalidity } from './admission.js';
import type { Association } from './association.js';
import { schemeOf, type ActorEnvironment } from './environment.js';
import { KeepAlives, type KeepAlivesOwner, type Watched } from './keep-alives.js';
import type { RegistrarAssociation } from './registrar-association.js';
import type { RegistrarLimits } from './registrar-limits.js';
import { Subscriptions } from './subscriptions.js';

export interface RegistrarCoreOwner {
  registered(poolKey: string, peIdentifier: number): void;
  removed(poolKey: string, peIdentifier: number, reason: RemovalReason): void;
}

/** What a registrar does with each message: registrations, resolutions, reports (RFC 5352 §3). Plain calls; charts are behind `KeepAlives`. */
export class RegistrarCore implements KeepAlivesOwner {
  readonly handlespace: Handlespace;
  readonly #keepAlives: KeepAlives;
  readonly #associations = new Map<Association, RegistrarAssociation>();
  readonly #subscriptions: Subscriptions<RegistrarAssociation>;
  /** Registrations under an identifier whose present holder is being asked. */
  readonly #claims = new Map<RegisteredElement, Claim>();
  #isClosed = false;

  constructor(readonly identifier: number, readonly environment: ActorEnvironment, readonly timers: Timers, readonly limits: RegistrarLimits, private readonly owner: RegistrarCoreOwner) {
    this.handlespace = new Handlespace({ random: environment.random, items: limits.elementsPerAnswer });
    this.#keepAlives = new KeepAlives(this);
    this.#subscriptions = new Subscriptions(environment.clock, (subscriber, poolKey) => { this.#push(subscriber, poolKey); });
  }

  /** For the registrar's chart. */
  readonly openKeepAlives = (): (() => void) => () => { this.#keepAlives.close(); };

  get associations(): number { return this.#associations.size; }
  enter(association: RegistrarAssociation): void { this.#associations.set(association.association, association); }

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
    if (known !== undefined) this.#rejectClaim(known);
    this.#accept(by, key, poolElement, known);
  }

  #accept(by: RegistrarAssociation, key: string, poolElement: PoolElement, known: RegisteredElement | undefined): void {
    const generation = this.#generationOf(by, poolElement, known);
    const before = known?.encoded;
    if (known !== undefined && inconsistency(known.pool, poolElement) !== undefined) this.#dissolve(known);
    const element = this.handlespace.put(key, { ...poolElement, homeRegistrar: this.identifier, generation, asapTransport: poolElement.asapTransport ?? observed(by.association) });
    this.#bind(element, by);
    this.#keepAlives.registered(element, by.association, poolElement);
    by.association.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: element.pool.handle, peIdentifier: element.identifier, generation });
    if (element.encoded !== before) this.#subscriptions.changed(key); // most registrations are renewals, and say nothing new
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
    const isFull = pool === undefined ? handlespace.poolCount >= limits.pools : pool.size >= limits.elementsPerPool;
    return isFull || by.elements.size >= limits.registrationsPerAssociation ? { cause: 'lack-of-resources' } : undefined;
  }

  /** The only one of its pool makes another pool of it. */
  #dissolve(element: RegisteredElement): void {
    const association = this.#keepAlives.get(element)?.association;
    if (association !== undefined) this.#associations.get(association)?.elements.delete(element);
    this.handlespace.remove(element);
    this.#keepAlives.forget(element);
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
    const isLate = generation !== undefined && element?.generation !== undefined && element.generation.generation > generation.generation;
    if (watched !== undefined && !isLate) this.#keepAlives.send(watched, { type: 'ASAP_DEREGISTRATION' });
    by.association.send(answer); // §3.2: granted also where nothing is known of it
  }

  // ---- resolution, RFC 5352 §3.3

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
    if (element === undefined || watched?.association !== by.association) return;
    this.#keepAlives.acknowledged(watched);
    this.#rejectClaim(element);
  }

  reported(by: RegistrarAssociation, { poolHandle, peIdentifier }: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    const element = this.handlespace.find(poolHandleKey(poolHandle), peIdentifier);
    const watched = element && this.#keepAlives.get(element);
    if (watched !== undefined) this.#keepAlives.send(watched, { type: 'ASAP_ENDPOINT_UNREACHABLE', reporter: by.number });
  }

  removed({ element, association }: Watched, reason: RemovalReason): void {
    const { pool: { key }, identifier, generation } = element;
    this.handlespace.remove(element);
    if (association !== undefined) this.#associations.get(association)?.elements.delete(element);
    if (reason !== 'deregistered') {
      this.environment.logger.info({ pool: poolHandleText(key), peIdentifier: identifier, peer: association?.peer, reason }, 'a pool element is removed');
      // §2.2.4: told also when it did not ask; so one that was frozen learns at once that it has to register anew.
      association?.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: poolHandleFromKey(key), peIdentifier: identifier, generation });
    }
    this.#subscriptions.changed(key);
    this.owner.removed(key, identifier, reason);
    this.#grantClaim(element);
  }

  associationDown(by: RegistrarAssociation, reason: TransportError): void {
    this.#associations.delete(by.association);
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
  association !== undefined && hostOf(association) === hostOf(by.association) && JSON.stringify(userTransport) === JSON.stringify(element.userTransport);

const hostOf = ({ peer }: Association): string => parseAddress(peer, [schemeOf(peer)]).host;
const newest = (a: Generation | undefined, b: Generation | undefined): Generation | undefined => (a && b ? (a.generation > b.generation ? a : b) : (a ?? b));

/** §3.1 rule 4: where the registration came from, for an element that does not say where it listens. */
function observed({ peer }: Association): ControlTransport {
  const { host, port } = parseAddress(peer, [schemeOf(peer)]);
  return { transport: 'tcp', port, addresses: [host] };
}
