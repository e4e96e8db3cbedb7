import type { Order } from './ordered.js';
import { loadOf, sessionLoad } from './values.js';

/** Least used, RFC 5356 §5.1: the lowest load first; equals take turns. */
export const leastUsed: Order = { base: loadOf, session: sessionLoad };
