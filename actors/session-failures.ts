import { RserpoolError, SessionError, UnknownPoolHandleError, type FailedAttempt } from '../errors.js';
import type { CloseCode } from '../wire/mapping.js';
import { COOKIE_OVERDUE } from './session-sender.js';

/** Failures that end a session by themselves. */
const ENDING: readonly string[] = ['NO_COMMON_MAPPING', 'POISONED_MESSAGE', 'HANDLER_FAILED', 'OUTPUT_LIMIT'];

export interface SessionPast {
  readonly wasOpen: boolean;
  /** It was to have one pool element, and no other. */
  readonly stays: boolean;
  readonly peIdentifier: number | undefined;
  readonly poolHandle: string;
  /** The last refusal of its state cookie in this failover. */
  readonly cookieRefusal: SessionError | undefined;
  /** In this failover, or while it was being opened. */
  readonly attempts: readonly FailedAttempt[];
}

/** What the application is told when the chart has failed. */
export function finalError(error: unknown, { wasOpen, stays, peIdentifier, poolHandle, cookieRefusal, attempts }: SessionPast): RserpoolError {
  if (error === 'COOKIE_OVERDUE') return new SessionError('COOKIE_OVERDUE', `the window is full of handled messages and no state cookie has come for ${COOKIE_OVERDUE} ms`, { outcome: 'handled' });
  if (error instanceof SessionError && ENDING.includes(error.code)) return error;
  if (cookieRefusal) return new SessionError('COOKIE_REFUSED', `no pool element of ${poolHandle} restores the session`, { cause: cookieRefusal, attempts });
  if (stays) return new SessionError('ELEMENT_UNREACHABLE', `${poolHandle === '' ? 'the address' : `pool element ${hex(peIdentifier)} of ${poolHandle}`} ${wasOpen ? 'was lost' : 'could not be reached'}`, { cause: error, outcome: wasOpen ? 'unknown' : 'not-taken' });
  if (wasOpen) return new SessionError('FAILOVER_FAILED', `no pool element of ${poolHandle} took the session over (${told(attempts)})`, { cause: error, attempts });
  if (error instanceof UnknownPoolHandleError || (error instanceof RserpoolError && error.code === 'NO_REGISTRAR')) return error;
  return new SessionError('SESSION_FAILED', `no pool element of ${poolHandle} accepted the session (${told(attempts)})`, { cause: error, outcome: 'not-taken', attempts });
}

const told = (attempts: readonly FailedAttempt[]): string => {
  const last = attempts.at(-1);
  return last === undefined ? 'none is known' : `${attempts.length} attempts in ${Math.round(last.after)} ms; the last: ${last.error instanceof Error ? last.error.message : String(last.error)}`;
};

/** A pool element has refused the session, or ended it. */
export function refusal(code: CloseCode, peIdentifier: number | undefined, reason: string): SessionError {
  return new SessionError(code === 'COOKIE_REFUSED' || code === 'OUTPUT_LIMIT' || code === 'HANDLER_FAILED' ? code : 'SESSION_FAILED', `pool element ${hex(peIdentifier)}: ${code}: ${reason}`);
}

export const hex = (identifier: number | undefined): string => identifier === undefined ? 'unknown' : `0x${identifier.toString(16).padStart(8, '0')}`;
