import { WireError } from './error.js';
import type { Framing } from './framer.js';

/** The frames of the TCP mapping, and of SCTP's between our own ends (draft-ietf-rserpool-service §5.2.1; docs/tcp-mapping.md), declared once: everything else
 *  (offsets, encoder, decoder, the figure in the document's test) follows from this table. */

/** Bytes of the header before every frame: length u32 (whole frame), type u8, flags u8, stream u16, session u32. */
export const HEADER_LENGTH = 12;
/** Payload of one frame at most; longer messages go in several (`more`), so that sessions interleave (D-21). */
export const MAX_FRAGMENT = 64 * 1024 - 64;
const MAX_FRAME = 64 * 1024 + 64;
/** 'RSRP': the first field of the first frame. */
export const MAGIC = 0x52535250;
export const VERSION = 1;
/** Bits of `features` in VERSION: a frame or flag of a feature is sent only where both ends have announced it. */
export const features = { liveness: 0x01, replyDone: 0x02, identity: 0x04, messageCharge: 0x08, streams: 0x10 } as const;
/** Streams of a session, counted from 0 (D-23). So many that a cookie of any length can name the last message of each (D-25). */
export const MOST_STREAMS = 16;
/** The `stream` of a frame's header names a lane of its session: a stream, or with this bit what goes unordered on that stream. Each lane has ids, window and credit of its own. */
export const UNORDERED = 0x8000;
export const streamOf = (lane: number): number => lane & ~UNORDERED;
export const isUnordered = (lane: number): boolean => lane >= UNORDERED;
export const isLane = (lane: number): boolean => streamOf(lane) < MOST_STREAMS;
/** Payload protocol id of these frames on SCTP: no registered one, and the same four letters. */
export const MAPPING_PPID = MAGIC;
/** Payload protocol id of ASAP (RFC 5352 §7): a DATA frame with it belongs to the control channel. RFC 5354 §3.5 has TCP carry no control, draft §5.1
 *  lets it, RFC 5355 §2.16 wants both told apart: both go on one connection. */
export const ASAP_PPID = 11;

type Size = 1 | 2 | 4 | 16;
interface FrameShape {
  readonly type: number;
  readonly flags: Readonly<Record<string, number>>;
  /** Fixed fields behind the header, in order, each with its size in bytes (big-endian; 16 is an opaque id). */
  readonly fields: Readonly<Record<string, Size>>;
  /** What follows the fixed fields to the end of the frame. */
  readonly tail?: 'bytes' | 'text';
}

export const mapping = {
  VERSION: { type: 0x01, flags: {}, fields: { magic: 4, version: 2, lowest: 2, features: 4, heartbeat: 2, silence: 2 } },
  OPEN: { type: 0x02, flags: { echo: 0x01, rendezvous: 0x02 }, fields: { epoch: 4, credit: 4, mode: 4, windowMessages: 4, windowBytes: 4, sessionId: 16 }, tail: 'bytes' },
  ACCEPT: { type: 0x03, flags: { stateful: 0x01, streaming: 0x02 }, fields: { credit: 4 } },
  REFUSE: { type: 0x04, flags: {}, fields: { code: 4 }, tail: 'text' },
  DATA: {
    type: 0x05, flags: { more: 0x01, recovery: 0x02, atMostOnce: 0x04, ackWanted: 0x08, uncommitted: 0x10 },
    fields: { ppid: 4, id: 4 }, tail: 'bytes',
  },
  REPLY: { type: 0x06, flags: { more: 0x01, recovery: 0x02, done: 0x04 }, fields: { ppid: 4, id: 4, index: 4 }, tail: 'bytes' },
  DONE: { type: 0x07, flags: { cumulative: 0x01, recovery: 0x02 }, fields: { id: 4 } },
  ACK: { type: 0x08, flags: {}, fields: { id: 4 } },
  WINDOW: { type: 0x09, flags: {}, fields: { bytes: 4 } },
  MOVE: { type: 0x0a, flags: { part: 0x80 }, fields: {} },
  CLOSE: { type: 0x0b, flags: { part: 0x80 }, fields: { code: 4, id: 4 }, tail: 'text' },
  HEARTBEAT: { type: 0x0c, flags: {}, fields: { nonce: 4, interval: 4 } },
  HEARTBEAT_ACK: { type: 0x0d, flags: {}, fields: { nonce: 4 } },
  LIVENESS: { type: 0x0e, flags: {}, fields: { port: 2, bound: 4 } },
  IDENTITY: { type: 0x0f, flags: {}, fields: { peIdentifier: 4 } },
} as const satisfies Record<string, FrameShape>;

export type FrameName = keyof typeof mapping;
type Table = typeof mapping;
type FieldsOf<N extends FrameName> = { -readonly [K in keyof Table[N]['fields']]: Table[N]['fields'][K] extends 16 ? Buffer : number };
type FlagsOf<N extends FrameName> = { -readonly [K in keyof Table[N]['flags']]: boolean };
type TailOf<N extends FrameName> = Table[N] extends { tail: 'bytes' } ? { tail: Buffer } : Table[N] extends { tail: 'text' } ? { tail: string } : unknown;
/** A frame as an object, for the frames that are not on the path of user data. */
export type Frame<N extends FrameName = FrameName> = N extends FrameName
  ? { readonly type: N; readonly session: number } & Readonly<FieldsOf<N>> & Partial<Readonly<FlagsOf<N>>> & Readonly<TailOf<N>>
  : never;

