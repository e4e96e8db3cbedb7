import { assign, sendTo, setup, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import type { AsapMessage, AsapMessageOf, Cause, Generation } from '../wire/index.js';
import { growing } from './random.js';
import type { HuntReason } from './server-hunt.js';
import type { Timers } from './timers.js';

/** A pool element keeps itself registered with its home registrar. RFC 5352 §3.1, and leaves, §3.2. One server hunt serves a whole process: the
 *  chart asks for it (`home.seek`) and waits for `home.found`, where the RFC's text has each registration hunt for itself. */
export const registrationMachine = setup({
  types: {} as { context: RegistrationContext; events: RegistrationEvent; input: RegistrationInput; output: RegistrationOutput },
  actions: {
    transmit: sendTo(({ context }) => context.home, (_, params: { message: AsapMessage }) => ({ type: 'transmit' as const, ...params })),
    seekHome: sendTo(({ context }) => context.home, ({ context }) => ({ type: 'home.seek' as const, why: context.why, from: context.owner })),
    tell: sendTo(({ context }) => context.owner, (_, params: RegistrationNews) => params),
    suspect: assign((_, { why }: { why: HuntReason }) => ({ why })),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1, wasSent: true, isOutdated: false }),
    acknowledge: assign((_, { generation }: Response) => ({ attempts: 0, generation, isAcknowledged: true, accepted: undefined, why: 'none' as const })),
    takeOver: assign(({ context }, { generation }: TakenOver) => ({ generation: generation ?? context.generation })),
    doubt: assign({ isAcknowledged: false }),
    countRemoval: assign({ removals: ({ context }) => context.removals + 1 }),
    forgetRemovals: assign({ removals: 0 }),
    countDeparture: assign({ departures: ({ context }) => context.departures + 1 }),
    /** What the registrar has accepted is kept, in case it will not have the new. */
    change: assign(({ context }, { registration }: { registration: Registration }) => ({
      registration, isOutdated: true, accepted: context.accepted ?? (context.isAcknowledged ? context.registration : undefined),
    })),
    revert: assign({ registration: ({ context }) => context.accepted ?? context.registration, accepted: undefined, attempts: 0 }),
    conclude: assign((_, outcome: RegistrationOutput) => ({ outcome })),
  },
  guards: {
    isRejection: (_, { flags }: Response) => flags.reject,
    isRejectedChange: ({ context }, { flags }: Response) => flags.reject && context.accepted !== undefined,
    isOutdated: ({ context }) => context.isOutdated,
    isNewHome: (_, { change }: HomeFound) => change !== 'none',
    /** One that took us over has our registration (§3.4 KA2.4); one that we found has not. One that took over others of this process may be about to. */
    isFoundHome: (_, { change }: HomeFound) => change === 'found',
    isOthersHome: (_, { change }: HomeFound) => change === 'moved',
    hasTakenOver: (_, { change }: HomeFound) => change === 'takeover' || change === 'moved',
    wasSent: ({ context }) => context.wasSent,
    /** Those that were asked before it are still being answered: that nothing has come yet is no evidence against the registrar. */
    isQueued: ({ context }) => context.sinceProgress() < context.timers.t2Registration,
    attemptsExceeded: ({ context }) => context.attempts > context.timers.maxRegAttempt,
    /** It speaks of a registration before the present one. */
    isLateRemoval: ({ context }, { generation }: Removal) => isOlder(generation, context.generation),
    removalsExceeded: ({ context }) => context.removals > context.timers.maxRegAttempt,
    departuresExceeded: ({ context }) => context.departures > context.timers.maxRegAttempt,
  },
  delays: {
    'T2-registration': ({ context }) => context.timers.t2Registration,
    'rest-of-T2': ({ context }) => Math.max(1, context.timers.t2Registration - context.sinceProgress()),
    'T3-deregistration': ({ context }) => context.timers.t3Deregistration,
    'T4-reregistration': ({ context }) => reregistration(context) * (1 - context.fraction() / 10), // never later, and many not at once
    'claim-wait': ({ context }) => (context.timers.homeSilence / 3) * (0.5 + context.fraction() / 2),
    'registration-back-off': ({ context }) => growing(context.timers.t2Registration, backOffs(context), context.timers.retranMax) * (0.5 + context.fraction() / 2),
  },
}).createMachine({
  id: 'registration',
  context: ({ input }) => ({
    ...input, attempts: 0, removals: 0, departures: 0, why: 'none', wasSent: false, isAcknowledged: false, isOutdated: false,
    generation: undefined, accepted: undefined, outcome: { reason: 'deregistered' },
  }),
  output: ({ context }) => context.outcome,
  initial: 'unregistered',
  on: {
    // At the end of a registration, and of a late one that T2 has given up already.
    ASAP_REGISTRATION_RESPONSE: [
      {
        guard: { type: 'isRejectedChange', params: ({ event }) => event },
        target: '.registered',
        actions: [{ type: 'tell', params: ({ event }) => ({ type: 'registration.rejected', causes: event.error ?? [] }) }, 'revert'],
      },
      {
        guard: { type: 'isRejection', params: ({ event }) => event },
        target: '.failed',
        actions: [{ type: 'conclude', params: ({ event }) => ({ reason: 'rejected', causes: event.error ?? [] }) }],
      },
      { guard: 'isOutdated', target: '.registering', actions: { type: 'acknowledge', params: ({ event }) => event }, reenter: true },
      {
        target: '.registered',
        actions: [{ type: 'acknowledge', params: ({ event }) => event }, { type: 'tell', params: ({ event }) => ({ type: 'registration.accepted', generation: event.generation, warnings: event.error ?? [] }) }],
      },
    ],
    'registration.update': { actions: { type: 'change', params: ({ event }) => event } },
    // What is compared from now on, in later removals and in what we send, is what the new home gave.
    'registration.takenOver': { actions: [{ type: 'takeOver', params: ({ event }) => event }, { type: 'tell', params: ({ context, event }) => ({ type: 'registration.moved', generation: event.generation ?? context.generation }) }] },
    'deregistration.request': '.deregistering',
  },
  states: {
    unregistered: {
      on: {
        'registration.request': 'hunting',
        'deregistration.request': 'deregistered',
        ASAP_REGISTRATION_RESPONSE: {},
      },
    },
    hunting: { // R1, §3.6
      entry: 'seekHome',
      on: {
        'home.found': 'registering',
        'deregistration.request': [{ guard: 'wasSent', target: 'leaving' }, { target: 'deregistered' }],
      },
    },
    registering: {
      entry: ['countAttempt', { type: 'transmit', params: ({ context }) => ({ message: current(context) }) }], // R2, R3
      after: { 'T2-registration': 'unanswered' }, // R4
      on: {
        'home.found': { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'registering', reenter: true },
        'home.lost': { target: 'serverLost', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'transport.sendFailure': { target: 'serverLost', actions: { type: 'suspect', params: { why: 'transport.down' } } },
      },
    },
    // The RFC has one PE on an association. Behind a hundred others T2 counts from the last answer to one of them: if each gave up, and began anew elsewhere or over
    // another association, a registrar that is only busy would have the more to do the less it gets done.
    unanswered: {
      always: [
        { guard: 'isQueued', target: 'queued' },
        { target: 'serverLost', actions: { type: 'suspect', params: { why: 'T2-registration' } } },
      ],
    },
    queued: {
      after: { 'rest-of-T2': 'unanswered' },
      on: {
        'home.found': { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'registering' },
        'home.lost': { target: 'serverLost', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'transport.sendFailure': { target: 'serverLost', actions: { type: 'suspect', params: { why: 'transport.down' } } },
      },
    },
    registered: {
      initial: 'confirmed',
      states: {
        confirmed: {},
        // Our home is another one, which has not said that it has this registration: it is told, unless it claims it as well (RFC 5353 §3.5.2 does that one by one).
        unconfirmed: { after: { 'claim-wait': '#registration.registering' } },
      },
      after: { 'T4-reregistration': { target: 'registering', actions: 'forgetRemovals' } },
      on: {
        ASAP_REGISTRATION_RESPONSE: {},
        // §2.2.4: the registrar has removed us. Alive as we are, we come back at once; from a registrar that keeps doing it, less and less often.
        ASAP_DEREGISTRATION_RESPONSE: [
          { guard: { type: 'isLateRemoval', params: ({ event }) => event } },
          { guard: 'removalsExceeded', target: 'backingOff', actions: ['countRemoval', 'doubt', { type: 'tell', params: { type: 'registration.lost', reason: 'removed' } }] },
          { target: 'registering', actions: ['countRemoval', 'doubt', { type: 'tell', params: { type: 'registration.lost', reason: 'removed' } }] },
        ],
        'registration.update': { target: 'registering', actions: { type: 'change', params: ({ event }) => event } },
        'registration.refresh': 'registering', // home has been silent: ask it
        'home.found': [
          { guard: { type: 'isFoundHome', params: ({ event }) => event }, target: 'registering' },
          { guard: { type: 'isOthersHome', params: ({ event }) => event }, target: '.unconfirmed' },
        ],
        'registration.takenOver': {
          target: '.confirmed',
          actions: [{ type: 'takeOver', params: ({ event }) => event }, { type: 'tell', params: ({ context, event }) => ({ type: 'registration.moved', generation: event.generation ?? context.generation }) }],
        },
        'home.lost': { target: 'serverLost', actions: { type: 'suspect', params: { why: 'transport.down' } } },
      },
    },
    // §3.1 gives up past MAX-REG-ATTEMPT, §7.3 hunts at that point; we hunt at every loss, tell the user past it, and go on more slowly.
    serverLost: {
      entry: [{ type: 'tell', params: ({ context }) => ({ type: 'registration.lost', reason: context.why }) }, 'doubt'],
      always: [
        { guard: 'attemptsExceeded', target: 'backingOff', actions: { type: 'tell', params: { type: 'error.report', reason: 'MAX-REG-ATTEMPT' } } },
        { target: 'hunting' },
      ],
    },
    backingOff: {
      after: { 'registration-back-off': 'hunting' },
      on: {
        'home.found': [
          { guard: { type: 'hasTakenOver', params: ({ event }) => event }, target: 'registering' },
          { guard: { type: 'isNewHome', params: ({ event }) => event }, actions: { type: 'suspect', params: { why: 'none' } } }, // it may be as deaf: later; but nothing speaks against it
        ],
      },
    },
    deregistering: {
      entry: ['countDeparture', { type: 'transmit', params: ({ context }) => ({ message: departure(context) }) }], // D1 to D3
      after: { 'T3-deregistration': { target: 'leaving', actions: { type: 'suspect', params: { why: 'T3-deregistration' } } } }, // D4
      on: {
        ASAP_REGISTRATION_RESPONSE: {}, // §3.2 waits for one; the other is meant
        ASAP_DEREGISTRATION_RESPONSE: { target: 'deregistered', actions: { type: 'conclude', params: ({ event }) => ({ reason: 'deregistered', causes: event.error }) } },
        'home.found': { guard: { type: 'isNewHome', params: ({ event }) => event }, target: 'deregistering', reenter: true },
        'home.lost': { target: 'leaving', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'transport.sendFailure': { target: 'leaving', actions: { type: 'suspect', params: { why: 'transport.down' } } },
        'deregistration.request': {},
      },
    },
    // Another registrar may do it; where there is none, the registration's life runs out by itself (§3.2).
    leaving: {
      entry: 'seekHome',
      always: { guard: 'departuresExceeded', target: 'deregistered', actions: { type: 'conclude', params: { reason: 'unanswered' } } },
      after: { 'T3-deregistration': { target: 'deregistered', actions: { type: 'conclude', params: { reason: 'unanswered' } } } },
      on: {
        'home.found': 'deregistering',
        ASAP_REGISTRATION_RESPONSE: {},
        ASAP_DEREGISTRATION_RESPONSE: { target: 'deregistered', actions: { type: 'conclude', params: ({ event }) => ({ reason: 'deregistered', causes: event.error }) } },
        'deregistration.request': {},
      },
    },
    deregistered: { type: 'final' },
    failed: { type: 'final' },
  },
});

type Registration = AsapMessageOf<'ASAP_REGISTRATION'>;
type Response = AsapMessageOf<'ASAP_REGISTRATION_RESPONSE'>;
type Removal = AsapMessageOf<'ASAP_DEREGISTRATION_RESPONSE'>;

/** T4 of §7.1: 10 min, or 20 s less than the life. That is nothing for short lives: half of the life then; `quick` takes a third of any life. */
function reregistration({ timers, registration: { poolElement } }: RegistrationContext): Milliseconds {
  const life = poolElement.registrationLife * 1000;
  if (life < 0) return timers.t4Reregistration; // for ever, but the registrar may forget
  return Math.max(1, Math.min(timers.t4Reregistration, life * timers.t4Share, Math.max(life - REREGISTRATION_LEAD, life / 2)));
}
const REREGISTRATION_LEAD = 20_000;

const backOffs = ({ attempts, removals, timers }: RegistrationContext): number => Math.max(attempts - timers.maxRegAttempt, removals - timers.maxRegAttempt, 1);

/** Registrations are ordered by generation, then by home: the same everywhere. Of what is not known nothing is older. */
export const isOlder = (a: Generation | undefined, b: Generation | undefined): boolean =>
  a !== undefined && b !== undefined && (a.generation < b.generation || (a.generation === b.generation && a.home < b.home));

/** With the generation that was given last: a home that takes over knows which registration is the newer one. */
function current({ registration, generation }: RegistrationContext): Registration {
  return generation === undefined ? registration : { ...registration, poolElement: { ...registration.poolElement, generation } };
}

function departure({ registration: { poolHandle, poolElement }, generation }: RegistrationContext): AsapMessage {
  return { type: 'ASAP_DEREGISTRATION', poolHandle, peIdentifier: poolElement.identifier, generation };
}

export interface RegistrationInput {
  /** Takes `transmit` and `home.seek`; tells `home.found`, `home.lost` and what has come for this pool element. */
  readonly home: AnyActorRef;
  /** Gets the news. */
  readonly owner: AnyActorRef;
  readonly registration: Registration;
  readonly timers: Pick<Timers, 't2Registration' | 't3Deregistration' | 't4Reregistration' | 't4Share' | 'retranMax' | 'maxRegAttempt' | 'homeSilence'>;
  /** For how long home has answered nothing that this process asked it before it sent this registration; Infinity where there is nothing, or where home has answered what was
   *  asked later: then it has passed this one over. */
  readonly sinceProgress: () => Milliseconds;
  /** Uniform in [0, 1): jitter. */
  readonly fraction: () => number;
}
export interface RegistrationContext extends RegistrationInput {
  /** Since the last acknowledgement (§3.1). */
  readonly attempts: number;
  /** By the registrar, since T4 expired last. */
  readonly removals: number;
  readonly departures: number;
  readonly why: HuntReason;
  readonly wasSent: boolean;
  /** The registrar's last word is that we are registered. */
  readonly isAcknowledged: boolean;
  /** Changed since it was sent last. */
  readonly isOutdated: boolean;
  readonly generation: Generation | undefined;
  /** What to fall back on if a change is rejected. */
  readonly accepted: Registration | undefined;
  readonly outcome: RegistrationOutput;
}
/** A registrar can be asked: the same one on the same association (`none`), one on a new association (`found`), or one that has come by itself, for us (`takeover`) or
 *  for others of this process (`moved`). */
export interface HomeFound { readonly type: 'home.found'; readonly change: 'none' | 'found' | 'takeover' | 'moved' }
/** Its home, a new one or the same again, says that it owns this registration, and by which generation, if it knows of generations. */
export interface TakenOver { readonly type: 'registration.takenOver'; readonly generation: Generation | undefined }
export type RegistrationEvent =
  | { type: 'registration.request' }
  | { type: 'registration.update'; registration: Registration }
  | { type: 'registration.refresh' }
  | { type: 'deregistration.request' }
  | Response
  | Removal
  | HomeFound
  | TakenOver
  | { type: 'home.lost' }
  | { type: 'transport.sendFailure' };
export type RegistrationNews =
  | { type: 'registration.accepted'; generation: Generation | undefined; warnings: readonly Cause[] }
  /** A registrar has claimed it. */
  | { type: 'registration.moved'; generation: Generation | undefined }
  /** Said at each loss, of a registration under way too. */
  | { type: 'registration.lost'; reason: HuntReason | 'removed' }
  /** A change was; the registration stands as it was. */
  | { type: 'registration.rejected'; causes: readonly Cause[] }
  | { type: 'error.report'; reason: 'MAX-REG-ATTEMPT' };
export type RegistrationOutput =
  | { reason: 'deregistered'; causes?: readonly Cause[] | undefined }
  /** No registrar has acknowledged that we leave. */
  | { reason: 'unanswered' }
  | { reason: 'rejected'; causes: readonly Cause[] };
