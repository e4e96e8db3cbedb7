import type { Order } from './ordered.js';
import { degradationOf, loadOf, sessionLoad } from './values.js';

/** Priority least used, RFC 5356 §5.3: the lowest load as it would be with one user more. */
export const priorityLeastUsed: Order = { base: (policy) => loadOf(policy) + degradationOf(policy), session: sessionLoad };

/** RSPLIB's variant (0xb0001003): picks since the last report count too. */
export const priorityLeastUsedWithDegradation: Order = { ...priorityLeastUsed, step: degradationOf };
