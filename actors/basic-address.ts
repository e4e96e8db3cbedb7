import { formatAddress, parseAddress, type ParsedAddress } from '../transports/address.js';
import type { TransportParameter } from '../wire/index.js';

/** Addresses of Basic Mode: whatever has a name and a port. Transports that RFC 5354 §3.3 to §3.7 know go into their parameters, with an IP address; all others
 *  go as text into an Opaque Transport (§3.16), and the name stays a name. */

/** @throws UsageError INVALID_URL. */
export function parseBasicAddress(address: string): ParsedAddress & { readonly isKnown: boolean } {
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*(?=:\/\/)/.exec(address) ?? [];
  return { ...parseAddress(address, [scheme]), isKnown: known.includes(scheme) };
}

/** @param host an IP address, where the transport is one of RFC 5354's. */
export function basicTransport({ scheme, port, isKnown }: ReturnType<typeof parseBasicAddress>, host: string): TransportParameter {
  if (!isKnown) return { transport: 'opaque', data: Buffer.from(formatAddress(scheme, host, port)) };
  const addresses = [host];
  switch (scheme) {
    case 'sctp': return { transport: 'sctp', port, use: 'data-only', addresses };
    case 'dccp': return { transport: 'dccp', port, serviceCode: 0, addresses };
    default: return { transport: scheme as 'tcp' | 'udp' | 'udp-lite', port, addresses };
  }
}

/** The address of a pool element: as it was registered, or `opaque:` and hexadecimal digits for bytes that are no address. */
export function addressText(transport: TransportParameter): string {
  if (transport.transport !== 'opaque') return formatAddress(transport.transport, transport.addresses[0] ?? '', transport.port);
  const text = Buffer.from(transport.data).toString('latin1');
  return isAddress(text) ? text : `opaque:${Buffer.from(transport.data).toString('hex')}`;
}

const known: readonly string[] = ['tcp', 'udp', 'sctp', 'dccp', 'udp-lite'];

function isAddress(text: string): boolean {
  try {
    parseBasicAddress(text);
    return true;
  } catch {
    return false;
  }
}
