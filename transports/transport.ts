import type { Milliseconds } from '../environment.js';
import type { TransportError } from '../errors.js';
import type { Framing } from '../wire/framer.js';

/** The contract of a transport; test/transports/compliance.ts is its definition. A transport knows frames, never messages. */

/** `tcp://host:port`, `memory://host:port`; IPv6 hosts in brackets. Port 0 asks for a free one when listening. */
export type TransportAddress = string;

/** What the owner of a link is told. Calls come one at a time, never from inside a call of the link's own methods. */
export interface LinkHandler {
  /** Connected (a link that connects only; an accepted one is up from the start). */
  up?(): void;
  /** A whole frame, `bytes[start, end)`. The bytes belong to the link: what is kept beyond this call is copied (D-22). */
  frame(bytes: Buffer, start: number, end: number): void;
  /** A whole message under another payload protocol id than that of its frames, where the transport has such a thing. The bytes belong to who is told. */
  message?(message: TransportMessage): void;
  /** The frames of one chunk have all been handed over: the time to copy what is kept of them. */
  chunkEnd?(): void;
  /** This turn's write is about to be made: the last moment to add frames to it. */
  beforeWrite?(): void;
  /** The queue has fallen below its mark after `send` returned false. */
  drain?(): void;
  /** The last call, exactly once: the link is gone. LINK_CLOSED when either side closed it in order; a process that is killed looks the same when the
   *  system closes its sockets between two frames. */
  down(reason: TransportError): void;
}

/** A message of a transport that tells them apart (SCTP). */
export interface TransportMessage {
  readonly bytes: Uint8Array;
  /** Payload protocol identifier: ASAP 11, ENRP 12, else the user's. */
  readonly ppid: number;
  readonly stream: number;
  readonly unordered: boolean;
}

/** How such a message goes; others have one stream of frames, and take no notice. */
export interface MessageOptions {
  /** Default that of the link. */
  readonly ppid?: number;
  /** Default 0. Beyond what both ends have they share streams, by the remainder. */
  readonly stream?: number;
  readonly unordered?: boolean;
  /** The peer's transport has it, and all that was sent before it. Not called from inside of `send`. */
  readonly acknowledged?: (() => void) | undefined;
}

/** A reliable, ordered path of whole frames to one peer. */
export interface Link {
  readonly local: TransportAddress;
  readonly peer: TransportAddress;
  /** `clock.now()` when bytes last came (or when it came up). */
  readonly lastHeard: Milliseconds;
  /** `clock.now()` when bytes last went out. */
  readonly lastSent: Milliseconds;
  /** Bytes that wait to be written. */
  readonly queued: number;
  /** False from the moment the queue passes its mark until `drain`: what `send` returned last, for those who use `reserve`. */
  readonly writable: boolean;
  /** Where the transport measures; undefined before the link is up. */
  readonly path?: PathInfo | undefined;
  /** Queues a frame; frames of one turn go out in one write. The bytes are the link's from here on.
   *  @returns false when the queue is above its mark: wait for `drain`. After `down` frames are dropped. */
  send(frame: Uint8Array, options?: MessageOptions): boolean;
  /** Asks the peer's transport for a sign of life, and tells when it has come. Where the transport can. */
  ping?(heard: () => void): void;
  /** Room for a frame of `length` bytes inside the outgoing buffer: fill `bytes[offset, offset + length)` at once, before anything
   *  else is sent. Spares small frames an allocation and a copy; same promise as `send`. The object is the same at each call.
   *  `stream` (default 0; beyond what there are by the remainder) and `unordered` (default false) count where the transport has streams (SCTP). */
  reserve(length: number, stream?: number, unordered?: boolean): { readonly bytes: Buffer; readonly offset: number };
  /** Asks for this turn's write, with its `beforeWrite`, also where nothing is queued yet. */
  flushSoon(): void;
  /** Stops or resumes reading, so that a peer that sends too much is held by its own window. Frames of the chunk at hand still come. */
  pause(): void;
  resume(): void;
  /** Writes what is queued, then closes; `down` with LINK_CLOSED follows, within a bound even where the peer never reads. No frame comes after this call. */
  close(): void;
  /** Ends the link at once; what is queued is lost. `down(reason)` follows. */
  destroy(reason: TransportError): void;
}

/** What a transport knows of the way to a peer: milliseconds, bytes; undefined what is not (yet) known. */
export interface PathInfo {
  readonly rtt: Milliseconds | undefined;
  readonly rto: Milliseconds | undefined;
  readonly pathMtu?: number | undefined;
  /** Outgoing ones, where it has streams. */
  readonly streams?: number | undefined;
}

export interface LinkOptions {
  readonly framing: Framing;
  /** Payload protocol identifier of its frames, where the transport has such a thing (SCTP): ASAP 11, ENRP 12. Default 11. */
  readonly ppid?: number;
  /** Whether frames of one turn go side by side in one message, as far as a packet holds them, where the transport has messages (SCTP). Default false: each is a
   *  message of its own, as RFC 5352 and RFC 5353 want it of ASAP's and ENRP's. */
  readonly gathersFrames?: boolean;
  /** Bytes queued above which `send` returns false. Default 256 KiB. */
  readonly highWaterMark?: number;
  /** Bytes queued above which the link is destroyed with QUEUE_OVERFLOW. Default none. */
  readonly maxQueued?: number;
  /** Time for a begun frame to become whole before the link is destroyed with IDLE_LINK (slow loris). Default none. */
  readonly frameTimeout?: Milliseconds;
  /** A link of which nothing has come for so long is down with SILENCE, where the transport finds that out by itself (SCTP; its default is 500 ms); Infinity: its owner does. */
  readonly silence?: Milliseconds;
  /** So long frames of one chunk are handed over without a pause, as found out after each KiB of them; then others have their turn of the event loop. Default no limit. */
  readonly sliceTime?: Milliseconds;
}
export interface ConnectOptions extends LinkOptions {
  /** Default 1 s. */
  readonly connectTimeout?: Milliseconds;
  /** Port of ours that it comes from, which may be one that listens (SCTP only: ENRP goes from 9901 to 9901). Default a free one. */
  readonly localPort?: number;
}
export interface ListenOptions extends LinkOptions {
  /** Links at once; more are closed at once with TOO_MANY_LINKS in the log. Default 10 000. */
  readonly maxLinks?: number;
  /** Time for an accepted link's first whole frame before it is destroyed with IDLE_LINK. Default none. */
  readonly firstFrameTimeout?: Milliseconds;
}

export interface Listener {
  /** With the port that was given. */
  readonly address: TransportAddress;
  /** Stops accepting; links that are up stay. */
  close(): Promise<void>;
}

export interface Transport {
  /** The URL schemes it serves, e.g. `['tcp']`. */
  readonly schemes: readonly string[];
  /** Never throws for the network's failures: they come as `down`. */
  connect(address: TransportAddress, handler: LinkHandler, options: ConnectOptions): Link;
  /** Rejects with a TransportError (ADDRESS_IN_USE, LISTEN_FAILED). `accept` gives the handler of each new link. */
  listen(address: TransportAddress, accept: (link: Link) => LinkHandler, options: ListenOptions): Promise<Listener>;
}
