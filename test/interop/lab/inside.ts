import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from './lab.js';

/** The first process of the lab's namespaces: builds the network, boots the guests, runs the suites (or a shell) and judges what they left. */

const GUESTS = 4;
const args = process.argv.slice(2);
const began = Date.now();
const lab = Lab.current();
await lab.raise(GUESTS);
process.stdout.write(`interop lab: ${GUESTS} guests up after ${((Date.now() - began) / 1000).toFixed(1)} s; logs and captures: ${lab.state}\n`);
process.exit(args[0] === '--shell' ? await shell() : await suites());

async function shell(): Promise<number> {
  process.stdout.write('A shell on the host\'s side (10.77.0.1). In a guest: node dist/test/interop/lab/run.js 1 \'COMMAND\'. It all ends with this shell.\n');
  return statusOf('bash', args.slice(1));
}

async function suites(): Promise<number> {
  const results = join(lab.state, 'results.json');
  const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const status = await statusOf(process.execPath, [...jest, '--config', 'test/interop/jest.config.cjs', '-i', '--forceExit', '--json', '--outputFile', results, ...args], ['inherit', 'ignore', 'inherit']);
  const figures = join(lab.state, 'figures.txt');
  if (existsSync(figures)) process.stdout.write(readFileSync(figures));
  if (status !== 0 || !existsSync(results)) return status === 0 ? 1 : status;
  return leftOut(JSON.parse(readFileSync(results, 'utf8')) as Results);
}

interface Results {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

/** With a pattern on the command line others than its tests count as pending. */
function leftOut({ numPassedTests, numPendingTests, numTodoTests }: Results): number {
  const skipped = numPendingTests + numTodoTests;
  process.stdout.write(`interop lab: ${numPassedTests} passed, ${skipped} skipped, ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
  return numPassedTests > 0 && (skipped === 0 || args.length > 0) ? 0 : 1;
}

async function statusOf(program: string, words: readonly string[], stdio: 'inherit' | ('inherit' | 'ignore')[] = 'inherit'): Promise<number> {
  const [code] = (await once(spawn(program, words, { stdio }), 'exit')) as [number | null];
  return code ?? 1;
}
