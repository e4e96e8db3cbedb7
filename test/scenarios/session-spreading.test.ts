import type { SessionError } from '../../errors.js';
import { poolHandleKey, type Policy } from '../../wire/index.js';
import { echo, Seen, SessionWorld, type TestElement } from '../support/session-world.js';

/** Where a dead pool element's sessions go, how often is tried, and what the error says when nobody takes them. */

const FULL = 0xffff_ffff;
const load = (fraction: number): number => Math.round(fraction * FULL);
const loaded = (policy: string) => (...loads: readonly number[]): Policy[] => loads.map((each) => ({ policy, load: load(each), loadDegradation: load(0.002) }) as Policy);
const leastUsed = (...loads: readonly number[]): Policy[] => loads.map((each) => ({ policy: 'least-used', load: load(each) }));

/** The element that dies comes first; then the four others, and the least and most of 256 sessions that each of them may get. */
const spreads: readonly (readonly [string, readonly Policy[], readonly (readonly [least: number, most: number])[]])[] = [
  ['round robin', Array.from({ length: 5 }, (): Policy => ({ policy: 'round-robin' })), [[64, 64], [64, 64], [64, 64], [64, 64]]],
  ['weighted round robin', [1, 1, 1, 2, 4].map((weight): Policy => ({ policy: 'weighted-round-robin', weight })), [[31, 33], [31, 33], [63, 65], [127, 129]]],
  ['random', Array.from({ length: 5 }, (): Policy => ({ policy: 'random' })), [[40, 90], [40, 90], [40, 90], [40, 90]]],
  ['weighted random', [1, 1, 1, 2, 4].map((weight): Policy => ({ policy: 'weighted-random', weight })), [[15, 50], [15, 50], [40, 90], [100, 156]]],
  ['priority, of equals', [9, 5, 5, 5, 5].map((priority): Policy => ({ policy: 'priority', priority })), [[64, 64], [64, 64], [64, 64], [64, 64]]],
  ['priority: to the highest, as it says (§4.5.3)', [9, 5, 8, 5, 5].map((priority): Policy => ({ policy: 'priority', priority })), [[0, 0], [256, 256], [0, 0], [0, 0]]],
  ['least used, of equals', leastUsed(0, 0.5, 0.5, 0.5, 0.5), [[63, 65], [63, 65], [63, 65], [63, 65]]],
  ['least used, the least loaded first', leastUsed(0, 0.1, 0.2, 0.3, 0.3), [[90, 100], [65, 75], [40, 50], [40, 50]]], // 1/256 each, until all are at 0.475
  ['least used with degradation', loaded('least-used-with-degradation')(0, 0.1, 0.1, 0.2, 0.2), [[83, 95], [83, 95], [33, 45], [33, 45]]],
  ['priority least used', loaded('priority-least-used')(0, 0.1, 0.1, 0.2, 0.2), [[83, 95], [83, 95], [33, 45], [33, 45]]],
  ['randomized least used', loaded('randomized-least-used')(0, 0.5, 0.5, 0.75, 0.75), [[60, 112], [60, 112], [25, 65], [25, 65]]],
  ['randomized priority least used', loaded('randomized-priority-least-used')(0, 0.5, 0.5, 0.75, 0.75), [[60, 112], [60, 112], [25, 65], [25, 65]]],
  ['randomized least used with degradation', loaded('randomized-least-used-with-degradation')(0, 0.5, 0.5, 0.75, 0.75), [[55, 112], [55, 112], [25, 65], [25, 65]]],
  ['priority least used with degradation', loaded('priority-least-used-with-degradation')(0, 0.1, 0.1, 0.2, 0.2), [[83, 95], [83, 95], [33, 45], [33, 45]]],
  ['randomized priority least used with degradation', loaded('randomized-priority-least-used-with-degradation')(0, 0.5, 0.5, 0.75, 0.75), [[55, 112], [55, 112], [25, 65], [25, 65]]],
];

async function pool(policies: readonly Policy[], world = new SessionWorld()): Promise<{ world: SessionWorld; elements: TestElement[] }> {
  const elements: TestElement[] = [];
  for (const [index, policy] of policies.entries()) elements.push(await world.element(`pe${index + 1}`, { onSession: echo, policy }));
  return { world, elements };
}

