import { createHook } from 'node:async_hooks';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { LoopReport } from '../measure.js';

/** How late the loop of this process is, and why: garbage collection, or one callback that takes long. */
export class LoopWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  readonly #slices: Span[] = [];
  readonly #collections: Span[] = [];
  #depth = 0;
  #began = 0;

  constructor() {
    this.#delay.enable();
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.#collections.push({ from: startTime, to: startTime + duration });
    }).observe({ entryTypes: ['gc'] });
  }

  /** From now on each callback is timed as well, which costs something. */
  timeSlices(): void {
    createHook({
      before: () => { if (this.#depth++ === 0) this.#began = performance.now(); },
      after: () => {
        if (--this.#depth !== 0) return;
        const now = performance.now();
        if (now - this.#began > WORTH_NOTING) this.#slices.push({ from: this.#began, to: now });
      },
    }).enable();
  }

  /** 99th percentile since the last question. */
  p99(): number {
    const p99 = this.#late(this.#delay.percentile(99));
    this.#forget();
    return p99;
  }

  /** Since the last question. */
  report(): LoopReport {
    const collections = this.#collections.map(({ from, to }) => to - from);
    const report = {
      p99: this.#late(this.#delay.percentile(99)), slowest: this.#late(this.#delay.max),
      slice: Math.max(0, ...this.#slices.map((slice) => slice.to - slice.from - this.#collectedIn(slice))),
      collection: Math.max(0, ...collections), collections: collections.reduce((sum, each) => sum + each, 0),
    };
    this.#forget();
    return report;
  }

  #collectedIn({ from, to }: Span): number {
    return this.#collections.reduce((sum, each) => sum + Math.max(0, Math.min(to, each.to) - Math.max(from, each.from)), 0);
  }

  #forget(): void {
    this.#delay.reset();
    this.#slices.length = 0;
    this.#collections.length = 0;
  }

  /** Milliseconds; the monitor counts its own interval. */
  #late(nanoseconds: number): number { return Math.max(0, nanoseconds / 1e6 - RESOLUTION); }
}

interface Span { readonly from: number; readonly to: number }
const RESOLUTION = 5;
const WORTH_NOTING = 2;
