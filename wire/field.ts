import { UsageError } from '../errors.js';
import { copyBytes, readU16, readU32, type Writer } from './bytes.js';
import type { Decoding } from './interpreter.js';

/** The words the tables of this folder are written in. A table lists its parts in wire order: fixed fields first, then parameters.
 *  The type of a message, parameter, cause or policy is inferred from its table. */

/** A fixed number of bytes. */
export interface Field<T> {
  readonly kind: 'field';
  readonly size: number;
  /** @returns undefined for a value the RFC does not allow. */
  read(bytes: Uint8Array, offset: number): T | undefined;
  write(writer: Writer, value: T): void;
}

/** Zeros when sent, ignored when received. */
export interface Reserved {
  readonly kind: 'reserved';
  readonly size: number;
}

/** A type-length-value parameter (RFC 5354 §3), or a choice of some. */
export interface Parameter<T> {
  readonly kind: 'parameter';
  readonly name: string;
  readonly types: readonly number[];
  /** The value of a parameter whose value bytes are [start, end). */
  read(decoding: Decoding, type: number, start: number, end: number): T;
  write(writer: Writer, value: T): void;
}

/** What a parameter consists of, behind its header. */
export interface Content<T> {
  read(decoding: Decoding, start: number, end: number): T;
  write(writer: Writer, value: T): void;
}

export interface Optional<P> {
  readonly kind: 'optional';
  readonly part: P;
}
export interface List<P> {
  readonly kind: 'list';
  readonly part: P;
  readonly min: number;
  readonly max: number;
}
/** Parameters that come in sequence, several times over; the first one begins the next group. */
export interface Group<B> {
  readonly kind: 'group';
  readonly body: B;
}

export type Part = Field<unknown> | Reserved | Parameter<unknown> | Optional<Parameter<unknown>> | List<Parameter<unknown>> | List<Group<Body>>;
export interface Body {
  readonly [part: string]: Part;
}

/** A parameter nobody here knows, of class "skip" (action bits 10 and 11): kept as it came, written again behind the others. */
export interface UnrecognizedParameter {
  readonly type: number;
  readonly value: Uint8Array;
}

type PartValue<P> =
  P extends Field<infer T> ? T
  : P extends Parameter<infer T> ? T
  : P extends Optional<infer Q> ? PartValue<Q>
  : P extends List<infer Q> ? readonly PartValue<Q>[]
  : P extends Group<infer B> ? BodyValue<B>
  : never;
type KeysOf<B, Kind> = { [K in keyof B]: B[K] extends Kind ? K : never }[keyof B];
export type Flatten<T> = { [K in keyof T]: T[K] };
/** What a body's table says of its value. */
export type BodyValue<B> = Flatten<
  { readonly [K in Exclude<keyof B, KeysOf<B, Reserved | Optional<Parameter<unknown>>>>]: PartValue<B[K]> }
  & { readonly [K in KeysOf<B, Optional<Parameter<unknown>>>]?: PartValue<B[K]> | undefined }
  & { readonly unrecognized?: readonly UnrecognizedParameter[] | undefined }
>;
export type ValueOf<P> = P extends Parameter<infer T> ? T : never;

export const optional = <P extends Parameter<unknown>>(part: P): Optional<P> => ({ kind: 'optional', part });
export const list = <P extends Parameter<unknown> | Group<Body>>(part: P, { min = 0, max = Infinity } = {}): List<P> => ({ kind: 'list', part, min, max });
export const group = <const B extends Body>(body: B): Group<B> => ({ kind: 'group', body });
export const reserved = (size: number): Reserved => ({ kind: 'reserved', size });

export const u16: Field<number> = {
  kind: 'field', size: 2, read: readU16,
  write: (writer, value) => writer.u16(inRange(value, 0, 0xffff)),
};
export const u32: Field<number> = {
  kind: 'field', size: 4, read: readU32,
  write: (writer, value) => writer.u32(inRange(value, 0, 0xffff_ffff)),
};
export const i32: Field<number> = {
  kind: 'field', size: 4, read: (bytes, offset) => readU32(bytes, offset) | 0,
  write: (writer, value) => writer.u32(inRange(value, -0x8000_0000, 0x7fff_ffff)),
};

/** Sixteen bits with a name for each value the RFC allows. */
export function enumeration<const Names extends readonly string[]>(...names: Names): Field<Names[number]> {
  return {
    kind: 'field', size: 2,
    read: (bytes, offset) => names[readU16(bytes, offset)],
    write: (writer, value) => {
      const number = names.indexOf(value);
      if (number < 0) throw new UsageError('INVALID_DATA', `${String(value)} is none of ${names.join(', ')}`);
      writer.u16(number);
    },
  };
}

/** All that is left, as a copy. */
export const bytes: Content<Uint8Array> = {
  read: (decoding, start, end) => copyBytes(decoding.bytes, start, end),
  write: (writer, value) => {
    if (!(value instanceof Uint8Array)) throw new UsageError('INVALID_DATA', `bytes are wanted, not ${typeof value}`);
    writer.raw(value);
  },
};

function inRange(value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new UsageError('INVALID_DATA', `${String(value)} is not a whole number from ${low} to ${high}`);
}
