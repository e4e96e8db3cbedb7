import { HEADER_LENGTH, MAX_FRAGMENT, mapping, offsets, writeHeader, writeU32 } from '../wire/mapping.js';

/** Where frames are written. */
export interface FrameSpace {
  /** Room for a frame in the outgoing buffer, to be filled at once. */
  reserve(length: number): { readonly bytes: Buffer; readonly offset: number };
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

/** A message in DATA frames of at most MAX_FRAGMENT bytes of payload. */
export function writeData(port: FrameSpace, session: number, flags: number, ppid: number, id: number, payload: Uint8Array): void {
  eachFragment(payload.length, (from, to, more) => {
    const length = offsets.DATA.tail + to - from;
    const { bytes, offset } = port.reserve(length);
    writeHeader(bytes, offset, length, data.type, flags | more, session);
    writeU32(bytes, offset + offsets.DATA.ppid, ppid);
    writeU32(bytes, offset + offsets.DATA.id, id);
    copy(payload, bytes, offset + offsets.DATA.tail, from, to);
  });
}

/** A reply to message `id`, the `index`th of its handler, in REPLY frames. */
export function writeReply(port: FrameSpace, session: number, flags: number, ppid: number, id: number, index: number, payload: Uint8Array): void {
  eachFragment(payload.length, (from, to, more) => {
    const length = offsets.REPLY.tail + to - from;
    const { bytes, offset } = port.reserve(length);
    writeHeader(bytes, offset, length, reply.type, flags | more, session);
    writeU32(bytes, offset + offsets.REPLY.ppid, ppid);
    writeU32(bytes, offset + offsets.REPLY.id, id);
    writeU32(bytes, offset + offsets.REPLY.index, index);
    copy(payload, bytes, offset + offsets.REPLY.tail, from, to);
  });
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

function eachFragment(length: number, write: (from: number, to: number, more: number) => void): void {
  let from = 0;
  for (; length - from > MAX_FRAGMENT; from += MAX_FRAGMENT) write(from, from + MAX_FRAGMENT, data.flags.more);
  write(from, length, 0);
}

/** Small payloads are copied by a loop: below some 40 bytes that is quicker than the call into the runtime. */
function copy(source: Uint8Array, target: Buffer, at: number, from: number, to: number): void {
  if (to - from > 40) target.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
  else for (let i = from; i < to; i++) target[at + i - from] = source[i]!;
}