/** Why a session was refused or closed, by the number on the wire. */
export const closeCodes = {
  NORMAL: 0, BUSY: 1, STALE_EPOCH: 2, NO_SUCH_POOL: 3, HANDLER_FAILED: 4, COOKIE_REFUSED: 5, OUTPUT_LIMIT: 6, PROTOCOL_ERROR: 7,
  GOING_AWAY: 8, OLD_HALF_RUNNING: 9, NO_RENDEZVOUS: 10,
} as const;
export type CloseCode = keyof typeof closeCodes;

/** Where each fixed field of a frame lies, counted from the frame's first byte. */
export const offsets = Object.fromEntries(
  Object.entries(mapping).map(([name, shape]) => {
    let at = HEADER_LENGTH;
    const fields = Object.entries(shape.fields).map(([field, size]) => { const entry = [field, at] as const; at += size; return entry; });
    return [name, { ...Object.fromEntries(fields), tail: at }];
  }),
) as unknown as { readonly [N in FrameName]: { readonly [K in keyof Table[N]['fields']]: number } & { readonly tail: number } };

/** The bytes of the shortest frame of a type. */
export const leastLength = (type: number): number => least[type] ?? HEADER_LENGTH;
const least = Object.entries(mapping).reduce<number[]>((all, [name, { type }]) => { all[type] = offsets[name as FrameName].tail; return all; }, []);

const byType = new Map<number, FrameName>(Object.entries(mapping).map(([name, shape]) => [shape.type, name as FrameName]));

/** How the mapping's stream is cut into frames. */
export const mappingFraming: Framing = {
  headerLength: HEADER_LENGTH,
  frameLength(bytes, offset) {
    const length = ((bytes[offset] ?? 0) * 0x1000000) + (((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0));
    if (length < HEADER_LENGTH || length > MAX_FRAME) throw new WireError('LENGTH_OUT_OF_RANGE', offset, `a frame of ${length} bytes; ${HEADER_LENGTH} to ${MAX_FRAME} are possible`);
    return length;
  },
};

/** Writes the header of a frame of `length` bytes at `offset`; the fields are the caller's (`offsets`). */
export function writeHeader(bytes: Buffer, offset: number, length: number, type: number, flags: number, session: number, lane = 0): void {
  bytes[offset] = length >>> 24; bytes[offset + 1] = length >>> 16; bytes[offset + 2] = length >>> 8; bytes[offset + 3] = length;
  bytes[offset + 4] = type; bytes[offset + 5] = flags; bytes[offset + 6] = lane >>> 8; bytes[offset + 7] = lane;
  writeU32(bytes, offset + 8, session);
}

/** Of the frame at `start`. */
export const laneOf = (bytes: Uint8Array, start: number): number => (bytes[start + 6]! << 8) | bytes[start + 7]!;

export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24; bytes[offset + 1] = value >>> 16; bytes[offset + 2] = value >>> 8; bytes[offset + 3] = value;
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
}

/** The whole frame in an own buffer: control frames; user data is written in place instead. */
export function encodeFrame<N extends FrameName>(frame: Frame<N>): Buffer {
  const shape: FrameShape = mapping[frame.type as N];
  const values = frame as unknown as Record<string, unknown>;
  const tail = tailBytes(shape, values['tail']);
  const length = offsets[frame.type as N].tail + tail.length;
  const bytes = Buffer.alloc(length);
  const flags = Object.entries(shape.flags).reduce((all, [name, bit]) => all | (values[name] === true ? bit : 0), 0);
  writeHeader(bytes, 0, length, shape.type, flags, frame.session);
  let at = HEADER_LENGTH;
  for (const [name, size] of Object.entries(shape.fields)) {
    if (size === 16) bytes.set(values[name] as Uint8Array, at); else bytes.writeUIntBE(values[name] as number, at, size);
    at += size;
  }
  bytes.set(tail, at);
  return bytes;
}

/** The frame that is `bytes[start, end)`. Opaque parts are copies.
 *  @throws WireError: unknown type, or shorter than its fixed fields. */
export function decodeFrame(bytes: Buffer, start: number, end: number): Frame {
  const name = byType.get(bytes[start + 4]!);
  if (name === undefined) throw new WireError('UNKNOWN_TYPE', start + 4, `frame type 0x${bytes[start + 4]!.toString(16)} is unknown`);
  const shape: FrameShape = mapping[name];
  if (end - start < offsets[name].tail) throw new WireError('TRUNCATED', start, `a ${name} frame of ${end - start} bytes; ${offsets[name].tail} are fixed`);
  const frame: Record<string, unknown> = { type: name, session: readU32(bytes, start + 8) };
  for (const [flag, bit] of Object.entries(shape.flags)) frame[flag] = (bytes[start + 5]! & bit) !== 0;
  let at = start + HEADER_LENGTH;
  for (const [field, size] of Object.entries(shape.fields)) {
    frame[field] = size === 16 ? Buffer.from(bytes.subarray(at, at + 16)) : bytes.readUIntBE(at, size);
    at += size;
  }
  if (shape.tail === 'bytes') frame['tail'] = Buffer.from(bytes.subarray(at, end));
  if (shape.tail === 'text') frame['tail'] = bytes.toString('utf8', at, end);
  return frame as unknown as Frame;
}

function tailBytes(shape: FrameShape, tail: unknown): Uint8Array {
  if (shape.tail === undefined) return new Uint8Array(0);
  return shape.tail === 'text' ? Buffer.from(tail as string, 'utf8') : tail as Uint8Array;
}
