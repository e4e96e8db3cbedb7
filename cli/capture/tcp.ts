import { WireError } from '../../wire/error.js';
import { Framer, type Framing } from '../../wire/framer.js';

/** One direction of a TCP connection, put in order by sequence number and cut into messages. Where the beginning was not captured, it
 *  begins with the first segment that was. */
export class TcpStream {
  readonly #framer: Framer;
  #next: number | undefined;
  /** Segments behind a gap, by sequence number. */
  readonly #early = new Map<number, Buffer>();
  #broken = false;

  constructor(framing: Framing) {
    this.#framer = new Framer(framing);
  }

  /** Bytes of a message that has begun. */
  get pending(): number {
    return this.#framer.pending;
  }

  /** Puts into `messages` what has become whole.
   *  @throws WireError when the stream cannot be cut any further; the rest of it is passed over then. */
  push(segment: Buffer, messages: Buffer[]): void {
    const header = segment.length < 20 ? 0 : (segment[12]! >> 4) * 4;
    if (header < 20 || this.#broken) return;
    const sequence = segment.readUInt32BE(4);
    const syn = (segment[13]! & 0x02) !== 0;
    if (syn) this.#next = (sequence + 1) >>> 0;
    else if (segment.length > header) this.#data(sequence, segment.subarray(header), messages);
  }

  #data(sequence: number, data: Buffer, messages: Buffer[]): void {
    this.#next ??= sequence;
    this.#early.set(sequence, longer(this.#early.get(sequence), data));
    for (let found = this.#take(); found !== undefined; found = this.#take()) this.#cut(found, messages);
  }

  /** The next bytes in order; a retransmission's known part is left out. */
  #take(): Buffer | undefined {
    for (const [sequence, data] of this.#early) {
      const behind = (this.#next! - sequence) | 0;
      if (behind < 0) continue;
      this.#early.delete(sequence);
      if (behind >= data.length) continue;
      this.#next = (sequence + data.length) >>> 0;
      return data.subarray(behind);
    }
    return undefined;
  }

  #cut(data: Buffer, messages: Buffer[]): void {
    try {
      this.#framer.push(data, (bytes, start, end) => messages.push(Buffer.from(bytes.subarray(start, end))));
    } catch (error) {
      if (error instanceof WireError) this.#broken = true;
      throw error;
    }
  }
}

const longer = (one: Buffer | undefined, other: Buffer): Buffer => (one !== undefined && one.length > other.length ? one : other);
