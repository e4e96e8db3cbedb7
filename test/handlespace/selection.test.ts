import { describe, expect, it } from '@jest/globals';
import type { Policy } from '../../wire/index.js';
import { TestPool } from './support.js';

const repeat = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
const wrr = (weight: number): Policy => ({ policy: 'weighted-round-robin', weight });
const wrand = (weight: number): Policy => ({ policy: 'weighted-random', weight });
const lu = (load: number): Policy => ({ policy: 'least-used', load });
const lud = (load: number, loadDegradation: number): Policy => ({ policy: 'least-used-with-degradation', load, loadDegradation });
const plu = (load: number, loadDegradation: number): Policy => ({ policy: 'priority-least-used', load, loadDegradation });
const rlu = (load: number): Policy => ({ policy: 'randomized-least-used', load });
const prio = (priority: number): Policy => ({ policy: 'priority', priority });
const full = 0xffff_ffff;

describe('round robin (RFC 5356 §4.1)', () => {
  const pool = (count: number): TestPool => new TestPool(repeat(count, { policy: 'round-robin' }));

  // proves 5356-4.1.2-a, 5356-4.1.2-b, 5356-4.1.2-c
  it('goes round; each list begins one further on', () => {
    const three = pool(3);
    expect([three.list(), three.list(), three.list(), three.list()]).toEqual(['ABC', 'BCA', 'CAB', 'ABC']);
  });

  it('a list that is limited goes on only by one, too (X-27: the one put first is counted)', () => {
    const four = pool(4);
    expect([four.list(2), four.list(2), four.list(2), four.list(2), four.list(2)]).toEqual(['AB', 'BC', 'CD', 'DA', 'AB']);
  });

  it('one that comes waits for its turn; one that goes costs nobody a turn', () => {
    const some = pool(3);
    expect(some.picks(1)).toBe('A');
    some.add({ policy: 'round-robin' }); // D comes last: behind A
    expect(some.picks(4)).toBe('BCAD');
    some.remove(some.at(1)); // B, whose turn it is
    expect(some.picks(3)).toBe('CAD');
  });

  it('passes over what is skipped, and has nothing where all is', () => {
    const some = pool(3);
    expect(some.picks(3, ({ name }) => name === 'B')).toBe('ACA');
    expect(some.picks(1, () => true)).toBe('-');
    expect(some.picks(2)).toBe('BC');
  });

  it('is what elements of an unknown policy are served by', () => {
    const unknown: Policy = { policy: 'unknown', type: 0x80000099, value: new Uint8Array(0) };
    expect(new TestPool([unknown, unknown]).picks(3)).toBe('ABA');
  });
});

describe('weighted round robin (RFC 5356 §4.2)', () => {
  // proves 5356-4.2.2-a, 5356-4.2.2-b
  it('turns are in proportion to weights and evenly spread', () => {
    expect(new TestPool([wrr(3), wrr(1)]).picks(8)).toMatch(/^(?:AABA|ABAA){2}$/);
    expect(new TestPool([wrr(10), ...repeat(10, wrr(1))]).picks(20)).toMatch(/^(?:A[B-K]|[B-K]A){10}$/);
  });

  // proves 5356-4.2.2-a
  it('is round robin where all weights are the same, however large', () => {
    expect(new TestPool([wrr(1), wrr(1), wrr(1)]).picks(7)).toBe('ABCABCA');
    expect(new TestPool([wrr(full), wrr(full)]).picks(5)).toBe('ABABA');
  });

  it('a changed weight counts from then on', () => {
    const pool = new TestPool([wrr(1), wrr(1)]);
    pool.picks(10);
    pool.update(pool.at(0), wrr(4));
    expect(pool.tally(500)).toEqual({ A: 400, B: 100 });
  });

  // proves 5356-3.2-b
  it('X-26: weight 0 serves nobody while others have some; then they take turns', () => {
    const pool = new TestPool([wrr(0), wrr(2), wrr(0)]);
    expect(pool.picks(3)).toBe('BBB');
    expect(pool.list()).toBe('B');
    pool.update(pool.at(1), wrr(0));
    expect(pool.picks(4)).toMatch(/^ACBA$/);
    pool.update(pool.at(2), wrr(1));
    expect(pool.picks(2)).toBe('CC');
  });

  it('keeps its proportions over a time in which the virtual clock is set back', () => {
    const pool = new TestPool([wrr(1), wrr(1)]);
    pool.picks(8);
    for (let change = 0; change < 5; change++) {
      pool.update(pool.at(0), wrr(full)); // 1/weight is lost beside a clock that stands at 4
      pool.update(pool.at(1), wrr(full - 1));
      const { A = 0 } = pool.tally(1000);
      expect(Math.abs(A - 500)).toBeLessThanOrEqual(1);
      pool.update(pool.at(0), wrr(3));
      pool.update(pool.at(1), wrr(1));
      expect(pool.tally(400)).toEqual({ A: 300, B: 100 });
    }
  });

  it('skips without loss of a turn', () => {
    const pool = new TestPool([wrr(2), wrr(1), wrr(1)]);
    expect(pool.picks(3, ({ name }) => name === 'A')).toMatch(/^(BCB|CBC)$/);
    expect(pool.picks(1, () => true)).toBe('-');
    expect(pool.picks(2)).toContain('A');
  });
});

