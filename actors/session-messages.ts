import type { Output } from '../delivery/held.js';
import { deliveryModes, type DeliveryMode } from '../delivery/modes.js';
import type { WindowLimits } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { FeatureUnavailableError, UsageError } from '../errors.js';
import { ASAP_PPID } from '../wire/mapping.js';
import { checkOptions, invalid, isBoolean, isDelay, isOneOf, isSignal, isU32 } from './options.js';

export interface SendOptions {
  /** This message's delivery mode. Default the session's. */
  readonly deliver?: DeliveryMode;
  /** Payload protocol id. Default 0; 11 is ASAP's own. */
  readonly ppid?: number;
  /** Resolves when the application at the service has called `info.ack()`. Default false. */
  readonly ack?: boolean;
  /** Milliseconds until the message is taken back, if it has not been transmitted by then. */
  readonly lifetime?: Milliseconds;
  /** Takes the message back if it has not been transmitted; afterwards ends the promise only. */
  readonly signal?: AbortSignal;
  /** Not with the TCP mapping. */
  readonly stream?: number;
  /** Not with the TCP mapping. */
  readonly unordered?: boolean;
}

/** What a pool user's `'data'` listener learns of a message. */
export type ReceivedInfo = Readonly<Pick<Output, 'from' | 'inReplyTo' | 'recovery' | 'ppid' | 'stream'>>;

/** @returns the length of `data` in bytes. @throws UsageError, FeatureUnavailableError. */
export function checkSend(data: unknown, options: SendOptions | undefined, limits: WindowLimits): number {
  const length = typeof data === 'string' ? Buffer.byteLength(data) : data instanceof Uint8Array ? data.length : undefined;
  if (length === undefined) throw new UsageError('INVALID_DATA', `data is a string or Uint8Array, not ${data === null ? 'null' : typeof data}`);
  if (length > Math.min(limits.bytes, 1024 * 1024)) throw new UsageError('MESSAGE_TOO_LARGE', `a message of ${length} bytes; ${Math.min(limits.bytes, 1024 * 1024)} are possible`);
  if (options !== undefined) checkSendOptions(options);
  return length;
}

const sendChecks = { deliver: isOneOf(...deliveryModes), ppid: isU32, ack: isBoolean, lifetime: isDelay, signal: isSignal, stream: isU32, unordered: isBoolean };

function checkSendOptions(options: SendOptions): void {
  checkOptions('send', options, sendChecks);
  if (options.ppid === ASAP_PPID) throw invalid(`payload protocol id ${ASAP_PPID} is ASAP's own`);
  if (options.unordered === true) throw new FeatureUnavailableError('unordered delivery', 'the TCP mapping');
  if (options.stream !== undefined && options.stream !== 0) throw new FeatureUnavailableError('a second stream', 'the TCP mapping');
}
