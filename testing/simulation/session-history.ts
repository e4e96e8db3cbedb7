import type { DeliveryMode } from '../../delivery/modes.js';

/** What a session's user and its pool elements saw of one session, as plain data: invariants are held against it. */
export interface SessionHistory {
  /** The session's. */
  readonly mode: DeliveryMode;
  /** Of messages that have another one, by number. */
  readonly modes: ReadonlyMap<number, DeliveryMode>;
  readonly stateful: boolean;
  readonly concurrency: number;
  /** `outputCommit: false`. */
  readonly streaming: boolean;
  /** Messages, in the order of their sending; each begins with its number, from 1. */
  readonly sent: string[];
  /** What became of each send promise: `resolved`, or the error's code; absent as long as it waits. */
  readonly sends: Map<number, string>;
  /** Messages that were taken back before they were transmitted (D-3): aborted, or expired. */
  readonly takenBack: Set<number>;
  /** Messages that the failover callback discarded (D-15), and the epoch in which it did. */
  readonly discarded: Map<number, number>;
  readonly replies: string[];
  /** Messages sent as requests, and what their promises gave: the reply, or the error's code. */
  readonly requests: Map<number, string | undefined>;
  /** Every state that its services have saved, as a cookie's text. */
  saved: ReadonlySet<string>;
  /** Its user changes the cookies that it keeps: the session cannot be restored, and ends. */
  readonly isForged: boolean;
  /** Unprompted messages that waited for a snapshot, in the order in which the user saw them. */
  readonly ticks: number[];
  /** Unprompted messages that waited for nothing: `EPOCH.NUMBER`. */
  readonly notes: string[];
  /** At each pool element in turn. */
  instances: InstanceHistory[];
  /** Messages that the session gave back as perhaps not handled. */
  readonly undelivered: string[];
  /** Codes of errors that the session reported. */
  readonly errors: string[];
  /** Its failovers in order: the epoch of the instance that took over, and whether the one before had asked for it (MOVE). */
  readonly moves: { readonly epoch: number; readonly isHandOver: boolean }[];
  /** The session ended by itself: the error's code. */
  end: string | undefined;
  /** The user waits for nothing any more. */
  isSettled: boolean;
  /** Bytes and messages kept at most, as configured and as seen. */
  readonly window: { readonly messages: number; readonly bytes: number };
  mostKept: { messages: number; bytes: number };
}

/** One instance of the session at one pool element. */
export interface InstanceHistory {
  readonly process: string;
  readonly epoch: number;
  /** In order: `cookie 3/…`, `callback`, `17` (a message by its number). */
  readonly events: string[];
  /** State when it handled its last message, as text. */
  state: string;
  running: number;
  mostRunning: number;
  isOver: boolean;
  /** Its process woke up after its user had gone elsewhere. */
  isFenced: boolean;
  /** What it began to handle nonetheless. */
  readonly trespasses: string[];
}

/** What pool elements saw, by session: they see one before its user knows that it is open. */
export class InstanceLog {
  readonly #bySession = new Map<string, InstanceHistory[]>();
  readonly #saved = new Map<string, Set<string>>();

  /** Cookies that were made for it. */
  saved(sessionId: string): Set<string> {
    const known = this.#saved.get(sessionId) ?? new Set();
    this.#saved.set(sessionId, known);
    return known;
  }

  /** All instances there are, with their sessions' ids. */
  *[Symbol.iterator](): IterableIterator<readonly [string, InstanceHistory]> {
    for (const [id, instances] of this.#bySession) for (const instance of instances) yield [id, instance];
  }

  of(sessionId: string): InstanceHistory[] {
    const known = this.#bySession.get(sessionId) ?? [];
    this.#bySession.set(sessionId, known);
    return known;
  }
}

export const modeOf = ({ mode, modes }: Pick<SessionHistory, 'mode' | 'modes'>, number: number): DeliveryMode => modes.get(number) ?? mode;

type Given = Pick<SessionHistory, 'mode' | 'stateful' | 'concurrency' | 'window'> & Partial<Pick<SessionHistory, 'modes' | 'streaming' | 'isForged'>>;

export function emptyHistory({ modes = new Map(), streaming = false, isForged = false, mode, stateful, concurrency, window }: Given): SessionHistory {
  return {
    mode, modes, stateful, concurrency, streaming, window, sent: [], sends: new Map(), takenBack: new Set(), discarded: new Map(), replies: [], requests: new Map(), saved: new Set(), isForged, ticks: [], notes: [], instances: [], undelivered: [], errors: [],
    moves: [], end: undefined, isSettled: false, mostKept: { messages: 0, bytes: 0 },
  };
}
