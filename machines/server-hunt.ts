import { assign, enqueueActions, fromPromise, sendTo, setup, type AnyActorRef } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { difference, growing, shuffle } from './random.js';
import type { Timers } from './timers.js';

/** Finds a home registrar and notices when it falls silent. RFC 5352 §3.6. One hunt serves all of a process: its host makes the links and
 *  tells those who wait. Addresses announced by multicast are hints that stand beside the configured ones, which never age: nobody vouches for them, so they
 *  come second, are few at once, and mean nothing to a home that lives. */
export const serverHuntMachine = setup({
  types: {} as { context: ServerHuntContext; events: ServerHuntEvent; input: ServerHuntInput },
  actors: {
    // Host names are resolved at each hunt: who runs registrars moves them by DNS.
    lookUp: fromPromise<readonly string[], Pick<ServerHuntInput, 'registrars' | 'lookUp'>>(({ input }) => input.lookUp(input.registrars)),
  },
  actions: {
    tell: sendTo(({ context }) => context.host, (_, params: ServerHuntOrder) => params),
    remember: assign((_, { why }: { why: HuntReason }) => ({ why })),
    rememberHome: assign((_, { address }: { address: string }) => ({ home: address })),
    forgetHome: assign({ home: undefined }),
    /** Who accepts an association and answers nothing would win each race: those that failed us so are tried when nobody better is left, and alone. */
    suspectHome: assign({ suspects: ({ context: { suspects, home } }) => (home === undefined ? suspects : [...difference(suspects, [home]), home].slice(-MOST_SUSPECTS)) }),
    trustHome: assign({ suspects: ({ context: { suspects, home } }) => difference(suspects, [home]) }),
    forgetTried: assign({ tried: [] }),
    arrange: assign(({ context }, { addresses }: { addresses: readonly string[] }) => ({ candidates: order(addresses, context.announced?.() ?? [], context), tried: [] })),
    /** SH1: as many attempts at once as there may be associations, the old home's counted. */
    attempt: enqueueActions(({ context, enqueue }) => {
      const starting = next(context, Math.max(0, MAX_ASSOCIATIONS - context.attempts.length - (context.home === undefined ? 0 : 1)));
      for (const address of starting) enqueue.sendTo(context.host, { type: 'attempt.start', address });
      enqueue.assign({
        candidates: context.candidates.slice(starting.length),
        attempts: [...context.attempts, ...starting],
        tried: [...context.tried, ...starting],
      });
    }),
    addCandidate: assign(({ context }, { address }: { address: string }) => ({ candidates: [...context.candidates, address] })),
    forgetAttempt: assign(({ context }, { address }: { address: string }) => ({ attempts: context.attempts.filter((other) => other !== address) })),
    forgetAttempts: assign({ attempts: [], candidates: [] }),
    doubleT5: assign({ t5: ({ context }) => Math.min(2 * context.t5, context.timers.retranMax) }),
    resetT5: assign({ t5: ({ context }) => context.timers.t5ServerHunt }),
    forgetRounds: assign({ rounds: 0 }),
    countRound: assign({ rounds: ({ context }) => context.rounds + 1 }),
  },
  guards: {
    isFirstWish: (_, { why }: { why: HuntReason }) => why === 'none',
    isNeeded: ({ context }) => context.isNeeded(),
    /** It was found after another failure, and has not stayed. */
    isUnsteady: ({ context }) => context.rounds > 0 && context.isNeeded(),
    /** What those who hunt miss has come from the old home after all. */
    isAnswer: ({ context }, { answers }: { answers: HuntReason }) => context.home !== undefined && (context.why === 'silence' || context.why === answers),
    /** The old home accepts one more association. What it has been asked waits for it on the one that is there, and asked anew over another it would have twice the work:
     *  an overloaded registrar would never be through. Only an association that has been dead for long gives way. */
    isHomeAgain: ({ context: { home, why, timers, unheard } }, { address }: { address: string }) => address === home && unheard() < patience(why, timers),
    hasCandidates: ({ context }) => context.candidates.length > 0,
    hasAnnounced: ({ context }) => (context.announced?.().length ?? 0) > 0,
    isNews: ({ context: { home, candidates, tried, suspects } }, { address }: { address: string }) =>
      candidates.length + tried.length < MOST_IN_ROUND && ![home, ...candidates, ...tried, ...suspects].includes(address),
    isLastAttempt: ({ context }, { address }: { address: string }) => context.attempts.every((other) => other === address),
    isQuiet: ({ context }) => context.silence() >= context.timers.homeSilence / 2,
    isSilent: ({ context }) => context.silence() >= 0.8 * context.timers.homeSilence, // it was asked for the last third
  },
  delays: {
    'T5-Serverhunt': ({ context }) => context.t5 * (0.9 + context.fraction() / 5), // rounds of many are not in step
    'hunt-back-off': ({ context }) => growing(context.timers.t5ServerHunt / 10, context.rounds, context.timers.retranMax) * (0.5 + context.fraction() / 2),
    'hunt-interval': ({ context }) => context.timers.t5ServerHunt * (0.5 + context.fraction() / 2),
    'home-quiet': ({ context }) => Math.max(1, context.timers.homeSilence * (2 / 3 - context.fraction() / 8) - context.silence()),
    'rest-of-silence': ({ context }) => context.timers.homeSilence / 3, // also for a process that has just thawed
  },
}).createMachine({
  id: 'serverHunt',
  context: ({ input }) => ({ ...input, why: 'none', home: undefined, candidates: [], attempts: [], tried: [], suspects: [], t5: input.timers.t5ServerHunt, rounds: 0 }),
  initial: 'idle',
  on: {
    // RFC 5352 §3.4 KA2.4: a registrar has made itself home.
    'home.adopted': { target: '.home', actions: [{ type: 'tell', params: { type: 'attempts.stop' } }, 'forgetAttempts', { type: 'rememberHome', params: ({ event }) => event }, 'trustHome'], reenter: true },
  },
  states: {
    idle: { on: { 'home.seek': { target: 'hunting', actions: { type: 'remember', params: ({ event }) => event } } } },
    hunting: {
      initial: 'lookingUp',
      entry: ['forgetTried', { type: 'tell', params: { type: 'hunt.begun' } }],
      on: {
        'home.down': { actions: 'forgetHome' },
        'home.heard': {
          guard: { type: 'isAnswer', params: ({ event }) => event },
          target: 'home',
          actions: [{ type: 'tell', params: { type: 'attempts.stop' } }, 'forgetAttempts', 'trustHome', { type: 'tell', params: { type: 'home.kept' } }],
        },
      },
      states: {
        lookingUp: {
          invoke: {
            src: 'lookUp', id: 'lookUp', input: ({ context }) => context,
            onDone: { target: 'attempting', actions: { type: 'arrange', params: ({ event }) => ({ addresses: event.output }) } },
            onError: [{ guard: 'hasAnnounced', target: 'attempting', actions: { type: 'arrange', params: { addresses: [] } } }, { target: 'lost' }],
          },
          after: { 'T5-Serverhunt': [{ guard: 'hasAnnounced', target: 'attempting', actions: { type: 'arrange', params: { addresses: [] } } }, { target: 'lost' }] },
        },
        attempting: {
          entry: 'attempt', // SH1, SH2
          after: { 'T5-Serverhunt': { target: 'lookingUp', actions: [{ type: 'tell', params: { type: 'attempts.stop' } }, 'forgetAttempts', 'doubleT5'] } }, // SH5
          on: {
            'attempt.up': [ // SH3, SH6
              {
                guard: { type: 'isHomeAgain', params: ({ event }) => event },
                target: '#serverHunt.home',
                actions: [{ type: 'tell', params: { type: 'attempts.stop' } }, 'forgetAttempts', { type: 'tell', params: { type: 'home.kept' } }],
              },
              {
                target: '#serverHunt.home',
                actions: ['forgetAttempts', { type: 'rememberHome', params: ({ event }) => event }, { type: 'tell', params: ({ event }) => ({ type: 'home.adopt', address: event.address }) }],
              },
            ],
            'attempt.failed': [ // SH4
              { guard: 'hasCandidates', actions: [{ type: 'forgetAttempt', params: ({ event }) => event }, 'attempt'] },
              { guard: { type: 'isLastAttempt', params: ({ event }) => event }, target: 'lost', actions: 'forgetAttempts' },
              { actions: { type: 'forgetAttempt', params: ({ event }) => event } },
            ],
            'registrar.announced': { guard: { type: 'isNews', params: ({ event }) => event }, actions: [{ type: 'addCandidate', params: ({ event }) => event }, 'attempt'] },
          },
        },
        // Nobody is there: no address is left to try, so waiting for T5 would help nobody. Short at first, then longer.
        lost: {
          initial: 'resting',
          entry: ['countRound', { type: 'tell', params: ({ context }) => ({ type: 'hunt.failed', rounds: context.rounds }) }],
          states: {
            resting: { after: { 'hunt-back-off': '#serverHunt.hunting.lookingUp' }, on: { 'home.seek': 'wanted', 'registrar.announced': 'wanted' } }, // however many are forged, a hunt comes no sooner than T5 / 2
            wanted: { after: { 'hunt-interval': '#serverHunt.hunting.lookingUp' } },
          },
        },
      },
    },
    home: {
      initial: 'heard',
      entry: 'resetT5', // SH3
      on: {
        'home.seek': [
          { guard: { type: 'isFirstWish', params: ({ event }) => event }, actions: { type: 'tell', params: { type: 'home.kept' } } },
          { target: 'hunting', actions: ['suspectHome', { type: 'remember', params: ({ event }) => event }] },
        ],
        'home.down': [
          // One that ends each association as soon as it is there would be dialled without end.
          { guard: 'isUnsteady', target: 'hunting.lost', actions: ['suspectHome', 'forgetHome', { type: 'remember', params: { why: 'transport.down' } }] },
          { guard: 'isNeeded', target: 'hunting', actions: ['countRound', 'forgetHome', { type: 'remember', params: { why: 'transport.down' } }] },
          { target: 'idle', actions: 'forgetHome' },
        ],
      },
      // A PE judges its registration by what it hears: TCP keeps a frozen registrar's connection open for ever.
      states: {
        heard: { after: { 'home-quiet': [{ guard: 'isQuiet', target: 'probing', actions: 'forgetRounds' }, { target: 'heard', reenter: true, actions: 'forgetRounds' }] } },
        probing: {
          entry: { type: 'tell', params: { type: 'home.probe' } },
          after: {
            'rest-of-silence': [
              { guard: 'isSilent', target: '#serverHunt.hunting', actions: ['suspectHome', { type: 'remember', params: { why: 'silence' } }] },
              { target: 'heard' },
            ],
          },
        },
      },
    },
  },
});

