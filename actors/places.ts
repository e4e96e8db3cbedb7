import { UsageError } from '../errors.js';
import { isWildcard, parseAddress, schemeOf } from '../transports/address.js';
import { poolHandleFromKey, poolHandleText, type TransportParameter } from '../wire/index.js';
import { basicTransport, parseBasicAddress } from './basic-address.js';
import type { ElementService, WaitOptions } from './element.js';
import type { ActorEnvironment } from './environment.js';
import { mappingOfScheme, noMapping, userTransport, type Mapping } from './mappings.js';
import { listenAddress, type MappingOptions, type RegisterOptions, type RegisterSetup, type SessionHandler } from './register.js';
import { serviceChecks, type ServiceOptions, type ServiceSetup } from './service.js';

/** Where a registration says that its element is. */
export interface Place {
  readonly mapping: Mapping;
  readonly service: ElementService | undefined;
  /** Listens everywhere: which address others see depends on the way they come. */
  readonly isWild: boolean;
  readonly transport: (localHost: string | undefined) => TransportParameter;
}

/** Opens what one mapping needs. @throws UsageError, TransportError. */
export async function placeOf(setup: RegisterSetup, key: string, options: RegisterOptions, mapping: MappingOptions, onSession: SessionHandler | undefined, { element, count }: Pick<ServiceSetup, 'element' | 'count'>): Promise<Place> {
  const { environment, plane } = setup;
  if (mapping.mapping === 'none' || onSession === undefined) return basicPlace(environment, mapping.mapping === 'none' ? mapping.address : '');
  const given = (Object.keys(serviceChecks) as (keyof ServiceOptions)[]).flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]));
  const service = await plane.listen(listenAddress(mapping), {
    handle: poolHandleText(key), handleBytes: poolHandleFromKey(key), onSession, element, count,
    options: Object.fromEntries(given) as ServiceOptions,
  });
  const { isWild, host, port } = await seenAt(environment, service.address, mapping.advertise);
  const carrying = mappingOfScheme(schemeOf(service.address));
  return { mapping: carrying, service, isWild, transport: (localHost) => userTransport(carrying, host(localHost), port) };
}

async function basicPlace(environment: ActorEnvironment, address: string): Promise<Place> {
  const parsed = parseBasicAddress(address);
  const transport = basicTransport(parsed, parsed.isKnown ? await addressOf(environment, parsed.host) : parsed.host);
  return { mapping: noMapping, service: undefined, isWild: false, transport: () => transport };
}

export interface SeenAt {
  readonly scheme: string;
  readonly isWild: boolean;
  readonly port: number;
  readonly host: (localHost: string | undefined) => string;
}

/** The PE's own ASAP listener: at the host of its first data channels. */
export async function asapPlace({ environment, home, asap, timeout }: RegisterSetup, listen: string | undefined, wait: WaitOptions): Promise<SeenAt> {
  const at = asap.listen ?? await home.asapAddress(listen ?? 'tcp://0.0.0.0:0', wait, timeout);
  return seenAt(environment, (await home.listen(at)).address, asap.advertise);
}

async function seenAt(environment: ActorEnvironment, listening: string, advertise: string | undefined): Promise<SeenAt> {
  const own = parseAddress(listening, [schemeOf(listening)]);
  const { scheme } = own;
  if (advertise !== undefined) {
    const { host, port } = parseAddress(advertise, [schemeOf(advertise)]);
    const address = await addressOf(environment, host);
    return { scheme, isWild: false, port: port === 0 ? own.port : port, host: () => address };
  }
  if (isWildcard(own.host)) return { scheme, isWild: true, port: own.port, host: (localHost) => localHost ?? own.host };
  const address = await addressOf(environment, own.host);
  return { scheme, isWild: false, port: own.port, host: () => address };
}

/** One that goes on the wire; a TCP transport parameter has room for one (RFC 5354 §3.5). */
async function addressOf(environment: ActorEnvironment, host: string): Promise<string> {
  try {
    return (await environment.lookUp(host))[0] ?? host;
  } catch (error) {
    throw new UsageError('INVALID_URL', `${host} has no address`, { cause: error });
  }
}
