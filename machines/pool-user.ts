import { assign, emit, fromCallback, sendTo, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { growing } from './random.js';
import { serverHuntMachine, type ServerHuntEvent, type ServerHuntInput } from './server-hunt.js';

/** The role of a pool user, which every access point has: supervises the server hunt and the resolutions. What fails is begun again and reported. */
export const poolUserMachine = setup({
  types: {} as { context: PoolUserContext; events: PoolUserEvent; input: PoolUserInput; emitted: PoolUserNews },
  actors: {
    serverHunt: serverHuntMachine,
    /** Owns the charts of all pool handles, as root actors: they may be many. */
    resolutions: fromCallback<{ type: 'close' }, Pick<PoolUserInput, 'openResolutions'>>(({ input }) => input.openResolutions()),
  },
  actions: {
    hunt: sendTo('serverHunt', ({ event }) => event as ServerHuntEvent),
    begin: sendTo('serverHunt', { type: 'home.seek', why: 'none' }),
    tell: emit((_, news: PoolUserNews) => news),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
  },
  delays: {
    'restart-back-off': ({ context }): Milliseconds => growing(context.timers.t5ServerHunt, context.failures, context.timers.retranMax) * (0.5 + context.fraction() / 2),
  },
}).createMachine({
  id: 'poolUser',
  context: ({ input }) => ({ ...input, failures: 0 }),
  initial: 'open',
  states: {
    open: {
      type: 'parallel',
      on: { close: 'closed' },
      states: {
        home: {
          initial: 'hunting',
          states: {
            hunting: {
              entry: 'begin', // before anybody asks: the first question then need not wait
              invoke: {
                src: 'serverHunt', id: 'serverHunt', input: ({ context }) => context,
                onError: { target: 'restarting', actions: ['countFailure', { type: 'tell', params: ({ event }) => ({ type: 'child.failed', child: 'serverHunt', error: event.error }) }] },
              },
              on: {
                'home.seek': { actions: 'hunt' },
                'home.heard': { actions: 'hunt' },
                'home.down': { actions: 'hunt' },
                'home.adopted': { actions: 'hunt' },
                'registrar.announced': { actions: 'hunt' },
                'attempt.up': { actions: 'hunt' },
                'attempt.failed': { actions: 'hunt' },
              },
            },
            restarting: { after: { 'restart-back-off': 'hunting' } },
          },
        },
        resolutions: {
          initial: 'serving',
          states: {
            serving: {
              invoke: {
                src: 'resolutions', id: 'resolutions', input: ({ context }) => context,
                onError: { target: 'restarting', actions: ['countFailure', { type: 'tell', params: ({ event }) => ({ type: 'child.failed', child: 'resolutions', error: event.error }) }] },
              },
            },
            restarting: { after: { 'restart-back-off': 'serving' } },
          },
        },
      },
    },
    closed: { type: 'final' },
  },
});

export interface PoolUserInput extends ServerHuntInput {
  /** Lets pool handles be resolved, until what it returns is called. */
  readonly openResolutions: () => () => void;
}
export interface PoolUserContext extends PoolUserInput { readonly failures: number }
export type PoolUserEvent = ServerHuntEvent | { type: 'close' };
export type PoolUserNews = { type: 'child.failed'; child: 'serverHunt' | 'resolutions'; error: unknown };
