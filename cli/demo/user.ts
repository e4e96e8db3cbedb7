import { initialize, type ServiceAccessPoint, type Session } from '../../index.js';
import { args, runChild, tell } from './child.js';
import { median, monotonic, type Order, type Totals } from './messages.js';
import { Tally } from './tally.js';

export interface UserArgs {
  readonly registrars: readonly string[];
  readonly pool: string;
  readonly sessions: number;
}

/** Milliseconds between two requests of a session. */
const PERIOD = 50;
const REPORT_PERIOD = 200;
/** And between two handle resolutions, each of them asked of a registrar. */
const LOOK_UP_PERIOD = 250;
/** What is still under way at the end has so long to be answered. */
const PATIENCE = 10_000;

/** One session under steady load. */
class Caller {
  readonly tally = new Tally();
  failovers = 0;
  element: number;
  #load: NodeJS.Timeout | undefined;
  #isHeld = false; // by back pressure
  #left: number | undefined; // the element it was at, until another one has answered

  constructor(readonly session: Session, onServed: (caller: Caller, left: number) => void) {
    this.element = session.peIdentifier ?? 0;
    session.on('data', (data) => {
      this.tally.reply(data.toString());
      const left = this.#left;
      this.#left = undefined;
      if (left !== undefined) onServed(this, left);
    });
    session.on('failover', ({ from, to }) => {
      this.failovers += 1;
      this.#left ??= from;
      this.element = to;
    });
    session.on('error', (error) => { tell({ type: 'note', text: `a session: ${error.message}` }); });
  }

  start(phase: number): void {
    this.#load = setTimeout(() => { this.#load = setInterval(() => { this.#request(); }, PERIOD); }, phase);
  }

  async finish(): Promise<void> {
    clearTimeout(this.#load);
    await this.session.flush().catch(() => undefined);
  }

  #request(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.session.send(String(this.tally.request())).then(() => { this.#isHeld = false; }, (error: unknown) => {
      clearTimeout(this.#load); // the session has failed: nothing more to ask
      tell({ type: 'note', text: `a session failed: ${String(error)}` });
    });
  }
}

/** A fault, and the sessions that have not been served again since. */
interface Fault {
  at: number | undefined;
  readonly waiting: Set<Caller>;
  /** When the others were, `monotonic()`. */
  readonly served: number[];
}
const callers: Caller[] = [];
const faults = new Map<number, Fault>();
const times: number[] = [];
const lookUps = { lookUps: 0, failedLookUps: 0, slowestLookUp: 0 };

runChild(async () => {
  const { registrars, pool, sessions } = args<UserArgs>();
  const rsp = await initialize({ registrars });
  await Promise.all(Array.from({ length: sessions }, () => open(rsp, pool)));
  callers.forEach((caller, index) => { caller.start((index * PERIOD) / sessions); });
  setInterval(report, REPORT_PERIOD);
  setInterval(() => { void lookUp(rsp, pool); }, LOOK_UP_PERIOD);
  tell({ type: 'ready', address: '' });
}, (order) => { obey(order); });

async function open(rsp: ServiceAccessPoint, pool: string): Promise<void> {
  callers.push(new Caller(await rsp.connect(pool), onServed));
}

async function lookUp(rsp: ServiceAccessPoint, pool: string): Promise<void> {
  const began = monotonic();
  lookUps.lookUps += 1;
  await rsp.resolve(pool, { refresh: true }).catch((error: unknown) => {
    lookUps.failedLookUps += 1;
    tell({ type: 'note', text: `a look-up failed: ${String(error)}` });
  });
  lookUps.slowestLookUp = Math.max(lookUps.slowestLookUp, monotonic() - began);
}

function obey(order: Order): void {
  if (order.type === 'finish') void finish();
  if (order.type === 'fault') {
    const { element } = order;
    faults.set(element, { at: undefined, waiting: new Set(callers.filter((caller) => caller.element === element)), served: [] });
    tell({ type: 'noted', element });
  }
  if (order.type === 'hit') {
    const fault = faults.get(order.element);
    if (fault) fault.at = order.at;
    settle(order.element);
  }
}

function onServed(caller: Caller, left: number): void {
  const fault = faults.get(left);
  if (!fault?.waiting.delete(caller)) return; // it moved for another reason than a fault of ours
  fault.served.push(monotonic());
  settle(left);
}

function settle(element: number): void {
  const { at, waiting, served } = faults.get(element) ?? {};
  if (at === undefined || !served || waiting?.size !== 0) return;
  faults.delete(element);
  const took = served.map((time) => time - at);
  times.push(...took);
  tell({ type: 'healed', element, times: took });
}

const sum = (of: (caller: Caller) => number): number => callers.reduce((total, caller) => total + of(caller), 0);

function totals(): Totals {
  return {
    sent: sum(({ tally }) => tally.sent), answered: sum(({ tally }) => tally.answered),
    lost: sum(({ tally }) => tally.lost), doubled: sum(({ tally }) => tally.doubled), failovers: sum(({ failovers }) => failovers), ...lookUps,
  };
}

function report(): void {
  const serving: Record<number, number> = {};
  for (const { element } of callers) serving[element] = (serving[element] ?? 0) + 1;
  tell({ type: 'progress', totals: totals(), serving });
}

async function finish(): Promise<void> {
  const late = new Promise((resolve) => { setTimeout(resolve, PATIENCE); });
  await Promise.race([late, Promise.all(callers.map((caller) => caller.finish()))]);
  for (const { tally } of callers) tally.finish();
  tell({ type: 'finished', totals: totals(), median: median(times) });
}
