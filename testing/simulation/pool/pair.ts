import { initialize, type ServiceAccessPoint } from '../../../actors/access-point.js';
import type { SessionHandler } from '../../../actors/register.js';
import type { Session } from '../../../actors/session.js';
import type { Milliseconds } from '../../../environment.js';
import type { WorldHost } from '../../world.js';
import type { Role, Stage } from '../stage.js';
import type { PoolHistory } from './history.js';
import { READER, SIDE, type PlannedPair } from './plan.js';

/** Two sessions of one user with the only element of a pool, so on one link: one does not read for a while, however much there is for it; the other asks and is answered all the time (D-21). */
export class LinkPair {
  #accessPoint: ServiceAccessPoint | undefined;
  #slow: Session | undefined;
  #fast: Session | undefined;
  #host: WorldHost | undefined;
  /** Of the instance that serves the slow one. */
  #made = 0;
  #gotBefore = 0;
  #got = 0;
  #asked = 0;

  constructor(private readonly stage: Stage, private readonly plan: PlannedPair, private readonly history: PoolHistory, private readonly server: string) {}

  role(registrars: () => string[]): Role {
    return {
      host: READER,
      start: async (host) => {
        this.#host = host;
        this.#accessPoint = await initialize({ registrars: registrars(), environment: host.environment });
        const options = { failoverTimeout: PATIENCE } as const;
        [this.#slow, this.#fast] = await Promise.all([this.#accessPoint.connect(SIDE, options), this.#accessPoint.connect(SIDE, options)]);
      },
      close: async () => {
        await Promise.all([this.#slow?.close(), this.#fast?.close()]);
        await this.#accessPoint?.close();
      },
    };
  }

  /** What is none of the pair's is `rest`'s. */
  service(_identifier: number, rest: SessionHandler): SessionHandler {
    return (session) => {
      if (session.id === this.#slow?.id) { this.#made = 0; this.#gotBefore = this.#got; }
      void rest(session);
      session.on('data', (data, info) => {
        const text = data.toString('latin1', 0, 12);
        if (text.startsWith('fast')) void info.reply('fast');
        if (!text.startsWith('slow')) return;
        if (session.id === this.#slow?.id) this.#made += this.plan.size;
        this.#count();
        void info.reply(`${text.slice(5)} `.padEnd(this.plan.size, '.'));
      });
    };
  }

  begin(): void {
    const released = new Promise<void>((resolve) => { this.#host?.clock.setTimeout(() => { this.#note('reads'); resolve(); }, this.plan.hold); });
    const { slow } = this.history;
    for (const session of [this.#slow, this.#fast]) {
      session?.on('failover', ({ cause }) => {
        this.#note(`has moved: ${String(cause)}`);
        if (cause !== undefined && [READER, this.server].every((name) => this.stage.wasNeverDisturbed(name))) slow.left ??= String(cause);
      });
    }
    this.#slow?.on('data', (data) => {
      slow.got.push(Number.parseInt(data.toString('latin1', 0, 12), 10));
      this.#got += data.length;
      this.#count();
      return released;
    });
    this.#note(`asks ${this.plan.messages} times for ${this.plan.size} bytes, and does not read`);
    slow.sent = this.plan.messages;
    for (let number = 1; number <= this.plan.messages; number += 1) this.#slow?.send(`slow ${number}`).catch(() => undefined);
    void this.#ask();
  }

  async rest(within: Milliseconds): Promise<void> {
    const { slow } = this.history;
    await this.stage.clock.advanceUntil(() => slow.got.length >= slow.sent && this.#asked === REQUESTS, within).catch(() => undefined); // the invariants say what is missing
    if (this.#asked < REQUESTS) this.stage.violated('every promise settles', `${this.#asked} of ${REQUESTS} requests are answered`);
  }

  async #ask(): Promise<void> {
    const host = this.#host;
    if (host === undefined) return;
    for (; this.#asked < REQUESTS; this.#asked += 1) {
      const since = this.stage.now;
      await this.#fast?.request('fast');
      const took = this.stage.now - since;
      this.history.fast.push({ took, isUndisturbed: [READER, this.server].every((name) => this.stage.isUndisturbed(name, took + CALM)) });
      if (took > SLOW) this.#note(`is answered after ${Math.round(took)} ms`);
      await new Promise<void>((resolve) => { host.clock.setTimeout(resolve, BETWEEN); });
    }
  }

  #count(): void { this.history.slow.ahead = Math.max(this.history.slow.ahead, this.#made - (this.#got - this.#gotBefore)); }
  #note(what: string): void { this.stage.transcript.note(READER, what); }
}

const REQUESTS = 12;
const BETWEEN: Milliseconds = 80;
const SLOW: Milliseconds = 200;
/** Of a fault before. */
const CALM: Milliseconds = 1_000;
const PATIENCE: Milliseconds = 600_000;
