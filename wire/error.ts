import { RserpoolError } from '../errors.js';
import type { Cause } from './causes.js';

/** What is wrong with a peer's bytes. */
export type WireErrorCode =
  | 'TRUNCATED' // the bytes end before what they announce
  | 'LENGTH_OUT_OF_RANGE' // a length below its header's, above the limit, or short of what is there
  | 'UNKNOWN_TYPE' // a message or frame type nobody defined (RFC 5354 §4)
  | 'UNRECOGNIZED_PARAMETER' // a parameter type nobody defined whose action bits say "stop" (RFC 5354 §3)
  | 'UNEXPECTED_PARAMETER' // a known parameter where it has no place
  | 'MISSING_PARAMETER'
  | 'INVALID_VALUE'
  | 'LIMIT_EXCEEDED';

/** The peer's mistake: bytes that are no message. Nothing else is ever thrown while bytes are read. */
export class WireError extends RserpoolError {
  /** What an Operation Error parameter would say of it (RFC 5354 §3.12). */
  override readonly cause?: Cause;
  /** The causes that really go back to the sender, in order: none where the type's action bits ask for silence. */
  readonly reports: readonly Cause[];

  constructor(
    readonly code: WireErrorCode,
    /** Where, in the bytes that were given. */
    readonly offset: number,
    readonly reason: string,
    options: { cause?: Cause; reports?: readonly Cause[] } = {},
  ) {
    super(`${reason} (at byte ${offset})`);
    if (options.cause !== undefined) this.cause = options.cause;
    this.reports = options.reports ?? (options.cause === undefined ? [] : [options.cause]);
  }
}
