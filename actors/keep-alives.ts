import { createActor, type Actor } from 'xstate';
import type { Milliseconds } from '../environment.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import { keepAliveMachine, type KeepAliveEvent, type KeepAliveInput, type RemovalReason } from '../machines/keep-alive.js';
import type { Timers } from '../machines/timers.js';
import { LoopMonitor } from '../transports/loop-monitor.js';
import { decodePoolElement, type AsapMessage, type ControlTransport, type PoolElement, type TransportParameter } from '../wire/index.js';
import { Allowance, type Association, type AssociationOwner } from './association.js';
import type { ActorEnvironment } from './environment.js';
import { isAt, Probes, type Probe, type Probed } from './probes.js';
import { Questions } from './questions.js';
import { inSlices } from './slices.js';

export interface KeepAlivesOwner {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly identifier: number;
  removed(watched: Watched, reason: RemovalReason): void;
  /** The registrar's end of an association that it has made itself. */
  probing(association: Association): AssociationOwner;
}

/** The keep-alive charts of all owned pool elements, and the one schedule that makes them look (RFC 5352 §3.4, §3.5). */
export class KeepAlives {
  readonly #owner: KeepAlivesOwner;
  readonly #watched = new Map<RegisteredElement, Watched>();
  readonly monitor: LoopMonitor;
  readonly #probes: Probes;
  readonly #questions: Questions<Watched>;
  readonly #warnings: Allowance;
  /** The same for all. */
  readonly #registrar: KeepAliveInput['registrar'];
  #sweep: IterableIterator<Watched> | undefined;
  #timer: unknown;
  #isClosed = false;

  constructor(owner: KeepAlivesOwner) {
    const { environment, environment: { clock }, timers: { keepAliveTimeout, maxBadPeReport } } = owner;
    this.#owner = owner;
    this.monitor = new LoopMonitor({ clock });
    this.#probes = new Probes(environment, keepAliveTimeout, (association) => owner.probing(association));
    this.#questions = new Questions(clock, this.monitor, keepAliveTimeout, ({ actor }) => { actor.send(OVERDUE); });
    this.#warnings = new Allowance(clock, 1);
    this.#registrar = { maxBadPeReport, suspectsItself: () => this.#suspectsItself() };
    this.#arm();
  }

