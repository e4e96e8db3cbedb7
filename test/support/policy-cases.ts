import {
  leastUsed, leastUsedDegradation, priority, priorityLeastUsed, priorityLeastUsedDegradation, random, randomizedLeastUsed, randomizedLeastUsedDegradation,
  randomizedPriorityLeastUsed, randomizedPriorityLeastUsedDegradation, roundRobin, weightedRandom, weightedRoundRobin,
} from '../../actors/policies.js';
import type { Policy } from '../../wire/index.js';

/** RFC 5356 as arithmetic that knows nothing of the code: pools, and each element's share of so many picks. */

export type Shares = readonly number[];
export interface Case {
  readonly name: string;
  readonly elements: readonly Policy[];
  readonly expected: Shares;
}

export const proportional = (...weights: readonly number[]): Shares => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};
/** Each pick adds `step` to the value of the lowest one, which is the one picked. */
const filled = (picks: number, ...values: readonly (readonly [value: number, step: number])[]): Shares => {
  const levels = values.map(([value]) => value);
  const counts = values.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const lowest = levels.indexOf(Math.min(...levels));
    levels[lowest]! += values[lowest]![1];
    counts[lowest]!++;
  }
  return proportional(...counts);
};
/** Expectation of: drawn in proportion to what is left of 1; each pick adds `step`; all full: in turn. */
const drained = (picks: number, ...values: readonly (readonly [load: number, step: number])[]): Shares => {
  const left = values.map(([load]) => 1 - load);
  const counts = values.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const chances = left.some((each) => each > 1e-12) ? proportional(...left) : values.map(() => 1 / values.length);
    chances.forEach((chance, i) => {
      counts[i]! += chance;
      left[i] = Math.max(0, left[i]! - chance * values[i]![1]);
    });
  }
  return proportional(...counts);
};

const both = (load: number, degradation: number): { load: number; degradation: number } => ({ load, degradation });

