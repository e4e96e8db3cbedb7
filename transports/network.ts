/** What our transports need of a network: the part of `node:net` that a simulated network can give too (node.ts, memory.ts). */

/** A stream of bytes to one peer, without Nagle's delay. `net.Socket` is one. */
export interface ByteSocket {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Bytes written that the network has not taken; the bytes of a write belong to the socket until they are. */
  readonly writableLength: number;
  /** @returns false when the socket would rather have no more until `drain`. `written` is called when the network has taken the chunk. */
  write(chunk: Uint8Array, written?: () => void): boolean;
  /** Between cork and uncork writes are gathered into one. */
  cork(): void;
  uncork(): void;
  /** Writes what is queued, then says that no more will come; the peer sees `end`. */
  end(): void;
  /** Lets go of the socket: nothing more is read or written; `close` follows. */
  destroy(): void;
  /** The same, and the peer sees an error (ECONNRESET) instead of `end`. */
  resetAndDestroy(): void;
  pause(): void;
  resume(): void;
  on(event: 'connect' | 'drain' | 'end' | 'close', listener: () => void): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  /** `code` is the system's: ECONNREFUSED, ECONNRESET ... */
  on(event: 'error', listener: (error: NetworkError) => void): unknown;
}

export interface NetworkError extends Error {
  readonly code?: string | undefined;
}

export interface ByteServer {
  readonly port: number;
  /** Accepts no more and frees the port; streams that are up stay. */
  close(): Promise<void>;
}

export interface Endpoint {
  /** A name, or an IPv4 or IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export interface Network {
  /** Names are resolved at each call. Failures come as `error`, then `close`. */
  connect(to: Endpoint): ByteSocket;
  /** Port 0 gives a free one. Rejects with a NetworkError (EADDRINUSE ...). */
  listen(at: Endpoint, accept: (socket: ByteSocket) => void): Promise<ByteServer>;
}

/** Unreliable messages, to one or to a group. Nothing here throws but `join`: what cannot be sent is lost, as any datagram may be. */
export interface DatagramSocket {
  readonly local: Endpoint;
  send(bytes: Uint8Array, to: Endpoint): void;
  /** @throws NetworkError (ENODEV, EINVAL ...) where the interface has no multicast. */
  join(group: string): void;
  leave(group: string): void;
  close(): void;
}

export interface DatagramBinding extends Endpoint {
  /** Others of this machine may have the same port: for multicast. */
  readonly shared?: boolean | undefined;
  /** The address of the interface by which groups are joined and sent to; of IPv6 `::%name`. Default the system's choice. */
  readonly interface?: string | undefined;
  /** How many networks a message to a group may cross. Default 1: this one. */
  readonly ttl?: number | undefined;
}

export interface DatagramNetwork {
  /** Port 0 gives a free one. With a group as host only what is sent to that group comes, where the system can tell (not on Windows). Rejects with a NetworkError. */
  bind(at: DatagramBinding, receive: (bytes: Buffer, from: Endpoint) => void): Promise<DatagramSocket>;
}

/** Of multicast: 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291). */
export const isGroup = (address: string): boolean => /^(22[4-9]|23\d)\.\d|^ff[0-9a-f]{2}:/i.test(address);
