import { copyBytes } from './bytes.js';
import { WireError } from './error.js';
import { MOST_STREAMS, readU32, writeU32 } from './mapping.js';

/** Our part of a state cookie (D-24): the value of parameter 0x8f03 in ASAP_COOKIE and ASAP_COOKIE_ECHO. It says what the
 *  application's bytes contain; the pool user returns it as it came. */
export interface Snapshot {
  readonly sessionId: Uint8Array;
  readonly epoch: number;
  /** The last message whose effects the cookie contains. */
  readonly covered: number;
  /** The same of each other stream that has been used, in ascending order (D-23). Default none. */
  readonly streams?: readonly StreamCover[] | undefined;
  /** How many outputs of this epoch the pool element had sent before the cookie (D-10). */
  readonly outputs: number;
  /** Milliseconds since 1970, by the clock of the pool element that made it; 0 where it does not say. */
  readonly issued: number;
  /** Which key signed it, 1 to 255 bytes; undefined: unsigned. */
  readonly keyId?: Uint8Array | undefined;
  /** HMAC-SHA-256 by that key over `signedBytes`. */
  readonly signature?: Uint8Array | undefined;
}

export interface StreamCover { readonly stream: number; readonly covered: number }

/** 2: with streams. Who does not know them refuses it. */
const FORMAT = 1;
const FORMAT_WITH_STREAMS = 2;
/** format u8, key id length u8 (0: unsigned), number of streams u16 (format 1: 0), epoch, covered, outputs u32, issued u64, session id; then for each stream its number u32
 *  and covered u32; then, where signed, key id and signature. */
const FIXED = 40;
const PER_STREAM = 8;
export const SIGNATURE_LENGTH = 32;

/** With room for the signature behind it (zeros) where there is a key. */
export function encodeSnapshot({ sessionId, epoch, covered, streams = [], outputs, issued, keyId, signature }: Snapshot): Buffer {
  const idLength = keyId?.length ?? 0;
  const fixed = FIXED + PER_STREAM * streams.length;
  const bytes = Buffer.alloc(idLength === 0 ? fixed : fixed + idLength + SIGNATURE_LENGTH);
  bytes[0] = streams.length === 0 ? FORMAT : FORMAT_WITH_STREAMS;
  bytes[1] = idLength;
  bytes[3] = streams.length;
  writeU32(bytes, 4, epoch);
  writeU32(bytes, 8, covered);
  writeU32(bytes, 12, outputs);
  writeU32(bytes, 16, Math.floor(issued / 0x1_0000_0000));
  writeU32(bytes, 20, issued);
  bytes.set(sessionId, 24);
  for (const [index, { stream, covered: last }] of streams.entries()) {
    writeU32(bytes, FIXED + PER_STREAM * index, stream);
    writeU32(bytes, FIXED + PER_STREAM * index + 4, last);
  }
  if (keyId) bytes.set(keyId, fixed);
  if (signature) bytes.set(signature, fixed + idLength);
  return bytes;
}

/** Opaque parts are copies.
 *  @throws WireError when it is not one of ours, or of a format to come. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const fields = { ...decodeCoverage(bytes), issued: readU32(bytes, 16) * 0x1_0000_0000 + readU32(bytes, 20), sessionId: copyBytes(bytes, 24, FIXED) };
  const idLength = bytes[1] ?? 0;
  const fixed = FIXED + PER_STREAM * (fields.streams?.length ?? 0);
  const length = idLength === 0 ? fixed : fixed + idLength + SIGNATURE_LENGTH;
  if (bytes.length !== length) throw new WireError('LENGTH_OUT_OF_RANGE', 1, `a snapshot of ${bytes.length} bytes; with a key id of ${idLength} it has ${length}`);
  return idLength === 0 ? fields : { ...fields, keyId: copyBytes(bytes, fixed, fixed + idLength), signature: copyBytes(bytes, fixed + idLength, length) };
}

/** What a pool user has to know of it; whatever else it holds goes back as it came.
 *  @throws WireError when it is not one of ours, or of a format to come. */
export function decodeCoverage(bytes: Uint8Array): Pick<Snapshot, 'epoch' | 'covered' | 'streams' | 'outputs'> {
  if (bytes.length < FIXED) throw new WireError('TRUNCATED', 0, `a snapshot of ${bytes.length} bytes; ${FIXED} are fixed`);
  if (bytes[0] !== FORMAT && bytes[0] !== FORMAT_WITH_STREAMS) throw new WireError('INVALID_VALUE', 0, `snapshot format ${bytes[0] ?? 0} is unknown`);
  const coverage = { epoch: readU32(bytes, 4), covered: readU32(bytes, 8), outputs: readU32(bytes, 12) };
  return bytes[0] === FORMAT ? coverage : { ...coverage, streams: decodeStreams(bytes) };
}

function decodeStreams(bytes: Uint8Array): StreamCover[] {
  const count = (bytes[2]! << 8) | bytes[3]!;
  if (count === 0 || count >= MOST_STREAMS) throw new WireError('INVALID_VALUE', 2, `a snapshot names ${count} streams besides 0; there are ${MOST_STREAMS - 1}`);
  if (bytes.length < FIXED + PER_STREAM * count) throw new WireError('TRUNCATED', FIXED, `a snapshot of ${bytes.length} bytes cannot name ${count} streams`);
  const streams: StreamCover[] = [];
  for (let at = FIXED, last = 0; at < FIXED + PER_STREAM * count; at += PER_STREAM) {
    const stream = readU32(bytes, at);
    if (stream <= last || stream >= MOST_STREAMS) throw new WireError('INVALID_VALUE', at, `a snapshot names stream ${stream} behind ${last}; they ascend, up to ${MOST_STREAMS - 1}`);
    streams.push({ stream, covered: readU32(bytes, at + 4) });
    last = stream;
  }
  return streams;
}

/** What the signature is made over: the snapshot in front of it (which tells the length of its key id), then pool handle and cookie, each behind
 *  its length. No two triples give the same bytes. `room`: bytes left to the caller before all of it. */
export function signedBytes(snapshot: Uint8Array, poolHandle: Uint8Array, cookie: Uint8Array, room = 0): Buffer {
  const inFront = room + snapshot.length - SIGNATURE_LENGTH;
  const bytes = Buffer.allocUnsafe(inFront + 4 + poolHandle.length + 4 + cookie.length);
  bytes.set(snapshot.subarray(0, inFront - room), room);
  writeU32(bytes, inFront, poolHandle.length);
  bytes.set(poolHandle, inFront + 4);
  writeU32(bytes, inFront + 4 + poolHandle.length, cookie.length);
  bytes.set(cookie, inFront + 8 + poolHandle.length);
  return bytes;
}
