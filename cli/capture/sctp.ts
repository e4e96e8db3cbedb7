import { padded } from '../../wire/bytes.js';

/** User messages out of SCTP packets (RFC 9260): fragments are put together by TSN, retransmissions are seen once. */
export interface SctpMessage {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly ppid: number;
  readonly bytes: Buffer;
}

const DATA = 0;
const BEGINNING = 0x02;
const ENDING = 0x01;
/** More fragments than the largest message of ours could have. */
const MAX_FRAGMENTS = 4096;

interface Chunk {
  readonly flags: number;
  readonly ppid: number;
  readonly data: Buffer;
}
/** One direction of an association. */
interface Direction {
  readonly seen: Set<number>;
  readonly fragments: Map<number, Chunk>;
  sourcePort: number;
  destinationPort: number;
}

export class SctpReassembly {
  /** By verification tag and ports: an association's addresses may change. */
  readonly #directions = new Map<string, Direction>();

  *push(packet: Buffer): Generator<SctpMessage> {
    if (packet.length < 12) return;
    const sourcePort = packet.readUInt16BE(0);
    const destinationPort = packet.readUInt16BE(2);
    const direction = this.#direction(sourcePort, destinationPort, packet.readUInt32BE(4));
    for (const [tsn, chunk] of dataChunks(packet)) {
      if (direction.seen.has(tsn)) continue;
      direction.seen.add(tsn);
      const whole = assemble(direction.fragments, tsn, chunk);
      if (whole !== undefined) yield { sourcePort, destinationPort, ...whole };
    }
  }

  /** Messages that begin in the capture and do not end in it. */
  *unfinished(): Generator<SctpMessage> {
    for (const { fragments, sourcePort, destinationPort } of this.#directions.values()) {
      for (const chunk of fragments.values()) {
        if (chunk.flags & BEGINNING) yield { sourcePort, destinationPort, ppid: chunk.ppid, bytes: chunk.data };
      }
    }
  }

  #direction(sourcePort: number, destinationPort: number, tag: number): Direction {
    const key = `${tag} ${sourcePort} ${destinationPort}`;
    let direction = this.#directions.get(key);
    if (direction === undefined) this.#directions.set(key, direction = { seen: new Set(), fragments: new Map(), sourcePort, destinationPort });
    return direction;
  }
}

function* dataChunks(packet: Buffer): Generator<[tsn: number, chunk: Chunk]> {
  for (let offset = 12; packet.length - offset >= 4;) {
    const length = packet.readUInt16BE(offset + 2);
    if (length < 4) return;
    if (packet[offset] === DATA && length >= 16 && packet.length - offset >= 16) {
      const data = packet.subarray(offset + 16, offset + length);
      yield [packet.readUInt32BE(offset + 4), { flags: packet[offset + 1]!, ppid: packet.readUInt32BE(offset + 12), data }];
    }
    offset += padded(length);
  }
}

function assemble(fragments: Map<number, Chunk>, tsn: number, chunk: Chunk): { ppid: number; bytes: Buffer } | undefined {
  if ((chunk.flags & BEGINNING) !== 0 && (chunk.flags & ENDING) !== 0) return { ppid: chunk.ppid, bytes: chunk.data };
  fragments.set(tsn, chunk);
  const first = walk(fragments, tsn, BEGINNING, -1);
  const last = walk(fragments, tsn, ENDING, 1);
  if (first === undefined || last === undefined) return undefined;
  const parts: Chunk[] = [];
  for (let t = first; ; t = (t + 1) >>> 0) {
    parts.push(fragments.get(t)!);
    fragments.delete(t);
    if (t === last) break;
  }
  return { ppid: parts[0]!.ppid, bytes: Buffer.concat(parts.map(({ data }) => data)) };
}

function walk(fragments: ReadonlyMap<number, Chunk>, from: number, flag: number, step: 1 | -1): number | undefined {
  for (let tsn = from, steps = 0; steps < MAX_FRAGMENTS; tsn = (tsn + step) >>> 0, steps++) {
    const chunk = fragments.get(tsn);
    if (chunk === undefined) return undefined;
    if ((chunk.flags & flag) !== 0) return tsn;
  }
  return undefined;
}
