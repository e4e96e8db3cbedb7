import type { Milliseconds } from '../environment.js';
import { schemeOf } from '../transports/address.js';
import { UsageError } from '../errors.js';
import type { Timers } from '../machines/timers.js';
import { poolHandleFromKey } from '../wire/index.js';
import { parseBasicAddress } from './basic-address.js';
import type { DataPlane } from './data-plane.js';
import { controlTransport } from './control-transports.js';
import { PoolElement, type ElementSetup, type WaitOptions } from './element.js';
import type { ActorEnvironment } from './environment.js';
import type { Home } from './home.js';
import { addressOf, mappingOfScheme, SPEAKS_FRAMES } from './mappings.js';
import { anything, checkAddress, checkOptions, invalid, isDelay, isList, isOneOf, isSignal, isString, isStringList, isU32 } from './options.js';
import { asapPlace, placeOf, type Place, type SeenAt } from './places.js';
import { checkPolicy, roundRobin, type PolicyOption } from './policies.js';
import { checkServiceOptions, serviceChecks, type ServiceOptions } from './service.js';
import type { ServiceSession } from './service-session.js';
import { TiedPoolElement } from './tied-element.js';
import { bounded } from './waiting.js';

export interface RegisterOptions extends ServiceOptions, WaitOptions {
  /** Where the data channels come in, one registration for each address, `tcp://` or `sctp+udp://`. Port 0 takes a free one. Default `['tcp://0.0.0.0:0']`. */
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
  /** `'tcp'`, `'sctp'`: sessions, by that mapping (draft §5.1). `'none'`: Basic Mode, the pool only names `address`. Default: that of `listen`. */
  readonly mapping?: MappingName;
  /** Basic Mode: what the pool names, `scheme://host:port`. `tcp`, `udp`, `sctp`, `dccp` and `udp-lite` are RFC 5354's transports; any other scheme goes as it is. */
  readonly address?: string;
  /** Several ways to reach the element, instead of the options above: one registration each, tied together. All are registered, or none. */
  readonly mappings?: readonly MappingOptions[];
}

export type SessionHandler = (session: ServiceSession) => void | PromiseLike<void>;

