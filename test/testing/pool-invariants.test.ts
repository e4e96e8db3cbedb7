import { emptyPoolHistory, type CardHistory, type MetClient, type PoolHistory, type PoolView, type SentMessage, type ServiceInstance } from '../../testing/simulation/pool/history.js';
import { cachesCleared, cardInvariants, indicationsFair, meetingsFair, poolInvariants, viewInvariants } from '../../testing/simulation/pool/invariants.js';

/** Elements 16 and 32, each on a host of its own; 48 was started again where 16 was; 33 has no data channel. */
function history(...messages: readonly Partial<SentMessage>[]): PoolHistory {
  const all = emptyPoolHistory();
  for (const [id, host] of [[16, 'e1'], [32, 'e2'], [48, 'e1']] as const) all.hosts.set(id, host);
  all.basic.add(33);
  all.carriers.set(32, 2);
  messages.forEach((message, index) => {
    all.sent.set(index + 1, { number: index + 1, kind: 'pool', mode: 'at-most-once', outcome: 'resolved', isNotTaken: false, to: [16], handledBy: [16], answers: [{ by: 16, from: 16 }], isReported: false, owed: [], ...message });
  });
  all.fast.push({ took: 20, isUndisturbed: true }, { took: 5_000, isUndisturbed: false });
  Object.assign(all.slow, { sent: 2, ahead: 2_000_000, got: [1, 2] });
  return all;
}

const good: readonly Partial<SentMessage>[] = [
  {}, { mode: 'effectively-once', handledBy: [16, 32], answers: [{ by: 32, from: 32 }] }, { mode: 'at-least-once', answers: [{ by: 16, from: 16 }, { by: 16, from: 16 }] },
  { outcome: 'LINK_LOST', isNotTaken: true, to: undefined, handledBy: [], answers: [] }, { handledBy: [], answers: [], isReported: true },
  { kind: 'all', to: [16, 32, 34], handledBy: [16, 32, 32], owed: [16, 32], answers: [] }, { handledBy: [48], answers: [{ by: 48, from: 16 }] },
];

const edited = (edit: (all: PoolHistory) => void): PoolHistory => {
  const all = history(...good);
  edit(all);
  return all;
};

const bad: Readonly<Record<string, readonly PoolHistory[]>> = {
  'every send settles': [history({ outcome: undefined })],
  'nothing sent without failover is handled twice': [history({ handledBy: [16, 16] }), history({ kind: 'all', to: [16, 32], handledBy: [16, 16] })],
  'what was sent effectively-once is answered once': [history({ mode: 'effectively-once', answers: [{ by: 16, from: 16 }, { by: 32, from: 32 }] })],
  'what was sent with failover is answered': [history({ mode: 'effectively-once', answers: [] }), history({ mode: 'at-least-once', answers: [] })],
  'what was sent without failover is handled, or reported': [history({ handledBy: [], answers: [] })],
  'an answer comes from who gave it': [history({ answers: [{ by: 32, from: 16 }] }), history({ answers: [{ by: 16, from: 48 }] })],
  'who has it handles it': [history({ handledBy: [32] })],
  'what was not taken is handled by nobody': [history({ outcome: 'LINK_LOST', isNotTaken: true, to: undefined })],
  'nobody is sent to who has no data channel': [history({ to: [33], handledBy: [32] })],
  'to all means to all': [history({ kind: 'all', to: [16], owed: [16, 32] }), history({ kind: 'all', outcome: 'SEND_TO_ALL_FAILED', to: [], owed: [32] })],
  'a slow session stalls nobody': [edited(({ fast }) => fast.push({ took: 1_500, isUndisturbed: true }))],
  'what is kept for a slow session is bounded': [edited(({ slow }) => { slow.ahead = 9_000_000; })],
  'nobody leaves over a slow session': [edited(({ slow }) => { slow.left = 'LINK_LOST'; })],
  'a slow session gets everything in order': [edited(({ slow }) => slow.got.reverse()), edited(({ slow }) => slow.got.push(2))],
  'a slow session gets everything in the end': [edited(({ slow }) => slow.got.pop())],
};

