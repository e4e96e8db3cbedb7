/** CRC32c (RFC 9260 appendix A), four bytes a step. */

const TABLES = buildTables();
const [T0, T1, T2, T3] = TABLES;

/** Of a packet, whose checksum field counts as zero. The sum is kept in the packet with its least byte first. */
export function packetChecksum(bytes: Uint8Array): number {
  let sum = update(-1, bytes, 0, 8);
  sum = step(step(step(step(sum, 0), 0), 0), 0);
  return ~update(sum, bytes, 12, bytes.length) >>> 0;
}

function update(sum: number, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const whole = end - 3; at < whole; at += 4) {
    sum ^= at4(bytes, at);
    sum = T3[sum & 0xff]! ^ T2[(sum >>> 8) & 0xff]! ^ T1[(sum >>> 16) & 0xff]! ^ T0[sum >>> 24]!;
  }
  for (; at < end; at += 1) sum = step(sum, bytes[at]!);
  return sum;
}

const at4 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
const step = (sum: number, byte: number): number => T0[(sum ^ byte) & 0xff]! ^ (sum >>> 8);

function buildTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)] as const;
  for (let index = 0; index < 256; index += 1) {
    let sum = index;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0);
    tables[0][index] = sum;
  }
  for (let index = 0; index < 256; index += 1) {
    let sum = tables[0][index]!;
    for (const table of tables.slice(1)) {
      sum = tables[0][sum & 0xff]! ^ (sum >>> 8);
      table[index] = sum;
    }
  }
  return tables;
}
