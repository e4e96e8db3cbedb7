import { createRequire } from 'node:module';
import { isIPv6 } from 'node:net';
import { FeatureUnavailableError } from '../../errors.js';
import type { DatagramNetwork, DatagramSocket } from '../network.js';
import { createSctpTransport, type SctpTransport, type SctpTransportOptions } from './sctp.js';

/** SCTP directly over IP (`sctp://`), where the optional package `raw-socket` is installed and the process may open raw sockets. Elsewhere, and wherever the
 *  kernel speaks SCTP itself (it would answer our peers, too), `sctp+udp://` is the way. */

/** What we use of npm `raw-socket`. */
interface RawSockets {
  createSocket(options: { addressFamily: number; protocol: number }): RawSocket;
  readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
}

interface RawSocket {
  on(event: 'message', listener: (bytes: Buffer, source: string) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  send(bytes: Buffer, offset: number, length: number, to: string, done: (error?: Error) => void): void;
  close(): void;
}

export type Load = (id: string) => unknown;

/** @throws FeatureUnavailableError at the first `connect` or `listen` where raw sockets are not to be had. */
export function createRawSctpTransport(options: Omit<SctpTransportOptions, 'datagrams' | 'scheme'>, load: Load = createRequire(import.meta.url)): SctpTransport {
  return createSctpTransport({ ...options, scheme: 'sctp', datagrams: rawDatagrams(load), prepare: () => { loadRawSockets(load); } });
}

/** IP protocol 132 as a network of datagrams; there are no UDP ports. */
export function rawDatagrams(load: Load): DatagramNetwork {
  return {
    bind: async ({ host }, receive) => {
      const family = isIPv6(host);
      const socket = open(load, family);
      socket.on('error', () => undefined); // one packet, not the socket
      socket.on('message', (bytes, source) => {
        const packet = family ? bytes : withoutHeader(bytes, host);
        if (packet !== undefined) receive(packet, { host: source, port: 0 });
      });
      return Promise.resolve(adapt(socket, host));
    },
  };
}

function adapt(socket: RawSocket, host: string): DatagramSocket {
  let isOpen = true;
  return {
    local: { host, port: 0 },
    send: (bytes, to) => { if (isOpen) socket.send(Buffer.from(bytes), 0, bytes.length, to.host, () => undefined); },
    join: () => { throw new Error('SCTP has no groups'); },
    leave: () => undefined,
    close: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
}

/** Of IPv4 the header comes, too; with it whose packet it is. */
function withoutHeader(bytes: Buffer, host: string): Buffer | undefined {
  if (bytes.length < 20) return undefined;
  if (host !== '0.0.0.0' && [...bytes.subarray(16, 20)].join('.') !== host) return undefined;
  return bytes.subarray((bytes[0]! & 0x0f) * 4);
}

function open(load: Load, family: boolean): RawSocket {
  const sockets = loadRawSockets(load);
  try {
    return sockets.createSocket({ addressFamily: family ? sockets.AddressFamily.IPv6 : sockets.AddressFamily.IPv4, protocol: 132 });
  } catch (error) {
    throw new FeatureUnavailableError('the transport sctp (raw IP)', 'the rights of this process: give it CAP_NET_RAW, or use sctp+udp://', { cause: error });
  }
}

function loadRawSockets(load: Load): RawSockets {
  try {
    return load('raw-socket') as RawSockets;
  } catch (error) {
    throw new FeatureUnavailableError('the transport sctp (raw IP)', 'this installation: npm install raw-socket@1.8, or use sctp+udp://', { cause: error });
  }
}
