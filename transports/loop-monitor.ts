import type { Clock, Milliseconds } from '../environment.js';

export interface LoopMonitorOptions {
  readonly clock: Clock;
  /** Time between two looks: what a block is known to within. Default 25 ms. */
  readonly interval?: Milliseconds;
  /** A timer that is this late is none of the loop's fault. Default 10 ms. */
  readonly tolerance?: Milliseconds;
}

/** Knows when this process itself did not run: its event loop was blocked, it was stopped, the machine slept. Silence of a peer is measured in time
 *  in which we could have heard it (D-29). That time stands still from the moment a look is overdue, so it is right also for the timer that happens to
 *  run first after a thaw. Judge nonetheless in `clock.defer`: what came in meanwhile is read after the timers. */
export class LoopMonitor {
  readonly #clock: Clock;
  readonly #interval: Milliseconds;
  readonly #tolerance: Milliseconds;
  readonly #listeners = new Set<(lag: Milliseconds) => void>();
  #deadline: Milliseconds; // of the next look
  #lost: Milliseconds = 0;
  #blocks: Block[] = []; // the latest, in order
  #timer: unknown;

  constructor({ clock, interval = 25, tolerance = 10 }: LoopMonitorOptions) {
    this.#clock = clock;
    this.#interval = interval;
    this.#tolerance = tolerance;
    this.#deadline = clock.now() + interval + tolerance;
    this.#arm();
  }

  /** Time in which the loop ran, since some fixed moment. */
  activeNow(): Milliseconds {
    this.observe();
    return this.#clock.now() - this.#lost;
  }

  /** How much of the time since `moment` (of `clock.now()`) the loop ran. */
  activeSince(moment: Milliseconds): Milliseconds {
    this.observe();
    let active = this.#clock.now() - moment;
    for (let index = this.#blocks.length - 1; index >= 0; index -= 1) {
      const block = this.#blocks[index];
      if (block === undefined || block.end <= moment) break;
      active -= block.end - Math.max(block.start, moment);
    }
    return active;
  }

  /** Looks now, for whoever comes first after a block. @returns the lag that was found, 0 as a rule. */
  observe(): Milliseconds {
    const now = this.#clock.now();
    const lag = now - this.#deadline;
    if (lag <= 0) return 0;
    this.#lost += lag;
    this.#blocks.push({ start: this.#deadline, end: now });
    if (this.#blocks.length > KEPT) this.#blocks.shift();
    this.#deadline = now + this.#interval + this.#tolerance;
    for (const listener of this.#listeners) listener(lag);
    return lag;
  }

  /** Told of each lag when it is found: before input is read, as a rule. @returns what ends it. */
  onLag(listener: (lag: Milliseconds) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => this.#look(), this.#interval);
    (this.#timer as { unref?: () => void } | undefined)?.unref?.(); // keeps no process alive
  }

  #look(): void {
    this.observe();
    this.#deadline = this.#clock.now() + this.#interval + this.#tolerance;
    this.#arm();
  }
}

interface Block {
  readonly start: Milliseconds;
  readonly end: Milliseconds;
}

/** A saturated loop lags at each look: this many cover several seconds. */
const KEPT = 256;
