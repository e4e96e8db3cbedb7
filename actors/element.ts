import { createActor, type Actor } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { NoRegistrarError, RegistrationError, UsageError, type RserpoolError } from '../errors.js';
import { poolElementMachine, type PoolElementNews } from '../machines/pool-element.js';
import type { Timers } from '../machines/timers.js';
import type { AsapMessageOf, Cause, Generation, Policy, PoolElement as PoolElementParameter } from '../wire/index.js';
import { AdaptivePolicy, LoadSampler } from './adaptive-policy.js';
import { checkCookieKeys, type CookieKey, type CookieOptions } from './cookie-signer.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import type { ActorEnvironment } from './environment.js';
import type { Home } from './home.js';
import type { LocalElement } from './local-elements.js';
import { anything, checkOptions, invalid, isBoolean, isDelay, isSignal } from './options.js';
import { checkPolicy, type PolicyOption } from './policies.js';
import type { DrainOptions } from './service.js';
import { bounded, deferred, ending, quiet, type Deferred, type EndOptions } from './waiting.js';

export interface PoolElementEvents {
  /** A registrar has acknowledged the registration, after `lost`. (The first time is when `register` resolves.) */
  registered: (info: { readonly registrar: string | undefined; readonly generation: number | undefined }) => void;
  /** No registrar vouches for the registration now; it is being renewed. `reason`: the timer that expired, `silence`, `transport.down`, `removed`; or it was
   *  `rejected`, and waits for an `update`. */
  lost: (info: { readonly reason: string }) => void;
  /** The registration was rejected, or MAX-REG-ATTEMPT attempts had no answer (it goes on all the same). */
  error: (error: RserpoolError) => void;
  /** The last event: deregistered, or rejected for good. */
  closed: () => void;
}

export interface UpdateOptions {
  readonly policy?: PolicyOption;
  /** As for `register`: a new key in front signs from now on; keep the old ones until all elements have it and a minute has passed. No registrar is told. */
  readonly cookieKeys?: readonly CookieKey[];
  readonly foreignCookies?: boolean;
}
export interface WaitOptions {
  /** Ends the wait; what was begun goes on. */
  readonly signal?: AbortSignal;
  /** Milliseconds. Default: the access point's `timeout`. */
  readonly timeout?: Milliseconds;
}

/** Its data channels, if it has any. */
export interface ElementService {
  updateCookies(options: Pick<CookieOptions, 'cookieKeys' | 'foreignCookies'>): void;
  drain(options: { readonly timeout: Milliseconds | undefined }): Promise<void>;
  close(): Promise<void>;
}

export interface ElementSetup {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly home: Home;
  readonly key: string;
  /** As the application gave it. */
  readonly handle: string | Uint8Array;
  readonly timeout: Milliseconds;
  readonly service: ElementService | undefined;
  /** The registration as it has to be now: addresses may depend on the way to the home registrar. */
  readonly registration: (policy: Policy) => AsapMessageOf<'ASAP_REGISTRATION'>;
  readonly address: () => string;
  readonly identifier: number;
  readonly policy: PolicyOption;
  /** A registrar has accepted it as it is now. */
  readonly registered: () => void;
  readonly left: () => void;
}

/** A pool element of this process: registered, and kept so. */
export class PoolElement implements LocalElement {
  /** The statechart (machines/pool-element.ts). */
  readonly actor: Actor<typeof poolElementMachine>;
  readonly handle: string | Uint8Array;
  /** PE identifier. */
  readonly identifier: number;
  readonly #setup: ElementSetup;
  readonly #events: Emitter<PoolElementEvents>;
  readonly #joined = deferred<void>();
  readonly #ended = deferred<void>();
  #registration: AsapMessageOf<'ASAP_REGISTRATION'>;
  /** As the application gave it, and as it is registered. */
  #option: PolicyOption;
  #policy: Policy;
  #sampler: LoadSampler | undefined;
  #update: { readonly before: PolicyOption; readonly answer: Deferred<void> } | undefined;
  #generation: Generation | undefined;
  #isRegistered = false;
  #wasRegistered = false;
  #isOver = false;
  #leaving: Promise<void> | undefined;

