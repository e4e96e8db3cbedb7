import { poolHandleText, type PeerState, type Policy, type PoolElement, type ServerInformation } from '../wire/index.js';
import type { TransportAddress } from '../transports/transport.js';
import { addressesOfTransport } from './control-transports.js';

/** What one registrar knows, for people and programs: the same whether it tells by itself (`registrar.dump()`) or is asked by ENRP (actors/enrp-client.ts).
 *  Identifiers are hexadecimal strings, everything is sorted: where registrars agree, their pools are equal. */
export interface Dump {
  /** Its own identifier, `0x00005001`. */
  readonly registrar: string;
  /** The others, by identifier. */
  readonly peers: readonly DumpedPeer[];
  /** By handle. */
  readonly pools: readonly DumpedPool[];
}

export interface DumpedPeer {
  readonly id: string;
  /** `tcp://host:port`, by ENRP. */
  readonly addresses: readonly TransportAddress[];
  /** What it thinks of that peer; `unknown` also where it does not tell. */
  readonly state: PeerState;
}

export interface DumpedPool {
  /** UTF-8 text, or `0x` and hexadecimal where it is none. */
  readonly handle: string;
  /** By identifier. */
  readonly elements: readonly DumpedElement[];
}

export interface DumpedElement {
  readonly id: string;
  /** Its home registrar. */
  readonly home: string;
  /** As `serve --policy` takes it: `round-robin`, `weighted-random:3`, `least-used:50` (loads in per cent). */
  readonly policy: string;
  /** Seconds; -1 for ever. */
  readonly life: number;
  /** `tcp://host:port` for sessions, `asap+tcp://host:port` for its ASAP listener. */
  readonly transports: readonly string[];
}

/** A peer as `dumpOf` takes it. */
export interface KnownPeer {
  readonly id: number;
  readonly addresses: readonly TransportAddress[];
  readonly state: PeerState;
}

/** @param pools by their key; the elements of one key may come in several portions, the later word on an identifier counts. */
export function dumpOf(registrar: number, peers: Iterable<KnownPeer>, pools: Iterable<{ readonly key: string; readonly elements: Iterable<PoolElement> }>): Dump {
  return {
    registrar: hexadecimal(registrar),
    peers: [...peers].sort((one, other) => one.id - other.id).map(({ id, addresses, state }) => ({ id: hexadecimal(id), addresses, state })),
    pools: merged(pools).map(([key, elements]) => ({ handle: poolHandleText(key), elements: elements.map(dumpedElement) })),
  };
}

export function dumpedElement({ identifier, homeRegistrar, policy, registrationLife, userTransport, asapTransport }: PoolElement): DumpedElement {
  const control = asapTransport === undefined ? [] : addressesOfTransport(asapTransport).map((address) => `asap+${address}`);
  return { id: hexadecimal(identifier), home: hexadecimal(homeRegistrar), policy: policyText(policy), life: registrationLife, transports: [...addressesOfTransport(userTransport), ...control] };
}

/** A registrar of a list, and what is thought of it. */
export const knownPeer = ({ serverId, transport }: ServerInformation, state: PeerState = 'unknown'): KnownPeer => ({ id: serverId, addresses: addressesOfTransport(transport), state });

export const hexadecimal = (identifier: number): string => `0x${identifier.toString(16).padStart(8, '0')}`;

function policyText(policy: Policy): string {
  if (policy.policy === 'unknown') return hexadecimal(policy.type);
  const { policy: name, unrecognized: _, ...values } = policy as { readonly policy: string; readonly unrecognized?: unknown };
  return [name, ...Object.entries(values as Record<string, number | undefined>).flatMap(([field, value]) => (value === undefined ? [] : valueText(field, value)))].join(':');
}

const valueText = (field: string, value: number): string => String(/load/i.test(field) ? Number(((value / 0xffff_ffff) * 100).toFixed(2)) : value);

/** Keys in the order of their bytes, elements in that of their identifiers. */
function merged(pools: Iterable<{ readonly key: string; readonly elements: Iterable<PoolElement> }>): readonly (readonly [string, readonly PoolElement[]])[] {
  const all = new Map<string, Map<number, PoolElement>>();
  for (const { key, elements } of pools) {
    const known = all.get(key) ?? new Map<number, PoolElement>();
    for (const element of elements) known.set(element.identifier, element);
    all.set(key, known);
  }
  return [...all].sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, elements]) => [key, [...elements.values()].sort((one, other) => one.identifier - other.identifier)]);
}
