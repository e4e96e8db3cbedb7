import { Command, Option } from 'commander';
import { createRegistrar } from '../index.js';
import { failWith } from './fail.js';
import { lineLogger } from './logger.js';
import { hex, identifier, logLevels, urls, type LogLevel } from './options.js';
import { leave, untilSignal } from './shutdown.js';

interface Options {
  readonly asap?: readonly string[];
  readonly id?: number;
  readonly timers: 'quick' | 'rfc';
  readonly logLevel: LogLevel;
}

export function registrarCommand(): Command {
  return new Command('registrar')
    .description('run a registrar: it knows who serves which pool')
    .option('--asap <URL>', 'listen for pool elements and pool users here; may be repeated (default: tcp://127.0.0.1:3863)', urls)
    .option('--id <HEX>', 'identifier among the registrars (default: random)', identifier)
    .addOption(new Option('--timers <PRESET>', 'quick: fails over in tenths of a second; rfc: the timers of RFC 5352').choices(['quick', 'rfc']).default('quick'))
    .addOption(new Option('--log-level <LEVEL>', 'what is told on standard error').choices(logLevels).default('warn'))
    .action(run);
}

async function run({ asap = ['tcp://127.0.0.1:3863'], id, timers, logLevel }: Options): Promise<void> {
  const logger = lineLogger(logLevel);
  const registrar = await createRegistrar({ asap, timers, logger, ...(id !== undefined && { id }) }).catch(failWith);
  registrar.on('registered', ({ poolHandle, peIdentifier }) => { logger.info({ poolHandle, peIdentifier: hex(peIdentifier) }, 'registered'); });
  registrar.on('removed', ({ poolHandle, peIdentifier, reason }) => { logger.info({ poolHandle, peIdentifier: hex(peIdentifier), reason }, 'removed'); });
  process.stdout.write(`registrar ${hex(registrar.identifier)} listens on ${registrar.asap.join(', ')}\n`);
  await untilSignal();
  await leave(() => registrar.close());
}
