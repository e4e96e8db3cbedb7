import type { Timers } from '../machines/timers.js';
import type { Endpoint } from '../transports/network.js';
import { decodeAsap, type AsapMessage } from '../wire/index.js';
import { controlTransport } from './control-transports.js';
import type { ActorEnvironment } from './environment.js';
import { addressesOf, Announced, ASAP_GROUP, ASAP_PORT, Budget, groupChecks, joinGroup, resolveMulticast, type GroupMember } from './multicast.js';

export interface MulticastOptions {
  /** Where registrars announce themselves, `address:port`. Default `'239.0.0.50:3863'`, as RSPLIB's. */
  readonly group?: string;
  /** The address of the interface, of IPv6 `::%name`. Default the system's choice. */
  readonly interface?: string;
}

/** The option `multicast` of `initialize`; undefined where there is none. @throws UsageError INVALID_OPTION. */
export const resolveHuntMulticast = (environment: ActorEnvironment, value: boolean | MulticastOptions | undefined): MulticastOptions | undefined =>
  resolveMulticast('initialize', value, { group: groupChecks.group, interface: groupChecks.interface }, environment);

/** Listens for ASAP_SERVER_ANNOUNCE (RFC 5352 §3.6). Addresses age after T7-ENRPoutdate. Anybody can send one: they are where a hunt may look, and nothing else. In particular
 *  their hosts are not known ones by the rule of X-48: a forger would make himself home by announcing his own. */
export class AnnouncedRegistrars {
  readonly #environment: ActorEnvironment;
  readonly #options: MulticastOptions;
  readonly #timers: Pick<Timers, 't7EnrpOutdate' | 'retranMax'>;
  readonly #news: (address: string) => void;
  readonly #addresses: Announced<string>;
  readonly #newsBudget: Budget;
  #member: GroupMember | undefined;
  #retry: unknown;
  #failures = 0;
  #isClosed = false;

  constructor(environment: ActorEnvironment, options: MulticastOptions, timers: Pick<Timers, 't7EnrpOutdate' | 'retranMax'>, news: (address: string) => void) {
    this.#environment = environment;
    this.#options = options;
    this.#timers = timers;
    this.#news = news;
    this.#addresses = new Announced(environment.clock, { most: MOST_ADDRESSES, life: timers.t7EnrpOutdate });
    this.#newsBudget = new Budget(environment.clock, 1, NEWS_INTERVAL);
  }

  /** Joins the group; where that fails, again and again: an interface may come up later, and configured registrars are there meanwhile. */
  start(): void {
    const { group = ASAP_GROUP, ...options } = this.#options;
    joinGroup(this.#environment, { group, ...options }, (bytes, from) => { this.#receive(bytes, from); }).then((member) => {
      if (this.#isClosed) member.close();
      else this.#member = member;
    }, (error: unknown) => {
      if (this.#isClosed) return;
      this.#failures += 1;
      if (this.#failures === 1) this.#environment.logger.warn({ err: error }, 'announcements of registrars cannot be heard; it is tried again');
      this.#retry = this.#environment.clock.setTimeout(() => { this.start(); }, this.#timers.retranMax);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#environment.clock.clearTimeout(this.#retry);
    this.#member?.close();
  }

  /** Some of those that have not aged, for one round of a hunt. */
  candidates(): readonly string[] {
    return [...new Set(this.#addresses.inTurn(2 * MOST_CANDIDATES, () => this.#environment.random.fraction()))].slice(0, MOST_CANDIDATES);
  }

  #receive(bytes: Buffer, from: Endpoint): void {
    let message: AsapMessage;
    try {
      ({ message } = decodeAsap(bytes));
    } catch {
      return; // no answer: it would go to whoever was named as the source
    }
    if (message.type !== 'ASAP_SERVER_ANNOUNCE') return;
    const { transports } = message;
    // None named: the sender's host at ASAP's port. The RFC says SCTP, and RSPLIB says no more; who speaks TCP may say so just as briefly.
    const named = transports.length > 0 ? transports : (['tcp', 'sctp'] as const).map((scheme) => controlTransport(scheme, ASAP_PORT, [from.host]));
    const addresses = named.slice(0, MOST_CANDIDATES).flatMap((transport) => addressesOf(this.#environment, transport, from));
    for (const address of addresses.slice(0, MOST_CANDIDATES)) {
      this.#addresses.hear(`${from.host} ${address}`, from.host, address);
      if (this.#newsBudget.take()) this.#news(address);
    }
  }
}

const MOST_ADDRESSES = 64;
/** Of one announcement, and in one round of a hunt. */
const MOST_CANDIDATES = 8;
/** The hunt hears of an announcement so often at most. */
const NEWS_INTERVAL = 100;