/** Where a PE's own ASAP listener is. */
export interface AsapOptions {
  /** `tcp://` or `sctp+udp://host:port`. Default: a free port at the host of the first element's `listen`, by the transport of the (first) registrar. */
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

const mappingNames = ['tcp', 'sctp', 'none'] as const;
type MappingName = (typeof mappingNames)[number];

/** One way to reach a pool element: a transport mapping (draft §5.1), and where. */
export type MappingOptions = SessionMappingOptions | BasicMappingOptions;
export interface SessionMappingOptions {
  /** Sessions, over TCP or over SCTP. */
  readonly mapping: 'tcp' | 'sctp';
  /** Where the data channels come in. Default `tcp://0.0.0.0:0`, `sctp+udp://0.0.0.0:0`. */
  readonly listen?: string;
  /** As for `register`. */
  readonly advertise?: string;
  /** PE identifier of this registration. Default a random one. */
  readonly identifier?: number;
}
export interface BasicMappingOptions {
  readonly mapping: 'none';
  /** As for `register`. */
  readonly address: string;
  readonly identifier?: number;
}

/** @throws UsageError. */
export function checkRegister(environment: ActorEnvironment, timers: Timers, options: RegisterOptions, onSession: unknown): void {
  checkOptions('register', options, {
    listen: isStringList, advertise: isString, policy: anything, identifier: isU32, life: anything, mapping: isOneOf(...mappingNames), address: isString, mappings: isList, signal: isSignal,
    timeout: isDelay, ...serviceChecks,
  });
  const { policy, life } = options;
  if (policy !== undefined) checkPolicy('register', policy);
  if (life !== undefined && !(typeof life === 'number' && life > timers.t2Registration && life >= 1000)) throw invalid(`register: life is a number of milliseconds, 1000 at least and more than t2Registration (${timers.t2Registration})`);
  checkPlaces(options);
  const all = mappingsOf(options);
  if (all.length > MOST_MAPPINGS) throw invalid(`register: at most ${MOST_MAPPINGS} mappings`);
  for (const mapping of all) checkMapping(environment, mapping);
  checkService(options, all, onSession);
}

/** What says where the element is, in one of three ways. */
function checkPlaces({ mappings, mapping, listen, advertise, address, identifier }: RegisterOptions): void {
  const given = Object.entries({ mapping, listen, advertise, address, identifier }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (mappings !== undefined && given.length > 0) throw invalid(`register: with mappings, ${given.join(', ')} go into each of them`);
  if (mapping === 'none') {
    if (address === undefined) throw invalid("register: mapping 'none' needs address");
    for (const [name, value] of Object.entries({ listen, advertise })) if (value !== undefined) throw invalid(`register: ${name} has no meaning with mapping 'none'`);
  } else if (address !== undefined) throw invalid("register: address is for mapping 'none'; listen says where sessions come in");
  if ((listen?.length ?? 1) > 1 && (advertise ?? identifier) !== undefined) throw invalid('register: with several addresses to listen on, use mappings to say what is advertised, and which identifier each has');
}

function checkMapping(environment: ActorEnvironment, options: MappingOptions): void {
  checkOptions('register: mappings', options, { mapping: isOneOf(...mappingNames), listen: isString, advertise: isString, address: isString, identifier: isU32 });
  if (options.identifier === 0) throw invalid('register: identifier 0 is nobody');
  const { mapping, listen, advertise, address } = options as Readonly<Partial<Record<'mapping' | 'listen' | 'advertise' | 'address', string>>>;
  if (mapping === 'none') {
    if (address === undefined || listen !== undefined || advertise !== undefined) throw invalid("register: mappings: 'none' has an address, and nothing else");
    if (parseBasicAddress(address).port === 0) throw new UsageError('INVALID_URL', 'register: address needs its port');
    return;
  }
  if (mapping === undefined || address !== undefined) throw invalid("register: mappings: mapping is 'tcp' or 'sctp', with listen and advertise, or 'none', with address");
  for (const each of [listen, advertise]) {
    if (each === undefined) continue;
    checkAddress(environment, each);
    if (mappingOfScheme(schemeOf(each)).name !== mapping) throw invalid(`register: ${each} is no address of the mapping '${mapping}'`);
  }
}

function checkService(options: RegisterOptions, all: readonly MappingOptions[], onSession: unknown): void {
  if (all.some(({ mapping }) => mapping !== 'none')) {
    if (onSession === undefined) throw invalid("register needs onSession, or mapping 'none'");
    if (typeof onSession !== 'function') throw invalid('register: onSession is a function');
    return checkServiceOptions(options);
  }
  if (onSession !== undefined) throw invalid("register: with mapping 'none' there are no sessions");
  for (const name of Object.keys(serviceChecks) as (keyof ServiceOptions)[]) {
    if (options[name] !== undefined) throw invalid(`register: ${name} has no meaning with mapping 'none'`);
  }
}

/** One for each registration. */
export function mappingsOf({ mappings, mapping, listen, advertise, address, identifier }: RegisterOptions): readonly MappingOptions[] {
  if (mappings !== undefined) return mappings;
  const common = identifier === undefined ? {} : { identifier };
  if (mapping === 'none') return [{ mapping, address: address ?? '', ...common }];
  const [first = listenAddress({ mapping: mapping ?? 'tcp' }), ...others] = listen ?? [];
  return [{ ...carrying(first, mapping), ...(advertise !== undefined && { advertise }), ...common }, ...others.map((each) => carrying(each, mapping))];
}

const carrying = (listen: string, asked: 'tcp' | 'sctp' | undefined): SessionMappingOptions => ({ mapping: asked ?? (mappingOfScheme(schemeOf(listen)).name as 'tcp' | 'sctp'), listen });

/** Where the data channels of a mapping come in. */
export const listenAddress = ({ mapping, listen }: SessionMappingOptions): string => listen ?? (mapping === 'sctp' ? 'sctp+udp://0.0.0.0:0' : 'tcp://0.0.0.0:0');
const MOST_MAPPINGS = 16;

/** Opens what has to be open, registers, and resolves when a registrar has accepted all of it. Where that fails nothing is left.
 *  @param identifiers one for each mapping. */
export async function register(setup: RegisterSetup, key: string, handle: string | Uint8Array, identifiers: readonly number[], options: RegisterOptions, onSession: SessionHandler | undefined): Promise<PoolElement> {
  const all = mappingsOf(options);
  const tie = all.length > 1 ? setup.environment.random.bytes(8) : undefined;
  const elements: PoolElement[] = [];
  const places: Place[] = [];
  const count = { sessions: 0 };
  try {
    for (const [index, mapping] of all.entries()) places.push(await opened(placeOf(setup, key, options, mapping, onSession, { element: () => elements[index]?.parameter, count }), options));
    const asap = await bounded(asapPlace(setup, all.flatMap((mapping) => ('listen' in mapping ? [mapping.listen] : []))[0], options), { signal: options.signal });
    if (asap.isWild || places.some(({ isWild }) => isWild)) await setup.home.found(options, setup.timeout);
    const setups = places.map((place, index) => elementSetup({ setup, key, handle, options, place, identifier: identifiers[index] as number, asap, tie }));
    const first = { ...setups[0] as ElementSetup, left: () => { setup.left(element); }, registered: () => { setup.registered(element); } };
    const element: PoolElement = setups.length === 1 ? new PoolElement(first) : new TiedPoolElement(first, setups.slice(1));
    elements.push(...element.registrations);
    setup.begun(element);
    await Promise.all(elements.map((each) => each.joined(options)));
    return element;
  } catch (error) {
    await (elements[0]?.withdraw() ?? Promise.all(places.flatMap(({ service }) => (service === undefined ? [] : [service.close()]))));
    throw error;
  }
}

/** What comes too late is closed again. */
function opened(opening: Promise<Place>, { signal }: WaitOptions): Promise<Place> {
  return bounded(opening, { signal }).catch((error: unknown) => {
    opening.then(({ service }) => service?.close(), () => undefined);
    throw error;
  });
}

interface Registering {
  readonly setup: RegisterSetup;
  readonly key: string;
  readonly handle: string | Uint8Array;
  readonly options: RegisterOptions;
  readonly place: Place;
  readonly identifier: number;
  readonly asap: SeenAt;
  readonly tie: Uint8Array | undefined;
}

function elementSetup({ setup, key, handle, options, place, identifier, asap, tie }: Registering): ElementSetup {
  const { home } = setup;
  const life = options.life ?? setup.timers.registrationLife;
  const fixed = {
    identifier, homeRegistrar: 0, registrationLife: life === Infinity ? -1 : Math.round(life / 1000),
    capabilities: place.mapping.canCarrySessions ? SPEAKS_FRAMES : undefined, ...(tie && { tie }),
  };
  return {
    ...setup, key, handle, identifier, service: place.service, policy: options.policy ?? roundRobin(),
    registration: (policy) => ({
      type: 'ASAP_REGISTRATION',
      poolHandle: poolHandleFromKey(key),
      poolElement: { ...fixed, policy, userTransport: place.transport(home.localHost), asapTransport: controlTransport(asap.scheme, asap.port, [asap.host(home.localHost)]) },
    }),
    address: () => addressOf({ userTransport: place.transport(home.localHost), capabilities: fixed.capabilities }),
    left: () => undefined,
    registered: () => undefined,
  };
}
