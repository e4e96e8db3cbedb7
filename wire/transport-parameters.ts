import { UsageError } from '../errors.js';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './addresses.js';
import { bytes, enumeration, list, reserved, u16, u32, type Content, type Parameter, type ValueOf } from './field.js';
import { oneOf, parameter, structure } from './interpreter.js';

/** Addresses and transports, RFC 5354 §3.1 to §3.7 and §3.16. */

const Ipv4Address = parameter('IPv4 Address', 0x1, address(4, formatIpv4, parseIpv4)); // §3.1
const Ipv6Address = parameter('IPv6 Address', 0x2, address(16, formatIpv6, parseIpv6)); // §3.2

/** As text: dotted, or as RFC 5952 writes IPv6. */
const Address: Parameter<string> = {
  kind: 'parameter', name: 'IP Address', types: [...Ipv4Address.types, ...Ipv6Address.types],
  read: (decoding, type, start, end) => (type === 0x1 ? Ipv4Address : Ipv6Address).read(decoding, type, start, end),
  write: (writer, value) => (String(value).includes(':') ? Ipv6Address : Ipv4Address).write(writer, value),
};

const TransportUse = enumeration('data-only', 'data-and-control'); // §3.4
const single = list(Address, { min: 1, max: 1 });

export const DccpTransport = parameter('DCCP Transport', 0x3, structure( // §3.3
  { port: u16, reserved: reserved(2), serviceCode: u32, addresses: single }, { transport: 'dccp' }));
export const SctpTransport = parameter('SCTP Transport', 0x4, structure( // §3.4
  { port: u16, use: TransportUse, addresses: list(Address, { min: 1 }) }, { transport: 'sctp' }));
export const TcpTransport = parameter('TCP Transport', 0x5, structure( // §3.5
  { port: u16, reserved: reserved(2), addresses: single }, { transport: 'tcp' }));
export const UdpTransport = parameter('UDP Transport', 0x6, structure( // §3.6
  { port: u16, reserved: reserved(2), addresses: single }, { transport: 'udp' }));
export const UdpLiteTransport = parameter('UDP-Lite Transport', 0x7, structure( // §3.7
  { port: u16, reserved: reserved(2), addresses: single }, { transport: 'udp-lite' }));
export const OpaqueTransport = parameter('Opaque Transport', 0x10, tagged('opaque', 'data', bytes)); // §3.16

/** What a pool element may be reached by (§3.10). */
export const AnyTransport = oneOf('transport', 'transport', {
  dccp: DccpTransport, sctp: SctpTransport, tcp: TcpTransport, udp: UdpTransport, 'udp-lite': UdpLiteTransport, opaque: OpaqueTransport,
});
/** What ASAP and registrars may be reached by. RFC 5354 §3.10 and §3.11 know SCTP only; ours offer TCP too (a stated deviation), and
 *  announcements may name both (RFC 5352 §2.2.10). */
export const ControlTransport = oneOf('SCTP or TCP transport', 'transport', { sctp: SctpTransport, tcp: TcpTransport });

export type TransportParameter = ValueOf<typeof AnyTransport>;
export type ControlTransport = ValueOf<typeof ControlTransport>;

function address(size: number, format: (bytes: Uint8Array, offset: number) => string, parse: (text: string) => Uint8Array | undefined): Content<string> {
  return {
    read: (decoding, start, end) => {
      if (end - start !== size) throw decoding.error('INVALID_VALUE', start, `an IP address of ${end - start} bytes; ${size} are wanted`, start - 4);
      return format(decoding.bytes, start);
    },
    write: (writer, value) => {
      const parsed = parse(value);
      if (parsed === undefined) throw new UsageError('INVALID_DATA', `${JSON.stringify(value)} is no IP address`);
      writer.raw(parsed);
    },
  };
}

function tagged<Tag extends string, Key extends string, T>(transport: Tag, key: Key, content: Content<T>): Content<{ readonly transport: Tag } & { readonly [K in Key]: T }> {
  type Value = { readonly transport: Tag } & { readonly [K in Key]: T };
  return {
    read: (decoding, start, end) => ({ transport, [key]: content.read(decoding, start, end) }) as Value,
    write: (writer, value) => content.write(writer, value[key]),
  };
}
