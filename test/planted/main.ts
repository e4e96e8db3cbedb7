import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Copies } from './copies.js';
import { faults, type PlantedFault } from './faults.js';
import type { Finding } from './seeds.js';

/** `npm run planted [-- NAME... | N/M]`: whether the simulated world finds what is wrong, and how many seeds it takes. */

const SEEDS = 500;
/** For one seed, or for all of a fault: one that makes a seed endless is found as well. */
const PATIENCE = 240_000;

const given = process.argv.slice(2);
/** `2/3`: the second third of them. */
const [, share, shares] = /^(\d+)\/(\d+)$/.exec(given[0] ?? '') ?? [];
const chosen = shares !== undefined ? faults.filter((_, index) => index % Number(shares) === Number(share) - 1) : given.length > 0 ? faults.filter(({ name }) => given.some((part) => name.includes(part))) : faults;
const copies = new Copies(process.cwd());
let found = 0;
try {
  const sound = copies.plant();
  const waiting = [...chosen].sort((a, b) => a.scenario.localeCompare(b.scenario)); // whole scopes take longest
  const work = async (): Promise<void> => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) if (await isFound(fault, sound)) found += 1;
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
} finally {
  copies.remove();
}
process.stdout.write(`planted faults ${chosen.length}, found ${found}\n`);
if (found < chosen.length) process.exitCode = 1;

async function isFound(fault: PlantedFault, sound: string): Promise<boolean> {
  const began = Date.now();
  const finding = await firstFinding(fault, sound).catch((error: unknown) => ({ seed: NaN, what: String(error) }));
  const seeds = finding === undefined ? `NOT FOUND within ${SEEDS} seeds` : Number.isNaN(finding.seed) ? 'FAILED' : `${finding.seed} ${finding.seed === 1 ? 'seed' : 'seeds'}`;
  process.stdout.write(`${fault.name.padEnd(46)} ${fault.scenario.padEnd(8)} ${seeds.padEnd(10)} ${((Date.now() - began) / 1000).toFixed(1)} s  ${finding?.what.slice(0, 160) ?? ''}\n`);
  return finding !== undefined && !Number.isNaN(finding.seed);
}

/** A seed that is violated with the fault, and without it not. */
async function firstFinding(fault: PlantedFault, sound: string): Promise<Finding | undefined> {
  const copy = copies.plant(fault);
  for (let first = 1; first <= SEEDS; first += 1) {
    const finding = await run(copy, fault.scenario, first, SEEDS - first + 1);
    if (finding === undefined) return undefined;
    if (await run(sound, fault.scenario, finding.seed, 1) === undefined) return finding;
    process.stdout.write(`seed ${finding.seed} of ${fault.scenario} is violated without any fault too\n`);
    first = finding.seed;
  }
  return undefined;
}

function run(copy: string, scenario: string, first: number, count: number): Promise<Finding | undefined> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [join(copy, 'test/planted/seeds.js'), scenario, String(first), String(count)], { timeout: PATIENCE, maxBuffer: 0x100_0000 }, (error, output) => {
      if (error?.killed === true) resolve({ seed: first, what: `it does not end within ${PATIENCE / 1000} s` });
      else if (error !== null) reject(new Error(error.message.slice(0, 2_000)));
      else resolve((JSON.parse(output) as Finding | null) ?? undefined);
    });
  });
}
