import { HEADER_LENGTH, laneOf, MAX_FRAGMENT, mapping, offsets, readU32, writeHeader, writeU32 } from '../wire/mapping.js';

/** Where a frame lies in the outgoing buffer. */
export interface Room { readonly bytes: Buffer; readonly offset: number }

/** Where frames are written. */
export interface FrameSpace {
  /** Room for a frame in the outgoing buffer, to be filled at once. The object is the same at each call: it tells which frame is the last.
   *  `way`: the transport's stream that it goes on, where it has such things, with the bit UNORDERED for what may overtake. Default 0. */
  reserve(length: number, way?: number): Room;
}

/** Where a half of a session puts its frames: its link, as far as it needs to know it. */
export interface Port extends FrameSpace {
  /** The link's queue is above its mark: wait. */
  readonly congested: boolean;
  /** Asks for this turn's write, before which the half may commit. */
  flushSoon(): void;
}

const data = mapping.DATA;
const reply = mapping.REPLY;
const { ppid: DATA_PPID, id: DATA_ID, tail: DATA_HEAD } = offsets.DATA;
const { ppid: REPLY_PPID, id: REPLY_ID, index: REPLY_INDEX, tail: REPLY_HEAD } = offsets.REPLY;

/** A message in DATA frames of at most MAX_FRAGMENT bytes of payload. */
export function writeData(port: FrameSpace, session: number, flags: number, ppid: number, id: number, payload: Uint8Array, lane = 0, way = lane): void {
  let from = 0;
  for (; payload.length - from > MAX_FRAGMENT; from += MAX_FRAGMENT) dataFrame(port, session, flags | data.flags.more, ppid, id, payload, from, from + MAX_FRAGMENT, lane, way);
  dataFrame(port, session, flags, ppid, id, payload, from, payload.length, lane, way);
}

/** A reply to message `id`, the `index`th of its handler, in REPLY frames. @returns where the last of them lies. */
export function writeReply(port: FrameSpace, session: number, flags: number, ppid: number, id: number, index: number, payload: Uint8Array, lane = 0, way = 0): Room {
  let from = 0;
  for (; payload.length - from > MAX_FRAGMENT; from += MAX_FRAGMENT) replyFrame(port, session, flags | reply.flags.more, ppid, id, index, payload, from, from + MAX_FRAGMENT, lane, way);
  return replyFrame(port, session, flags, ppid, id, index, payload, from, payload.length, lane, way);
}

/** The handler of message `id` has settled before anything else was written behind its reply: that says so itself and spares the DONE.
 *  @returns false when the last frame is another one. */
export function markReplyDone({ bytes, offset }: Room, session: number, id: number, lane: number): boolean {
  if (bytes[offset + 4] !== reply.type || readU32(bytes, offset + REPLY_ID) !== id || readU32(bytes, offset + 8) !== session || laneOf(bytes, offset) !== lane) return false;
  bytes[offset + 5]! |= reply.flags.done;
  return true;
}

function dataFrame(port: FrameSpace, session: number, flags: number, ppid: number, id: number, payload: Uint8Array, from: number, to: number, lane: number, way: number): void {
  const length = DATA_HEAD + to - from;
  const { bytes, offset } = port.reserve(length, way);
  writeHeader(bytes, offset, length, data.type, flags, session, lane);
  writeU32(bytes, offset + DATA_PPID, ppid);
  writeU32(bytes, offset + DATA_ID, id);
  copy(payload, bytes, offset + DATA_HEAD, from, to);
}

function replyFrame(port: FrameSpace, session: number, flags: number, ppid: number, id: number, index: number, payload: Uint8Array, from: number, to: number, lane: number, way: number): Room {
  const length = REPLY_HEAD + to - from;
  const room = port.reserve(length, way);
  const { bytes, offset } = room;
  writeHeader(bytes, offset, length, reply.type, flags, session, lane);
  writeU32(bytes, offset + REPLY_PPID, ppid);
  writeU32(bytes, offset + REPLY_ID, id);
  writeU32(bytes, offset + REPLY_INDEX, index);
  copy(payload, bytes, offset + REPLY_HEAD, from, to);
  return room;
}

/** A frame whose only field is one u32: DONE, ACK, WINDOW. */
export function writeWord(port: FrameSpace, type: 'DONE' | 'ACK' | 'WINDOW', session: number, flags: number, value: number, lane = 0, way = 0): void {
  const length = HEADER_LENGTH + 4;
  const { bytes, offset } = port.reserve(length, way);
  writeHeader(bytes, offset, length, mapping[type].type, flags, session, lane);
  writeU32(bytes, offset + HEADER_LENGTH, value);
}

/** A frame that was encoded whole. */
export function writeFrame(port: FrameSpace, frame: Uint8Array, way = 0): void {
  const { bytes, offset } = port.reserve(frame.length, way);
  bytes.set(frame, offset);
}

function copy(source: Uint8Array, target: Buffer, at: number, from: number, to: number): void {
  target.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
}
