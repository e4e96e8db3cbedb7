import { saysItsMapping, type Pool } from '../handlespace/handlespace.js';
import { encodePoolElement, type Cause, type Policy, type PoolElement, type TransportParameter } from '../wire/index.js';

/** Why a registration is rejected whatever the handlespace holds (RFC 5352 §3.1 rule 5): the offending parameter goes back (RFC 5354 §3.12.4). */
export function invalidity(element: PoolElement): Cause | undefined {
  const isLife = element.registrationLife > 0 || element.registrationLife === -1;
  return isLife && element.identifier !== 0 ? undefined : { cause: 'invalid-values', parameter: encodePoolElement(element) }; // RSPLIB takes 0 for "none"
}

/** RFC 5352 §3.1 rules 2 and 3: policy type, transport type and use are the pool's. Draft §5.1 has an element register each mapping it has; so where it, and who
 *  created the pool, are of those whose users look at the mapping, transports may differ. */
export function inconsistency({ policy, transport, isMapped }: Pool, element: PoolElement): Cause | undefined {
  if (!isSamePolicy(policy, element.policy)) return { cause: 'inconsistent-pooling-policy', policy };
  if (transport.transport !== element.userTransport.transport) return isMapped && saysItsMapping(element) ? undefined : { cause: 'inconsistent-transport-type', transport };
  if (useOf(transport) !== useOf(element.userTransport)) return { cause: 'inconsistent-data-control-configuration' };
  return undefined;
}

/** Policies that nobody here knows are told apart by their numbers; their elements are served in turn. */
const isSamePolicy = (a: Policy, b: Policy): boolean => a.policy === b.policy && (a.policy !== 'unknown' || b.policy !== 'unknown' || a.type === b.type);
const useOf = (transport: TransportParameter): string | undefined => ('use' in transport ? transport.use : undefined);