  get size(): number { return this.#watched.size; }
  get(element: RegisteredElement): Watched | undefined { return this.#watched.get(element); }

  /** A registration was accepted: watches the element from now on, or knows that it lives. Bound to the association it came by. */
  registered(element: RegisteredElement, association: Association, { asapTransport, userTransport }: PoolElement): Watched {
    const watched = this.#watched.get(element) ?? this.#watch(element, false);
    this.#bind(watched, association);
    this.#renew(watched, asapTransport, userTransport);
    this.#questions.heard(watched);
    watched.heard(REGISTRATION);
    return watched;
  }

  /** It is another's no longer: watches it, and asks it to adopt this registrar. Its life begins anew. */
  claimed(element: RegisteredElement): void {
    if (this.#watched.has(element)) return;
    const { asapTransport, userTransport } = decodePoolElement(element.encoded);
    const watched = this.#watch(element, true);
    this.#renew(watched, asapTransport, userTransport);
    void watched.actor; // begins with a claim
  }

  /** It has answered: over the association that it is bound to, or the one that this registrar made to it, which it is bound to from now on.
   *  @returns whether that counts. */
  acknowledged(watched: Watched, association: Association): boolean {
    const isProbe = watched.probe?.association === association;
    if (watched.association !== association && !isProbe) return false;
    watched.association = association;
    if (isProbe && watched.isClaimed && watched.probe !== undefined) watched.probe.isAdopted = true;
    watched.isClaimed = false;
    this.#questions.heard(watched);
    watched.heard(ACKNOWLEDGEMENT);
    return true;
  }

  send(watched: Watched, event: KeepAliveEvent): void { watched.actor.send(event); }

  /** Of all that are bound to it: they are asked elsewhere, or have the time-out to come back. */
  lost(association: Association, elements: Iterable<RegisteredElement>): void {
    const watched = [...elements].flatMap((element) => this.#watched.get(element) ?? []);
    inSlices(this.#owner.environment.clock, watched, (each) => {
      if (each.association === association && this.#watched.get(each.element) === each) each.actor.send(ASSOCIATION_LOST);
    });
  }

  /** Ends the chart of an element that the handlespace has lost by another way. */
  forget(element: RegisteredElement): void {
    const watched = this.#watched.get(element);
    if (watched === undefined || !this.#drop(watched)) return;
    this.#release(watched);
    watched.stop();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.environment.clock.clearTimeout(this.#timer);
    this.monitor.stop();
    this.#questions.close();
    for (const watched of this.#watched.values()) watched.stop();
    this.#watched.clear();
    this.#probes.close();
  }

  #watch(element: RegisteredElement, isClaimed: boolean): Watched {
    const watched: Watched = new Watched(element, () => this.#start(watched), isClaimed);
    this.#watched.set(element, watched);
    return watched;
  }

  #renew(watched: Watched, asapTransport: ControlTransport | undefined, userTransport: TransportParameter): void {
    watched.asapTransport = asapTransport;
    watched.userTransport = userTransport;
    watched.expires = this.monitor.activeNow() + watched.element.life;
    watched.nextCheck = this.#owner.environment.clock.now() + this.#period();
  }

  #start(watched: Watched): KeepAliveActor {
    const { clock, logger } = this.#owner.environment;
    const actor = createActor(keepAliveMachine, { clock, input: { registrar: this.#registrar, isClaimed: watched.isClaimed } });
    actor.on('*', (order) => {
      if (order.type === 'order.probe') this.#probe(watched);
      else this.#remove(watched, order.reason);
    });
    // Never lost: without its chart nobody would remove it.
    actor.subscribe({ error: (error) => { logger.error({ err: error }, 'a keep-alive failed'); this.#remove(watched, 'unanswered'); } });
    return actor;
  }

  #remove(watched: Watched, reason: RemovalReason): void {
    if (!this.#drop(watched)) return;
    this.#owner.removed(watched, reason);
    this.#release(watched); // after what it was still told there
  }

  #drop(watched: Watched): boolean {
    if (this.#watched.get(watched.element) !== watched) return false;
    this.#questions.forget(watched);
    return this.#watched.delete(watched.element);
  }

  #bind(watched: Watched, association: Association): void {
    if (watched.probe?.association !== association) this.#release(watched);
    watched.association = association;
    watched.isClaimed = false;
  }

  #release(watched: Watched): void {
    const { probe } = watched;
    watched.probe = undefined;
    if (probe !== undefined) this.#probes.release(probe, watched);
  }

  // ---- asking

  #probe(watched: Watched): void {
    const { association, asapTransport, isClaimed } = watched;
    this.#questions.asked(watched);
    if (association !== undefined && !association.isDown) association.send(this.#keepAlive(watched));
    // Where a PE of another registrar listens, that registrar has said: only the elements' own claims are checked.
    else if (asapTransport !== undefined && (isClaimed || (association !== undefined && isAt(asapTransport, association.peer)))) watched.probe = this.#probes.ask(asapTransport, this.#keepAlive(watched), watched);
    // Else it has until the time-out to come back by itself.
  }

  /** With the PE identifier, as RSPLIB does: the handle alone is ambiguous for two elements of one pool on one association. */
  #keepAlive({ element: { pool, identifier, generation }, isClaimed }: Watched): AsapMessage {
    return {
      type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: isClaimed }, serverIdentifier: this.#owner.identifier, poolHandle: pool.handle, peIdentifier: identifier,
      generation: isClaimed ? generation : undefined,
    };
  }

  #suspectsItself(): boolean {
    const suspects = this.#watched.size >= FEW && this.#questions.isHearingPoor;
    if (suspects && this.#warnings.take()) this.#owner.environment.logger.warn({ unanswered: this.#questions.size, watched: this.#watched.size }, 'most pool elements do not answer: they are asked once more, it may be this registrar that does not hear');
    return suspects;
  }

  // ---- the schedule

  #arm(): void {
    this.#timer = this.#owner.environment.clock.setTimeout(() => { this.#tick(); }, this.#interval);
    (this.#timer as { unref?: () => void } | undefined)?.unref?.(); // its listeners keep a registrar alive
  }

  /** Looks at a part of all elements: everyone comes by twice a second. So many are asked at once that the rate is kept; the others are late. */
  #tick(): void {
    const visits = Math.max(MIN_VISITS, Math.ceil(this.#watched.size * this.#interval / SWEEP));
    const checks = Math.ceil(this.#owner.timers.keepAliveRate * this.#interval / 1000);
    this.#visit(visits, checks);
  }

  /** In slices: whoever is asked for the first time has its chart made, which for all that are due at once would take twice as long as a turn may. */
  #visit(visits: number, checks: number): void {
    const { clock } = this.#owner.environment;
    const now = clock.now();
    const active = this.monitor.activeNow(); // a registrar that slept had nobody's renewal in that time
    this.#sweep ??= this.#watched.values();
    while (visits-- > 0 && checks > 0) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        break;
      }
      const due = this.#due(next.value, now, active);
      if (due === undefined) continue;
      checks--;
      next.value.actor.send(due);
      if (clock.now() - now >= SLICE) return clock.defer(() => { if (!this.#isClosed) this.#visit(visits, checks); });
    }
    this.#arm();
  }

  #due(watched: Watched, now: Milliseconds, active: Milliseconds): KeepAliveEvent | undefined {
    if (active >= watched.expires) return EXPIRE;
    if (now < watched.nextCheck) return undefined;
    watched.nextCheck = now + this.#period();
    return CHECK;
  }

  /** With many elements in small steps: each check is a step of a chart. */
  get #interval(): Milliseconds { return this.#watched.size > MIN_VISITS ? BUSY_TICK : TICK; }

  /** Varied by half, so that keep-alives are spread (RFC 5352 §3.5). */
  #period(): Milliseconds {
    const { timers, environment } = this.#owner;
    return Math.max(timers.keepAlivePeriod, (this.#watched.size * 1000) / timers.keepAliveRate) * (0.5 + environment.random.fraction());
  }
}

type KeepAliveActor = Actor<typeof keepAliveMachine>;

/** A pool element that this registrar owns: its chart, and the association that it is bound to. */
export class Watched implements Probed {
  #actor: KeepAliveActor | undefined;
  association: Association | undefined;
  /** That this registrar has made to it. */
  probe: Probe | undefined;
  /** Where its own ASAP listener is, if it said so (RFC 5354 §3.10). */
  asapTransport: ControlTransport | undefined;
  userTransport: TransportParameter | undefined;
  /** In time in which this registrar ran. */
  expires: Milliseconds = Infinity;
  nextCheck: Milliseconds = 0;

  /** @param isClaimed taken over, and has not acknowledged that yet. */
  constructor(readonly element: RegisteredElement, private readonly start: () => KeepAliveActor, public isClaimed: boolean) {}

  /** The chart, a quarter of what a registration costs: made when something is to be asked or decided. An element that renews in time is never asked. */
  get actor(): KeepAliveActor {
    if (this.#actor === undefined) {
      this.#actor = this.start();
      this.#actor.start();
    }
    return this.#actor;
  }

  /** A sign of life, which is no news to a chart that has not begun. */
  heard(sign: KeepAliveEvent): void { this.#actor?.send(sign); }
  stop(): void { this.#actor?.stop(); }

  failed(): void { this.actor.send(PROBE_FAILED); }
}

const TICK: Milliseconds = 50;
const BUSY_TICK: Milliseconds = 10;
const SWEEP: Milliseconds = 500;
const MIN_VISITS = 1000;
/** Of one go of it: what has come in is read before it goes on. */
const SLICE: Milliseconds = 4;
/** A registrar with fewer elements has no "most" to go by. */
const FEW = 4;

const REGISTRATION = { type: 'ASAP_REGISTRATION' } as const;
const ACKNOWLEDGEMENT = { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' } as const;
const CHECK = { type: 'check' } as const;
const EXPIRE = { type: 'expire' } as const;
const OVERDUE = { type: 'overdue' } as const;
const PROBE_FAILED = { type: 'probe.failed' } as const;
const ASSOCIATION_LOST = { type: 'association.lost' } as const;
