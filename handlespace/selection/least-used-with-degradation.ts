import type { Order } from './ordered.js';
import { degradationOf, loadOf, sessionLoad } from './values.js';

/** Least used with degradation, RFC 5356 §5.2: each pick since the element last told its load counts as so much more. */
export const leastUsedWithDegradation: Order = { base: loadOf, step: degradationOf, session: sessionLoad };
