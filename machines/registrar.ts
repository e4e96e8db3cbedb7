import { assign, emit, fromCallback, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';
import type { Timers } from './timers.js';

/** A registrar from its start to its end. RFC 5353 §3.2: it finds a mentor among its peers, gets their list and the handlespace, and serves; alone, it serves
 *  at once. The charts of its pool elements and peers are root actors of their own; what opens and ends them is invoked here. */
export const registrarMachine = setup({
  types: {} as { context: RegistrarContext; events: RegistrarEvent; input: RegistrarInput; emitted: RegistrarOrder },
  actors: {
    /** Owns the keep-alive charts of all pool elements, as root actors (they may be 100 000), and ends them all when it is stopped. */
    keepAlives: fromCallback<{ type: 'close' }, RegistrarInput>(({ input }) => input.openKeepAlives()),
    /** The same for the charts of peers and takeovers. */
    peers: fromCallback<{ type: 'close' }, RegistrarInput>(({ input }) => input.openPeers()),
  },
  actions: {
    order: emit((_, params: RegistrarOrder) => params),
    countTry: assign({ tries: ({ context }) => context.tries + 1 }),
  },
  guards: {
    isAlone: ({ context }) => !context.hasPeers(),
    isOnlyOne: ({ context }) => !context.hasActivePeers(),
    triesExceeded: ({ context }) => context.tries >= MOST_TRIES,
  },
  delays: {
    'mentor-discovery': ({ context }) => context.timers.mentorDiscovery,
    'MAX-TIME-NO-RESPONSE': ({ context }) => context.timers.maxTimeNoResponse,
    'T1-ENRPrequest': ({ context }) => 2 * context.timers.t1EnrpRequest,
    'mentor-back-off': ({ context }) => context.timers.mentorDiscovery / 10 * (0.5 + context.fraction()),
    'hand-over': ({ context }) => context.timers.handOver,
  },
}).createMachine({
  id: 'registrar',
  context: ({ input }) => ({ ...input, tries: 0 }),
  initial: 'starting',
  invoke: [
    {
      src: 'keepAlives', id: 'keepAlives', input: ({ context }) => context,
      onError: { target: '.draining', actions: { type: 'order', params: ({ event }) => ({ type: 'error.report', error: event.error }) } }, // nobody would be removed any more
    },
    {
      src: 'peers', id: 'peers', input: ({ context }) => context,
      onError: { target: '.draining', actions: { type: 'order', params: ({ event }) => ({ type: 'error.report', error: event.error }) } },
    },
  ],
  states: {
    starting: {
      entry: { type: 'order', params: { type: 'order.listen.enrp' } },
      on: { listening: [{ guard: 'isAlone', target: 'opening' }, { target: 'joining' }], 'listen.failed': 'draining', close: 'draining' },
    },
    joining: {
      initial: 'findingMentor',
      on: { close: 'draining' },
      states: {
        // §3.2.2 has no end where the only mentor is dead, or starts itself and refuses for ever: after a while it serves alone, and goes on looking.
        findingMentor: {
          entry: { type: 'order', params: { type: 'order.mentor' } },
          on: { 'mentor.found': 'listing', 'mentors.exhausted': '#registrar.opening' },
          after: { 'mentor-discovery': '#registrar.opening' },
        },
        listing: { // §3.2.2.2
          entry: { type: 'order', params: { type: 'order.list' } },
          on: { 'list.received': 'downloading', 'mentor.refused': 'rejected', 'mentor.lost': 'rejected' },
          after: { 'MAX-TIME-NO-RESPONSE': 'rejected' },
        },
        downloading: { // §3.2.3
          entry: { type: 'order', params: { type: 'order.download' } },
          on: {
            'download.progress': '.asking',
            'download.done': '#registrar.opening', 'mentor.refused': 'rejected', 'mentor.lost': 'rejected',
          },
          initial: 'asking',
          states: { asking: { after: { 'T1-ENRPrequest': '#registrar.joining.rejected' } } },
          exit: { type: 'order', params: { type: 'order.download.end' } },
        },
        rejected: {
          entry: ['countTry', { type: 'order', params: { type: 'order.mentor.rejected' } }],
          always: { guard: 'triesExceeded', target: '#registrar.opening' },
          on: { 'mentors.exhausted': '#registrar.opening' },
          after: { 'mentor-back-off': 'findingMentor' },
        },
      },
    },
    opening: {
      entry: { type: 'order', params: { type: 'order.listen.asap' } },
      on: { listening: 'serving', 'listen.failed': 'draining', close: 'draining' },
    },
    serving: { on: { close: [{ guard: 'isOnlyOne', target: 'draining' }, { target: 'handingOver' }] } },
    // No RFC has a way to leave in order: the peers are asked to take this registrar over, by the messages of any takeover.
    handingOver: {
      entry: { type: 'order', params: { type: 'order.handOver' } },
      on: { 'handed.over': 'draining', close: 'draining' },
      after: { 'hand-over': 'draining' },
    },
    draining: { entry: { type: 'order', params: { type: 'order.leave' } }, on: { closed: 'stopped' } },
    stopped: { type: 'final' },
  },
});

/** Mentors that fail before the registrar serves alone. */
const MOST_TRIES = 8;

export interface RegistrarInput {
  /** @returns what ends them. */
  readonly openKeepAlives: () => () => void;
  readonly openPeers: () => () => void;
  /** Whether there is, or may be, another registrar. */
  readonly hasPeers: () => boolean;
  readonly hasActivePeers: () => boolean;
  readonly timers: Pick<Timers, 'mentorDiscovery' | 'maxTimeNoResponse' | 't1EnrpRequest' | 'handOver'>;
  /** Uniform in [0, 1): jitter. */
  readonly fraction: () => Milliseconds;
}
export interface RegistrarContext extends RegistrarInput {
  readonly tries: number;
}
export type RegistrarEvent =
  | { type: 'listening' } | { type: 'listen.failed' } | { type: 'close' } | { type: 'closed' }
  | { type: 'mentor.found' } | { type: 'mentor.refused' } | { type: 'mentor.lost' } | { type: 'mentors.exhausted' }
  | { type: 'list.received' } | { type: 'download.progress' } | { type: 'download.done' }
  | { type: 'handed.over' };
export type RegistrarOrder =
  | { type: 'order.listen.enrp' } | { type: 'order.listen.asap' }
  /** Say which peer may be the mentor. */
  | { type: 'order.mentor' }
  /** ENRP_LIST_REQUEST, ENRP_HANDLE_TABLE_REQUEST to it. */
  | { type: 'order.list' } | { type: 'order.download' } | { type: 'order.download.end' }
  | { type: 'order.mentor.rejected' }
  | { type: 'order.handOver' }
  /** Accept no more, end the associations once what is queued is written. */
  | { type: 'order.leave' }
  | { type: 'error.report'; error: unknown };
