import type { AccessPointFailover, PoolElementHandle } from '../../../actors/access-point-events.js';
import { initialize, type ServiceAccessPoint } from '../../../actors/access-point.js';
import type { Milliseconds } from '../../../environment.js';
import { RserpoolError, SendToAllError, SessionError } from '../../../errors.js';
import type { WorldHost } from '../../world.js';
import type { Role, Stage } from '../stage.js';
import type { PoolHistory, SentMessage } from './history.js';
import { indicationsFair } from './invariants.js';
import { POOL, SENDER, SIDE, type PlannedSend, type PoolPlan } from './plan.js';

export interface Wellness {
  /** Nothing has ever happened to that element, a registrar, or the sender. */
  readonly isWell: (peIdentifier: number) => boolean;
  /** PE identifiers that a message to all has to reach now. */
  readonly owed: () => readonly number[];
}

/** A user without sessions of its own: it sends single messages, and holds names of servers (Basic Mode), of which it wants to hear when they are gone. */
export class Sender {
  /** Server of each caller. */
  readonly callers = new Map<string, number>();
  #host: WorldHost | undefined;
  #accessPoint: ServiceAccessPoint | undefined;

  constructor(private readonly stage: Stage, private readonly plan: PoolPlan, private readonly history: PoolHistory, private readonly wellness: Wellness) {}

  role(registrars: () => string[]): Role {
    return {
      host: SENDER,
      start: async (host) => {
        this.#host = host;
        const accessPoint = await initialize({ registrars: registrars(), environment: host.environment, failoverIndication: true });
        this.#accessPoint = accessPoint;
        accessPoint.on('data', (data, { from }) => { this.#answered(data.toString(), from); });
        accessPoint.on('failover', (info) => { this.#replaced(info); });
        accessPoint.on('error', (error, { undelivered }) => { this.#reported(error, undelivered); });
        for (const caller of ['a', 'b']) await this.#ask(caller, false);
      },
      close: async () => this.#accessPoint?.close(),
    };
  }

  /** Address of its registrar. */
  get home(): string | undefined { return this.#accessPoint?.registrar?.address; }

  /** `IDENTIFIER ADDRESS`, as it knows the pool. */
  async cached(): Promise<string[]> {
    const known = this.#accessPoint?.resolve(POOL).then(({ elements }) => elements.map(({ identifier, address }) => `${identifier} ${address}`), (error: unknown) => [String(error)]);
    let lines: string[] | undefined;
    void known?.then((value) => { lines = value; });
    for (let tick = 0; tick < 20 && lines === undefined; tick += 1) await Promise.resolve();
    return lines ?? ['it has to ask'];
  }

  begin(): void {
    for (const planned of this.plan.sends) this.#host?.clock.setTimeout(() => { void this.#send(planned); }, planned.at);
    for (const { at, caller, isNext } of this.plan.asks) this.#host?.clock.setTimeout(() => { void this.#ask(caller, isNext); }, at);
  }

  async rest(within: Milliseconds): Promise<void> {
    const isDone = ({ mode, outcome, answers, isReported }: SentMessage): boolean => outcome !== undefined && (mode === 'at-most-once' || outcome !== 'resolved' || answers.length > 0 || isReported);
    await this.stage.clock.advanceUntil(() => this.history.sent.size === this.plan.sends.length && [...this.history.sent.values()].every(isDone), within).catch(() => undefined); // the invariants say what is missing
  }

  // ---- messages

  async #send({ number, to, mode }: PlannedSend): Promise<void> {
    const message: SentMessage = { number, kind: to, mode, outcome: undefined, isNotTaken: false, to: undefined, handledBy: [], answers: [], isReported: false, owed: [] };
    this.history.sent.set(number, message);
    this.#note(`sends ${number} to ${to}, ${mode}`);
    const owed = to === 'all' ? this.wellness.owed() : [];
    const settled = (outcome: string, who: readonly PoolElementHandle[] | undefined): void => {
      message.owed = owed.filter((id) => this.wellness.isWell(id));
      message.to = who?.map(({ identifier }) => identifier);
      message.outcome = outcome;
      this.#note(`${number}: ${outcome}${message.to === undefined ? '' : ` to ${message.to.join(', ')}`}`);
    };
    try {
      const who = await this.#accessPoint?.send(await this.#destination(to, number), `m ${number}`, { deliver: mode, ...(to === 'all' && { toAll: true }), ...(to === 'last' && { toLast: true }) } as { toAll: true });
      settled('resolved', [who ?? []].flat());
    } catch (error) {
      if (!(error instanceof RserpoolError)) throw error;
      message.isNotTaken = error instanceof SessionError && error.outcome === 'not-taken';
      settled(error.code, error instanceof SendToAllError ? error.delivered : undefined);
    }
  }

  async #destination(to: PlannedSend['to'], number: number): Promise<string | PoolElementHandle> {
    if (to === 'side') return SIDE;
    if (to !== 'element') return POOL;
    const { elements } = (await this.#accessPoint?.resolve(POOL))!;
    return { handle: POOL, identifier: elements[number % elements.length]?.identifier ?? 1 };
  }

  #answered(text: string, from: PoolElementHandle | string): void {
    const [, number, by] = text.split(' ');
    const identifier = typeof from === 'string' ? NaN : from.identifier;
    this.#note(`gets an answer to ${number ?? ''} from ${identifier}`);
    this.history.sent.get(Number(number))?.answers.push({ by: Number(by), from: identifier });
  }

  #reported({ code }: RserpoolError, undelivered: Buffer | undefined): void {
    const number = Number(undelivered?.toString().slice(2));
    this.#note(`error ${code}${undelivered === undefined ? '' : ` of ${number}`}`);
    const message = this.history.sent.get(number);
    if (message !== undefined) message.isReported = true;
  }

  // ---- names

  async #ask(caller: string, isNext: boolean): Promise<void> {
    try {
      const { identifier } = await (isNext ? this.#accessPoint!.getNextServer(POOL, { caller }) : this.#accessPoint!.getPrimaryServer(POOL, { caller }));
      this.callers.set(caller, identifier);
      this.#note(`${caller} uses ${identifier}`);
    } catch (error) {
      if (!(error instanceof RserpoolError)) throw error;
      this.#note(`${caller} is given nobody: ${error.code}`); // and keeps whom it had: an indication tells who has come, once somebody has
    }
  }

  #replaced({ caller, from, to }: AccessPointFailover): void {
    if (caller === undefined) return; // of messages with failover
    this.#note(`${caller} is told that ${from.identifier} is gone, and ${to.identifier} there`);
    const isUndisturbed = this.wellness.isWell(from.identifier);
    const wrong = indicationsFair.check({ caller, from: from.identifier, to: to.identifier, had: this.callers.get(caller), isUndisturbed });
    if (wrong !== undefined) this.stage.violated(indicationsFair.name, wrong);
    this.callers.set(caller, to.identifier);
  }

  #note(what: string): void { this.stage.transcript.note(SENDER, what); }
}
