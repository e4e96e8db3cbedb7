import { scenarioOf } from './scenarios.js';

/** A child of the runner: runs the seeds that it is given, a batch at a time. */

export interface Batch {
  readonly scenario: string;
  readonly seeds: readonly number[];
}

export interface BatchResult {
  readonly scenario: string;
  readonly seeds: number;
  readonly steps: number;
  readonly faults: number;
  readonly failed: readonly { readonly seed: number; readonly violations: number }[];
  readonly milliseconds: number;
}

process.on('message', (batch: Batch) => {
  void run(batch).then((result) => { process.send?.(result); });
});
process.on('disconnect', () => { process.exit(0); });

async function run({ scenario: name, seeds }: Batch): Promise<BatchResult> {
  const scenario = scenarioOf(name);
  const { user } = process.cpuUsage();
  const failed: { seed: number; violations: number }[] = [];
  let steps = 0;
  let faults = 0;
  for (const seed of seeds) {
    const outcome = await scenario.run(seed);
    steps += outcome.steps;
    faults += outcome.faults.length;
    if (outcome.violations.length > 0) failed.push({ seed, violations: outcome.violations.length });
  }
  return { scenario: name, seeds: seeds.length, steps, faults, failed, milliseconds: (process.cpuUsage().user - user) / 1000 };
}
