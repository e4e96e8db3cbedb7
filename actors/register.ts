import type { Milliseconds } from '../environment.js';
import { UsageError } from '../errors.js';
import type { Timers } from '../machines/timers.js';
import { formatAddress, parseAddress } from '../transports/address.js';
import { poolHandleFromKey, poolHandleText, type AsapMessageOf, type Policy, type TransportParameter } from '../wire/index.js';
import type { DataPlane } from './data-plane.js';
import { PoolElement, type ElementService, type WaitOptions } from './element.js';
import type { ActorEnvironment } from './environment.js';
import type { Home } from './home.js';
import { anything, checkAddress, checkOptions, invalid, isDelay, isOneOf, isSignal, isString, isStringList, isU32, notYet } from './options.js';
import { checkPolicy, roundRobin, type PolicyOption } from './policies.js';
import { checkServiceOptions, serviceChecks, type ServiceOptions } from './service.js';
import type { ServiceSession } from './service-session.js';
import { bounded } from './waiting.js';

export interface RegisterOptions extends ServiceOptions, WaitOptions {
  /** Where the data channels come in; one address for now. Port 0 takes a free one. Default `['tcp://0.0.0.0:0']`. */
  readonly listen?: readonly string[];
  /** What others connect to, where that is not the address listened on (containers, NAT); port 0 stands for the port listened on. Default: the host listened on or, for
   *  `0.0.0.0` and `::`, this end of the connection to the registrar. */
  readonly advertise?: string;
  /** Pool member selection policy; all elements of a pool have the same, each with its own values. Default `roundRobin()`. */
  readonly policy?: PolicyOption;
  /** PE identifier, 1 to 0xffffffff. Default a random one. */
  readonly identifier?: number;
  /** Registration Life in milliseconds, `Infinity` for ever: so long after its last registration an element that vanished is in the pool at most. Default 30 s. */
  readonly life?: Milliseconds;
  /** `'tcp'`: sessions, by our TCP mapping. `'none'`: Basic Mode, the pool only names `address`. Default `'tcp'`. */
  readonly mapping?: 'tcp' | 'none';
  /** Basic Mode: what the pool names, `tcp://host:port`; `udp://` and `sctp://` too. */
  readonly address?: string;
}

export type SessionHandler = (session: ServiceSession) => void | PromiseLike<void>;

/** Where a PE's own ASAP listener is. */
export interface AsapOptions {
  /** Default: a free TCP port at the host of the first element's `listen`. */
  readonly listen?: string;
  /** As for `register`. */
  readonly advertise?: string;
}

/** What `register` needs of its access point. */
export interface RegisterSetup {
  readonly environment: ActorEnvironment;
  readonly timers: Timers;
  readonly home: Home;
  readonly plane: DataPlane;
  readonly asap: AsapOptions;
  readonly timeout: Milliseconds;
  /** It exists: from now on it has to be taken out of its pool when the access point closes. */
  readonly begun: (element: PoolElement) => void;
  readonly registered: (element: PoolElement) => void;
  readonly left: (element: PoolElement) => void;
}

/** @throws UsageError. */
export function checkRegister(environment: ActorEnvironment, timers: Timers, options: RegisterOptions, onSession: unknown): void {
  checkOptions('register', options, {
    listen: isStringList, advertise: isString, policy: anything, identifier: isU32, life: anything, mapping: isOneOf('tcp', 'none'), address: isString, signal: isSignal, timeout: isDelay,
    ...serviceChecks,
  });
  const { listen, advertise, policy, identifier, life, mapping = 'tcp', address } = options;
  if (policy !== undefined) checkPolicy('register', policy);
  if (identifier === 0) throw invalid('register: identifier 0 is nobody');
  if (life !== undefined && !(typeof life === 'number' && life > timers.t2Registration && life >= 1000)) throw invalid(`register: life is a number of milliseconds, 1000 at least and more than t2Registration (${timers.t2Registration})`);
  if (mapping === 'none') return checkBasic(options, onSession);
  if (address !== undefined) throw invalid("register: address is for mapping 'none'; listen says where sessions come in");
  if (onSession === undefined) throw invalid("register needs onSession, or mapping 'none'");
  if (typeof onSession !== 'function') throw invalid('register: onSession is a function');
  checkServiceOptions(options);
  if ((listen?.length ?? 1) > 1) throw notYet('more than one listen address');
  for (const each of listen ?? []) checkAddress(environment, each);
  if (advertise !== undefined) checkAddress(environment, advertise);
}

function checkBasic(options: RegisterOptions, onSession: unknown): void {
  if (onSession !== undefined) throw invalid("register: with mapping 'none' there are no sessions");
  if (options.address === undefined) throw invalid("register: mapping 'none' needs address");
  if (parseAddress(options.address, BASIC_SCHEMES).port === 0) throw new UsageError('INVALID_URL', 'register: address needs its port');
  for (const name of ['listen', 'advertise', 'snapshot', 'maxSessions', 'concurrency', 'outputCommit', 'rendezvous', 'liveness', 'cookieKeys', 'cookieLifetime', 'foreignCookies'] as const) {
    if (options[name] !== undefined) throw invalid(`register: ${name} has no meaning with mapping 'none'`);
  }
}
const BASIC_SCHEMES = ['tcp', 'udp', 'sctp'];

