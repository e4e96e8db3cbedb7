import { isUnordered, streamOf } from '../wire/mapping.js';

/** A message of a pool user at the service, and what its handler may do with it: the `info` of a `'data'` event. */
export class Incoming {
  // Declared only: see Kept.
  declare readonly sequence: number;
  /** Payload protocol id. */
  declare readonly ppid: number;
  /** A message of the failover callback, outside of the sequence (D-15). */
  declare readonly recovery: boolean;
  declare readonly ackWanted: boolean;
  declare readonly payload: Buffer;
  declare readonly owner: IncomingOwner;
  /** Replies given so far. */
  declare replies: number;
  /** Bytes of reply that the pool user holds for this handler (D-21). */
  declare outputBytes: number;
  declare settled: boolean;
  /** The cookie its handler set last (D-7). */
  declare cookie: Buffer | undefined;
  /** Replies that leave together when the handler settles, where several run at once. */
  declare gathered: { readonly index: number; readonly ppid: number; readonly payload: Buffer }[] | undefined;
  /** Why its handler has failed although it settled in order. */
  declare failure: Error | undefined;

  constructor(sequence: number, ppid: number, recovery: boolean, ackWanted: boolean, payload: Buffer, owner: IncomingOwner) {
    this.sequence = sequence;
    this.ppid = ppid;
    this.recovery = recovery;
    this.ackWanted = ackWanted;
    this.payload = payload;
    this.owner = owner;
    this.replies = this.outputBytes = 0;
    this.settled = false;
    this.cookie = this.gathered = this.failure = undefined;
  }

  /** Session id and message id, the same in every replay: the key to make effects elsewhere idempotent (D-1). */
  get id(): string { return messageId(this.owner.sessionId, this.owner.lane, this.recovery, this.sequence); }
  /** The pool user as a pool element, where its business card says that it is one: its own claim. */
  get from(): { readonly handle: string | Uint8Array; readonly identifier: number } | undefined { return this.owner.from; }
  /** It came on that stream; replies go there too. */
  get stream(): number { return streamOf(this.owner.lane); }
  /** Answers this message; resolves when the link has room.
   *  Rejects when the handler has settled, or with OUTPUT_LIMIT above 1 MiB (unless `outputCommit: false`). */
  reply(data: Uint8Array | string, options?: { readonly ppid?: number }): Promise<void> { return this.owner.replyTo(this, data, options?.ppid ?? this.ppid); }
  /** The application's acknowledgement, where the sender asked for it (`ack: true`); else nothing. */
  ack(): void { if (this.ackWanted) this.owner.acknowledge(this); }
}

export interface IncomingOwner {
  readonly sessionId: string;
  /** As in the header of its frames. */
  readonly lane: number;
  /** What it is a lane of. */
  readonly half: unknown;
  readonly from: Incoming['from'];
  replyTo(incoming: Incoming, data: Uint8Array | string, ppid: number): Promise<void>;
  acknowledge(incoming: Incoming): void;
}

/** Session id and message id; ids count for each stream, and for what goes unordered on it. */
export function messageId(sessionId: string, lane: number, recovery: boolean, id: number): string {
  if (lane === 0) return `${sessionId}:${recovery ? 'r' : ''}${id}`;
  return `${sessionId}:${isUnordered(lane) ? 'u' : 's'}${streamOf(lane)}.${id}`;
}
