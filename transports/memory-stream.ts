import { EventEmitter } from 'node:events';
import type { Milliseconds } from '../environment.js';
import type { MemoryNetwork, NetworkEvent } from './memory.js';
import { LOOPBACK, networkError, type MemoryHost } from './memory-host.js';
import type { ByteSocket, Endpoint } from './network.js';

/** Streams of the simulated network, as the kernels of two hosts and `net.Socket` would have them. */

export function connectStream(world: MemoryNetwork, host: MemoryHost, to: Endpoint): ByteSocket {
  const stream = { number: world.countStream(), port: to.port };
  const socket = new MemorySocket(world, host, stream);
  if (!host.isAlive) return socket;
  const machine = LOOPBACK.has(to.host) ? world.machine(host.name) : world.machine(to.host);
  if (machine === undefined) {
    world.clock.setTimeout(() => host.deliver(() => socket.fail('ENOTFOUND', 'getaddrinfo')), 0);
    return socket;
  }
  const port = host.freePort((candidate) => !host.servers.has(candidate));
  trace(world, host.name, machine.name, stream, 'connect');
  const back = world.path(machine.name, host.name);
  world.path(host.name, machine.name).carry(() => {
    const server = machine.process;
    if (socket.isDestroyed || !machine.isOn || server === undefined) return; // nobody waits, or nobody answers
    const accept = server.servers.get(to.port);
    if (accept === undefined) return void back.carry(() => host.deliver(() => socket.fail('ECONNREFUSED', 'connect')), 0);
    const accepted = new MemorySocket(world, server, stream);
    socket.join(accepted, { local: { host: host.address, port }, remote: { host: machine.address, port: to.port } });
    server.deliver(() => (server.servers.get(to.port) === accept ? accept(accepted) : accepted.resetAndDestroy()));
  }, 0);
  return socket;
}

type Segment = Buffer | 'connect' | 'end' | 'reset';

/** One end of a stream. */
export class MemorySocket extends EventEmitter implements ByteSocket {
  localAddress: string | undefined;
  localPort: number | undefined;
  remoteAddress: string | undefined;
  remotePort: number | undefined;
  writableLength = 0;

  readonly #world: MemoryNetwork;
  readonly #host: MemoryHost;
  #peer: MemorySocket | undefined;
  #state: 'connecting' | 'open' | 'destroyed' = 'connecting';
  // Outgoing: what the kernel has not taken, and what it has and the peer's process has not read.
  #queue: { chunk: Buffer; written: (() => void) | undefined }[] = [];
  #underWay = 0;
  #wantsDrain = false;
  #corkedAt: number | undefined; // length of the queue then
  #isEnding = false;
  #hasEnded = false;
  // Incoming: segments on their way, in order, and those that the kernel holds.
  #arriving: Segment[] = [];
  #lastDue: Milliseconds = 0;
  #received: Segment[] = [];
  #isPaused = false;
  #peerHasEnded = false;
  #isReset = false;

  constructor(world: MemoryNetwork, host: MemoryHost, private readonly stream: TracedStream) {
    super();
    this.#world = world;
    this.#host = host;
    host.sockets.add(this);
  }

  get isDestroyed(): boolean {
    return this.#state === 'destroyed';
  }

  /** Makes this and the accepted socket the two ends of a stream; this one learns of it when the answer has come back. */
  join(accepted: MemorySocket, { local, remote }: { readonly local: Endpoint; readonly remote: Endpoint }): void {
    this.#peer = accepted;
    accepted.#peer = this;
    this.#name(local, remote);
    accepted.#name(remote, local);
    accepted.#state = 'open';
    accepted.#transmit('connect');
  }

