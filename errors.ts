/** Every error of ours: a class by blame, a stable `code`, listed in docs/errors.md. */

/** What is known of a message whose `send` was rejected (D-30). */
export type Outcome = 'not-taken' | 'unknown' | 'handled';

export abstract class RserpoolError extends Error {
  /** Stable; programs may depend on it. */
  abstract readonly code: string;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Our caller's mistake: a wrong option, handle, URL or call. Thrown or rejected at once, nothing has been done. */
export class UsageError extends RserpoolError {
  constructor(readonly code: UsageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}
export type UsageErrorCode =
  | 'INVALID_OPTION' | 'INVALID_URL' | 'INVALID_HANDLE' | 'INVALID_DATA' | 'ALREADY_REGISTERED' | 'CLOSED'
  | 'MESSAGE_TOO_LARGE' | 'COOKIE_TOO_LARGE' | 'STATELESS_SERVICE' | 'NOT_IN_HANDLER' | 'NOT_REGISTERED' | 'UNKNOWN_POOL_ELEMENT';

/** The caller's own abort of a wait, by its `signal`; what was begun may go on. `cause` is the signal's reason. */
export class AbortError extends RserpoolError {
  readonly code = 'ABORTED';
  constructor(signal: AbortSignal) {
    super('the wait was aborted', { cause: signal.reason });
  }
}

/** The network's failure: a link that could not be made, or that broke. */
export class TransportError extends RserpoolError {
  constructor(readonly code: TransportErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}
export type TransportErrorCode =
  | 'CONNECT_FAILED' | 'CONNECT_TIMEOUT' | 'ADDRESS_IN_USE' | 'LISTEN_FAILED' | 'LOOKUP_FAILED' | 'LINK_LOST' | 'LINK_CLOSED' | 'SILENCE'
  | 'PEER_MISBEHAVED' | 'TOO_MANY_LINKS' | 'IDLE_LINK' | 'QUEUE_OVERFLOW';

/** A mapping or transport that cannot do what was asked; the session lives on. */
export class FeatureUnavailableError extends RserpoolError {
  readonly code = 'FEATURE_UNAVAILABLE';
  constructor(readonly feature: string, readonly mapping: string, options?: { cause?: unknown }) {
    super(`${feature} is not available with ${mapping}`, options);
  }
}

/** No registrar could be reached within the bound. */
export class NoRegistrarError extends RserpoolError {
  readonly code = 'NO_REGISTRAR';
}

/** A registrar answered that nobody serves this pool handle (RFC 5354 §3.12, cause 0x9). */
export class UnknownPoolHandleError extends RserpoolError {
  readonly code = 'UNKNOWN_POOL_HANDLE';
  constructor(readonly poolHandle: string, options?: { cause?: unknown }) {
    super(`no pool element serves the pool handle ${JSON.stringify(poolHandle)}`, options);
  }
}

/** A registrar refused a registration (R flag), or none accepted it in MAX-REG-ATTEMPT attempts. */
export class RegistrationError extends RserpoolError {
  constructor(readonly code: 'REGISTRATION_REJECTED' | 'REGISTRATION_FAILED', message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** A registrar that an operator asked by ENRP (`rserpool dump`, `rserpool remove`) did not answer as it should. */
export class RegistrarError extends RserpoolError {
  constructor(readonly code: RegistrarErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}
export type RegistrarErrorCode = 'WRONG_PROTOCOL' | 'NO_ANSWER' | 'REQUEST_REFUSED' | 'INVALID_ANSWER' | 'ENDLESS_ANSWER';

/** A session's or a message's failure; `outcome` says what is known of the message (D-30). */
export class SessionError extends RserpoolError {
  readonly outcome: Outcome;
  /** Where no pool element was found that takes the session: what was tried, oldest first; `cause` is the last of it. */
  readonly attempts?: readonly FailedAttempt[];
  constructor(readonly code: SessionErrorCode, message: string, options?: { cause?: unknown; outcome?: Outcome; attempts?: readonly FailedAttempt[] }) {
    super(message, options);
    this.outcome = options?.outcome ?? 'unknown';
    if (options?.attempts) this.attempts = options.attempts;
  }
}

/** One pool element that did not take a session, or the registrar's failure to name one. */
export interface FailedAttempt {
  /** Undefined where no pool element was concerned. */
  readonly peIdentifier: number | undefined;
  readonly address: string | undefined;
  /** Milliseconds since the first one began. */
  readonly after: number;
  readonly error: unknown;
}
export type SessionErrorCode =
  | 'SESSION_CLOSED' | 'SESSION_FAILED' | 'NO_COMMON_MAPPING' | 'FAILOVER_FAILED' | 'POISONED_MESSAGE' | 'HANDLER_FAILED' | 'COOKIE_OVERDUE' | 'COOKIE_REFUSED'
  | 'OUTPUT_LIMIT' | 'CALLBACK_FAILED' | 'CALLBACK_OVERDUE' | 'RENDEZVOUS_FAILED' | 'MESSAGE_EXPIRED' | 'MESSAGE_ABORTED' | 'MESSAGE_LOST' | 'PEER_MISBEHAVED'
  | 'ELEMENT_UNREACHABLE' | 'REQUEST_TIMEOUT' | 'REQUEST_ABORTED' | 'NO_REPLY';

/** One copy of a message to all elements of a pool that is not known to have been delivered. */
export interface SendFailure {
  readonly element: { readonly handle: string | Uint8Array; readonly identifier: number };
  readonly error: RserpoolError;
}

/** A message to all elements of a pool has not reached each of them: who has it, and why the others have not. */
export class SendToAllError extends RserpoolError {
  readonly code = 'SEND_TO_ALL_FAILED';
  constructor(poolHandle: string, readonly delivered: readonly SendFailure['element'][], readonly failures: readonly SendFailure[],
    /** Elements that the pool has besides, and that the registrar's answer has no room for. */
    readonly unlisted: number) {
    super(`${failures.length + unlisted} of ${failures.length + delivered.length + unlisted} pool elements of ${poolHandle} could not be sent to${unlisted === 0 ? '' : `, ${unlisted} of them are not in the registrar's answer`}`, { cause: failures[0]?.error });
  }

  /** As AggregateError has them. */
  get errors(): readonly RserpoolError[] { return this.failures.map(({ error }) => error); }
}
