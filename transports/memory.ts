import type { Clock, Milliseconds, Random } from '../environment.js';
import { MemoryHost } from './memory-host.js';

/** A simulated network: hosts, each with its own view of the clock, and paths between them that can be slow, lossy, held or cut. One seed decides
 *  everything that is left to chance. It has no timers but the clock's. */

export interface MemoryNetworkOptions extends PathOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes of one direction of a stream that may be under way or unread before the sender has to wait. Default 64 KiB. */
  readonly bufferSize?: number;
  /** How the bytes of a stream arrive: chunk by chunk as they were written, or split and joined at random. Default `whole`. */
  readonly chunks?: 'whole' | 'random';
  /** Overwrites a chunk once its listener has returned, so that who kept a slice of it instead of a copy is found out (D-22). Default false. */
  readonly spoils?: boolean;
  /** Told of all that leaves a host. */
  readonly trace?: (event: NetworkEvent) => void;
  /** Told when a part of a stream was lost more than once in a row, so that it and what follows it comes after `delay`: two retransmissions outlast the silence that ends a link. */
  readonly onLate?: (late: { readonly from: string; readonly to: string; readonly delay: Milliseconds }) => void;
}

export interface PathOptions {
  /** One way. Default 1 ms. */
  readonly latency?: Milliseconds;
  /** Added to the latency, uniform in [0, jitter). Streams stay in order, datagrams do not. Default 0. */
  readonly jitter?: Milliseconds;
  /** Probability in [0, 1). A lost datagram is gone; what a stream loses comes 200 ms later for each time it is lost. Default 0. */
  readonly loss?: number;
  /** Probability in [0, 1) that a datagram comes twice, each time after a delay of its own. Default 0. */
  readonly duplication?: number;
}

export interface NetworkEvent {
  readonly at: Milliseconds;
  readonly from: string;
  readonly to: string;
  readonly kind: 'connect' | 'bytes' | 'end' | 'reset' | 'datagram';
  readonly bytes?: Uint8Array;
  /** Which stream, and the port at which it was accepted. */
  readonly stream?: { readonly number: number; readonly port: number };
}

export class MemoryNetwork {
  readonly clock: Clock;
  readonly random: Random;
  readonly bufferSize: number;
  readonly splits: boolean;
  readonly spoils: boolean;
  readonly trace: ((event: NetworkEvent) => void) | undefined;
  readonly onLate: MemoryNetworkOptions['onLate'];
  readonly #defaults: Required<PathOptions>;
  readonly #machines = new Map<string, Machine>();
  readonly #paths = new Map<string, Path>();
  #streams = 0;

  constructor(options: MemoryNetworkOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.bufferSize = options.bufferSize ?? 0x1_0000;
    this.splits = options.chunks === 'random';
    this.spoils = options.spoils ?? false;
    this.trace = options.trace;
    this.onLate = options.onLate;
    this.#defaults = { latency: options.latency ?? 1, jitter: options.jitter ?? 0, loss: options.loss ?? 0, duplication: options.duplication ?? 0 };
  }

  /** The process that runs on the host of this name: a new one at the first call, and after a crash. */
  host(name: string): MemoryHost {
    const machine = this.machine(name) ?? this.#build(name);
    if (machine.process?.isAlive !== true) machine.process = new MemoryHost(this, machine);
    return machine.process;
  }

  /** By its name or one of its addresses. */
  machine(name: string): Machine | undefined {
    return this.#machines.get(name);
  }