describe('random (RFC 5356 §4.3)', () => {
  // proves 5356-4.3.2-a
  it('each has the same chance, as first of the list; nobody is in it twice', () => {
    const pool = new TestPool(repeat(4, { policy: 'random' }));
    for (const count of Object.values(pool.tally(40_000))) expect(count / 40_000).toBeCloseTo(0.25, 1);
    expect([...pool.list()].sort().join('')).toBe('ABCD');
    expect(new Set(pool.list(2)).size).toBe(2);
  });

  it('draws among the rest where some are skipped', () => {
    const pool = new TestPool(repeat(3, { policy: 'random' }));
    expect(new Set(pool.picks(60, ({ name }) => name === 'B'))).toEqual(new Set('AC'));
    expect(pool.picks(1, () => true)).toBe('-');
    pool.remove(pool.at(0));
    expect(new Set(pool.picks(60))).toEqual(new Set('BC'));
  });
});

describe('weighted random (RFC 5356 §4.4)', () => {
  // proves 5356-4.4.2-a, 5356-4.4.2-c
  it('a chance in proportion to the weight', () => {
    const tally = new TestPool([wrand(1), wrand(2), wrand(7)]).tally(50_000);
    expect([tally['A']! / 50_000, tally['B']! / 50_000, tally['C']! / 50_000].map((share) => share.toFixed(2))).toEqual(
      [expect.stringMatching(/0\.(09|10|11)/), expect.stringMatching(/0\.(19|20|21)/), expect.stringMatching(/0\.(69|70|71)/)]);
  });

  it('the same law holds among those not skipped, and afterwards', () => {
    const pool = new TestPool([wrand(1), wrand(3), wrand(96)]);
    const picked = pool.picks(20_000, ({ name }) => name === 'C');
    expect(picked).not.toContain('C');
    expect([...picked].filter((name) => name === 'B').length / 20_000).toBeCloseTo(0.75, 1);
    expect(pool.tally(1000)['C']).toBeGreaterThan(900);
  });

  // proves 5356-3.2-b
  it('X-26: weight 0 is left out; alone they take turns', () => {
    const pool = new TestPool([wrand(0), wrand(5), wrand(0)]);
    expect([pool.picks(5), pool.list()]).toEqual(['BBBBB', 'B']);
    pool.remove(pool.at(1));
    expect(pool.picks(3)).toBe('ACA');
  });

  it('holds up to the largest weights', () => {
    const tally = new TestPool([wrand(full), wrand(full), wrand(1)]).tally(2000);
    expect(tally['A']! + tally['B']!).toBe(2000);
  });
});

describe('priority (RFC 5356 §4.5)', () => {
  // proves 5356-4.5.2-a, 5356-4.5.2-b, 5356-4.5.2-c
  it('the highest first, in decreasing order; equals take turns', () => {
    const pool = new TestPool([prio(1), prio(9), prio(5), prio(9)]);
    expect([pool.list(), pool.list(), pool.list()]).toEqual(['BDCA', 'DBCA', 'BDCA']);
    pool.update(pool.at(0), prio(10));
    expect(pool.list()).toBe('ADBC');
  });
});

describe('least used (RFC 5356 §5.1)', () => {
  // proves 5356-5.1.2-a, 5356-5.1.2-b, 5356-5.1.2-d, 5356-5.1.2-e
  it('ascending by load; round robin among equals', () => {
    const pool = new TestPool([lu(30), lu(10), lu(20), lu(10)]);
    expect([pool.list(), pool.list(), pool.list(3)]).toEqual(['BDCA', 'DBCA', 'BDC']);
  });

  it('a load that is told anew counts; the same load keeps its turn', () => {
    const pool = new TestPool([lu(10), lu(10), lu(10)]);
    expect(pool.picks(1)).toBe('A');
    pool.update(pool.at(1), lu(10));
    expect(pool.picks(2)).toBe('BC');
    pool.update(pool.at(2), lu(0));
    expect(pool.picks(2)).toBe('CC');
  });

  it('skips on in the order of loads', () => {
    const pool = new TestPool([lu(30), lu(10), lu(20)]);
    expect([pool.picks(1, ({ name }) => name === 'B'), pool.picks(1, ({ name }) => name !== 'A'), pool.picks(1, () => true)]).toEqual(['C', 'A', '-']);
  });
});

