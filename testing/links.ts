import { TransportError } from '../errors.js';
import { parseAddress } from '../transports/address.js';
import type { Link, Transport } from '../transports/transport.js';
import type { WorldHost } from './world.js';

/** The links of a process, so that something can happen to them alone. TCP's are its sockets, of which the simulated network knows; those of SCTP are known to nobody but the process itself.
 *  @returns those that there are, by all transports of its environment, from now on. */
export function watchLinks({ environment }: WorldHost): ReadonlySet<Link> {
  const links = new Set<Link>();
  const { transports } = environment;
  const note = <T extends Link>(link: T): T => {
    links.add(link);
    return link;
  };
  const telling = (transport: Transport): Transport => ({
    schemes: transport.schemes,
    connect: (...given) => note(transport.connect(...given)),
    listen: (address, accept, options) => transport.listen(address, (link) => accept(note(link)), options),
  });
  Object.assign(environment, { transports: (scheme: string) => telling(transports(scheme)) });
  return links;
}

/** As a kernel does for a process that is killed: its peers are told (ABORT). SCTP in the process itself cannot: they hear nothing more. */
export function abortAll(links: Iterable<Link>): void { for (const link of links) link.destroy(new TransportError('LINK_LOST', 'killed')); }

/** From now on that happens whenever the process is killed but by the loss of its power; TCP's peers are told in the simulated network. */
export function tellPeers(host: WorldHost): void {
  const { process } = host;
  const links = watchLinks(host);
  const crash = process.crash.bind(process);
  process.crash = (options = {}) => {
    if (options.peersSee !== 'nothing') abortAll(links);
    crash(options);
  };
}

/** Those with a host at this address. */
export const linksWith = (links: Iterable<Link>, address: string): Link[] => [...links].filter(({ peer }) => parseAddress(peer, ['tcp', 'sctp+udp']).host === address);
