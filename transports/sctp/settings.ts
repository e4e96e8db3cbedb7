import type { Milliseconds } from '../../environment.js';

/** What one may set, and RFC 9260 §16's names for it. The RFC's own values (RTO 1 s to 60 s, ten retransmissions) find a dead peer after minutes. */
export interface SctpOptions {
  /** UDP port of ours (RFC 6951). Default 9899; a process that only connects takes a free one where that is in use. 0: always a free one. */
  readonly udpPort?: number;
  /** UDP port at which peers listen. Default 9899. */
  readonly peerUdpPort?: number;
  /** Bytes of an IP packet, headers included; there is no path MTU discovery. Default 1500, at least 576. */
  readonly mtu?: number;
  /** The same towards addresses of the loopback network, which takes longer packets. Default 8192: macOS sends no datagrams of 9217 bytes and more. */
  readonly loopbackMtu?: number;
  /** Streams in each direction that we ask for. Default 64. */
  readonly streams?: number;
  /** Longest message, both ways. Default 4 MiB. */
  readonly maxMessage?: number;
  /** Bytes of whole messages that may wait for a paused link. Default 1 MiB. */
  readonly receiveWindow?: number;
  /** RTO.Initial, default 300 ms; RTO.Min, 300 ms (kernels delay a SACK by 200 ms); RTO.Max, 1 s. */
  readonly rtoInitial?: Milliseconds;
  readonly rtoMin?: Milliseconds;
  readonly rtoMax?: Milliseconds;
  /** Association.Max.Retrans: retransmissions in a row without a sign that the data arrive. Default 10. */
  readonly maxRetransmissions?: number;
  /** A HEARTBEAT is sent when nothing has come for so long. Default 100 ms. */
  readonly heartbeatInterval?: Milliseconds;
  /** An association of which no valid packet has come for so long is down, with SILENCE. Default 500 ms; Infinity: never. */
  readonly silence?: Milliseconds;
  /** So long `close` tries to bring over what is queued. Default 1 s. */
  readonly closeTimeout?: Milliseconds;
  /** So long the socket of the last association stays, to answer a peer that has missed its end. Default 300 ms. */
  readonly linger?: Milliseconds;
  /** So long an acknowledgement waits for data to go with. Default 20 ms. */
  readonly sackDelay?: Milliseconds;
  /** Valid.Cookie.Life. Default 60 s. */
  readonly cookieLife?: Milliseconds;
  /** Associations at once. Default 10 000; maxConnecting of them set up from here, default 1000. Who only says INIT costs no memory at all. */
  readonly maxAssociations?: number;
  readonly maxConnecting?: number;
  /** Answers to INIT and to packets without an association, per second. Default 1000. */
  readonly maxAnswers?: number;
}

export type SctpSettings = Required<SctpOptions>;

export const SCTP_DEFAULTS: SctpSettings = {
  udpPort: 9899, peerUdpPort: 9899, mtu: 1500, loopbackMtu: 8192, streams: 64, maxMessage: 0x40_0000, receiveWindow: 0x10_0000, rtoInitial: 300, rtoMin: 300, rtoMax: 1000,
  maxRetransmissions: 10, heartbeatInterval: 100, silence: 500, closeTimeout: 1000, linger: 300, sackDelay: 20, cookieLife: 60_000, maxAssociations: 10_000, maxConnecting: 1000, maxAnswers: 1000,
};
