import type { Job } from './agent.js';
import type { Guest } from './guest.js';

/** RSPLIB's programs, in guests. Each runs until it is stopped; `stdbuf` because their standard output is a pipe. */

/** Short cycles: figures of the defaults are measured without them. */
export const quick = [
  '-serverannouncecycle=1000', '-peerheartbeatcycle=1000', '-peermaxtimelastheard=3000', '-peermaxtimenoresponse=1500', '-mentordiscoverytimeout=1000',
  '-takeoverexpiryinterval=2500', '-endpointkeepalivetransmissioninterval=1500', '-endpointkeepalivetimeoutinterval=1500',
] as const;

/** Without a peer it serves after its mentor timeout. */
export function registrar(guest: Guest, ...options: readonly string[]): Job {
  return guest.start(words('rspregistrar', `-asap=${guest.address}:3863`, `-enrp=${guest.address}:9901`, '-loglevel=4', '-logcolor=off', ...options));
}

export interface About {
  readonly pool: string;
  /** Where its registrar is: `10.77.0.10`, port 3863. */
  readonly registrar: string;
}

export function server(guest: Guest, service: 'echo' | 'pingpong', { pool, registrar: at }: About, identifier: number, ...options: readonly string[]): Job {
  return guest.start(words('rspserver', `-${service}`, `-poolhandle=${pool}`, `-registrar=${at}:3863`, `-identifier=0x${identifier.toString(16)}`, '-loglevel=3', '-logcolor=off', ...options));
}

/** Sends each line to the pool, prints the answers. */
export function terminal(guest: Guest, { pool, registrar: at }: About, ...options: readonly string[]): Job {
  return guest.start(words('rspterminal', `-poolhandle=${pool}`, `-registrar=${at}:3863`, '-loglevel=3', '-logcolor=off', ...options));
}

export function pingPong(guest: Guest, { pool, registrar: at }: About, ...options: readonly string[]): Job {
  return guest.start(words('pingpongclient', `-poolhandle=${pool}`, `-registrar=${at}:3863`, '-loglevel=3', '-logcolor=off', ...options));
}

/** The handlespace of the registrar at `address`, as one of its peers is told it. */
export async function hsdump(guest: Guest, address: string): Promise<string> {
  return (await guest.run(`timeout 20 hsdump ${address}:9901`)).out;
}

const words = (...all: readonly string[]): string => `exec stdbuf -oL ${all.join(' ')}`;
