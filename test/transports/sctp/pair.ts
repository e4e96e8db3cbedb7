import type { TransportError } from '../../../errors.js';
import type { Random } from '../../../environment.js';
import type { DatagramNetwork, Endpoint } from '../../../transports/network.js';
import type { SctpLink } from '../../../transports/sctp/link.js';
import type { SctpMessage } from '../../../transports/sctp/messages.js';
import { packetChecksum } from '../../../transports/sctp/crc32c.js';
import { createSctpTransport, type SctpTransport } from '../../../transports/sctp/sctp.js';
import type { SctpOptions } from '../../../transports/sctp/settings.js';
import type { ConnectOptions, LinkHandler, Listener, ListenOptions } from '../../../transports/transport.js';
import { World, type WorldHost } from '../../../testing/world.js';
import { framing } from '../probe.js';

/** Looks at a packet that leaves a host. `false`: it is lost. */
export type Filter = (packet: Buffer) => boolean;

/** One end of a link: all messages, those of frames too. */
export class End implements LinkHandler {
  link!: SctpLink;
  readonly messages: SctpMessage[] = [];
  reason: TransportError | undefined;
  isUp = false;
  drains = 0;
  onMessage: ((message: SctpMessage) => void) | undefined;
  up(): void { this.isUp = true; }
  drain(): void { this.drains += 1; }
  frame(): void { throw new Error('tests send under other identifiers'); }
  message(message: SctpMessage): void {
    this.messages.push({ ...message, bytes: Buffer.from(message.bytes) });
    this.onMessage?.(message);
  }
  down(reason: TransportError): void { this.reason = reason; }
  get texts(): string[] { return this.messages.map(({ bytes }) => Buffer.from(bytes).toString('latin1')); }
  send(text: string | number, options: { stream?: number; unordered?: boolean; ppid?: number } = {}): boolean {
    return this.link.send(typeof text === 'number' ? Buffer.alloc(text, 'x') : Buffer.from(text, 'latin1'), { ppid: 99, ...options });
  }
}

export interface PairOptions {
  readonly seed?: number;
  readonly loss?: number;
  readonly jitter?: number;
  readonly latency?: number;
  readonly settings?: SctpOptions;
  readonly clientSettings?: SctpOptions;
  readonly serverSettings?: SctpOptions;
  readonly clientRandom?: Random;
  readonly listen?: Partial<ListenOptions>;
}

/** A client and a server on a simulated network, with filters for what each sends. */
export class Pair {
  readonly world: World;
  readonly hosts: { readonly client: WorldHost; readonly server: WorldHost };
  readonly client: SctpTransport;
  readonly server: SctpTransport;
  readonly accepted: End[] = [];
  /** Packets that went out, of both. */
  readonly sent: { readonly from: 'client' | 'server'; readonly packet: Buffer }[] = [];
  fromClient: Filter = () => true;
  fromServer: Filter = () => true;
  at = '';
  listener!: Listener;
  readonly #options: PairOptions;

  constructor(options: PairOptions = {}) {
    const { seed = 1, loss = 0, jitter = 0, latency = 1 } = options;
    this.#options = options;
    this.world = new World({ seed, loss, jitter, latency });
    this.hosts = { client: this.world.host('client'), server: this.world.host('server') };
    this.client = this.#transport('client', (packet) => this.fromClient(packet), options.clientSettings, options.clientRandom);
    this.server = this.#transport('server', (packet) => this.fromServer(packet), options.serverSettings);
  }

