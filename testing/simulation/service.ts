import type { SessionHandler } from '../../actors/register.js';
import type { ServiceOptions } from '../../actors/service.js';
import type { ServiceMessageInfo, ServiceSession } from '../../actors/service-session.js';
import type { Milliseconds } from '../../environment.js';
import type { SeededRandom } from '../seeded-random.js';
import type { WorldHost } from '../world.js';
import { counted, numberOf, repliesTo, stateOf, statelessReplies, stateText, unused, type CounterState } from './counter.js';
import type { InstanceHistory, InstanceLog } from './session-history.js';
import type { Transcript } from './transcript.js';

/** How the counter is written: as services differ. */
export interface ServiceStyle {
  readonly stateful: boolean;
  /** A cookie with every so many messages. */
  readonly every: number;
  readonly snapshot: boolean;
  /** Handlers take so long; 0: they return at once. */
  readonly delay: Milliseconds;
  readonly concurrency: number;
  /** Says something unprompted so long after each handler; 0: never. Needs `snapshot`. */
  readonly tickAfter: Milliseconds;
  /** Replies by `session.send` in the handler's context (D-9). */
  readonly sends: boolean;
}

export function drawStyle(random: SeededRandom): ServiceStyle {
  const stateful = random.below(2) === 0;
  const snapshot = stateful && random.below(2) === 0;
  return {
    stateful, snapshot, every: snapshot ? 1 + random.below(4) : 1, delay: random.below(2) * (1 + random.below(40)),
    concurrency: stateful || random.below(3) > 0 ? 1 : 3, tickAfter: snapshot && random.below(2) === 0 ? 1 + random.below(30) : 0, sends: random.below(3) === 0,
  };
}

export interface Audience {
  readonly log: Pick<InstanceLog, 'of'>;
  readonly transcript: Transcript;
}

/** The counter service of one process, which writes down what happens to it. */
export function counterService(style: ServiceStyle, host: WorldHost, process: string, audience: Audience): { readonly onSession: SessionHandler; readonly options: ServiceOptions } {
  const states = new Map<ServiceSession, Counter>();
  return {
    onSession: (session) => {
      const counter = new Counter(style, host, session, audience, process);
      states.set(session, counter);
      session.on('closed', () => { states.delete(session); });
    },
    options: {
      ...(style.stateful && style.snapshot && { snapshot: (session: ServiceSession) => states.get(session)?.snapshot() }),
      ...(!style.stateful && style.concurrency > 1 && { concurrency: style.concurrency }),
    },
  };
}

class Counter {
  #state: CounterState = unused;
  #ticks = 0;
  readonly #record: InstanceHistory;

  constructor(private readonly style: ServiceStyle, private readonly host: WorldHost, private readonly session: ServiceSession, private readonly audience: Audience, process: string) {
    this.#record = { process, epoch: session.epoch, events: [], state: stateText(unused), running: 0, mostRunning: 0, isFenced: false, isOver: false, trespasses: [] };
    audience.log.of(session.id).push(this.#record);
    if (style.stateful) session.on('cookie', (cookie) => { this.#restore(cookie.toString()); });
    if (style.delay > 0) session.on('data', (data, info) => this.#handleSlowly(data.toString(), info));
    else session.on('data', (data, info) => { if (this.#begin(data.toString(), info)) this.#finish(data.toString(), info); });
    session.on('error', (error) => { this.#note(`error ${error.code}`); });
    session.on('closed', (reason) => { this.#record.isOver = true; this.#note(`closed: ${reason}`); });
  }

  snapshot(): Uint8Array { return Buffer.from(this.#cookie()); }

  #cookie(): string { return `${stateText(this.#state)} ${this.#ticks}`; }

  #restore(cookie: string): void {
    const [state = '', ticks] = cookie.split(' ');
    this.#state = stateOf(state);
    this.#ticks = Number(ticks);
    this.#record.state = state;
    this.#record.events.push(`cookie ${cookie}`);
    this.#note(`cookie ${cookie}`);
  }

  async #handleSlowly(message: string, info: ServiceMessageInfo): Promise<void> {
    if (!this.#begin(message, info)) return;
    await new Promise<void>((done) => { this.host.clock.setTimeout(done, this.style.delay); });
    this.#finish(message, info);
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

  #finish(message: string, info: ServiceMessageInfo): void {
    const { style } = this;
    this.#state = counted(this.#state, message);
    this.#record.state = stateText(this.#state);
    this.#record.running -= 1;
    for (const reply of style.stateful ? repliesTo(message, this.#state) : statelessReplies(message)) void (style.sends ? this.session.send(reply) : info.reply(reply));
    info.ack();
    if (!style.stateful) return;
    if (!style.snapshot || this.#state.count % style.every === 0) this.session.setCookie(this.#cookie());
    if (style.tickAfter > 0) this.host.clock.setTimeout(() => { this.#tick(); }, style.tickAfter);
  }

  #tick(): void {
    if (this.#record.isOver || this.#record.running > 0) return;
    this.#ticks += 1;
    this.session.send(`tick ${this.#ticks}`).catch(() => undefined);
  }

  #note(what: string): void { this.audience.transcript.note(this.#record.process, `epoch ${this.#record.epoch}: ${what}`); }
}
