import { emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

/** One connection that carries sessions, at either end: set-up, heartbeat, silence. draft-ietf-rserpool-service §5.2.1; D-28, D-29.
 *  Timers are lazy: traffic only moves the times that the guards ask for, it sends the chart nothing. */
export const linkMachine = setup({
  types: {} as { context: LinkContext; events: LinkEvent; input: LinkContext; emitted: LinkOrder },
  actions: {
    greet: emit({ type: 'order.greet' }),
    heartbeat: emit({ type: 'order.heartbeat' }),
    heartbeatIfQuiet: emit({ type: 'order.heartbeatIfQuiet' }),
    awaitPoll: emit({ type: 'order.awaitPoll' }),
    giveUp: emit((_, params: { reason: 'CONNECT_TIMEOUT' | 'SILENCE' }) => ({ type: 'order.giveUp' as const, ...params })),
  },
  guards: { isSilent: ({ context }) => context.quiet() >= context.silence() },
  delays: {
    connect: ({ context }) => context.connect,
    heartbeat: ({ context }) => Math.max(1, context.heartbeat()),
    silence: ({ context }) => Math.max(1, context.silence() - context.quiet()),
    probe: ({ context }) => context.silence(),
  },
}).createMachine({
  id: 'link',
  context: ({ input }) => input,
  initial: 'connecting',
  states: {
    connecting: {
      after: { connect: { target: 'down', actions: { type: 'giveUp', params: { reason: 'CONNECT_TIMEOUT' } } } },
      on: { 'transport.up': 'open' },
    },
    open: {
      type: 'parallel',
      entry: 'greet',
      states: {
        sending: { initial: 'beating', states: { beating: { after: { heartbeat: { target: 'beating', reenter: true, actions: 'heartbeatIfQuiet' } } } } },
        hearing: {
          initial: 'hearing',
          states: {
            hearing: { after: { silence: [{ guard: 'isSilent', target: 'judging' }, { target: 'hearing', reenter: true }] }, on: { probe: 'probing' } },
            // Notice of removal from elsewhere only makes us ask (D-19).
            probing: { entry: 'heartbeat', after: { probe: 'judging' } },
            // Silence is judged after a poll phase: a process that wakes up runs its timers before its sockets (D-29).
            judging: {
              entry: 'awaitPoll',
              on: { 'poll.done': [{ guard: 'isSilent', target: '#link.down', actions: { type: 'giveUp', params: { reason: 'SILENCE' } } }, { target: 'hearing' }] },
            },
          },
        },
      },
    },
    down: { type: 'final' },
  },
  on: { 'transport.down': '.down' },
});

export interface LinkContext {
  readonly connect: Milliseconds;
  /** Of this process now; grows with its links (D-28). */
  readonly heartbeat: () => Milliseconds;
  /** The silence to bear now. */
  readonly silence: () => Milliseconds;
  /** For how long nothing has been heard, our own loop's lag not counted. */
  readonly quiet: () => Milliseconds;
}
export type LinkEvent = { type: 'transport.up' } | { type: 'transport.down' } | { type: 'probe' } | { type: 'poll.done' };
export type LinkOrder =
  | { type: 'order.greet' } | { type: 'order.heartbeat' } | { type: 'order.heartbeatIfQuiet' } | { type: 'order.awaitPoll' }
  | { type: 'order.giveUp'; reason: 'CONNECT_TIMEOUT' | 'SILENCE' };
