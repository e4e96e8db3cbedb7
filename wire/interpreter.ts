import { UsageError } from '../errors.js';
import { copyBytes, padded, readU16, type Writer } from './bytes.js';
import type { Cause } from './causes.js';
import { WireError, type WireErrorCode } from './error.js';
import { bytes, type Body, type BodyValue, type Content, type Field, type Flatten, type Group, type List, type Parameter, type Reserved, type UnrecognizedParameter } from './field.js';

/** The one place that knows padding, bounds, nesting, limits, and what to do with unrecognized parameters (RFC 5354 §2, §3).
 *  Tables are compiled once, when their module is loaded. They do not recur, and unknown parameters are never looked into: the depth is
 *  that of the tables (message, pool element, transport, address). */

/** Parameters in one message, nested ones included: a pool element of 40 bytes has four, so this is what fits twice. */
export const MAX_PARAMETERS = 8192;
/** Bytes of offending parameters that are sent back at most; the RFC sends all of them, and would let the answer outgrow its length field. */
const MAX_REPORTED = 16 * 1024;

/** One message being read. */
export class Decoding {
  readonly reports: Cause[] = [];
  #parameters = 0;
  #reported = 0;

  constructor(readonly bytes: Uint8Array) {}

  countParameter(offset: number): void {
    if (++this.#parameters > MAX_PARAMETERS) throw this.error('LIMIT_EXCEEDED', offset, `more than ${MAX_PARAMETERS} parameters`);
  }

  /** `parameter`: where the innermost parameter that holds the fault begins; it goes back as an Invalid Values cause (RFC 5354 §3.12.4).
   *  Without one (a parameter is missing, a length is wrong) the cause goes back bare, as RSPLIB's does. */
  error(code: WireErrorCode, offset: number, reason: string, parameter?: number): WireError {
    const cause: Cause = { cause: 'invalid-values', parameter: parameter === undefined ? new Uint8Array(0) : this.#excerpt(parameter) };
    return new WireError(code, offset, reason, { cause, reports: [...this.reports, cause] });
  }

  /** Action bits of a parameter nobody recognizes: 00 stop, 01 stop and report, 10 skip, 11 skip and report. */
  unrecognized(type: number, offset: number): void {
    if ((type & 0xc000) === 0x8000) return;
    const mayReport = (type & 0x4000) !== 0 && this.#reported < MAX_REPORTED;
    const cause: Cause = { cause: 'unrecognized-parameter', parameter: this.#excerpt(offset) };
    if (mayReport) this.reports.push(cause);
    if (isSkippable(type)) return;
    throw new WireError('UNRECOGNIZED_PARAMETER', offset, `parameter type 0x${type.toString(16).padStart(4, '0')} is unknown`, { cause, reports: this.reports });
  }

  #excerpt(offset: number): Uint8Array {
    const length = Math.min(readU16(this.bytes, offset + 2), MAX_REPORTED);
    this.#reported += length + 8;
    return copyBytes(this.bytes, offset, offset + length);
  }
}

interface FieldStep {
  readonly key: string;
  readonly field: Field<unknown> | Reserved;
}
interface Slot {
  readonly key: string;
  /** Parameter types that belong here; for a group those of its first parameter. */
  readonly types: readonly number[];
  readonly name: string;
  readonly parameter?: Parameter<unknown>;
  readonly group?: Plan;
  readonly arity: 'one' | 'optional' | 'list';
  readonly min: number;
  readonly max: number;
}
/** A body's table, compiled. */
export interface Plan {
  readonly fields: readonly FieldStep[];
  readonly fixedSize: number;
  readonly slots: readonly Slot[];
  readonly hasGroups: boolean;
  /** Every property a value of this plan may have, undefined: copying it and filling it in is four times as quick as adding one by one.
   *  So what is optional and missing is there as undefined. */
  readonly template: Fields;
}
type Fields = Record<string, unknown>;

export function compile(body: Body): Plan {
  const fields: FieldStep[] = [];
  const slots: Slot[] = [];
  for (const [key, part] of Object.entries(body)) {
    if (part.kind === 'field' || part.kind === 'reserved') {
      if (slots.length > 0) throw new Error(`${key}: fixed fields stand before parameters`);
      fields.push({ key, field: part });
    } else slots.push(slotOf(key, part));
  }
  return {
    fields, slots, fixedSize: fields.reduce((size, { field }) => size + field.size, 0),
    hasGroups: slots.some((slot) => slot.group !== undefined), template: templateOf(body),
  };
}

const templateOf = (body: Body): Fields =>
  Object.fromEntries(Object.entries(body).filter(([, part]) => part.kind !== 'reserved').map(([key]) => [key, undefined]));

/** Reads the body [start, end) into `into`. `parameter`: where the parameter begins whose body this is. */
export function readBody(plan: Plan, decoding: Decoding, into: Fields, start: number, end: number, parameter?: number): void {
  if (end - start < plan.fixedSize) {
    throw decoding.error('TRUNCATED', start, `${end - start} bytes where ${plan.fixedSize} are fixed`, parameter);
  }
  let offset = start;
  for (const { key, field } of plan.fields) {
    if (field.kind === 'field') {
      const value = field.read(decoding.bytes, offset);
      if (value === undefined) throw decoding.error('INVALID_VALUE', offset, `${key} has a value that is not defined`, parameter);
      into[key] = value;
    }
    offset += field.size;
  }
  readParameters(plan.slots, decoding, into, offset, end, parameter, false);
}

export function writeBody(plan: Plan, writer: Writer, value: Fields): void {
  for (const { key, field } of plan.fields) {
    if (field.kind === 'field') field.write(writer, value[key]);
    else for (let i = 0; i < field.size; i++) writer.u8(0);
  }
  const unrecognized = value['unrecognized'] as readonly UnrecognizedParameter[] | undefined;
  if (plan.hasGroups) writeUnrecognized(writer, unrecognized); // behind a group they would be the last one's
  for (const slot of plan.slots) {
    const part = value[slot.key];
    if (slot.arity === 'list') writeList(slot, writer, part as readonly unknown[]);
    else if (part !== undefined) slot.parameter!.write(writer, part);
    else if (slot.arity === 'one') throw new UsageError('INVALID_DATA', `${slot.key} is missing`);
  }
  if (!plan.hasGroups) writeUnrecognized(writer, unrecognized);
}

/** A parameter of one type. */
export function parameter<T>(name: string, type: number, content: Content<T>): Parameter<T> {
  return {
    kind: 'parameter', name, types: [type],
    read: (decoding, _type, start, end) => content.read(decoding, start, end),
    write: (writer, value) => {
      writer.pad();
      const start = writer.length;
      writer.u16(type);
      writer.u16(0);
      content.write(writer, value);
      writer.closeLength(start);
    },
  };
}

/** Several parts as an object. `tag` goes into the value as it stands: the discriminant of a choice. */
export function structure<const B extends Body, const Tag extends object = object>(body: B, tag?: Tag): Content<Flatten<Tag & BodyValue<B>>> {
  const plan = compile(body);
  const template: Fields = { ...tag, ...plan.template };
  return {
    read: (decoding, start, end) => {
      const value: Fields = { ...template };
      readBody(plan, decoding, value, start, end, start - 4);
      return value as Flatten<Tag & BodyValue<B>>;
    },
    write: (writer, value) => writeBody(plan, writer, value as Fields),
  };
}

/** A field alone, filling the parameter. */
export function only<T>(field: Field<T>): Content<T> {
  const plan = compile({ value: field });
  return {
    read: (decoding, start, end) => {
      const value: Fields = {};
      readBody(plan, decoding, value, start, end, start - 4);
      return value['value'] as T;
    },
    write: (writer, value) => field.write(writer, value),
  };
}

/** A choice among parameters; `tag` is the property that tells their values apart. */
export function oneOf<const P extends Readonly<Record<string, Parameter<unknown>>>, Tag extends string>(name: string, tag: Tag, variants: P): Parameter<Choice<P>> {
  const byType = new Map(Object.values(variants).map((variant) => [variant.types[0]!, variant]));
  return {
    kind: 'parameter', name, types: [...byType.keys()],
    read: (decoding, type, start, end) => byType.get(type)!.read(decoding, type, start, end) as Choice<P>,
    write: (writer, value) => {
      const chosen = (value as Fields)[tag];
      const variant = typeof chosen === 'string' && Object.hasOwn(variants, chosen) ? variants[chosen] : undefined;
      if (variant === undefined) throw new UsageError('INVALID_DATA', `${String(chosen)} is no ${name}`);
      variant.write(writer, value);
    },
  };
}
type Choice<P> = { [K in keyof P]: P[K] extends Parameter<infer T> ? T : never }[keyof P];

/** Takes parameters as long as they have a place in `slots`, in order; a group ends where the next parameter belongs to its surroundings.
 *  @returns where it ended. */
function readParameters(
  slots: readonly Slot[], decoding: Decoding, into: Fields, start: number, end: number, parameter: number | undefined, inGroup: boolean,
): number {
  for (const slot of slots) if (slot.arity === 'list') into[slot.key] = [];
  let position = 0;
  let offset = start;
  while (offset < end) {
    const { type, valueEnd } = readHeader(decoding, offset, end, parameter);
    const found = find(slots, position, into, type);
    if (found < 0) {
      if (inGroup && known.has(type) && !isSkippable(type)) break;
      passOver(decoding, into, type, offset, valueEnd);
    } else {
      const slot = slots[found]!;
      if (slot.group !== undefined) {
        offset = readGroup(slot, decoding, into, offset, end, parameter);
        position = found;
        continue;
      }
      decoding.countParameter(offset);
      const value = slot.parameter!.read(decoding, type, offset + 4, valueEnd);
      if (slot.arity === 'list') (into[slot.key] as unknown[]).push(value);
      else into[slot.key] = value;
      // A parameter that may be skipped by those who do not know it may also stand anywhere.
      if (!isSkippable(type)) position = slot.arity === 'list' ? found : found + 1;
    }
    offset = Math.min(offset + padded(valueEnd - offset), end); // the last padding may be missing, or counted
  }
  for (const slot of slots) if (isMissing(slot, into)) throw decoding.error('MISSING_PARAMETER', Math.min(offset, decoding.bytes.length), `${slot.name} is missing`, parameter);
  return offset;
}

function readHeader(decoding: Decoding, offset: number, end: number, parameter: number | undefined): { type: number; valueEnd: number } {
  if (end - offset < 4) throw decoding.error('TRUNCATED', offset, `${end - offset} bytes where a parameter should begin`, parameter);
  const length = readU16(decoding.bytes, offset + 2);
  if (length < 4) throw decoding.error('LENGTH_OUT_OF_RANGE', offset + 2, `a parameter of length ${length}; 4 is the least`, parameter);
  if (length > end - offset) throw decoding.error('TRUNCATED', offset + 2, `a parameter of length ${length} where ${end - offset} bytes are left`, parameter);
  return { type: readU16(decoding.bytes, offset), valueEnd: offset + length };
}

function find(slots: readonly Slot[], position: number, into: Fields, type: number): number {
  const anywhere = isSkippable(type);
  for (let i = anywhere ? 0 : position; i < slots.length; i++) {
    const slot = slots[i]!;
    if (slot.types.includes(type)) {
      if (slot.arity === 'list' ? (into[slot.key] as unknown[]).length < slot.max : into[slot.key] === undefined) return i;
    } else if (!anywhere && isMissing(slot, into)) return -1;
  }
  return -1;
}

/** A parameter without a place here: unknown, or known elsewhere. One of class "skip" is kept, so that who passes a pool element on
 *  passes on what a newer peer said of it. */
function passOver(decoding: Decoding, into: Fields, type: number, offset: number, valueEnd: number): void {
  decoding.countParameter(offset);
  const name = known.get(type);
  if (name === undefined) decoding.unrecognized(type, offset);
  else if (!isSkippable(type)) throw decoding.error('UNEXPECTED_PARAMETER', offset, `${name} has no place here`, offset);
  const kept = (into['unrecognized'] ??= []) as UnrecognizedParameter[];
  kept.push({ type, value: copyBytes(decoding.bytes, offset + 4, valueEnd) });
}

/** Action bits 10 and 11. */
const isSkippable = (type: number): boolean => (type & 0x8000) !== 0;

function writeUnrecognized(writer: Writer, parameters: readonly UnrecognizedParameter[] | undefined): void {
  if (parameters === undefined) return;
  for (const { type, value } of parameters) {
    if (!isSkippable(type)) throw new UsageError('INVALID_DATA', `parameter type ${type} is unknown and may not be skipped`);
    parameter('unrecognized', type, bytes).write(writer, value);
  }
}

function readGroup(slot: Slot, decoding: Decoding, into: Fields, offset: number, end: number, parameter: number | undefined): number {
  const value: Fields = { ...slot.group!.template };
  (into[slot.key] as unknown[]).push(value);
  return readParameters(slot.group!.slots, decoding, value, offset, end, parameter, true);
}

function isMissing(slot: Slot, into: Fields): boolean {
  if (slot.arity === 'optional') return false;
  return slot.arity === 'one' ? into[slot.key] === undefined : (into[slot.key] as unknown[]).length < slot.min;
}

function writeList(slot: Slot, writer: Writer, values: readonly unknown[] | undefined): void {
  if (!Array.isArray(values) || values.length < slot.min || values.length > slot.max) {
    throw new UsageError('INVALID_DATA', `${slot.key} holds ${slot.min} to ${slot.max} values, not ${values?.length ?? 'none'}`);
  }
  for (const value of values) {
    if (slot.group !== undefined) writeBody(slot.group, writer, value as Fields);
    else slot.parameter!.write(writer, value);
  }
}

/** Every parameter type some table mentions, with its name. */
const known = new Map<number, string>();

function slotOf(key: string, part: Exclude<Body[string], Field<unknown> | Reserved>): Slot {
  const single = part.kind === 'parameter' ? part : part.part;
  const limits = part.kind === 'list' ? { min: part.min, max: part.max } : { min: 0, max: 1 };
  const arity = part.kind === 'parameter' ? 'one' as const : part.kind;
  if (single.kind === 'group') return groupSlot(key, part as List<Group<Body>>, limits);
  for (const type of single.types) known.set(type, single.name);
  return { key, types: single.types, name: single.name, parameter: single, arity, ...limits };
}

function groupSlot(key: string, part: List<Group<Body>>, limits: { min: number; max: number }): Slot {
  const plan = compile(part.part.body);
  const head = plan.slots[0]!;
  return { key, types: head.types, name: head.name, group: plan, arity: 'list', ...limits };
}
