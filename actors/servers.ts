import { formatAddress } from '../transports/address.js';
import type { Policy, PoolElement as PoolElementParameter } from '../wire/index.js';
import type { Pools } from './pool.js';

/** A pool element as an application needs it that talks to it by itself. */
export interface ServerInfo {
  readonly handle: string | Uint8Array;
  /** PE identifier. */
  readonly identifier: number;
  /** `tcp://host:port`. */
  readonly address: string;
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly policy: Policy;
  /** `'tcp'` where it takes sessions by our TCP mapping, `'none'` where it only is there (Basic Mode). */
  readonly mapping: 'tcp' | 'none';
}

export function describe(handle: string | Uint8Array, { identifier, userTransport, policy, capabilities }: PoolElementParameter): ServerInfo {
  const { transport: protocol } = userTransport;
  const { host, port } = userTransport.transport === 'opaque' ? { host: '', port: 0 } : { host: userTransport.addresses[0] ?? '', port: userTransport.port };
  return { handle, identifier, address: formatAddress(protocol, host, port), protocol, host, port, policy, mapping: capabilities === undefined ? 'none' : 'tcp' };
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
