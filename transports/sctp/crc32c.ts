/** CRC32c (RFC 9260 appendix A), eight bytes a step. */

/** Eight tables in one: of a byte with none to seven behind it. */
const TABLE = buildTable();

/** Of a packet, whose checksum field counts as zero. The sum is kept in the packet with its least byte first. */
export function packetChecksum(bytes: Uint8Array): number {
  let sum = update(-1, bytes, 0, 8);
  sum = step(step(step(step(sum, 0), 0), 0), 0);
  return ~update(sum, bytes, 12, bytes.length) >>> 0;
}

function update(sum: number, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const whole = end - 7; at < whole; at += 8) {
    sum ^= at4(bytes, at);
    sum = TABLE[0x700 + (sum & 0xff)]! ^ TABLE[0x600 + ((sum >>> 8) & 0xff)]! ^ TABLE[0x500 + ((sum >>> 16) & 0xff)]! ^ TABLE[0x400 + (sum >>> 24)]!
      ^ TABLE[0x300 + bytes[at + 4]!]! ^ TABLE[0x200 + bytes[at + 5]!]! ^ TABLE[0x100 + bytes[at + 6]!]! ^ TABLE[bytes[at + 7]!]!;
  }
  for (; at < end; at += 1) sum = step(sum, bytes[at]!);
  return sum;
}

const at4 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
const step = (sum: number, byte: number): number => TABLE[(sum ^ byte) & 0xff]! ^ (sum >>> 8);

function buildTable(): Int32Array {
  const table = new Int32Array(0x800);
  for (let index = 0; index < 256; index += 1) {
    let sum = index;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0);
    table[index] = sum;
  }
  for (let index = 256; index < 0x800; index += 1) {
    const before = table[index - 256]!;
    table[index] = table[before & 0xff]! ^ (before >>> 8);
  }
  return table;
}
