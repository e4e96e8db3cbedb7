import { assign, emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';

/** The control channel of a link, at either end: business cards when communication begins and when they change, at a pool element cookies periodically too. RFC 5352 §3.8,
 *  §3.9. RFC 5351 §2.5.1 wants cookies sent periodically and gives no period: every `cookie` interval in which messages were settled
 *  that no cookie contains, the service's snapshot is taken. */
export const controlChannelMachine = setup({
  types: {} as { context: ControlChannelContext; events: ControlChannelEvent; input: ControlChannelInput; emitted: ControlChannelOrder },
  actions: {
    sendCard: emit({ type: 'order.sendCard' }),
    repeatCookies: emit({ type: 'order.repeatCookies' }),
    keepCard: assign((_, params: { card: BusinessCard }) => ({ card: params.card })), // BC2: the preferred order
    lookUp: emit((_, params: { card: BusinessCard }) => ({ type: 'order.lookUp' as const, card: params.card })), // BC1
  },
  guards: {
    isService: ({ context }) => context.isService,
    hasCard: ({ context }) => context.hasCard(),
  },
  delays: { cookie: ({ context }) => context.cookieInterval },
}).createMachine({
  id: 'controlChannel',
  context: ({ input }) => ({ ...input, card: undefined }),
  initial: 'idle',
  states: {
    idle: {
      on: {
        'communication.begins': [
          { guard: 'isService', target: 'serving', actions: 'sendCard' }, // a pool element always does
          { guard: 'hasCard', target: 'using', actions: 'sendCard' }, // a pool user if it is a pool element too
          { target: 'using' },
        ],
      },
    },
    serving: {
      after: { cookie: { target: 'serving', reenter: true, actions: 'repeatCookies' } },
      on: { 'card.changed': { actions: 'sendCard' }, 'sessions.gone': 'idle' },
    },
    using: { on: { 'card.changed': { guard: 'hasCard', actions: 'sendCard' } } },
    closed: { type: 'final' },
  },
  on: {
    // A pool user's may come before its first session does.
    ASAP_BUSINESS_CARD: { actions: [{ type: 'keepCard', params: ({ event }) => event }, { type: 'lookUp', params: ({ event }) => event }] },
    'transport.down': '.closed',
  },
});

/** What a peer's business card says (RFC 5352 §2.2.13). Addresses are the registrars' to tell: of the elements their identifiers are kept. */
export interface BusinessCard {
  /** Key of the pool handle. */
  readonly key: string;
  /** PE identifiers: its sender, then those it prefers, in this order. */
  readonly order: readonly number[];
}
export interface ControlChannelInput {
  /** This end is the pool element's. */
  readonly isService: boolean;
  /** This process has a pool element, so a card. */
  readonly hasCard: () => boolean;
  /** Default 1 s. */
  readonly cookieInterval: Milliseconds;
}
export interface ControlChannelContext extends ControlChannelInput {
  /** The peer's newest business card. */
  readonly card: BusinessCard | undefined;
}
export type ControlChannelEvent =
  | { type: 'communication.begins' } | { type: 'sessions.gone' } | { type: 'ASAP_BUSINESS_CARD'; card: BusinessCard } | { type: 'card.changed' } | { type: 'transport.down' };
export type ControlChannelOrder = { type: 'order.sendCard' } | { type: 'order.repeatCookies' } | { type: 'order.lookUp'; card: BusinessCard };
