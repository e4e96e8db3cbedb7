/** Requests a second, and microseconds of CPU a request over both processes. */
export interface Rate {
  readonly rate: number;
  readonly cpu: number;
  /** Where no answer came any more. */
  readonly answered?: number | undefined;
}

/** One of the two that are compared. */
export interface Side {
  readonly request: (done: () => void) => void;
  /** The server's CPU in microseconds since the last call. */
  readonly serverCpu: () => Promise<number>;
}
export interface Load {
  readonly count: number;
  readonly outstanding: number;
  /** So many milliseconds without an answer are the end of it. Default: for ever. */
  readonly patience?: number;
}
export interface Run { readonly rounds: number; readonly scale: number }

/** A row of the table. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly bare?: string;
  readonly ratio?: number;
  readonly cpu?: string;
  readonly budget?: string;
  readonly isMet?: boolean;
}

/** What kept the loop of a process, in milliseconds. */
export interface LoopReport {
  /** How late the loop was. */
  readonly p99: number;
  readonly slowest: number;
  /** The longest callback, without the garbage collection in it. */
  readonly slice: number;
  /** The longest garbage collection, and all of them. */
  readonly collection: number;
  readonly collections: number;
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
export const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`;
export const ms = (value: number): string => `${value.toFixed(1)} ms`;
export const pause = (time: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, time); });

/** Asks again and again, until it holds. */
export async function until(condition: () => Promise<boolean>, { every = 10, patience = 60_000 } = {}): Promise<void> {
  const began = performance.now();
  while (!await condition()) {
    if (performance.now() - began > patience) throw new Error(`the bench has waited for ${patience / 1_000} s`);
    await pause(every);
  }
}

/** Both in turn, after one run each to get warm: our rate beside the bare one. `ours` may be driven elsewhere; where it stalls or dies, the row says so. */
export async function compare(what: string, { ours, bare }: { readonly ours: Side | ((load: Load) => Promise<Rate>); readonly bare: Side }, load: Load, { rounds, scale }: Run, budget?: number): Promise<Row> {
  const scaled = { ...load, count: load.count * scale };
  const named = `${what}, ${load.outstanding} outstanding`;
  const rates: { readonly own: Rate; readonly other: Rate }[] = [];
  for (let round = -1; round < rounds; round++) {
    const other = await drive(bare, scaled);
    const own = typeof ours === 'function' ? await ours(scaled).catch(() => undefined) : await drive(ours, scaled);
    if (own === undefined) return { what: named, ours: 'dies', bare: perSecond(other.rate) };
    if (own.answered !== undefined) return { what: named, ours: `stalls: ${own.answered} of ${scaled.count} answered`, bare: perSecond(other.rate) };
    if (round >= 0) rates.push({ other, own });
  }
  const own = medianRate(rates.map((each) => each.own));
  const other = medianRate(rates.map((each) => each.other));
  const ratio = median(rates.map((each) => each.own.rate / each.other.rate)); // of each round: what else the machine does concerns both
  return {
    what: named, ours: perSecond(own.rate), bare: perSecond(other.rate), ratio, cpu: `${own.cpu.toFixed(1)} / ${other.cpu.toFixed(1)} us`,
    ...(budget !== undefined && { budget: `>= ${budget} x`, isMet: ratio >= budget }),
  };
}

const medianRate = (rates: readonly Rate[]): Rate => ({ rate: median(rates.map(({ rate }) => rate)), cpu: median(rates.map(({ cpu }) => cpu)) });

/** Keeps so many requests under way until all have been answered. */
export async function drive({ request, serverCpu }: Side, { count, outstanding, patience }: Load): Promise<Rate> {
  await serverCpu();
  const cpu = process.cpuUsage();
  const began = performance.now();
  let answered = 0;
  await new Promise<void>((resolve) => {
    let sent = 0;
    const watch = watchOver(() => answered, patience, resolve);
    const done = (): void => {
      if (++answered < count) return next();
      clearInterval(watch);
      resolve();
    };
    const next = (): void => { if (sent < count) { sent++; request(done); } };
    for (let i = 0; i < outstanding; i++) next();
  });
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { rate: count / seconds, cpu: (user + system + await serverCpu()) / count, ...(answered < count && { answered }) };
}

function watchOver(answered: () => number, patience: number | undefined, stalled: () => void): NodeJS.Timeout | undefined {
  let before = -1;
  const watch = patience === undefined ? undefined : setInterval(() => {
    if (answered() > before) {
      before = answered();
    } else {
      clearInterval(watch);
      stalled();
    }
  }, patience);
  return watch;
}
