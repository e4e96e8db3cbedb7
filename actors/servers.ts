import type { Policy, PoolElement as PoolElementParameter } from '../wire/index.js';
import { addressText, parseBasicAddress } from './basic-address.js';
import { mappingOf, type Mapping } from './mappings.js';
import type { Pools } from './pool.js';

/** A pool element as an application needs it that talks to it by itself. */
export interface ServerInfo {
  readonly handle: string | Uint8Array;
  /** PE identifier. */
  readonly identifier: number;
  /** `tcp://host:port`, or as it was registered; `opaque:` and hexadecimal digits for what is no address. */
  readonly address: string;
  /** Its scheme. */
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly policy: Policy;
  /** `'tcp'` where it takes sessions by our TCP mapping, `'none'` where it only is there (Basic Mode). */
  readonly mapping: Mapping['name'];
}

export function describe(handle: string | Uint8Array, element: PoolElementParameter): ServerInfo {
  const { identifier, userTransport, policy } = element;
  const address = addressText(userTransport);
  const { scheme: protocol, host, port } = address.startsWith('opaque:') ? { scheme: 'opaque', host: '', port: 0 } : parseBasicAddress(address);
  return { handle, identifier, address, protocol, host, port, policy, mapping: mappingOf(element).name };
}

/** GET_PRIMARY_SERVER and GET_NEXT_SERVER of draft §4.3, which has no argument for whose last server has failed: it is remembered by handle and caller, and an
 *  address handed out counts as use. */
export class Servers {
  readonly #pools: Pools;
  readonly #given = new Map<string, Given>();

  constructor(pools: Pools) {
    this.#pools = pools;
  }

  primary(key: string, caller: string): PoolElementParameter | undefined {
    const element = this.#pools.pick(key);
    this.#remember(key, caller, { last: element?.identifier, failed: new Set() });
    return element;
  }

  next(key: string, caller: string): PoolElementParameter | undefined {
    const given = this.#given.get(`${caller}\0${key}`);
    if (given?.last === undefined) return this.primary(key, caller);
    this.#pools.reportUnreachable(key, given.last);
    given.failed.add(given.last);
    const element = this.#pools.pick(key, given.failed);
    if (element !== undefined && given.failed.has(element.identifier)) given.failed.clear(); // all have failed: once more, from the beginning
    this.#remember(key, caller, { last: element?.identifier, failed: given.failed });
    return element;
  }

  #remember(key: string, caller: string, given: Given): void {
    const name = `${caller}\0${key}`;
    this.#given.delete(name);
    this.#given.set(name, given);
    if (this.#given.size > MAX_CALLERS) this.#given.delete(this.#given.keys().next().value as string);
  }
}

interface Given {
  readonly last: number | undefined;
  readonly failed: Set<number>;
}

/** Callers remembered; the one that asked longest ago is forgotten. */
const MAX_CALLERS = 10_000;
