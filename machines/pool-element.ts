import { assign, emit, sendTo, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';
import type { AsapMessageOf } from '../wire/index.js';
import { growing } from './random.js';
import { registrationMachine, type RegistrationEvent, type RegistrationInput, type RegistrationNews, type RegistrationOutput } from './registration.js';

/** The role of a pool element: supervises its registration, and says how it stands. A registration that fails in itself is begun again; one that the
 *  registrar rejects is not, before it is corrected (RFC 5352 §3.1). */
export const poolElementMachine = setup({
  types: {} as { context: PoolElementContext; events: PoolElementEvent; input: PoolElementInput; emitted: PoolElementNews },
  actors: { registration: registrationMachine },
  actions: {
    request: sendTo('registration', { type: 'registration.request' }),
    forward: sendTo('registration', ({ event }) => event as RegistrationEvent),
    tell: emit((_, news: PoolElementNews) => news),
    change: assign((_, { registration }: { registration: AsapMessageOf<'ASAP_REGISTRATION'> }) => ({ registration })),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    forgetFailures: assign({ failures: 0 }),
  },
  guards: { isRejection: (_, { reason }: RegistrationOutput) => reason === 'rejected' },
  delays: {
    'restart-back-off': ({ context }): Milliseconds => growing(context.timers.t2Registration, context.failures, context.timers.retranMax) * (0.5 + context.fraction() / 2),
  },
}).createMachine({
  id: 'poolElement',
  context: ({ input }) => ({ ...input, failures: 0 }),
  initial: 'joined',
  states: {
    joined: {
      entry: 'request',
      invoke: {
        src: 'registration', id: 'registration', input: ({ context, self }) => ({ ...context, owner: self }),
        onDone: [
          {
            guard: { type: 'isRejection', params: ({ event }) => event.output },
            target: 'rejected',
            actions: { type: 'tell', params: ({ event }) => ({ type: 'registration.ended', output: event.output }) },
          },
          { target: 'left', actions: { type: 'tell', params: ({ event }) => ({ type: 'registration.ended', output: event.output }) } },
        ],
        onError: { target: 'restarting', actions: ['countFailure', { type: 'tell', params: ({ event }) => ({ type: 'child.failed', error: event.error }) }] },
      },
      on: {
        'registration.accepted': { actions: ['forgetFailures', { type: 'tell', params: ({ event }) => event }] },
        'registration.moved': { actions: { type: 'tell', params: ({ event }) => event } },
        'registration.lost': { actions: { type: 'tell', params: ({ event }) => event } },
        'registration.rejected': { actions: { type: 'tell', params: ({ event }) => event } },
        'error.report': { actions: { type: 'tell', params: ({ event }) => event } },
        'registration.update': { actions: [{ type: 'change', params: ({ event }) => event }, 'forward'] },
        'registration.refresh': { actions: 'forward' },
        'deregistration.request': { actions: 'forward' },
        ASAP_REGISTRATION_RESPONSE: { actions: 'forward' },
        ASAP_DEREGISTRATION_RESPONSE: { actions: 'forward' },
        'registration.takenOver': { actions: 'forward' },
        'home.found': { actions: 'forward' },
        'home.lost': { actions: 'forward' },
        'transport.sendFailure': { actions: 'forward' },
      },
    },
    restarting: {
      after: { 'restart-back-off': 'joined' },
      on: {
        'registration.update': { actions: { type: 'change', params: ({ event }) => event } },
        'deregistration.request': { target: 'left', actions: { type: 'tell', params: { type: 'registration.ended', output: { reason: 'unanswered' } } } },
      },
    },
    rejected: {
      on: {
        'registration.update': { target: 'joined', actions: { type: 'change', params: ({ event }) => event } },
        'deregistration.request': { target: 'left', actions: { type: 'tell', params: { type: 'registration.ended', output: { reason: 'deregistered' } } } },
      },
    },
    left: { type: 'final' },
  },
});

export type PoolElementInput = Omit<RegistrationInput, 'owner'>;
export interface PoolElementContext extends PoolElementInput {
  /** Of the registration chart itself, in a row. */
  readonly failures: number;
}
export type PoolElementEvent = Exclude<RegistrationEvent, { type: 'registration.request' }> | RegistrationNews;
export type PoolElementNews =
  | RegistrationNews
  | { type: 'registration.ended'; output: RegistrationOutput }
  | { type: 'child.failed'; error: unknown };
