import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { initialize, type ServiceAccessPoint } from '../../index.js';
import { steps } from '../../testing/simulation/service.js';
import { answers, FrameGate } from '../support/frame-gate.js';
import { killAll, startRegistrar, type Program } from '../support/processes.js';
import { instancesAt, manners, pools, savedAt, SteppedSession, steppingElement } from '../support/stepped-sessions.js';

const PATIENCE = 60_000;

let registrar: string;
let rsp: ServiceAccessPoint;
const gate = new FrameGate();
/** The pool element that serves, and will die; the next one, which is there and not registered. */
let serving: Program;
let spare: Program;
let lives = 0;

const spawned = (): Promise<Program> => steppingElement(registrar, ++lives);

async function registered(element: Program): Promise<Program> {
  element.say('register');
  await element.out(/^registered$/);
  return element;
}

beforeAll(async () => {
  ({ address: registrar } = await startRegistrar());
  rsp = await initialize({ registrars: [registrar], environment: gate.environment });
  [serving, spare] = await Promise.all([spawned().then(registered), spawned()]);
}, PATIENCE);

afterAll(async () => {
  await rsp.close();
  killAll();
});

/** A session of every manner with every pool, and the first message answered. */
async function opened(): Promise<SteppedSession[]> {
  const sessions = await Promise.all(pools.flatMap((pool) => manners.map((manner) => SteppedSession.open(rsp, pool, manner))));
  for (const session of sessions) session.send(1);
  await Promise.all(sessions.map((session) => session.answered(1)));
  return sessions;
}

/** The rest of the messages, after the fault if there was one; then everything that is promised has to be so. */
async function concluded(sessions: readonly SteppedSession[]): Promise<void> {
  for (const session of sessions) for (const number of [6, 7]) session.send(number);
  await Promise.all(sessions.map((session) => session.answered(7)));
  await Promise.all(sessions.map((session) => session.close()));
}

const expected = new Map<string, readonly string[]>();
const keyOf = ({ pool, manner }: SteppedSession): string => `${pool}, ${manner.name}`;
/** Those whose replies are the same whenever and wherever they are made. */
const isSame = ({ pool, manner }: SteppedSession): boolean => manner.name === 'effectively-once' && !/dice|at once/.test(pool);

async function dies(kill: (sessions: readonly SteppedSession[]) => Promise<unknown>): Promise<SteppedSession[]> {
  const sessions = await opened();
  const [died, next] = [serving, await registered(spare)];
  await Promise.all(pools.map((pool) => rsp.resolve(pool, { refresh: true })));
  const moved = sessions.map((session) => session.moved());
  const killed = kill(sessions);
  for (const session of sessions) for (const number of [2, 3, 4, 5]) session.send(number);
  await killed;
  expect(await died.ended).toEqual({ code: null, signal: 'SIGKILL' });
  const [again] = await Promise.all([spawned(), ...moved]);
  await concluded(sessions);
  const [before, after] = await Promise.all([instancesAt(died, 'died', false), instancesAt(next, 'next', true)]);
  const saved = savedAt([died, next]);
  for (const { history, id } of sessions) history.saved = saved.get(id) ?? history.saved;
  for (const { history, id } of sessions) history.instances = [...before.get(id) ?? [], ...after.get(id) ?? []];
  [serving, spare] = [next, again];
  return sessions;
}

function keepPromises(sessions: readonly SteppedSession[]): void {
  expect(sessions.flatMap((session) => session.wrong())).toEqual([]);
  for (const session of sessions) expect([...new Set(session.outcomes), session.history.moves.length]).toEqual([...(session.outcomes.length > 0 ? ['unknown'] : []), 1]);
  for (const session of sessions.filter(isSame)) expect({ session: keyOf(session), replies: session.history.replies }).toEqual({ session: keyOf(session), replies: expected.get(keyOf(session)) });
}

/** Whether at-most-once sessions report message 2: where no cookie has told, and where it was the first to be done. */
const reports = (sessions: readonly SteppedSession[]): boolean[] => [...new Set(sessions
  .filter(({ pool, manner }) => manner.name === 'at-most-once' && pool.startsWith('stateless') && !pool.endsWith('at once'))
  .map(({ history }) => history.undelivered.some((text) => text.startsWith('2 '))))];

describe('a PE that is killed at any step (processes on sockets)', () => {
  it('the same services without a fault', async () => {
    const sessions = await opened();
    for (const session of sessions) for (const number of [2, 3, 4, 5]) session.send(number);
    await concluded(sessions);
    const instances = await instancesAt(serving, 'only', true);
    for (const { history, id } of sessions) history.instances = instances.get(id) ?? [];
    expect(sessions.flatMap((session) => session.wrong())).toEqual([]);
    for (const session of sessions) expected.set(keyOf(session), session.history.replies);
  }, PATIENCE);

  it.each([...steps, 'settled', 'written'])('D-1, D-2, D-8, D-10, D-12: with message 2 %s', async (step) => {
    const sessions = await dies((all) => {
      serving.say(`die ${step} ${all.length}`);
      return serving.out(/^will die$/);
    });
    keepPromises(sessions);
    expect(reports(sessions)).toEqual([step !== 'written']);
  }, PATIENCE);

  it.each([...answers, 'the end'] as const)('D-1, D-2, D-8, D-10, D-12: when all that it said of message 2 has been heard before %s', async (before) => {
    const sessions = await dies(async (all) => {
      const dying = serving;
      await gate.closeAt(2, before, all.length);
      dying.kill('SIGKILL');
    });
    keepPromises(sessions);
    expect(reports(sessions)).toEqual([before !== 'the end']);
  }, PATIENCE);
});
