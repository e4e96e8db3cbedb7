import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { policies, type Policy, type PolicyName } from '../../wire/index.js';
import { TestPool, type TestCandidate } from './support.js';

const names = Object.keys(policies) as PolicyName[];
const small = fc.integer({ min: 0, max: 6 });

/** A policy of that name with these values, whichever it has. */
const policyOf = (policy: PolicyName, a: number, b: number): Policy => ({ policy, weight: a, priority: a, load: a, loadDegradation: b }) as unknown as Policy;

type Step = { readonly do: 'add' | 'remove' | 'update' | 'pick' | 'skip' | 'list'; readonly which: number; readonly a: number; readonly b: number };
const steps = fc.array(fc.record<Step>({ do: fc.constantFrom('add', 'add', 'remove', 'update', 'pick', 'pick', 'skip', 'list'), which: fc.nat(50), a: small, b: small }), { maxLength: 60 });

describe('every policy', () => {
  // proves 5356-4.3.2-a, 5356-4.4.2-b, 5356-5.1.2-c, 5356-5.3.2-c
  it.each(names)('%s: whatever happens, a pick is a member, none is skipped that was not to be, a list begins with it and has nobody twice', (name) => {
    fc.assert(fc.property(steps, fc.nat(), (history, seed) => {
      const pool = new TestPool([], { overall: name, seed });
      for (const step of history) {
        apply(pool, name, step);
        expect(pool.selection.size).toBe(pool.members.length);
      }
    }), { numRuns: 150 });
  });

  function apply(pool: TestPool, name: PolicyName, step: Step): void {
    const { members, selection } = pool;
    if (step.do === 'add' || members.length === 0) return void pool.add(policyOf(name, step.a, step.b));
    const candidate = pool.at(step.which);
    if (step.do === 'remove') return pool.remove(candidate);
    if (step.do === 'update') return pool.update(candidate, policyOf(name, step.a, step.b));
    if (step.do === 'skip') return checkSkip(pool, candidate);
    const first = selection.pick() as TestCandidate;
    expect(members).toContain(first);
    if (step.do === 'list') checkList(pool, first, 1 + step.which);
  }

  function checkSkip({ selection, members }: TestPool, candidate: TestCandidate): void {
    const picked = selection.pick((other) => other === candidate);
    expect(picked).not.toBe(candidate);
    if (picked !== undefined) expect(members).toContain(picked);
  }

  function checkList({ selection, members }: TestPool, first: TestCandidate, max: number): void {
    const list = selection.list(first, max);
    expect(list[0]).toBe(first);
    expect(new Set(list).size).toBe(list.length);
    for (const each of list) expect(members).toContain(each);
    expect(list.length).toBeLessThanOrEqual(max);
  }

  it.each(names)('%s: a pick, and every change, costs at most in proportion to log n, up to 100 000', (name) => {
    for (const [count, bound] of [[1_000, 120], [100_000, 200]] as const) { // log2 n is 10 and 17; an update is two changes
      const pool = new TestPool(Array.from({ length: count }, (_, index) => policyOf(name, 1 + (index * 7919) % 65_521, 1 + index % 7)), { overall: name });
      const cost = (run: () => void): number => {
        const before = pool.selection.steps;
        run();
        return pool.selection.steps - before;
      };
      let worst = 0;
      for (let round = 0; round < 300; round++) {
        worst = Math.max(
          worst,
          cost(() => pool.selection.pick()),
          cost(() => { pool.update(pool.at(round * 31), policyOf(name, 1 + round * 7, 3)); }),
          cost(() => { const candidate = pool.at(round * 17); pool.selection.remove(candidate); pool.selection.add(candidate); }),
          cost(() => { const candidate = pool.at(round * 13); pool.selection.pick((other) => other === candidate); }),
        );
      }
      expect(worst).toBeLessThanOrEqual(bound);
    }
  });
});