/** Opens what has to be open, registers, and resolves when a registrar has accepted. Where that fails nothing is left. */
export async function register(setup: RegisterSetup, key: string, handle: string | Uint8Array, identifier: number, options: RegisterOptions, onSession: SessionHandler | undefined): Promise<PoolElement> {
  let element: PoolElement | undefined;
  const opening = placeOf(setup, key, options, onSession, () => element?.parameter);
  const place = await bounded(opening, { signal: options.signal }).catch((error: unknown) => {
    opening.then(({ service }) => service?.close(), () => undefined); // what comes too late is closed again
    throw error;
  });
  try {
    const asap = await bounded(asapPlace(setup, options), { signal: options.signal });
    const { home } = setup;
    if (place.isWild || asap.isWild) await home.found(options, setup.timeout);
    const life = options.life ?? setup.timers.registrationLife;
    const fixed = { identifier, homeRegistrar: 0, registrationLife: life === Infinity ? -1 : Math.round(life / 1000), ...(place.service && { capabilities: SPEAKS_TCP_MAPPING }) };
    const registration = (policy: Policy): AsapMessageOf<'ASAP_REGISTRATION'> => ({
      type: 'ASAP_REGISTRATION',
      poolHandle: poolHandleFromKey(key),
      poolElement: { ...fixed, policy, userTransport: place.transport(home.localHost), asapTransport: { transport: 'tcp', port: asap.port, addresses: [asap.host(home.localHost)] } },
    });
    element = new PoolElement({
      ...setup, key, handle, identifier, registration, service: place.service, policy: options.policy ?? roundRobin(),
      address: () => addressText(place.transport(home.localHost)), left: () => { if (element !== undefined) setup.left(element); },
      registered: () => { if (element !== undefined) setup.registered(element); },
    });
    setup.begun(element);
    await element.joined(options);
    return element;
  } catch (error) {
    await (element?.withdraw() ?? place.service?.close());
    throw error;
  }
}

/** Ours, of parameter 0x8f02: which versions of the TCP mapping the element speaks. Without it an element is reached in Basic Mode. */
export const SPEAKS_TCP_MAPPING = Uint8Array.of(1);

export const addressText = (transport: TransportParameter): string =>
  transport.transport === 'opaque' ? `opaque:${Buffer.from(transport.data).toString('hex')}` : formatAddress(transport.transport, transport.addresses[0] ?? '', transport.port);

interface Place {
  readonly service: ElementService | undefined;
  /** Listens everywhere: which address others see depends on the way they come. */
  readonly isWild: boolean;
  readonly transport: (localHost: string | undefined) => TransportParameter;
}

async function placeOf(setup: RegisterSetup, key: string, options: RegisterOptions, onSession: SessionHandler | undefined, element: () => PoolElement['parameter'] | undefined): Promise<Place> {
  const { environment, plane } = setup;
  if (options.mapping === 'none' || onSession === undefined) return basicPlace(environment, options.address ?? '');
  const { snapshot, maxSessions, concurrency, outputCommit, rendezvous, liveness, cookieKeys, cookieLifetime, foreignCookies, listen = ['tcp://0.0.0.0:0'] } = options;
  const given = { snapshot, maxSessions, concurrency, outputCommit, rendezvous, liveness, cookieKeys, cookieLifetime, foreignCookies };
  const service = await plane.listen(listen[0] as string, {
    handle: poolHandleText(key), handleBytes: poolHandleFromKey(key), onSession, element,
    options: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ServiceOptions,
  });
  const { isWild, host, port } = await seenAt(environment, service.address, options.advertise);
  return { service, isWild, transport: (localHost) => ({ transport: 'tcp', port, addresses: [host(localHost)] }) };
}

async function basicPlace(environment: ActorEnvironment, address: string): Promise<Place> {
  const { scheme, host, port } = parseAddress(address, BASIC_SCHEMES);
  const addresses = [await addressOf(environment, host)];
  const transport: TransportParameter = scheme === 'sctp' ? { transport: 'sctp', port, use: 'data-only', addresses } : { transport: scheme as 'tcp' | 'udp', port, addresses };
  return { service: undefined, isWild: false, transport: () => transport };
}

interface SeenAt {
  readonly isWild: boolean;
  readonly port: number;
  readonly host: (localHost: string | undefined) => string;
}

async function asapPlace({ environment, home, asap }: RegisterSetup, { listen }: RegisterOptions): Promise<SeenAt> {
  const at = asap.listen ?? anyPort(listen?.[0] ?? 'tcp://0.0.0.0:0');
  return seenAt(environment, (await home.listen(at)).address, asap.advertise);
}

function anyPort(address: string): string {
  const { scheme, host } = parseAddress(address, [address.slice(0, address.indexOf(':'))]);
  return formatAddress(scheme, host, 0);
}

async function seenAt(environment: ActorEnvironment, listening: string, advertise: string | undefined): Promise<SeenAt> {
  const own = parseAddress(listening, [listening.slice(0, listening.indexOf(':'))]);
  if (advertise !== undefined) {
    const { host, port } = parseAddress(advertise, [advertise.slice(0, advertise.indexOf(':'))]);
    const address = await addressOf(environment, host);
    return { isWild: false, port: port === 0 ? own.port : port, host: () => address };
  }
  if (own.host === '0.0.0.0' || own.host === '::') return { isWild: true, port: own.port, host: (localHost) => localHost ?? own.host };
  const address = await addressOf(environment, own.host);
  return { isWild: false, port: own.port, host: () => address };
}

/** One that goes on the wire; a TCP transport parameter has room for one (RFC 5354 §3.5). */
async function addressOf(environment: ActorEnvironment, host: string): Promise<string> {
  try {
    return (await environment.lookUp(host))[0] ?? host;
  } catch (error) {
    throw new UsageError('INVALID_URL', `${host} has no address`, { cause: error });
  }
}
