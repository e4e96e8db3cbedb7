import { counted, reference, repliesTo, stateText, statelessReplies, unused } from '../../testing/simulation/counter.js';
import { emptyHistory, type InstanceHistory, type SessionHistory } from '../../testing/simulation/session-history.js';
import { sessionInvariants } from '../../testing/simulation/session-invariants.js';

const messages = ['1 a', '2 b', '3 c', '4 d'];

/** A session without a fault, of four messages, moved once. */
function good(mode: SessionHistory['mode'] = 'effectively-once', stateful = mode === 'effectively-once'): SessionHistory {
  const history = emptyHistory({ mode, stateful, concurrency: 1, window: { messages: 8, bytes: 1000 } });
  history.sent.push(...messages);
  for (const number of [1, 2, 3, 4]) history.sends.set(number, 'resolved');
  history.replies.push(...(stateful ? reference(messages).replies : messages.flatMap(statelessReplies)));
  history.ticks.push(1, 2, 3);
  (history.saved as Set<string>).add('2/x 0');
  history.instances.push(instance('pe1#1', 1, '1', '2'), { ...instance('pe2#1', 2, ...(stateful ? ['cookie 2/x 0'] : []), 'callback', '3', '4'), state: stateText(reference(messages).state) });
  return history;
}

const instance = (process: string, epoch: number, ...events: string[]): InstanceHistory =>
  ({ process, epoch, events, state: '', running: 0, mostRunning: 1, isFenced: false, isOver: false, trespasses: [] });

/** Each message in another mode: what is effectively-once keeps its promise in any session. */
const mixed = (): SessionHistory => ({ ...good('at-least-once'), modes: new Map([[1, 'effectively-once'], [2, 'at-most-once'], [4, 'effectively-once']] as const) });

/** Its first message was a request. */
const asked = (): SessionHistory => edited(good(), ({ requests, replies }) => requests.set(1, replies.shift()));

const last = (history: SessionHistory): InstanceHistory => history.instances[1]!;

/** A bad world for each invariant: what makes it fail. */
const bad: Readonly<Record<string, readonly (() => SessionHistory)[]>> = {
  'replies are as if nothing had failed': [
    () => edited(good(), ({ replies }) => replies.splice(1, 1)),
    () => edited(good(), ({ replies }) => replies.splice(1, 0, replies[0]!)),
    () => edited(good(), ({ replies }) => replies.reverse()),
    () => edited(good(), ({ replies }) => replies.push(...repliesTo('4 d', { seen: ['1', '4'], digest: 1 }))),
    () => edited({ ...good('effectively-once', false), concurrency: 3 }, ({ replies }) => replies.push(replies[0]!)),
    () => edited({ ...good('effectively-once', false), concurrency: 3 }, ({ replies }) => replies.push('foreign')),
    () => edited(good(), ({ replies }) => replies.splice(-1, 1, ...repliesTo('4 d', reference(['1 a', '4 d']).state))), // says that 2 and 3 were not counted
    () => edited(good(), ({ replies }) => replies.splice(-1, 1, ...repliesTo('4 d', messages.reduce((state, message) => counted(state, message, 6), unused)))), // the dice fell otherwise
    () => edited(good('effectively-once', false), ({ replies }) => replies.splice(2, 1, statelessReplies('2 b', 6)[1]!)), // half of another answer
    () => edited(mixed(), ({ replies }) => replies.splice(0, 1)),
  ],
  'replies say what was counted': [
    () => edited(good(), ({ replies }) => replies.push('4.0 4/00000000/1.2.3.4')),
    () => edited(good(), ({ replies }) => replies.push(...repliesTo('4 d', reference(['1 a', '3 c', '2 b', '4 d']).state))),
    () => edited(good(), ({ replies }) => replies.push(...repliesTo('4 d', reference(['3 c']).state))),
    () => edited(good('at-least-once'), ({ replies }) => replies.push('1.0 2/00000000/1.1')),
    () => edited(asked(), ({ requests }) => requests.set(1, 'NO_REPLY')),
    () => edited(asked(), ({ requests }) => requests.set(1, '1.0 1/00000000/1')),
  ],
  'every reply comes': [() => edited(good('at-least-once'), ({ replies }) => replies.pop())],
  'state is as if nothing had failed': [() => edited(good(), (history) => { last(history).state = stateText(reference(['1 a', '2 b', '4 d']).state); }),
    () => edited(good(), (history) => { last(history).state = '4/00000000/1.2.3.4'; }),
    () => edited(good(), (history) => { last(history).state = stateText(messages.reduce((state, message) => counted(state, message, 6), unused)); }),
  ],
  'at-least-once loses nothing': [() => edited(good('at-least-once'), (history) => last(history).events.pop())],
  'at-least-once resolves when handled': [() => edited(good('at-least-once'), (history) => last(history).events.pop())],
  'at-most-once doubles nothing': [
    () => edited(good('at-most-once'), (history) => history.instances[0]!.events.push('3')),
    () => edited(good('at-most-once'), ({ replies }) => replies.push(replies[0]!)),
  ],
  'at-most-once reports what it may have lost': [() => edited(good('at-most-once'), (history) => last(history).events.pop())],
  'a request has its own reply': [() => edited(asked(), ({ requests }) => requests.set(1, repliesTo('2 b', reference(['1 a', '2 b']).state)[0]))],
  'what is restored was saved': [() => edited(good(), ({ saved }) => (saved as Set<string>).clear())],
  'what was taken back is handled by nobody': [() => edited(good(), ({ takenBack }) => takenBack.add(3))],
  'what was discarded is not handled again': [() => edited(good(), ({ discarded }) => discarded.set(4, 2))],
  'unprompted messages come once': [() => edited(good(), ({ notes }) => notes.push('1.1', '1.2', '1.1'))],
  'unprompted messages are numbered without a gap': [() => edited(good(), ({ ticks }) => ticks.push(3)), () => edited(good(), ({ ticks }) => ticks.push(5))],
  'order at the new pool element': [
    () => edited(good(), (history) => last(history).events.reverse()),
    () => edited(good(), (history) => last(history).events.push('callback')),
    () => edited(good(), (history) => last(history).events.push('cookie 4/x 0')),
    () => edited(good(), (history) => last(history).events.push('6')),
    () => edited(good(), (history) => last(history).events.push('4')),
  ],
  'a hand-over doubles nothing': [() => edited(good(), (history) => { history.moves.push({ epoch: 2, isHandOver: true }); last(history).events.splice(-2, 0, '2'); })],
  'a message at a time': [() => edited(good(), (history) => { last(history).mostRunning = 2; })],
  'one epoch at a time at a pool element': [() => edited(good(), (history) => history.instances.push({ ...instance('pe9', 3), running: 1 }, { ...instance('pe9', 4), running: 1 }))],
  'who froze hands nothing out': [() => edited(good(), (history) => last(history).trespasses.push('4'))],
  'every send settles': [() => edited(good(), ({ sends }) => sends.delete(3))],
  'the session goes on': [() => edited(good(), (history) => { history.end = 'FAILOVER_FAILED'; })],
  'the window is bounded': [() => edited(good(), (history) => { history.mostKept = { messages: 9, bytes: 10 }; }), () => edited(good(), (history) => { history.mostKept = { messages: 1, bytes: 1001 }; })],
};

