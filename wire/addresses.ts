/** IP addresses as text and as bytes (no node:net in this folder). */

export const formatIpv4 = (bytes: Uint8Array, offset: number): string =>
  `${bytes[offset]!}.${bytes[offset + 1]!}.${bytes[offset + 2]!}.${bytes[offset + 3]!}`;

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups (the first of equals, two at least) as `::`; IPv4-mapped ones dotted. */
export function formatIpv6(bytes: Uint8Array, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[offset + 2 * i]! << 8) | bytes[offset + 2 * i + 1]!);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return `::ffff:${formatIpv4(bytes, offset + 12)}`;
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

/** Digit by digit: two a registration, and 100 000 of these. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const address = new Uint8Array(4);
  let index = 0;
  let digits = 0;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      if (++digits > 3 || value > 255) return undefined;
    } else {
      if (digit !== DOT || digits === 0 || index === 3) return undefined;
      address[index++] = value;
      digits = value = 0;
    }
  }
  if (index !== 3 || digits === 0) return undefined;
  address[3] = value;
  return address;
}
const ZERO = 0x30;
const DOT = 0x2e - ZERO;

/** Zones (`%eth0`) have no place on the wire. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const plain = dottedTailAsGroups(text);
  if (plain === undefined) return undefined;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[] | undefined];
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: tail === undefined ? 0 : missing }, () => '0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]));
}

/** `::ffff:10.0.0.1` as `::ffff:a00:1`. */
function dottedTailAsGroups(text: string): string | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return undefined;
  const last = text.slice(colon + 1);
  if (!last.includes('.')) return text;
  const dotted = parseIpv4(last);
  if (dotted === undefined) return undefined;
  const [a, b, c, d] = dotted as unknown as [number, number, number, number];
  return `${text.slice(0, colon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, i) => {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  });
  return best;
}