/** SH1: three at once at the most. */
const MAX_ASSOCIATIONS = 3;

/** Kept of those that failed us while their association stood. */
const MOST_SUSPECTS = 16;

/** A round takes no more on account of what is announced while it lasts. */
const MOST_IN_ROUND = 16;

/** Those not tried in the round before come first (SH5), the configured ones in random order, then the announced ones as they come; then suspects, the first one suspected first; last the present home: it is the one that failed. */
function order(addresses: readonly string[], announced: readonly string[], { tried, home, suspects, fraction }: ServerHuntContext): readonly string[] {
  const all = [...new Set([...addresses, ...announced])];
  const mixed = (some: readonly string[]): readonly string[] => [...shuffle(some.filter((address) => addresses.includes(address)), fraction), ...difference(some, addresses)];
  const trusted = all.filter((address) => address !== home && !suspects.includes(address));
  const doubtful = suspects.filter((address) => address !== home && all.includes(address));
  const [fresh, old] = [difference(trusted, tried), trusted.filter((address) => tried.includes(address))];
  const [freshDoubtful, oldDoubtful] = [difference(doubtful, tried), doubtful.filter((address) => tried.includes(address))];
  const first = fresh.length > 0 ? [...mixed(fresh), ...mixed(old), ...freshDoubtful] : [...freshDoubtful, ...mixed(old)];
  return [...first, ...oldDoubtful, ...all.filter((address) => address === home)];
}

