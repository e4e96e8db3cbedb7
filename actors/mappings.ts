import type { PoolElement } from '../wire/index.js';

/** Transport mappings of draft §5.1, one row each: what carries sessions, and over which transport. Elements and users look here and nowhere else. */
export interface Mapping {
  /** Draft §5.1. */
  readonly id: number;
  readonly name: 'none' | 'tcp';
  /** Of its data channels' addresses; undefined where they are not ours. */
  readonly scheme: string | undefined;
  readonly canCarrySessions: boolean;
  /** Whether an element's registration is for this mapping. */
  readonly isOf: (element: PoolElement) => boolean;
}

/** Ours, of parameter 0x8f02: which versions of the TCP mapping the element speaks. Without it an element is reached in Basic Mode. */
export const SPEAKS_TCP_MAPPING = Uint8Array.of(1);

/** NO_MAPPING, Basic Mode: the pool only names the server. */
export const noMapping: Mapping = { id: 0x00, name: 'none', scheme: undefined, canCarrySessions: false, isOf: () => true };
export const tcpMapping: Mapping = {
  id: 0x02, name: 'tcp', scheme: 'tcp', canCarrySessions: true,
  isOf: ({ userTransport, capabilities }) => userTransport.transport === 'tcp' && capabilities !== undefined,
};

/** In the order in which they are recognised. */
export const mappings: readonly Mapping[] = [tcpMapping, noMapping];

export const mappingOf = (element: PoolElement): Mapping => mappings.find(({ isOf }) => isOf(element)) ?? noMapping;

/** Whether two registrations are one pool element's, for one mapping each. */
export const areTied = ({ tie: a }: PoolElement, { tie: b }: PoolElement): boolean => a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
