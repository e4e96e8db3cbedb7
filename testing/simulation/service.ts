import type { CookieKey } from '../../actors/cookie-signer.js';
import type { SessionHandler } from '../../actors/register.js';
import type { ServiceOptions } from '../../actors/service.js';
import type { ServiceMessageInfo, ServiceSession } from '../../actors/service-session.js';
import type { Clock, Milliseconds, Random } from '../../environment.js';
import type { SeededRandom } from '../seeded-random.js';
import { counted, numberOf, repliesTo, stateOf, stateText, unused, type CounterState } from './counter.js';
import type { InstanceHistory, InstanceLog } from './session-history.js';
import type { Transcript } from './transcript.js';

/** What a handler has done so far. */
export const steps = ['received', 'counted', 'replied', 'acknowledged', 'cookie set'] as const;
export type Step = (typeof steps)[number];

/** How the counter is written: as services differ. */
export interface ServiceStyle {
  readonly stateful: boolean;
  /** A cookie with every so many messages; `Infinity`: none but by `snapshot`. */
  readonly every: number;
  readonly snapshot: boolean;
  /** Handlers take so long; 0: they return at once. */
  readonly delay: Milliseconds;
  /** After which step they do. */
  readonly pauseAfter: Step;
  readonly concurrency: number;
  /** Says something unprompted so long after each handler; 0: never. */
  readonly tickAfter: Milliseconds;
  /** Replies by `session.send` in the handler's context (D-9). */
  readonly sends: boolean;
  /** Casts a die for each message: the same message does not give the same state. */
  readonly dice: boolean;
  /** `outputCommit: false`. */
  readonly streaming: boolean;
  readonly maxSessions: number;
  /** Its operator rotates the keys while it serves; its users may forge. */
  readonly rotates: boolean;
}

export const plainStyle: ServiceStyle = { stateful: true, every: 1, snapshot: false, delay: 0, pauseAfter: 'received', concurrency: 1, tickAfter: 0, sends: false, dice: false, streaming: false, maxSessions: Infinity, rotates: false };

export function drawStyle(random: SeededRandom): ServiceStyle {
  const stateful = random.below(2) === 0;
  const snapshot = stateful && random.below(2) === 0;
  const every = snapshot ? [1, 2, 3, 4, Infinity][random.below(5)] ?? 1 : 1;
  const streaming = random.below(4) === 0;
  return {
    stateful, snapshot, every, streaming, delay: random.below(2) * (1 + random.below(40)), pauseAfter: steps[random.below(steps.length)] ?? 'received', ...(streaming && random.below(2) === 0 && { delay: 10 + random.below(80), pauseAfter: 'replied' as const }), // what was streamed is seen before it is done
    concurrency: stateful || random.below(3) > 0 ? 1 : 3, tickAfter: random.below(snapshot ? 2 : 4) === 0 ? 1 + random.below(30) : 0, sends: random.below(3) === 0,
    dice: every === 1 && !streaming && random.below(3) === 0, // what was shown and is in no cookie may come out differently (D-11)
    maxSessions: random.below(6) === 0 ? 1 + random.below(2) : Infinity, rotates: stateful && random.below(3) === 0,
  };
}

const keyOf = (id: string): CookieKey => ({ id, key: Buffer.from(`${id} key of a pool, for its cookies`) });
/** Every element knows both, and signs with the older one until its operator has told it to sign with the newer. */
const keys: readonly CookieKey[] = [keyOf('older'), keyOf('newer')];
export const rotatedKeys: readonly CookieKey[] = [...keys].reverse();

export interface Audience {
  readonly log: Pick<InstanceLog, 'of' | 'saved'>;
  readonly transcript: Pick<Transcript, 'note'>;
  /** Holds a handler after one of its steps. */
  readonly hold?: (step: Step, message: string) => Promise<void> | undefined;
}

/** What a service needs of the process it runs in. */
export interface ServiceHost {
  readonly clock: Pick<Clock, 'setTimeout'>;
  readonly random: Pick<Random, 'u32'>;
}

/** The counter service of one process, which writes down what happens to it. */
export function counterService(style: ServiceStyle, host: ServiceHost, process: string, audience: Audience): { readonly onSession: SessionHandler; readonly options: ServiceOptions } {
  const states = new Map<ServiceSession, Counter>();
  return {
    onSession: (session) => {
      const counter = new Counter(style, host, session, audience, process);
      states.set(session, counter);
      session.on('closed', () => { states.delete(session); });
    },
    options: {
      ...(style.stateful && { cookieKeys: keys, cookieLifetime: 4_000 }), // so they are issued anew in the midst of things
      ...(style.stateful && style.snapshot && { snapshot: (session: ServiceSession) => states.get(session)?.snapshot() }),
      ...(!style.stateful && style.concurrency > 1 && { concurrency: style.concurrency }),
      ...(style.streaming && { outputCommit: false }),
      ...(style.maxSessions !== Infinity && { maxSessions: style.maxSessions }),
    },
  };
}

