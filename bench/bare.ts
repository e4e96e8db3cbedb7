import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** The opponent: request and reply on `node:net` as one would write them for speed. A frame is its length and an id, both u32, and the payload;
 *  what a turn of the event loop has to say goes out in one write from a buffer that is used again; a request's callback is found by its id. */

const HEADER = 8;
const SIZE = 0x4_0000; // more than a turn ever has to say here
const free: Buffer[] = [];

class Outgoing {
  #buffer: Buffer = Buffer.alloc(0);
  #used = SIZE;
  readonly #socket: Socket;

  constructor(socket: Socket) { this.#socket = socket; }

  frame(id: number, payload: Uint8Array): void {
    const length = HEADER + payload.length;
    if (this.#used + length > SIZE) this.#begin();
    const buffer = this.#buffer;
    buffer.writeUInt32BE(length, this.#used);
    buffer.writeUInt32BE(id, this.#used + 4);
    buffer.set(payload, this.#used + HEADER);
    this.#used += length;
  }

  #begin(): void {
    this.#flush();
    this.#buffer = free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
    this.#used = 0;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#used === SIZE || this.#used === 0) return;
    const buffer = this.#buffer;
    this.#socket.write(buffer.subarray(0, this.#used), () => { free.push(buffer); });
    this.#used = SIZE;
  };
}

function eachFrame(socket: Socket, handle: (id: number, payload: Buffer) => void): void {
  let rest: Buffer | undefined;
  socket.on('data', (read: Buffer) => {
    const chunk = rest ? Buffer.concat([rest, read]) : read;
    let at = 0;
    while (chunk.length - at >= HEADER) {
      const end = at + chunk.readUInt32BE(at);
      if (end > chunk.length) break;
      handle(chunk.readUInt32BE(at + 4), chunk.subarray(at + HEADER, end));
      at = end;
    }
    rest = at < chunk.length ? chunk.subarray(at) : undefined;
  });
  socket.on('error', () => undefined);
}

/** Answers each request by `answer` of its payload. @returns the port. */
export function bareServer(answer: (payload: Buffer) => Uint8Array): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    const outgoing = new Outgoing(socket);
    eachFrame(socket, (id, payload) => { outgoing.frame(id, answer(payload)); });
  });
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => { resolve((server.address() as AddressInfo).port); });
  });
}

export class BareClient {
  readonly #socket: Socket;
  readonly #pending = new Map<number, (payload: Buffer) => void>();
  readonly #outgoing: Outgoing;
  #nextId = 0;

  /** @param lost it ended, and not by `close`. */
  constructor(port: number, lost: () => void = () => undefined) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#outgoing = new Outgoing(this.#socket);
    this.#socket.once('close', lost);
    eachFrame(this.#socket, (id, payload) => {
      const replied = this.#pending.get(id);
      this.#pending.delete(id);
      replied?.(payload);
    });
  }

  request(payload: Uint8Array, replied: (payload: Buffer) => void): void {
    const id = this.#nextId++;
    this.#pending.set(id, replied);
    this.#outgoing.frame(id, payload);
  }

  /** Gives the connection up, which `lost` is told. */
  abandon(): void { this.#socket.destroy(); }
  close(): void { this.#socket.removeAllListeners('close').destroy(); }
}
