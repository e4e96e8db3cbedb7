import { createActor, type Actor } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { type TransportError } from '../errors.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import { keepAliveMachine, type KeepAliveEvent, type KeepAliveInput, type RemovalReason } from '../machines/keep-alive.js';
import type { Timers } from '../machines/timers.js';
import { LoopMonitor } from '../transports/loop-monitor.js';
import { formatAddress } from '../transports/address.js';
import type { ControlTransport, PoolElement, TransportParameter } from '../wire/index.js';
import { Association } from './association.js';
import type { ActorEnvironment } from './environment.js';

/** A pool element that this registrar owns: its chart, and the association that it is bound to. */
export interface Watched {
  readonly element: RegisteredElement;
  readonly actor: Actor<typeof keepAliveMachine>;
  association: Association | undefined;
  /** Where its own ASAP listener is, if it said so (RFC 5354 §3.10). */
  asapTransport: ControlTransport | undefined;
  userTransport: TransportParameter | undefined;
  expires: Milliseconds;
  nextCheck: Milliseconds;
}

export interface KeepAlivesOwner {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly identifier: number;
  removed(watched: Watched, reason: RemovalReason): void;
  /** A message that came by an association to a PE's own ASAP listener. */
  received(association: Association, watched: Watched, peIdentifier: number): void;
}

/** The keep-alive charts of all owned pool elements, and the one schedule that makes them look (RFC 5352 §3.4, §3.5). */
export class KeepAlives {
  readonly #owner: KeepAlivesOwner;
  readonly #watched = new Map<RegisteredElement, Watched>();
  readonly #monitor: LoopMonitor;
  /** The same for all. */
  readonly #input: KeepAliveInput;
  readonly #probing = new Set<Association>();
  #sweep: IterableIterator<Watched> | undefined;
  #timer: unknown;
  /** Probes of the current keep-alive period that had no answer in time, and since when it runs. */
  #unanswered = new Set<RegisteredElement>();
  #since: Milliseconds = 0;

