import { createHook } from 'node:async_hooks';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { LoopReport } from '../measure.js';

/** How late the loop of this process is, and why: garbage collection, or one callback that takes long. */
export class LoopWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  readonly #slices: (Span & { readonly cpu: number })[] = [];
  readonly #collections: Span[] = [];
  #depth = 0;
  #began = 0;
  #cpuBegan = 0;

  constructor() {
    this.#delay.enable();
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.#collections.push({ from: startTime, to: startTime + duration });
    }).observe({ entryTypes: ['gc'] });
  }

  /** From now on each callback is timed as well, which costs something. */
  timeSlices(): void {
    createHook({
      before: () => {
        if (this.#depth++ !== 0) return;
        this.#began = performance.now();
        this.#cpuBegan = cpuTime();
      },
      after: () => {
        if (--this.#depth !== 0) return;
        const now = performance.now();
        if (now - this.#began > WORTH_NOTING) this.#slices.push({ from: this.#began, to: now, cpu: cpuTime() - this.#cpuBegan });
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
      // While it waited for its core it did no work: it has done no more than the CPU time of the process, whose other threads count too.
      slice: Math.max(0, ...this.#slices.map((slice) => Math.min(slice.to - slice.from - this.#collectedIn(slice), slice.cpu))),
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

/** Of the process, milliseconds. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

interface Span { readonly from: number; readonly to: number }
const RESOLUTION = 5;
const WORTH_NOTING = 2;
