import type { Milliseconds } from '../../environment.js';
import { MemoryNetwork, Path, type MemoryNetworkOptions, type NetworkEvent } from '../../transports/memory.js';
import type { MemoryHost } from '../../transports/memory-host.js';
import type { ByteSocket } from '../../transports/network.js';

/** One direction of one stream: what was written to it and has not come. */
export interface Stream {
  /** Its place in the order in which streams began. */
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly waiting: Segment[];
  /** What has come, in short. */
  past: number;
  /** Its end has come, or there is nobody any more at one of its ends. */
  isOver: boolean;
  lastSent: Milliseconds;
  lastMoved: Milliseconds;
}

interface Segment {
  readonly what: string;
  readonly arrive: () => void;
}

export interface Steering {
  /** Where a frame ends that begins at `offset`. */
  readonly frameLength: (bytes: Uint8Array, offset: number) => number;
  /** A frame in words: equal where what it does is equal. With ~ in front: it leaves nothing behind but the time at which it came. */
  readonly describe: (frame: Uint8Array) => string;
  /** What is not steered arrives at once. */
  readonly isSteered?: (from: string, to: string) => boolean;
}

/** A network on which nothing arrives by itself: whoever searches says what comes next. Streams are independent of each other, and each frame is a
 *  segment of its own, so that anything may happen between any two. Datagrams are lost. */
export class SteeredNetwork extends MemoryNetwork {
  readonly streams: Stream[] = [];
  /** Counts what was put on its way, heartbeats apart. */
  sent = 0;
  readonly #steering: Steering;
  readonly #steered = new Map<string, Path>();
  readonly #split = new Set<MemoryHost>();
  /** What the segment is that is put on its way next. */
  readonly #next: { event: NetworkEvent | undefined };

  constructor(options: MemoryNetworkOptions, steering: Steering) {
    const next: { event: NetworkEvent | undefined } = { event: undefined };
    super({ ...options, latency: 0, trace: (event) => { if (steering.isSteered?.(event.from, event.to) !== false) next.event = event; } });
    this.#next = next;
    this.#steering = steering;
  }

  override path(from: string, to: string): Path {
    if (from === to || this.#steering.isSteered?.(from, to) === false) return super.path(from, to);
    const key = `${from}>${to}`;
    let path = this.#steered.get(key);
    if (path === undefined) {
      path = new SteeredPath(this, from, to);
      this.#steered.set(key, path);
    }
    return path;
  }

  override host(name: string): MemoryHost {
    const host = super.host(name);
    if (!this.#split.has(host)) this.#splitWrites(host);
    return host;
  }

  /** Streams on which something is under way, the oldest first. */
  moving(): Stream[] { return this.streams.filter(({ waiting }) => waiting.length > 0); }

  deliver(stream: Stream, count: number): void {
    for (const { what, arrive } of stream.waiting.splice(0, count)) {
      stream.past = digest(stream.past, what);
      stream.lastMoved = this.clock.now();
      if (what === 'end' || what === 'reset' || what === 'connect') stream.isOver = true;
      arrive();
    }
  }

  /** Heartbeats with nothing before them come by themselves. @returns whether there were any. */
  beat(): boolean {
    const beating = this.streams.filter(({ waiting }) => waiting[0]?.what.startsWith('~') === true);
    for (const stream of beating) this.deliver(stream, 1);
    return beating.length > 0;
  }

  /** A segment of the stream that `carry` answered with `number`; 0 begins one. @returns its number. */
  put(from: string, to: string, number: number, arrive: () => void): number {
    const now = this.clock.now();
    let stream = this.streams[number - 1];
    if (stream === undefined) {
      stream = { number: this.streams.length + 1, from, to, waiting: [], past: 0, isOver: false, lastSent: now, lastMoved: now };
      this.streams.push(stream);
    }
    const what = this.#describe();
    stream.waiting.push({ what, arrive });
    stream.lastSent = now;
    if (!what.startsWith('~')) this.sent += 1;
    return stream.number;
  }

  /** The same for equal states at different times. */
  fingerprint(): string {
    const now = this.clock.now();
    return this.streams.filter(({ isOver, waiting }) => !isOver || waiting.length > 0).map(({ from, to, past, waiting, lastSent, lastMoved }) =>
      `${from}>${to} ${past} ${round(now - lastSent)} ${round(now - lastMoved)} [${waiting.map(({ what }) => what).join(' ')}]`).join('\n');
  }

  #describe(): string {
    const { event } = this.#next;
    this.#next.event = undefined;
    if (event === undefined) return 'accept';
    return event.bytes === undefined ? event.kind : this.#steering.describe(event.bytes);
  }

  /** Each frame is written alone. */
  #splitWrites(host: MemoryHost): void {
    this.#split.add(host);
    const { network } = host;
    const connect = network.connect.bind(network);
    const listen = network.listen.bind(network);
    network.connect = (to) => this.#splitting(connect(to));
    network.listen = (at, accept) => listen(at, (socket) => { accept(this.#splitting(socket)); });
  }

  #splitting(socket: ByteSocket): ByteSocket {
    const write = socket.write.bind(socket);
    socket.cork = socket.uncork = () => undefined;
    socket.write = (chunk, written) => {
      let wrote = true;
      for (let at = 0, length = 0; at < chunk.length; at += length) {
        length = Math.min(this.#steering.frameLength(chunk, at), chunk.length - at);
        wrote = write(chunk.subarray(at, at + length), at + length === chunk.length ? written : undefined);
      }
      return wrote;
    };
    return socket;
  }
}

class SteeredPath extends Path {
  readonly #steered: SteeredNetwork;

  constructor(network: SteeredNetwork, readonly from: string, readonly to: string) {
    super(network, { from, to }, { latency: 0, jitter: 0, loss: 0, duplication: 0 });
    this.#steered = network;
  }

  /** A stream is known by what its last segment was answered with. */
  override carry(arrive: () => void, notBefore: Milliseconds): Milliseconds { return this.#steered.put(this.from, this.to, notBefore, arrive); }

  override throw(): void { /* lost */ }
}

/** Order matters, heartbeats do not. */
function digest(past: number, what: string): number {
  if (what.startsWith('~')) return past;
  let hash = past;
  for (let index = 0; index < what.length; index += 1) hash = Math.imul(hash ^ what.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

const round = (span: Milliseconds): number => Math.round(span * 1000) / 1000;
