import type { Clock, Milliseconds } from '../environment.js';
import type { Machine, MemoryNetwork } from './memory.js';
import { MemoryDatagramSocket } from './memory-datagram.js';
import { connectStream, type MemorySocket } from './memory-stream.js';
import type { ByteServer, ByteSocket, DatagramNetwork, Endpoint, Network, NetworkError } from './network.js';

/** One process on a simulated host. What it does goes through its own `clock` and `network`, so that it can be frozen, blocked and killed. */
export class MemoryHost {
  readonly name: string;
  readonly address: string;
  readonly clock: Clock;
  readonly network: Network & DatagramNetwork;
  readonly servers = new Map<number, (socket: ByteSocket) => void>();
  readonly sockets = new Set<MemorySocket>();
  readonly datagramSockets = new Set<MemoryDatagramSocket>();
  readonly #world: MemoryNetwork;
  readonly #machine: Machine;
  readonly #timers = new Set<HostTimer>();
  #state: 'running' | 'frozen' | 'waking' | 'dead' = 'running';
  #overdue: HostTimer[] = [];
  #input: (() => void)[] = [];
  #deferred: (() => void)[] = [];
  #nextPort = FIRST_EPHEMERAL_PORT - 1;

  constructor(world: MemoryNetwork, machine: Machine) {
    this.name = machine.name;
    this.address = machine.address;
    this.#world = world;
    this.#machine = machine;
    machine.isOn = true;
    this.clock = this.#buildClock();
    this.network = {
      connect: (to) => connectStream(world, this, to),
      listen: (at, accept) => this.#listen(at, accept),
      bind: (at, receive) => Promise.resolve().then(() => MemoryDatagramSocket.bind(world, this, at, receive)),
    };
  }

  get isAlive(): boolean {
    return this.#state !== 'dead';
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  /** Its timers that are set and neither expired nor cleared. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** As SIGSTOP: nothing runs; the kernel goes on to accept streams and to take bytes until its buffers are full. */
  freeze(): void {
    if (this.#state !== 'dead') this.#state = 'frozen';
  }

  /** As SIGCONT. Timers that fell due meanwhile run first, then what came in, then what was deferred, as in libuv's loop. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'waking';
    this.#world.clock.setTimeout(() => this.#wake(), 0);
  }

  /** The event loop is busy for that long. */
  block(span: Milliseconds): void {
    this.freeze();
    this.#world.clock.setTimeout(() => this.thaw(), span);
  }

  /** The process is killed. Its peers see a reset (default), an orderly end (as after `kill -9` with nothing unread), or nothing at all
   *  (the power is off). The network's `host(name)` starts another. */
  crash({ peersSee = 'reset' }: { readonly peersSee?: 'reset' | 'end' | 'nothing' } = {}): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#machine.isOn = peersSee !== 'nothing';
    for (const socket of this.sockets) socket.abandon(peersSee);
    this.servers.clear();
    this.sockets.clear();
    this.datagramSockets.clear();
    for (const timer of this.#timers) this.#world.clock.clearTimeout(timer.handle);
    this.#timers.clear();
    this.#overdue = this.#input = this.#deferred = [];
  }

  /** Something for the process from its kernel: at once, when it wakes, or never. */
  deliver(task: () => void): void {
    if (this.#state === 'running') task();
    else if (this.#state !== 'dead') this.#input.push(task);
  }

  freePort(isFree: (port: number) => boolean): number {
    do {
      this.#nextPort = this.#nextPort === LAST_PORT ? FIRST_EPHEMERAL_PORT : this.#nextPort + 1;
    } while (!isFree(this.#nextPort));
    return this.#nextPort;
  }

  async #listen(at: Endpoint, accept: (socket: ByteSocket) => void): Promise<ByteServer> {
    const isOwn = ANY.has(at.host) || LOOPBACK.has(at.host) || this.#world.machine(at.host) === this.#machine;
    if (!isOwn) throw networkError(this.#world.machine(at.host) === undefined ? 'ENOTFOUND' : 'EADDRNOTAVAIL', 'listen');
    const port = at.port === 0 ? this.freePort((candidate) => !this.servers.has(candidate)) : at.port;
    if (this.servers.has(port)) throw networkError('EADDRINUSE', 'listen');
    if (this.isAlive) this.servers.set(port, accept);
    await Promise.resolve();
    return {
      port,
      close: async () => {
        if (this.servers.get(port) === accept) this.servers.delete(port);
        await Promise.resolve();
      },
    };
  }

  #buildClock(): Clock {
    const { clock } = this.#world;
    return {
      now: () => clock.now(),
      setTimeout: (expire, delay) => {
        const timer: HostTimer = { expire, isDone: false, handle: undefined };
        if (!this.isAlive) return timer;
        timer.handle = clock.setTimeout(() => this.#expire(timer), delay);
        this.#timers.add(timer);
        return timer;
      },
      clearTimeout: (handle) => {
        const timer = handle as HostTimer | undefined;
        if (timer === undefined) return;
        timer.isDone = true;
        this.#timers.delete(timer);
        clock.clearTimeout(timer.handle);
      },
      defer: (task) => clock.defer(() => this.#runDeferred(task)),
    };
  }

  #expire(timer: HostTimer): void {
    if (timer.isDone || this.#state === 'dead') return;
    if (this.#state === 'frozen') {
      this.#overdue.push(timer);
      return;
    }
    timer.isDone = true;
    this.#timers.delete(timer);
    timer.expire();
  }

  #runDeferred(task: () => void): void {
    if (this.#state === 'running') task();
    else if (this.#state !== 'dead') this.#deferred.push(task);
  }

  #wake(): void {
    if (this.#state !== 'waking') return;
    const { clock } = this.#world;
    const overdue = this.#overdue;
    const input = this.#input;
    this.#overdue = [];
    this.#input = [];
    for (const timer of overdue) clock.setTimeout(() => this.#expire(timer), 0);
    for (const task of input) clock.setTimeout(() => this.#take(task), 0);
    clock.setTimeout(() => this.#awake(), 0);
  }

  #take(task: () => void): void {
    if (this.#state === 'frozen') this.#input.push(task);
    else if (this.#state !== 'dead') task();
  }

  #awake(): void {
    if (this.#state !== 'waking') return;
    this.#state = 'running';
    for (const task of this.#input.splice(0)) task();
    for (const task of this.#deferred.splice(0)) this.clock.defer(task);
  }
}

export const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1']);

export const networkError = (code: string, call: string): NetworkError => Object.assign(new Error(`${call} ${code}`), { code });

interface HostTimer {
  readonly expire: () => void;
  isDone: boolean;
  handle: unknown;
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const FIRST_EPHEMERAL_PORT = 49_152;
const LAST_PORT = 0xffff;
