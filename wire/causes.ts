import { UsageError } from '../errors.js';
import { copyBytes, padded, readU16, type Writer } from './bytes.js';
import { WireError } from './error.js';
import { optional, u16, type Body, type BodyValue, type Content, type Flatten } from './field.js';
import { compile, Decoding, readBody, writeBody, type Plan } from './interpreter.js';
import { Policy } from './policies.js';
import { AnyTransport } from './transport-parameters.js';

interface CauseTable {
  readonly [cause: string]: {
    readonly code: number;
    readonly rfc: string;
    /** The name of information that is kept as it came. */
    readonly raw?: string;
    /** Information that consists of parameters. Optional here: RSPLIB leaves it out. */
    readonly body?: Body;
  };
}

/** Error causes, RFC 5354 §3.12 Table 2 (the text has 0x9 and 0xa in the other order: the table counts, X-36). */
export const causes = {
  'unspecified-error': { code: 0x0, rfc: '5354 §3.12.1' },
  'unrecognized-parameter': { code: 0x1, rfc: '5354 §3.12.2', raw: 'parameter' },
  'unrecognized-message': { code: 0x2, rfc: '5354 §3.12.3', raw: 'message' },
  'invalid-values': { code: 0x3, rfc: '5354 §3.12.4', raw: 'parameter' },
  'non-unique-pe-identifier': { code: 0x4, rfc: '5354 §3.12.5' },
  'inconsistent-pooling-policy': { code: 0x5, rfc: '5354 §3.12.6', body: { policy: optional(Policy) } },
  'lack-of-resources': { code: 0x6, rfc: '5354 §3.12.7' },
  'inconsistent-transport-type': { code: 0x7, rfc: '5354 §3.12.8', body: { transport: optional(AnyTransport) } },
  'inconsistent-data-control-configuration': { code: 0x8, rfc: '5354 §3.12.9' },
  'unknown-pool-handle': { code: 0x9, rfc: '5354 §3.12.11' },
  'rejected-due-to-security-considerations': { code: 0xa, rfc: '5354 §3.12.10' },
} as const satisfies CauseTable;

export type CauseName = keyof typeof causes;
type InformationOf<Entry> =
  & (Entry extends { raw: infer Key extends string } ? { readonly [K in Key]: Uint8Array } : { readonly information?: Uint8Array | undefined })
  & (Entry extends { body: infer B } ? BodyValue<B> : unknown);
/** `information`: where a cause says something else than the RFC has it say, the bytes of that. */
export type CauseOf<N extends CauseName> = Flatten<{ readonly cause: N } & InformationOf<(typeof causes)[N]>>;
/** A cause that is in no RFC (RSPLIB has some). */
export interface UnknownCause {
  readonly cause: 'unknown';
  readonly code: number;
  readonly information: Uint8Array;
}
export type Cause = { [N in CauseName]: CauseOf<N> }[CauseName] | UnknownCause;

/** The code of a cause, for a log. */
export const causeCode = (cause: Cause): number => (cause.cause === 'unknown' ? cause.code : causes[cause.cause].code);

/** What an Operation Error parameter holds: one or more causes, each padded like a parameter (§3.12). */
export const Causes: Content<readonly Cause[]> = {
  read: (decoding, start, end) => {
    if (end === start) throw decoding.error('MISSING_PARAMETER', start, 'an Operation Error without a cause', start - 4);
    const found: Cause[] = [];
    for (let offset = start; offset < end;) {
      decoding.countParameter(offset);
      const length = end - offset < 4 ? 0 : readU16(decoding.bytes, offset + 2);
      if (length < 4 || length > end - offset) throw decoding.error('LENGTH_OUT_OF_RANGE', offset, `a cause of length ${length} where ${end - offset} bytes are left`, start - 4);
      found.push(readCause(decoding.bytes, offset, offset + length));
      offset += padded(length);
    }
    return found;
  },
  write: (writer, value) => {
    if (value.length === 0) throw new UsageError('INVALID_DATA', 'an Operation Error needs a cause');
    for (const cause of value) writeCause(writer, cause);
  },
};

function readCause(bytes: Uint8Array, start: number, end: number): Cause {
  const entry = byCode.get(readU16(bytes, start));
  const information = copyBytes(bytes, start + 4, end);
  if (entry === undefined) return { cause: 'unknown', code: readU16(bytes, start), information };
  if (entry.raw !== undefined) return { cause: entry.name, [entry.raw]: information } as unknown as Cause;
  return (readParameters(entry, information) ?? { cause: entry.name, information }) as Cause;
}

/** @returns undefined when the information is not what the table says. An error is not worth an error: it is shown as it came. */
function readParameters(entry: Entry, information: Uint8Array): Record<string, unknown> | undefined {
  const value: Record<string, unknown> = { cause: entry.name };
  if (information.length === 0) return value;
  const decoding = new Decoding(information);
  try {
    readBody(entry.plan, decoding, value, 0, information.length);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
  return Object.keys(value).length > 1 ? value : undefined;
}

function writeCause(writer: Writer, cause: Cause): void {
  const entry = cause.cause === 'unknown' ? undefined : byName.get(cause.cause);
  if (entry === undefined && cause.cause !== 'unknown') throw new UsageError('INVALID_DATA', `${String(cause.cause)} is no cause`);
  const fields = cause as unknown as Record<string, unknown>;
  writer.pad();
  const start = writer.length;
  u16.write(writer, causeCode(cause));
  writer.u16(0);
  const raw = fields[entry?.raw ?? 'information'] as Uint8Array | undefined;
  if (raw !== undefined) writer.raw(raw);
  else if (entry !== undefined) writeBody(entry.plan, writer, fields);
  writer.closeLength(start);
}

interface Entry {
  readonly name: CauseName;
  readonly code: number;
  readonly raw: string | undefined;
  readonly plan: Plan;
}
const entries = Object.entries<CauseTable[string]>(causes).map(([name, { code, raw, body }]): Entry => (
  { name: name as CauseName, code, raw, plan: compile(body ?? {}) }));
const byCode = new Map(entries.map((entry) => [entry.code, entry]));
const byName = new Map<string, Entry>(entries.map((entry) => [entry.name, entry]));
