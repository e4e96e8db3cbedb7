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
    reportCallback: emit({ type: 'order.callbackOverdue' }),
    resend: emit({ type: 'order.resend' }),
    flush: emit({ type: 'order.flush' }),
    fail: emit((_, { error }: { error: unknown }) => ({ type: 'order.fail' as const, error })), // the whole event may come: its type must not win
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    rememberOpen: assign({ isOpen: true, attempts: 0 }),
    rememberClosing: assign({ isClosing: true }),
    rememberCause: assign((_, params: { error: unknown }) => ({ cause: params.error })),
    startFailover: assign({ since: ({ context }) => context.now(), attempts: 0 }),
  },
  guards: {
    hasCallback: ({ context }) => context.hasCallback,
    isClosing: ({ context }) => context.isClosing,
    isTooLate: ({ context }) => context.now() - context.since >= bound(context),
  },
  delays: {
    accept: ({ context }) => Math.max(1, Math.min(context.timers.accept, context.since + bound(context) - context.now())),
    callback: ({ context }) => context.timers.callback,
    'cookie-overdue': ({ context }) => context.timers.cookieOverdue,
    'back-off': ({ context }) => Math.max(1, Math.min(Math.min(1000, 20 * 2 ** Math.min(context.attempts, 10)) * (0.5 + context.fraction() / 2), context.since + bound(context) - context.now())),
  },
}).createMachine({
  id: 'session',
  context: ({ input }) => ({ ...input, attempts: 0, isOpen: false, isClosing: false, cause: undefined, since: input.now() }),
  initial: 'resolving',
  states: {
    // The first pool element. Each state is bounded; the whole is, by `timers.open`, whenever an attempt has failed or a pause begins.
    resolving: { // RFC 5352 §3.3
      entry: 'resolve',
      on: {
        resolved: 'selecting',
        'resolution.failed': { target: 'failed', actions: { type: 'fail', params: ({ event }) => event } },
      },
    },
    selecting: { entry: 'select', on: { selected: 'connecting', 'nothing.selectable': 'backingOff' } },
    connecting: {
      entry: 'connect',
      on: {
        'link.up': 'accepting',
        'link.down': { target: 'reporting', actions: { type: 'rememberCause', params: ({ event }) => event } },
      },
    },
    accepting: {
      entry: 'open',
      after: { accept: { target: 'reporting', actions: 'detach' } },
      on: {
        'session.accepted': 'resending',
        'session.refused': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
        'link.down': { target: 'reporting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
      },
    },
    reporting: { // RFC 5352 §3.5
      entry: 'report',
      always: [{ guard: 'isTooLate', target: 'failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } }, { target: 'selecting' }],
    },
    backingOff: {
      entry: 'countAttempt',
      always: { guard: 'isTooLate', target: 'failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } },
      after: { 'back-off': 'resolving' },
    },
    // The data path is on its link; what is sent does not pass through here.
    established: {
      on: {
        'link.down': { target: 'failingOver', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.refused': { target: 'failingOver.selecting', actions: { type: 'rememberCause', params: ({ event }) => event } }, // that instance only: nobody is reported
        'session.moved': 'failingOver.selecting', // D-27
        'window.stuck': 'cookieOverdue',
        'close.request': 'closing',
      },
    },
    // The window is full, all of it is DONE, and no cookie covers it (D-20).
    cookieOverdue: {
      after: { 'cookie-overdue': { target: 'failed', actions: { type: 'fail', params: { error: 'COOKIE_OVERDUE' } } } },
      on: {
        'window.moved': [{ guard: 'isClosing', target: 'closing' }, { target: 'established' }],
        'link.down': { target: 'failingOver', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.refused': { target: 'failingOver.selecting', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.moved': 'failingOver.selecting',
        'close.request': { actions: 'rememberClosing' },
      },
    },
    failingOver: {
      initial: 'reporting',
      entry: ['startFailover', 'detach'],
      on: { 'close.request': { actions: 'rememberClosing' } },
      states: {
        reporting: { // RFC 5352 §3.5. Elements that are silent are no reason to try all of them: each costs a time-out of its own
          entry: 'report',
          always: [{ guard: 'isTooLate', target: '#session.failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } }, { target: 'selecting' }],
        },
        selecting: { entry: 'select', on: { selected: 'connecting', 'nothing.selectable': 'backingOff' } },
        connecting: {
          entry: 'connect',
          on: { 'link.up': 'echoingCookie', 'link.down': { target: 'reporting', actions: { type: 'rememberCause', params: ({ event }) => event } } },
        },
        echoingCookie: { // RFC 5352 §3.8: the first message on the control channel; here the same ordered flow as data, and OPEN announces it
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
          after: { callback: { target: '#session.resending', actions: 'reportCallback' } },
          on: {
            'callback.done': '#session.resending',
            'session.refused': { target: 'selecting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
            'session.moved': { target: 'selecting', actions: 'detach' },
            'link.down': { target: 'reporting', actions: [{ type: 'rememberCause', params: ({ event }) => event }, 'detach'] },
          },
        },
        backingOff: {
          entry: ['countAttempt', 'resolve'],
          always: { guard: 'isTooLate', target: '#session.failed', actions: { type: 'fail', params: ({ context }) => ({ error: context.cause }) } },
          after: { 'back-off': 'selecting' },
        },
      },
    },
    resending: { // the replay, then what is new (D-13)
      entry: ['rememberOpen', 'resend'],
      always: [{ guard: 'isClosing', target: 'closing' }, { target: 'established' }],
    },
    closing: {
      entry: ['rememberClosing', 'flush'],
      on: {
        settled: 'closed',
        'window.stuck': 'cookieOverdue',
        'link.down': { target: 'failingOver', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.refused': { target: 'failingOver.selecting', actions: { type: 'rememberCause', params: ({ event }) => event } },
        'session.moved': 'failingOver.selecting',
      },
    },
    closed: { type: 'final' },
    failed: { type: 'final' },
  },
  on: {
    'close.request': '.closed', // before it is open there is nothing to wait for
    'destroy.request': '.closed',
    'give.up': { target: '.failed', actions: { type: 'fail', params: ({ event }) => event } }, // poisoned message, refused cookie
  },
});

/** For the attempt in progress: to open, or to fail over. */
const bound = ({ isOpen, timers }: SessionContext): Milliseconds => (isOpen ? timers.failover : timers.open);

export interface SessionTimers {
  /** For the first pool element to accept. */
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
  readonly now: () => Milliseconds;
}
export interface SessionContext extends SessionInput {
  readonly attempts: number;
  /** A pool element has accepted the session before. */
  readonly isOpen: boolean;
  /** When the attempt to open, or the failover, began. */
  readonly since: Milliseconds;
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
  | { type: 'order.detach' } | { type: 'order.callback' } | { type: 'order.callbackOverdue' } | { type: 'order.resend' } | { type: 'order.flush' }
  | { type: 'order.fail'; error: unknown };
