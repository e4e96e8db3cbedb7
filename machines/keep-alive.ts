import { assign, emit, setup } from 'xstate';

const nobody: readonly number[] = [];

/** A registrar watches over one pool element that it owns. RFC 5352 §3.4, §3.5. A flat chart and a root actor each: there may be 100 000 of
 *  them, so none has a timer. One schedule for all says when to look (`check`), that an answer is overdue, that a life is over (`expire`). */
export const keepAliveMachine = setup({
  types: {} as { context: KeepAliveContext; events: KeepAliveEvent; input: KeepAliveInput; emitted: KeepAliveOrder },
  actions: {
    probe: emit({ type: 'order.probe' }),
    remove: emit((_, params: { reason: RemovalReason }) => ({ type: 'order.remove' as const, ...params })),
    spare: assign({ isSpared: true }),
    // the counter falls again: by one with each acknowledgement that no report had asked for, to nothing at a registration.
    noteAck: assign(({ context: { isAccused, reports, reporters } }) => {
      const left = isAccused ? reports : Math.max(0, reports - 1);
      return { reports: left, reporters: left === 0 ? nobody : reporters, isAccused: false, isSpared: false };
    }),
    forgive: assign({ reports: 0, reporters: nobody, isAccused: false, isSpared: false }),
    countTry: assign({ tries: ({ context }) => context.tries + 1 }),
    noteReport: assign({ reports: ({ context }) => Math.min(context.reports + 1, context.registrar.maxBadPeReport), isAccused: true }),
    noteReporter: assign({ reporters: ({ context: { reporters } }, { reporter }: Reporter) => (reporters.includes(reporter) ? reporters : [...reporters.slice(1 - MOST_REPORTERS), reporter]) }),
  },
  guards: {
    isClaimed: ({ context }) => context.isClaimed,
    hasTriesLeft: ({ context }) => context.tries < MOST_TRIES,
    isOnRecord: ({ context }) => context.reports > 0 || context.isSpared, // as a rule it is not, and a renewal is no step at all
    // It acknowledges, and is reported again and again (§3.5). One accuser alone removes nobody: what he says makes us ask.
    isCondemned: ({ context }, { reporter }: Reporter) => context.reports >= context.registrar.maxBadPeReport && context.reporters.some((other) => other !== reporter),
    // A registrar that suspects most of what it sees suspects itself first, for one round.
    isSpared: ({ context }) => !context.isSpared && context.registrar.suspectsItself(),
  },
}).createMachine({
  id: 'keepAlive',
  context: ({ input: { registrar, isClaimed } }) => ({ registrar, isClaimed, tries: 1, reports: 0, reporters: nobody, isAccused: false, isSpared: false }),
  initial: 'entering',
  on: {
    expire: { target: '.removed', actions: { type: 'remove', params: { reason: 'expired' } } },
    ASAP_DEREGISTRATION: { target: '.removed', actions: { type: 'remove', params: { reason: 'deregistered' } } },
    dismiss: { target: '.removed', actions: { type: 'remove', params: { reason: 'dismissed' } } },
  },
  states: {
    entering: { always: [{ guard: 'isClaimed', target: 'claiming' }, { target: 'alive' }] },
    // RFC 5353 §3.5.2: taken over from another registrar, and asked with the H flag to adopt this one. Where nobody answers it may be one that cannot be
    // reached, and hunts by itself: it has the time for that.
    claiming: {
      entry: 'probe',
      on: {
        ASAP_ENDPOINT_KEEP_ALIVE_ACK: { target: 'alive', actions: 'noteAck' },
        ASAP_REGISTRATION: { target: 'alive', actions: 'forgive' },
        overdue: [
          { guard: 'hasTriesLeft', target: 'claiming', reenter: true, actions: 'countTry' },
          { target: 'removed', actions: { type: 'remove', params: { reason: 'unanswered' } } },
        ],
      },
    },
    alive: {
      on: {
        check: 'checking',
        ASAP_ENDPOINT_UNREACHABLE: [
          { guard: { type: 'isCondemned', params: ({ event }) => event }, target: 'removed', actions: { type: 'remove', params: { reason: 'reported' } } },
          { target: 'checking', actions: ['noteReport', { type: 'noteReporter', params: ({ event }) => event }] }, // asked at once
        ],
        'association.lost': 'checking', // evidence, not yet the end
        'identifier.claimed': 'checking', // somebody else's, if this one answers
        ASAP_REGISTRATION: { guard: 'isOnRecord', actions: 'forgive' },
      },
    },
    checking: {
      entry: 'probe',
      on: {
        ASAP_ENDPOINT_KEEP_ALIVE_ACK: { target: 'alive', actions: 'noteAck' },
        ASAP_REGISTRATION: { target: 'alive', actions: 'forgive' },
        ASAP_ENDPOINT_UNREACHABLE: { actions: { type: 'noteReporter', params: ({ event }) => event } }, // it is being asked: one event, however many saw it
        'association.lost': { target: 'checking', reenter: true }, // it may be reached at its own ASAP transport
        'probe.failed': { target: 'removed', actions: { type: 'remove', params: { reason: 'unreachable' } } },
        overdue: [
          { guard: 'isSpared', target: 'checking', reenter: true, actions: 'spare' },
          { target: 'removed', actions: { type: 'remove', params: { reason: 'unanswered' } } },
        ],
      },
    },
    removed: { type: 'final' },
  },
});

/** Claims of a pool element before it is given up. */
export const MOST_TRIES = 3;

/** Who is remembered of those who reported: enough to tell that it was not one alone. */
const MOST_REPORTERS = 8;

/** `unanswered`: a keep-alive; `unreachable`: its association is gone and nobody listens where it was; `reported`: by several, again and again; `dismissed`: an operator wanted it. */
export type RemovalReason = 'deregistered' | 'dismissed' | 'expired' | 'unanswered' | 'unreachable' | 'reported';
export interface KeepAliveInput {
  /** The same object for all elements: it is not copied with each change. */
  readonly registrar: {
    readonly maxBadPeReport: number;
    readonly suspectsItself: () => boolean;
  };
  /** Taken over from another registrar. */
  readonly isClaimed: boolean;
}
export interface KeepAliveContext extends KeepAliveInput {
  /** Times it has been claimed. */
  readonly tries: number;
  /** Reports that made us ask, since it registered, less what the counter has fallen; it stops at MAX-BAD-PE-REPORT. */
  readonly reports: number;
  /** The last different ones who reported. */
  readonly reporters: readonly number[];
  /** The open question is because of a report. */
  readonly isAccused: boolean;
  /** It has been, because the registrar suspected itself. */
  readonly isSpared: boolean;
}
interface Reporter { readonly reporter: number }
export type KeepAliveEvent =
  | { type: 'check' } | { type: 'overdue' } | { type: 'expire' } | { type: 'probe.failed' } | { type: 'dismiss' } | { type: 'association.lost' } | { type: 'identifier.claimed' }
  | { type: 'ASAP_REGISTRATION' } | { type: 'ASAP_DEREGISTRATION' } | { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' }
  | ({ type: 'ASAP_ENDPOINT_UNREACHABLE' } & Reporter);
/** `order.probe`: send ASAP_ENDPOINT_KEEP_ALIVE (with the H flag while it is claimed), and say so when the answer is overdue. */
export type KeepAliveOrder = { type: 'order.probe' } | { type: 'order.remove'; reason: RemovalReason };
