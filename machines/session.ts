import { assign, emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

/** A pool user's session with a pool. RFC 5352 §3.8, §3.9, §6.5; draft-ietf-rserpool-service §4.5. User data does not pass through this
 *  chart: it says when the data path is attached to a link (`resend`) and when it is taken off (`detach`). */
export const sessionMachine = setup({
  types: {} as { context: SessionContext; events: SessionEvent; input: SessionInput; emitted: SessionOrder },
  actions: {
    resolve: emit({ type: 'order.resolve' }),
    select: emit({ type: 'order.select' }),
    connect: emit({ type: 'order.connect' }),
    open: emit({ type: 'order.open' }),
    report: emit({ type: 'order.report' }),
    detach: emit({ type: 'order.detach' }),
    callback: emit({ type: 'order.callback' }),
    resend: emit({ type: 'order.resend' }),
    flush: emit({ type: 'order.flush' }),
    fail: emit((_, params: { error: unknown }) => ({ type: 'order.fail' as const, ...params })),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    forgetAttempts: assign({ attempts: 0 }),
    rememberClosing: assign({ isClosing: true }),
    rememberCause: assign((_, params: { error: unknown }) => ({ cause: params.error })),
  },
  guards: {
    hasCallback: ({ context }) => context.hasCallback,
    isClosing: ({ context }) => context.isClosing,
  },
  delays: {
    'connect-deadline': ({ context }) => context.timers.open,
    'failover-deadline': ({ context }) => context.timers.failover,
    accept: ({ context }) => context.timers.accept,
    callback: ({ context }) => context.timers.callback,
    'cookie-overdue': ({ context }) => context.timers.cookieOverdue,
    'back-off': ({ context }) => Math.min(1000, 20 * 2 ** Math.min(context.attempts, 10)) * (0.5 + context.fraction() / 2),
  },
}).createMachine({
  id: 'session',
  context: ({ input }) => ({ ...input, attempts: 0, isClosing: false, cause: undefined }),
  initial: 'opening',
  states: {
    opening: {
      initial: 'resolving',
      after: { 'connect-deadline': { target: 'failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } } },
      on: { 'close.request': 'closed' },
      states: {
        resolving: { // RFC 5352 §3.3
          entry: 'resolve',
          on: {
            resolved: 'selecting',
            'resolution.failed': { target: '#session.failed', actions: { type: 'fail', params: ({ event }) => event } },
          },
        },
        selecting: { entry: 'select', on: { selected: 'connecting', 'nothing.selectable': 'backingOff' } },
        connecting: {
          entry: 'connect',
          on: {
            'link.up': 'accepting',
            'link.down': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'report'] }, // RFC 5352 §3.5
          },
        },
        accepting: {
          entry: 'open',
          after: { accept: { target: 'selecting', actions: ['detach', 'report'] } },
          on: {
            'session.accepted': { target: '#session.resending' },
            'session.refused': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
            'link.down': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach', 'report'] },
          },
        },
        backingOff: { entry: 'countAttempt', after: { 'back-off': 'resolving' } },
      },
    },
    established: {
      tags: 'served',
      initial: 'flowing',
      entry: 'forgetAttempts',
      on: {
        'link.down': { target: 'failingOver', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.refused': { target: 'failingOver.selecting', actions: { type: 'rememberCause', params: ({ event }) => event } }, // that instance only: nobody is reported
        'session.moved': 'failingOver.selecting', // D-27
        'close.request': 'closing',
      },
      states: {
        flowing: { on: { 'window.stuck': 'cookieOverdue' } },
        // The window is full, all of it is DONE, and no cookie covers it (D-20).
        cookieOverdue: {
          after: { 'cookie-overdue': { target: '#session.failed', actions: { type: 'fail', params: { error: 'COOKIE_OVERDUE' } } } },
          on: { 'window.moved': 'flowing' },
        },
      },
    },
    failingOver: {
      initial: 'reporting',
      entry: 'detach',
      after: { 'failover-deadline': { target: 'failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } } },
      on: { 'close.request': { actions: 'rememberClosing' } },
      states: {
        reporting: { entry: 'report', always: 'selecting' }, // RFC 5352 §3.5
        selecting: { entry: 'select', on: { selected: 'connecting', 'nothing.selectable': 'backingOff' } },
        connecting: {
          entry: 'connect',
          on: { 'link.up': 'echoingCookie', 'link.down': { target: 'reporting', actions: { type: 'rememberCause', params: ({ event }) => event } } },
        },
        echoingCookie: { // RFC 5352 §3.8: the first message on the control channel
          entry: 'open',
          after: { accept: { target: 'reporting', actions: 'detach' } },
          on: {
            'session.accepted': [{ guard: 'hasCallback', target: 'callback' }, { target: '#session.resending' }],
            'session.refused': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
            'link.down': { target: 'reporting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
          },
        },
        callback: { // draft §4.5.2: after the cookie echo, before anything is resent
          entry: 'callback',
          after: { callback: '#session.resending' },
          on: {
            'callback.done': '#session.resending',
            'session.refused': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
            'session.moved': { target: 'selecting', actions: 'detach' },
            'link.down': { target: 'reporting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
          },
        },
        backingOff: { entry: ['countAttempt', 'resolve'], after: { 'back-off': 'selecting' } },
      },
    },
    resending: { // the replay, then what is new (D-13)
      entry: 'resend',
      always: [{ guard: 'isClosing', target: 'closing' }, { target: 'established' }],
    },
    closing: {
      tags: 'served',
      entry: ['rememberClosing', 'flush'],
      on: {
        settled: 'closed',
        'link.down': { target: 'failingOver', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.refused': { target: 'failingOver.selecting', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.moved': 'failingOver.selecting',
      },
    },
    closed: { type: 'final' },
    failed: { type: 'final' },
  },
  on: {
    'destroy.request': '.closed',
    'give.up': { target: '.failed', actions: { type: 'fail', params: ({ event }) => event } }, // poisoned message, refused cookie
  },
});

export interface SessionTimers {
  /** For the first pool element to accept. Default 5 s. */
  readonly open: Milliseconds;
  /** For one failover in all. Default 30 s. */
  readonly failover: Milliseconds;
  /** For ACCEPT, the service's `onSession` included. Default 10 s. */
  readonly accept: Milliseconds;
  /** For the failover callback. Default 10 s. */
  readonly callback: Milliseconds;
  /** For a cookie when the window is full and DONE. Default 5 s. */
  readonly cookieOverdue: Milliseconds;
}
export interface SessionInput {
  readonly timers: SessionTimers;
  readonly hasCallback: boolean;
  /** Uniform in [0, 1): jitter. */
  readonly fraction: () => number;
}
export interface SessionContext extends SessionInput {
  readonly attempts: number;
  readonly isClosing: boolean;
  /** Why the last pool element was left or could not be reached. */
  readonly cause: unknown;
}
export type SessionEvent =
  | { type: 'resolved' } | { type: 'resolution.failed'; error: unknown }
  | { type: 'selected' } | { type: 'nothing.selectable' }
  | { type: 'link.up' } | { type: 'link.down'; error: unknown }
  | { type: 'session.accepted' } | { type: 'session.refused'; error: unknown } | { type: 'session.moved' }
  | { type: 'callback.done' } | { type: 'window.stuck' } | { type: 'window.moved' } | { type: 'settled' }
  | { type: 'close.request' } | { type: 'destroy.request' } | { type: 'give.up'; error: unknown };
/** What the chart asks of the session that owns it. */
export type SessionOrder =
  | { type: 'order.resolve' } | { type: 'order.select' } | { type: 'order.connect' } | { type: 'order.open' } | { type: 'order.report' }
  | { type: 'order.detach' } | { type: 'order.callback' } | { type: 'order.resend' } | { type: 'order.flush' }
  | { type: 'order.fail'; error: unknown };
