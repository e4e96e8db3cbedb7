import { isIPv6 } from 'node:net';
import { FeatureUnavailableError, UsageError } from '../errors.js';
import type { TransportAddress } from './transport.js';

export interface ParsedAddress {
  readonly scheme: string;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
}

/** `scheme://host:port`, nothing before or behind it.
 *  @throws UsageError INVALID_URL; FeatureUnavailableError for a scheme that is known and not built yet. */
export function parseAddress(address: TransportAddress, schemes: readonly string[]): ParsedAddress {
  const match = typeof address === 'string' ? SHAPE.exec(address) : null;
  if (match === null) throw invalid(address, 'expected scheme://host:port');
  const [, scheme = '', bracketed, name, digits = ''] = match;
  if (!schemes.includes(scheme)) throw unknownScheme(address, scheme, schemes);
  if (bracketed !== undefined && !isIPv6(bracketed)) throw invalid(address, `${bracketed} is not an IPv6 address`);
  if (name !== undefined && !isHost(name)) throw invalid(address, `${name} is neither a host name nor an IPv4 address`);
  const port = Number(digits);
  if (port > 0xffff) throw invalid(address, 'a port is at most 65535');
  return { scheme, host: bracketed ?? name ?? '', port };
}

export function formatAddress(scheme: string, host: string, port: number): TransportAddress {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Empty where it has none. */
export const schemeOf = (address: TransportAddress): string => address.slice(0, Math.max(0, address.indexOf('://')));

/** All addresses of the machine. */
export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Of the loopback network: packets to it leave no machine. */
export const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

/** The host of an address; an IPv4 address as itself, also where a dual-stack socket dresses it up. */
export function hostOf(address: TransportAddress): string {
  const { host } = parseAddress(address, [schemeOf(address)]);
  return host.replace(/^::ffff:(?=\d+\.)/i, '');
}

const SHAPE = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([^\]]{1,64})\]|([^\s:/?#@[\]]{1,253})):(\d{1,5})$/;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const DIGITS_AND_DOTS = /^[\d.]+$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** Known, and not served; with the remedy, where there is one. */
const unserved: Readonly<Record<string, string>> = { tls: 'this release', sctp: 'this release (raw IP; use sctp+udp://, or createRawSctpTransport for links of your own)' };

/** @returns undefined for a scheme that nobody knows. */
export function notServed(scheme: string): FeatureUnavailableError | undefined {
  const where = unserved[scheme];
  return where === undefined ? undefined : new FeatureUnavailableError(`the transport ${scheme}`, where);
}

const isHost = (name: string): boolean =>
  DIGITS_AND_DOTS.test(name) ? IPV4.test(name) : name.split('.').every((label, index, labels) => LABEL.test(label) || (label === '' && index === labels.length - 1 && index > 0));

const unknownScheme = (address: string, scheme: string, schemes: readonly string[]): Error =>
  notServed(scheme) ?? invalid(address, `the scheme is none of ${schemes.join(', ')}`);

const invalid = (address: unknown, why: string): UsageError =>
  new UsageError('INVALID_URL', `not a transport address: ${typeof address === 'string' ? JSON.stringify(address.slice(0, 200)) : typeof address}: ${why}`);
