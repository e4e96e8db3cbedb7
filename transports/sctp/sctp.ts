import { isIP, isIPv6 } from 'node:net';
import { silentLogger, type Clock, type Logger, type Random } from '../../environment.js';
import { FeatureUnavailableError, TransportError, type TransportErrorCode, UsageError } from '../../errors.js';
import { formatAddress, isLoopback, isWildcard, parseAddress, type ParsedAddress } from '../address.js';
import type { DatagramNetwork, NetworkError } from '../network.js';
import type { ConnectOptions, Link, LinkHandler, Listener, ListenOptions, Transport, TransportAddress } from '../transport.js';
import type { Association } from './association.js';
import { SctpLink } from './link.js';
import { loadPackage } from './package.js';
import { SCTP_DEFAULTS, type SctpOptions, type SctpSettings } from './settings.js';
import { Stack, type StackWorld } from './stack.js';

export interface SctpTransportOptions extends SctpOptions {
  /** UDP for `sctp+udp`; raw IP (raw.ts) for `sctp`. */
  readonly datagrams: DatagramNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  /** Default `sctp+udp`. */
  readonly scheme?: 'sctp+udp' | 'sctp';
  /** Looks, before anything else is done, whether there is what it takes. */
  readonly prepare?: () => void;
  /** IP addresses of a host name. */
  readonly lookUp: (host: string) => Promise<readonly string[]>;
  /** By which address of ours a peer is reached: sockets that connect are bound to it, so that a listener at that address finds them. Default: bound to all addresses. */
  readonly route?: (peer: string) => Promise<string>;
  /** Our addresses: where there are several besides loopback, or sockets are bound to some of them, listening on `0.0.0.0` or `::` means a socket for each. */
  readonly addresses?: () => readonly string[];
}

export interface SctpTransport extends Transport {
  connect(address: TransportAddress, handler: LinkHandler, options: ConnectOptions): SctpLink;
  listen(address: TransportAddress, accept: (link: SctpLink) => LinkHandler, options: ListenOptions): Promise<Listener>;
  /** The same sockets; what there is to say of links that are made by it goes to that logger, and what there is of the sockets to that of the last link or listener. */
  loggingTo(logger: Logger): SctpTransport;
}

/** SCTP in user space, by default over UDP (RFC 6951). The port of its addresses is the SCTP port.
 *  @throws FeatureUnavailableError at the first use, where npm `sctp` is not there as it should be. */
export function createSctpTransport(options: SctpTransportOptions): SctpTransport {
  return new SctpNetwork(options);
}

class SctpNetwork implements SctpTransport {
  readonly schemes: readonly string[];
  readonly #options: SctpTransportOptions;
  readonly #settings: SctpSettings;
  /** Of whoever asked last. */
  #logger: Logger;
  readonly #own: Logger;
  readonly #scheme: string;
  /** By the address and UDP port they were bound to; one socket serves all SCTP ports and peers of an address. */
  readonly #stacks = new Map<string, Promise<Stack>>();
  #world: StackWorld | undefined;