  machines(): Iterable<Machine> {
    return new Set(this.#machines.values());
  }

  /** @returns the number of a stream that begins. */
  countStream(): number { return ++this.#streams; }

  /** Sets both directions between two hosts. */
  setPath(a: string, b: string, options: PathOptions): void {
    for (const path of [this.path(a, b), this.path(b, a)]) path.options = { ...path.options, ...options };
  }

  /** Nothing passes between the groups, either way, until `heal`; streams stay open and go on then. Without `others`: everybody else. */
  partition(hosts: string | readonly string[], others?: string | readonly string[]): void {
    for (const [a, b] of this.#pairs(hosts, others)) {
      this.path(a, b).close('cut');
      this.path(b, a).close('cut');
    }
  }

  /** Nothing passes from the first to the others; the way back is open. */
  partitionOneWay(from: string | readonly string[], to?: string | readonly string[]): void {
    for (const [a, b] of this.#pairs(from, to)) this.path(a, b).close('cut');
  }

  /** Keeps what is under way from the first to the others, datagrams too, until `heal`. */
  hold(from: string | readonly string[], to?: string | readonly string[]): void {
    for (const [a, b] of this.#pairs(from, to)) this.path(a, b).close('held');
  }

  /** Opens what was cut or held between the groups; without arguments, everything. */
  heal(hosts?: string | readonly string[], others?: string | readonly string[]): void {
    if (hosts === undefined) {
      for (const path of this.#paths.values()) path.open();
      return;
    }
    for (const [a, b] of this.#pairs(hosts, others)) {
      this.path(a, b).open();
      this.path(b, a).open();
    }
  }

  path(from: string, to: string): Path {
    const key = `${from}>${to}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = new Path(this, { from, to }, from === to ? { latency: 0, jitter: 0, loss: 0, duplication: 0 } : this.#defaults);
      this.#paths.set(key, path);
    }
    return path;
  }

  #build(name: string): Machine {
    const index = new Set(this.#machines.values()).size + 1;
    const machine = new Machine(name, `10.${index >> 16}.${(index >> 8) & 0xff}.${index & 0xff}`);
    this.#machines.set(name, machine);
    this.#machines.set(machine.address, machine);
    return machine;
  }

  #pairs(hosts: string | readonly string[], others: string | readonly string[] | undefined): [string, string][] {
    const left = [hosts].flat();
    const right = others === undefined ? [...this.machines()].map((machine) => machine.name).filter((name) => !left.includes(name)) : [others].flat();
    return left.flatMap((a) => right.map((b): [string, string] => [a, b]));
  }
}

/** What outlives a process: the name, the address, and the kernel that answers for it, unless the power is off. */
export class Machine {
  process: MemoryHost | undefined;
  isOn = true;

  constructor(readonly name: string, readonly address: string) {}
}

/** One direction between two hosts. */
export class Path {
  options: Required<PathOptions>;
  #state: 'open' | 'cut' | 'held' = 'open';
  #waiting: (() => void)[] = [];
  readonly #network: MemoryNetwork;
  readonly #ends: { readonly from: string; readonly to: string };

  constructor(network: MemoryNetwork, ends: { readonly from: string; readonly to: string }, options: Required<PathOptions>) {
    this.#network = network;
    this.#ends = ends;
    this.options = options;
  }

  /** A part of a stream: comes late rather than never. @returns when it is due, not before `notBefore`. */
  carry(arrive: () => void, notBefore: Milliseconds): Milliseconds {
    const { clock, onLate } = this.#network;
    const losses = this.#losses();
    const delay = this.#delay() + losses * RETRANSMISSION;
    if (losses > 1) onLate?.({ ...this.#ends, delay });
    const due = Math.max(clock.now() + delay, notBefore);
    this.#after(due - clock.now(), arrive);
    return due;
  }

  /** A datagram: comes once, twice or never. */
  throw(arrive: () => void): void {
    if (this.#state === 'cut' || this.#isLost()) return;
    for (let left = this.#happens(this.options.duplication) ? 2 : 1; left > 0; left -= 1) {
      this.#network.clock.setTimeout(() => {
        if (this.#state === 'held') this.#waiting.push(arrive);
        else if (this.#state === 'open') arrive();
      }, this.#delay());
    }
  }

  close(state: 'cut' | 'held'): void {
    this.#state = state;
  }

  open(): void {
    const delay = this.#state === 'cut' ? this.options.latency : 0;
    this.#state = 'open';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const arrive of waiting) this.#after(delay, arrive);
  }

  #after(delay: Milliseconds, arrive: () => void): void {
    this.#network.clock.setTimeout(() => {
      if (this.#state === 'open') arrive();
      else this.#waiting.push(arrive);
    }, delay);
  }

  #delay(): Milliseconds {
    const { latency, jitter } = this.options;
    return jitter === 0 ? latency : latency + jitter * this.#network.random.fraction();
  }

  /** In a row, of one part of a stream. */
  #losses(): number {
    let losses = 0;
    while (this.#isLost()) losses += 1;
    return losses;
  }

  #isLost(): boolean { return this.#happens(this.options.loss); }

  #happens(probability: number): boolean {
    return probability > 0 && this.#network.random.fraction() < probability;
  }
}

const RETRANSMISSION = 200;
