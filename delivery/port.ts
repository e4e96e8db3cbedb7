import { HEADER_LENGTH, MAX_FRAGMENT, mapping, offsets, readU32, writeHeader, writeU32 } from '../wire/mapping.js';

/** Where a frame lies in the outgoing buffer. */
export interface Room { readonly bytes: Buffer; readonly offset: number }

/** Where frames are written. */
export interface FrameSpace {
  /** Room for a frame in the outgoing buffer, to be filled at once. The object is the same at each call: it tells which frame is the last. */
  reserve(length: number): Room;
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
export function writeData(port: FrameSpace, session: number, flags: number, ppid: number, id: number, payload: Uint8Array): void {
  let from = 0;
  for (; payload.length - from > MAX_FRAGMENT; from += MAX_FRAGMENT) dataFrame(port, session, flags | data.flags.more, ppid, id, payload, from, from + MAX_FRAGMENT);
  dataFrame(port, session, flags, ppid, id, payload, from, payload.length);
}

/** A reply to message `id`, the `index`th of its handler, in REPLY frames. @returns where the last of them lies. */
export function writeReply(port: FrameSpace, session: number, flags: number, ppid: number, id: number, index: number, payload: Uint8Array): Room {
  let from = 0;
  for (; payload.length - from > MAX_FRAGMENT; from += MAX_FRAGMENT) replyFrame(port, session, flags | reply.flags.more, ppid, id, index, payload, from, from + MAX_FRAGMENT);
  return replyFrame(port, session, flags, ppid, id, index, payload, from, payload.length);
}

/** The handler of message `id` has settled before anything else was written behind its reply: that says so itself and spares the DONE.
 *  @returns false when the last frame is another one. */
export function markReplyDone({ bytes, offset }: Room, session: number, id: number): boolean {
  if (bytes[offset + 4] !== reply.type || readU32(bytes, offset + REPLY_ID) !== id || readU32(bytes, offset + 8) !== session) return false;
  bytes[offset + 5]! |= reply.flags.done;
  return true;
}

function dataFrame(port: FrameSpace, session: number, flags: number, ppid: number, id: number, payload: Uint8Array, from: number, to: number): void {
  const length = DATA_HEAD + to - from;
  const { bytes, offset } = port.reserve(length);
  writeHeader(bytes, offset, length, data.type, flags, session);
  writeU32(bytes, offset + DATA_PPID, ppid);
  writeU32(bytes, offset + DATA_ID, id);
  copy(payload, bytes, offset + DATA_HEAD, from, to);
}

function replyFrame(port: FrameSpace, session: number, flags: number, ppid: number, id: number, index: number, payload: Uint8Array, from: number, to: number): Room {
  const length = REPLY_HEAD + to - from;
  const room = port.reserve(length);
  const { bytes, offset } = room;
  writeHeader(bytes, offset, length, reply.type, flags, session);
  writeU32(bytes, offset + REPLY_PPID, ppid);
  writeU32(bytes, offset + REPLY_ID, id);
  writeU32(bytes, offset + REPLY_INDEX, index);
  copy(payload, bytes, offset + REPLY_HEAD, from, to);
  return room;
}

/** A frame whose only field is one u32: DONE, ACK, WINDOW. */
export function writeWord(port: FrameSpace, type: 'DONE' | 'ACK' | 'WINDOW', session: number, flags: number, value: number): void {
  const length = HEADER_LENGTH + 4;
  const { bytes, offset } = port.reserve(length);
  writeHeader(bytes, offset, length, mapping[type].type, flags, session);
  writeU32(bytes, offset + HEADER_LENGTH, value);
}

/** A frame that was encoded whole. */
export function writeFrame(port: FrameSpace, frame: Uint8Array): void {
  const { bytes, offset } = port.reserve(frame.length);
  bytes.set(frame, offset);
}

function copy(source: Uint8Array, target: Buffer, at: number, from: number, to: number): void {
  target.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
}
