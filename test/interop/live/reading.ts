import { expect } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { capturedMessages } from '../../../cli/capture/messages.js';
import type { Capture } from '../lab/capture.js';
import { fieldsOf } from '../tshark/fields.js';
import { dissected, packetsOf } from '../tshark/pdml.js';

/** Asserts that `rserpool decode --check` reads each ASAP and ENRP message of a recording and encodes it to the same bytes, and that we read each field as
 *  tshark does.
 *  @returns how many there were, by their names. */
export async function readAlike(capture: Capture): Promise<Readonly<Record<string, number>>> {
  const lines = execFileSync(process.execPath, ['dist/cli/main.js', 'decode', '--check', capture.file], { encoding: 'utf8', maxBuffer: 1 << 28 }).trim().split('\n');
  expect(lines.pop()).toBe(`checked ${lines.length}, mismatched 0, refused 0`);

  const file = readFileSync(capture.file);
  const theirs = new Map(dissected(await capture.pdml('asap || enrp'), packetsOf(file)).map(({ key, fields }) => [key, fields]));
  const ours = new Map([...capturedMessages(file)].map(({ protocol, bytes }) => [`${protocol.toLowerCase()} ${bytes.toString('hex')}`, fieldsOf(protocol, bytes)]));
  expect(ours.size).toBeGreaterThan(0);
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));

  const counts: Record<string, number> = {};
  for (const line of lines) {
    const { type } = JSON.parse(line) as { type: string };
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
}
