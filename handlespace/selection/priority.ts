import type { Order } from './ordered.js';
import { priorityOf } from './values.js';

/** Priority, RFC 5356 §4.5: the highest first; those of the same priority take turns. */
export const priority: Order = { base: (policy) => -priorityOf(policy) };
