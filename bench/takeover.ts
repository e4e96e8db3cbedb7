import { Child } from './child.js';
import { Group, type Member } from './group.js';
import { median, ms, until, type Row, type Run } from './measure.js';

const PROCESSES = 10;
const EACH = 100;
const POLL = 10;

type Fault = 'SIGKILL' | 'SIGSTOP';
interface Times { readonly first: number; readonly last: number }

/** Three registrars, the home of all pool elements (of most, once some have hunted) is killed, or stopped; from there until both others have a living home for the first of them, and for the last. */
export async function takeover({ rounds, scale }: Run): Promise<Row[]> {
  const processes = Math.max(2, PROCESSES * scale);
  const group = await Group.create(3);
  await group.members[0]!.start(); // alone, so that all are its
  const elements: Child<object>[] = [];
  for (let index = 0; index < processes; index++) {
    const identifiers = Array.from({ length: EACH }, (_, number) => 0x1000 * (index + 1) + number);
    elements.push(new Child('pool-elements', { registrars: group.asap, pool: `pool-${index}`, identifiers }));
    await elements[index]!.ready; // one after the other: starting them costs more than what is measured
  }
  await Promise.all(group.members.slice(1).map((member) => member.start()));
  const all = processes * EACH;
  const times: Record<Fault, Times[]> = { SIGKILL: [], SIGSTOP: [] };
  for (let round = 0; round < rounds; round++) for (const fault of ['SIGKILL', 'SIGSTOP'] as const) times[fault].push(await measure(group, fault, all));
  await group.leave();
  for (const element of elements) element.kill();
  return (['SIGKILL', 'SIGSTOP'] as const).map((fault) => rowOf(fault, times[fault], all));
}

async function measure({ members }: Group, fault: Fault, all: number): Promise<Times> {
  const home = await homeOfMost(members, all);
  const others = members.filter((member) => member !== home);
  const before = Math.max(...await Promise.all(others.map((member) => livingIn(member, others))));
  const began = performance.now();
  home.child.kill(fault);
  let first = NaN;
  await until(async () => {
    const living = await Promise.all(others.map((member) => livingIn(member, others)));
    if (Number.isNaN(first) && living.every((count) => count > before)) first = performance.now() - began;
    return living.every((count) => count === all);
  }, { every: POLL });
  const last = performance.now() - began;
  await home.kill();
  await home.start();
  return { first, last };
}

/** Waits until all registrars know each other, and agree on who owns what; some elements hunt by themselves, so that they have several homes after the first fault. */
async function homeOfMost(members: readonly Member[], all: number): Promise<Member> {
  let most: readonly [number, number] = [0, 0];
  await until(async () => {
    const active = await Promise.all(members.map(({ child }) => child.ask<number>('active')));
    const homes = await Promise.all(members.map(({ child }) => child.ask<[number, number][]>('homes')));
    const sorted = homes.map((known) => [...known].sort(([a, one], [b, other]) => other - one || a - b));
    most = sorted[0]?.[0] ?? most;
    return sorted.every((known) => String(known) === String(sorted[0]) && known.reduce((sum, [, count]) => sum + count, 0) === all && known.every(([home]) => members.some(({ id }) => id === home)))
      && active.every((count) => count === members.length - 1);
  }, { every: 50 });
  return members.find(({ id }) => id === most[0])!;
}

/** Elements that have a home, as that registrar sees it, which is one of these. */
async function livingIn({ child }: Member, homes: readonly Member[]): Promise<number> {
  const known = await child.ask<[number, number][]>('homes');
  return known.reduce((sum, [home, count]) => sum + (homes.some(({ id }) => id === home) ? count : 0), 0);
}

function rowOf(fault: Fault, times: readonly Times[], all: number): Row {
  const slowest = Math.max(...times.map(({ last }) => last));
  return {
    what: `${fault} of the home of most of ${all.toLocaleString('en')} PEs: until the first, the last has a living one, median (slowest)`,
    ours: `${ms(median(times.map(({ first }) => first)))}, ${ms(median(times.map(({ last }) => last)))} (${ms(slowest)})`, budget: '<= 2 s', isMet: slowest <= 2_000,
  };
}
