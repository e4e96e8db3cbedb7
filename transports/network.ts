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

/** Unreliable messages, to one or to a group. */
export interface DatagramSocket {
  readonly local: Endpoint;
  send(bytes: Uint8Array, to: Endpoint): void;
  join(group: string): void;
  leave(group: string): void;
  close(): void;
}

export interface DatagramNetwork {
  /** Port 0 gives a free one; a shared port is for multicast. */
  bind(at: Endpoint & { readonly shared?: boolean }, receive: (bytes: Buffer, from: Endpoint) => void): Promise<DatagramSocket>;
}
