import { emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

/** Such a service would begin anew, and nobody would notice. */
export const NO_STATE = 'the service keeps no state, so it cannot take over a session that has one';

/** A session at its pool element, in one epoch. RFC 5352 §3.8; draft-ietf-rserpool-service §4.5.1; D-6, D-13, D-14, D-27. */
export const serviceMachine = setup({
  types: {} as { context: ServiceContext; events: ServiceEvent; input: ServiceContext; emitted: ServiceOrder },
  actions: {
    endPredecessor: emit({ type: 'order.endPredecessor' }),
    introduce: emit({ type: 'order.introduce' }),
    restore: emit({ type: 'order.restore' }),
    serve: emit({ type: 'order.serve' }),
    drain: emit({ type: 'order.drain' }),
    refuse: emit((_, params: { code: RefusalCode; reason: string }) => ({ type: 'order.refuse' as const, ...params })),
  },
  guards: {
    hasPredecessor: ({ context }) => context.hasPredecessor,
    mustRestore: (_, params: { echo: boolean; stateful: boolean }) => params.echo && params.stateful,
    cannotRestore: (_, params: { echo: boolean; stateful: boolean }) => params.echo && !params.stateful,
  },
  delays: {
    handler: ({ context }) => context.timers.handler,
    'cookie-handler': ({ context }) => context.timers.cookieHandler,
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => input,
  initial: 'opened',
  states: {
    opened: { always: [{ guard: 'hasPredecessor', target: 'superseding' }, { target: 'accepting' }] },
    // A lower epoch of this session is here: it ends first, its running handler is awaited (D-14).
    superseding: {
      entry: 'endPredecessor',
      after: { handler: { target: 'closed', actions: { type: 'refuse', params: { code: 'OLD_HALF_RUNNING', reason: 'a handler of an earlier epoch still runs' } } } },
      on: { 'predecessor.settled': 'accepting' },
    },
    accepting: { // `onSession` is awaited
      entry: 'introduce',
      after: { handler: { target: 'closed', actions: { type: 'refuse', params: { code: 'HANDLER_FAILED', reason: 'onSession did not settle' } } } },
      on: {
        'session.ready': [
          { guard: { type: 'mustRestore', params: ({ event }) => event }, target: 'restoring' },
          { guard: { type: 'cannotRestore', params: ({ event }) => event }, target: 'closed', actions: { type: 'refuse', params: { code: 'COOKIE_REFUSED', reason: NO_STATE } } },
          { target: 'serving' },
        ],
        'session.failed': { target: 'closed', actions: { type: 'refuse', params: { code: 'HANDLER_FAILED', reason: 'onSession failed' } } },
      },
    },
    restoring: { // COOKIE_INDICATION before any data
      entry: 'restore',
      after: { 'cookie-handler': { target: 'closed', actions: { type: 'refuse', params: { code: 'COOKIE_REFUSED', reason: 'the cookie handler did not settle' } } } },
      on: {
        'cookie.restored': 'serving',
        'cookie.refused': { target: 'closed', actions: { type: 'refuse', params: ({ event }) => ({ code: 'COOKIE_REFUSED' as const, reason: event.reason }) } },
      },
    },
    serving: { entry: 'serve', on: { drain: 'draining', 'client.lost': 'rendezvous' } },
    // The service's own messages go to the client's pool, by a session of their own (machines/session.ts). RFC 5352 §3.9.
    rendezvous: { on: { drain: { actions: 'drain' } } },
    draining: { entry: 'drain', on: { drain: {} } },
    closed: { type: 'final' },
  },
  on: {
    'session.ended': '.closed',
    drain: { target: '.closed', actions: { type: 'refuse', params: { code: 'GOING_AWAY', reason: 'the pool element drains' } } }, // nothing has begun that it could hand over
  },
});

export interface ServiceContext {
  readonly hasPredecessor: boolean;
  readonly timers: {
    /** For `onSession`, and for the running handler of an earlier epoch. Default 10 s. */
    readonly handler: Milliseconds;
    /** Default 10 s. */
    readonly cookieHandler: Milliseconds;
  };
}
export type ServiceEvent =
  | { type: 'predecessor.settled' }
  | { type: 'session.ready'; echo: boolean; stateful: boolean } | { type: 'session.failed' } | { type: 'session.ended' } | { type: 'client.lost' }
  | { type: 'cookie.restored' } | { type: 'cookie.refused'; reason: string }
  | { type: 'drain' };
export type ServiceOrder =
  | { type: 'order.endPredecessor' } | { type: 'order.introduce' } | { type: 'order.restore' } | { type: 'order.serve' } | { type: 'order.drain' }
  | { type: 'order.refuse'; code: RefusalCode; reason: string };
type RefusalCode = 'OLD_HALF_RUNNING' | 'COOKIE_REFUSED' | 'HANDLER_FAILED' | 'GOING_AWAY';