  constructor(options: SctpTransportOptions) {
    this.#options = options;
    this.#settings = { ...SCTP_DEFAULTS, ...Object.fromEntries(Object.entries(options).filter(([key, value]) => key in SCTP_DEFAULTS && value !== undefined)) };
    this.#logger = this.#own = options.logger ?? silentLogger;
    this.#scheme = options.scheme ?? 'sctp+udp';
    if (this.#scheme === 'sctp') this.#settings = { ...this.#settings, udpPort: 0, peerUdpPort: 0 }; // there is no UDP
    this.schemes = [this.#scheme];
    for (const name of ['mtu', 'loopbackMtu'] as const) {
      const mtu = this.#settings[name];
      if (!(mtu >= 576 && mtu <= 0xffff)) throw new UsageError('INVALID_OPTION', `${name} ${mtu}: 576 to 65535 bytes`);
    }
  }

  connect(address: TransportAddress, handler: LinkHandler, options: ConnectOptions): SctpLink { return this.#connect(this.#own, address, handler, options); }

  listen(address: TransportAddress, accept: (link: SctpLink) => LinkHandler, options: ListenOptions): Promise<Listener> { return this.#listen(this.#own, address, accept, options); }

  loggingTo(logger: Logger): SctpTransport {
    return { schemes: this.schemes, connect: (...given) => this.#connect(logger, ...given), listen: (...given) => this.#listen(logger, ...given), loggingTo: (other) => this.loggingTo(other) };
  }

  #connect(logger: Logger, address: TransportAddress, handler: LinkHandler, options: ConnectOptions): SctpLink {
    const to = parseAddress(address, this.schemes);
    const world = this.#begin();
    this.#heardBy(logger);
    const link = SctpLink.connecting({ ...world, settings: this.#settings, logger }, formatAddress(this.#scheme, to.host, to.port), handler, options, options.connectTimeout ?? CONNECT_TIMEOUT);
    void this.#attach(link, to, options.localPort ?? 0).catch((error: NetworkError) => {
      link.failed(error instanceof TransportError ? error : new TransportError(codeOf(error, 'CONNECT_FAILED'), `cannot connect to ${address}: ${error.code ?? error.message}`, { cause: error }));
    });
    return link;
  }

  async #listen(logger: Logger, address: TransportAddress, accept: (link: SctpLink) => LinkHandler, options: ListenOptions): Promise<Listener> {
    const at = parseAddress(address, this.schemes);
    this.#begin();
    this.#heardBy(logger);
    const stacks = await this.#stacksAt(at, address);
    const door = new Door(options.maxLinks ?? DEFAULT_MAX_LINKS, address, logger);
    const port = this.#open(stacks, at.port, address, (stack, association) => (door.admits(() => stack.nameOf(association)) ? this.#accepted(stack, association, accept as (link: Link) => LinkHandler, options, door) : undefined));
    let isClosed = false;
    return {
      address: formatAddress(this.#scheme, at.host, port),
      close: async () => {
        if (isClosed) return;
        isClosed = true;
        for (const stack of stacks) stack.unlisten(port);
        await Promise.resolve();
      },
    };
  }

  #heardBy(logger: Logger): void { if (logger !== silentLogger) this.#logger = logger; }

  #begin(): StackWorld {
    const { clock, random, prepare } = this.#options;
    if (this.#world === undefined) prepare?.();
    return (this.#world ??= { clock, random, logger: () => this.#logger, scheme: this.#scheme, settings: this.#settings, chunks: loadPackage() });
  }

  #accepted(stack: Stack, association: Association, accept: (link: Link) => LinkHandler, options: ListenOptions, door: Door): SctpLink {
    const { host } = stack.local;
    const { localPort, peer } = association;
    const ends = { local: formatAddress(this.#scheme, host, localPort), peer: stack.nameOf(association) };
    const link = SctpLink.accepted({ ...this.#begin(), settings: this.#settings, logger: door.logger }, association, ends, accept, options, () => { door.left(); });
    if (isWildcard(host)) void this.#localFor(stack, peer.host).then((local) => { link.nameLocal(formatAddress(this.#scheme, local, localPort)); });
    return link;
  }

  /** The same SCTP port at all of them. */
  #open(stacks: readonly Stack[], port: number, address: string, admit: (stack: Stack, association: Association) => SctpLink | undefined): number {
    let chosen = port;
    const open: Stack[] = [];
    try {
      for (const stack of stacks) {
        chosen = stack.listen(chosen, (association) => admit(stack, association));
        open.push(stack);
      }
      return chosen;
    } catch (error) {
      for (const stack of open) stack.unlisten(chosen);
      throw listenError(error as NetworkError, address);
    }
  }

  async #attach(link: SctpLink, to: ParsedAddress, localPort: number): Promise<void> {
    const host = isIP(to.host) === 0 ? (await this.#options.lookUp(to.host))[0] : to.host;
    if (host === undefined) throw Object.assign(new Error(`${to.host} has no address`), { code: 'ENOTFOUND' });
    const stack = await this.#stackTowards(host, localPort);
    const local = await this.#localFor(stack, host);
    if (link.isDown) return stack.restIfUnused();
    if (stack.isClosed) return this.#attach(link, to, localPort); // its last association has gone meanwhile
    const association = stack.connect(localPort, to.port, { host, port: this.#settings.peerUdpPort }, link);
    link.attach(association, formatAddress(this.#scheme, local, association.localPort));
    association.connect();
  }

  async #localFor(stack: Stack, peer: string): Promise<string> {
    const { host } = stack.local;
    return isWildcard(host) ? (await this.#route(peer).catch(() => undefined)) ?? host : host;
  }

  #route(peer: string): Promise<string | undefined> { return this.#options.route?.(peer) ?? Promise.resolve(undefined); }

  /** The socket of the port that listens; else the one at the address from which that peer is reached, or that can send there; else one of its own, whose UDP port is free. */
  async #stackTowards(host: string, localPort: number): Promise<Stack> {
    const [local, stacks] = await Promise.all([this.#route(host), this.#bound()]);
    const fitting = stacks.filter((stack) => reaches(stack.local.host, host));
    const listening = localPort === 0 ? undefined : fitting.find((stack) => stack.isListening(localPort));
    const known = listening ?? fitting.find((stack) => stack.local.host === local) ?? fitting.find((stack) => local === undefined || isWildcard(stack.local.host) || isLoopback(stack.local.host));
    if (known !== undefined) return known;
    const at = local ?? (isIPv6(host) ? '::' : '0.0.0.0');
    return this.#bind(at, this.#settings.udpPort).catch((error: NetworkError) => {
      if (error.code !== 'EADDRINUSE') throw error;
      return this.#bind(at, 0);
    });
  }

  async #bound(): Promise<readonly Stack[]> {
    const stacks = await Promise.all([...this.#stacks.values()].map((stack) => stack.catch(() => undefined)));
    return stacks.filter((stack): stack is Stack => stack?.isClosed === false);
  }

  /** Where one listens: the sockets that are bound to the address, and to the UDP port where peers look. */
  async #stacksAt(at: ParsedAddress, address: string): Promise<readonly Stack[]> {
    try {
      const [host] = isIP(at.host) === 0 ? await this.#options.lookUp(at.host) : [at.host];
      if (host === undefined) throw Object.assign(new Error(`${at.host} has no address`), { code: 'ENOTFOUND' });
      const { udpPort } = this.#settings;
      const own = (await this.#bound()).filter(({ local }) => isIPv6(local.host) === isIPv6(host) && (udpPort === 0 || local.port === udpPort));
      const found = own.find(({ local }) => local.host === host);
      if (found !== undefined) return [found];
      const addresses = (this.#options.addresses?.() ?? []).filter((each) => isIPv6(each) === isIPv6(host));
      const isSeveral = addresses.filter((each) => !isLoopback(each)).length > 1;
      if (!isWildcard(host) || addresses.length === 0 || (own.length === 0 && !isSeveral)) return [await this.#bind(host, udpPort)];
      const others = addresses.filter((each) => own.every(({ local }) => local.host !== each));
      return [...own, ...await this.#bindAll(others, udpPort)];
    } catch (error) {
      throw listenError(error as NetworkError, address);
    }
  }

  /** One socket for all of several addresses would answer from the one by which the peer is reached, which need not be the one that it asked. */
  async #bindAll(hosts: readonly string[], port: number): Promise<readonly Stack[]> {
    const bound = await Promise.allSettled(hosts.map((host) => this.#bind(host, port)));
    const stacks = bound.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = bound.find((each) => each.status === 'rejected');
    if (failed === undefined) return stacks;
    for (const stack of stacks) stack.restIfUnused();
    throw failed.reason;
  }

  #bind(host: string, port: number): Promise<Stack> {
    const key = `${host} ${port}`;
    const bound = this.#stacks.get(key);
    if (bound !== undefined) return bound;
    const stack = this.#build(host, port, () => { this.#stacks.delete(key); });
    this.#stacks.set(key, stack);
    stack.catch(() => { this.#stacks.delete(key); });
    return stack;
  }

  async #build(host: string, port: number, gone: () => void): Promise<Stack> {
    const bound: { stack?: Stack } = {};
    const socket = await this.#options.datagrams.bind({ host, port }, (bytes, from) => bound.stack?.receive(bytes, from));
    const overhead = (isIPv6(host) ? 40 : 20) + (this.#scheme === 'sctp' ? 0 : 8);
    const stack = new Stack(this.#begin(), socket, overhead, () => {
      gone();
      stack.close();
    });
    bound.stack = stack;
    return stack;
  }
}

/** Lets so many links in at once. */
class Door {
  #links = 0;
  #refused = 0;

  constructor(private readonly most: number, private readonly address: TransportAddress, readonly logger: Logger) {}

  admits(peer: () => string): boolean {
    if (this.#links < this.most) {
      this.#links += 1;
      return true;
    }
    this.#refused += 1;
    if (this.#refused === 1) this.logger.warn({ code: 'TOO_MANY_LINKS', at: this.address, peer: peer(), links: this.#links }, 'too many links: refused');
    return false;
  }

  left(): void {
    this.#links -= 1;
    if (this.#refused > 0) this.logger.warn({ code: 'TOO_MANY_LINKS', at: this.address, refused: this.#refused }, 'links are accepted again');
    this.#refused = 0;
  }
}

const CONNECT_TIMEOUT = 1000;
const DEFAULT_MAX_LINKS = 10_000;

/** Whether a socket bound to `local` can send to `host`. */
const reaches = (local: string, host: string): boolean =>
  isIPv6(local) === isIPv6(host) && (isWildcard(local) || isLoopback(local) === isLoopback(host));

const codeOf = (error: NetworkError, otherwise: TransportErrorCode): TransportErrorCode =>
  error.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN' ? 'LOOKUP_FAILED' : otherwise;

function listenError(error: NetworkError, address: string): Error {
  if (error instanceof FeatureUnavailableError) return error;
  const code: TransportErrorCode = error instanceof TransportError ? error.code : codeOf(error, 'LISTEN_FAILED');
  return new TransportError(code, `cannot listen on ${address}: ${code === 'ADDRESS_IN_USE' ? 'the port is in use' : (error.code ?? error.message)}`, { cause: error });
}
