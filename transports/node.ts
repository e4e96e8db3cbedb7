import { randomBytes, randomFillSync } from 'node:crypto';
import { createSocket, type Socket as UdpSocket, type SocketOptions } from 'node:dgram';
import { lookup } from 'node:dns';
import { connect, createServer, isIP, isIPv6, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Clock, Milliseconds, Random } from '../environment.js';
import { isGroup, type ByteServer, type ByteSocket, type DatagramBinding, type DatagramNetwork, type DatagramSocket, type Endpoint, type Network } from './network.js';

/** The world as Node.js has it: time, randomness, `node:net` and `node:dgram`. */

/** Its timers keep the process alive: a procedure between two attempts (a hunt that backs off) has no socket that would. What is closed clears its own. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  setTimeout: (expire, delay) => setTimeout(expire, Math.min(delay, LONGEST_DELAY)),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  defer: (task) => void setImmediate(task),
};

export const nodeTimeOfDay = (): Milliseconds => Date.now();

export const nodeRandom: Random = {
  fraction: () => Math.random(),
  u32: () => nextWord(),
  bytes: (length) => randomBytes(length),
};

export const nodeNetwork: Network = {
  connect: ({ host, port }) => connect({ host, port, noDelay: true }),
  listen,
};

export const nodeDatagrams: DatagramNetwork = { bind };

const LONGEST_DELAY = 0x7fff_ffff; // a longer one would expire at once

const words = new Uint32Array(256);
let wordsUsed = words.length;

function nextWord(): number {
  if (wordsUsed === words.length) {
    randomFillSync(words);
    wordsUsed = 0;
  }
  const word = words[wordsUsed] ?? 0;
  wordsUsed += 1;
  return word;
}

function listen({ host, port }: Endpoint, accept: (socket: ByteSocket) => void): Promise<ByteServer> {
  const server = createServer({ noDelay: true }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // one accept that failed; those to come are not concerned
      resolve({ port: (server.address() as AddressInfo).port, close: () => close(server) });
    });
  });
}

const BACKLOG = 4096; // a PE that fails sends all its pool users at once; the system may cut it

/** The port is free at the next turn; the server's own callback would wait for the last stream. */
const close = (server: Server): Promise<void> => {
  server.close();
  return new Promise((resolve) => void setImmediate(resolve));
};

function bind(at: DatagramBinding, receive: (bytes: Buffer, from: Endpoint) => void): Promise<DatagramSocket> {
  const socket = createSocket({ type: isIPv6(at.host) ? 'udp6' : 'udp4', reuseAddr: at.shared === true, lookup: lookUpNames });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', fail);
    socket.on('message', (bytes, { address, port }) => { receive(bytes, { host: address, port }); });
    socket.bind({ address: addressToBind(at.host), port: at.port, exclusive: at.shared !== true }, () => {
      try {
        if (at.interface !== undefined) socket.setMulticastInterface(at.interface);
        if (at.ttl !== undefined) socket.setMulticastTTL(at.ttl);
      } catch (error) {
        return fail(error as Error);
      }
      socket.off('error', fail);
      socket.on('error', () => undefined); // one datagram, not the socket
      resolve(new NodeDatagramSocket(socket, at));
    });
  });
}

/** An address is its own: a datagram to one leaves within the call, without a turn of the loop for the resolver. */
const lookUpNames: NonNullable<SocketOptions['lookup']> = (host, options, found) => {
  const family = isIP(host);
  if (family === 0) lookup(host, options, found);
  else found(null, host, family);
};

/** The address of ours by which this machine would send to that one. Nothing is sent. */
export function nodeRoute(peer: string): Promise<string> {
  const socket = createSocket({ type: isIPv6(peer) ? 'udp6' : 'udp4', lookup: lookUpNames });
  return new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(9, peer, () => { resolve(socket.address().address); });
  }).finally(() => { socket.close(); });
}

/** This machine's addresses; without those of one link only, which mean nothing without its name. */
export const nodeAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).filter(({ scopeid }) => (scopeid ?? 0) === 0).map(({ address }) => address));

/** Linux takes a group's address and keeps what is sent to other groups at the same port away; elsewhere sending from such a socket fails. */
const addressToBind = (host: string): string => (!isGroup(host) || process.platform === 'linux' ? host : isIPv6(host) ? '::' : '0.0.0.0');

class NodeDatagramSocket implements DatagramSocket {
  readonly local: Endpoint;
  readonly #socket: UdpSocket;
  readonly #interface: string | undefined;
  #isOpen = true;

  constructor(socket: UdpSocket, at: DatagramBinding) {
    const { address, port } = socket.address();
    this.local = { host: address, port };
    this.#socket = socket;
    this.#interface = at.interface;
  }

  send(bytes: Uint8Array, { host, port }: Endpoint): void {
    if (this.#isOpen) this.#socket.send(Buffer.from(bytes), port, host); // a copy: it may be sent after this turn
  }

  join(group: string): void {
    this.#socket.addMembership(group, this.#interface);
  }

  leave(group: string): void {
    try {
      if (this.#isOpen) this.#socket.dropMembership(group, this.#interface);
    } catch { /* it was no member, or the interface has gone */ }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }
}
