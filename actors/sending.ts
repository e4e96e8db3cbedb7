import type { DeliveryMode } from '../delivery/modes.js';
import type { Milliseconds } from '../environment.js';
import { AbortError, FeatureUnavailableError, type RserpoolError, SendToAllError, SessionError, UnknownPoolHandleError, type SendFailure } from '../errors.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import { poolHandleText, type PoolElement } from '../wire/index.js';
import type { AccessPointEvents, ErrorReport, PoolElementHandle } from './access-point-events.js';
import type { DataPlane } from './data-plane.js';
import type { Emitter } from './emitter.js';
import { FirstChoice } from './first-choice.js';
import { checkUnordered } from './lanes.js';
import { areTied, mappingOf, mappingOfScheme, reachedAt } from './mappings.js';
import { hex } from './session-failures.js';
import { modeFor, targetOf, type AccessPointSendOptions, type Target } from './sending-options.js';
import { SendingSession } from './sending-session.js';
import { checkSend, type SendOptions } from './session-messages.js';
import type { UserSession } from './session.js';
import { bounded } from './waiting.js';

export interface SendingSetup {
  readonly plane: DataPlane;
  readonly events: Emitter<AccessPointEvents>;
  readonly complain: (error: RserpoolError, details: ErrorReport) => void;
  /** Resolves when something is cached of the pool; what is stale is asked for again meanwhile, or first. */
  readonly known: (key: string, fresh: boolean) => Promise<void>;
  /** All of a pool, and how many there are besides that its registrar does not tell. */
  readonly list: (key: string) => Promise<{ readonly elements: readonly PoolElement[]; readonly unlisted: number }>;
  /** One element, also of a pool that is not known as a whole. */
  readonly find: (key: string, identifier: number) => Promise<PoolElement | undefined>;
}

/** A message on its way: its destination may still have to be resolved, its session opened. */
interface Message {
  readonly data: Uint8Array | string;
  readonly mode: DeliveryMode;
  readonly options: SendOptions;
  /** Virtual or real time of the call: a lifetime counts from there. */
  readonly since: Milliseconds;
}

/** DATA_SEND_REQUEST (draft §4.4, RFC 5352 §6.5): sends to pools, elements and addresses over sessions that it opens for that, one for each element: with failover, or pinned to it. */
export class Sending {
  readonly #setup: SendingSetup;
  readonly #plane: DataPlane;
  readonly #sessions = new Map<string, SendingSession>();
  /** Who got the last message to a pool. */
  readonly #last = new Map<string, { readonly session: SendingSession; readonly identifier: number }>();
  #isListening = false;

  constructor(setup: SendingSetup) {
    this.#setup = setup;
    this.#plane = setup.plane;
  }

