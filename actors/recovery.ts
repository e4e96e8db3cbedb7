import type { UserHalf } from '../delivery/user-half.js';
import type { Kept } from '../delivery/window.js';
import { SessionError } from '../errors.js';
import type { UserSession } from './session.js';
import { quiet } from './waiting.js';

/** A message that would be sent again, or waits. */
export interface PendingMessage {
  readonly data: Buffer;
  /** It had been handed to the pool element that was left. */
  readonly wasSent: boolean;
  /** Takes it out of the sequence: it is not sent (again), and counts as settled. */
  discard(): void;
}

/** The failover callback of draft §4.5.2. What `session.send` sends there stands outside of the sequence and is never replayed (D-15). */
export type FailoverCallback = (
  session: Recovery,
  context: { readonly from: number; readonly to: number; readonly pending: readonly PendingMessage[] },
) => void | PromiseLike<void>;

/** The session as its failover callback sees it. */
export class Recovery {
  readonly #session: UserSession;
  readonly #half: UserHalf;
  readonly #isCurrent: () => boolean;

  constructor(session: UserSession, half: UserHalf, isCurrent: () => boolean) {
    this.#session = session;
    this.#half = half;
    this.#isCurrent = isCurrent;
  }

  get id(): string { return this.#session.id; }
  get epoch(): number { return this.#session.epoch; }

  /** To the new pool element, before the replay. Rejects once the session has left it again, and above 2 MiB. */
  send(data: Uint8Array | string, options: { ppid?: number } = {}): Promise<void> {
    if (!this.#isCurrent()) return quiet(Promise.reject(new SessionError('MESSAGE_LOST', 'the session has left this pool element; the callback runs again at the next', { outcome: 'unknown' })));
    if (this.#half.sendRecovery(Buffer.from(data as Uint8Array), options.ppid ?? 0)) return Promise.resolve();
    return quiet(Promise.reject(new SessionError('OUTPUT_LIMIT', 'a failover callback may send as much as the pool element has granted', { outcome: 'not-taken' })));
  }

  static pending(half: UserHalf): PendingMessage[] {
    return half.window.kept().map((entry: Kept) => ({
      data: entry.payload,
      wasSent: entry.sent,
      discard: () => {
        half.window.cover(entry);
        entry.settle?.resolve();
      },
    }));
  }
}
