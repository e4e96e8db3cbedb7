import type { Policy, PoolElement as PoolElementParameter } from '../wire/index.js';
import { parseBasicAddress } from './basic-address.js';
import { addressOf, mappingOf, type Mapping } from './mappings.js';
import type { Unsubscribe } from './emitter.js';
import { isSamePlace } from './listed-elements.js';
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
  /** `'tcp'`, `'sctp'` where it takes sessions by that mapping, `'none'` where it only is there (Basic Mode). */
  readonly mapping: Mapping['name'];
}

export function describe(handle: string | Uint8Array, element: PoolElementParameter): ServerInfo {
  const { identifier, policy } = element;
  const address = addressOf(element);
  const { scheme: protocol, host, port } = address.startsWith('opaque:') ? { scheme: 'opaque', host: '', port: 0 } : parseBasicAddress(address);
  return { handle, identifier, address, protocol, host, port, policy, mapping: mappingOf(element).name };
}

/** The server that a caller was given has left its pool, and `to` has been selected for it. */
export interface Replacement {
  readonly key: string;
  readonly caller: string;
  readonly from: PoolElementParameter;
  readonly to: PoolElementParameter;
}

/** GET_PRIMARY_SERVER and GET_NEXT_SERVER of draft §4.3, which has no argument for whose last server has failed: it is remembered by handle and caller, and an
 *  address handed out counts as use. With automatic failover the pools of those that were handed out are watched, and a server that a registrar removes is
 *  replaced without being asked. */
export class Servers {
  readonly #pools: Pools;
  readonly #replaced: ((replacement: Replacement) => void) | undefined;
  readonly #given = new Map<string, Given>();
  readonly #watched = new Map<string, { readonly names: Set<string>; readonly end: Unsubscribe }>();

  /** @param replaced automatic failover: called for each server that is replaced. */
  constructor(pools: Pools, replaced?: (replacement: Replacement) => void) {
    this.#pools = pools;
    this.#replaced = replaced;
  }

  primary(key: string, caller: string): PoolElementParameter | undefined {
    const element = this.#pools.pick(key);
    this.#remember({ key, caller, last: element, isLost: false, failed: new Set() });
    return element;
  }

  next(key: string, caller: string): PoolElementParameter | undefined {
    const given = this.#given.get(nameOf(key, caller));
    if (given?.last === undefined) return this.primary(key, caller);
    this.#pools.reportUnreachable(key, given.last.identifier);
    return this.#replace(given);
  }

  /** The caller uses no server any more: nothing is indicated to it. */
  release(key: string, caller: string): void {
    const name = nameOf(key, caller);
    if (!this.#given.delete(name)) return;
    const watched = this.#watched.get(key);
    watched?.names.delete(name);
    if (watched?.names.size !== 0) return;
    this.#watched.delete(key);
    watched.end();
  }

  #replace(given: Given): PoolElementParameter | undefined {
    const { key, caller, last, failed } = given;
    if (last !== undefined) failed.add(last.identifier);
    const element = this.#pools.pick(key, failed);
    if (element !== undefined && failed.has(element.identifier)) failed.clear(); // all have failed: once more, from the beginning
    this.#remember({ key, caller, last: element, isLost: false, failed });
    return element;
  }

  #remember(given: Given): void {
    const name = nameOf(given.key, given.caller);
    this.#given.delete(name);
    this.#given.set(name, given);
    if (this.#replaced !== undefined) this.#watch(given.key, name);
    if (this.#given.size <= MAX_CALLERS) return;
    const [oldest] = this.#given.values();
    if (oldest !== undefined) this.release(oldest.key, oldest.caller);
  }

  #watch(key: string, name: string): void {
    const watched = this.#watched.get(key) ?? { names: new Set<string>(), end: this.#pools.watch(key, (removed) => { this.#changed(key, removed); }, () => this.#inUse(key)) };
    watched.names.add(name);
    this.#watched.set(key, watched);
  }

  *#inUse(key: string): Iterable<PoolElementParameter> {
    for (const name of this.#watched.get(key)?.names ?? []) {
      const last = this.#given.get(name)?.last;
      if (last !== undefined) yield last;
    }
  }

  /** Where the pool has nobody else, the indication waits for the next one who comes. */
  #changed(key: string, removed: readonly PoolElementParameter[]): void {
    for (const name of [...this.#watched.get(key)?.names ?? []]) {
      const given = this.#given.get(name);
      if (given?.last === undefined) continue;
      const { last, caller } = given;
      given.isLost ||= removed.some((element) => element.identifier === last.identifier && isSamePlace(element, last));
      if (!given.isLost || !this.#pools.elements(key).some((element) => !isSamePlace(element, last))) continue;
      const to = this.#replace(given);
      if (to !== undefined) this.#replaced?.({ key, caller, from: last, to });
    }
  }
}

interface Given {
  readonly key: string;
  readonly caller: string;
  readonly last: PoolElementParameter | undefined;
  /** It has left its pool, and nobody has come in its place. */
  isLost: boolean;
  readonly failed: Set<number>;
}

const nameOf = (key: string, caller: string): string => `${caller}\0${key}`;

/** Callers remembered; the one that asked longest ago is forgotten. */
const MAX_CALLERS = 10_000;