  async send(destination: unknown, data: Uint8Array | string, options: AccessPointSendOptions): Promise<PoolElementHandle | readonly PoolElementHandle[] | undefined> {
    const { target, message, toAll, toSelf, toLast } = this.#checked(destination, data, options);
    if (target.kind === 'pool' && toAll) return this.#sendToAll(target, message, toSelf);
    return this.#sendOne(message, target, async () => {
      if (target.kind !== 'address') await this.#setup.known(target.key, false);
      return this.#sessionFor(target, message.mode, toLast);
    });
  }

  /** The payload is copied: the message may wait. */
  #checked(destination: unknown, data: Uint8Array | string, given: AccessPointSendOptions): { target: Target; message: Message; toLast: boolean; toAll: boolean; toSelf: boolean } {
    try {
      const length = checkSend(data, given, { messages: 1024, bytes: 1024 * 1024 }, 'rsp.send');
      const target = targetOf(this.#plane.environment, destination);
      const { toLast = false, toAll = false, toSelf = false, ...options } = given;
      const mode = modeFor(target, given);
      if (given.unordered === true) checkUnordered(length, mode === 'effectively-once');
      return { target, toLast, toAll, toSelf, message: { data: typeof data === 'string' ? data : Buffer.from(data), mode, options: { ...options, deliver: mode }, since: this.#now() } };
    } catch (error) {
      this.#setup.complain(error as RserpoolError, {});
      throw error;
    }
  }

  /** From now on somebody listens for `'data'`: what has come until now waits in its session. */
  listen(): void {
    this.#isListening = true;
    for (const session of this.#sessions.values()) session.listen();
  }

  // ---- one message

  async #sendOne(message: Message, target: Target, choose: () => Promise<SendingSession>): Promise<PoolElementHandle | undefined> {
    let session: SendingSession;
    let open: UserSession;
    try {
      session = await this.#within(message, choose());
      open = await this.#within(message, session.opened);
    } catch (error) {
      this.#setup.complain(error as RserpoolError, { destination: destinationOf(target), undelivered: Buffer.from(message.data as Uint8Array) });
      throw error;
    }
    session.use();
    const { element } = session;
    if (target.kind === 'pool' && element) this.#remember(target.key, session, element.identifier);
    await open.send(message.data, this.#left(message));
    return element;
  }

  /** `signal` and `lifetime` while the message waits for its session (D-3). */
  async #within<T>({ options: { signal, lifetime }, since }: Message, promise: Promise<T>): Promise<T> {
    const error = (): Error => new SessionError('MESSAGE_EXPIRED', `the message was not sent within its lifetime of ${lifetime ?? 0} ms`, { outcome: 'not-taken' });
    const timeout = lifetime === undefined ? undefined : { clock: this.#plane.environment.clock, after: Math.max(1, lifetime - (this.#now() - since)), error };
    try {
      return await bounded(promise, { signal, timeout });
    } catch (reason) {
      if (reason instanceof AbortError) throw new SessionError('MESSAGE_ABORTED', 'the message was aborted before it was sent', { cause: reason.cause, outcome: 'not-taken' });
      throw reason;
    }
  }

  #left({ options, since }: Message): SendOptions {
    return options.lifetime === undefined ? options : { ...options, lifetime: Math.max(1, options.lifetime - (this.#now() - since)) };
  }

  // ---- to all of a pool

  /** A copy to each; some sessions are opened at a time. Who cannot be reached costs the others nothing. */
  async #sendToAll(target: Target & { kind: 'pool' }, message: Message, toSelf: boolean): Promise<readonly PoolElementHandle[]> {
    const { key, handle } = target;
    const own = toSelf ? new Set<number>() : this.#plane.cards.own(key);
    let listed: Awaited<ReturnType<SendingSetup['list']>>;
    try {
      await this.#within(message, this.#setup.known(key, true));
      listed = await this.#within(message, this.#setup.list(key));
    } catch (error) {
      this.#setup.complain(error as RserpoolError, { undelivered: Buffer.from(message.data as Uint8Array) });
      throw error;
    }
    const { elements: all, unlisted } = listed;
    const reached = all.filter((element) => mappingOf(element).canCarrySessions);
    const isOtherwiseReached = (element: PoolElement): boolean => !mappingOf(element).canCarrySessions && reached.some((other) => areTied(element, other));
    const elements = onePerPlace(all.filter((element) => !own.has(element.identifier) && !isOtherwiseReached(element)));
    const delivered: PoolElementHandle[] = [];
    const failures: SendFailure[] = [];
    const rest = elements.values();
    const sender = async (): Promise<void> => {
      for (const element of rest) {
        const to = { handle, identifier: element.identifier };
        try {
          await this.#sendOne(message, { kind: 'element', key, ...to }, async () => this.#sessionWith(key, handle, element, message.mode));
          delivered.push(to);
        } catch (error) {
          failures.push({ element: to, error: error as RserpoolError });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, elements.length) }, sender));
    if (failures.length > 0 || unlisted > 0) throw this.#incomplete(new SendToAllError(poolHandleText(key), delivered, failures, unlisted));
    return delivered;
  }

  /** Who was not reached has been reported one by one; those whom the registrar does not list can only be counted. */
  #incomplete(error: SendToAllError): SendToAllError {
    if (error.unlisted > 0) this.#setup.complain(error, {});
    return error;
  }

  // ---- which session

  #sessionFor(target: Target, mode: DeliveryMode, toLast: boolean): SendingSession | Promise<SendingSession> {
    if (target.kind === 'address') return this.#sessionAt(target.address);
    const { key, handle } = target;
    if (target.kind === 'element') return this.#sessionWithElement(key, handle, target.identifier, mode);
    const last = toLast ? this.#last.get(key) : undefined;
    if (last === undefined) return this.#sessionWith(key, handle, this.#pick(key), mode);
    if (mode !== 'at-most-once' && !last.session.isOver && last.session.isFollowing) return last.session; // wherever it has moved to
    const identifier = last.session.element?.identifier ?? last.identifier;
    return this.#sessionWithElement(key, handle, identifier, mode);
  }

  /** At once where it is listed; else the registrar is asked where the pool is longer than its list.
   *  @throws SessionError ELEMENT_UNREACHABLE where it is not in the pool, and nobody else will do. */
  #sessionWithElement(key: string, handle: string | Uint8Array, identifier: number, mode: DeliveryMode): SendingSession | Promise<SendingSession> {
    const listed = this.#plane.pools.elements(key).find((known) => known.identifier === identifier);
    if (listed !== undefined) return this.#sessionWith(key, handle, listed, mode);
    return this.#setup.find(key, identifier).then((element) => this.#sessionWith(key, handle, element ?? this.#instead(key, identifier, mode), mode));
  }

  #instead(key: string, identifier: number, mode: DeliveryMode): PoolElement {
    if (mode !== 'at-most-once') return this.#pick(key);
    throw new SessionError('ELEMENT_UNREACHABLE', `${poolHandleText(key)} has no pool element ${hex(identifier)}`, { outcome: 'not-taken' });
  }

  /** By the pool's policy, for each message (RFC 5352 §6.5.2). */
  #pick(key: string): PoolElement {
    const avoid = new Set<number>();
    for (;;) {
      const element = this.#plane.pools.pick(key, avoid);
      if (element === undefined) throw new UnknownPoolHandleError(poolHandleText(key));
      if (mappingOf(element).canCarrySessions || avoid.has(element.identifier) || avoid.size >= MAX_PICKS) return checkCarries(element);
      avoid.add(element.identifier);
    }
  }

  #sessionWith(key: string, handle: string | Uint8Array, element: PoolElement, mode: DeliveryMode): SendingSession {
    const name = nameOf(key, element.identifier, mode);
    return this.#sessions.get(name) ?? this.#open(name, key, handle, new FirstChoice(this.#plane.pools, checkCarries(element), mode === 'at-most-once'));
  }

  #sessionAt(address: string): SendingSession {
    const name = `address ${address}`;
    const { scheme, host, port } = parseAddress(address, [schemeOf(address)]);
    const element: PoolElement = {
      identifier: 0, homeRegistrar: 0, registrationLife: -1, policy: { policy: 'round-robin' }, ...reachedAt(mappingOfScheme(scheme), host, port),
    };
    return this.#sessions.get(name) ?? this.#open(name, '', undefined, new FirstChoice(this.#plane.pools, element, true, true), address);
  }

  #open(name: string, key: string, handle: string | Uint8Array | undefined, view: FirstChoice, address = ''): SendingSession {
    const session = new SendingSession(this.#plane.create(key, view.stays ? { deliveryMode: 'at-most-once' } : {}, { pools: view }), {
      clock: this.#plane.environment.clock, events: this.#setup.events, complain: this.#setup.complain, handle, address, isFollowing: !view.stays,
      left: () => { if (this.#sessions.get(name) === session) this.#sessions.delete(name); }, // new messages for that element go to it
    });
    this.#sessions.set(name, session);
    if (this.#isListening) session.listen();
    return session;
  }

  #remember(key: string, session: SendingSession, identifier: number): void {
    this.#last.delete(key);
    this.#last.set(key, { session, identifier });
    if (this.#last.size > MAX_POOLS) this.#last.delete(this.#last.keys().next().value as string);
  }

  #now(): Milliseconds { return this.#plane.environment.clock.now(); }
}

