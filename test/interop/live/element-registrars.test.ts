import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { nodeClock } from '../../../transports/node.js';
import type { Job } from '../lab/agent.js';
import { Lab } from '../lab/lab.js';
import { quick, registrar } from '../lab/rsplib.js';
import { until } from '../lab/until.js';
import { milliseconds, note } from './figures.js';
import { asapOf, homeAt, identifierOf, listen, Ours, SECOND } from './roles.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, three, four] = [lab.guest(1), lab.guest(2), lab.guest(3), lab.guest(4)] as const;
const pool = 'OurPool1';

/** Three of RSPLIB's: a takeover of theirs needs one that acknowledges it. */
describe('our pool element with several of RSPLIB\'s registrars', () => {
  const ours = new Ours();
  const theirs = new Map<string, Job>();

  beforeAll(async () => {
    await lab.alias(SECOND);
    await lab.fresh(1, 2, 3, 4);
    for (const guest of [1, 2, 3, 4]) await lab.encapsulate(guest);
    const started = async (guest: typeof one): Promise<void> => {
      const job = registrar(guest, ...quick);
      theirs.set(guest.address, job);
      await job.err(/The registrar is ready/);
    };
    await started(one);
    await Promise.all([started(two), started(three)]);
  });
  afterEach(async () => ours.end());
  afterAll(async () => lab.fresh(1, 2, 3, 4));

  /** One knows no other registrar, and waits for whoever takes it over, as `adopt` lets it; the other one hunts by itself, and is sooner. */
  scenario('E5', async () => {
    const waiting = await ours.point(one.address, { adopt: 'any' });
    await waiting.register(pool, { identifier: 0x99, listen, life: Infinity }, () => undefined);
    for (const guest of [2, 3]) await lab.drop(guest); // for a moment: who has three to choose from takes the first that answers
    const hunting = await ours.point(one.address, { registrars: [one, two, three].map(({ address }) => asapOf(address)) });
    await hunting.register(pool, { identifier: 0x88, listen, life: Infinity }, () => undefined);
    for (const guest of [2, 3]) await lab.undrop(guest);
    await until(async () => await homeAt(four, two.address, 0x99) !== undefined && await homeAt(four, three.address, 0x99) !== undefined, 'the others know it');
    const began = nodeClock.now();
    await lab.drop(1);
    await one.stop(theirs.get(one.address)!, 'KILL');
    const others = [two, three].map(({ address }) => asapOf(address));
    const since = (): string => milliseconds((nodeClock.now() - began) / 1_000);
    await until(() => others.includes(hunting.registrar?.address ?? ''), 'one has found another');
    note('our element, its rspregistrar vanishes: until it has found another', since());
    await until(() => others.includes(waiting.registrar?.address ?? ''), 'one has been taken over');
    note('our element, its rspregistrar vanishes: until another has taken it over', since());
    const heir = waiting.registrar!;
    expect(heir.identifier).toBe(await identifierOf(theirs.get(heir.address === others[0] ? two.address : three.address)!));
    for (const { address } of [two, three]) await until(async () => await homeAt(four, address, 0x99) === heir.identifier, 'both of theirs know its new home');
  });

  /** With the two that are left. Who has a registration from another registrar counts its life, in milliseconds; its home goes by keep-alives and reports. */
  scenario('E2', async () => {
    const [home, other] = [theirs.get(two.address)!, theirs.get(three.address)!];
    const silent = await ours.process('serve', 'echo', '--pool', pool, '--registrar', asapOf(two.address), '--listen', `sctp+udp://${SECOND}:0`, '--id', '79');
    silent.kill('SIGSTOP');
    const point = await ours.point(two.address);
    await point.register(pool, { identifier: 0x77, listen, life: Infinity }, () => undefined);
    const element = await point.register(pool, { identifier: 0x78, listen, life: 6_000 }, () => undefined);
    await other.err(/Expiry timeout expired for pool element \$00000078/);
    expect(await homeAt(four, three.address, 0x77)).toBe(await identifierOf(home));
    expect(await homeAt(four, three.address, 0x78)).toBeUndefined();
    expect(await homeAt(four, two.address, 0x78)).toBe(await identifierOf(home));

    const users = await Promise.all([1, 2, 3].map(async () => ours.point(two.address)));
    for (const user of users) {
      await until(async () => { // it comes and goes at the other one, which may be asked
        await user.resolve(pool, { refresh: true });
        return user.reportUnreachable({ handle: pool, identifier: 0x78 });
      }, 'it is listed, and reported');
    }
    await home.err(/3 unreachability reports for pool element \$00000078/);
    await home.err(/Successfully registered OurPool1\/\$00000078/); // it was not told, and comes back as it re-registers
    expect(element.actor.getSnapshot().status).toBe('active');
    await until(() => home.errors.some((line) => line.includes('Keep-alive timeout expired for pool element $00000079')), 'the one that is silent is out');
  });
});