describe('D-18: the 256 sessions of an element that dies spread over the four others', () => {
  it.each(spreads)('%s', async (_, policies, bounds) => {
    const { world, elements } = await pool(policies.slice(0, 1));
    const user = world.user();
    const sessions = await user.connectMany(256);
    for (const [index, policy] of policies.slice(1).entries()) elements.push(await world.element(`pe${index + 2}`, { onSession: echo, policy }));
    await world.settled(user.pools.refresh(poolHandleKey('pool')));
    elements[0]!.host.process.crash();
    await world.advance(100);
    const counts = [2, 3, 4, 5].map((identifier) => sessions.filter(({ peIdentifier }) => peIdentifier === identifier).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(256);
    expect(user.pools.reports).toEqual([1]); // one report a process
    const outside = counts.filter((count, i) => count < bounds[i]![0] || count > bounds[i]![1]);
    expect([outside, counts]).toEqual([[], counts]);
  });
});

describe('X-34: what is tried, and what the error says', () => {
  const roundRobins = (count: number): Policy[] => Array.from({ length: count }, () => ({ policy: 'round-robin' }));

  it('the final error tells of every attempt: which element, when, why', async () => {
    const { world, elements } = await pool(roundRobins(3));
    const session = await world.user().connect({ failoverTimeout: 2_000 });
    const first = session.peIdentifier;
    const failed = new Promise<SessionError>((resolve) => { session.on('error', (error) => { resolve(error as SessionError); }); });
    for (const { host } of elements) host.process.crash();
    await world.advance(3_500);
    const { code, message, attempts = [], cause } = await failed;
    expect(code).toBe('FAILOVER_FAILED');
    expect(attempts[0]).toEqual({ peIdentifier: first, address: expect.stringMatching(/^tcp:\/\/10\./) as string, after: 0, error: expect.objectContaining({ code: 'LINK_LOST' }) as Error });
    expect(new Set(attempts.map(({ peIdentifier }) => peIdentifier))).toEqual(new Set([1, 2, 3]));
    expect(attempts.slice(1).every(({ error }) => ['CONNECT_FAILED', 'LINK_LOST'].includes((error as SessionError).code))).toBe(true);
    expect(attempts.map(({ after }) => after)).toEqual(attempts.map(({ after }) => after).sort((a, b) => a - b));
    expect(cause).toBe(attempts.at(-1)?.error);
    expect(message).toMatch(new RegExp(`^no pool element of pool took the session over \\(${attempts.length} attempts in \\d+ ms; the last: .*\\)$`));
  });

  it('so does the one of a session that never opened', async () => {
    const { world, elements } = await pool(roundRobins(2));
    for (const { host } of elements) host.process.crash();
    await expect(world.user().connect({ openTimeout: 1_500 })).rejects.toMatchObject({ code: 'SESSION_FAILED', outcome: 'not-taken', attempts: expect.arrayContaining([expect.objectContaining({ peIdentifier: 1 }), expect.objectContaining({ peIdentifier: 2 })]) as unknown });
  });

  it('maxAttempts bounds them, whatever time is left', async () => {
    const { world, elements } = await pool(roundRobins(3));
    const session = await world.user().connect({ maxAttempts: 5 });
    const seen = new Seen(session);
    let error: SessionError | undefined;
    session.on('error', (each) => { error = each as SessionError; });
    for (const { host } of elements) host.process.crash();
    await world.advance(29_000); // of 30 s
    expect(seen.events).toEqual(['error FAILOVER_FAILED', 'closed']);
    expect(error?.attempts).toHaveLength(6); // the loss, and five that did not take it
  });

  it('all look bad: each is tried, with pauses that double, and the first that lives has the session', async () => {
    const { world, elements } = await pool(roundRobins(2));
    const user = world.user();
    const session = await user.connect();
    const seen = new Seen(session);
    for (const { host } of elements) host.process.crash();
    const before = world.clock.now();
    await world.advance(2_000);
    await world.element('pe9', { onSession: echo });
    await world.until(() => seen.events.length > 0, 2_500); // a try of a dead one and a pause are a second at most, each
    expect(seen.events[0]).toMatch(/^failover \d > 3 /);
    expect(world.clock.now() - before).toBeLessThan(4_600);
  });

  it('a pool of a hundred dead elements is not run through without a pause', async () => {
    const { world, elements } = await pool(roundRobins(100));
    const session = await world.user().connect({ maxAttempts: 128 });
    const seen = new Seen(session);
    let error: SessionError | undefined;
    session.on('error', (each) => { error = each as SessionError; });
    for (const { host } of elements) host.process.crash();
    await world.advance(31_000);
    expect(seen.events).toEqual(['error FAILOVER_FAILED', 'closed']);
    const attempts = error?.attempts ?? [];
    expect(attempts).toHaveLength(129);
    expect(attempts.filter(({ after }) => after < 30).length).toBeLessThanOrEqual(25); // three times eight, and the loss
  });
});
