import { Child } from '../../bench/child.js';
import { grown, type Resources } from './resources.js';

const SESSIONS = 1_000;
const [REQUESTS, BYTES] = [20, 1_000];
/** What the slow one asks for, 64 MB, and what is pushed to it, another 64 MB. */
const [FLOOD, BLOCK] = [1_000, 64_000];
/** D-21: 2 MiB to a service, 4 MiB to a user, 1 MiB of replies and 8 MiB of unprompted messages that wait; at the user a window of 1 MiB, and what waits before it. */
const BOUND = { perUnit: 0, slack: 24 * 1024 * 1024 };

/** One session of a thousand on one link is never done with what it gets: the others go on, and neither process keeps more than D-21 says. @returns what was not so. */
export async function slowReader(print: (line: string) => void): Promise<readonly string[]> {
  const registrar = new Child<{ address: string }>(child('registrar'));
  const { address } = await registrar.ready;
  try {
    const service = new Child(child('feeder'), { registrar: address });
    await service.ready;
    const user = new Child(child('readers'), { registrar: address });
    await user.ready;
    await user.ask('open', SESSIONS);
    const others = { from: 1, requests: REQUESTS, bytes: BYTES };
    await user.ask('ask', others);
    const [without, before] = [await user.ask<number>('ask', others), await held({ service, user })];
    await user.ask('stall', { requests: FLOOD, bytes: BLOCK });
    await user.ask('ask', { ...others, requests: 1 });
    await service.ask('push', { messages: FLOOD, bytes: BLOCK });
    const withIt = await user.ask<number>('ask', others);
    const after = await held({ service, user });
    print(`one slow reader among ${SESSIONS}: ${REQUESTS} requests of each other one took ${withIt.toFixed(0)} ms, ${without.toFixed(0)} ms without it; ${await service.ask<number>('refused')} of ${FLOOD} pushed messages were refused`);
    for (const [name, { memory }] of Object.entries(after)) print(`  ${name}: ${((memory - before[name]!.memory) / 1024 / 1024).toFixed(1)} MiB more`);
    return Object.entries(after).flatMap(([name, now]) => grown(before[name]!, now, SESSIONS, BOUND).map((what) => `one slow reader, ${name}: ${what}`));
  } finally {
    Child.killAll();
  }
}

async function held(processes: Readonly<Record<string, Child<unknown>>>): Promise<Readonly<Record<string, Resources>>> {
  return Object.fromEntries(await Promise.all(Object.entries(processes).map(async ([name, each]) => [name, await each.ask<Resources>('resources')] as const)));
}

const child = (name: string): URL => new URL(`./children/${name}.js`, import.meta.url);
