import { WireError } from './error.js';
import { readU32, writeU32 } from './mapping.js';

/** Our part of a state cookie (D-24): the value of parameter 0x8f03 in ASAP_COOKIE and ASAP_COOKIE_ECHO. It says what the
 *  application's bytes contain; the pool user returns it as it came. */
export interface Snapshot {
  readonly sessionId: Uint8Array;
  readonly epoch: number;
  /** The last message whose effects the cookie contains. */
  readonly covered: number;
  /** How many outputs of this epoch the pool element had sent before the cookie (D-10). */
  readonly outputs: number;
}

const FORMAT = 1;
/** format u8, key id length u8 (0: unsigned), reserved u16, epoch, covered, outputs u32, time of issue u64 (0: not stated), session id. */
const LENGTH = 40;

export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const bytes = Buffer.alloc(LENGTH);
  bytes[0] = FORMAT;
  writeU32(bytes, 4, snapshot.epoch);
  writeU32(bytes, 8, snapshot.covered);
  writeU32(bytes, 12, snapshot.outputs);
  bytes.set(snapshot.sessionId, 24);
  return bytes;
}

/** @throws WireError when it is not one of ours, or of a format to come. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  if (bytes.length < LENGTH) throw new WireError('TRUNCATED', 0, `a snapshot of ${bytes.length} bytes; ${LENGTH} are fixed`);
  if (bytes[0] !== FORMAT) throw new WireError('INVALID_VALUE', 0, `snapshot format ${bytes[0] ?? 0} is unknown`);
  return { epoch: readU32(bytes, 4), covered: readU32(bytes, 8), outputs: readU32(bytes, 12), sessionId: bytes.slice(24, 40) };
}
