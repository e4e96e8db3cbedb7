import { assign, emit, sendTo, setup, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { poolHandleFromKey, type AsapMessageOf, type Cause } from '../wire/index.js';
import type { HomeFound } from './registration.js';
import type { HuntReason } from './server-hunt.js';
import type { Timers } from './timers.js';

/** One pool handle is resolved and kept fresh. RFC 5352 §3.3, §3.7. The elements themselves stay in the handle cache: the host fills it and then
 *  tells the chart that an answer has come. One chart a handle makes requests single-flight. */
export const resolutionMachine = setup({
  types: {} as { context: ResolutionContext; events: ResolutionEvent; input: ResolutionInput; emitted: ResolutionNews },
  actions: {
    transmit: sendTo(({ context }) => context.home, ({ context }) => ({ type: 'transmit' as const, message: request(context) })),
    seekHome: sendTo(({ context }) => context.home, ({ context, self }) => ({ type: 'home.seek' as const, why: context.why, from: self })),
    suspect: assign((_, { why }: { why: HuntReason }) => ({ why })),
    countRepetition: assign({ repetitions: ({ context }) => context.repetitions + 1 }), // a question to another registrar is none
    forgetRequests: assign({ repetitions: 0, why: 'none' }),
    noteAnswer: assign(({ context }, { isKnown }: { isKnown: boolean }) => ({ isKnown, answeredAt: context.now() })),
    tell: emit((_, news: ResolutionNews) => news),
  },
  guards: {
    isNegative: (_, { error }: Answer) => error !== undefined,
    /** 0x9; a positive answer has an element at least (§2.2.6, X-33). */
    isUnknownHandle: (_, { error, poolElements }: Answer) => (error === undefined ? poolElements.length === 0 : error.some(({ cause }) => cause === 'unknown-pool-handle')),
    isNewHome: (_, { change }: HomeFound) => change !== 'none',
    mayRepeat: ({ context }) => context.repetitions < context.timers.maxRequestRetransmit,
    isRested: ({ context }) => context.now() - context.answeredAt >= context.timers.resolutionInterval,
    isKnown: ({ context }) => context.isKnown,
  },
  delays: {
    'T1-ENRPrequest': ({ context }) => context.timers.t1EnrpRequest,
    'registrar-wait': ({ context }) => context.timers.registrarWait,
    stale_cache_value: ({ context }) => context.timers.staleCacheValue * (0.9 + context.fraction() / 5), // not all at the same moment
    'resolution-interval': ({ context }) => Math.max(1, context.timers.resolutionInterval - (context.now() - context.answeredAt)),
  },
}).createMachine({
  id: 'resolution',
  context: ({ input }) => ({ ...input, repetitions: 0, why: 'none', isKnown: false, answeredAt: -Infinity }),
  initial: 'idle',
  on: {
    // Also unasked for: an update of a subscription (S bit, §2.2.5), or the late answer of a registrar given up.
    ASAP_HANDLE_RESOLUTION_RESPONSE: [
      { guard: { type: 'isUnknownHandle', params: ({ event }) => event }, target: '.unknown', actions: ['forgetRequests', { type: 'noteAnswer', params: { isKnown: false } }, { type: 'tell', params: { type: 'resolution.unknown' } }], reenter: true },
      { guard: { type: 'isNegative', params: ({ event }) => event }, target: '.refused', actions: ['forgetRequests', { type: 'tell', params: ({ event }) => ({ type: 'resolution.refused', causes: event.error ?? [] }) }], reenter: true },
      { target: '.cached', actions: ['forgetRequests', { type: 'noteAnswer', params: { isKnown: true } }, { type: 'tell', params: { type: 'resolution.cached' } }], reenter: true },
    ],
    'cache.purge': '.idle', // §6.4
  },
  states: {
    idle: { on: { 'resolution.request': 'seeking' } },
    seeking: { // NR2
      entry: 'seekHome',
      after: { 'registrar-wait': { target: 'givingUp' } },
      on: { 'home.found': 'requesting', 'cache.purge': {} },
    },
    requesting: {
      entry: 'transmit', // NR1, NR3
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
    cached: { // C4: no question while it is fresh, but for those who know better (a failover)
      after: { stale_cache_value: { target: 'stale', actions: { type: 'tell', params: { type: 'resolution.stale' } } } }, // C2
      on: { 'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }] },
    },
    stale: { on: { 'resolution.request': 'seeking' } }, // C3: the host answers from the cache meanwhile
    unknown: { on: { 'resolution.request': [{ guard: 'isRested', target: 'seeking' }, { target: 'resting' }] } },
    /** Questions that come too soon wait: a negative answer is never given from memory. */
    resting: { after: { 'resolution-interval': 'seeking' }, on: { 'cache.purge': {} } },
    refused: { always: [{ guard: 'isKnown', target: 'stale' }, { target: 'idle' }] },
    givingUp: {
      entry: ['forgetRequests', { type: 'tell', params: { type: 'resolution.failed', reason: 'T1-ENRPrequest' } }], // Error.Report, §3.7.2
      always: [{ guard: 'isKnown', target: 'stale' }, { target: 'idle' }],
    },
  },
});

type Answer = AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>;

const request = ({ poolHandle }: ResolutionContext): AsapMessageOf<'ASAP_HANDLE_RESOLUTION'> =>
  ({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: poolHandleFromKey(poolHandle) });

export interface ResolutionInput {
  /** Takes `transmit` and `home.seek`; tells `home.found` and `home.lost`. */
  readonly home: AnyActorRef;
  /** The handle's key. */
  readonly poolHandle: string;
  readonly timers: Pick<Timers, 't1EnrpRequest' | 'maxRequestRetransmit' | 'registrarWait' | 'staleCacheValue' | 'resolutionInterval'>;
  readonly now: () => Milliseconds;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
}
export interface ResolutionContext extends ResolutionInput {
  /** After a T1 without an answer. */
  readonly repetitions: number;
  readonly why: HuntReason;
  /** The last answer had elements. */
  readonly isKnown: boolean;
  readonly answeredAt: Milliseconds;
}
export type ResolutionEvent =
  | { type: 'resolution.request' }
  | { type: 'cache.purge' }
  | Answer
  | HomeFound
  | { type: 'home.lost' }
  | { type: 'transport.sendFailure' };
export type ResolutionNews =
  | { type: 'resolution.cached' }
  | { type: 'resolution.stale' }
  | { type: 'resolution.unknown' }
  | { type: 'resolution.refused'; causes: readonly Cause[] }
  | { type: 'resolution.failed'; reason: 'T1-ENRPrequest' };
