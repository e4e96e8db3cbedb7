import { Command } from 'commander';
import { crowd } from './look-ups.js';
import { soakSessions } from './sessions.js';
import { slowReader } from './slow-reader.js';

/** `npm run soak -- --minutes N`: whether anything is left behind. `--short`: 10 000 sessions, for CI. */

interface Options {
  readonly minutes: number;
  readonly short?: boolean;
}

const print = (line: string): void => { process.stdout.write(`${line}\n`); };

async function main({ minutes, short = false }: Options): Promise<boolean> {
  const load = short ? { sessions: 2_000, rounds: 5 } : { sessions: 2_000, rounds: Infinity, within: minutes * 60_000 };
  const { sessions, failovers, wrong, leaks } = await soakSessions({ ...load, print });
  leaks.push(...await crowd(print), ...await slowReader(print));
  for (const leak of leaks) print(`leak: ${leak}`);
  print(`sessions ${sessions}, failovers ${failovers}, wrong replies ${wrong}, leaks ${leaks.length}`);
  return wrong === 0 && leaks.length === 0;
}

const command = new Command('soak')
  .option('--minutes <n>', 'how long', Number, 5)
  .option('--short', '10 000 sessions and no more');
command.parse();
if (!(await main(command.opts<Options>()))) process.exitCode = 1;
