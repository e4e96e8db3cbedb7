import type { Milliseconds } from '../environment.js';
import type { Timers } from './timers.js';

/** What can be promised of a scope, at worst, as functions of its timers: docs/bounds.md has the reasons. Times of one's own (a busy loop, a slow network) come on top:
 *  each hop counts as nothing here. */

/** From the death of a pool element that closes nothing (it is frozen, or its power is off) to its removal by its home: the next keep-alive, and no answer. With
 *  `isDoubtful`, by a registrar that suspects itself first because most of what it watches is silent: once more. */
export function removalBound(timers: Timers, { elements = 0, isDoubtful = false }: { readonly elements?: number; readonly isDoubtful?: boolean } = {}): Milliseconds {
  return longestPeriod(timers, elements) + SCHEDULE + timers.keepAliveTimeout * (isDoubtful ? 2 : 1);
}

/** From a report of unreachability about a dead element, or the end of its association, to its removal. */
export function reportBound({ keepAliveTimeout }: Timers): Milliseconds {
  return keepAliveTimeout;
}

/** From the failure of its home to a pool element's acknowledged registration elsewhere, by what it does itself: silence, a hunt, a registration. `mute` more registrars
 *  that accept and do not answer cost a T2 each. */
export function homeBound({ homeSilence, t5ServerHunt, t2Registration, maxRegAttempt, retranMax }: Timers, { mute = 0 }: { readonly mute?: number } = {}): Milliseconds {
  let rest = 0;
  for (let attempt = 1; attempt <= mute; attempt += 1) rest += t2Registration + (attempt > maxRegAttempt ? Math.min(retranMax, t2Registration * 2 ** (attempt - maxRegAttempt - 1)) : 0);
  // One that refuses, or accepts, is nothing to wait for; T5 is for those that do neither, and others are tried beside them.
  return homeSilence + rest + (mute > 0 ? 1.1 * t5ServerHunt : 0);
}

/** From a registrar's failure to its PEs' being claimed by another: silence, no answer to a question (asked once more by a registrar that suspects most of its peers at
 *  once), and arbitration, where each bystander asks the target by itself before it agrees. `silent`: bystanders that do not say anything are waited for three times as
 *  long. `winnerDies`: whoever was agreed upon fails before it has said so, and the others begin anew. */
export function takeoverBound(timers: Timers, { isDoubtful = false, silent = false, winnerDies = false }: { readonly isDoubtful?: boolean; readonly silent?: boolean; readonly winnerDies?: boolean } = {}): Milliseconds {
  const { maxTimeLastHeard, maxTimeNoResponse, takeoverExpiry } = timers;
  const arbitration = maxTimeNoResponse * (silent ? 3 : 1);
  return maxTimeLastHeard + maxTimeNoResponse * (isDoubtful ? 2 : 1) + arbitration + (winnerDies ? 1.5 * takeoverExpiry + arbitration : 0);
}

/** Without a living owner, at the worst: whichever comes first. */
export function ownerlessBound(timers: Timers): Milliseconds {
  return Math.min(homeBound(timers), takeoverBound(timers));
}

/** A look-up, with one registrar that has failed or, at the first look-up of all, with one that accepts and does not answer: T1, and another is asked. `mute`: so many of them. */
export function lookUpBound({ t1EnrpRequest, maxRequestRetransmit }: Timers, { mute = 1 }: { readonly mute?: number } = {}): Milliseconds {
  return Math.min(mute, maxRequestRetransmit + 1) * t1EnrpRequest;
}

/** From a PE's failure to its sessions' being served by another one, where the pool's other elements are known (cached): silence of the data channel, one more element
 *  that does not accept, and the cookie. */
export function failoverBound({ silence, connectTimeout }: Timers): Milliseconds {
  return silence + connectTimeout;
}

/** From a change of a pool at a registrar to its being in the cache of a pool user. `update`: it has a subscription (a session is open with the pool). `stale`: it has
 *  none, and asks when it wants something and what it knows is stale. `frozen`: it had one, at a registrar that has fallen silent since without closing its association. */
export function noticeBound({ staleCacheValue, t1EnrpRequest, resolutionInterval }: Timers, how: 'update' | 'stale' | 'frozen'): Milliseconds {
  switch (how) {
    case 'update': return UPDATE_PACE;
    case 'stale': return staleCacheValue * 1.1;
    case 'frozen': return staleCacheValue / 2 + t1EnrpRequest + resolutionInterval; // until it is confirmed next, T1, another registrar
  }
}

/** Between two updates of a pool by a registrar at its leisure (actors/subscriptions.ts). */
export const UPDATE_PACE: Milliseconds = 100;

/** How long after the last fault (a thaw, a healed partition, a restart are faults too) a scope is at rest: every living PE in every registrar's handlespace, with one owner. PEs that lost their home have found one (they
 *  may have backed off up to RETRAN.max while none was there), what is dead is removed, and one audit has evened out what was missed. */
export function quietBound(timers: Timers, { elements = 0 }: { readonly elements?: number } = {}): Milliseconds {
  const { retranMax, peerHeartbeatCycle, maxTimeNoResponse } = timers;
  const found = retranMax + homeBound(timers, { mute: 1 });
  const removed = takeoverBound(timers, { isDoubtful: true, silent: true, winnerDies: true }) + CLAIMS * timers.keepAliveTimeout + removalBound(timers, { elements, isDoubtful: true });
  return Math.max(found, removed) + AUDIT * peerHeartbeatCycle + 2 * maxTimeNoResponse;
}

/** Keep-alives come within half of the period more or less; many elements stretch it (`keepAliveRate`). */
function longestPeriod({ keepAlivePeriod, keepAliveRate }: Timers, elements: number): Milliseconds {
  return 1.5 * Math.max(keepAlivePeriod, (elements * 1000) / keepAliveRate);
}

/** A claimed PE is asked so often before it is given up (machines/keep-alive.ts). */
const CLAIMS = 3;

/** Presences until an audit has been made: two that differ, and the jitter of each. */
const AUDIT = 3;

/** The keep-alive schedule comes by each element twice a second, in steps. */
const SCHEDULE: Milliseconds = 550;
