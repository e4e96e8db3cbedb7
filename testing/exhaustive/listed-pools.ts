import type { PoolView } from '../../actors/pool.js';
import { UnknownPoolHandleError } from '../../errors.js';
import { HandleCache } from '../../handlespace/cache.js';
import { quickTimers } from '../../machines/timers.js';
import { poolHandleText, type PoolElement } from '../../wire/index.js';
import type { WorldHost } from '../world.js';

/** A registrar's knowledge of one pool as a list, 2 ms away: where the search is about sessions. */
export class ListedPools implements PoolView {
  readonly #cache: HandleCache;

  constructor(private readonly list: readonly PoolElement[], private readonly host: WorldHost) {
    this.#cache = new HandleCache({ random: host.random, staleAfter: quickTimers.staleCacheValue });
  }

  place(key: string, peIdentifier: number): void { this.#cache.place(key, peIdentifier); }
  vouch(key: string, peIdentifier: number): void { this.#cache.vouch(key, peIdentifier); }
  pick(key: string, avoid?: ReadonlySet<number>, preferred?: readonly number[]): PoolElement | undefined { return this.#cache.pick(key, this.host.clock.now(), avoid, preferred); }
  elements(key: string): readonly PoolElement[] { return this.#cache.elements(key); }

  isStale(key: string): boolean { return this.#cache.isStale(key, this.host.clock.now()); }

  async refresh(key: string): Promise<void> {
    await new Promise<void>((answered) => { this.host.clock.setTimeout(answered, 2); });
    const elements = [...this.list];
    if (elements.length === 0) throw new UnknownPoolHandleError(poolHandleText(key));
    this.#cache.put(key, { elements, policy: elements[0]?.policy, now: this.host.clock.now() });
  }

  reportUnreachable(key: string, peIdentifier: number): boolean {
    this.#cache.suspect(key, peIdentifier, this.host.clock.now() + quickTimers.suspicion);
    return true;
  }

  watch(): () => void { return () => undefined; } // nothing changes
}
