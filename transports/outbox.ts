import type { ByteSocket } from './network.js';

/** What one turn of the event loop has to send on one stream: small frames side by side in a buffer, large ones by reference. */
export class Outbox {
  /** Bytes that no flush has taken. */
  bytes = 0;

  readonly #pool: BufferPool;
  readonly #room: { bytes: Buffer; offset: number } = { bytes: NOTHING, offset: 0 };
  #chunks: Uint8Array[] = []; // whole; buffer[start, used) comes behind them
  #buffer: Buffer = NOTHING;
  #start = 0;
  #used = 0;
  #lastTurn = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Room for `length` bytes; the object is the same at each call. */
  reserve(length: number): { readonly bytes: Buffer; readonly offset: number } {
    if (this.#used + length > this.#buffer.length) this.#makeRoom(length);
    this.#room.offset = this.#used;
    this.#used += length;
    this.bytes += length;
    return this.#room;
  }

  append(frame: Uint8Array): void {
    this.#seal();
    this.#chunks.push(frame);
    this.bytes += frame.length;
  }

  /** Gives all to the socket in one write. */
  flush(socket: ByteSocket, written: (() => void) | undefined): void {
    this.#lastTurn = this.bytes;
    this.bytes = 0;
    if (this.#chunks.length > 0) return this.#flushAll(socket, written);
    const chunk = this.#buffer.subarray(this.#start, this.#used);
    this.#start = this.#used;
    socket.write(chunk, written);
  }

  /** The network has taken all: the buffer may serve another. */
  rest(): void {
    if (this.#buffer.length === 0 || this.#start !== this.#used) return;
    this.#pool.giveBack(this.#buffer);
    this.clear();
  }

  clear(): void {
    this.bytes = this.#start = this.#used = 0;
    this.#buffer = this.#room.bytes = NOTHING;
    this.#chunks = [];
  }

  #flushAll(socket: ByteSocket, written: (() => void) | undefined): void {
    this.#seal();
    const chunks = this.#chunks;
    const last = chunks.length - 1;
    this.#chunks = [];
    socket.cork();
    chunks.forEach((chunk, index) => socket.write(chunk, index === last ? written : undefined));
    socket.uncork();
  }

  /** Makes what was put into the buffer since the last time a chunk. */
  #seal(): void {
    if (this.#used === this.#start) return;
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#used));
    this.#start = this.#used;
  }

  #makeRoom(length: number): void {
    this.#seal();
    const isBusy = this.#buffer.length > 0 || this.#lastTurn > SMALL_BUFFER / 2;
    this.#buffer = this.#pool.take(length, isBusy);
    this.#start = this.#used = 0;
    this.#room.bytes = this.#buffer;
  }
}

/** Outgoing buffers of two sizes, lent for the turns in which there is something to send: a link at rest holds none. */
export class BufferPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  take(length: number, isBusy: boolean): Buffer {
    if (length > LARGE_BUFFER) return Buffer.allocUnsafeSlow(length);
    return isBusy || length > SMALL_BUFFER
      ? (this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER))
      : (this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BUFFER));
  }

  giveBack(buffer: Buffer): void {
    const shelf = buffer.length === LARGE_BUFFER ? this.#large : buffer.length === SMALL_BUFFER ? this.#small : undefined;
    if (shelf !== undefined && shelf.length < KEPT) shelf.push(buffer);
  }
}

const NOTHING = Buffer.alloc(0);
const SMALL_BUFFER = 0x1000;
const LARGE_BUFFER = 0x1_0000;
const KEPT = 64;
