import { createInterface } from 'node:readline';
import { Command, Option } from 'commander';
import { initialize, type ServiceAccessPoint, type Session } from '../index.js';
import { failWith, oneLine } from './fail.js';
import { lineLogger } from './logger.js';
import { asapGroup, hex, logLevels, urls, whereToHunt, type HuntOptions, type LogLevel } from './options.js';
import { leave, untilSignal } from './shutdown.js';

interface Options extends HuntOptions {
  readonly timers: 'quick' | 'rfc';
  readonly logLevel: LogLevel;
}

export function terminalCommand(): Command {
  return new Command('terminal')
    .description('talk to a pool: lines from standard input go there, replies to standard output, moves of the session to standard error')
    .argument('<pool>', 'pool handle')
    .option('--registrar <URL>', 'a registrar; may be repeated', urls)
    .option('--multicast [GROUP]', 'hear of registrars by UDP multicast, instead of --registrar or as well (default: 239.0.0.50:3863)', asapGroup)
    .addOption(new Option('--timers <PRESET>', 'quick: fails over in tenths of a second; rfc: the timers of RFC 5352').choices(['quick', 'rfc']).default('quick'))
    .addOption(new Option('--log-level <LEVEL>', 'what is told on standard error').choices(logLevels).default('warn'))
    .action(run);
}

async function run(pool: string, { timers, logLevel, ...hunt }: Options, command: Command): Promise<void> {
  process.stdout.on('error', () => process.exit(0)); // whoever read it has gone
  const ended = untilSignal();
  const rsp = await initialize({ ...whereToHunt(hunt, command), timers, logger: lineLogger(logLevel) }).catch(failWith);
  void ended.then(() => leave(() => rsp.close()));
  const session = await rsp.connect(pool).catch(failWith);
  show(session);
  await talk(session).catch(failWith);
  await leave(() => end(rsp, session));
}

function show(session: Session): void {
  tell(`connected to ${hex(session.peIdentifier ?? 0)}`);
  session.on('data', (data) => { process.stdout.write(`${data.toString()}\n`); });
  session.on('failover', ({ from, to, duration, resent }) => { tell(`moved from ${hex(from)} to ${hex(to)} in ${duration.toFixed(0)} ms, ${resent} sent again`); });
  session.on('error', (error) => { tell(oneLine(error)); });
  session.on('closed', () => { process.exitCode = 1; process.stdin.destroy(); });
}

async function talk(session: Session): Promise<void> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) await session.send(line);
}

async function end(rsp: ServiceAccessPoint, session: Session): Promise<void> {
  await session.close();
  await rsp.close();
}

const tell = (text: string): void => { process.stderr.write(`# ${text}\n`); };
