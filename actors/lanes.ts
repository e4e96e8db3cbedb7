import { FeatureUnavailableError, UsageError } from '../errors.js';
import { isUnordered, MAX_FRAGMENT, UNORDERED } from '../wire/mapping.js';
import { checkOptions, isBoolean, isStream } from './options.js';

/** How a message travels within its session (D-23). Only the SCTP mapping has either. */
export interface LaneOptions {
  /** The stream it goes on, 0 to 15: messages of one stream are in order, those of two do not wait for each other. Default 0. */
  readonly stream?: number;
  /** It may overtake, and be overtaken: handled when it comes. Not with effectively-once; 65 472 bytes at most. Default false. */
  readonly unordered?: boolean;
}

export const laneChecks = { stream: isStream, unordered: isBoolean };

/** As in the header of frames. @throws UsageError INVALID_OPTION. */
export function laneFor(call: string, { stream = 0, unordered = false }: LaneOptions): number {
  checkOptions(call, { stream, unordered }, laneChecks);
  return unordered ? UNORDERED | stream : stream;
}

/** @throws UsageError where what is to go unordered has an order, or does not go in one piece. */
export function checkUnordered(length: number, isOrdered: boolean): void {
  if (isOrdered) throw new UsageError('INVALID_OPTION', 'effectively-once has an order; what goes unordered is sent at-least-once or at-most-once (deliver)');
  if (length > MAX_FRAGMENT) throw new UsageError('MESSAGE_TOO_LARGE', `an unordered message of ${length} bytes; ${MAX_FRAGMENT} are possible`);
}

export const lacksStreams = (lane: number, where: string): FeatureUnavailableError => new FeatureUnavailableError(isUnordered(lane) ? 'unordered delivery' : 'a second stream', where);
