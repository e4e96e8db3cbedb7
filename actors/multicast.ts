import { isIP } from 'node:net';
import type { Clock, Milliseconds } from '../environment.js';
import { TransportError, UsageError } from '../errors.js';
import { shuffle } from '../machines/random.js';
import { formatAddress, isWildcard, parseAddress } from '../transports/address.js';
import { isGroup, type DatagramSocket, type Endpoint, type NetworkError } from '../transports/network.js';
import type { ControlTransport } from '../wire/index.js';
import { schemeOfTransport } from './control-transports.js';
import type { ActorEnvironment } from './environment.js';
import { checkOptions, invalid, isString, type Check } from './options.js';

/** What announcements by multicast have in common at both ends (RFC 5352 §3.6; X-39): groups, and tables that a flood of forged ones cannot fill. */

/** RSPLIB's groups, so that both understand each other. IANA's for ASAP would be 224.0.1.185; for ENRP there is none. */
export const ASAP_GROUP = '239.0.0.50:3863';
export const ENRP_GROUP = '239.0.0.51:9901';
/** IANA's ports, for announcements that name no transport. */
export const ASAP_PORT = 3863;
export const ENRP_PORT = 9901;

/** `address:port`, as in a URL: IPv6 in brackets. */
function parseGroup(text: string): Endpoint | undefined {
  try {
    const { host, port } = parseAddress(`udp://${text}`, ['udp']);
    return isGroup(host) && isIP(host) !== 0 && port > 0 ? { host, port } : undefined;
  } catch {
    return undefined;
  }
}

const isGroupText: Check = (value) => (typeof value === 'string' && parseGroup(value) !== undefined ? undefined : 'a multicast group, address:port');
const isTtl: Check = (value) => (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255 ? undefined : 'a whole number from 0 to 255');

/** What one may say of `multicast`. */
export const groupChecks = { group: isGroupText, interface: isString, ttl: isTtl } as const;

/** `true` stands for no options, `false` for none at all. @throws UsageError INVALID_OPTION. */
export function resolveMulticast<Options extends object>(call: string, value: boolean | Options | undefined, checks: Readonly<Record<string, Check>>, environment: ActorEnvironment): Options | undefined {
  if (value === undefined || value === false) return undefined;
  if (value !== true) checkOptions(`${call}: multicast`, value, checks);
  if (environment.datagrams === undefined) throw invalid(`${call}: multicast needs an environment with datagrams`);
  return value === true ? ({} as Options) : value;
}

export interface GroupOptions {
  readonly group: string;
  readonly interface?: string | undefined;
  readonly ttl?: number | undefined;
}

/** A member of a group, which also sends to it. */
export interface GroupMember {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** Rejects with TransportError ADDRESS_IN_USE or LISTEN_FAILED. `receive` is not called for more than some hundreds of datagrams a second. */
export async function joinGroup({ datagrams, clock }: ActorEnvironment, { group, ...options }: GroupOptions, receive: (bytes: Buffer, from: Endpoint) => void): Promise<GroupMember> {
  const at = parseGroup(group);
  if (at === undefined || datagrams === undefined) throw new UsageError('INVALID_OPTION', `${group} is no multicast group`);
  const budget = new Budget(clock, MOST_DATAGRAMS, 1000);
  let socket: DatagramSocket | undefined;
  try {
    socket = await datagrams.bind({ ...at, ...options, shared: true }, (bytes, from) => { if (budget.take()) receive(bytes, from); });
    socket.join(at.host);
  } catch (error) {
    socket?.close();
    const { code, message } = error as NetworkError;
    throw new TransportError(code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED', `cannot join the group ${group}: ${code ?? message}`, { cause: error });
  }
  const member = socket;
  return { send: (bytes) => { member.send(bytes, at); }, close: () => { member.close(); } };
}
/** Read in a second: the others are dropped unread, as a full socket would. */
const MOST_DATAGRAMS = 500;

/** So many in a span of time, and no more. */
export class Budget {
  #since = -Infinity;
  #left = 0;

  constructor(private readonly clock: Pick<Clock, 'now'>, private readonly most: number, private readonly span: Milliseconds) {}

  take(): boolean {
    const now = this.clock.now();
    if (now - this.#since >= this.span) {
      this.#since = now;
      this.#left = this.most;
    }
    this.#left -= 1;
    return this.#left >= 0;
  }
}

/** Who has announced what, and when. When it is full, the oldest entry goes of whoever has most: one forger does not displace the others. */
export class Announced<Value> {
  readonly #entries = new Map<string, Entry<Value>>(); // heard longest ago first

  constructor(private readonly clock: Pick<Clock, 'now'>, private readonly options: { readonly most: number; readonly life: Milliseconds }) {}

  /** @returns whether it was unknown. */
  hear(key: string, source: string, value: Value): boolean {
    this.#age();
    const isNew = !this.#entries.delete(key);
    if (isNew && this.#entries.size >= this.options.most) this.#makeRoom();
    this.#entries.set(key, { source, value, heard: this.clock.now() });
    return isNew;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    this.#age();
    return this.#entries.size;
  }

  has(key: string): boolean {
    this.#age();
    return this.#entries.has(key);
  }

  /** One of each source, then another of each, and so on, in random order. */
  inTurn(most: number, fraction: () => number): readonly Value[] {
    const sources = shuffle([...this.#bySource().values()].map((entries) => shuffle(entries, fraction)), fraction);
    const taken: Value[] = [];
    for (let turn = 0; taken.length < Math.min(most, this.#entries.size); turn += 1) {
      for (const entries of sources) {
        const entry = entries[turn];
        if (entry !== undefined && taken.length < most) taken.push(entry[1].value);
      }
    }
    return taken;
  }

  #age(): void {
    const end = this.clock.now() - this.options.life;
    for (const [key, { heard }] of this.#entries) {
      if (heard > end) return;
      this.#entries.delete(key);
    }
  }

  #makeRoom(): void {
    const [key] = [...this.#bySource().values()].reduce((most, entries) => (entries.length > most.length ? entries : most))[0] ?? [];
    if (key !== undefined) this.#entries.delete(key);
  }

  #bySource(): Map<string, [string, Entry<Value>][]> {
    this.#age();
    const sources = new Map<string, [string, Entry<Value>][]>();
    for (const [key, entry] of this.#entries) {
      const entries = sources.get(entry.source);
      if (entries === undefined) sources.set(entry.source, [[key, entry]]);
      else entries.push([key, entry]);
    }
    return sources;
  }
}

interface Entry<Value> {
  readonly source: string;
  readonly value: Value;
  readonly heard: Milliseconds;
}

/** The addresses of a transport, where somebody serves its scheme. `0.0.0.0` and `::` stand for where the message came from: that is what a registrar says that listens everywhere. */
export function addressesOf(environment: ActorEnvironment, transport: ControlTransport, source: Endpoint): readonly string[] {
  const scheme = schemeOfTransport(transport);
  const { addresses, port } = transport;
  if (port === 0 || scheme === undefined || !serves(environment, scheme)) return [];
  return addresses.map((address) => (isWildcard(address) ? source.host : address)).filter((host) => !isGroup(host)).map((host) => formatAddress(scheme, host, port));
}

function serves(environment: ActorEnvironment, scheme: string): boolean {
  try {
    return environment.transports(scheme).schemes.includes(scheme);
  } catch {
    return false;
  }
}
