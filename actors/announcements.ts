import { isIP } from 'node:net';
import type { Milliseconds } from '../environment.js';
import type { Timers } from '../machines/timers.js';
import { formatAddress, isLoopback, parseAddress, schemeOf } from '../transports/address.js';
import type { Endpoint } from '../transports/network.js';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, type ControlTransport, type EnrpMessage } from '../wire/index.js';
import { controlTransport } from './control-transports.js';
import type { ActorEnvironment } from './environment.js';
import { addressesOf, Announced, ASAP_GROUP, ENRP_GROUP, ENRP_PORT, groupChecks, joinGroup, resolveMulticast, type GroupMember } from './multicast.js';

export interface RegistrarMulticastOptions {
  /** Where pool elements and pool users hear of this registrar, `address:port`. Default `'239.0.0.50:3863'`, as RSPLIB's. */
  readonly asapGroup?: string;
  /** Where registrars hear of each other. Default `'239.0.0.51:9901'`, as RSPLIB's. */
  readonly enrpGroup?: string;
  /** The address of the interface, of IPv6 `::%name`. Default the system's choice. */
  readonly interface?: string;
  /** Networks that announcements may cross. Default 1: this one. */
  readonly ttl?: number;
}

/** The option `multicast` of `createRegistrar`; undefined where there is none. @throws UsageError INVALID_OPTION. */
export const resolveRegistrarMulticast = (environment: ActorEnvironment, value: boolean | RegistrarMulticastOptions | undefined): RegistrarMulticastOptions | undefined =>
  resolveMulticast('createRegistrar', value, { asapGroup: groupChecks.group, enrpGroup: groupChecks.group, interface: groupChecks.interface, ttl: groupChecks.ttl }, environment);

/** What is announced, asked for each time; and who is told of others. */
export interface AnnouncedRegistrar {
  readonly identifier: number;
  /** Addresses it serves at; none as long as it does not. */
  readonly asap: () => readonly string[];
  /** One for each transport that other registrars reach it by; one without server information where there is none. */
  readonly presences: () => readonly EnrpMessage[];
  readonly timers: Pick<Timers, 't6ServerAnnounce' | 't7EnrpOutdate' | 'peerHeartbeatCycle'>;
  /** Somebody says that this registrar is at this address. Nobody vouches for it: worth an association, over which it can introduce itself, and nothing else. */
  readonly hint: (serverIdentifier: number, address: string) => void;
}

/** A registrar announces itself by UDP multicast and hears of others. RFC 5352 §3.6; presence by multicast is RFC 5351's and RSPLIB's, 5353 has dropped it (X-39). */
export class Announcements {
  readonly #environment: ActorEnvironment;
  readonly #options: RegistrarMulticastOptions;
  readonly #registrar: AnnouncedRegistrar;
  readonly #timers = new Map<string, unknown>();
  /** Identifiers of the other registrars that announce themselves to PEs and PUs. */
  readonly #others: Announced<undefined>;
  readonly #hints: Announced<Hint>;
  /** Were passed on a while ago. */
  readonly #passed: Announced<undefined>;
  readonly #complaints = new Set<string>();
  #groups: { readonly asap: GroupMember; readonly enrp: GroupMember } | undefined;
  #isClosed = false;

  constructor(environment: ActorEnvironment, options: true | RegistrarMulticastOptions, registrar: AnnouncedRegistrar) {
    this.#environment = environment;
    this.#options = options === true ? {} : options;
    this.#registrar = registrar;
    const life = registrar.timers.t7EnrpOutdate;
    this.#others = new Announced(environment.clock, { most: MOST_OTHERS, life });
    this.#hints = new Announced(environment.clock, { most: MOST_HINTS, life });
    this.#passed = new Announced(environment.clock, { most: 4 * MOST_HINTS, life });
  }

  /** Joins both groups and begins. Rejects with TransportError ADDRESS_IN_USE or LISTEN_FAILED. */
  async start(): Promise<void> {
    const { asapGroup = ASAP_GROUP, enrpGroup = ENRP_GROUP, ...options } = this.#options;
    const asap = await joinGroup(this.#environment, { group: asapGroup, ...options }, (bytes) => { this.#otherAnnounced(bytes); });
    try {
      const enrp = await joinGroup(this.#environment, { group: enrpGroup, ...options }, (bytes, from) => { this.#presence(bytes, from); });
      this.#groups = { asap, enrp };
    } catch (error) {
      asap.close();
      throw error;
    }
    if (this.#isClosed) return this.#leave();
    const { fraction } = this.#environment.random;
    const { t6ServerAnnounce, peerHeartbeatCycle } = this.#registrar.timers;
    this.#after('T6-Serverannounce', t6ServerAnnounce * fraction.call(this.#environment.random), () => { this.#announce(); });
    this.#after('PEER-HEARTBEAT-CYCLE', peerHeartbeatCycle * fraction.call(this.#environment.random), () => { this.#beat(); });
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) this.#environment.clock.clearTimeout(timer);
    this.#timers.clear();
    this.#leave();
  }

  #leave(): void {
    this.#groups?.asap.close();
    this.#groups?.enrp.close();
    this.#groups = undefined;
  }

  // ---- what goes out

  /** Every (N + 1) * T6, N others heard: one announcement per T6 of all together. Not less often than the others' patience has room for: with many registrars, or many
   *  forged ones, the RFC's rule alone would let every address age (T7) before it is announced again. */
  #announce(): void {
    const { t6ServerAnnounce, t7EnrpOutdate } = this.#registrar.timers;
    this.#sendAnnouncement().catch((error: unknown) => { this.#complain('announcement', error); });
    this.#after('T6-Serverannounce', this.#jittered(Math.min((this.#others.size + 1) * t6ServerAnnounce, Math.max(t6ServerAnnounce, t7EnrpOutdate / 2))), () => { this.#announce(); });
  }

