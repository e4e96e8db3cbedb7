import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { nodeClock } from '../../../transports/node.js';
import { Lines } from '../../support/lines.js';

/** The host's end of guest/agent.pl: one TCP connection a command. Port 7777 is in no capture (capture.ts records SCTP and UDP). */
export const AGENT_PORT = 7777;
const HEADER = 5; // type, length
const PATIENCE = 20_000;

/** A command that runs in a guest. */
export class Job {
  /** Its exit status (128 + a signal's number); undefined where the guest went away with it. */
  readonly ended: Promise<number | undefined>;
  /** The process group, once it runs. */
  readonly group: Promise<number>;
  readonly #socket: Socket;
  readonly #out = new Lines();
  readonly #err = new Lines();
  readonly #streams = { o: new PassThrough(), e: new PassThrough() };
  #received = Buffer.alloc(0);
  #status: number | undefined;
  #started: (group: number) => void = () => undefined;

  constructor(host: string, readonly command: string) {
    const text = Buffer.from(command);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.#out.read(this.#streams.o);
    this.#err.read(this.#streams.e);
    this.group = new Promise((resolve) => { this.#started = resolve; });
    this.#socket = connect({ host, port: AGENT_PORT, noDelay: true });
    this.#socket.on('error', () => undefined); // `close` follows
    this.#socket.on('data', (bytes) => { this.#receive(bytes); });
    this.#socket.write(Buffer.concat([length, text]));
    this.ended = this.#end();
  }

  /** Everything it wrote: standard output, then standard error. */
  get said(): readonly string[] { return [...this.#out.all, ...this.#err.all]; }
  get lines(): readonly string[] { return this.#out.all; }
  get errors(): readonly string[] { return this.#err.all; }

  /** The next line of its standard output that matches, behind the one that was found last. Rejects when it ends before, and after `patience` ms. */
  async out(pattern: RegExp, patience = PATIENCE): Promise<RegExpExecArray> { return this.#patiently(this.#out.next(pattern), pattern, patience); }
  /** Likewise of its standard error, where RSPLIB's programs write their logs. */
  async err(pattern: RegExp, patience = PATIENCE): Promise<RegExpExecArray> { return this.#patiently(this.#err.next(pattern), pattern, patience); }

  say(line: string): void { this.#send(Buffer.from(`${line}\n`)); }
  /** No more input for it. */
  hangUp(): void { this.#send(Buffer.alloc(0)); }
  /** The agent ends what nobody listens to any more: SIGTERM, after 2 s SIGKILL. */
  abandon(): void { this.#socket.destroy(); }

  async #patiently(line: Promise<RegExpExecArray>, pattern: RegExp, patience: number): Promise<RegExpExecArray> {
    let timer: unknown;
    const expired = new Promise<never>((_, reject) => {
      timer = nodeClock.setTimeout(() => { reject(new Error(`${this.command} did not say ${String(pattern)} within ${patience} ms, but:\n${this.said.slice(-40).join('\n')}`)); }, patience);
    });
    return Promise.race([line, expired]).finally(() => { nodeClock.clearTimeout(timer); });
  }

  #send(data: Buffer): void {
    const header = Buffer.alloc(HEADER);
    header.write('i');
    header.writeUInt32BE(data.length, 1);
    this.#socket.write(Buffer.concat([header, data]));
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= HEADER && this.#received.length >= HEADER + this.#received.readUInt32BE(1)) {
      const end = HEADER + this.#received.readUInt32BE(1);
      this.#take(this.#received.toString('latin1', 0, 1), this.#received.subarray(HEADER, end));
      this.#received = this.#received.subarray(end);
    }
  }

  #take(type: string, data: Buffer): void {
    if (type === 'o' || type === 'e') this.#streams[type].write(data);
    else if (type === 'p') this.#started(Number(data));
    else if (type === 'x') this.#status = Number(data);
  }

  async #end(): Promise<number | undefined> {
    await once(this.#socket, 'close');
    await Promise.all([this.#streams.o, this.#streams.e].map(async (stream) => once(stream.end(), 'end').catch(() => undefined)));
    for (const lines of [this.#out, this.#err]) lines.end(() => new Error(`${this.command} ended (${String(this.#status)}); it said:\n${this.said.join('\n')}`));
    return this.#status;
  }
}
