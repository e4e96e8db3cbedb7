import { ChunkType, COMMON_HEADER, padded, readU16, readU32 } from './chunks.js';
import { packetChecksum } from './crc32c.js';

/** Why a packet is dropped without an answer. */
export type Flaw =
  | 'short' | 'checksum' | 'port' | 'trailing bytes' | 'chunk length' | 'chunk too short' | 'chunk of another length' | 'no user data' | 'parameter length' | 'parameter value' | 'cause length'
  | 'heartbeat info' | 'sack blocks' | 'bundling' | 'verification tag';

/** Looks at the structure of a whole packet before anybody else sees a byte of it: every length, and whatever the package's decoder would trip over
 *  (zero-length parameters and causes loop for ever in it, others throw). Unknown chunks pass: their type says what to do with them (RFC 9260 §3.2). */
export function validate(bytes: Uint8Array): Flaw | undefined {
  if (bytes.length < COMMON_HEADER + 4) return 'short';
  if (((bytes[8]! | (bytes[9]! << 8) | (bytes[10]! << 16) | (bytes[11]! << 24)) >>> 0) !== packetChecksum(bytes)) return 'checksum';
  if (readU16(bytes, 0) === 0 || readU16(bytes, 2) === 0) return 'port';
  const tag = readU32(bytes, 4);
  for (let at = COMMON_HEADER; at < bytes.length;) {
    if (at + 4 > bytes.length) return 'trailing bytes';
    const type = bytes[at]!;
    const end = at + readU16(bytes, at + 2);
    if (end < at + 4 || end > bytes.length) return 'chunk length';
    const next = at + padded(end - at);
    const isAlone = at === COMMON_HEADER && next >= bytes.length;
    if (!isAlone && (type === ChunkType.INIT || type === ChunkType.INIT_ACK || type === ChunkType.SHUTDOWN_COMPLETE)) return 'bundling'; // §6.10
    if ((type === ChunkType.INIT) !== (tag === 0)) return 'verification tag'; // §8.5.1
    const flaw = flawOfChunk(bytes, type, at, end);
    if (flaw !== undefined) return flaw;
    at = next;
  }
  return undefined;
}

function flawOfChunk(bytes: Uint8Array, type: number, at: number, end: number): Flaw | undefined {
  const length = end - at;
  switch (type) {
    case ChunkType.DATA: return length < 16 ? 'chunk too short' : length === 16 ? 'no user data' : undefined;
    case ChunkType.INIT:
    case ChunkType.INIT_ACK: return length < 20 ? 'chunk too short' : flawOfParameters(bytes, at + 20, end, flawOfParameter);
    case ChunkType.SACK: return length < 16 ? 'chunk too short' : flawOfSack(bytes, at, length);
    case ChunkType.HEARTBEAT: return length < 8 || !isHeartbeatInfo(bytes, at + 4, length - 4) ? 'heartbeat info' : undefined;
    case ChunkType.HEARTBEAT_ACK: return length < 8 || !isHeartbeatInfo(bytes, at + 4, length - 4) ? 'heartbeat info' : undefined;
    case ChunkType.ABORT:
    case ChunkType.ERROR: return flawOfParameters(bytes, at + 4, end, flawOfCause);
    case ChunkType.SHUTDOWN: return length !== 8 ? 'chunk of another length' : undefined;
    case ChunkType.COOKIE_ECHO: return length < 5 ? 'chunk too short' : undefined;
    case ChunkType.SHUTDOWN_ACK:
    case ChunkType.COOKIE_ACK:
    case ChunkType.SHUTDOWN_COMPLETE: return length !== 4 ? 'chunk of another length' : undefined;
    default: return undefined;
  }
}

function flawOfParameters(bytes: Uint8Array, start: number, end: number, flawOf: (bytes: Uint8Array, type: number, length: number, at: number) => Flaw | undefined): Flaw | undefined {
  for (let at = start; at < end;) {
    if (at + 4 > end) return 'parameter length';
    const length = readU16(bytes, at + 2);
    if (length < 4 || at + length > end) return 'parameter length';
    const flaw = flawOf(bytes, readU16(bytes, at), length, at);
    if (flaw !== undefined) return flaw;
    at += padded(length);
  }
  return undefined;
}

function flawOfParameter(bytes: Uint8Array, type: number, length: number, at: number): Flaw | undefined {
  const wanted = LENGTHS.get(type);
  if (wanted !== undefined && wanted !== length) return 'parameter value';
  if (type === SUPPORTED_ADDRESSES && (length < 6 || length % 2 !== 0)) return 'parameter value';
  if (type === CHUNKS) for (let each = at + 4; each < at + length; each += 1) if (!NAMED_CHUNKS.has(bytes[each]!)) return 'parameter value';
  return undefined;
}

const flawOfCause = (_: Uint8Array, type: number, length: number): Flaw | undefined => (length < (LEAST_CAUSES.get(type) ?? 4) ? 'cause length' : undefined);

const isHeartbeatInfo = (bytes: Uint8Array, at: number, length: number): boolean => readU16(bytes, at) === 1 && readU16(bytes, at + 2) === length;

/** Blocks ascend and do not overlap: what is checked here costs one pass, what is not would cost the square of it. */
function flawOfSack(bytes: Uint8Array, at: number, length: number): Flaw | undefined {
  const blocks = readU16(bytes, at + 12);
  if (16 + 4 * (blocks + readU16(bytes, at + 14)) > length) return 'sack blocks';
  let last = 1;
  for (let block = at + 16; block < at + 16 + 4 * blocks; block += 4) {
    const [start, end] = [readU16(bytes, block), readU16(bytes, block + 2)];
    if (start <= last || end < start) return 'sack blocks';
    last = end;
  }
  return undefined;
}

const SUPPORTED_ADDRESSES = 12;
const CHUNKS = 0x8003;
/** Of IPv4 and IPv6 addresses and Cookie Preservative. */
const LENGTHS = new Map([[5, 8], [6, 20], [9, 8]]);
const LEAST_CAUSES = new Map([[1, 8], [2, 8], [3, 8], [5, 8], [9, 8]]);
/** Which the package has names for; it dies of others in the parameter CHUNKS (RFC 4895). */
const NAMED_CHUNKS = new Set([...Array.from({ length: 16 }, (_, type) => type), 0x40, 0x80, 0x82, 0x84, 0xc0, 0xc1, 0xc2]);
