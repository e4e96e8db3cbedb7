import type { Policy } from '../../wire/index.js';

/** An element's own values. Where its policy parameter has none of that name, those that make it one among equals. */
export const weightOf = (policy: Policy): number => ('weight' in policy ? policy.weight : 1);
export const loadOf = (policy: Policy): number => ('load' in policy ? policy.load : 0);
export const degradationOf = (policy: Policy): number => ('loadDegradation' in policy ? policy.loadDegradation : 0);
export const priorityOf = (policy: Policy): number => ('priority' in policy ? policy.priority : 0);

/** A load of 100 % (RFC 5356 §5). */
export const fullLoad = 0xffffffff;
/** What a session is worth where its element has not told what one adds: so that a few hundred of them fill one up. */
export const sessionLoad = (policy: Policy): number => degradationOf(policy) || fullLoad / 256;
export const unload = (load: number): number => Math.max(0, fullLoad - load);
