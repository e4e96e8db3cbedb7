import type { Output } from '../delivery/held.js';
import { deliveryModes, type DeliveryMode } from '../delivery/modes.js';
import type { WindowLimits } from '../delivery/window.js';
import type { Milliseconds } from '../environment.js';
import { FeatureUnavailableError, UsageError } from '../errors.js';
import { ASAP_PPID } from '../wire/mapping.js';

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

const known = new Set(['deliver', 'ppid', 'ack', 'lifetime', 'signal', 'stream', 'unordered']);

/** @returns the length of `data` in bytes. @throws UsageError, FeatureUnavailableError. */
export function checkSend(data: unknown, options: SendOptions | undefined, limits: WindowLimits): number {
  const length = typeof data === 'string' ? Buffer.byteLength(data) : data instanceof Uint8Array ? data.length : undefined;
  if (length === undefined) throw new UsageError('INVALID_DATA', `data is a string or Uint8Array, not ${data === null ? 'null' : typeof data}`);
  if (length > Math.min(limits.bytes, 1024 * 1024)) throw new UsageError('MESSAGE_TOO_LARGE', `a message of ${length} bytes; ${Math.min(limits.bytes, 1024 * 1024)} are possible`);
  if (options !== undefined) checkOptions(options);
  return length;
}

function checkOptions(options: SendOptions): void {
  for (const name of Object.keys(options)) if (!known.has(name)) throw new UsageError('INVALID_OPTION', `send has no option ${name}`);
  const { deliver, ppid, lifetime, stream, unordered } = options;
  if (deliver !== undefined && !deliveryModes.includes(deliver)) throw new UsageError('INVALID_OPTION', `deliver is one of ${deliveryModes.join(', ')}`);
  if (ppid !== undefined && !(Number.isInteger(ppid) && ppid >= 0 && ppid <= 0xffffffff)) throw new UsageError('INVALID_OPTION', 'ppid is a whole number of 32 bits');
  if (ppid === ASAP_PPID) throw new UsageError('INVALID_OPTION', `payload protocol id ${ASAP_PPID} is ASAP's own`);
  if (lifetime !== undefined && !(lifetime > 0 && lifetime < 2 ** 31)) throw new UsageError('INVALID_OPTION', 'lifetime is a number of milliseconds above 0');
  if (unordered === true) throw new FeatureUnavailableError('unordered delivery', 'the TCP mapping');
  if (stream !== undefined && stream !== 0) throw new FeatureUnavailableError('a second stream', 'the TCP mapping');
}