  async listen(port = 7): Promise<this> {
    this.listener = await this.server.listen(`sctp+udp://server:${port}`, (link) => {
      const end = Object.assign(new End(), { link });
      this.accepted.push(end);
      return end;
    }, { framing, ...this.#options.listen });
    this.at = this.listener.address;
    return this;
  }

  connect(options: Partial<ConnectOptions> = {}, at = this.at): End {
    const end = new End();
    end.link = this.client.connect(at, end, { framing, connectTimeout: 10_000, ...options });
    return end;
  }

  async up(options: Partial<ConnectOptions> = {}): Promise<{ client: End; server: End }> {
    if (this.at === '') await this.listen();
    const before = this.accepted.length;
    const client = this.connect(options);
    await this.until(() => client.isUp && this.accepted.length > before);
    return { client, server: this.accepted[before]! };
  }

  async until(condition: () => boolean, within?: number): Promise<number> { return this.world.until(condition, within); }
  async pass(ms: number): Promise<void> { await this.world.advance(ms); }

  /** A socket of another host, for packets that are made by hand. */
  async stranger(name = 'stranger'): Promise<{ readonly received: Buffer[]; readonly from: Endpoint[]; send(packet: Buffer): void; readonly address: string }> {
    const { network, address } = this.world.host(name);
    const received: Buffer[] = [];
    const from: Endpoint[] = [];
    const socket = await network.bind({ host: '0.0.0.0', port: 9899 }, (bytes, source) => {
      received.push(bytes);
      from.push(source);
    });
    return { received, from, address, send: (packet) => { socket.send(packet, { host: 'server', port: 9899 }); } };
  }

  #transport(name: 'client' | 'server', filter: Filter, own: SctpOptions | undefined, random?: Random): SctpTransport {
    const host = this.hosts[name];
    return createSctpTransport({
      datagrams: this.#filtered(host.network, name, filter), clock: host.clock, random: random ?? host.random, logger: host.logger, lookUp: (each) => host.environment.lookUp(each), ...this.#options.settings, ...own,
    });
  }

  #filtered(network: DatagramNetwork, from: 'client' | 'server', filter: Filter): DatagramNetwork {
    return {
      bind: async (at, receive) => {
        const socket = await network.bind(at, receive);
        return {
          local: socket.local,
          send: (bytes, to) => {
            const packet = Buffer.from(bytes);
            this.sent.push({ from, packet });
            if (filter(packet)) socket.send(packet, to);
          },
          join: (group) => { socket.join(group); },
          leave: (group) => { socket.leave(group); },
          close: () => { socket.close(); },
        };
      },
    };
  }
}

/** The types of a packet's chunks. */
export function typesOf(packet: Buffer): number[] {
  const types: number[] = [];
  for (let at = 12; at + 4 <= packet.length; at += (packet.readUInt16BE(at + 2) + 3) & ~3) types.push(packet[at]!);
  return types;
}

/** Loses the first packet with a chunk of that type. */
export function loseFirst(type: number): Filter {
  let isLost = false;
  return (packet) => {
    if (isLost || !typesOf(packet).includes(type)) return true;
    isLost = true;
    return false;
  };
}

export function chunk(type: number, flags: number, body: Buffer, length = 4 + body.length): Buffer {
  const bytes = Buffer.alloc((4 + body.length + 3) & ~3);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(flags, 1);
  bytes.writeUInt16BE(length, 2);
  body.copy(bytes, 4);
  return bytes;
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** With its checksum. */
export function packet(from: number, to: number, tag: number, ...chunks: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(from, 0);
  header.writeUInt16BE(to, 2);
  header.writeUInt32BE(tag >>> 0, 4);
  return sealed(Buffer.concat([header, ...chunks]));
}

export function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(packetChecksum(bytes), 8);
  return bytes;
}

/** INIT with tag 0x11223344, 1 MiB, eight streams each way, first TSN 1. */
export const initBody = (...parameters: readonly Buffer[]): Buffer => Buffer.concat([hex('11223344 00100000 0008 0008 00000001'), ...parameters]);

export const data = (tsn: number, flags: number, body: Buffer, { stream = 0, ssn = 0 } = {}): Buffer =>
  chunk(0, flags, Buffer.concat([u32(tsn), Buffer.from([stream >> 8, stream & 255, ssn >> 8, ssn & 255]), u32(99), body]));

/** The cookie of an INIT ACK, and the tag it wants to be called by. */
export function cookieOf(initAck: Buffer): { readonly tag: number; readonly cookie: Buffer } {
  const tag = initAck.readUInt32BE(16);
  for (let at = 32; at + 4 <= initAck.length;) {
    const length = initAck.readUInt16BE(at + 2);
    if (initAck.readUInt16BE(at) === 7) return { tag, cookie: initAck.subarray(at + 4, at + length) };
    at += (length + 3) & ~3;
  }
  throw new Error('an INIT ACK without a cookie');
}

/** A peer made by hand that has an association with the server. */
export async function handMade(pair: Pair, port = 6000): Promise<{ readonly tag: number; readonly nextTsn: number; send(...chunks: Buffer[]): void; readonly received: Buffer[]; sendPacket(packet: Buffer): void }> {
  if (pair.at === '') await pair.listen();
  const stranger = await pair.stranger(`stranger${port}`);
  stranger.send(packet(port, 7, 0, chunk(1, 0, initBody())));
  await pair.until(() => stranger.received.length > 0);
  const initAck = stranger.received[0]!;
  const { tag, cookie } = cookieOf(initAck);
  stranger.send(packet(port, 7, tag, chunk(10, 0, Buffer.from(cookie))));
  await pair.until(() => stranger.received.length > 1);
  return { tag, nextTsn: initAck.readUInt32BE(28), received: stranger.received, send: (...chunks) => { stranger.send(packet(port, 7, tag, ...chunks)); }, sendPacket: (bytes) => { stranger.send(bytes); } };
}
