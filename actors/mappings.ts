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

/** Ours, of parameter 0x8f02: which versions of our frames (wire/mapping.ts) the element speaks. Without it an element is reached in Basic Mode. */
export const SPEAKS_FRAMES = Uint8Array.of(1);

/** NO_MAPPING, Basic Mode: the pool only names the server. */
export const noMapping: Mapping = { id: 0x00, name: 'none', canCarrySessions: false, isOf: () => true };
const carriesFrames = (id: number, transport: 'sctp' | 'tcp'): Mapping => ({
  id, name: transport, canCarrySessions: true, isOf: ({ userTransport, capabilities }) => userTransport.transport === transport && capabilities !== undefined,
});
export const sctpMapping = carriesFrames(0x01, 'sctp');
export const tcpMapping = carriesFrames(0x02, 'tcp');

/** In the order in which they are recognised. */
export const mappings: readonly Mapping[] = [sctpMapping, tcpMapping, noMapping];

export const mappingOf = (element: Pick<PoolElement, 'userTransport' | 'capabilities'>): Mapping => mappings.find(({ isOf }) => isOf(element)) ?? noMapping;

/** What carries sessions at an address that one listens on. */
export const mappingOfScheme = (scheme: string): Mapping => (transportOfScheme(scheme) === 'sctp' ? sctpMapping : tcpMapping);

/** Where an element of that mapping is, as it is registered. RFC 5354 §3.4: over SCTP control goes with the data. */
export const userTransport = ({ name }: Mapping, host: string, port: number): TransportParameter =>
  name === 'sctp' ? { transport: 'sctp', port, use: 'data-and-control', addresses: [host] } : { transport: 'tcp', port, addresses: [host] };

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
