import type { Clock, Milliseconds } from '../environment.js';
import { UPDATE_PACE } from '../machines/bounds.js';
import { inSlices } from './slices.js';

/** Who gets a pool's updates. */
export interface Subscriber {
  readonly subscriptions: Set<string>;
  /** It reads: pushes are not to pile up before one that does not. */
  readonly isWritable: boolean;
}

/** Who is in the pool, or where; or only what they say of themselves (their load): that changes all the time, and is told less often. */
export type PoolChange = 'elements' | 'values';

/** Pools whose changes are told to those who asked for it (S bit, RFC 5352 §2.2.5): on change, paced; per connection, TCP too. */
export class Subscriptions<S extends Subscriber> {
  readonly #byPool = new Map<string, Set<S>>();
  /** When each changed pool is told at the earliest, the one that waits longest first. */
  readonly #changed = new Map<string, Milliseconds>();
  readonly #late = new Map<S, Set<string>>();
  #timer: unknown;
  /** Updates that may be sent now; below 0 they wait. */
  #allowance = MOST_IN_STEP;

  constructor(private readonly clock: Clock, private readonly push: (subscriber: S, poolKey: string) => void) {}

  add(subscriber: S, poolKey: string): void {
    subscriber.subscriptions.add(poolKey);
    const subscribers = this.#byPool.get(poolKey) ?? new Set();
    this.#byPool.set(poolKey, subscribers.add(subscriber));
  }

  remove(subscriber: S, poolKey: string): void {
    subscriber.subscriptions.delete(poolKey);
    const subscribers = this.#byPool.get(poolKey);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#byPool.delete(poolKey);
  }

  drop(subscriber: S): void {
    this.#late.delete(subscriber);
    for (const poolKey of [...subscriber.subscriptions]) this.remove(subscriber, poolKey);
  }

  changed(poolKey: string, change: PoolChange = 'elements'): void {
    if (!this.#byPool.has(poolKey)) return;
    const due = this.clock.now() + (change === 'elements' ? 0 : VALUE_PACE - UPDATE_PACE / 2); // at the next step from then
    this.#changed.set(poolKey, Math.min(due, this.#changed.get(poolKey) ?? due));
    this.#arm();
  }

  /** It reads again: it gets what it has missed, as it is now. */
  drained(subscriber: S): void {
    const late = this.#late.get(subscriber);
    this.#late.delete(subscriber);
    for (const poolKey of late ?? []) this.#pushTo(subscriber, poolKey);
  }

  close(): void {
    this.clock.clearTimeout(this.#timer);
    this.#changed.clear();
  }

  #arm(): void {
    this.#timer ??= this.clock.setTimeout(() => { this.#step(); }, UPDATE_PACE);
  }

  /** Many subscribers of pools that change often stretch the pace. */
  #step(): void {
    this.#timer = undefined;
    this.#allowance = Math.min(MOST_IN_STEP, this.#allowance + MOST_IN_STEP);
    const now = this.clock.now();
    for (const [poolKey, due] of this.#changed) {
      if (this.#allowance <= 0) break;
      if (due > now) continue;
      this.#changed.delete(poolKey);
      const subscribers = [...this.#byPool.get(poolKey) ?? []];
      this.#allowance -= subscribers.length;
      inSlices(this.clock, subscribers, (subscriber) => { this.#pushTo(subscriber, poolKey); });
    }
    if (this.#changed.size > 0) this.#arm();
  }

  #pushTo(subscriber: S, poolKey: string): void {
    if (!subscriber.subscriptions.has(poolKey)) return; // it has gone meanwhile
    if (subscriber.isWritable) return this.push(subscriber, poolKey);
    const late = this.#late.get(subscriber) ?? new Set();
    this.#late.set(subscriber, late.add(poolKey));
  }
}

/** Between two updates of a pool in which only values have changed. */
const VALUE_PACE: Milliseconds = 5 * UPDATE_PACE;
/** Updates in one pace at most: 10 000 a second. */
const MOST_IN_STEP = 1_000;
