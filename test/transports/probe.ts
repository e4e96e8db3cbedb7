import type { TransportError } from '../../errors.js';
import type { Link, LinkHandler } from '../../transports/transport.js';
import type { Framing } from '../../wire/framer.js';

/** Frames for tests of transports: u32 length of the whole, then anything. */
export const framing: Framing = {
  headerLength: 4,
  frameLength: (bytes, offset) => {
    const length = Buffer.from(bytes.buffer, bytes.byteOffset + offset, 4).readUInt32BE();
    if (length < 4 || length > 0x10_0000) throw new RangeError(`a length of ${length}`);
    return length;
  },
};

export function frame(body: string | number): Buffer {
  const bytes = Buffer.alloc(4 + (typeof body === 'number' ? body : Buffer.byteLength(body)), 'x');
  bytes.writeUInt32BE(bytes.length);
  if (typeof body === 'string') bytes.write(body, 4);
  return bytes;
}

/** One end of a link that writes down what it is told. */
export class Probe implements LinkHandler {
  link!: Link;
  readonly events: string[] = [];
  readonly frames: string[] = [];
  reason: TransportError | undefined;
  /** Called on each frame with its text; may do what a user's code does. */
  onFrame: ((text: string) => void) | undefined;
  onDrain: (() => void) | undefined;
  #depth = 0;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** As a user would call the link; a handler that is called meanwhile breaks the contract. */
  call<T>(use: (link: Link) => T): T {
    this.#depth += 1;
    try {
      return use(this.link);
    } finally {
      this.#depth -= 1;
    }
  }

  send(...bodies: (string | number)[]): boolean {
    return bodies.map((body) => this.call((link) => link.send(frame(body)))).at(-1) ?? true;
  }

  reserve(body: string): void {
    const source = frame(body);
    const { bytes, offset } = this.call((link) => link.reserve(source.length));
    source.copy(bytes, offset);
  }

  get count(): number {
    return this.frames.length;
  }

  get isUp(): boolean {
    return this.events.includes('up');
  }

  get isDown(): boolean {
    return this.reason !== undefined;
  }

  up(): void {
    this.#note('up');
  }

  frame(bytes: Buffer, start: number, end: number): void {
    const text = bytes.toString('latin1', start + 4, end);
    this.frames.push(text);
    this.#note('frame');
    this.onFrame?.(text);
  }

  drain(): void {
    this.#note('drain');
    this.onDrain?.();
  }

  down(reason: TransportError): void {
    this.reason = reason;
    this.#note(`down ${reason.code}`);
  }

  #note(event: string): void {
    if (this.#depth > 0) this.events.push(`${event} from inside of a call`);
    if (this.events.some((earlier) => earlier.startsWith('down'))) this.events.push(`${event} after down`);
    if (event !== 'frame') this.events.push(event);
    this.#changed();
  }
}
