import type { Random } from '../../environment.js';
import { Candidate, createSelection, type Selection } from '../../handlespace/selection/index.js';
import type { Policy, PoolElement } from '../../wire/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';

export class TestCandidate extends Candidate {
  constructor(readonly name: string, public policy: Policy) { super(); }
}

/** A pool whose candidates are named A, B, C ... by the policies given; its own policy is the first one's. */
export class TestPool {
  readonly selection: Selection<TestCandidate>;
  readonly members: TestCandidate[] = [];
  #named = 0;

  constructor(policies: readonly Policy[], { overall = policies[0]?.policy ?? 'round-robin', seed = 1, random = new SeededRandom(seed) }: Options = {}) {
    this.selection = createSelection(overall, random);
    for (const policy of policies) this.add(policy);
  }

  add(policy: Policy): TestCandidate {
    const candidate = new TestCandidate(String.fromCharCode(65 + this.#named++), policy);
    this.members.push(candidate);
    this.selection.add(candidate);
    return candidate;
  }

  remove(candidate: TestCandidate): void {
    this.members.splice(this.members.indexOf(candidate), 1);
    this.selection.remove(candidate);
  }

  update(candidate: TestCandidate, policy: Policy): void {
    candidate.policy = policy;
    this.selection.update(candidate);
  }

  at(index: number): TestCandidate { return this.members[index % this.members.length] as TestCandidate; }

  /** The names of so many picks in a row. */
  picks(count: number, skip?: (candidate: TestCandidate) => boolean): string {
    return Array.from({ length: count }, () => this.selection.pick(skip)?.name ?? '-').join('');
  }

  /** How often each was picked. */
  tally(count: number): Readonly<Record<string, number>> {
    const tally: Record<string, number> = Object.fromEntries(this.members.map(({ name }) => [name, 0]));
    for (let pick = 0; pick < count; pick++) {
      const { name } = this.selection.pick() as TestCandidate;
      tally[name] = (tally[name] ?? 0) + 1;
    }
    return tally;
  }

  /** The list an answer would have after a pick. */
  list(max = Infinity): string {
    const first = this.selection.pick();
    return first === undefined ? '' : this.selection.list(first, max).map(({ name }) => name).join('');
  }
}

interface Options { readonly overall?: Policy['policy']; readonly seed?: number; readonly random?: Random }

export const poolElement = (identifier: number, more: Partial<PoolElement> = {}): PoolElement => ({
  identifier, homeRegistrar: 1, registrationLife: 300, policy: { policy: 'round-robin' },
  userTransport: { transport: 'tcp', port: 7, addresses: ['127.0.0.1'] }, ...more,
});