  write(chunk: Uint8Array, written?: () => void): boolean {
    if (this.#state === 'destroyed' || this.#isEnding) return false;
    if (this.#isReset) this.#host.clock.defer(() => this.fail('EPIPE', 'write'));
    this.#queue.push({ chunk: Buffer.from(chunk), written });
    this.writableLength += chunk.length;
    this.#pump();
    if (this.writableLength < SOCKET_MARK) return true;
    this.#wantsDrain = true;
    return false;
  }

  cork(): void {
    this.#corkedAt ??= this.#queue.length;
  }

  /** What was gathered goes out as one segment where it can. */
  uncork(): void {
    const gathered = this.#queue.splice(this.#corkedAt ?? this.#queue.length);
    this.#corkedAt = undefined;
    if (gathered.length > 0) {
      const callbacks = gathered.flatMap((item) => item.written ?? []);
      const written = callbacks.length === 0 ? undefined : (): void => callbacks.forEach((call) => call());
      this.#queue.push({ chunk: Buffer.concat(gathered.map((item) => item.chunk)), written });
    }
    this.#pump();
  }

  end(): void {
    if (this.#state === 'destroyed' || this.#isEnding) return;
    this.#isEnding = true;
    this.#pump();
  }

  destroy(): void {
    this.#leave(this.#received.some((segment) => segment instanceof Buffer) ? 'reset' : 'end');
  }

  resetAndDestroy(): void {
    this.#leave('reset');
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#host.clock.defer(() => this.#read());
  }

  /** The system reports an error. */
  fail(code: string, call: string): void {
    if (this.#state === 'destroyed') return;
    this.#state = 'destroyed';
    this.#forget();
    this.emit('error', networkError(code, call));
    this.#host.clock.defer(() => this.emit('close'));
  }

  /** Its process is no more; the kernel says good-bye, or has no power either. */
  abandon(peerSees: 'reset' | 'end' | 'nothing'): void {
    if (peerSees !== 'end') this.#lose();
    if (this.#state === 'open' && peerSees !== 'nothing' && !this.#hasEnded) this.#transmit(peerSees);
    this.#state = 'destroyed';
    this.#forget();
  }

  /** Of what is under way a part never comes: a reset drops it, and so does a machine without power. Where chance splits chunks. */
  #lose(): void {
    const { splits, random } = this.#world;
    const arriving = this.#peer === undefined ? [] : this.#peer.#arriving;
    if (splits && arriving.length > 1) arriving.length = 1 + Math.floor(random.fraction() * arriving.length);
  }

  #name(local: Endpoint, remote: Endpoint): void {
    this.localAddress = local.host;
    this.localPort = local.port;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
  }

  #leave(farewell: 'end' | 'reset'): void {
    if (this.#state === 'destroyed') return;
    if (this.#state === 'open' && !(farewell === 'end' && this.#hasEnded)) this.#transmit(farewell);
    this.#state = 'destroyed';
    this.#forget();
    this.#host.clock.defer(() => this.emit('close'));
  }

  #forget(): void {
    this.#queue = [];
    this.writableLength = 0;
    this.#received = [];
    this.#host.sockets.delete(this);
  }

  // Sending

  /** Hands the kernel what its buffer has room for. */
  #pump(): void {
    if (this.#state !== 'open' || this.#corkedAt !== undefined) return;
    for (let item = this.#queue[0]; item !== undefined && this.#underWay < this.#world.bufferSize; item = this.#queue[0]) {
      const length = this.#cut(Math.min(item.chunk.length, this.#world.bufferSize - this.#underWay));
      this.#underWay += length;
      this.writableLength -= length;
      this.#transmit(item.chunk.subarray(0, length));
      if (length === item.chunk.length) this.#taken();
      else item.chunk = item.chunk.subarray(length);
    }
    if (this.#queue.length > 0) return;
    if (this.#wantsDrain) this.#host.clock.defer(() => this.#drain());
    if (!this.#isEnding || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#transmit('end');
    this.#closeWhenOver();
  }

  #taken(): void {
    const written = this.#queue.shift()?.written;
    if (written !== undefined) this.#host.clock.defer(written);
  }

  #drain(): void {
    if (!this.#wantsDrain || this.#queue.length > 0 || this.#state === 'destroyed') return;
    this.#wantsDrain = false;
    this.emit('drain');
  }

  #cut(length: number): number {
    const { splits, random } = this.#world;
    if (!splits || length < 2 || random.fraction() < 0.3) return length;
    return 1 + Math.floor(random.fraction() * (random.fraction() < 0.5 ? Math.min(length, 8) : length));
  }

  #transmit(segment: Segment): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    if (typeof segment !== 'string') trace(this.#world, this.#host.name, peer.#host.name, this.stream, 'bytes', segment);
    else if (segment !== 'connect') trace(this.#world, this.#host.name, peer.#host.name, this.stream, segment);
    peer.#arriving.push(segment);
    peer.#lastDue = this.#world.path(this.#host.name, peer.#host.name).carry(() => peer.#arrive(), peer.#lastDue);
  }

  // Receiving

  /** The kernel has the next segment. */
  #arrive(): void {
    const segment = this.#arriving.shift();
    if (segment === undefined || this.#world.machine(this.#host.name)?.isOn !== true) return;
    if (this.#state === 'destroyed') {
      if (segment instanceof Buffer || segment === 'connect') this.#transmit('reset');
      return;
    }
    if (segment === 'reset') this.#isReset = true;
    this.#received.push(segment);
    if (this.#received.length === 1) this.#host.deliver(() => this.#read());
  }

  #read(): void {
    while (!this.#isPaused && this.#received.length > 0) {
      const segment = this.#next();
      if (segment instanceof Buffer) this.#readBytes(segment);
      else if (segment === 'connect') this.#connected();
      else if (segment === 'end') this.#peerEnded();
      else this.fail('ECONNRESET', 'read');
    }
  }

  /** Joins what has come meanwhile, as a read would. */
  #next(): Segment | undefined {
    const first = this.#received.shift();
    const { splits, random } = this.#world;
    if (!splits || !(first instanceof Buffer)) return first;
    const parts = [first];
    for (let next = this.#received[0]; next instanceof Buffer && random.fraction() < 0.7; next = this.#received[0]) {
      parts.push(next);
      this.#received.shift();
    }
    return parts.length === 1 ? first : Buffer.concat(parts);
  }

  #readBytes(bytes: Buffer): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    if (peer.#queue.length === 0) peer.#underWay -= bytes.length; // nobody waits for the room
    else this.#world.path(this.#host.name, peer.#host.name).carry(() => peer.#hasRoom(bytes.length), 0);
    this.emit('data', bytes);
    if (this.#world.spoils) bytes.fill(SPOILT);
  }

  #hasRoom(length: number): void {
    this.#underWay -= length;
    this.#host.deliver(() => this.#pump());
  }

  #connected(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.emit('connect');
    this.#pump();
  }

  #peerEnded(): void {
    this.#peerHasEnded = true;
    this.emit('end');
    this.end();
    this.#closeWhenOver();
  }

  #closeWhenOver(): void {
    if (!this.#peerHasEnded || !this.#hasEnded || this.#state === 'destroyed') return;
    this.#state = 'destroyed';
    this.#forget();
    this.#host.clock.defer(() => this.emit('close'));
  }
}

const SOCKET_MARK = 0x4000;
const SPOILT = 0xdd;

type TracedStream = NonNullable<NetworkEvent['stream']>;

function trace(world: MemoryNetwork, from: string, to: string, stream: TracedStream, kind: NetworkEvent['kind'], bytes?: Uint8Array): void {
  world.trace?.({ at: world.clock.now(), from, to, kind, stream, ...(bytes !== undefined && { bytes: Buffer.from(bytes) }) });
}
