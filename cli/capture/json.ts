import { poolHandleKey, poolHandleText } from '../../wire/pool-handle.js';

/** For people and programs that read lines: bytes in hexadecimal, pool handles as text where they are text. */
export function jsonOf<T extends object>(value: T): Record<string, unknown> {
  return plain(value, '') as Record<string, unknown>;
}

function plain(value: unknown, key: string): unknown {
  if (value instanceof Uint8Array) return key === 'poolHandle' ? poolHandleText(poolHandleKey(value)) : Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map((item) => plain(item, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part, name)]));
}
