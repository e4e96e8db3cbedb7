import { Candidate, createSelection } from '../handlespace/selection/index.js';
import { nodeRandom } from '../transports/node.js';
import { policies, type Policy, type PolicyName } from '../wire/index.js';
import { median, type Row, type Run } from './measure.js';

const SIZES = [10, 1000, 100_000] as const;
/** From 1000 to 100 000 the logarithm grows by 1.7; leaving the processor's caches may cost as much again, and more. What is linear would grow by 100. */
const GROWTH = 1.7 * 5;
/** Microseconds below which a cost is that of measuring. */
const LEAST = 0.05;

class Element extends Candidate {
  constructor(readonly policy: Policy) { super(); }
}

/** The cost of a pick in pools of three sizes, by policy. */
export function selection(run: Run): Promise<Row[]> {
  return Promise.resolve((Object.keys(policies) as PolicyName[]).map((policy) => row(policy, run)));
}

function row(policy: PolicyName, { rounds, scale }: Run): Row {
  const costs = SIZES.map((size) => cost(policy, size, rounds, Math.round(200_000 * scale)));
  const growth = costs[2]! / Math.max(LEAST, costs[1]!);
  return { what: `pick of ${SIZES.map((size) => size.toLocaleString('en')).join(' / ')}, ${policy}`, ours: `${costs.map((each) => each.toFixed(2)).join(' / ')} us`, ratio: growth, budget: 'as log n does', isMet: growth <= GROWTH };
}

function cost(name: PolicyName, size: number, rounds: number, picks: number): number {
  const selection = createSelection<Element>(name, nodeRandom);
  for (let i = 0; i < size; i++) selection.add(new Element(policyOf(name, i)));
  return median(Array.from({ length: rounds + 1 }, () => {
    const began = performance.now();
    for (let i = 0; i < picks; i++) selection.pick();
    return ((performance.now() - began) * 1000) / picks;
  }).slice(1));
}

/** With the values of every policy: each reads its own. */
const policyOf = (policy: PolicyName, i: number): Policy => ({ policy, weight: (i % 10) + 1, priority: i % 7, load: (i * 7919) % 0xffff_ffff, loadDegradation: 1000 }) as unknown as Policy;