describe.each(poolInvariants.map((invariant) => [invariant.name, invariant] as const))('%s', (name, { check }) => {
  it('holds where all is well', () => { expect(check(history(...good))).toBeUndefined(); });
  it('can fail', () => {
    expect(bad[name]?.length ?? 0).toBeGreaterThan(0);
    for (const world of bad[name] ?? []) expect(check(world)).toEqual(expect.any(String));
  });
});

const view: PoolView = { living: ['work 16', 'work 32'], registrars: [{ name: 'r1', pools: ['work 32', 'work 16'], watched: ['16 tcp://a:1', '32 tcp://b:1'] }], cache: ['32 tcp://b:1', '16 tcp://a:1'], callers: new Map([['a', 16]]) };
const badViews: Readonly<Record<string, PoolView>> = {
  'a registrar knows the registrations of the living': { ...view, living: ['work 16'] },
  'a watched cache is what the registrar says': { ...view, cache: ['16 tcp://a:2', '32 tcp://b:1'] },
  'a server in use is in its pool': { ...view, callers: new Map([['a', 16], ['b', 1]]) },
};

it.each(viewInvariants.map((invariant) => [invariant.name, invariant] as const))('%s: can fail', (name, { check }) => {
  expect(check(view)).toBeUndefined();
  expect(check(badViews[name]!)).toEqual(expect.any(String));
});

const instance: ServiceInstance = { name: 'e1/1', isClientDead: true, hasCard: true, met: 1, end: undefined, isLeaving: false, hadSlept: false };
const cards = (edit: Partial<CardHistory> = {}): CardHistory => ({ received: [{ client: 'c1', instance: 'x', number: 1 }, { client: 'c2', instance: 'x', number: 3 }, { client: 'c2', instance: 'y', number: 1 }], instances: [instance, { ...instance, met: 0, end: 'RENDEZVOUS_FAILED' }, { ...instance, met: 0, hasCard: false }, { ...instance, met: 0, end: 'closed', hadSlept: true }], ...edit });
const badCards: Readonly<Record<string, readonly CardHistory[]>> = {
  'news come once': [cards({ received: [...cards().received, { client: 'c2', instance: 'x', number: 1 }] })],
  'news come in order': [cards({ received: [...cards().received, { client: 'c2', instance: 'x', number: 2 }] })],
  'a client that dies is followed': [cards({ instances: [{ ...instance, met: 0 }] }), cards({ instances: [{ ...instance, met: 0, end: 'closed' }] })],
};

it.each(cardInvariants.map((invariant) => [invariant.name, invariant] as const))('%s: can fail', (name, { check }) => {
  expect(check(cards())).toBeUndefined();
  for (const world of badCards[name]!) expect(check(world)).toEqual(expect.any(String));
});

it('who is met in a client\'s place is the best of its card that is well', () => {
  const met: MetClient = { to: 64, order: [48, 64], well: [64], isClientWell: false };
  expect(meetingsFair.check(met)).toBeUndefined();
  expect(meetingsFair.check({ ...met, well: [48, 64] })).toEqual(expect.any(String));
  expect(meetingsFair.check({ ...met, to: 80, order: [48, 64] })).toEqual(expect.any(String));
  expect(meetingsFair.check({ ...met, isClientWell: true })).toEqual(expect.any(String));
});

it('an indication is about the server in use, and no well one is given up', () => {
  const indication = { caller: 'a', from: 16, to: 32, had: 16, isUndisturbed: false };
  expect(indicationsFair.check(indication)).toBeUndefined();
  for (const wrong of [{ had: 32 }, { had: undefined }, { to: 16 }, { isUndisturbed: true }]) expect(indicationsFair.check({ ...indication, ...wrong })).toEqual(expect.any(String));
});

it('who was removed has to leave a watched cache', () => {
  expect(cachesCleared.check({ element: 16, cached: [32], isOwed: true })).toBeUndefined();
  expect(cachesCleared.check({ element: 16, cached: [16, 32], isOwed: false })).toBeUndefined();
  expect(cachesCleared.check({ element: 16, cached: [16, 32], isOwed: true })).toEqual(expect.any(String));
});
