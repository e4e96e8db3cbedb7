/** What the demo's processes tell each other, over the channel that Node.js gives to forked children. */

export interface Totals {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly failovers: number;
  /** Handle resolutions at a registrar. */
  readonly lookUps: number;
  readonly failedLookUps: number;
  /** Milliseconds. */
  readonly slowestLookUp: number;
}

/** From a child to the demo. */
export type Report =
  | { readonly type: 'ready'; readonly address: string }
  | { readonly type: 'awake' }
  /** A registrar's answer: the home of each pool element. */
  | { readonly type: 'owners'; readonly owners: Readonly<Record<number, number>> }
  | { readonly type: 'noted'; readonly element: number }
  | { readonly type: 'progress'; readonly totals: Totals; readonly serving: Readonly<Record<number, number>> }
  /** All sessions that were at the element have a reply from another one; times in ms from the fault to that reply. */
  | { readonly type: 'healed'; readonly element: number; readonly times: readonly number[] }
  | { readonly type: 'finished'; readonly totals: Totals; readonly median: number }
  | { readonly type: 'note'; readonly text: string };

/** From the demo to a child. */
export type Order =
  /** A fault will hit the element as soon as this is `noted`. */
  | { readonly type: 'fault'; readonly element: number }
  /** It has; `at` is `monotonic()`. */
  | { readonly type: 'hit'; readonly element: number; readonly at: number }
  | { readonly type: 'finish' }
  | { readonly type: 'ping' }
  | { readonly type: 'owners' }
  /** Wake this process should the demo vanish: it is frozen and cannot see that by itself. */
  | { readonly type: 'frozen'; readonly pid: number }
  | { readonly type: 'thawed'; readonly pid: number };

/** Milliseconds, the same for all processes of a machine. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
