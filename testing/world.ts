import { isIP } from 'node:net';
import type { ActorEnvironment } from '../actors/environment.js';
import type { Clock, Logger, Milliseconds, Random } from '../environment.js';
import type { DatagramNetwork, Network } from '../transports/network.js';
import { MemoryNetwork, type MemoryNetworkOptions } from '../transports/memory.js';
import type { MemoryHost } from '../transports/memory-host.js';
import { createSctpTransport } from '../transports/sctp/sctp.js';
import { createTcpTransport } from '../transports/tcp.js';
import type { Transport } from '../transports/transport.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedClock } from './simulated-clock.js';

/** A simulated world: virtual time, one network, one seed. `host(name)` gives what a process there needs; `network` holds, cuts and slows. */
export class World {
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  readonly network: MemoryNetwork;
  /** What all hosts logged, in order. */
  readonly log: LogEntry[] = [];
  readonly #hosts = new Map<MemoryHost, WorldHost>();

  constructor({ seed = 1, clock = new SimulatedClock(), createNetwork = (options) => new MemoryNetwork(options), ...options }: WorldOptions = {}) {
    this.clock = clock;
    this.random = new SeededRandom(seed);
    this.network = createNetwork({ clock, random: this.random.fork(), ...options });
  }

  /** The process on that host: a new one at the first call, and after its crash. */
  host(name: string): WorldHost {
    const process = this.network.host(name);
    let host = this.#hosts.get(process);
    if (host === undefined) {
      host = this.#furnish(process);
      this.#hosts.set(process, host);
    }
    return host;
  }

  async advance(span: Milliseconds): Promise<void> {
    await this.clock.advance(span);
  }

  /** @returns the virtual time it took. */
  async until(condition: () => boolean, within: Milliseconds = 60_000): Promise<Milliseconds> {
    return this.clock.advanceUntil(condition, within);
  }

  async settled<T>(promise: Promise<T>, within: Milliseconds = 60_000): Promise<T> {
    return this.clock.settled(promise, within);
  }

  #furnish(process: MemoryHost): WorldHost {
    const { clock, network } = process;
    const logger = recordingLogger(process.name, this.log);
    const tcp = createTcpTransport({ network, clock, logger });
    const random = this.random.fork();
    const lookUp = async (name: string): Promise<readonly string[]> => Promise.resolve(this.#lookUp(process, name));
    const route = async (): Promise<string> => Promise.resolve(process.address);
    let sctp: Transport | undefined; // made when it is used: what is drawn for it changes no world without
    const transports = (scheme: string): Transport => (scheme === 'sctp+udp' ? (sctp ??= createSctpTransport({ datagrams: network, clock, logger, random: this.random.fork(), lookUp, route })) : tcp);
    const environment = { clock, random, logger, transports, datagrams: network, lookUp };
    return { name: process.name, address: process.address, process, clock, network, random, logger, tcp, environment };
  }

  #lookUp(process: MemoryHost, name: string): string[] {
    if (name === 'localhost') return [process.address];
    const address = isIP(name) === 0 ? this.network.machine(name)?.address : name;
    if (address === undefined) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
    return [address];
  }
}

export interface WorldOptions extends Partial<Omit<MemoryNetworkOptions, 'clock' | 'random'>> {
  /** Default 1. */
  readonly seed?: number;
  readonly clock?: SimulatedClock;
  readonly createNetwork?: (options: MemoryNetworkOptions) => MemoryNetwork;
}

/** One process of the world; `environment` is what the actors take. */
export interface WorldHost {
  readonly name: string;
  readonly address: string;
  /** freeze, thaw, block, crash. */
  readonly process: MemoryHost;
  readonly clock: Clock;
  readonly network: Network & DatagramNetwork;
  readonly random: Random;
  readonly logger: Logger;
  readonly tcp: Transport;
  readonly environment: ActorEnvironment;
}

export interface LogEntry {
  readonly host: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function recordingLogger(host: string, entries: LogEntry[]): Logger {
  const at = (level: LogEntry['level']) => (details: object, message: string): void => void entries.push({ host, level, message, details: { ...details } });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
