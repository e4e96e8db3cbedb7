import { assign, emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

/** The control channel of a session at its pool element: business card when communication begins, cookies on change and periodically.
 *  RFC 5352 §3.8, §3.9. RFC 5351 §2.5.1 wants cookies sent periodically and gives no period: every `cookie` interval in which
 *  messages were settled that no cookie contains, the service's snapshot is taken. */
export const controlChannelMachine = setup({
  types: {} as { context: ControlChannelContext; events: ControlChannelEvent; input: ControlChannelInput; emitted: ControlChannelOrder },
  actions: {
    sendCard: emit({ type: 'order.sendCard' }),
    repeatCookies: emit({ type: 'order.repeatCookies' }),
    keepCard: assign((_, params: { card: unknown }) => ({ card: params.card })),
  },
  guards: { isPoolElement: ({ context }) => context.isPoolElement },
  delays: { cookie: ({ context }) => context.cookieInterval },
}).createMachine({
  id: 'controlChannel',
  context: ({ input }) => ({ ...input, card: undefined }),
  initial: 'idle',
  states: {
    idle: { on: { 'session.opened': [{ guard: 'isPoolElement', target: 'exchanging', actions: 'sendCard' }, { target: 'exchanging' }] } },
    exchanging: {
      after: { cookie: { target: 'exchanging', reenter: true, actions: 'repeatCookies' } },
      on: {
        ASAP_BUSINESS_CARD: { actions: { type: 'keepCard', params: ({ event }) => ({ card: event }) } },
        'card.changed': { actions: 'sendCard' },
        'sessions.gone': 'idle',
      },
    },
    closed: { type: 'final' },
  },
  on: { 'transport.down': '.closed' },
});

export interface ControlChannelInput {
  readonly isPoolElement: boolean;
  /** Default 1 s. */
  readonly cookieInterval: Milliseconds;
}
export interface ControlChannelContext extends ControlChannelInput {
  /** The peer's newest business card. */
  readonly card: unknown;
}
export type ControlChannelEvent =
  | { type: 'session.opened' } | { type: 'sessions.gone' } | { type: 'ASAP_BUSINESS_CARD' } | { type: 'card.changed' } | { type: 'transport.down' };
export type ControlChannelOrder = { type: 'order.sendCard' } | { type: 'order.repeatCookies' };