class Counter {
  #state: CounterState = unused;
  #ticks = 0;
  #notes = 0;
  readonly #record: InstanceHistory;

  constructor(private readonly style: ServiceStyle, private readonly host: ServiceHost, private readonly session: ServiceSession, private readonly audience: Audience, process: string) {
    this.#record = { process, epoch: session.epoch, events: [], state: stateText(unused), running: 0, mostRunning: 0, isFenced: false, isOver: false, trespasses: [] };
    audience.log.of(session.id).push(this.#record);
    if (style.stateful) session.on('cookie', (cookie) => { this.#restore(cookie.toString()); });
    if (style.delay > 0 || audience.hold) session.on('data', (data, info) => this.#handleSlowly(data.toString(), info));
    else session.on('data', (data, info) => { this.#handle(data.toString(), info); });
    session.on('error', (error) => { this.#note(`error ${error.code}`); });
    session.on('closed', (reason) => { this.#record.isOver = true; this.#note(`closed: ${reason}`); });
  }

  snapshot(): Uint8Array { return Buffer.from(this.#cookie()); }

  #cookie(): string {
    const cookie = `${stateText(this.#state)} ${this.#ticks}`;
    this.audience.log.saved(this.session.id).add(cookie);
    return cookie;
  }

  #restore(cookie: string): void {
    const [state = '', ticks] = cookie.split(' ');
    this.#state = stateOf(state);
    this.#ticks = Number(ticks);
    this.#record.state = state;
    this.#record.events.push(`cookie ${cookie}`);
    this.#note(`cookie ${cookie}`);
  }

  #handle(message: string, info: ServiceMessageInfo): void {
    if (!this.#begin(message, info)) return;
    for (const step of steps) this.#do(step, message, info);
    this.#end();
  }

  async #handleSlowly(message: string, info: ServiceMessageInfo): Promise<void> {
    const { delay, pauseAfter } = this.style;
    if (!this.#begin(message, info)) return;
    for (const step of steps) {
      this.#do(step, message, info);
      await this.audience.hold?.(step, message);
      if (delay > 0 && step === pauseAfter) await new Promise<void>((done) => { this.host.clock.setTimeout(done, delay); });
    }
    this.#end();
  }

  /** @returns false where there is nothing to do for it. */
  #begin(message: string, info: ServiceMessageInfo): boolean {
    const record = this.#record;
    const name = info.recovery ? 'callback' : String(numberOf(message));
    record.events.push(name);
    if (record.isFenced) record.trespasses.push(name);
    this.#note(`handles ${name}`);
    if (info.recovery) void info.reply('callback');
    else record.mostRunning = Math.max(record.mostRunning, ++record.running);
    return !info.recovery;
  }

  #states = new Map<string, CounterState>();

  #do(step: Step, message: string, info: ServiceMessageInfo): void {
    switch (step) {
      case 'received': return;
      case 'counted': return this.#count(message);
      case 'replied':
        for (const reply of repliesTo(message, this.#states.get(message) ?? unused)) void (this.style.sends ? this.session.send(reply) : info.reply(reply));
        this.#states.delete(message);
        return;
      case 'acknowledged': return info.ack();
      case 'cookie set': if (this.#isCookieDue()) this.session.setCookie(this.#cookie());
    }
  }

  #count(message: string): void {
    const { stateful, dice } = this.style;
    this.#state = counted(stateful ? this.#state : unused, message, dice ? this.host.random.u32() % 100 : undefined);
    this.#states.set(message, this.#state);
    this.#record.state = stateText(this.#state);
  }

  #isCookieDue(): boolean { return this.style.stateful && (!this.style.snapshot || this.#state.seen.length % this.style.every === 0); }

  #end(): void {
    this.#record.running -= 1;
    if (this.style.tickAfter > 0) this.host.clock.setTimeout(() => { this.#tick(); }, this.style.tickAfter);
  }

  /** Outside of handlers (D-12): with a snapshot it waits for that, and is as sure as a reply; else it goes at once, and may be lost. */
  #tick(): void {
    if (this.#record.isOver || this.#record.running > 0) return;
    const waits = this.style.snapshot && this.session.deliveryMode === 'effectively-once';
    const text = waits ? `tick ${++this.#ticks}` : `note ${this.#record.epoch}.${++this.#notes}`;
    this.session.send(text).catch(() => undefined);
  }

  #note(what: string): void { this.audience.transcript.note(this.#record.process, `epoch ${this.#record.epoch}: ${what}`); }
}
