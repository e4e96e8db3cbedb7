import type { NetworkEvent } from '../../transports/memory.js';
import { readU16 } from '../../wire/bytes.js';
import type { Scenario } from './outcome.js';

/** What carries a simulated system, registrars and sessions alike: streams of the simulated network, or real SCTP on its datagrams, which are lost, doubled up behind others and late as
 *  the seed says. */
export type Carrier = 'tcp' | 'sctp';

export const schemes = { tcp: 'tcp', sctp: 'sctp+udp' } as const satisfies Record<Carrier, string>;

/** `session`, `session-sctp`: a scenario of its own by either. */
export const overBoth = (over: (carrier: Carrier) => Scenario): readonly Scenario[] => [over('tcp'), over('sctp')];
export const named = (scenario: string, carrier: Carrier): string => (carrier === 'tcp' ? scenario : `${scenario}-${carrier}`);

/** Whether that event brings something for the other end's user: faults are counted by it. */
export function carries(carrier: Carrier, { kind, bytes }: NetworkEvent): boolean {
  return carrier === 'tcp' ? kind === 'bytes' : kind === 'datagram' && bytes !== undefined && hasData(bytes);
}

/** A DATA chunk of SCTP (RFC 9260 §3.3.1) is in it. */
function hasData(packet: Uint8Array): boolean {
  for (let at = HEADER; at + 4 <= packet.length; at += Math.max(4, (readU16(packet, at + 2) + 3) & ~3)) if (packet[at] === 0) return true;
  return false;
}
const HEADER = 12;
