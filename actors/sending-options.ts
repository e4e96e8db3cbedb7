import { UsageError } from '../errors.js';
import type { DeliveryMode } from '../delivery/modes.js';
import type { PoolElementHandle } from './access-point-events.js';
import type { ActorEnvironment } from './environment.js';
import { checkAddress, checkElementHandle, checkHandle, invalid } from './options.js';
import { modeOf, type SendOptions } from './session-messages.js';

/** A transport address: what looks like one is no pool handle, unless that is given as bytes. */
export type TransportUrl = `${string}://${string}`;

export interface AccessPointSendOptions extends SendOptions {
  /** ASAP_SEND_TO_LAST (RFC 5352 §6.5.5): to the element that the last message to this pool went to, or to the one that has taken over from it. With a pool handle. Default false. */
  readonly toLast?: boolean;
  /** ASAP_SEND_TO_ALL: a copy to each element, but to none of this access point. With a pool handle. Default false. */
  readonly toAll?: boolean;
  /** ASAP_SEND_TO_SELF: with `toAll`, to those of this access point too. Default false. */
  readonly toSelf?: boolean;
}

/** Where a message goes (RFC 5352 §6.5.1, §6.5.3, §6.5.4). */
export type Target =
  | { readonly kind: 'pool'; readonly key: string; readonly handle: string | Uint8Array }
  | { readonly kind: 'element'; readonly key: string; readonly handle: string | Uint8Array; readonly identifier: number }
  | { readonly kind: 'address'; readonly address: string };

/** @throws UsageError, FeatureUnavailableError. */
export function targetOf(environment: ActorEnvironment, destination: unknown): Target {
  if (typeof destination === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(destination)) {
    checkAddress(environment, destination);
    return { kind: 'address', address: destination };
  }
  if (typeof destination === 'string' || destination instanceof Uint8Array) return { kind: 'pool', key: checkHandle(destination), handle: destination };
  if (typeof destination !== 'object' || destination === null) throw new UsageError('INVALID_HANDLE', `send takes a pool handle, a PE handle or an address, not ${destination === null ? 'null' : typeof destination}`);
  const { handle } = destination as PoolElementHandle;
  return { kind: 'element', handle, ...checkElementHandle(destination) };
}

/** The mode of the message: to a pool with failover, to one element without it, unless it is asked for. @throws UsageError where options contradict each other. */
export function modeFor({ kind }: Target, { deliver, toLast = false, toAll = false, toSelf = false }: AccessPointSendOptions): DeliveryMode {
  if ((toLast || toAll) && kind !== 'pool') throw invalid(`rsp.send: ${toLast ? 'toLast' : 'toAll'} needs a pool handle`);
  if (toLast && toAll) throw invalid('rsp.send: toLast and toAll exclude each other');
  if (toSelf && !toAll) throw invalid('rsp.send: toSelf goes with toAll');
  const mode = deliver === undefined ? (kind === 'pool' && !toAll ? 'effectively-once' : 'at-most-once') : modeOf(deliver);
  if (mode !== 'at-most-once' && kind === 'address') throw invalid('rsp.send: there is no failover from an address');
  if (mode !== 'at-most-once' && toAll) throw invalid('rsp.send: the copies of toAll are for one element each; there is no failover');
  return mode;
}