  async #sendAnnouncement(): Promise<void> {
    const transports = (await Promise.all(this.#registrar.asap().slice(0, MOST_TRANSPORTS).map((address) => this.#transportsOf(address)))).flat();
    if (transports.length === 0) return; // does not serve yet, or by nothing that the message has room for
    if (transports.every(({ addresses }) => addresses.every(isLoopback)) && !isLoopback(this.#options.interface ?? '')) {
      this.#complain('loopback', undefined, 'only loopback addresses are announced: other hosts cannot use them');
    }
    this.#groups?.asap.send(encodeAsap({ type: 'ASAP_SERVER_ANNOUNCE', serverIdentifier: this.#registrar.identifier, transports: transports.slice(0, MOST_TRANSPORTS) }));
  }

  async #transportsOf(address: string): Promise<readonly ControlTransport[]> {
    const { scheme, host, port } = parseAddress(address, [schemeOf(address)]);
    const hosts = isIP(host) === 0 ? await this.#environment.lookUp(host) : [host];
    return hosts.map((each) => controlTransport(scheme, port, [each]));
  }

  #beat(): void {
    try {
      for (const presence of this.#registrar.presences()) this.#groups?.enrp.send(encodeEnrp(presence));
    } catch (error) {
      this.#complain('presence', error);
    }
    this.#after('PEER-HEARTBEAT-CYCLE', this.#jittered(this.#registrar.timers.peerHeartbeatCycle), () => { this.#beat(); });
  }

  // ---- what comes in: from anybody, believed by nobody

  #otherAnnounced(bytes: Buffer): void {
    const message = readable(() => decodeAsap(bytes).message);
    if (message?.type !== 'ASAP_SERVER_ANNOUNCE' || message.serverIdentifier === this.#registrar.identifier) return;
    this.#others.hear(String(message.serverIdentifier), '', undefined);
  }

  #presence(bytes: Buffer, from: Endpoint): void {
    const message = readable(() => decodeEnrp(bytes).message);
    if (message?.type !== 'ENRP_PRESENCE') return;
    const { sendingServer: identifier, serverInformation } = message;
    if (identifier === 0 || identifier === this.#registrar.identifier) return; // nobody, or our own: groups loop back
    if (serverInformation !== undefined && serverInformation.serverId !== identifier) return;
    const addresses = serverInformation === undefined ? [formatAddress('tcp', from.host, ENRP_PORT)] : addressesOf(this.#environment, serverInformation.transport, from);
    if (addresses.length === 0) this.#complain('transport', undefined, 'a registrar announces itself at a transport that is not served here');
    for (const address of addresses.slice(0, MOST_TRANSPORTS)) this.#heard({ identifier, address }, from.host);
  }

  #heard(hint: Hint, source: string): void {
    const key = keyOf(hint);
    if (this.#passed.has(key)) return;
    this.#hints.hear(key, source, hint);
    if (!this.#timers.has('hints')) this.#after('hints', this.#jittered(HINT_INTERVAL), () => { this.#pass(); });
  }

  /** One at a time, those who say little as soon as those who say much. */
  #pass(): void {
    const [hint] = this.#hints.inTurn(1, () => this.#environment.random.fraction());
    if (hint === undefined) return;
    this.#hints.forget(keyOf(hint));
    this.#passed.hear(keyOf(hint), '', undefined);
    if (this.#hints.size > 0) this.#after('hints', this.#jittered(HINT_INTERVAL), () => { this.#pass(); });
    this.#environment.logger.debug({ registrar: hint.identifier, address: hint.address }, 'a registrar is said to be there');
    this.#registrar.hint(hint.identifier, hint.address);
  }

  // ---- time

  #after(name: string, delay: Milliseconds, expire: () => void): void {
    if (this.#isClosed) return;
    this.#timers.set(name, this.#environment.clock.setTimeout(() => {
      this.#timers.delete(name);
      expire();
    }, delay));
  }

  /** Between three quarters and the whole: registrars that were started together do not stay in step. */
  #jittered(delay: Milliseconds): Milliseconds {
    return delay * (0.75 + this.#environment.random.fraction() / 4);
  }

  /** Of each kind the first only: all this is periodic. */
  #complain(kind: string, error: unknown, message = 'an announcement could not be made'): void {
    if (this.#complaints.has(kind)) return;
    this.#complaints.add(kind);
    this.#environment.logger.warn(error === undefined ? {} : { err: error }, message);
  }
}

interface Hint { readonly identifier: number; readonly address: string }

const keyOf = ({ identifier, address }: Hint): string => `${identifier} ${address}`;

/** What cannot be read is nothing; nobody is told: the answer would go to whoever was named as its source. */
function readable<Message>(decode: () => Message): Message | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

const MOST_OTHERS = 256;
/** That wait to be passed on. */
const MOST_HINTS = 64;
const HINT_INTERVAL: Milliseconds = 250;
/** In one announcement. */
const MOST_TRANSPORTS = 16;
