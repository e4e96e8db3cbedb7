import type { Output } from '../delivery/held.js';
import type { OwnMessage } from '../delivery/output-queue.js';
import { SessionError, UsageError, type RserpoolError, type TransportErrorCode } from '../errors.js';
import type { BusinessCard } from '../machines/control-channel.js';
import { poolHandleOf } from '../wire/index.js';
import type { PoolElementHandle } from './access-point-events.js';
import type { ServiceMessageInfo } from './service-session.js';
import type { UserSession } from './session.js';
import { quiet } from './waiting.js';

/** Where a service's own messages go now. */
export interface RendezvousInfo {
  /** Who had them before: the client that was lost, or the element that took its place. Undefined where a card named nobody. */
  readonly from: PoolElementHandle | undefined;
  readonly to: PoolElementHandle;
}

export interface RendezvousOwner {
  met(info: RendezvousInfo): void;
  /** A message from the element that took the client's place. */
  heard(data: Buffer, info: ServiceMessageInfo): unknown;
  complain(error: RserpoolError): void;
  /** The last call; `error` where nobody could be met, or no more. */
  over(reason: string, error: RserpoolError | undefined): void;
}


/** A service's session after its client was lost (RFC 5352 §3.9; draft §3.3, §4.5.3): the service's own messages go to an element of the client's pool, by a session as any other, at-most-once (D-1). */
export class Rendezvous {
  readonly #session: UserSession;
  readonly #handle: string | Uint8Array;
  readonly #owner: RendezvousOwner;
  #at: PoolElementHandle | undefined;
  #isMet = false;
  #isClosing = false;
  #isOver = false;
  #lastError: RserpoolError | undefined;

  /** `session` has not been opened yet; `client` is who was lost. */
  constructor(session: UserSession, handle: string | Uint8Array, client: PoolElementHandle | undefined, undelivered: readonly OwnMessage[], owner: RendezvousOwner) {
    this.#session = session;
    this.#handle = handle;
    this.#at = client;
    this.#owner = owner;
    session.on('error', (error) => {
      this.#lastError = error;
      if (!FINAL.includes(error.code)) owner.complain(error);
    });
    session.on('failover', () => { this.#met(); });
    session.on('closed', () => {
      this.#isOver = true;
      if (this.#isMet) this.#over();
    });
    for (const { payload, ppid } of undelivered) void session.send(payload, { ppid });
    session.open().then(() => { this.#opened(); }, (error: RserpoolError) => {
      this.#lastError = error;
      this.#over();
    });
  }

  /** Who has the client's place now; before that, who had it. */
  get at(): PoolElementHandle | undefined { return this.#at; }

  /** Resolves when the link has it. */
  send(data: Uint8Array | string, ppid: number): Promise<void> {
    if (this.#isClosing && !this.#isOver) return quiet(Promise.reject(new UsageError('CLOSED', 'close() has been called')));
    return this.#session.send(data, { ppid });
  }

  /** Ends it once what was sent is handled. */
  close(): void {
    this.#isClosing = true;
    if (this.#isMet) void this.#session.close();
  }

  /** Ends it at once. */
  destroy(): void { this.#session.destroy(); }

  #opened(): void {
    this.#isMet = true;
    this.#met();
    if (this.#isOver) return this.#over();
    this.#session.on('data', (data, info) => this.#owner.heard(data, this.#message(info as Output)));
    if (this.#isClosing) void this.#session.close();
  }

  #met(): void {
    const identifier = this.#session.peIdentifier;
    if (identifier === undefined || !this.#isMet) return;
    const from = this.#at;
    this.#at = { handle: this.#handle, identifier };
    this.#owner.met({ from, to: this.#at });
  }

  #message({ sessionId, number, ppid, stream }: Output): ServiceMessageInfo {
    return {
      id: `${sessionId}:m${number}`, from: this.#at, ppid, stream, recovery: false, ackWanted: false,
      reply: (data, options) => this.send(data, options?.ppid ?? ppid),
      ack: () => undefined,
    };
  }

  #over(): void {
    const error = this.#lastError;
    const isFailure = error !== undefined && error.code !== 'SESSION_CLOSED' && (!this.#isMet || FINAL.includes(error.code));
    if (!isFailure) return this.#owner.over('closed', undefined);
    this.#owner.over('nobody of the client\'s pool can be met', new SessionError('RENDEZVOUS_FAILED', `no element of ${this.#session.poolHandle} takes the client's place`, { cause: error }));
  }
}

/** Whether the peer is lost: its process has ended, its host, or the way to it. One that misbehaves, or does not read, has been thrown out. */
export const isLoss = (code: TransportErrorCode): boolean => code === 'LINK_LOST' || code === 'LINK_CLOSED' || code === 'SILENCE';

/** Whose card it is. */
export function clientOf(card: BusinessCard | undefined): PoolElementHandle | undefined {
  const identifier = card?.order[0];
  return card && identifier !== undefined ? { handle: poolHandleOf(card.key), identifier } : undefined;
}

/** What a session ends with. */
const FINAL: readonly string[] = ['FAILOVER_FAILED', 'POISONED_MESSAGE', 'HANDLER_FAILED', 'OUTPUT_LIMIT'];
