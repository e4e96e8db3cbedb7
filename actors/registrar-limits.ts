import type { Milliseconds } from '../environment.js';
import { checkOptions, invalid, isCount } from './options.js';

/** Limits on everything that comes from the network (RFC 5355 §2.13, §2.14 ask for some and give no numbers: X-44). Who goes beyond one loses
 *  its own association, or gets a refusal with its cause. */
export interface RegistrarLimits {
  /** Associations at once. Default 20 000. */
  readonly associations: number;
  /** Associations that have not sent a message yet; the oldest of more is ended. Default 1000. */
  readonly silentAssociations: number;
  /** Default 100 000. */
  readonly pools: number;
  /** Pool elements in one pool. Default 100 000. */
  readonly elementsPerPool: number;
  /** Registrations over one association. Default 10 000. */
  readonly registrationsPerAssociation: number;
  /** Pools whose updates one association may ask for. Default 1000. */
  readonly subscriptionsPerAssociation: number;
  /** Pool elements in an answer to a request that does not say how many. Default 128. */
  readonly elementsPerAnswer: number;
  /** ASAP_ENDPOINT_UNREACHABLE heeded a second from one association. Default 100. */
  readonly reportsPerSecond: number;
  /** Bytes that wait for one peer above which it is not read any more. Default 256 KiB. */
  readonly highWaterMark: number;
  /** Bytes that may wait for one peer before its association is ended. Default 4 MiB. */
  readonly queuedBytes: number;
  /** Time for a peer that does not read to go on reading, before its association is ended. Default 10 000 ms. */
  readonly stalledTimeout: Milliseconds;
  /** Time for an association's first message. Default 60 000 ms. */
  readonly firstMessageTimeout: Milliseconds;
  /** Time for a message that has begun to be whole. Default 5 000 ms. */
  readonly messageTimeout: Milliseconds;
  /** Other registrars. Default 64. */
  readonly peers: number;
}

const defaults: RegistrarLimits = {
  associations: 20_000, silentAssociations: 1_000, pools: 100_000, elementsPerPool: 100_000, registrationsPerAssociation: 10_000,
  subscriptionsPerAssociation: 1_000, elementsPerAnswer: 128, reportsPerSecond: 100, highWaterMark: 256 * 1024, queuedBytes: 4 * 1024 * 1024,
  stalledTimeout: 10_000, firstMessageTimeout: 60_000, messageTimeout: 5_000,
  peers: 64,
};

/** @throws UsageError INVALID_OPTION. */
export function resolveLimits(limits: Partial<RegistrarLimits> = {}): RegistrarLimits {
  checkOptions('limits', limits, Object.fromEntries(Object.keys(defaults).map((name) => [name, isCount])));
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  const resolved: RegistrarLimits = { ...defaults, ...given };
  if (resolved.highWaterMark > resolved.queuedBytes) throw invalid(`limits: highWaterMark (${resolved.highWaterMark}) is at most queuedBytes (${resolved.queuedBytes})`);
  return resolved;
}