  constructor(owner: KeepAlivesOwner) {
    const { environment: { clock }, timers } = owner;
    this.#owner = owner;
    this.#monitor = new LoopMonitor({ clock });
    this.#input = {
      timeout: timers.keepAliveTimeout, maxBadPeReport: timers.maxBadPeReport,
      now: this.#now, activeSince: (moment) => this.#monitor.activeSince(moment), suspectsItself: this.#suspectsItself,
    };
    this.#arm();
  }

  get size(): number { return this.#watched.size; }
  get(element: RegisteredElement): Watched | undefined { return this.#watched.get(element); }

  /** A registration was accepted: watches the element from now on, or knows that it lives. */
  registered(element: RegisteredElement, association: Association, { asapTransport, userTransport }: PoolElement): Watched {
    const now = this.#now();
    const watched = this.#watched.get(element) ?? this.#watch(element);
    watched.association = association;
    watched.asapTransport = asapTransport;
    watched.userTransport = userTransport;
    watched.expires = now + element.life;
    watched.nextCheck = now + this.#period();
    watched.actor.send({ type: 'ASAP_REGISTRATION' });
    return watched;
  }

  send(watched: Watched, event: KeepAliveEvent): void { watched.actor.send(event); }

  /** Ends the chart of an element that the handlespace has lost by another way. */
  forget(element: RegisteredElement): void {
    this.#watched.get(element)?.actor.stop();
    this.#watched.delete(element);
  }

  close(): void {
    const { clock } = this.#owner.environment;
    clock.clearTimeout(this.#timer);
    this.#monitor.stop();
    for (const { actor } of this.#watched.values()) actor.stop();
    this.#watched.clear();
    for (const association of this.#probing) association.destroy('LINK_CLOSED');
  }

  #watch(element: RegisteredElement): Watched {
    const { clock, logger } = this.#owner.environment;
    const actor = createActor(keepAliveMachine, { clock, input: this.#input });
    const watched: Watched = { element, actor, association: undefined, asapTransport: undefined, userTransport: undefined, expires: Infinity, nextCheck: 0 };
    actor.on('*', (order) => {
      if (order.type === 'order.probe') this.#probe(watched);
      else if (order.type === 'order.awaitPoll') { this.#unanswered.add(element); clock.defer(() => { actor.send({ type: 'poll.done' }); }); }
      else this.#remove(watched, order.reason);
    });
    // Never lost: without its chart nobody would remove it.
    actor.subscribe({ error: (error) => { logger.error({ err: error }, 'a keep-alive failed'); this.#remove(watched, 'unreachable'); } });
    this.#watched.set(element, watched);
    actor.start();
    return watched;
  }

  #remove(watched: Watched, reason: RemovalReason): void {
    if (!this.#watched.delete(watched.element)) return;
    this.#owner.removed(watched, reason);
  }

  // ---- asking

  #probe(watched: Watched): void {
    const { association } = watched;
    if (association && !association.isDown) association.send(this.#keepAlive(watched));
    else this.#dial(watched);
  }

  /** Its association is gone. It may live nonetheless: asks at its own ASAP listener; where nobody listens it is gone too. */
  #dial(watched: Watched): void {
    const { asapTransport } = watched;
    if (asapTransport?.transport !== 'tcp') return; // it has until the time-out to come back by itself
    const { environment, timers } = this.#owner;
    const address = formatAddress('tcp', asapTransport.addresses[0] ?? '', asapTransport.port);
    const association = Association.connect(environment.transports('tcp'), address, (dialled) => ({
      message: (message) => {
        if (message.type !== 'ASAP_ENDPOINT_KEEP_ALIVE_ACK') return;
        this.#owner.received(dialled, watched, message.peIdentifier);
      },
      down: (reason: TransportError) => {
        this.#probing.delete(dialled);
        if (watched.association === dialled) this.send(watched, { type: 'association.lost' });
        else if (reason.code === 'CONNECT_FAILED') this.send(watched, { type: 'probe.failed' });
      },
    }), { ...environment, connectTimeout: timers.keepAliveTimeout, maxQueued: 64 * 1024 });
    this.#probing.add(association);
    association.send(this.#keepAlive(watched));
  }

  /** With the PE identifier, as RSPLIB does: the handle alone is ambiguous for two elements of one pool on one association. */
  #keepAlive({ element }: Watched): Parameters<Association['send']>[0] {
    return { type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: this.#owner.identifier, poolHandle: element.pool.handle, peIdentifier: element.identifier };
  }

  // ---- the schedule

  #arm(): void {
    this.#timer = this.#owner.environment.clock.setTimeout(() => { this.#tick(); }, TICK);
  }

  /** Looks at a part of all elements: everyone comes by twice a second. So many are asked at once that the rate is kept; the others are late. */
  #tick(): void {
    const now = this.#now();
    let visits = Math.max(MIN_VISITS, Math.ceil(this.#watched.size * TICK / SWEEP));
    let checks = Math.ceil(this.#owner.timers.keepAliveRate * TICK / 1000);
    this.#sweep ??= this.#watched.values();
    while (visits-- > 0 && checks > 0) {
      const next = this.#sweep.next();
      if (next.done === true) { this.#sweep = undefined; break; }
      const watched = next.value;
      if (now >= watched.expires) watched.actor.send({ type: 'expire' });
      else if (now >= watched.nextCheck) { checks--; watched.nextCheck = now + this.#period(); watched.actor.send({ type: 'check' }); }
    }
    this.#arm();
  }

  /** Varied by half, so that keep-alives are spread (RFC 5352 §3.5). */
  #period(): Milliseconds {
    const { timers, environment } = this.#owner;
    return Math.max(timers.keepAlivePeriod, (this.#watched.size * 1000) / timers.keepAliveRate) * (0.5 + environment.random.fraction());
  }

  readonly #now = (): Milliseconds => this.#owner.environment.clock.now();

  /** More than half of at least four elements, within one period, seem dead: it is more likely that we do not hear. */
  readonly #suspectsItself = (): boolean => {
    const now = this.#now();
    if (now - this.#since > this.#owner.timers.keepAlivePeriod) {
      this.#since = now;
      this.#unanswered = new Set([...this.#unanswered].filter((element) => this.#watched.get(element)?.actor.getSnapshot().matches('judging') === true));
    }
    return this.#watched.size >= 4 && this.#unanswered.size * 2 > this.#watched.size;
  };
}

const TICK: Milliseconds = 100;
const SWEEP: Milliseconds = 500;
const MIN_VISITS = 1000;
