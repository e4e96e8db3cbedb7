import { weightOf } from './values.js';
import type { Weighing } from './weighted.js';

/** Weighted random, RFC 5356 §4.4: a chance in proportion to the weight. */
export const weightedRandom: Weighing = { base: weightOf, weight: (weight) => weight };
