import { UsageError } from '../../errors.js';
import type { CapturedMessage, Protocol } from './messages.js';

/** A message a line; blanks and colons between digits, empty lines and lines that begin with # do not matter. */
export function* hexMessages(text: string, protocol: Protocol): Generator<CapturedMessage> {
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number++;
    const digits = line.replace(/[\s:]/g, '').replace(/^0x/i, '');
    if (digits === '' || digits.startsWith('#')) continue;
    if (!/^([0-9a-f]{2})+$/i.test(digits)) throw new UsageError('INVALID_DATA', `line ${number}: pairs of hexadecimal digits are wanted`);
    yield { frame: number, protocol, bytes: Buffer.from(digits, 'hex') };
  }
}
