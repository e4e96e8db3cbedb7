import type { Milliseconds } from '../../environment.js';
import { TransportError } from '../../errors.js';
import type { MemoryHost } from '../../transports/memory-host.js';
import type { MemoryNetwork } from '../../transports/memory.js';
import type { Link } from '../../transports/transport.js';
import { linksWith } from '../links.js';
import type { SeededRandom } from '../seeded-random.js';

/** What can go wrong, and the schedule of it that a seed gives: drawn before anything runs, so that a part of it can be run again. */

export type Fault =
  | { readonly kind: 'crash'; readonly host: string; readonly peersSee: 'reset' | 'end' | 'nothing'; readonly back: Milliseconds }
  | { readonly kind: 'freeze' | 'block'; readonly host: string; readonly span: Milliseconds }
  | { readonly kind: 'drain'; readonly host: string; readonly back: Milliseconds }
  | { readonly kind: 'cut' | 'cut one way' | 'hold'; readonly host: string; readonly others: readonly string[]; readonly span: Milliseconds }
  | { readonly kind: 'break'; readonly host: string; readonly others: readonly string[] }
  | { readonly kind: 'slow'; readonly host: string; readonly others: readonly string[]; readonly latency: Milliseconds; readonly loss: number; readonly span: Milliseconds };

/** When: at a moment, or as soon as so many segments have gone over the data channels, which finds the gaps between frames. */
export type Moment = { readonly at: Milliseconds } | { readonly segments: number };

export interface PlannedFault {
  readonly number: number;
  readonly moment: Moment;
  /** A name, or a part: `serving` is who serves the session at that moment. */
  readonly fault: Fault;
}

export interface FaultPlan {
  /** Who may be hit, each with its weight and what may happen to it. */
  readonly victims: readonly { readonly host: string; readonly weight: number; readonly kinds: readonly Fault['kind'][] }[];
  /** Who may be cut off from a victim. */
  readonly others: readonly string[];
  readonly count: number;
  readonly span: Milliseconds;
  /** Faults by count of segments fall among so many; 0: none of them. */
  readonly segments: number;
  /** The longest freeze, cut or hold. */
  readonly longest: Milliseconds;
}

export function planFaults(random: SeededRandom, plan: FaultPlan): PlannedFault[] {
  return Array.from({ length: plan.count }, (_, index) => {
    const moment = plan.segments > 0 && random.below(2) === 0 ? { segments: 1 + random.below(plan.segments) } : { at: random.below(plan.span) };
    return { number: index + 1, moment, fault: drawFault(random, plan) };
  });
}

function drawFault(random: SeededRandom, { victims, others, longest }: FaultPlan): Fault {
  const { host, kinds } = pick(random, victims);
  const kind = kinds[random.below(kinds.length)] ?? 'freeze';
  const rest = others.filter((other) => other !== host);
  const from = random.below(2) === 0 || rest.length === 0 ? rest : [rest[random.below(rest.length)] ?? host];
  const span = 1 + random.below(random.below(3) === 0 ? longest : longest / 4);
  switch (kind) {
    case 'crash': return { kind, host, peersSee: (['reset', 'end', 'nothing'] as const)[random.below(3)] ?? 'reset', back: random.below(longest) };
    case 'drain': return { kind, host, back: random.below(longest) };
    case 'freeze': return { kind, host, span };
    case 'block': return { kind, host, span: 1 + random.below(300) };
    case 'cut': case 'cut one way': case 'hold': return { kind, host, others: from, span };
    case 'break': return { kind, host, others: from };
    case 'slow': return { kind, host, others: from, latency: random.below(80), loss: random.below(3) * 0.1, span };
  }
}

function pick<T extends { readonly weight: number }>(random: SeededRandom, items: readonly T[]): T {
  let left = random.below(items.reduce((sum, { weight }) => sum + weight, 0));
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return items[0] as T;
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'crash': return `crash ${fault.host}, peers see ${fault.peersSee}, back after ${fault.back} ms`;
    case 'drain': return `drain ${fault.host}, back after ${fault.back} ms`;
    case 'freeze': case 'block': return `${fault.kind} ${fault.host} for ${fault.span} ms`;
    case 'cut': case 'hold': return `${fault.kind} ${fault.host} from ${fault.others.join(', ')} for ${fault.span} ms`;
    case 'cut one way': return `cut ${fault.host} one way from ${fault.others.join(', ')} for ${fault.span} ms`;
    case 'break': return `break the links between ${fault.host} and ${fault.others.join(', ')}`;
    case 'slow': return `slow between ${fault.host} and ${fault.others.join(', ')}: ${fault.latency} ms, loss ${fault.loss}, for ${fault.span} ms`;
  }
}

/** What a fault does to paths and links. @returns what ends it, if anything does. */
export function disturb(network: MemoryNetwork, fault: Extract<Fault, { readonly others: readonly string[] }>, linksOf: (process: MemoryHost) => Iterable<Link>): (() => void) | undefined {
  const { host } = fault;
  const others = fault.others.filter((other) => other !== host);
  switch (fault.kind) {
    case 'cut': network.partition(host, others); break;
    case 'cut one way': network.partitionOneWay(host, others); break;
    case 'hold': network.hold(host, others); break;
    case 'break': return void others.forEach((other) => { breakLinks(network, linksOf, host, other); });
    case 'slow': {
      const before = others.map((other) => [other, network.path(host, other).options, network.path(other, host).options] as const);
      for (const other of others) network.setPath(host, other, { latency: fault.latency, jitter: fault.latency, loss: fault.loss });
      return () => {
        for (const [other, there, back] of before) { network.path(host, other).options = there; network.path(other, host).options = back; }
      };
    }
  }
  return () => { network.heal(host, others); };
}

/** Streams between two hosts end with an error at both ends, as when something on the way resets them; an association of SCTP is aborted by the one end. */
function breakLinks(network: MemoryNetwork, linksOf: (process: MemoryHost) => Iterable<Link>, a: string, b: string): void {
  for (const [here, there] of [[a, b], [b, a]] as const) {
    const address = network.machine(there)?.address;
    for (const socket of [...network.machine(here)?.process?.sockets ?? []]) if (socket.remoteAddress === address) network.machine(here)?.process?.deliver(() => { socket.fail('ECONNRESET', 'read'); });
  }
  const process = network.machine(a)?.process;
  if (process !== undefined) for (const link of linksWith(linksOf(process), network.machine(b)?.address ?? '')) process.deliver(() => { link.destroy(new TransportError('LINK_LOST', 'broken')); });
}
