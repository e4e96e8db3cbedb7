import { lookup } from 'node:dns/promises';
import { silentLogger, type Clock, type Logger, type Milliseconds, type Random } from '../environment.js';
import { UsageError } from '../errors.js';
import { notServed } from '../transports/address.js';
import { nodeAddresses, nodeClock, nodeDatagrams, nodeNetwork, nodeRandom, nodeRoute, nodeTimeOfDay } from '../transports/node.js';
import { createSctpTransport } from '../transports/sctp/sctp.js';
import { createTcpTransport } from '../transports/tcp.js';
import type { DatagramNetwork } from '../transports/network.js';
import type { Transport } from '../transports/transport.js';
import { startProver, type Prover } from './liveness.js';

/** The world an actor lives in. Tests give one of their own; everybody else has Node.js's. */
export interface ActorEnvironment {
  readonly clock: Clock;
  /** Milliseconds since 1970: for what other hosts read, never for waiting; it may jump. Default: the clock's time. */
  readonly timeOfDay?: (() => Milliseconds) | undefined;
  readonly random: Random;
  readonly logger: Logger;
  /** @throws UsageError INVALID_URL for a scheme nobody serves; FeatureUnavailableError for one that is planned. */
  transports(scheme: string): Transport;
  /** Starts a thread that answers while the loop is blocked (`liveness: 'worker'`); without it there is none. */
  readonly prover?: ((at: { readonly host: string; readonly port: number }) => Promise<Prover>) | undefined;
  /** UDP, for announcements; without it there are none. */
  readonly datagrams?: DatagramNetwork | undefined;
  /** The IP addresses of a host name, at least one; an IP address is its own. Rejects where there are none. */
  lookUp(host: string): Promise<readonly string[]>;
}

export interface EnvironmentOptions {
  readonly logger?: Logger | undefined;
}

/** `node:net`, and SCTP over `node:dgram`; the monotonic clock and the system's randomness. */
export function nodeEnvironment({ logger = silentLogger }: EnvironmentOptions = {}): ActorEnvironment {
  const transports = transportsBySchemes([createTcpTransport({ network: nodeNetwork, clock: nodeClock, logger }), sctp.loggingTo(logger)]);
  return { clock: nodeClock, timeOfDay: nodeTimeOfDay, random: nodeRandom, logger, transports, datagrams: nodeDatagrams, lookUp, prover: startProver };
}

/** One for all of this process, whose UDP port they share; nothing is opened before it is used. */
const sctp = createSctpTransport({ datagrams: nodeDatagrams, clock: nodeClock, random: nodeRandom, lookUp, route: nodeRoute, addresses: nodeAddresses });

/** Finds a transport by the scheme of an address. */
export function transportsBySchemes(transports: readonly Transport[]): ActorEnvironment['transports'] {
  const bySchemes = new Map(transports.flatMap((transport) => transport.schemes.map((scheme) => [scheme, transport] as const)));
  return (scheme) => {
    const transport = bySchemes.get(scheme);
    if (transport !== undefined) return transport;
    throw notServed(scheme) ?? new UsageError('INVALID_URL', `no transport serves ${scheme}://; there are ${[...bySchemes.keys()].join(', ')}`);
  };
}

async function lookUp(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
