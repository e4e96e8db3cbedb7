import { TransportError } from '../errors.js';
import { formatAddress, hostOf, parseAddress, schemeOf } from '../transports/address.js';
import type { ActorEnvironment } from './environment.js';

/** The configured registrars: their addresses at each hunt, and the hosts that are known by them. Announced ones are hints that nobody vouches for. */
export class KnownRegistrars {
  readonly #hosts = new Set<string>();

  constructor(private readonly environment: Pick<ActorEnvironment, 'lookUp' | 'logger'>) {}

  hasHost(host: string): boolean { return this.#hosts.has(host); }

  /** Every address of every host. A name that nobody knows now leaves the others. */
  async lookUp(registrars: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(registrars.map(async (registrar) => {
      const { scheme, host, port } = parseAddress(registrar, [schemeOf(registrar)]);
      try {
        return (await this.environment.lookUp(host)).map((address) => formatAddress(scheme, address, port));
      } catch (error) {
        this.environment.logger.warn({ err: error, registrar }, 'a registrar has no address');
        return [];
      }
    }));
    const addresses = found.flat();
    if (addresses.length === 0) throw new TransportError('LOOKUP_FAILED', 'no registrar has an address');
    this.#hosts.clear();
    for (const address of addresses) this.#hosts.add(hostOf(address));
    return addresses;
  }
}