  /** @internal */
  constructor(setup: ElementSetup) {
    const { environment: { clock, random, logger }, timers, home } = setup;
    this.#setup = setup;
    this.#option = setup.policy;
    this.#policy = this.#adopt(setup.policy);
    this.handle = setup.handle;
    this.identifier = setup.identifier;
    this.#events = new Emitter(logger);
    this.#registration = setup.registration(this.#policy);
    this.actor = createActor(poolElementMachine, { clock, input: { home: home.ref, registration: this.#registration, timers, sinceProgress: () => home.sinceProgress(this), fraction: () => random.fraction() } });
    this.actor.on('*', (news) => this.#noted(news));
    this.actor.subscribe({ error: (error) => this.#failed(error) });
    home.join(setup.key, setup.identifier, this);
    this.actor.start();
  }

  /** What others connect to. */
  get address(): string { return this.#setup.address(); }
  /** As it is registered; one whose load is a function, with the load told last. */
  get policy(): Policy { return this.#policy; }
  /** A registrar has acknowledged the registration, and nothing speaks against it since. */
  get isRegistered(): boolean { return this.#isRegistered; }
  /** One for each mapping, this one first. */
  get registrations(): readonly PoolElement[] { return [this]; }
  /** @internal LocalElement */
  get generation(): Generation | undefined { return this.#generation; }
  /** @internal Of its pool handle. */
  get key(): string { return this.#setup.key; }
  /** @internal As it is registered. */
  get parameter(): PoolElementParameter { return this.#registration.poolElement; }

  on<E extends keyof PoolElementEvents>(event: E, listener: PoolElementEvents[E]): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /** Registers again with another policy or load (RFC 5352 §3.1). Resolves when a registrar has accepted it; rejects with RegistrationError where none does, and the element stays registered as it was. */
  async update(options: UpdateOptions, wait: WaitOptions = {}): Promise<void> {
    checkOptions('update', options, { policy: anything, cookieKeys: anything, foreignCookies: isBoolean });
    checkOptions('update', wait, { signal: isSignal, timeout: isDelay });
    if (this.#isOver || this.#leaving !== undefined) throw new UsageError('CLOSED', 'the pool element has left its pool');
    const { policy, cookieKeys, foreignCookies } = options;
    if (policy !== undefined) checkPolicy('update', policy);
    this.#updateCookies(cookieKeys, foreignCookies);
    if (policy === undefined) return;
    const before = this.#option;
    this.#policy = this.#adopt(policy);
    this.#update?.answer.resolve(); // what came later counts
    const answer = deferred<void>();
    this.#update = { before, answer };
    this.#register();
    return bounded(answer.promise, this.#bounds(wait));
  }

  /** Leaves the pool (RFC 5352 §3.2; by handle and PE identifier, where draft §4.2 names mapping, port and policy: X-4), then ends its data channels: sessions move to other elements. Resolves also where no registrar acknowledges it in time: the registration then ends with its life. */
  deregister(options: EndOptions = {}): Promise<void> {
    return quiet(ending('deregister', options, () => (this.#leaving ??= this.#leave())));
  }

  [Symbol.asyncDispose](): Promise<void> { return this.deregister(); }

  /** Leaves the pool at all registrars, hands its sessions over to other elements with their state (D-27), and closes when all have left, or after `timeout`: sessions that nobody took are closed then, and go on
   *  looking for an element. One that is leaving already goes on as it was told first. */
  drain(options: DrainOptions = {}): Promise<void> {
    return quiet(this.#drain(options));
  }

  async #drain(options: DrainOptions): Promise<void> {
    checkOptions('drain', options, { timeout: isDelay, signal: isSignal });
    return bounded((this.#leaving ??= this.#leave({ timeout: options.timeout })), { signal: options.signal });
  }

  /** @internal `register` has given up: nothing stays open; that we leave is told to a registrar in the background, if one ever knew of us. */
  async withdraw(): Promise<void> {
    this.deregister().catch(() => undefined);
    await this.#setup.service?.close();
  }

  /** @internal While it leaves: resolves when its sessions have left too, or have had their time. */
  get gone(): Promise<void> { return this.#leaving ?? Promise.resolve(); }

  /** @internal Resolves at the first acknowledgement. */
  joined(wait: WaitOptions): Promise<void> {
    return bounded(this.#joined.promise, this.#bounds(wait));
  }

  /** @internal LocalElement */
  homeChanged(): void {
    const { port, addresses } = addressOf(this.#registration);
    const now = addressOf(this.#setup.registration(this.#policy));
    if (port !== now.port || addresses !== now.addresses) this.#register();
  }

  #updateCookies(cookieKeys: readonly CookieKey[] | undefined, foreignCookies: boolean | undefined): void {
    if (cookieKeys === undefined && foreignCookies === undefined) return;
    if (cookieKeys !== undefined) checkCookieKeys('update', cookieKeys);
    if (this.#setup.service === undefined) throw invalid("update: cookieKeys and foreignCookies have no meaning with mapping 'none'");
    this.#setup.service.updateCookies({ cookieKeys, foreignCookies });
  }

  /** @throws UsageError INVALID_OPTION where its first load cannot be had; then nothing has changed. */
  #adopt(option: PolicyOption): Policy {
    const sampler = option instanceof AdaptivePolicy ? new LoadSampler(option, this.#setup.environment, (policy) => { this.#policy = policy; this.#register(); }) : undefined;
    this.#sampler?.stop();
    this.#sampler = sampler?.start();
    this.#option = option;
    return sampler?.policy ?? (option as Policy);
  }

  #register(): void {
    this.#registration = this.#setup.registration(this.#policy);
    this.actor.send({ type: 'registration.update', registration: this.#registration });
  }

  async #leave(drain?: { readonly timeout: Milliseconds | undefined }): Promise<void> {
    this.#sampler?.stop();
    this.actor.send({ type: 'deregistration.request' });
    await this.#ended.promise;
    if (drain) await this.#setup.service?.drain(drain);
    await this.#setup.service?.close();
  }

  #noted(news: PoolElementNews): void {
    switch (news.type) {
      case 'registration.moved': this.#generation = news.generation; return;
      case 'registration.accepted':
        this.#generation = news.generation;
        this.#update?.answer.resolve();
        this.#update = undefined;
        this.#joined.resolve();
        this.#setup.registered();
        if (this.#isRegistered) return;
        this.#isRegistered = this.#wasRegistered = true;
        this.#events.emit('registered', { registrar: this.#setup.home.registrar?.address, generation: news.generation?.generation });
        return;
      case 'registration.lost':
        if (!this.#isRegistered) return;
        this.#isRegistered = false;
        this.#events.emit('lost', { reason: news.reason });
        return;
      case 'registration.rejected': return this.#changeRejected(news.causes);
      case 'error.report': return this.#complain(new RegistrationError('REGISTRATION_FAILED', `no registrar has answered the registration of ${this.#name} (${news.reason}); it goes on trying`));
      case 'child.failed': return this.#setup.environment.logger.error({ err: news.error, element: this.#name }, 'a registration failed in itself and is begun again');
      case 'registration.ended':
        if (news.output.reason === 'rejected') return this.#rejected(news.output.causes);
        if (news.output.reason === 'unanswered') this.#setup.environment.logger.warn({ element: this.#name }, 'no registrar has acknowledged the deregistration');
        return this.#end(undefined);
    }
  }

  /** For good, unless `update` corrects what is wrong; a first registration ends with `register`'s rejection. */
  #rejected(causes: readonly Cause[]): void {
    const error = this.#rejection(causes);
    this.#joined.reject(error);
    this.#update?.answer.reject(error);
    this.#update = undefined;
    if (!this.#wasRegistered) return this.#end(error);
    if (this.#isRegistered) this.#events.emit('lost', { reason: 'rejected' });
    this.#isRegistered = false;
    this.#complain(error);
  }

  #changeRejected(causes: readonly Cause[]): void {
    const error = this.#rejection(causes);
    if (this.#update !== undefined) {
      this.#policy = this.#restored(this.#update.before);
      this.#update.answer.reject(error);
      this.#update = undefined;
    }
    this.#registration = this.#setup.registration(this.#policy);
    this.#complain(error);
  }

  /** Its policy before an update that was rejected. One whose load cannot be had just now stays as it is: its registration stands. */
  #restored(before: PolicyOption): Policy {
    try {
      return this.#adopt(before);
    } catch (error) {
      this.#setup.environment.logger.error({ err: error, element: this.#name }, 'the policy of before cannot be had');
      return this.#policy;
    }
  }

  #rejection(causes: readonly Cause[]): RegistrationError {
    const names = causes.map(({ cause }) => cause).join(', ') || 'no cause given';
    return new RegistrationError('REGISTRATION_REJECTED', `the registrar rejects the registration of ${this.#name}: ${names}`, { cause: causes });
  }

  #complain(error: RserpoolError): void {
    if (!this.#events.emit('error', error)) this.#setup.environment.logger.warn({ err: error }, error.message);
  }

  #failed(error: unknown): void {
    this.#setup.environment.logger.error({ err: error, element: this.#name }, 'a pool element failed');
    this.#end(new RegistrationError('REGISTRATION_FAILED', `the pool element ${this.#name} failed`, { cause: error }));
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sampler?.stop();
    this.#isRegistered = false;
    const over = error ?? new UsageError('CLOSED', 'the pool element has left its pool');
    this.#joined.reject(over);
    this.#update?.answer.reject(over);
    this.#setup.home.leave(this.#setup.key, this.identifier);
    this.#setup.left();
    this.#ended.resolve();
    this.#events.emit('closed');
  }

  #bounds({ signal, timeout = this.#setup.timeout }: WaitOptions): Parameters<typeof bounded>[1] {
    return { signal, timeout: { clock: this.#setup.environment.clock, after: timeout, error: () => this.#unanswered() } };
  }

  #unanswered(): Error {
    return this.#setup.home.registrar === undefined
      ? new NoRegistrarError('no registrar can be reached')
      : new RegistrationError('REGISTRATION_FAILED', `the registrar has not answered the registration of ${this.#name}`);
  }

  get #name(): string {
    return `0x${this.identifier.toString(16).padStart(8, '0')}`;
  }
}

function addressOf({ poolElement: { userTransport } }: AsapMessageOf<'ASAP_REGISTRATION'>): { readonly port: number; readonly addresses: string } {
  return userTransport.transport === 'opaque' ? { port: 0, addresses: '' } : { port: userTransport.port, addresses: userTransport.addresses.join() };
}
