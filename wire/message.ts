import { UsageError } from '../errors.js';
import { copyBytes, readU16, Writer } from './bytes.js';
import type { Cause } from './causes.js';
import { WireError } from './error.js';
import type { Body, BodyValue, Flatten, Parameter } from './field.js';
import { compile, Decoding, readBody, writeBody, type Plan } from './interpreter.js';

/** The common message format, RFC 5354 §4: type u8, flags u8, length u16 (padding at the end not counted), value. */

export interface MessageTable {
  readonly [name: string]: {
    readonly type: number;
    readonly rfc: string;
    /** Each flag's bit. */
    readonly flags: Readonly<Record<string, number>>;
    readonly body: Body;
  };
}

type FlagsOf<F> = keyof F extends never ? unknown : { readonly flags: { readonly [K in keyof F]: boolean } };
/** The message `N` of a table: its name as `type`, so that it is a machine's event as it stands. */
export type MessageOf<T extends MessageTable, N extends keyof T> = Flatten<{ readonly type: N } & FlagsOf<T[N]['flags']> & BodyValue<T[N]['body']>>;
export type AnyMessageOf<T extends MessageTable> = { [N in keyof T]: MessageOf<T, N> }[keyof T];

export interface Decoded<M> {
  readonly message: M;
  /** Causes that go back to the sender although the message is fine: unrecognized parameters that asked for it. */
  readonly reports: readonly Cause[];
}
export interface Codec<M> {
  /** @throws WireError, and nothing else, whatever the bytes. */
  decode(bytes: Uint8Array, start?: number, end?: number): Decoded<M>;
  /** Padded to a multiple of four. @throws UsageError when a value cannot be said on the wire. */
  encode(message: M): Buffer;
}

const HEADER_LENGTH = 4;
/** Of an unrecognized message as much goes back at most. */
const MAX_REPORTED = 16 * 1024;

export function codec<const T extends MessageTable>(protocol: string, table: T): Codec<AnyMessageOf<T>> {
  const entries = Object.entries(table).map(compileEntry);
  const byType = Array.from({ length: 256 }, (_, type) => entries.find((entry) => entry.type === type));
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    decode: (bytes, start = 0, end = bytes.length) => {
      const length = checkLength(protocol, bytes, start, end);
      const entry = byType[bytes[start]!];
      if (entry === undefined) throw unknownMessage(protocol, bytes, start, length);
      const decoding = new Decoding(bytes);
      const message: Record<string, unknown> = { ...entry.template };
      if (entry.flags.length > 0) message['flags'] = readFlags(entry, bytes[start + 1]!);
      readBody(entry.plan, decoding, message, start + HEADER_LENGTH, start + length);
      return { message: message as unknown as AnyMessageOf<T>, reports: decoding.reports };
    },
    encode: (message) => {
      const entry = byName.get(message.type as string);
      if (entry === undefined) throw new UsageError('INVALID_DATA', `${String(message.type)} is no ${protocol} message`);
      const fields = message as unknown as Record<string, unknown>;
      writer.reset();
      writer.u8(entry.type);
      writer.u8(writeFlags(entry, fields['flags'] as Record<string, boolean> | undefined));
      writer.u16(0);
      writeBody(entry.plan, writer, fields);
      writer.closeLength(0);
      writer.pad();
      return writer.take();
    },
  };
}

/** A parameter alone, padded: to be kept, and copied into messages later. A registrar keeps 100 000, in slabs that they share: memory of its own
 *  for each would cost three times as much. */
export function encodeParameter<T>(parameter: Parameter<T>, value: T): Buffer {
  writer.reset();
  parameter.write(writer, value);
  writer.pad();
  return writer.take();
}

interface Entry {
  readonly name: string;
  readonly type: number;
  readonly flags: readonly (readonly [string, number])[];
  readonly plan: Plan;
  /** As a plan's: with `type` filled in. */
  readonly template: Record<string, unknown>;
}

function compileEntry([name, { type, flags, body }]: [string, MessageTable[string]]): Entry {
  const plan = compile(body);
  const bits = Object.entries(flags);
  return { name, type, flags: bits, plan, template: { type: name, ...(bits.length > 0 && { flags: undefined }), ...plan.template } };
}

/** Everything here is synchronous: one is enough. */
const writer = new Writer();

function checkLength(protocol: string, bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size < HEADER_LENGTH) throw malformed('TRUNCATED', start, `${size} bytes where ${protocol}'s message header should be`);
  const length = readU16(bytes, start + 2);
  if (length < HEADER_LENGTH) throw malformed('LENGTH_OUT_OF_RANGE', start + 2, `a message of length ${length}; ${HEADER_LENGTH} is the least`);
  if (length > size) throw malformed('TRUNCATED', start + 2, `a message of length ${length} in ${size} bytes`);
  if (size - length > 3) throw malformed('LENGTH_OUT_OF_RANGE', start + 2, `a message of length ${length} in ${size} bytes; 3 bytes of padding are the most`);
  return length;
}

const malformed = (code: 'TRUNCATED' | 'LENGTH_OUT_OF_RANGE', offset: number, reason: string): WireError =>
  new WireError(code, offset, reason, { cause: { cause: 'invalid-values', parameter: new Uint8Array(0) } });

/** Action bits of a message nobody recognizes: 00 silence, 01 report; 10 and 11 are reserved and dropped. Every type defined so far has
 *  bits 00, and 5352 §2.2.14 points to a section that has no such rules: those of 5354 §4 count. */
function unknownMessage(protocol: string, bytes: Uint8Array, start: number, length: number): WireError {
  const type = bytes[start]!;
  const cause: Cause = { cause: 'unrecognized-message', message: copyBytes(bytes, start, start + Math.min(length, MAX_REPORTED)) };
  return new WireError('UNKNOWN_TYPE', start, `${protocol} message type 0x${type.toString(16).padStart(2, '0')} is unknown`,
    { cause, reports: type >> 6 === 0b01 ? [cause] : [] });
}

function readFlags(entry: Entry, byte: number): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  for (const [name, bit] of entry.flags) flags[name] = (byte & bit) !== 0;
  return flags;
}

function writeFlags(entry: Entry, flags: Record<string, boolean> | undefined): number {
  let byte = 0;
  for (const [name, bit] of entry.flags) if (flags?.[name]) byte |= bit;
  return byte;
}
