import { UsageError } from '../errors.js';
import { formatAddress } from '../transports/address.js';
import type { TransportAddress } from '../transports/transport.js';
import type { PoolElement, TransportParameter } from '../wire/index.js';
import { addressText } from './basic-address.js';
import { schemeOfTransport, transportOfScheme } from './control-transports.js';

/** Transport mappings of draft §5.1, one row each: what carries sessions, and over which transport. Elements and users look here and nowhere else. */
export interface Mapping {
  /** Draft §5.1. */
  readonly id: number;
  readonly name: 'none' | 'sctp' | 'tcp';
  readonly canCarrySessions: boolean;
  /** Whether an element's registration is for this mapping. */
  readonly isOf: (element: Pick<PoolElement, 'userTransport' | 'capabilities'>) => boolean;
}

/** Ours, of parameter 0x8f02: which versions of our frames (wire/mapping.ts) the element speaks. Without it, one over TCP is reached in Basic Mode; one over SCTP, where RFC 5352
 *  needs no frames, is asked (introduction.ts). */
export const SPEAKS_FRAMES = Uint8Array.of(1);

/** NO_MAPPING, Basic Mode: the pool only names the server. */
export const noMapping: Mapping = { id: 0x00, name: 'none', canCarrySessions: false, isOf: () => true };
export const sctpMapping: Mapping = {
  id: 0x01, name: 'sctp', canCarrySessions: true,
  isOf: ({ userTransport, capabilities }) => userTransport.transport === 'sctp' && (capabilities !== undefined || userTransport.use === 'data-and-control'), // RFC 5354 §3.4: without control there are no cookies
};
export const tcpMapping: Mapping = { id: 0x02, name: 'tcp', canCarrySessions: true, isOf: ({ userTransport, capabilities }) => userTransport.transport === 'tcp' && capabilities !== undefined };

/** In the order in which they are recognised. */
export const mappings: readonly Mapping[] = [sctpMapping, tcpMapping, noMapping];

export const mappingOf = (element: Pick<PoolElement, 'userTransport' | 'capabilities'>): Mapping => mappings.find(({ isOf }) => isOf(element)) ?? noMapping;

/** What carries sessions at an address that one listens on. */
export const mappingOfScheme = (scheme: string): Mapping => (transportOfScheme(scheme) === 'sctp' ? sctpMapping : tcpMapping);

/** Where an element of that mapping is, as it is registered. RFC 5354 §3.4: over SCTP control goes with the data. */
export const userTransport = ({ name }: Mapping, host: string, port: number): TransportParameter =>
  name === 'sctp' ? { transport: 'sctp', port, use: 'data-and-control', addresses: [host] } : { transport: 'tcp', port, addresses: [host] };

/** Who is known by an address only: over TCP nothing but our frames carries sessions; over SCTP it is asked. */
export const reachedAt = (mapping: Mapping, host: string, port: number): Pick<PoolElement, 'userTransport' | 'capabilities'> =>
  ({ userTransport: userTransport(mapping, host, port), capabilities: mapping === tcpMapping ? SPEAKS_FRAMES : undefined });

/** Where the data channels of an element come in. @throws UsageError INVALID_URL where its mapping has none. */
export function dataAddressOf(element: Pick<PoolElement, 'userTransport' | 'capabilities'>): TransportAddress {
  const { canCarrySessions, name } = mappingOf(element);
  const { userTransport: transport } = element;
  if (!canCarrySessions || transport.transport === 'opaque') throw new UsageError('INVALID_URL', `a data channel with mapping ${name} is not possible here`);
  return formatAddress(schemeOfTransport(transport) ?? transport.transport, transport.addresses[0] ?? '', transport.port);
}

/** For people, and for `rsp.send`: where sessions come in; else as it was registered. */
export const addressOf = (element: Pick<PoolElement, 'userTransport' | 'capabilities'>): string => (mappingOf(element).canCarrySessions ? dataAddressOf(element) : addressText(element.userTransport));

/** Whether two registrations are one pool element's, for one mapping each. */
export const areTied = ({ tie: a }: PoolElement, { tie: b }: PoolElement): boolean => a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
