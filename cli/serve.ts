import { Argument, Command, Option } from 'commander';
import { initialize, type AsapOptions, type CookieKey, type PolicyOption, type PoolElement } from '../index.js';
import { cookieKeysOf } from './cookie-keys.js';
import { failWith, oneLine } from './fail.js';
import { lineLogger } from './logger.js';
import { asapGroup, count, hex, identifier, logLevels, policy, url, urls, whereToHunt, type HuntOptions, type LogLevel } from './options.js';
import { services } from './services/index.js';
import { leave, PATIENCE, untilSignal } from './shutdown.js';

interface Options extends HuntOptions {
  readonly pool: string;
  readonly policy: PolicyOption;
  readonly id?: number;
  readonly listen: string;
  readonly cookieKeyFile?: string;
  readonly drainTimeout: number;
  readonly timers: 'quick' | 'rfc';
  readonly logLevel: LogLevel;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description('run a pool element with one of the sample services')
    .addArgument(new Argument('<service>', 'echo: sends everything back; counter: counts messages, its state is a cookie; pingpong: says who answered').choices(Object.keys(services)))
    .requiredOption('--pool <NAME>', 'pool handle to register under')
    .option('--registrar <URL>', 'a registrar; may be repeated', urls)
    .option('--multicast [GROUP]', 'hear of registrars by UDP multicast, instead of --registrar or as well (default: 239.0.0.50:3863)', asapGroup)
    .addOption(new Option('--policy <POLICY>', 'how users are spread over the pool, like weighted-random:WEIGHT, least-used:PERCENT or least-used:auto (how busy its event loop is)').argParser(policy).default({ policy: 'round-robin' }, 'round-robin'))
    .option('--id <HEX>', 'PE identifier (default: random)', identifier)
    .option('--listen <URL>', 'listen for sessions here, tcp:// or sctp+udp://', url, 'tcp://127.0.0.1:0')
    .addOption(new Option('--cookie-key-file <FILE>', 'keys for state cookies, id:hexadecimal a line, the first signs; SIGHUP reads it again').env('RSERPOOL_COOKIE_KEY_FILE'))
    .option('--drain-timeout <MS>', 'SIGTERM and SIGINT hand the sessions over to other elements, for so long at most; a second one ends it at once', count, 10_000)
    .addOption(new Option('--timers <PRESET>', 'quick: fails over in tenths of a second; rfc: the timers of RFC 5352').choices(['quick', 'rfc']).default('quick'))
    .addOption(new Option('--log-level <LEVEL>', 'what is told on standard error').choices(logLevels).default('warn'))
    .action(run);
}

async function run(name: keyof typeof services, { pool, policy, id, listen, cookieKeyFile, drainTimeout, timers, logLevel, ...hunt }: Options, command: Command): Promise<void> {
  const cookieKeys = keysOrFail(cookieKeyFile);
  const rsp = await initialize({ ...whereToHunt(hunt, command), ...asapAt(listen), timers, logger: lineLogger(logLevel) }).catch(failWith);
  const ended = untilSignal();
  const drained = async (): Promise<void> => { // also while it still hunts for a registrar
    await Promise.all([...rsp.elements].map((each) => each.drain({ timeout: drainTimeout })));
    await rsp.close();
  };
  void ended.then(() => leave(drained, { patience: drainTimeout + PATIENCE }));
  const registering = rsp.register(pool, { listen: [listen], policy, cookieKeys, ...(id !== undefined && { identifier: id }) }, (session) => {
    services[name](session, hex(element.identifier));
  });
  if (cookieKeyFile !== undefined) process.on('SIGHUP', () => void registering.then((element) => newKeys(element, cookieKeyFile)));
  const element = await registering.catch(failWith);
  process.stdout.write(`${name} serves pool ${JSON.stringify(pool)} as ${hex(element.identifier)}, process ${process.pid}, on ${element.address}\n`);
}

/** On SCTP a process is one endpoint: where it takes sessions it talks to registrars, too. */
function asapAt(listen: string): { readonly asap?: AsapOptions } {
  const [, host] = /^sctp\+udp:\/\/(.*):\d+$/.exec(listen) ?? [];
  return host === undefined || host === '0.0.0.0' || host === '[::]' ? {} : { asap: { listen: `sctp+udp://${host}:0` } };
}

function keysOrFail(file: string | undefined): readonly CookieKey[] | undefined {
  try { return file === undefined ? undefined : cookieKeysOf(file); } catch (error) { return failWith(error); }
}

/** Rotation: a file that is wrong changes nothing. */
async function newKeys(element: PoolElement, file: string): Promise<void> {
  try {
    const cookieKeys = cookieKeysOf(file);
    await element.update({ cookieKeys });
    process.stdout.write(`cookie keys read again: ${cookieKeys.map(({ id }) => id).join(', ')}\n`);
  } catch (error) {
    process.stderr.write(`rserpool: cookie keys stay as they were: ${oneLine(error)}\n`);
  }
}
