import { assign, emit, sendTo, setup, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { poolHandleFromKey, type AsapMessageOf, type Cause } from '../wire/index.js';
import type { HomeFound } from './registration.js';
import { growing } from './random.js';
import type { HuntReason } from './server-hunt.js';
import type { Timers } from './timers.js';

/** One pool handle is resolved and kept fresh. RFC 5352 §3.3, §3.7. The elements themselves stay in the handle cache: the host fills it and then
 *  tells the chart that an answer has come. One chart a handle makes requests single-flight.
 *
 *  While somebody watches the handle it asks for updates (S bit, §2.2.5): then the cache is as new as the registrar's last word. A subscription ends with its
 *  association, with the pool, or unnoticed with a registrar that is frozen; so it is confirmed by a question twice within the stale cache value, moved to a new
 *  registrar at once, and where there is none the question is repeated after pauses. */
export const resolutionMachine = setup({
  types: {} as { context: ResolutionContext; events: ResolutionEvent; input: ResolutionInput; emitted: ResolutionNews },
  actions: {
    transmit: sendTo(({ context }) => context.home, ({ context }) => ({ type: 'transmit' as const, message: request(context) })),
    seekHome: sendTo(({ context }) => context.home, ({ context, self }) => ({ type: 'home.seek' as const, why: context.why, from: self })),
    suspect: assign((_, { why }: { why: HuntReason }) => ({ why })),
    countRepetition: assign({ repetitions: ({ context }) => context.repetitions + 1 }), // a question to another registrar is none
    noteQuestion: assign({ isAskedForUpdates: ({ context }) => context.isWatched() }),
    forgetRequests: assign({ repetitions: 0, why: 'none' }),
    noteAnswer: assign(({ context }, { isKnown }: { isKnown: boolean }) => ({ isKnown, answeredAt: context.now(), misses: isKnown ? 0 : context.misses })),
    countMiss: assign({ misses: ({ context }) => context.misses + 1 }),
    tell: emit((_, news: ResolutionNews) => news),
  },
  guards: {
    isNegative: (_, { error }: Answer) => error !== undefined,
    /** 0x9; a positive answer has an element at least (§2.2.6, X-33). */
    isUnknownHandle: (_, { error, poolElements }: Answer) => (error === undefined ? poolElements.length === 0 : error.some(({ cause }) => cause === 'unknown-pool-handle')),
    isNewHome: (_, { change }: HomeFound) => change !== 'none',
    isWatched: ({ context }) => context.isWatched(),
    isWatchedAtNewHome: ({ context }, { change }: HomeFound) => change !== 'none' && context.isWatched(),
    isSubscription: (_, { flags }: Answer) => flags.acceptUpdates,
    /** It was asked before somebody watched. */
    isToBeAskedFor: ({ context }) => context.isWatched() && !context.isAskedForUpdates,
    mayRepeat: ({ context }) => context.repetitions < context.timers.maxRequestRetransmit,
    isRested: ({ context }) => context.now() - context.answeredAt >= context.timers.resolutionInterval,
    isKnown: ({ context }) => context.isKnown,
  },
  delays: {
    'T1-ENRPrequest': ({ context }) => context.timers.t1EnrpRequest,
    'registrar-wait': ({ context }) => context.timers.registrarWait,
    stale_cache_value: ({ context }) => Math.max(1, context.timers.staleCacheValue * (0.9 + context.fraction() / 5) - (context.now() - context.answeredAt)), // not all at the same moment
    'subscription-renewal': ({ context }) => context.timers.staleCacheValue * (0.4 + context.fraction() / 10),
    'resubscription': ({ context }) => context.timers.resolutionInterval * context.fraction(), // all of a registrar that died ask its successor
    'watch-pause': ({ context }) => growing(context.timers.resolutionInterval, context.misses, context.timers.staleCacheValue) * (0.5 + context.fraction() / 2),
    'resolution-interval': ({ context }) => Math.max(1, context.timers.resolutionInterval - (context.now() - context.answeredAt)),
  },
}).createMachine({
  id: 'resolution',
  context: ({ input }) => ({ ...input, repetitions: 0, why: 'none', isAskedForUpdates: false, isKnown: false, answeredAt: -Infinity, misses: 0 }),
  initial: 'idle',
  on: {
    // Also unasked for: an update of a subscription (S bit, §2.2.5), or the late answer of a registrar given up.
    ASAP_HANDLE_RESOLUTION_RESPONSE: [
      { guard: { type: 'isUnknownHandle', params: ({ event }) => event }, target: '.unknown', actions: ['forgetRequests', { type: 'noteAnswer', params: { isKnown: false } }, { type: 'tell', params: { type: 'resolution.unknown' } }], reenter: true },
      { guard: { type: 'isNegative', params: ({ event }) => event }, target: '.refused', actions: ['forgetRequests', { type: 'tell', params: ({ event }) => ({ type: 'resolution.refused', causes: event.error ?? [] }) }], reenter: true },
      { guard: { type: 'isSubscription', params: ({ event }) => event }, target: '.subscribed', actions: ['forgetRequests', { type: 'noteAnswer', params: { isKnown: true } }, { type: 'tell', params: { type: 'resolution.cached', isSubscribed: true } }], reenter: true },
      { target: '.answered', actions: ['forgetRequests', { type: 'noteAnswer', params: { isKnown: true } }, { type: 'tell', params: { type: 'resolution.cached', isSubscribed: false } }], reenter: true },
    ],
    'cache.purge': [{ guard: 'isWatched', target: '.seeking' }, { target: '.idle' }], // §6.4
  },
  states: {
    idle: { on: { 'resolution.request': 'seeking', 'resolution.watch': 'seeking' } },
    seeking: { // NR2
      entry: 'seekHome',
      after: { 'registrar-wait': { target: 'givingUp' } },
      on: { 'home.found': 'requesting', 'cache.purge': {} },
    },
    requesting: {
      entry: ['noteQuestion', 'transmit'], // NR1, NR3
      after: { // NR4; §3.7.2: again, and a hunt in parallel
        'T1-ENRPrequest': [
          { guard: 'mayRepeat', target: 'requesting', actions: ['countRepetition', { type: 'suspect', params: { why: 'T1-ENRPrequest' } }, 'seekHome'], reenter: true },
          { target: 'givingUp', actions: [{ type: 'suspect', params: { why: 'T1-ENRPrequest' } }, 'seekHome'] },
        ],
      },
      on: {
        'home.found': { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'requesting', reenter: true },
        'home.lost': { target: 'seeking', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'transport.sendFailure': { target: 'seeking', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'cache.purge': {}, // what comes is new anyway
      },
    },
    answered: { always: [{ guard: 'isToBeAskedFor', target: 'resting' }, { target: 'cached' }] },
    cached: { // C4: no question while it is fresh, but for those who know better (a failover)
      after: { stale_cache_value: { target: 'stale', actions: { type: 'tell', params: { type: 'resolution.stale' } } } }, // C2
      on: {
        'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }],
        'resolution.watch': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }],
        'home.found': { guard: { type: 'isWatchedAtNewHome', params: ({ event }) => event }, target: 'resubscribing' }, // the last one sent no updates
      },
    },
    subscribed: { // A flag, §2.2.6
      after: { 'subscription-renewal': [{ guard: 'isWatched', target: 'seeking' }, { target: 'cached' }] },
      on: {
        'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }],
        'home.lost': [{ guard: 'isWatched', target: 'seeking', actions: { type: 'suspect', params: { why: 'transport.down' } } }, { target: 'cached' }],
        'home.found': [
          { guard: { type: 'isWatchedAtNewHome', params: ({ event }) => event }, target: 'resubscribing' },
          { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'cached' },
        ],
      },
    },
    resubscribing: { // §2.2.5: registrars do not tell each other who wants updates
      after: { resubscription: 'seeking' },
      on: { 'resolution.request': 'seeking' },
    },
    stale: { // C3: the host answers from the cache meanwhile
      always: { guard: 'isWatched', target: 'pausing' },
      on: { 'resolution.request': 'seeking', 'resolution.watch': 'seeking' },
    },
    unknown: {
      entry: 'countMiss',
      always: { guard: 'isWatched', target: 'pausing' },
      on: { 'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }], 'resolution.watch': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }] },
    },
    /** Somebody watches, and no registrar sends updates: none is there, none grants them, or the pool has vanished and with it the subscription. */
    pausing: {
      after: { 'watch-pause': 'seeking' }, // once more, if nobody watches by now
      on: {
        'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }],
        'home.found': { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'resubscribing' },
      },
    },
    /** Questions that come too soon wait: a negative answer is never given from memory. */
    resting: { after: { 'resolution-interval': 'seeking' }, on: { 'cache.purge': {} } },
    refused: { entry: 'countMiss', always: [{ guard: 'isWatched', target: 'pausing' }, { guard: 'isKnown', target: 'stale' }, { target: 'idle' }] },
    givingUp: {
      entry: ['forgetRequests', 'countMiss', { type: 'tell', params: { type: 'resolution.failed', reason: 'T1-ENRPrequest' } }], // Error.Report, §3.7.2
      always: [{ guard: 'isWatched', target: 'pausing' }, { guard: 'isKnown', target: 'stale' }, { target: 'idle' }],
    },
  },
});

type Answer = AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>;

const request = ({ poolHandle, isAskedForUpdates }: ResolutionContext): AsapMessageOf<'ASAP_HANDLE_RESOLUTION'> =>
  ({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: isAskedForUpdates }, poolHandle: poolHandleFromKey(poolHandle) });

export interface ResolutionInput {
  /** Takes `transmit` and `home.seek`; tells `home.found` and `home.lost`. */
  readonly home: AnyActorRef;
  /** The handle's key. */
  readonly poolHandle: string;
  readonly timers: Pick<Timers, 't1EnrpRequest' | 'maxRequestRetransmit' | 'registrarWait' | 'staleCacheValue' | 'resolutionInterval'>;
  readonly now: () => Milliseconds;
  /** Whether somebody wants updates now. */
  readonly isWatched: () => boolean;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
}
export interface ResolutionContext extends ResolutionInput {
  /** After a T1 without an answer. */
  readonly repetitions: number;
  readonly why: HuntReason;
  /** The last question had the S bit. */
  readonly isAskedForUpdates: boolean;
  /** The last answer had elements. */
  readonly isKnown: boolean;
  readonly answeredAt: Milliseconds;
  /** Questions in a row that brought no element. */
  readonly misses: number;
}
export type ResolutionEvent =
  | { type: 'resolution.request' }
  /** Somebody begins to watch; nobody did. */
  | { type: 'resolution.watch' }
  | { type: 'cache.purge' }
  | Answer
  | HomeFound
  | { type: 'home.lost' }
  | { type: 'transport.sendFailure' };
export type ResolutionNews =
  | { type: 'resolution.cached'; isSubscribed: boolean }
  | { type: 'resolution.stale' }
  | { type: 'resolution.unknown' }
  | { type: 'resolution.refused'; causes: readonly Cause[] }
  | { type: 'resolution.failed'; reason: 'T1-ENRPrequest' };
