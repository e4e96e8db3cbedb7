import type { DeliveryMode } from '../delivery/modes.js';
import type { WindowLimits } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import type { RserpoolError } from '../errors.js';
import type { ErrorReport } from './access-point-events.js';
import type { FailoverCallback } from './recovery.js';
import type { ReceivedInfo } from './session-messages.js';
import type { FailoverInfo } from './session-mover.js';

/** RFC 5352 §6.5 leaves the bounds of a failover open: each is an option with its default here or in machines/timers.ts, and the end is a typed error. */
export interface SessionOptions {
  /** Default 'effectively-once'. */
  readonly deliveryMode?: DeliveryMode;
  /** Failover callback (draft §4.5.2): runs after the cookie echo and before anything is resent; awaited, at most 10 s. */
  readonly onFailover?: FailoverCallback;
  /** What is kept at most until it is covered. Default 1024 messages, 1 MiB. */
  readonly window?: Partial<WindowLimits>;
  /** Milliseconds for the first pool element to accept. Default `registrarWait`, 4000. */
  readonly openTimeout?: Milliseconds;
  /** Milliseconds for one failover in all. Default 30 000. */
  readonly failoverTimeout?: Milliseconds;
  /** Pool elements tried at most to open the session, and in one failover; after every eighth, and when all have been tried, comes a pause that doubles from 20 ms to 1 s. Default 256. */
  readonly maxAttempts?: number;
  /** Ends the attempt to open; no effect on an open session. */
  readonly signal?: AbortSignal;
}

export interface SessionEvents {
  /** What the service sends, but for what `request` has asked for; waits for the first listener. A promise that is returned holds the message's credit (D-21). */
  data: (data: Buffer, info: ReceivedInfo) => unknown;
  /** FAILOVER_INDICATION: the session is served by another pool element. */
  failover: (info: FailoverInfo) => void;
  /** Error.Report: also what a rejected promise says that nobody awaited, with the message that is concerned. */
  error: (error: RserpoolError, details: ErrorReport) => void;
  /** The last event. */
  closed: () => void;
}
