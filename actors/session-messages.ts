import type { Output } from '../delivery/held.js';
import { deliveryModes, type DeliveryMode } from '../delivery/modes.js';
import type { WindowLimits } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { UsageError } from '../errors.js';
import { ASAP_PPID } from '../wire/mapping.js';
import { laneChecks, type LaneOptions } from './lanes.js';
import { checkOptions, invalid, isBoolean, isDelay, isOneOf, isSignal, isU32 } from './options.js';

export type Deliver = DeliveryMode | 'failover' | 'noFailover';

export interface SendOptions extends LaneOptions {
  /** This message's delivery mode. Default the session's. The draft's names: 'failover' is effectively-once, 'noFailover' at-most-once (D-2). */
  readonly deliver?: Deliver;
  /** Payload protocol id. Default 0; 11 is ASAP's own. */
  readonly ppid?: number;
  /** Resolves when the application at the service has called `info.ack()`. Default false. */
  readonly ack?: boolean;
  /** Milliseconds until the message is taken back, if it has not been transmitted by then. */
  readonly lifetime?: Milliseconds;
  /** Takes the message back if it has not been transmitted; afterwards ends the promise only. */
  readonly signal?: AbortSignal;
}

export interface RequestOptions extends Omit<SendOptions, 'ack'> {
  /** Milliseconds until the request is given up. Default: as long as the session lives. */
  readonly timeout?: Milliseconds;
}

/** What a pool user's `'data'` listener learns of a message. */
export type ReceivedInfo = Readonly<Pick<Output, 'from' | 'inReplyTo' | 'recovery' | 'ppid' | 'stream'>>;

/** @returns the length of `data` in bytes. @throws UsageError, FeatureUnavailableError. */
export function checkSend(data: unknown, options: SendOptions | RequestOptions | undefined, limits: WindowLimits, call: keyof typeof checks = 'send'): number {
  const length = typeof data === 'string' ? Buffer.byteLength(data) : data instanceof Uint8Array ? data.length : undefined;
  if (length === undefined) throw new UsageError('INVALID_DATA', `data is a string or Uint8Array, not ${data === null ? 'null' : typeof data}`);
  if (length > Math.min(limits.bytes, 1024 * 1024)) throw new UsageError('MESSAGE_TOO_LARGE', `a message of ${length} bytes; ${Math.min(limits.bytes, 1024 * 1024)} are possible`);
  if (options !== undefined) checkSendOptions(call, options);
  return length;
}

export const modeOf = (deliver: Deliver): DeliveryMode => (deliver === 'failover' ? 'effectively-once' : deliver === 'noFailover' ? 'at-most-once' : deliver);

const sendChecks = { deliver: isOneOf(...deliveryModes, 'failover', 'noFailover'), ppid: isU32, ack: isBoolean, lifetime: isDelay, signal: isSignal, ...laneChecks };
const { ack: _, ...requestChecks } = { ...sendChecks, timeout: isDelay };
const checks = { send: sendChecks, request: requestChecks, 'rsp.send': { ...sendChecks, toLast: isBoolean, toAll: isBoolean, toSelf: isBoolean } } as const;

function checkSendOptions(call: keyof typeof checks, options: SendOptions | RequestOptions): void {
  checkOptions(call, options, checks[call]);
  if (options.ppid === ASAP_PPID) throw invalid(`payload protocol id ${ASAP_PPID} is ASAP's own`);
}
