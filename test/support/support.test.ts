import { assign, emit, fromPromise, sendTo, setup, type AnyActorRef } from 'xstate';
import { drive } from './drive.js';
import { coverage, modelOf } from './model-of.js';

const anyActor = { send: () => undefined } as unknown as AnyActorRef;

interface Context { readonly home: AnyActorRef; readonly attempts: number; readonly t2: number }
type Event = { type: 'registration.request' } | { type: 'ASAP_REGISTRATION_RESPONSE'; reject: boolean };

let contexts = 0;
const machine = setup({
  types: {} as { context: Context; events: Event; input: Omit<Context, 'attempts'>; emitted: { type: 'error.report'; reason: string } },
  actors: { serverHunt: fromPromise(() => Promise.resolve(1)) },
  actions: {
    transmit: sendTo(({ context }) => context.home, (_, params: { type: string }) => ({ type: 'transmit' as const, message: params })),
    report: emit((_, params: { reason: string }) => ({ type: 'error.report' as const, ...params })),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    closeLink: () => { throw new Error('never run'); },
  },
  guards: {
    isRejection: (_, response: { reject: boolean }) => response.reject,
    attemptsExceeded: ({ context }) => context.attempts > 1,
  },
  delays: { 'T2-registration': ({ context }) => context.t2, 'RETRAN.max': 60_000 },
}).createMachine({
  id: 'sample',
  context: ({ input }) => { contexts += 1; return { ...input, attempts: 0 }; },
  initial: 'unregistered',
  states: {
    unregistered: { on: { 'registration.request': 'registering' } },
    registering: {
      entry: ['countAttempt', { type: 'transmit', params: { type: 'ASAP_REGISTRATION' } }],
      after: { 'T2-registration': 'serverLost' },
      on: {
        ASAP_REGISTRATION_RESPONSE: [
          { guard: { type: 'isRejection', params: ({ event }) => event }, target: 'failed', actions: { type: 'report', params: { reason: 'rejected' } } },
          { target: 'registered' },
        ],
      },
    },
    registered: { type: 'parallel', states: { lease: { initial: 'kept', states: { kept: { after: { 'RETRAN.max': '#sample.registering' } } } }, link: {} } },
    serverLost: { always: [{ guard: 'attemptsExceeded', target: 'failed' }, { target: 'hunting' }] },
    hunting: { invoke: { src: 'serverHunt', id: 'serverHunt', onDone: 'registering', onError: { target: 'failed', actions: 'closeLink' } } },
    failed: { type: 'final' },
  },
});
const input = { home: anyActor, t2: 30_000 };

describe('drive', () => {
  it('says what is sent and which timers run, by name', () => {
    const pe = drive(machine, input);
    expect(pe.initial).toEqual([]);
    expect(pe.send({ type: 'registration.request' })).toEqual(['send ASAP_REGISTRATION', 'start T2-registration 30000']);
    expect([pe.state, pe.timers, pe.sent]).toEqual(['registering', ['T2-registration'], [{ type: 'ASAP_REGISTRATION' }]]);
  });

  it('says cancel for running timers only, and emitted events with their reason', () => {
    const pe = drive(machine, input);
    pe.send({ type: 'registration.request' });
    expect(pe.send({ type: 'ASAP_REGISTRATION_RESPONSE', reject: true })).toEqual(['cancel T2-registration', 'emit error.report rejected']);
    expect([pe.state, pe.status, pe.timers]).toEqual(['failed', 'done', []]);
    expect(pe.emitted).toEqual([{ type: 'error.report', reason: 'rejected' }]);
  });

  it('lets timers expire by name, and children end', () => {
    const pe = drive(machine, input);
    pe.send({ type: 'registration.request' });
    expect(() => pe.expire('RETRAN.max')).toThrow('0 timers named RETRAN.max run; running: T2-registration');
    expect(pe.expire('T2-registration')).toEqual(['invoke serverHunt']);
    expect(pe.childDone('serverHunt', 1)).toEqual(['send ASAP_REGISTRATION', 'start T2-registration 30000']);
    expect(pe.send({ type: 'ASAP_REGISTRATION_RESPONSE', reject: false })).toEqual(['cancel T2-registration', 'start RETRAN.max 60000']);
    expect(pe.state).toBe('registered.lease.kept & registered.link');
    expect(() => pe.childDone('serverHunt')).toThrow('no child serverHunt runs');
  });

  it('says named actions without running them', () => {
    const pe = drive(machine, input);
    pe.send({ type: 'registration.request' });
    pe.expire('T2-registration');
    expect(pe.childFailed('serverHunt')).toEqual(['do closeLink']);
  });

  it('makes one context only, of its input', () => {
    contexts = 0;
    const pe = drive(machine, input);
    pe.send({ type: 'registration.request' });
    expect(contexts).toBe(1);
    expect(pe.context).toEqual({ ...input, attempts: 1 });
  });
});

describe('modelOf and coverage', () => {
  const cases = { ASAP_REGISTRATION_RESPONSE: [{ reject: true }, { reject: false }] };
  const project = ({ attempts }: Context): number => Math.min(attempts, 3);

  it('walks every state and transition, timers and children included', () => {
    const paths = modelOf(machine, { input, cases, project: (context) => project(context as Context) }).getShortestPaths();
    expect(coverage(machine, paths, input).missing).toEqual([]);
  });

  it('names what no path walks', () => {
    const paths = modelOf(machine, { input, cases: { ASAP_REGISTRATION_RESPONSE: [{ reject: true }] }, project: () => 0 }).getShortestPaths();
    expect(coverage(machine, paths, input).missing).toContain('sample.registered');
    expect(coverage(machine, paths, input).missing).toContain('sample.registering ASAP_REGISTRATION_RESPONSE 1');
  });
});
