import type { Logger } from '../../../environment.js';
import { TransportError } from '../../../errors.js';
import { SCTP_DEFAULTS } from '../../../transports/sctp/settings.js';
import { Stack, type StackWorld } from '../../../transports/sctp/stack.js';
import { loadPackage } from '../../../transports/sctp/package.js';
import { BEGIN, END, UNORDERED } from '../../../transports/sctp/chunks.js';
import type { Association, AssociationOwner } from '../../../transports/sctp/association.js';
import type { SctpMessage } from '../../../transports/sctp/messages.js';
import type { ByteSocket, DatagramNetwork, Endpoint, Network } from '../../../transports/network.js';
import { framing } from '../probe.js';

type World = Pick<StackWorld, 'clock' | 'random'> & { readonly logger: Logger };

/** Peers that speak bytes, over SCTP: the beginning of a frame that is written is the beginning of a message, in fragments as they are written; what can be no
 *  frame is a message of its own. */
export function rawNetwork(world: World, datagrams: DatagramNetwork, resolve: (host: string) => string, peerUdpPort: number = SCTP_DEFAULTS.peerUdpPort): Network {
  return {
    connect: (to) => {
      const socket = new RawSocket();
      void socket.start(world, datagrams, { host: resolve(to.host), port: peerUdpPort }, to.port);
      return socket;
    },
    listen: () => Promise.reject(new Error('raw peers only connect')),
  };
}

class RawSocket implements ByteSocket, AssociationOwner {
  readonly writableLength = 0;
  #association: Association | undefined;
  #stack: Stack | undefined;
  readonly #listeners = new Map<string, (argument: never) => void>();
  readonly #pieces = new WeakMap<SctpMessage, { readonly begins: boolean; readonly ends: boolean; readonly frame: number }>();
  readonly #inbox: SctpMessage[] = [];
  #isPaused = false;
  #begun: number[] = []; // bytes of the frame that is being written
  #frames = 0;

  async start({ clock, random, logger }: World, datagrams: DatagramNetwork, to: Endpoint, port: number): Promise<void> {
    const held: { stack?: Stack } = {};
    const socket = await datagrams.bind({ host: '0.0.0.0', port: 0 }, (bytes, from) => held.stack?.receive(bytes, from));
    const stack = new Stack({ clock, random, logger: () => logger, scheme: 'sctp+udp', settings: SCTP_DEFAULTS, chunks: loadPackage() }, socket, 28, () => { stack.close(); });
    held.stack = this.#stack = stack;
    const association = stack.connect(0, port, to, this);
    this.#association = association;
    const { sender } = association;
    const next = sender.next.bind(sender);
    sender.next = (...args) => {
      const fragment = next(...args);
      const piece = fragment && this.#pieces.get(fragment.message);
      if (fragment === undefined || piece === undefined) return fragment;
      const flags = (fragment.flags & UNORDERED) | (piece.begins && fragment.start === 0 ? BEGIN : 0) | (piece.ends && fragment.end === fragment.message.bytes.length ? END : 0);
      return Object.assign(fragment, { flags, ssn: piece.frame & 0xffff });
    };
    association.connect();
  }

  write(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) at += this.#writePiece(chunk.subarray(at));
    return true;
  }

  #writePiece(rest: Uint8Array): number {
    const begins = this.#begun.length === 0;
    const header = [...this.#begun, ...rest.subarray(0, Math.max(0, 4 - this.#begun.length))];
    const length = header.length < 4 ? Infinity : lengthOf(Buffer.from(header)) ?? this.#begun.length + rest.length;
    const taken = Math.min(rest.length, length - this.#begun.length);
    const ends = this.#begun.length + taken === length;
    const message = { bytes: Buffer.from(rest.subarray(0, taken)), ppid: 11, stream: 0, unordered: false };
    this.#pieces.set(message, { begins, ends, frame: this.#frames });
    this.#begun = ends ? [] : [...this.#begun, ...rest.subarray(0, taken)];
    if (ends) this.#frames += 1;
    this.#association?.send(message);
    return taken;
  }

  end(): void { this.#association?.shutdown(); }
  destroy(): void {
    this.#association?.end(new TransportError('LINK_CLOSED', 'destroyed')); // with its timers
    this.#stack?.close();
  }
  resetAndDestroy(): void { this.destroy(); }
  cork(): void { /* written at the end of the turn anyway */ }
  uncork(): void { /* so is this */ }
  pause(): void { this.#isPaused = true; }
  resume(): void {
    this.#isPaused = false;
    this.packetEnd();
  }

  on(event: string, listener: (argument: never) => void): this {
    this.#listeners.set(event, listener);
    return this;
  }

  established(): void { this.#tell('connect'); }
  message(message: SctpMessage): void { this.#inbox.push(message); }
  packetEnd(): void {
    while (!this.#isPaused && this.#inbox.length > 0) {
      const message = this.#inbox.shift()!;
      this.#association?.read(message);
      this.#tell('data', message.bytes);
    }
  }
  beforeFlush(): void { /* nothing to add */ }
  relieved(): void { this.#tell('drain'); }
  ended(): void { this.#tell('close'); }

  #tell(event: string, argument?: unknown): void { this.#listeners.get(event)?.(argument as never); }
}

const lengthOf = (header: Buffer): number | undefined => {
  try {
    return framing.frameLength(header, 0);
  } catch {
    return undefined;
  }
};
