import type { Output } from '../delivery/held.js';
import { copyOf } from '../delivery/buffers.js';
import { keyOf, type Kept } from '../delivery/window.js';
import { SessionError, type RserpoolError } from '../errors.js';
import type { ReceivedInfo } from './session-messages.js';
import { quiet } from './waiting.js';

/** What a request resolves with. */
export interface Reply {
  readonly data: Buffer;
  readonly info: ReceivedInfo;
}

interface Waiting {
  readonly entry: Kept;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: RserpoolError) => void;
  /** The place of the reply it has been given, among those of its handler. */
  answer: number | undefined;
  /** Nobody waits any more: what still comes is dropped. */
  isAbandoned: boolean;
}

/** The requests of a session whose messages are in its windows, by lane and sequence number. Made at the first request: a session without costs nothing. */
export class SessionRequests {
  readonly #waiting = new Map<number, Waiting>();
  #handled: Waiting[] = [];

  constructor(readonly complain: (error: RserpoolError) => void) {}

  /** @returns the promise of its reply. */
  ask(entry: Kept): Promise<Reply> {
    return quiet(new Promise((resolve, reject) => { this.#track({ entry, answer: undefined, isAbandoned: false, resolve, reject }); }));
  }

  #track(waiting: Waiting): void {
    const { entry } = waiting;
    this.#waiting.set(entry.key, waiting);
    entry.settle = {
      // at-most-once: also called when it is transmitted
      resolve: () => { if (entry.done || entry.covered) this.#handled.push(waiting); },
      reject: (error) => {
        waiting.isAbandoned = true;
        if (!entry.sent || entry.covered) this.#waiting.delete(entry.key);
        waiting.reject(error as RserpoolError);
      },
    };
  }

  /** @returns whether the output is a request's own: its first reply, or one that nobody waits for any more. Further replies of a handler are data like any other. */
  takes(output: Output): boolean {
    const waiting = output.request === undefined || output.recovery ? undefined : this.#waiting.get(keyOf(output.lane, output.request));
    if (waiting === undefined) return false;
    if (waiting.isAbandoned) return true;
    if (waiting.answer !== undefined) return output.index <= waiting.answer; // at-least-once: again, from a replay
    waiting.answer = output.index;
    waiting.resolve({ data: copyOf(output.payload), info: output });
    return true;
  }

  /** Replies are data where the session is now; its messages go on. */
  refuse(error: RserpoolError): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.answer !== undefined || waiting.isAbandoned) continue;
      waiting.isAbandoned = true;
      this.complain(error);
      waiting.reject(error);
    }
    this.#waiting.clear();
  }

  /** What could be given out has been: those that are handled and have no reply will have none. */
  moved(): void {
    if (this.#handled.length === 0) return;
    const handled = this.#handled;
    this.#handled = [];
    for (const waiting of handled) {
      this.#waiting.delete(waiting.entry.key);
      if (waiting.answer !== undefined || waiting.isAbandoned) continue;
      const error = new SessionError('NO_REPLY', 'the service has handled the request and not replied', { outcome: 'handled' });
      this.complain(error);
      waiting.reject(error);
    }
  }
}
