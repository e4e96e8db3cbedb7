import { Child } from '../../bench/child.js';
import { listenIn } from '../support/processes.js';
import { grown, type Resources } from './resources.js';
import { pause } from './pause.js';

const [PROCESSES, EACH] = [2, 500];
const CLIENTS = PROCESSES * EACH;
/** Of questions and of connections, each client: who dials again asks again, so the two have one limit. (test/scenarios/crowd has the exact numbers of a machine that is fast enough.) */
const MOST = 1.5;

/** 1000 pool users start at once, each with a connection to the one registrar and a question, all on this machine, however slow it is: all are answered, and the registrar is
 *  hardly asked more often than once by each (test/scenarios/crowd.test.ts has the exact numbers; here one that had no CPU for a while dials again). @returns what was not so. */
export async function crowd(print: (line: string) => void): Promise<readonly string[]> {
  const registrar = new Child<{ address: string }>(child('registrar'));
  const { address } = await registrar.ready;
  const element = new Child(child('counters'), { registrar: address, identifier: 1, rank: 1 });
  await element.ready;
  const door = await listenIn(address);
  const wrong: string[] = [];
  try {
    const processes = await Promise.all(Array.from({ length: PROCESSES }, async () => {
      const process = new Child(child('clients'), { registrar: door.address, clients: EACH, pool: 'counter' });
      await process.ready;
      await process.ask('warmUp');
      return process;
    }));
    const before = await registrar.ask<Resources>('resources');
    const known = { questions: questionsAt(door), connections: door.connections };
    const results = await Promise.all(processes.map((each) => each.ask<{ slowest: number; failures: readonly string[] }>('start', 1)));
    const [questions, connections] = [questionsAt(door) - known.questions, door.connections - known.connections];
    const slowest = Math.max(...results.map((result) => result.slowest));
    print(`${CLIENTS} look-up clients at once: the last one served after ${slowest.toFixed(0)} ms; ${questions} questions over ${connections} connections`);
    const failures = results.flatMap((result) => result.failures);
    if (failures.length > 0) wrong.push(`${failures.length} look-ups failed: ${failures[0]}`);
    if (questions > MOST * CLIENTS) wrong.push(`${questions} questions of ${CLIENTS} clients`);
    if (connections > MOST * CLIENTS) wrong.push(`${connections} connections of ${CLIENTS} clients`);
    await Promise.all(processes.map((each) => each.ask('close')));
    wrong.push(...await left(registrar, before));
  } finally {
    door.close();
    Child.killAll();
  }
  return wrong;
}

const questionsAt = ({ messages }: { readonly messages: readonly string[] }): number => messages.filter((message) => message === 'ASAP_HANDLE_RESOLUTION').length;

/** What the registrar still holds when they have all gone. */
async function left(registrar: Child<unknown>, before: Resources): Promise<readonly string[]> {
  for (let looks = 1; ; looks++) {
    const found = grown(before, await registrar.ask<Resources>('resources'), CLIENTS, { perUnit: 100, slack: 3 * 1024 * 1024 });
    if (found.length === 0 || looks === 10) return found.map((what) => `registrar, when they have gone: ${what}`);
    await pause(500);
  }
}

const child = (name: string): URL => new URL(`./children/${name}.js`, import.meta.url);