describe('least used with degradation (RFC 5356 §5.2)', () => {
  // proves 5356-5.2.2-a, 5356-5.2.2-c, 5356-5.2.2-d
  it('each pick counts as so much load more (X-27: of the one put first only)', () => {
    const pool = new TestPool([lud(0, 10), lud(5, 10), lud(30, 10)]);
    expect(pool.picks(9)).toBe('ABABABCAB'); // at 30 both: C was there before A
  });

  it('behind the one picked the others are in order, whatever its own use has made of it', () => {
    const pool = new TestPool([lud(0, 10), lud(20, 10), lud(7, 1), lud(5, 1)]);
    expect([pool.list(), pool.list(), pool.list(2)]).toEqual(['ADCB', 'DCAB', 'DC']);
  });

  // proves 5356-5.2.2-b
  it('a registration sets the counter to 0', () => {
    const pool = new TestPool([lud(0, 10), lud(50, 10)]);
    expect(pool.picks(5)).toBe('AAAAA');
    pool.update(pool.at(0), lud(0, 10));
    expect(pool.picks(5)).toBe('AAAAA');
  });
});

describe('priority least used (RFC 5356 §5.3)', () => {
  // proves 5356-5.3.2-b, 5356-5.3.2-d, 5356-5.3.2-e
  it('goes by the load as it would be with one user more', () => {
    const percent = full / 100;
    const pool = new TestPool([plu(50 * percent, 50 * percent), plu(50 * percent, 10 * percent)]);
    expect([pool.list(), pool.list()]).toEqual(['BA', 'BA']);
    expect(new TestPool([plu(1, 2), plu(2, 1)]).picks(4)).toBe('ABAB');
  });
});

describe('randomized least used (RFC 5356 §5.4)', () => {
  // proves 5356-5.4.2-a
  it('a chance in proportion to what is left', () => {
    const tally = new TestPool([rlu(Math.round(full * 0.75)), rlu(0), rlu(full)]).tally(20_000);
    expect([tally['A']! / 20_000, tally['C']]).toEqual([expect.closeTo(0.2, 1), 0]);
  });

  it('X-26: all loads full: in turn', () => {
    expect(new TestPool([rlu(full), rlu(full)]).picks(3)).toBe('ABA');
  });
});

describe("RSPLIB's own policies", () => {
  const of = (policy: 'randomized-priority-least-used' | 'randomized-least-used-with-degradation' | 'priority-least-used-with-degradation' | 'randomized-priority-least-used-with-degradation', load: number, loadDegradation: number): Policy =>
    ({ policy, load, loadDegradation });

  it('priority least used with degradation: picks count as well', () => {
    const policy = 'priority-least-used-with-degradation';
    expect(new TestPool([of(policy, 0, 10), of(policy, 15, 1)]).picks(5)).toBe('ABBBB');
  });

  it('randomized, with the next user counted: one that he would fill up is not drawn', () => {
    const policy = 'randomized-priority-least-used';
    expect(new TestPool([of(policy, full - 5, 5), of(policy, full - 5, 4)]).picks(20)).toBe('B'.repeat(20));
  });

  it('randomized, with picks counted: who is full by its picks is not drawn until it tells its load', () => {
    const policy = 'randomized-least-used-with-degradation';
    const pool = new TestPool([of(policy, full - 3, 1), of(policy, 0, 0)]);
    pool.update(pool.at(1), of(policy, full, 0));
    expect(pool.picks(3)).toBe('AAA');
    expect(pool.picks(4)).toBe('BABA');
    pool.update(pool.at(0), of(policy, full - 2, 1));
    expect(pool.picks(3)).toBe('AAB');
  });

  it('randomized, both', () => {
    const policy = 'randomized-priority-least-used-with-degradation';
    const pool = new TestPool([of(policy, full - 3, 1), of(policy, full, 0)]);
    expect(pool.picks(3)).toBe('AAB');
  });
});

describe('X-25: elements whose own policy is another than the pool\'s', () => {
  // proves 5352-2.2.6-a
  it('count as one among equals', () => {
    const pool = new TestPool([{ policy: 'round-robin' }, { policy: 'round-robin' }], { overall: 'weighted-round-robin' });
    expect(pool.picks(4)).toBe('ABAB');
    expect(new TestPool([{ policy: 'round-robin' }, { policy: 'least-used', load: 5 }], { overall: 'least-used' }).picks(2)).toBe('AA');
  });
});
