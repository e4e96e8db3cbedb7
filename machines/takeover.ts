import { assign, emit, setup } from 'xstate';
import { growing } from './random.js';
import type { Timers } from './timers.js';

/** Registrars agree on who takes over the pool elements of one that has failed. RFC 5353 §3.5; one chart a target, at each of the others. */
export const takeoverMachine = setup({
  types: {} as { context: TakeoverContext; events: TakeoverEvent; input: TakeoverInput; emitted: TakeoverOrder },
  actions: {
    order: emit((_, params: TakeoverOrder) => params),
    ask: assign(({ context }) => ({ waiting: context.peers(), rivals: [] })),
    forgetPeer: assign(({ context }, { by }: Who) => ({ waiting: context.waiting.filter((other) => other !== by) })),
    noteRival: assign(({ context }, { by }: Who) => ({ rivals: [...new Set([...context.rivals, by])] })),
    follow: assign((_, { by }: Who) => ({ winner: by })),
    countRefusal: assign({ refusals: ({ context }) => context.refusals + 1 }),
  },
  guards: {
    isInitiating: ({ context }) => context.initiator === undefined,
    /** All have agreed, and this registrar was there all the time: what it reads after a thaw is of yesterday, and somebody else may have won. */
    isEverybodyHeard: ({ context }) => context.waiting.length === 0 && !context.wasAway(),
    /** §3.5.1 2A: the smaller identifier gives in. */
    isRivalStronger: ({ context }, { by }: Who) => by > context.self,
    hasRival: ({ context }) => context.rivals.length > 0,
    isWinner: ({ context }, { by }: Who) => by === context.winner,
    wasAway: ({ context }) => context.wasAway(),
    isNothingLeft: ({ context }) => !context.ownsElements(),
  },
  delays: {
    'MAX-TIME-NO-RESPONSE': ({ context }) => context.timers.maxTimeNoResponse,
    arbitration: ({ context }) => 3 * context.timers.maxTimeNoResponse,
    'takeover-expiry': ({ context }) => context.timers.takeoverExpiry * (1 + context.fraction() / 2),
    'refusal-back-off': ({ context }) => growing(context.timers.maxTimeLastHeard, context.refusals, context.timers.retranMax) * (1 + context.fraction()),
  },
}).createMachine({
  id: 'takeover',
  context: ({ input }) => ({ ...input, waiting: [], rivals: [], winner: input.initiator, refusals: 0 }),
  initial: 'entering',
  on: {
    'target.heard': '.refuted',
    ENRP_TAKEOVER_SERVER: '.ended', // somebody has won
  },
  states: {
    entering: { always: [{ guard: 'isInitiating', target: 'arbitrating' }, { target: 'examining' }] },
    arbitrating: {
      entry: ['ask', { type: 'order', params: { type: 'order.initiate' } }],
      always: { guard: 'isEverybodyHeard', target: 'won' },
      on: {
        ENRP_INIT_TAKEOVER_ACK: { actions: { type: 'forgetPeer', params: ({ event }) => event } },
        'peer.gone': { actions: { type: 'forgetPeer', params: ({ event }) => event } }, // found dead meanwhile
        ENRP_INIT_TAKEOVER: [
          {
            guard: { type: 'isRivalStronger', params: ({ event }) => event },
            target: 'yielded',
            actions: [{ type: 'follow', params: ({ event }) => event }, { type: 'order', params: ({ event }) => ({ type: 'order.acknowledge', to: [event.by] }) }],
          },
          { actions: { type: 'noteRival', params: ({ event }) => event } }, // 2B
        ],
        'takeover.refused': { target: 'refused', actions: 'countRefusal' },
      },
      after: {
        arbitration: [
          { guard: 'wasAway', target: 'arbitrating', reenter: true }, // a registrar that was frozen in the middle has won nothing
          // A rival with the smaller identifier that does not give in: RSPLIB has the rule the other way round. Two that insist would wait for ever.
          { guard: 'hasRival', target: 'yielded', actions: { type: 'order', params: ({ context }) => ({ type: 'order.acknowledge', to: context.rivals }) } },
          { target: 'won' }, // who is alive, and neither acknowledges nor objects, holds nobody up
        ],
      },
    },
    // Another wants to take the target over: that is one accuser. §3.5.1 acknowledges at once; we ask the target first.
    examining: {
      entry: { type: 'order', params: { type: 'order.examine' } },
      on: {
        'target.heard': { target: 'refuted', actions: { type: 'order', params: ({ context }) => ({ type: 'order.refuse', to: context.winner as number }) } },
        ENRP_INIT_TAKEOVER: { actions: { type: 'noteRival', params: ({ event }) => event } },
        'target.leaves': 'arbitrating',
        // This registrar had suspected and asked it before: it need not wait as long again, and nobody for it.
        'target.dead': [
          { guard: 'wasAway' },
          { target: 'yielded', actions: { type: 'order', params: ({ context }) => ({ type: 'order.acknowledge', to: [context.winner as number, ...context.rivals] }) } },
        ],
      },
      after: {
        'MAX-TIME-NO-RESPONSE': [
          { guard: 'wasAway', target: 'examining', reenter: true },
          { target: 'yielded', actions: { type: 'order', params: ({ context }) => ({ type: 'order.acknowledge', to: [context.winner as number, ...context.rivals] }) } },
        ],
      },
    },
    yielded: {
      on: {
        ENRP_INIT_TAKEOVER: { actions: [{ type: 'follow', params: ({ event }) => event }, { type: 'order', params: ({ event }) => ({ type: 'order.acknowledge', to: [event.by] }) }] },
        'peer.gone': { guard: { type: 'isWinner', params: ({ event }) => event }, target: 'arbitrating' }, // who would have taken over is dead as well
      },
      // RSPLIB's end of a takeover reaches nobody: the winner's checksum tells us, and the target owns nothing any more. Else all begin anew.
      after: { 'takeover-expiry': [{ guard: 'isNothingLeft', target: 'ended' }, { target: 'arbitrating' }] },
    },
    // One of the others hears the target. It is asked again, less and less often.
    refused: {
      on: {
        ENRP_INIT_TAKEOVER: { target: 'yielded', actions: [{ type: 'follow', params: ({ event }) => event }, { type: 'order', params: ({ event }) => ({ type: 'order.acknowledge', to: [event.by] }) }] },
        'target.leaves': 'arbitrating',
      },
      after: { 'refusal-back-off': [{ guard: 'isNothingLeft', target: 'ended' }, { target: 'arbitrating' }] },
    },
    won: { type: 'final', entry: { type: 'order', params: { type: 'order.claim' } } }, // §3.5.2
    ended: { type: 'final', entry: { type: 'order', params: { type: 'order.forget' } } },
    refuted: { type: 'final', entry: { type: 'order', params: { type: 'order.spare' } } },
  },
});

