import { afterAll, beforeEach, describe, expect } from '@jest/globals';
import type { Job } from '../lab/agent.js';
import { Lab } from '../lab/lab.js';
import { pingPong, registrar, server } from '../lab/rsplib.js';
import { milliseconds, note } from './figures.js';
import { readAlike } from './reading.js';
import { longestSilence, replyLine, replyOf, reply, replyFrom, type Reply } from './rsplib-replies.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, three, four] = [lab.guest(1), lab.guest(2), lab.guest(3), lab.guest(4)] as const;
const about = { pool: 'PingPongPool', registrar: one.address };

describe('RSPLIB with itself: failover', () => {
  beforeEach(async () => lab.fresh(1, 2, 3, 4));
  afterAll(async () => lab.fresh(1, 2, 3, 4));

  scenario('A2', async () => {
    const { user, servers, capture } = await session('A2');
    const before = await reply(user);
    const { guest, job } = servers.get(before.element)!;
    await guest.stop(job, 'KILL');
    const after = await replyFrom(user, (element) => element !== before.element);
    await capture.stop();

    expect(goesOn(user, after)).toBe(true);
    note('RSPLIB\'s PU, its PE killed: longest time without a reply', milliseconds(await longestSilence(capture, four.address)));
    expect(await readAlike(capture)).toMatchObject({ ASAP_COOKIE: expect.any(Number), ASAP_COOKIE_ECHO: 1 });
  });

  scenario('A3', async () => {
    const { home, user, servers, capture } = await session('A3');
    const before = await reply(user);
    const dropped = Date.now();
    await lab.drop(servers.get(before.element)!.guest.number);
    await home.err(new RegExp(`pool element \\$${before.element} .*removing it`));
    note('rspregistrar, a PE vanishes: until it is removed (keep-alive every 5 s, 5 s for its answer)', milliseconds((Date.now() - dropped) / 1_000));
    const after = await replyFrom(user, (element) => element !== before.element);
    await capture.stop();

    expect(goesOn(user, after)).toBe(true);
    const silence = await longestSilence(capture, four.address);
    note('RSPLIB\'s PU, its PE vanishes: longest time without a reply', milliseconds(silence));
    expect(silence).toBeGreaterThan(5); // else our bound of 1.6 s would be nothing to be proud of
    expect(await readAlike(capture)).toMatchObject({ ASAP_COOKIE: expect.any(Number), ASAP_COOKIE_ECHO: 1 });
  });
});

/** A registrar with its default timers, two elements, and a user whose session runs. */
async function session(name: string) {
  const home = registrar(one);
  await home.err(/Registrar started/);
  const servers = new Map([[two, 0x22], [three, 0x33]].map(([guest, identifier]) => {
    const [at, id] = [guest as typeof two, identifier as number];
    return [id.toString(16).padStart(8, '0'), { guest: at, job: server(at, 'pingpong', about, id) }];
  }));
  for (const _ of servers) await home.err(/Successfully registered PingPongPool/);
  const capture = await lab.capture(name);
  const user = pingPong(four, about, '-interval=50');
  for (let count = 0; count < 20; count += 1) await reply(user);
  return { home, user, servers, capture };
}

/** The first reply of the next element counts on from the last one of the element before. */
function goesOn(user: Job, after: Reply): boolean {
  const replies = user.lines.flatMap((line) => [replyLine.exec(line)]).filter((match) => match !== null).map(replyOf);
  const first = replies.findIndex(({ element }) => element === after.element);
  return first > 0 && replies[first]?.count === (replies[first - 1]?.count ?? NaN) + 1;
}
