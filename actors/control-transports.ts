import { formatAddress, isWildcard, parseAddress, schemeOf } from '../transports/address.js';
import type { TransportAddress } from '../transports/transport.js';
import type { ControlTransport, TransportParameter } from '../wire/index.js';

/** Addresses here, transport parameters of RFC 5354 on the wire. An SCTP transport does not say how its packets travel: it is taken for SCTP over UDP (RFC 6951), which
 *  kernels speak too, and which needs no rights. */
const schemes = { tcp: 'tcp', sctp: 'sctp+udp' } as const;

/** The scheme by which control is carried there; undefined where it cannot be. */
export const schemeOfTransport = ({ transport }: TransportParameter): string | undefined => (transport === 'tcp' || transport === 'sctp' ? schemes[transport] : undefined);

/** The other way round: `sctp` for both of its schemes. */
export const transportOfScheme = (scheme: string): ControlTransport['transport'] => (scheme === 'sctp' || scheme === 'sctp+udp' ? 'sctp' : 'tcp');

/** @param hosts one, or of SCTP several (multi-homing). */
export const controlTransport = (scheme: string, port: number, hosts: readonly string[]): ControlTransport =>
  transportOfScheme(scheme) === 'sctp' ? { transport: 'sctp', port, use: 'data-only', addresses: hosts } : { transport: 'tcp', port, addresses: hosts };

/** The parameter of an address of ours; a wildcard, or a name, stands for the host that the other end sees. */
export function controlTransportOf(address: TransportAddress, seenHost: string): ControlTransport {
  const { scheme, host, port } = parseAddress(address, [schemeOf(address)]);
  return controlTransport(scheme, port, [!isNumeric(host) || isWildcard(host) ? seenHost : host]);
}

/** One parameter for several addresses of one registrar: its address of that scheme, else its first one; an SCTP parameter names all hosts of the port. */
export function controlTransportOfAll(addresses: readonly TransportAddress[], scheme: string): ControlTransport {
  const chosen = addresses.some((address) => schemeOf(address) === scheme) ? scheme : schemeOf(addresses[0] ?? '');
  const [first, ...others] = addresses.filter((address) => schemeOf(address) === chosen).map((address) => parseAddress(address, [chosen]));
  const { host = '', port = 0 } = first ?? {};
  return controlTransport(chosen, port, transportOfScheme(chosen) === 'sctp' ? [host, ...others.filter((other) => other.port === port).map((other) => other.host)] : [host]);
}

/** An address for each IP address; of what carries no control they are for people only. Opaque transports are shown in hexadecimal. */
export function addressesOfTransport(transport: TransportParameter): readonly TransportAddress[] {
  if (transport.transport === 'opaque') return [`opaque:${Buffer.from(transport.data).toString('hex')}`];
  const scheme = schemeOfTransport(transport) ?? transport.transport;
  return transport.addresses.map((address) => formatAddress(scheme, address, transport.port));
}

const isNumeric = (host: string): boolean => host.includes(':') || /^[\d.]+$/.test(host);