export interface TakeoverInput {
  /** Identifiers of registrars. */
  readonly self: number;
  readonly target: number;
  /** Who wants to take the target over; undefined where this registrar does. */
  readonly initiator: number | undefined;
  /** All others that are to agree. */
  readonly peers: () => readonly number[];
  /** Whether pool elements are still registered with the target. */
  readonly ownsElements: () => boolean;
  /** Whether this registrar did not run for a part of the last second or so. */
  readonly wasAway: () => boolean;
  readonly timers: Pick<Timers, 'maxTimeNoResponse' | 'maxTimeLastHeard' | 'takeoverExpiry' | 'retranMax'>;
  /** Uniform in [0, 1): jitter. */
  readonly fraction: () => number;
}
export interface TakeoverContext extends TakeoverInput {
  /** For whose acknowledgement. */
  readonly waiting: readonly number[];
  /** Others that want to take it over. */
  readonly rivals: readonly number[];
  /** Whom this registrar has acknowledged, or is about to. */
  readonly winner: number | undefined;
  readonly refusals: number;
}
interface Who { readonly by: number }
export type TakeoverEvent =
  | ({ type: 'ENRP_INIT_TAKEOVER' } & Who) | ({ type: 'ENRP_INIT_TAKEOVER_ACK' } & Who) | ({ type: 'ENRP_TAKEOVER_SERVER' } & Who)
  /** A peer has heard the target, and says so (ENRP_ERROR). */
  | ({ type: 'takeover.refused' } & Who)
  | ({ type: 'peer.gone' } & Who)
  | { type: 'target.heard' }
  /** It has not answered this registrar either. */
  | { type: 'target.dead' }
  /** It hands itself over. */
  | { type: 'target.leaves' };
export type TakeoverOrder =
  /** ENRP_INIT_TAKEOVER to all, the target too. */
  | { type: 'order.initiate' }
  /** Ask the target for a sign of life. */
  | { type: 'order.examine' }
  /** ENRP_INIT_TAKEOVER_ACK. */
  | { type: 'order.acknowledge'; to: readonly number[] }
  | { type: 'order.refuse'; to: number }
  /** ENRP_TAKEOVER_SERVER to all, and the pool elements are this registrar's. */
  | { type: 'order.claim' }
  /** The target is off the list. */
  | { type: 'order.forget' }
  /** The target is active. */
  | { type: 'order.spare' };
