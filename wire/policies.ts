import { UsageError } from '../errors.js';
import { copyBytes, readU32 } from './bytes.js';
import { u32, type Body, type BodyValue, type Content, type Flatten, type ValueOf } from './field.js';
import { compile, parameter, readBody, writeBody, type Plan } from './interpreter.js';

interface PolicyTable {
  readonly [policy: string]: { readonly type: number; readonly rfc: string; readonly fields: Body };
}

/** Pool member selection policies, RFC 5356 §4 and §5. Loads and load degradations are 32-bit fractions: 0xffffffff is 100 %. */
export const policies = {
  'round-robin': { type: 0x00000001, rfc: '5356 §4.1', fields: {} },
  'weighted-round-robin': { type: 0x00000002, rfc: '5356 §4.2', fields: { weight: u32 } },
  'random': { type: 0x00000003, rfc: '5356 §4.3', fields: {} },
  'weighted-random': { type: 0x00000004, rfc: '5356 §4.4', fields: { weight: u32 } },
  'priority': { type: 0x00000005, rfc: '5356 §4.5', fields: { priority: u32 } },
  'least-used': { type: 0x40000001, rfc: '5356 §5.1', fields: { load: u32 } },
  'least-used-with-degradation': { type: 0x40000002, rfc: '5356 §5.2', fields: { load: u32, loadDegradation: u32 } },
  'priority-least-used': { type: 0x40000003, rfc: '5356 §5.3', fields: { load: u32, loadDegradation: u32 } },
  'randomized-least-used': { type: 0x40000004, rfc: '5356 §5.4', fields: { load: u32 } },
  // RSPLIB's own: all four with both values, as its 3.4.4 writes them.
  'randomized-priority-least-used': { type: 0xb0001001, rfc: 'RSPLIB', fields: { load: u32, loadDegradation: u32 } },
  'randomized-least-used-with-degradation': { type: 0xb0001002, rfc: 'RSPLIB', fields: { load: u32, loadDegradation: u32 } },
  'priority-least-used-with-degradation': { type: 0xb0001003, rfc: 'RSPLIB', fields: { load: u32, loadDegradation: u32 } },
  'randomized-priority-least-used-with-degradation': { type: 0xb0001004, rfc: 'RSPLIB', fields: { load: u32, loadDegradation: u32 } },
} as const satisfies PolicyTable;

export type PolicyName = keyof typeof policies;
export type PolicyOf<N extends PolicyName> = Flatten<{ readonly policy: N } & BodyValue<(typeof policies)[N]['fields']>>;
/** A policy nobody here knows is kept as it came: whether a pool may have it is for the registrar to say. */
export interface UnknownPolicy {
  readonly policy: 'unknown';
  readonly type: number;
  readonly value: Uint8Array;
}
type KnownPolicy = { [N in PolicyName]: PolicyOf<N> }[PolicyName];

const content: Content<KnownPolicy | UnknownPolicy> = {
  read: (decoding, start, end) => {
    if (end - start < 4) throw decoding.error('TRUNCATED', start, 'a policy without its type', start - 4);
    const type = readU32(decoding.bytes, start);
    const entry = byType.get(type);
    if (entry === undefined) return { policy: 'unknown', type, value: copyBytes(decoding.bytes, start + 4, end) };
    if (end - start - 4 !== entry.plan.fixedSize) {
      throw decoding.error('INVALID_VALUE', start, `${end - start - 4} bytes of data for the policy ${entry.policy}; ${entry.plan.fixedSize} are wanted`, start - 4);
    }
    const value: Record<string, unknown> = { policy: entry.policy, ...entry.plan.template };
    readBody(entry.plan, decoding, value, start + 4, end, start - 4);
    return value as unknown as KnownPolicy;
  },
  write: (writer, value) => {
    if (value.policy === 'unknown') {
      u32.write(writer, value.type);
      writer.raw(value.value);
      return;
    }
    const entry = byName.get(value.policy);
    if (entry === undefined) throw new UsageError('INVALID_DATA', `${String(value.policy)} is no policy`);
    writer.u32(entry.type);
    writeBody(entry.plan, writer, value as unknown as Record<string, unknown>);
  },
};

/** Pool Member Selection Policy, RFC 5354 §3.8. */
export const Policy = parameter('Pool Member Selection Policy', 0x8, content);
export type Policy = ValueOf<typeof Policy>;

interface Entry {
  readonly policy: string;
  readonly type: number;
  readonly plan: Plan;
}
const entries = Object.entries<PolicyTable[string]>(policies).map(([policy, { type, fields }]): Entry => ({ policy, type, plan: compile(fields) }));
const byType = new Map(entries.map((entry) => [entry.type, entry]));
const byName = new Map(entries.map((entry) => [entry.policy, entry]));
