import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.js';
import type { CookieKey } from '../index.js';

/** A file of keys for state cookies: a line for each, `id:hexadecimal`, the one that signs first; `#` begins a remark. Keys are never on the command
 *  line, where every process of the host can read them.
 *  @throws UsageError INVALID_DATA, which names file and line and no key. */
export function cookieKeysOf(file: string): readonly CookieKey[] {
  const keys = textOf(file).split('\n').map((line, index) => keyOf(line.replace(/#.*/, '').trim(), `${file}, line ${index + 1}`)).filter((key) => key !== undefined);
  if (keys.length === 0) throw new UsageError('INVALID_DATA', `${file} has no keys; a line like k1:… with 32 hexadecimal digits at least is wanted (openssl rand -hex 32)`);
  return keys;
}

function keyOf(line: string, where: string): CookieKey | undefined {
  if (line === '') return undefined;
  const [, id, digits] = /^([^:]+):((?:[0-9a-f]{2})+)$/i.exec(line) ?? [];
  if (id === undefined || digits === undefined) throw new UsageError('INVALID_DATA', `${where}: id:hexadecimal is wanted`);
  if (digits.length < 32) throw new UsageError('INVALID_DATA', `${where}: a key has 16 bytes at least, 32 hexadecimal digits`);
  return { id: id.trim(), key: Buffer.from(digits, 'hex') };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError('INVALID_DATA', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
