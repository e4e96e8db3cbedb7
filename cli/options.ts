import { InvalidArgumentError, type Command } from 'commander';
import { AdaptivePolicy } from '../actors/adaptive-policy.js';
import type { InitializeOptions } from '../index.js';
import type { PolicyOption } from '../actors/policies.js';
import { isGroup } from '../transports/network.js';
import { poolHandleKey, poolHandleText, type Policy } from '../wire/index.js';
import { policies } from '../wire/policies.js';
import { loopLoad } from './loop-load.js';

/** Parsers of the flags' values. What commander reports of an InvalidArgumentError is one line that names the flag. */

export function identifier(text: string): number {
  const digits = text.replace(/^0x/i, '');
  if (!/^[0-9a-f]{1,8}$/i.test(digits) || Number.parseInt(digits, 16) === 0) throw new InvalidArgumentError('A 32-bit identifier in hexadecimal is wanted, like 0x2a; not 0.');
  return Number.parseInt(digits, 16);
}

/** Of a pool element, as an operator copies it from wherever: `0x2a`, or 42. */
export function peIdentifier(text: string): number {
  const id = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : 0;
  if (id < 1 || id > 0xffff_ffff) throw new InvalidArgumentError('A 32-bit identifier is wanted, hexadecimal like 0x2a or decimal like 42; not 0.');
  return id;
}

/** A pool handle as `dump` shows it: text, or hexadecimal where the bytes are none. */
export function handle(text: string): string | Uint8Array {
  const bytes = /^0x(?:[0-9a-f]{2})+$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : undefined;
  return bytes !== undefined && poolHandleText(poolHandleKey(bytes)) === text.toLowerCase() ? bytes : text;
}

export const hex = (id: number): string => `0x${id.toString(16).padStart(8, '0')}`;

export function url(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\/(\[[0-9a-f:.]+\]|[^:/?#\s[\]]+):\d{1,5}$/i.test(text) || Number(/\d+$/.exec(text)?.[0]) > 65_535) {
    throw new InvalidArgumentError('An address like tcp://127.0.0.1:3863 is wanted.');
  }
  return text;
}

/** For flags that may be repeated. */
export const urls = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), url(text)];

/** Where an access point finds its registrars: addresses, announcements, or both. Neither is wrong use. */
export function whereToHunt({ registrar = [], multicast }: HuntOptions, command: Command): Pick<InitializeOptions, 'registrars' | 'multicast'> {
  if (registrar.length === 0 && multicast === undefined) command.error('error: --registrar or --multicast is needed: where the registrars are');
  return { registrars: registrar, ...(multicast !== undefined && { multicast: multicast === true || { group: multicast } }) };
}
export interface HuntOptions {
  readonly registrar?: readonly string[];
  readonly multicast?: true | string;
}

/** A multicast group in which registrars look for each other, with a port or with ENRP's. */
export const enrpGroup = (text: string): string => group(text, '9901');
/** One in which they announce themselves to the others, with a port or with ASAP's. */
export const asapGroup = (text: string): string => group(text, '3863');

function group(text: string, usual: string): string {
  const [, address = '', port = usual] = /^(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (!isGroup(address.replace(/^\[|\]$/g, '')) || Number(port) < 1 || Number(port) > 65_535) throw new InvalidArgumentError(`A multicast group like 239.0.0.51 or 239.0.0.51:${usual} is wanted.`);
  return `${address}:${port}`;
}

export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is wanted.');
  return Number(text);
}

/** `round-robin`, `weighted-random:WEIGHT`, `least-used:LOAD`; loads in per cent, or `auto` for that of the event loop. */
export function policy(text: string): PolicyOption {
  const [name = '', ...values] = text.split(':');
  const entry = (policies as Record<string, { readonly fields: object } | undefined>)[name];
  const fields = Object.keys(entry?.fields ?? {});
  if (!entry) throw new InvalidArgumentError(`There is no policy ${JSON.stringify(name)}; there are ${Object.keys(policies).join(', ')}.`);
  if (values.length > fields.length || values.some((value, index) => !/^\d{1,10}$/.test(value) && !(value === 'auto' && fields[index] === 'load'))) throw new InvalidArgumentError(`${name} takes ${fields.map((field) => `:${field.toUpperCase()}`).join('') || 'no value'}.`);
  const fixed = { policy: name, ...Object.fromEntries(fields.map((field, index) => [field, values[index] === 'auto' ? 0 : valueOf(field, values[index])])) } as Policy;
  return values[0] === 'auto' ? new AdaptivePolicy('--policy', loopLoad(), { interval: 1_000, threshold: 0.05 }, (load) => ({ ...fixed, load }) as Policy) : fixed;
}

const valueOf = (field: string, value: string | undefined): number => {
  if (/load/i.test(field)) {
    const percent = Number(value ?? 0);
    if (percent > 100) throw new InvalidArgumentError('A load is given in per cent, 0 to 100.');
    return Math.round((percent / 100) * 0xffffffff);
  }
  const number = Number(value ?? 1);
  if (number > 0xffffffff) throw new InvalidArgumentError('A 32-bit number is wanted.');
  return number;
};

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