function edited(history: SessionHistory, edit: (history: SessionHistory) => void): SessionHistory {
  edit(history);
  return history;
}

describe.each(sessionInvariants.map((invariant) => [invariant.name, invariant] as const))('%s', (name, { check }) => {
  it.each(['effectively-once', 'at-least-once', 'at-most-once'] as const)('holds for a good session (%s)', (mode) => {
    expect(check(good(mode))).toBeUndefined();
  });

  it('can fail', () => {
    expect(bad[name]?.length ?? 0).toBeGreaterThan(0);
    for (const world of bad[name] ?? []) expect(check(world())).toEqual(expect.any(String));
  });
});

it('a request that is answered by its promise leaves no gap among the replies', () => {
  expect(sessionInvariants.flatMap(({ check }) => check(asked()) ?? [])).toEqual([]);
});

it('modes are those of the messages: each is held to its own', () => {
  const wrong = (history: SessionHistory): string[] => sessionInvariants.flatMap(({ name, check }) => (check(history) === undefined ? [] : [name]));
  expect(wrong(mixed())).toEqual([]);
  expect(wrong(edited(mixed(), ({ replies }) => replies.push(replies[1]!)))).toEqual(['at-most-once doubles nothing']);
  expect(wrong(edited(mixed(), ({ replies }) => replies.push(replies[0]!)))).toEqual(['replies are as if nothing had failed']);
  expect(wrong(edited(mixed(), (history) => { history.instances[0]!.events.pop(); }))).toEqual(['at-most-once reports what it may have lost']);
  expect(wrong(edited(mixed(), (history) => { history.instances[0]!.events.pop(); history.undelivered.push('2 b'); }))).toEqual([]);
});

const moves = (count: number): SessionHistory['moves'] => Array.from({ length: count }, (_, index) => ({ epoch: index + 2, isHandOver: false }));

it('a hand-over answers for the element that asked for it, and not for one that failed before', () => {
  const handedOver = sessionInvariants.find(({ name }) => name === 'a hand-over doubles nothing')!;
  const history = { ...good('at-least-once'), moves: [{ epoch: 2, isHandOver: false }, { epoch: 3, isHandOver: true }], instances: [instance('pe1', 1, '1'), instance('pe2', 2), instance('pe1', 3, '1')] };
  expect(handedOver.check(history)).toBeUndefined();
  expect(handedOver.check({ ...history, instances: [instance('pe1', 1, '1'), instance('pe2', 2, '1'), instance('pe1', 3, '1')] })).toEqual(expect.any(String));
});

it('a session may end over a poisoned message (D-17), or a cookie that its user has forged (D-26), and over nothing else', () => {
  const goesOn = sessionInvariants.find(({ name }) => name === 'the session goes on')!;
  expect(goesOn.check({ ...good(), end: 'POISONED_MESSAGE', errors: ['POISONED_MESSAGE'], moves: moves(3) })).toBeUndefined();
  expect(goesOn.check({ ...good(), end: 'POISONED_MESSAGE', errors: ['POISONED_MESSAGE'], moves: moves(1) })).toEqual(expect.any(String));
  const refused = { end: 'FAILOVER_FAILED', errors: ['COOKIE_REFUSED', 'FAILOVER_FAILED'] };
  expect(goesOn.check({ ...good(), ...refused, isForged: true })).toBeUndefined();
  expect(goesOn.check({ ...good(), ...refused })).toBe('its own cookie was refused');
});