/** The first of the candidates, as many as may be tried beside those on their way. */
function next({ candidates, attempts, suspects, home }: ServerHuntContext, most: number): readonly string[] {
  const isAlone = (address: string): boolean => address === home || suspects.includes(address);
  const [head] = candidates;
  if (head === undefined || attempts.some(isAlone)) return [];
  if (isAlone(head)) return attempts.length === 0 ? [head].slice(0, most) : [];
  const end = candidates.findIndex(isAlone);
  return candidates.slice(0, Math.min(most, end < 0 ? candidates.length : end));
}

/** For how long nothing may have come over an association that stands, before another one with the same registrar is thought better. A question for a pool is soon asked
 *  again, and its user waits. */
function patience(why: HuntReason, { t1EnrpRequest, homeSilence }: ServerHuntContext['timers']): Milliseconds {
  return why === 'T1-ENRPrequest' ? t1EnrpRequest : SILENCES * homeSilence;
}
const SILENCES = 3;

/** Why somebody wants a registrar: none is known, or which evidence speaks against the present one. */
export type HuntReason = 'none' | 'silence' | 'transport.down' | 'T1-ENRPrequest' | 'T2-registration' | 'T3-deregistration';

export interface ServerHuntInput {
  /** Gets the orders. */
  readonly host: AnyActorRef;
  /** Addresses, host names not yet resolved. */
  readonly registrars: readonly string[];
  readonly lookUp: (registrars: readonly string[]) => Promise<readonly string[]>;
  /** Some of the addresses that were announced not longer than T7-ENRPoutdate ago, in the order to try them. */
  readonly announced?: (() => readonly string[]) | undefined;
  readonly timers: Pick<Timers, 't1EnrpRequest' | 't5ServerHunt' | 'retranMax' | 'homeSilence'>;
  /** For how long nothing has been heard from home; 0 where nobody minds (a PU without elements asks when it wants something). */
  readonly silence: () => Milliseconds;
  /** For how long home has said nothing at all since it was asked; Infinity without one. */
  readonly unheard: () => Milliseconds;
  /** Whether somebody waits for a registrar, or is registered. */
  readonly isNeeded: () => boolean;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
}
export interface ServerHuntContext extends ServerHuntInput {
  readonly why: HuntReason;
  /** The registrar in use, a suspected one too. */
  readonly home: string | undefined;
  /** Not tried yet in this round. */
  readonly candidates: readonly string[];
  /** On their way. */
  readonly attempts: readonly string[];
  /** Begun in this round. */
  readonly tried: readonly string[];
  /** Were home and did not answer, the one found so last at the end. */
  readonly suspects: readonly string[];
  readonly t5: Milliseconds;
  /** Rounds without success. */
  readonly rounds: number;
}
export type ServerHuntEvent =
  | { type: 'home.seek'; why: HuntReason }
  /** A message has come from the home that is suspected: what it answers. */
  | { type: 'home.heard'; answers: HuntReason }
  | { type: 'home.down' }
  | { type: 'home.adopted'; address: string }
  /** Somebody says by multicast that a registrar is there. */
  | { type: 'registrar.announced'; address: string }
  | { type: 'attempt.up'; address: string }
  | { type: 'attempt.failed'; address: string };
/** What the host is asked to do. */
export type ServerHuntOrder =
  | { type: 'attempt.start'; address: string }
  | { type: 'attempts.stop' }
  /** This attempt's association is home now; the others and the old one end. */
  | { type: 'home.adopt'; address: string }
  /** The present home stays: tell those who wait. */
  | { type: 'home.kept' }
  /** Ask home for a sign of life. */
  | { type: 'home.probe' }
  | { type: 'hunt.begun' }
  | { type: 'hunt.failed'; rounds: number };