describe('ordered policies against a plain model', () => {
  const keys: Partial<Record<PolicyName, (a: number, b: number, uses: number) => number>> = {
    'priority': (a) => -a,
    'least-used': (a) => a,
    'least-used-with-degradation': (a, b, uses) => a + uses * b,
    'priority-least-used': (a, b) => a + b,
    'priority-least-used-with-degradation': (a, b, uses) => a + b + uses * b,
  };

  // proves 5356-5.1.2-b, 5356-5.1.2-d, 5356-5.2.2-d, 5356-5.3.2-b, 5356-5.3.2-d
  it.each(Object.entries(keys))('%s: always one with the least value, and of equals the one that came into the value first or was picked longest ago', (name, keyOf) => {
    fc.assert(fc.property(steps, (history) => {
      const pool = new TestPool([], { overall: name as PolicyName });
      const model = new Model(keyOf);
      for (const step of history) {
        const { members } = pool;
        if (step.do === 'add' || members.length === 0) model.add(pool.add(policyOf(name as PolicyName, step.a, step.b)), step);
        else if (step.do === 'remove') {
          model.remove(pool.at(step.which));
          pool.remove(pool.at(step.which));
        } else if (step.do === 'update') {
          pool.update(pool.at(step.which), policyOf(name as PolicyName, step.a, step.b));
          model.update(pool.at(step.which), step);
        } else {
          expect(pool.selection.pick()?.name).toBe(model.pick()?.name);
        }
      }
    }));
  });

  interface Row { readonly candidate: TestCandidate; a: number; b: number; uses: number; turn: number }
  class Model {
    readonly #rows: Row[] = [];
    #turn = 0;
    constructor(private readonly keyOf: (a: number, b: number, uses: number) => number) {}

    add(candidate: TestCandidate, { a, b }: Step): void { this.#rows.push({ candidate, a, b, uses: 0, turn: this.#turn++ }); }
    remove(candidate: TestCandidate): void { this.#rows.splice(this.#rows.findIndex((row) => row.candidate === candidate), 1); }

    update(candidate: TestCandidate, { a, b }: Step): void {
      const row = this.#rows.find((each) => each.candidate === candidate) as Row;
      const before = this.#key(row);
      Object.assign(row, { a, b, uses: 0 });
      if (this.#key(row) !== before) row.turn = this.#turn++;
    }

    pick(): TestCandidate | undefined {
      const [first] = [...this.#rows].sort((x, y) => this.#key(x) - this.#key(y) || x.turn - y.turn);
      if (first === undefined) return undefined;
      first.uses++;
      first.turn = this.#turn++;
      return first.candidate;
    }

    #key({ a, b, uses }: Row): number { return this.keyOf(a, b, uses); }
  }
});

describe('weighted round robin', () => {
  // proves 5356-4.2.2-a, 5356-4.2.2-b
  it('at every moment each has had its due, to within one turn', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 }), (weights) => {
      const pool = new TestPool(weights.map((weight) => policyOf('weighted-round-robin', weight, 0)), { overall: 'weighted-round-robin' });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const uses = new Map(pool.members.map((member) => [member, 0]));
      for (let pick = 1; pick <= 400; pick++) {
        const picked = pool.selection.pick() as TestCandidate;
        uses.set(picked, (uses.get(picked) ?? 0) + 1);
        pool.members.forEach((member, index) => {
          const due = (pick * (weights[index] as number)) / total;
          if (Math.abs((uses.get(member) ?? 0) - due) >= 1.001) throw new Error(`${member.name} was picked ${uses.get(member)} times where ${due} was due`);
        });
      }
    }), { numRuns: 60 });
  });
});

describe('weighted random', () => {
  // proves 5356-4.4.2-c
  it('the chance of each is exactly its stretch of the total, after any history', () => {
    fc.assert(fc.property(steps, (history) => {
      let point = 0;
      const pool = new TestPool([], { overall: 'weighted-random', random: { fraction: () => point, u32: () => 0, bytes: () => new Uint8Array(0) } });
      for (const step of history) {
        if (step.do === 'add' || pool.members.length === 0) pool.add(policyOf('weighted-random', step.a, 0));
        else if (step.do === 'remove') pool.remove(pool.at(step.which));
        else pool.update(pool.at(step.which), policyOf('weighted-random', step.a, 0));
      }
      const due = Object.fromEntries(pool.members.map(({ name, policy }) => [name, 'weight' in policy ? policy.weight : 0]));
      const total = Object.values(due).reduce((sum, weight) => sum + weight, 0);
      const had: Record<string, number> = Object.fromEntries(Object.keys(due).map((name) => [name, 0]));
      for (let each = 0; each < total; each++) {
        point = (each + 0.5) / total;
        const { name } = pool.selection.pick() as TestCandidate;
        had[name] = (had[name] ?? 0) + 1;
      }
      expect(had).toEqual(due);
    }));
  });
});
