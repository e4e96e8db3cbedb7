/** Numbers of RFC 9260 §3, and the arithmetic of serial numbers. */

export const ChunkType = {
  DATA: 0, INIT: 1, INIT_ACK: 2, SACK: 3, HEARTBEAT: 4, HEARTBEAT_ACK: 5, ABORT: 6, SHUTDOWN: 7, SHUTDOWN_ACK: 8, ERROR: 9, COOKIE_ECHO: 10, COOKIE_ACK: 11,
  SHUTDOWN_COMPLETE: 14,
} as const;

/** Flags of DATA: the last and the first fragment of a message, and a message out of order. */
export const END = 0x01;
export const BEGIN = 0x02;
export const UNORDERED = 0x04;
/** RFC 7053: the sender waits for the SACK. */
export const IMMEDIATE = 0x08;
/** Of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own way of calling the sender, who knows of no association. */
export const REFLECTED = 0x01;

export const COMMON_HEADER = 12;
export const DATA_HEADER = 16;

export const padded = (length: number): number => (length + 3) & ~3;
/** How far `a` is ahead of `b`, of 32-bit serial numbers (RFC 1982). */
export const ahead = (a: number, b: number): number => (a - b) | 0;
export const u32 = (value: number): number => value >>> 0;

export const readU16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
export const readU32 = (bytes: Uint8Array, at: number): number => ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
