import type { UserHalf } from '../delivery/user-half.js';
import { copyOf } from '../delivery/buffers.js';
import type { Kept } from '../delivery/window.js';
import { SessionError } from '../errors.js';
import type { UserSession } from './session.js';
import { checkSend } from './session-messages.js';
import { quiet } from './waiting.js';

/** A message that would be sent again, or waits. */
export interface PendingMessage {
  readonly data: Buffer;
  /** It had been handed to the pool element that was left. */
  readonly wasSent: boolean;
  readonly stream: number;
  /** Takes it out of the sequence: it is not sent (again), and counts as settled. */
  discard(): void;
}

/** The failover callback of draft §4.5.2. What `session.send` sends there stands outside of the sequence and is never replayed (D-15). */
export type FailoverCallback = (
  session: Recovery,
  context: { readonly from: number; readonly to: number; readonly pending: readonly PendingMessage[] },
) => void | PromiseLike<void>;

/** The session as its failover callback sees it, at one pool element. */
export class Recovery {
  readonly #session: UserSession;
  readonly #half: UserHalf;
  readonly #epoch: number;
  #handedOut: Promise<void> = Promise.resolve();

  constructor(session: UserSession, half: UserHalf) {
    this.#session = session;
    this.#half = half;
    this.#epoch = half.epoch;
  }

  get id(): string { return this.#session.id; }
  get epoch(): number { return this.#epoch; }
  /** False once the replay has begun or the session has left this pool element. */
  get isCurrent(): boolean { return this.#half.epoch === this.#epoch && this.#half.isRecovering; }

  /** To the new pool element, before the replay; of any size that a session's messages may have. Resolves when it is handed out, as the pool element grants it. Rejects
   *  once the session has left it again (MESSAGE_LOST), the callback's time is over (CALLBACK_OVERDUE), or where more than 2 MiB wait (OUTPUT_LIMIT). */
  send(data: Uint8Array | string, options: { readonly ppid?: number } = {}): Promise<void> {
    const handedOut = this.#send(data, options);
    this.#handedOut = quiet(this.#handedOut.then(() => handedOut, () => handedOut));
    return quiet(handedOut);
  }

  /** @internal Resolves when all that was sent is handed out, or never will be. */
  handedOut(): Promise<void> { return this.#handedOut.catch(() => undefined); }

  /** What would be sent again, or waits; `discard()` is for the callback's own time. */
  pending(): PendingMessage[] {
    return this.#half.kept().map((entry: Kept) => ({
      data: entry.payload,
      wasSent: entry.sent,
      stream: entry.stream,
      discard: () => {
        if (!this.isCurrent) return;
        this.#half.laneOf(entry.lane).window.cover(entry);
        entry.settle?.resolve();
      },
    }));
  }

  async #send(data: Uint8Array | string, options: { readonly ppid?: number }): Promise<void> {
    checkSend(data, options, { messages: 1, bytes: MAX_MESSAGE });
    if (this.#half.epoch === this.#epoch && this.#half.isFlowing) throw new SessionError('CALLBACK_OVERDUE', 'the failover callback is over: the replay has begun', { outcome: 'not-taken' });
    if (!this.isCurrent) throw new SessionError('MESSAGE_LOST', 'the session has left this pool element; the callback runs again at the next', { outcome: 'not-taken' });
    return this.#half.sendRecovery(typeof data === 'string' ? Buffer.from(data) : copyOf(data), options.ppid ?? 0);
  }
}

const MAX_MESSAGE = 1024 * 1024;
