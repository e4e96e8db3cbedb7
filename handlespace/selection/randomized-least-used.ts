import { degradationOf, loadOf, unload } from './values.js';
import type { Weighing } from './weighted.js';

/** Randomized least used, RFC 5356 §5.4: a chance in proportion to what is left of the load. */
export const randomizedLeastUsed: Weighing = { base: loadOf, weight: unload };

/** RSPLIB's variants (0xb0001002, 0xb0001001, 0xb0001004): picks since the last report count, the next user counts, both. */
export const randomizedLeastUsedWithDegradation: Weighing = { ...randomizedLeastUsed, step: degradationOf };
export const randomizedPriorityLeastUsed: Weighing = { base: (policy) => loadOf(policy) + degradationOf(policy), weight: unload };
export const randomizedPriorityLeastUsedWithDegradation: Weighing = { ...randomizedPriorityLeastUsed, step: degradationOf };
