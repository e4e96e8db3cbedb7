import { Command, Option } from 'commander';
import { failWith } from '../fail.js';
import { count } from '../options.js';
import { Director } from './director.js';
import { displayFor } from './display.js';
import { transports, type DemoTransport } from './places.js';

export function demoCommand(): Command {
  return new Command('demo')
    .description('three registrars, three counters and a user with 64 sessions: counters and registrars are killed and frozen in turn, the sessions go on')
    .option('--rounds <N>', 'end after N faults (default: at Ctrl-C)', count)
    .option('--sessions <N>', 'sessions of the user', count, 64)
    .addOption(new Option('--transport <NAME>', 'what everything goes over; sctp: over UDP, an address of 127.0.0.0/8 for each process (Linux)').choices(transports).default('tcp'))
    .action(run);
}

async function run({ rounds, sessions, transport }: { rounds?: number; sessions: number; transport: DemoTransport }): Promise<void> {
  const display = displayFor(process.stdout);
  const director = new Director(display, sessions, transport);
  let asked = false;
  const stop = (): void => {
    if (asked) process.exit(130); // the crew goes with us
    asked = true;
    director.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  const result = await director.run(rounds ?? Infinity).catch(async (error: unknown) => {
    display.end();
    await director.end();
    return failWith(error);
  });
  display.end();
  await director.end();
  const { failovers, sent, answered, lost, doubled, lookUps, failedLookUps, slowestLookUp } = result.totals;
  process.stdout.write(`look-ups ${lookUps}, failed ${failedLookUps}, slowest ${slowestLookUp.toFixed(0)} ms\n`);
  process.stdout.write(`failovers ${failovers}, sent ${sent}, answered ${answered}, lost ${lost}, doubled ${doubled}, median failover ${result.median.toFixed(0)} ms\n`);
  process.exit(lost === 0 && doubled === 0 && failedLookUps === 0 ? 0 : 1);
}
