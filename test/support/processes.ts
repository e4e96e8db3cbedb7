import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { nodeClock } from '../../transports/node.js';
import { parseAddress } from '../../transports/address.js';
import { asapFraming, decodeAsap, Framer } from '../../wire/index.js';
import { Lines } from './lines.js';

/** Real processes on real sockets. A test waits for their lines and their ends; after each test none is left (`killAll`). */

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Program>();
process.on('exit', killAll);

/** `rserpool ARGUMENTS`, as it was built. */
export const rserpool = (...args: readonly string[]): Program => new Program([fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url)), ...args]);
/** A program for Node.js, `path` from the project's root. */
export const program = (path: string, ...args: readonly string[]): Program => new Program([fileURLToPath(new URL(`../../${path}`, import.meta.url)), ...args]);

/** Also what is frozen. */
export function killAll(): void {
  for (const program of running) program.kill('SIGKILL');
}

export class Program {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #out = new Lines();
  readonly #err = new Lines();

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.pid = child.pid ?? 0;
    running.add(this);
    this.#out.read(child.stdout);
    this.#err.read(child.stderr);
    child.stdin.on('error', () => undefined); // it has gone: `ended` tells
    this.ended = once(child, 'close').then(([code, signal]) => {
      running.delete(this);
      for (const lines of [this.#out, this.#err]) lines.end(() => new Error(`${args.slice(1).join(' ')} ended (${String(code ?? signal)}); it said:\n${this.said.join('\n')}`));
      return { code, signal } as Ending;
    });
  }

  /** Everything it wrote: standard output, then standard error. */
  get said(): readonly string[] { return [...this.#out.all, ...this.#err.all]; }
  get errors(): readonly string[] { return this.#err.all; }

  /** The next line of its standard output that matches, behind the one that was found last. Rejects when it ends before. */
  out(pattern: RegExp): Promise<RegExpExecArray> { return this.#out.next(pattern); }
  /** Likewise of its standard error. */
  err(pattern: RegExp): Promise<RegExpExecArray> { return this.#err.next(pattern); }

  say(line: string): void { this.#child.stdin?.write(`${line}\n`); }
  /** No more lines for it. */
  hangUp(): void { this.#child.stdin?.end(); }
  kill(signal: NodeJS.Signals): void { this.#child.kill(signal); }

  /** Its end after `kill(signal)`. */
  async killed(signal: NodeJS.Signals): Promise<Ending> {
    this.kill(signal);
    return this.ended;
  }
}

// ---- the roles

/** A registrar and its address. */
export async function startRegistrar({ address = 'tcp://127.0.0.1:0', logLevel = 'info' } = {}): Promise<{ readonly registrar: Program; readonly address: string }> {
  const registrar = rserpool('registrar', '--asap', address, '--log-level', logLevel);
  const [, at = ''] = await registrar.out(/^registrar 0x\w{8} listens on (\S+)$/);
  return { registrar, address: at };
}

export interface ServeOptions {
  readonly service?: string;
  readonly pool?: string;
  readonly id: string;
  readonly registrar: string;
  readonly logLevel?: string;
}

/** A pool element that is registered, and where it takes sessions. */
export async function startElement({ service = 'counter', pool = 'counter', id, registrar, logLevel = 'info' }: ServeOptions): Promise<{ readonly element: Program; readonly address: string }> {
  const element = rserpool('serve', service, '--pool', pool, '--registrar', registrar, '--id', id, '--log-level', logLevel);
  const [, address = ''] = await element.out(/serves pool .* on (\S+)$/);
  return { element, address };
}

/** A terminal with a session, and the PE identifier that serves it. */
export async function startTerminal(pool: string, registrar: string): Promise<{ readonly terminal: Program; readonly element: string }> {
  const terminal = rserpool('terminal', pool, '--registrar', registrar);
  const [, element = ''] = await terminal.err(/^# connected to (0x\w{8})$/);
  return { terminal, element };
}

// ---- sockets

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A connection of somebody who may behave badly. */
export async function rawSocket(address: string): Promise<Socket> {
  const { host, port } = parseAddress(address, ['tcp']);
  const socket = connect({ host, port });
  socket.on('error', () => undefined); // `close` follows
  await once(socket, 'connect');
  return socket;
}

/** Stands between a registrar and those who talk to it, counts their connections and notes the names of their messages. */
export async function listenIn(registrar: string): Promise<{ readonly address: string; readonly messages: readonly string[]; readonly connections: number; close(): void }> {
  const messages: string[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    connections += 1;
    const { host, port } = parseAddress(registrar, ['tcp']);
    const behind = connect({ host, port });
    const framer = new Framer(asapFraming);
    for (const socket of [client, behind]) sockets.add(socket.on('error', () => undefined));
    client.on('data', (chunk) => {
      framer.push(Buffer.from(chunk), (bytes, start, end) => messages.push(decodeAsap(bytes, start, end).message.type));
    });
    client.pipe(behind).pipe(client);
    client.once('close', () => { behind.destroy(); });
    behind.once('close', () => { client.destroy(); });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }); // as ours: a crowd is not to wait for the kernel's next SYN
  await once(server, 'listening');
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    get connections() { return connections; },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

// ---- processes that are not ours

/** Resolves once a process that somebody else started has ended. */
export async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise<void>((resolve) => { nodeClock.setTimeout(resolve, POLL); });
}
const POLL = 20;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return stateOf(pid) !== 'Z'; // ended, but nobody has asked for its exit code
}

function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
  } catch {
    return undefined; // no Linux
  }
}

/** Memory of a process in MiB; undefined where the system does not tell (only Linux does so without a program). */
export function residentMiB(pid: number): number | undefined {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return undefined;
  }
}
