import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Batch, BatchResult } from './worker.js';

export interface Tally {
  seeds: number;
  steps: number;
  faults: number;
  violations: number;
  /** Milliseconds of CPU. */
  cpu: number;
  readonly failed: { readonly scenario: string; readonly seed: number }[];
}

export interface RunOptions {
  readonly batches: readonly Batch[];
  readonly processes?: number;
  readonly progress?: (tally: Tally) => void;
  /** No more batches are begun once so many seeds have failed. */
  readonly enough?: number;
}

/** Runs batches of seeds on all cores, a process each. */
export async function runBatches({ batches, processes = availableParallelism(), progress, enough = 20 }: RunOptions): Promise<Tally> {
  const tally: Tally = { seeds: 0, steps: 0, faults: 0, violations: 0, cpu: 0, failed: [] };
  const waiting = [...batches];
  const next = (): Batch | undefined => (tally.failed.length < enough ? waiting.shift() : undefined);
  await Promise.all(Array.from({ length: Math.min(processes, batches.length) }, () => employ(next, (result) => {
    add(tally, result);
    progress?.(tally);
  })));
  tally.failed.sort((a, b) => a.seed - b.seed || a.scenario.localeCompare(b.scenario));
  return tally;
}

/** Seeds in batches small enough that all processes end at about the same time. */
export function batchesOf(scenario: string, first: number, seeds: number, size: number): Batch[] {
  return Array.from({ length: Math.ceil(seeds / size) }, (_, index) => {
    const from = first + index * size;
    return { scenario, seeds: Array.from({ length: Math.min(size, first + seeds - from) }, (_unused, offset) => from + offset) };
  });
}

/** One process, until there is nothing left to do. */
function employ(next: () => Batch | undefined, done: (result: BatchResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker: ChildProcess = fork(fileURLToPath(new URL('./worker.js', import.meta.url)));
    const give = (): void => {
      const batch = next();
      if (batch === undefined) {
        worker.removeAllListeners('exit');
        worker.disconnect();
        resolve();
      } else worker.send(batch);
    };
    worker.on('message', (result: BatchResult) => { done(result); give(); });
    worker.on('exit', (code, signal) => { reject(new Error(`a process of the simulation ended with ${code ?? signal ?? 'nothing'}`)); });
    give();
  });
}

function add(tally: Tally, result: BatchResult): void {
  tally.seeds += result.seeds;
  tally.steps += result.steps;
  tally.faults += result.faults;
  tally.cpu += result.milliseconds;
  for (const { seed, violations } of result.failed) {
    tally.violations += violations;
    tally.failed.push({ scenario: result.scenario, seed });
  }
}
