import type { Clock, Milliseconds } from '../environment.js';

/** Who gets a pool's updates. */
export interface Subscriber {
  readonly subscriptions: Set<string>;
  /** It reads: pushes are not to pile up before one that does not. */
  readonly isWritable: boolean;
}

/** Pools whose changes are told to those who asked for it (S bit, RFC 5352 §2.2.5): on change, paced; per connection, TCP too. */
export class Subscriptions<S extends Subscriber> {
  readonly #byPool = new Map<string, Set<S>>();
  readonly #changed = new Set<string>();
  readonly #late = new Map<S, Set<string>>();
  #timer: unknown;

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

  changed(poolKey: string): void {
    if (!this.#byPool.has(poolKey)) return;
    this.#changed.add(poolKey);
    this.#timer ??= this.clock.setTimeout(() => { this.#pushAll(); }, PACE);
  }

  /** It reads again: it gets what it has missed, as it is now. */
  drained(subscriber: S): void {
    const late = this.#late.get(subscriber);
    this.#late.delete(subscriber);
    for (const poolKey of late ?? []) if (subscriber.subscriptions.has(poolKey)) this.#pushTo(subscriber, poolKey);
  }

  close(): void {
    this.clock.clearTimeout(this.#timer);
    this.#changed.clear();
  }

  #pushAll(): void {
    this.#timer = undefined;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const poolKey of changed) for (const subscriber of [...this.#byPool.get(poolKey) ?? []]) this.#pushTo(subscriber, poolKey);
  }

  #pushTo(subscriber: S, poolKey: string): void {
    if (subscriber.isWritable) return this.push(subscriber, poolKey);
    const late = this.#late.get(subscriber) ?? new Set();
    this.#late.set(subscriber, late.add(poolKey));
  }
}

/** Between two updates of a pool; the first change after a pause waits as long as any: changes come in groups. */
const PACE: Milliseconds = 100;
