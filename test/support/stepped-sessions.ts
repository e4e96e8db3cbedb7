import type { ServiceAccessPoint, Session, SessionError } from '../../index.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import { replyCount } from '../../testing/simulation/counter.js';
import { discardSome, record, sendRecorded } from '../../testing/simulation/recording.js';
import type { ServiceStyle } from '../../testing/simulation/service.js';
import { emptyHistory, type InstanceHistory, type SessionHistory } from '../../testing/simulation/session-history.js';
import { sessionInvariants } from '../../testing/simulation/session-invariants.js';
import { program, type Program } from './processes.js';

/** Sessions of this process with test/support/stepping-element.mjs, held against the invariants of the simulated world. */

export interface Manner {
  readonly name: string;
  readonly mode: DeliveryMode;
  readonly modes?: ReadonlyMap<number, DeliveryMode>;
  readonly discards?: boolean;
}

/** Message 2 is the one at which elements die; 3 to 5 are behind it. */
export const manners: readonly Manner[] = [
  { name: 'effectively-once', mode: 'effectively-once' },
  { name: 'at-least-once', mode: 'at-least-once' },
  { name: 'at-most-once', mode: 'at-most-once' },
  { name: 'effectively-once, some otherwise', mode: 'effectively-once', modes: new Map([[3, 'at-most-once'], [5, 'at-least-once']]) },
  { name: 'at-least-once, some otherwise', mode: 'at-least-once', modes: new Map([[2, 'at-most-once'], [4, 'effectively-once']]) },
  { name: 'effectively-once, with a callback that discards', mode: 'effectively-once', discards: true },
];

/** Pools: how each one's counter differs from a plain one, which sets a cookie in every handler. */
const styles: Readonly<Record<string, Partial<ServiceStyle>>> = {
  'with cookies': {},
  'with a late snapshot': { snapshot: true, every: 1000 },
  'with a cookie now and then': { snapshot: true, every: 3 },
  'with dice': { dice: true },
  'unprompted, with a snapshot': { snapshot: true, tickAfter: 1 },
  'unprompted, without': { tickAfter: 1 },
  'with cookies, streamed': { streaming: true },
  'stateless': { stateful: false },
  'stateless, three at once': { stateful: false, concurrency: 3 },
  'stateless, with dice': { stateful: false, dice: true },
  'stateless, streamed': { stateful: false, streaming: true },
};

export const pools: readonly string[] = Object.keys(styles);

export class SteppedSession {
  readonly history: SessionHistory;
  /** Outcomes of messages that were reported lost. */
  readonly outcomes: string[] = [];
  #look: () => void = () => undefined;

  private constructor(readonly pool: string, readonly manner: Manner) {
    const { stateful = true, concurrency = 1, streaming = false } = styles[pool] ?? {};
    this.history = emptyHistory({ mode: manner.mode, modes: manner.modes ?? new Map(), stateful, concurrency, streaming, window: { messages: 1024, bytes: 0x10_0000 } });
  }
  #session: Session | undefined;

  static async open(rsp: ServiceAccessPoint, pool: string, manner: Manner): Promise<SteppedSession> {
    const stepped = new SteppedSession(pool, manner);
    const { history } = stepped;
    const session = await rsp.connect(pool, {
      deliveryMode: manner.mode, failoverTimeout: 60_000,
      ...(manner.discards === true && { onFailover: (recovery, { pending }) => { void recovery.send('callback'); discardSome(recovery, pending, history); } }),
    });
    stepped.#session = session;
    record(session, history);
    session.on('data', () => { stepped.#look(); });
    session.on('failover', () => { stepped.#look(); });
    session.on('error', (error) => { if (error.code === 'MESSAGE_LOST') stepped.outcomes.push((error as SessionError).outcome ?? ''); });
    session.on('closed', () => { history.end ??= history.isSettled ? undefined : history.errors.at(-1) ?? 'closed'; });
    return stepped;
  }

  get id(): string { return this.#session?.id ?? ''; }

  send(number: number): void {
    const deliver = this.manner.modes?.get(number);
    sendRecorded(this.#session, this.history, `${number} ${this.pool}`, deliver === undefined ? {} : { deliver });
  }

  /** All replies to message `number` have come. */
  answered(number: number): Promise<void> { return this.#until(() => this.history.replies.some((reply) => reply.startsWith(`${number}.${replyCount(number) - 1} `))); }
  moved(): Promise<void> { return this.#until(() => this.history.moves.length > 0); }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => { if (isSo()) resolve(); };
      this.#look();
    });
  }

  async close(): Promise<void> {
    this.history.isSettled = true;
    await this.#session?.close();
  }

  /** What is wrong, in words. */
  wrong(): string[] {
    return sessionInvariants.flatMap(({ name, check }) => {
      const what = check(this.history);
      return what === undefined ? [] : [`${this.pool}, ${this.manner.name}: ${name}: ${what}`];
    });
  }
}

/** A process that is no element yet: it takes `register`. */
export async function steppingElement(registrar: string, identifier: number): Promise<Program> {
  const element = program('test/support/stepping-element.mjs', registrar, String(identifier), JSON.stringify(styles));
  await element.out(/^ready$/);
  return element;
}

/** The cookies that elements said they had made, by session. */
export function savedAt(elements: readonly Program[]): Map<string, Set<string>> {
  const saved = new Map<string, Set<string>>();
  for (const [, text] of elements.flatMap(({ said }) => said.map((line) => /^saved (.*)$/.exec(line) ?? []))) {
    if (text === undefined) continue;
    const { session, cookie } = JSON.parse(text) as { readonly session: string; readonly cookie: string };
    saved.set(session, (saved.get(session) ?? new Set()).add(cookie));
  }
  return saved;
}

/** What an element said that its sessions saw; of one that has been killed no more is known. */
export async function instancesAt(element: Program, process: string, isAlive: boolean): Promise<Map<string, InstanceHistory[]>> {
  const instances = new Map<string, InstanceHistory[]>();
  const add = (session: string, instance: InstanceHistory): void => void instances.set(session, [...instances.get(session) ?? [], { ...instance, process }]);
  if (isAlive) {
    element.say('tell');
    const [, told = ''] = await element.out(/^told (.*)$/);
    for (const { session, ...instance } of JSON.parse(told) as (InstanceHistory & { readonly session: string })[]) add(session, instance);
    return instances;
  }
  for (const line of element.said) {
    const [, saw] = /^saw (.*)$/.exec(line) ?? [];
    if (saw === undefined) continue;
    const { session, epoch, event } = JSON.parse(saw) as { readonly session: string; readonly epoch: number; readonly event: string };
    const known = instances.get(session)?.find((instance) => instance.epoch === epoch);
    if (known) known.events.push(event);
    else add(session, { process, epoch, events: [event], state: '', running: 0, mostRunning: 1, isOver: true, isFenced: false, trespasses: [] });
  }
  return instances;
}
