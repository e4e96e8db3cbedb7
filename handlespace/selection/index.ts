import type { Random } from '../../environment.js';
import type { Policy } from '../../wire/index.js';
import { leastUsedWithDegradation } from './least-used-with-degradation.js';
import { leastUsed } from './least-used.js';
import { OrderedSelection, type Order } from './ordered.js';
import { priorityLeastUsed, priorityLeastUsedWithDegradation } from './priority-least-used.js';
import { priority } from './priority.js';
import { RandomSelection } from './random.js';
import {
  randomizedLeastUsed, randomizedLeastUsedWithDegradation, randomizedPriorityLeastUsed, randomizedPriorityLeastUsedWithDegradation,
} from './randomized-least-used.js';
import { RoundRobin } from './round-robin.js';
import type { Candidate, Selection } from './selection.js';
import { weightedRandom } from './weighted-random.js';
import { WeightedRoundRobin } from './weighted-round-robin.js';
import { WeightedSelection, type Weighing } from './weighted.js';

export { Candidate, type Selection, type Skip } from './selection.js';

/** A selection for a pool whose overall policy is of this type. An unknown one is served in turn, in the order in which its elements came. */
export function createSelection<C extends Candidate>(policy: Policy['policy'], random: Random): Selection<C> {
  switch (policy) {
    case 'round-robin':
    case 'unknown': return new RoundRobin();
    case 'weighted-round-robin': return new WeightedRoundRobin();
    case 'random': return new RandomSelection(random);
    default: {
      const rule = rules[policy];
      return 'weight' in rule ? new WeightedSelection(random, rule) : new OrderedSelection(rule);
    }
  }
}

const rules: Readonly<Record<Exclude<Policy['policy'], 'round-robin' | 'unknown' | 'weighted-round-robin' | 'random'>, Order | Weighing>> = {
  'weighted-random': weightedRandom,
  priority,
  'least-used': leastUsed,
  'least-used-with-degradation': leastUsedWithDegradation,
  'priority-least-used': priorityLeastUsed,
  'randomized-least-used': randomizedLeastUsed,
  'randomized-priority-least-used': randomizedPriorityLeastUsed,
  'randomized-least-used-with-degradation': randomizedLeastUsedWithDegradation,
  'priority-least-used-with-degradation': priorityLeastUsedWithDegradation,
  'randomized-priority-least-used-with-degradation': randomizedPriorityLeastUsedWithDegradation,
};
