import { assign, emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

const noReporters: readonly number[] = [];

/** A registrar watches over one pool element that it owns. RFC 5352 §3.4, §3.5. A flat chart and a root actor each: there may be 100 000 of
 *  them. When to look next is said by one schedule for all (`check`, `expire`); only a question that is open has a timer of its own. */
export const keepAliveMachine = setup({
  types: {} as { context: KeepAliveContext; events: KeepAliveEvent; input: KeepAliveInput; emitted: KeepAliveOrder },
  actions: {
    probe: emit({ type: 'order.probe' }),
    awaitPoll: emit({ type: 'order.awaitPoll' }),
    remove: emit((_, params: { reason: RemovalReason }) => ({ type: 'order.remove' as const, ...params })),
    noteProbe: assign({ probedAt: ({ context }) => context.now() }),
    spare: assign({ spared: ({ context }) => context.spared + 1 }),
    // the counter falls again, by one at each acknowledgement and to nothing at a registration. With the last report who made it is forgotten.
    noteAck: assign(({ context: { reports, reporters } }) => (reports > 1 ? { reports: reports - 1, reporters, spared: 0 } : { reports: 0, reporters: noReporters, spared: 0 })),
    forgive: assign({ reports: 0, reporters: noReporters, spared: 0 }),
    noteReport: assign(({ context }, { reporter }: { reporter: number }) => ({
      reports: context.reports + 1,
      reporters: context.reporters.includes(reporter) ? context.reporters : [...context.reporters.slice(-7), reporter],
    })),
  },
  guards: {
    // One accuser alone removes nobody: what he says makes us ask (design: evidence).
    isCondemned: ({ context }, { reporter }: { reporter: number }) => context.reports >= context.maxBadPeReport && context.reporters.some((other) => other !== reporter),
    hasHadItsTime: ({ context }) => context.activeSince(context.probedAt) >= context.timeout,
    // A registrar that suspects most of what it sees suspects itself first, for two rounds at most.
    suspectsItself: ({ context }) => context.spared < 2 && context.suspectsItself() && context.activeSince(context.probedAt) >= context.timeout,
  },
  delays: { 'keep-alive-timeout': ({ context }) => Math.max(1, context.timeout - context.activeSince(context.probedAt)) },
}).createMachine({
  id: 'keepAlive',
  context: ({ input }) => ({ ...input, reports: 0, reporters: noReporters, probedAt: 0, spared: 0 }),
  initial: 'alive',
  states: {
    alive: {
      on: {
        check: 'checking',
        ASAP_ENDPOINT_UNREACHABLE: [
          { guard: { type: 'isCondemned', params: ({ event }) => event }, target: 'removed', actions: { type: 'remove', params: { reason: 'reported' } } },
          { target: 'checking', actions: { type: 'noteReport', params: ({ event }) => event } }, // RFC 5352 §3.5: asked at once
        ],
        'association.lost': 'checking', // evidence, not yet the end
        ASAP_REGISTRATION: { actions: 'forgive' },
      },
    },
    checking: { entry: ['noteProbe', 'probe'], always: 'waiting' },
    waiting: {
      after: { 'keep-alive-timeout': 'judging' },
      on: {
        ASAP_ENDPOINT_KEEP_ALIVE_ACK: { target: 'alive', actions: 'noteAck' },
        ASAP_REGISTRATION: { target: 'alive', actions: 'forgive' },
        ASAP_ENDPOINT_UNREACHABLE: { actions: { type: 'noteReport', params: ({ event }) => event } }, // joined: it is being asked
        'association.lost': 'checking', // it may be reached at its own ASAP transport
        'probe.failed': { target: 'removed', actions: { type: 'remove', params: { reason: 'unreachable' } } },
      },
    },
    // A registrar that wakes up runs its timers before it reads: the answer may be there.
    judging: {
      entry: 'awaitPoll',
      on: {
        'poll.done': [
          { guard: 'suspectsItself', target: 'checking', actions: 'spare' },
          { guard: 'hasHadItsTime', target: 'removed', actions: { type: 'remove', params: { reason: 'unanswered' } } },
          { target: 'waiting' },
        ],
        ASAP_ENDPOINT_KEEP_ALIVE_ACK: { target: 'alive', actions: 'noteAck' },
        ASAP_REGISTRATION: { target: 'alive', actions: 'forgive' },
        'association.lost': 'checking',
        'probe.failed': { target: 'removed', actions: { type: 'remove', params: { reason: 'unreachable' } } },
      },
    },
    removed: { type: 'final' },
  },
  on: {
    expire: { target: '.removed', actions: { type: 'remove', params: { reason: 'expired' } } },
    ASAP_DEREGISTRATION: { target: '.removed', actions: { type: 'remove', params: { reason: 'deregistered' } } },
  },
});

export type RemovalReason = 'deregistered' | 'expired' | 'unanswered' | 'unreachable' | 'reported';
export interface KeepAliveInput {
  /** For an acknowledgement, our own loop's lag not counted. */
  readonly timeout: Milliseconds;
  readonly maxBadPeReport: number;
  readonly now: () => Milliseconds;
  /** How much of the time since then our own loop ran. */
  readonly activeSince: (moment: Milliseconds) => Milliseconds;
  readonly suspectsItself: () => boolean;
}
export interface KeepAliveContext extends KeepAliveInput {
  readonly reports: number;
  /** The last different ones who reported. */
  readonly reporters: readonly number[];
  readonly probedAt: Milliseconds;
  /** Rounds it was spared because the registrar suspected itself. */
  readonly spared: number;
}
export type KeepAliveEvent =
  | { type: 'check' } | { type: 'expire' } | { type: 'poll.done' } | { type: 'probe.failed' } | { type: 'association.lost' }
  | { type: 'ASAP_REGISTRATION' } | { type: 'ASAP_DEREGISTRATION' } | { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' }
  | { type: 'ASAP_ENDPOINT_UNREACHABLE'; reporter: number };
export type KeepAliveOrder = { type: 'order.probe' } | { type: 'order.awaitPoll' } | { type: 'order.remove'; reason: RemovalReason };
