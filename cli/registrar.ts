import { Command, Option } from 'commander';
import { createRegistrar, type Registrar } from '../index.js';
import type { Logger } from '../environment.js';
import { resolveTimers } from '../machines/timers.js';
import { failWith } from './fail.js';
import { lineLogger } from './logger.js';
import { enrpGroup, hex, identifier, logLevels, urls, type LogLevel } from './options.js';
import { leave, PATIENCE, untilSignal } from './shutdown.js';

interface Options {
  readonly asap?: readonly string[];
  readonly enrp?: readonly string[];
  readonly peer?: readonly string[];
  readonly id?: number;
  readonly multicast?: true | string;
  readonly timers: 'quick' | 'rfc';
  readonly logLevel: LogLevel;
}

export function registrarCommand(): Command {
  return new Command('registrar')
    .description('run a registrar: it knows who serves which pool; several of them share what they know and take over from each other')
    .option('--asap <URL>', 'listen for pool elements and pool users here; may be repeated (default: tcp://127.0.0.1:3863)', urls)
    .option('--enrp <URL>', 'listen for other registrars and for operators here; may be repeated (default: tcp://127.0.0.1:9901, with --asap none)', urls)
    .option('--peer <URL>', 'the ENRP address of another registrar, whose address for us is in --enrp; may be repeated', urls)
    .option('--id <HEX>', 'identifier among the registrars, different for each (default: random)', identifier)
    .option('--multicast [GROUP]', 'announce it, and find other registrars, by UDP multicast; GROUP is that of the registrars (default: 239.0.0.51:9901)', enrpGroup)
    .addOption(new Option('--timers <PRESET>', 'quick: fails over in tenths of a second; rfc: the timers of RFC 5352 and 5353').choices(['quick', 'rfc']).default('quick'))
    .addOption(new Option('--log-level <LEVEL>', 'what is told on standard error').choices(logLevels).default('warn'))
    .addHelpText('after', '\nSIGTERM has the other registrars take its pool elements over before it ends; a second one ends it at once.')
    .action(run);
}

async function run({ peer = [], id, multicast, timers, logLevel, ...where }: Options, command: Command): Promise<void> {
  const { asap = ['tcp://127.0.0.1:3863'], enrp = where.asap === undefined && peer.length === 0 ? ['tcp://127.0.0.1:9901'] : [] } = where;
  if (enrp.length === 0 && (peer.length > 0 || multicast !== undefined)) command.error('error: --peer and --multicast need --enrp: where the other registrars reach this one');
  const logger = lineLogger(logLevel);
  const ended = untilSignal();
  const starting = createRegistrar({ asap, enrp, peers: peer, timers, logger, ...(id !== undefined && { id }), ...(multicast !== undefined && { multicast: multicast === true || { enrpGroup: multicast } }) });
  void ended.then(() => leave(async () => (await starting).close(), { patience: PATIENCE + resolveTimers(timers).handOver })); // also while it still looks for a mentor
  const registrar = await starting.catch(failWith);
  tell(registrar, logger);
  process.stdout.write(`registrar ${hex(registrar.identifier)} listens on ${registrar.asap.join(', ')}${enrp.length > 0 ? `, for ENRP on ${registrar.enrp.join(', ')}` : ''}\n`);
}

function tell(registrar: Registrar, logger: Logger): void {
  registrar.on('registered', ({ poolHandle, peIdentifier }) => { logger.info({ poolHandle, peIdentifier: hex(peIdentifier) }, 'registered'); });
  registrar.on('removed', ({ poolHandle, peIdentifier, reason }) => { logger.info({ poolHandle, peIdentifier: hex(peIdentifier), reason }, 'removed'); });
  registrar.on('peer', ({ id, state }) => { logger.info({ peer: hex(id), state }, 'peer'); });
  registrar.on('takeover', ({ target, role, outcome }) => { logger.info({ target: hex(target), role, outcome }, 'takeover'); });
}