/** A session for one element: pinned to it, or one that begins there. */
const nameOf = (key: string, identifier: number, mode: DeliveryMode): string => `${mode === 'at-most-once' ? 'pinned' : 'following'} ${identifier} ${key}`;

/** Who was started again where its predecessor was is listed beside it until that one is removed: one process, and one copy for it. The newest registration is its own. */
function onePerPlace(elements: readonly PoolElement[]): PoolElement[] {
  const newest = new Map<string, PoolElement>();
  for (const element of elements) {
    const place = JSON.stringify(element.userTransport);
    const known = newest.get(place);
    if (known === undefined || generationOf(known) <= generationOf(element)) newest.set(place, element);
  }
  return [...newest.values()];
}

const generationOf = ({ generation }: PoolElement): number => generation?.generation ?? 0;

/** @throws FeatureUnavailableError. */
function checkCarries(element: PoolElement): PoolElement {
  if (!mappingOf(element).canCarrySessions) throw new FeatureUnavailableError('a data channel', `mapping ${mappingOf(element).name}`);
  return element;
}

function destinationOf(target: Target): PoolElementHandle | string | undefined {
  if (target.kind === 'address') return target.address;
  return target.kind === 'element' ? { handle: target.handle, identifier: target.identifier } : undefined;
}

/** Sessions that `toAll` opens, or messages it has under way, at a time. */
const AT_A_TIME = 64;
/** Elements passed over in one selection at most. */
const MAX_PICKS = 64;
/** Pools whose last element is remembered; the one sent to longest ago is forgotten. */
const MAX_POOLS = 10_000;
