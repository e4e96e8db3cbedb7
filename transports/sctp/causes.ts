import { padded, readU16 } from './chunks.js';

/** Error causes of RFC 9260 §3.3.10, as far as we ask. Read here and not by the package: it does not skip the padding of a cause, takes what comes out of step
 *  for a length, and with a length of zero never ends. */
export interface Cause {
  readonly code: number;
  /** Of the causes that carry words: User-Initiated Abort, Protocol Violation. */
  readonly text: string;
}

export const STALE_COOKIE = 3;

/** Of `bytes[start, end)`, whose lengths validate.ts has looked at; eight at most. */
export function causesOf(bytes: Buffer, start: number, end: number): Cause[] {
  const causes: Cause[] = [];
  for (let at = start; at + 4 <= end && causes.length < 8;) {
    const code = readU16(bytes, at);
    const length = Math.max(4, readU16(bytes, at + 2));
    causes.push({ code, text: WITH_WORDS.has(code) ? bytes.toString('utf8', at + 4, Math.min(at + length, end, at + 4 + 200)) : '' });
    at += padded(length);
  }
  return causes;
}

const WITH_WORDS = new Set([12, 13]);
