import { Child } from '../../bench/child.js';
import { pause } from './pause.js';
import { grown, type Bounds, type Resources } from './resources.js';

export interface Load {
  /** At once. */
  readonly sessions: number;
  readonly rounds: number;
  /** Stops sooner when so many milliseconds have passed. */
  readonly within?: number;
  readonly print: (line: string) => void;
}
export interface Tally {
  sessions: number;
  failovers: number;
  /** Replies that are missing, doubled, or not what one server alone would have said. */
  wrong: number;
  readonly leaks: string[];
}

/** Sessions are opened, lose their element twice (one is killed, one is stopped and thaws) and are closed, in rounds; then every process that lived through
 *  all of it holds what it held after the first round. */
export async function soakSessions({ sessions, rounds, within = Infinity, print }: Load): Promise<Tally> {
  const world = await World.start();
  const tally: Tally = { sessions: 0, failovers: 0, wrong: 0, leaks: [] };
  try {
    await world.round(sessions, { sessions: 0, failovers: 0, wrong: 0, leaks: [] }); // what a process needs once
    const before = await world.settled();
    const began = performance.now();
    for (let round = 1; round <= rounds && performance.now() - began < within; round++) {
      await world.round(sessions, tally);
      if (rounds <= 20 || round % 10 === 0) print(`${seconds(began)} sessions ${tally.sessions}, failovers ${tally.failovers}, wrong replies ${tally.wrong}`);
    }
    const after = await world.settled(before);
    for (const [name, now] of Object.entries(after)) {
      const found = grown(before[name]!, now, tally.sessions, BOUNDS);
      print(`${name}: ${mib(before[name]!)} before, ${mib(now)} after; ${found.join(', ') || 'as before'}`);
      tally.leaks.push(...found.map((what) => `${name}: ${what}`));
    }
  } finally {
    world.end();
  }
  return tally;
}

/** Less than the smallest thing that could be kept of a session. */
const BOUNDS: Bounds = { perUnit: 100, slack: 3 * 1024 * 1024 };
/** Links without sessions are closed after 5 s; registrars forget who was killed. */
const PATIENCE = 30_000;
const [STEADY, FIRST_PASSING] = [1, 100];

class World {
  #next = FIRST_PASSING;

  private constructor(readonly registrar: Child<{ address: string }>, readonly address: string, readonly steady: Child<unknown>, readonly user: Child<unknown>) {}

  static async start(): Promise<World> {
    const registrar = new Child<{ address: string }>(child('registrar'));
    const { address } = await registrar.ready;
    const [steady, user] = [new Child(child('counters'), { registrar: address, identifier: STEADY, rank: 1 }), new Child(child('user'), { registrar: address })];
    await Promise.all([steady.ready, user.ready]);
    return new World(registrar, address, steady, user);
  }

  /** To the one that passes, which is killed; to the steady one, which is stopped; to another one that passes, and there they are closed. */
  async round(sessions: number, tally: Tally): Promise<void> {
    const { user, steady } = this;
    const first = await this.#passing();
    await user.ask('open', sessions);
    await user.ask('ask', 1);
    first.kill();
    await user.ask('ask', 1);
    const second = await this.#passing();
    steady.kill('SIGSTOP');
    await user.ask('ask', 1);
    steady.kill('SIGCONT');
    const { moves, wrong } = await user.ask<{ moves: number; wrong: number }>('close');
    second.kill();
    tally.sessions += sessions;
    tally.failovers += moves;
    tally.wrong += wrong;
    if (moves < 2 * sessions) tally.leaks.push(`only ${moves} failovers of ${2 * sessions}`);
  }

  /** What the processes hold when nothing is under way; waited for until it is no more than that, for a while. */
  async settled(least?: Readonly<Record<string, Resources>>): Promise<Readonly<Record<string, Resources>>> {
    const began = performance.now();
    let last = await this.#resources();
    for (let quiet = 0; quiet < 3 && performance.now() - began < PATIENCE;) {
      await pause(1_000);
      const now = await this.#resources();
      const isQuiet = Object.entries(now).every(([name, held]) => grown(least?.[name] ?? last[name]!, held, 1, BOUNDS).length === 0) && same(now, last);
      quiet = isQuiet ? quiet + 1 : 0;
      if (isQuiet && least !== undefined) return now;
      last = now;
    }
    return last;
  }

  end(): void { Child.killAll(); }

  async #passing(): Promise<Child<unknown>> {
    const identifier = this.#next++;
    const element = new Child(child('counters'), { registrar: this.address, identifier, rank: 2 });
    await element.ready;
    await this.user.ask('know', identifier);
    return element;
  }

  async #resources(): Promise<Readonly<Record<string, Resources>>> {
    const [registrar, element, user] = await Promise.all([this.registrar, this.steady, this.user].map((each) => each.ask<Resources>('resources')));
    return { registrar: registrar!, element: element!, user: user! };
  }
}

const same = (one: Readonly<Record<string, Resources>>, other: Readonly<Record<string, Resources>>): boolean => Object.entries(one).every(([name, { handles }]) => JSON.stringify(handles) === JSON.stringify(other[name]?.handles));
const child = (name: string): URL => new URL(`./children/${name}.js`, import.meta.url);
const mib = ({ memory, handles }: Resources): string => `${(memory / 1024 / 1024).toFixed(1)} MiB, ${Object.values(handles).reduce((sum, count) => sum + count, 0)} handles`;
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(0)} s`.padStart(5);