/** @param picks how many will be made: degradation is such that about all of them are needed to fill an element. */
export function casesFor(picks: number): readonly Case[] {
  const STEP = 1 / picks;
  return [
    { name: 'round robin (§4.1)', elements: [roundRobin(), roundRobin(), roundRobin(), roundRobin()], expected: [0.25, 0.25, 0.25, 0.25] },
    { name: 'weighted round robin (§4.2)', elements: [1, 2, 3, 4].map((weight) => weightedRoundRobin({ weight })), expected: proportional(1, 2, 3, 4) },
    { name: 'random (§4.3)', elements: [random(), random(), random(), random()], expected: [0.25, 0.25, 0.25, 0.25] },
    { name: 'weighted random (§4.4)', elements: [1, 2, 3, 4].map((weight) => weightedRandom({ weight })), expected: proportional(1, 2, 3, 4) },
    { name: 'priority (§4.5), equals take turns', elements: [5, 9, 1, 9].map((each) => priority({ priority: each })), expected: [0, 0.5, 0, 0.5] },
    { name: 'least used (§5.1), equals take turns', elements: [0.4, 0.1, 0.1, 0.9].map((load) => leastUsed({ load })), expected: [0, 0.5, 0.5, 0] },
    { name: 'least used with degradation (§5.2, X-27)', elements: [leastUsedDegradation(both(0, STEP)), leastUsedDegradation(both(0.2, STEP)), leastUsedDegradation(both(0.1, 2 * STEP)), leastUsedDegradation(both(1, STEP))], expected: filled(picks, [0, STEP], [0.2, STEP], [0.1, 2 * STEP], [1, STEP]) },
    { name: 'priority least used (§5.3)', elements: [priorityLeastUsed(both(0.5, 0.1)), priorityLeastUsed(both(0.5, 0.5)), priorityLeastUsed(both(0.5, 0.1)), priorityLeastUsed(both(0.7, 0))], expected: proportional(1, 0, 1, 0) },
    { name: 'randomized least used (§5.4)', elements: [0, 0.5, 0.75, 1].map((load) => randomizedLeastUsed({ load })), expected: proportional(1, 0.5, 0.25, 0) },
    { name: 'randomized priority least used (RSPLIB)', elements: [randomizedPriorityLeastUsed(both(0, 0.2)), randomizedPriorityLeastUsed(both(0.5, 0.1)), randomizedPriorityLeastUsed(both(0.5, 0.5))], expected: proportional(0.8, 0.4, 0) },
    { name: 'randomized least used with degradation (RSPLIB)', elements: [randomizedLeastUsedDegradation(both(0, STEP)), randomizedLeastUsedDegradation(both(0, STEP / 2)), randomizedLeastUsedDegradation(both(0.5, 0))], expected: drained(picks, [0, STEP], [0, STEP / 2], [0.5, 0]) },
    { name: 'priority least used with degradation (RSPLIB)', elements: [priorityLeastUsedDegradation(both(0, STEP)), priorityLeastUsedDegradation(both(0.2, STEP)), priorityLeastUsedDegradation(both(0.1, 2 * STEP))], expected: filled(picks, [STEP, STEP], [0.2 + STEP, STEP], [0.1 + 2 * STEP, 2 * STEP]) },
    { name: 'randomized priority least used with degradation (RSPLIB)', elements: [randomizedPriorityLeastUsedDegradation(both(0, STEP)), randomizedPriorityLeastUsedDegradation(both(0.5, STEP))], expected: drained(picks, [STEP, STEP], [0.5 + STEP, STEP]) },
    { name: 'weighted round robin, weight 0 with others (X-26)', elements: [0, 1, 3].map((weight) => weightedRoundRobin({ weight })), expected: proportional(0, 1, 3) },
    { name: 'weighted random, weight 0 with others (X-26)', elements: [0, 1, 3].map((weight) => weightedRandom({ weight })), expected: proportional(0, 1, 3) },
    { name: 'weighted round robin, all of weight 0 (X-26)', elements: [0, 0, 0].map((weight) => weightedRoundRobin({ weight })), expected: proportional(1, 1, 1) },
    { name: 'weighted random, all of weight 0 (X-26)', elements: [0, 0, 0].map((weight) => weightedRandom({ weight })), expected: proportional(1, 1, 1) },
    { name: 'weighted random, weight 0 alone (X-26)', elements: [weightedRandom({ weight: 0 })], expected: [1] },
    { name: 'randomized least used, all loads full (X-26)', elements: [1, 1, 1].map((load) => randomizedLeastUsed({ load })), expected: proportional(1, 1, 1) },
  ];
}

/** What is drawn by lot. */
const isRandom = ({ name }: Case): boolean => name.includes('random');

/** Shares within 3 % of the arithmetic, of all picks: that can be asked of 10 000 picks of any policy (3 % are six standard deviations of a lot of one half, and more of any other). And closer: within 3 % of
 *  their own size, and nobody picked who has none. That is too much to ask of a lot where picks are few: five standard deviations of the draw, where those are more (a false alarm in a million), so 3 % of its
 *  own size from 250 000 picks on for a share of a tenth. */
export function expectShares(counts: Shares, of: Case): void {
  const picks = counts.reduce((sum, count) => sum + count, 0);
  const strayed = of.expected.flatMap((share, index) => {
    const apart = Math.abs(counts[index]! / picks - share);
    const relative = share === 0 ? counts[index]! : Math.abs(counts[index]! / picks / share - 1);
    const tolerance = share === 0 ? 0 : Math.max(TOLERANCE, isRandom(of) ? 5 * Math.sqrt((1 - share) / (share * picks)) : 0);
    return apart > TOLERANCE || relative > tolerance ? [`element ${index + 1}: ${counts[index]!} of ${picks}, expected ${share}: ${relative} > ${tolerance}`] : [];
  });
  expect(strayed).toEqual([]);
}

const TOLERANCE = 0.03;
