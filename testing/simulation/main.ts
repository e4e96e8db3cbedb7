import { Command, InvalidArgumentError } from 'commander';
import { exhaust } from '../exhaustive/main.js';
import { named } from './carrier.js';
import type { Outcome } from './outcome.js';
import { batchesOf, runBatches, type Tally } from './runner.js';
import { scenarioOf, scenarios } from './scenarios.js';
import { replayCommand, shrink } from './shrink.js';
import { lastWords, totals } from './totals.js';
import type { Batch } from './worker.js';

/** `npm run simulate`: whole systems in virtual time, a seed each. */

interface Options {
  readonly seeds: number;
  readonly first?: number;
  readonly scenario: string;
  readonly only?: readonly number[];
  readonly messages?: number;
  readonly transcript?: boolean;
  readonly processes?: number;
  readonly exhaustive?: string;
  readonly depth?: number;
  readonly unusual?: number;
}

/** Of each ten seeds one is a scope's and one a pool's: they cost as much as many of a session. */
const SEEDS_PER_SCOPE = 10;
const SEEDS_PER_POOL = 10;
/** Of each ten of a scenario one goes over SCTP. */
const SEEDS_PER_SCTP = 10;
const SHOWN = 3;

async function main(options: Options): Promise<boolean> {
  const { exhaustive, depth, unusual } = options;
  if (exhaustive !== undefined) return exhaust({ scope: exhaustive, print, ...(depth !== undefined && { depth }), ...(unusual !== undefined && { unusual }) });
  const first = options.first ?? Math.floor(Date.now() / 1000) % 1_000_000_000;
  print(`first seed ${first}`);
  if (options.seeds === 1 || options.only !== undefined || options.messages !== undefined) return replay(options, first);
  const began = Date.now();
  const batches = share(options, first);
  print(`${options.seeds} seeds: ${counts(batches)}`);
  const tally = await runBatches({ batches, progress: progress(options.seeds), ...(options.processes !== undefined && { processes: options.processes }) });
  const shown = [];
  for (const { scenario, seed } of tally.failed.slice(0, SHOWN)) shown.push(await smallest(scenario, seed));
  for (const outcome of shown) report(outcome, true);
  const took = (Date.now() - began) / 1000;
  print(`${took.toFixed(1)} s, ${(tally.seeds / took).toFixed(0)} seeds a second, ${(tally.cpu / Math.max(1, tally.seeds)).toFixed(1)} ms of CPU a seed`);
  for (const line of lastWords(tally, shown)) print(line);
  print(totals(tally));
  return tally.violations === 0;
}

/** In this process, as asked. */
async function replay({ scenario, only, messages, transcript = false }: Options, seed: number): Promise<boolean> {
  const tally: Tally = { seeds: 0, steps: 0, faults: 0, violations: 0, cpu: 0, failed: [] };
  for (const { name, run } of chosen(scenario)) {
    const outcome = await run(seed, { only, messages });
    tally.seeds += 1;
    tally.steps += outcome.steps;
    tally.faults += outcome.faults.length;
    tally.violations += outcome.violations.length;
    if (transcript) for (const line of outcome.transcript) print(line);
    if (outcome.violations.length === 0) continue;
    tally.failed.push({ scenario: name, seed });
    report(only === undefined && messages === undefined && !transcript ? await smallest(name, seed) : outcome, !transcript);
  }
  print(totals(tally));
  return tally.violations === 0;
}

const chosen = (name: string) => (name === 'all' ? scenarios : [scenarioOf(name)]);

function share({ scenario, seeds }: Options, first: number): Batch[] {
  if (scenario !== 'all') return batchesOf(scenarioOf(scenario).name, first, seeds, 25);
  const scopes = Math.ceil(seeds / SEEDS_PER_SCOPE);
  const pools = Math.min(seeds - scopes, Math.ceil(seeds / SEEDS_PER_POOL));
  return ([['scope', scopes, 4], ['pool', pools, 4], ['session', seeds - scopes - pools, 25]] as const).flatMap(([name, count, size]) => {
    const overSctp = Math.floor(count / SEEDS_PER_SCTP);
    return [...batchesOf(named(name, 'sctp'), first + count - overSctp, overSctp, size), ...batchesOf(name, first, count - overSctp, size)];
  });
}

/** `20 scope-sctp, 180 scope`: how many of each. */
function counts(batches: readonly Batch[]): string {
  const seeds = new Map<string, number>();
  for (const batch of batches) seeds.set(batch.scenario, (seeds.get(batch.scenario) ?? 0) + batch.seeds.length);
  return [...seeds].map(([name, count]) => `${count} ${name}`).join(', ');
}

async function smallest(name: string, seed: number): Promise<Outcome> {
  const scenario = scenarioOf(name);
  const outcome = await scenario.run(seed);
  return outcome.violations.length === 0 ? outcome : shrink(scenario, outcome);
}

function report(outcome: Outcome, withTranscript: boolean): void {
  print(`\nseed ${outcome.seed} of ${outcome.scenario}:`);
  if (outcome.violations.length === 0) print('  it failed among others, and not alone: something is kept between seeds');
  for (const { at, invariant, what } of outcome.violations) print(`  at ${at.toFixed(1)} ms: ${invariant}: ${what}`);
  print(`  ${replayCommand(outcome)}`);
  if (withTranscript) for (const line of outcome.transcript) print(line);
}

function progress(seeds: number): (tally: Tally) => void {
  let shown = 0;
  let told = 0;
  return (tally) => {
    for (const { scenario, seed } of tally.failed.slice(told)) print(`failed: ${scenario} ${seed}`); // at once: a run may be ended before its end
    told = tally.failed.length;
    const tenth = Math.floor((10 * tally.seeds) / seeds);
    if (tenth <= shown) return;
    shown = tenth;
    print(`${tally.seeds} of ${seeds} seeds, ${tally.failed.length} failed`);
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number');
  return value;
}

const numbers = (text: string): number[] => (text === 'none' ? [] : text.split(',').map(whole));

const command = new Command('simulate')
  .description('runs whole systems on a simulated network in virtual time; each seed is another system with other faults')
  .option('--seeds <n>', 'how many', whole, 1000)
  .option('--first <seed>', 'the first; default: from the time', whole)
  .option('--scenario <name>', `${scenarios.map(({ name }) => name).join(', ')}, or all: mostly sessions, one in ten over SCTP`, 'all')
  .option('--only <faults>', 'only the faults of these numbers happen', numbers)
  .option('--messages <n>', 'so many messages at most', whole)
  .option('--transcript', 'everything that happened')
  .option('--exhaustive <scope>', 'instead of seeds: every order of what can happen in a small scope: session, takeover')
  .option('--depth <n>', 'with --exhaustive: so many choices in a row', whole)
  .option('--unusual <n>', 'with --exhaustive: so many of them other than what happens as a rule', whole)
  .option('--processes <n>', 'how many at once; default: one a core', whole)
  .action(async (options: Options) => { if (!(await main(options))) process.exitCode = 1; });
await command.parseAsync();
