import { peerStates, type EnrpMessage, type EnrpMessageOf, type PeerState, type ServerInformation } from '../wire/index.js';
import { schemeOf } from '../transports/address.js';
import { addressesOfTransport, controlTransportOf, controlTransportOfAll } from './control-transports.js';
import type { Dialers } from './enrp-dialers.js';
import type { Joining, JoiningNews } from './enrp-joining.js';
import type { EnrpLink } from './enrp-link.js';
import type { Peer } from './enrp-peer.js';
import type { RegistrarCore } from './registrar-core.js';

export interface AcquaintancesOwner {
  readonly peers: ReadonlyMap<number, Peer>;
  readonly isServing: boolean;
  /** Its own ENRP addresses. */
  readonly addresses: readonly string[];
  meet(registrar: number): Peer;
  presence(receivingServer: number, replyRequired: boolean, link: EnrpLink): EnrpMessageOf<'ENRP_PRESENCE'>;
  tell(news: JoiningNews): void;
  closeLinks(): void;
  warn(link: EnrpLink, details: object, message: string): void;
}

/** Who is at the other end of a link, and who else is there: introductions (RFC 5353 §3.4.1), lists of registrars (§3.2.2), and identifiers that two of them have. */
export class Acquaintances {
  constructor(private readonly core: RegistrarCore, private readonly dialers: Dialers, private readonly joining: Joining, private readonly owner: AcquaintancesOwner) {}

  /** RFC 5353 §3.4.1. */
  introduce(link: EnrpLink, { sendingServer, serverInformation }: EnrpMessageOf<'ENRP_PRESENCE'>): void {
    const addresses = serverInformation === undefined ? [] : addressesOfTransport(serverInformation.transport);
    const known = this.owner.peers.get(sendingServer);
    if (sendingServer === 0 || (known === undefined && this.owner.peers.size >= this.core.limits.peers)) return link.association.destroy('TOO_MANY_LINKS');
    if (known?.isConnected === true && isElsewhere(known.addresses, addresses)) {
      link.isTwin = true;
      return this.owner.warn(link, { registrar: sendingServer, at: addresses, known: known.addresses }, 'two registrars have one identifier: the newcomer is not heeded (X-49)');
    }
    const peer = known ?? this.owner.meet(sendingServer);
    peer.addresses = together(peer.addresses, addresses);
    link.peer = peer;
    peer.links.add(link);
    for (const address of [...addresses, ...(link.dialled === undefined ? [] : [link.dialled])]) this.dialers.met(address, sendingServer);
    for (const address of addresses) this.dialers.learn(address);
    this.dialers.met(addresses[0] ?? '', sendingServer);
    peer.heard();
    this.joining.consider();
  }

  answerList(link: EnrpLink, { sendingServer }: EnrpMessage, isWatcher: boolean): void {
    const isReady = this.owner.isServing;
    const listed = isReady ? [...this.owner.peers.values()].filter(({ id, addresses, state }) => (id !== sendingServer || link.isTwin) && addresses.length > 0 && (isWatcher || state === 'active')) : [];
    link.send({
      type: 'ENRP_LIST_RESPONSE', flags: { reject: !isReady }, sendingServer: this.core.identifier, receivingServer: sendingServer,
      serverInformation: listed.map(({ id, addresses }) => ({ serverId: id, transport: controlTransportOfAll(addresses, link.scheme) })),
      peerStates: isWatcher && listed.length > 0 ? Uint8Array.from(listed, ({ state }) => Math.max(0, peerStates.indexOf(state as PeerState))) : undefined,
    });
  }

  listed(peer: Peer, { flags, serverInformation }: EnrpMessageOf<'ENRP_LIST_RESPONSE'>): void {
    if (!peer.isListAwaited) return;
    peer.isListAwaited = false;
    const isMentor = this.joining.isMentor(peer);
    if (flags.reject) return isMentor ? this.owner.tell({ type: 'mentor.refused' }) : undefined;
    for (const information of serverInformation) if (!this.#learn(peer, information)) return;
    if (isMentor) this.owner.tell({ type: 'list.received' });
  }

  /** @returns false where it has our own identifier. */
  #learn(from: Peer, information: ServerInformation): boolean {
    const { serverId } = information;
    const addresses = addressesOfTransport(information.transport);
    if (serverId === this.core.identifier) {
      const { link } = from;
      if (link === undefined || this.#isOwn(addresses, link.localHost)) return true; // a former life of this one
      this.#conflict(link);
      return false;
    }
    if (serverId === 0 || (!this.owner.peers.has(serverId) && this.owner.peers.size >= this.core.limits.peers)) return true;
    const other = this.owner.peers.get(serverId) ?? this.owner.meet(serverId);
    other.addresses = together(addresses, other.addresses); // what it says itself counts more
    for (const address of addresses) this.dialers.learn(address);
    return true;
  }

  ownIdentifier(link: EnrpLink, message: EnrpMessage): void {
    if (message.type !== 'ENRP_PRESENCE') return;
    if (message.flags.replyRequired) link.send(this.owner.presence(message.sendingServer, false, link)); // so that the other end sees it as well
    if (message.serverInformation === undefined || !this.#isOwn(addressesOfTransport(message.serverInformation.transport), link.localHost)) return this.#conflict(link);
    if (link.dialled === undefined) return;
    this.dialers.itself(link.dialled);
    this.core.environment.logger.warn({ peer: link.dialled }, 'the address of a peer is this registrar itself');
    link.association.close();
    this.joining.consider();
  }

  /** harmless, says §3.2.1, but ownership, checksums and arbitration go by it. Who has not begun to serve takes another. */
  #conflict(link: EnrpLink): void {
    link.isTwin = true;
    if (this.owner.isServing) return this.owner.warn(link, { registrar: this.core.identifier }, 'another registrar has the identifier of this one: not heeded (X-49)');
    const before = this.core.identifier;
    this.core.identifier = this.core.environment.random.u32() || 1;
    this.core.environment.logger.warn({ before, now: this.core.identifier }, 'another registrar has the identifier of this one, which takes a new one (X-49)');
    this.owner.closeLinks(); // they know it by the old one
  }

  #isOwn(addresses: readonly string[], seenHost: string): boolean {
    return this.owner.addresses.some((own) => addresses.includes(addressesOfTransport(controlTransportOf(own, seenHost))[0] ?? ''));
  }
}

const schemesOf = (addresses: readonly string[]): readonly string[] => addresses.map(schemeOf);

/** Of a transport that both name, no address is the same. A registrar on TCP and SCTP names the one that it is met by. */
function isElsewhere(known: readonly string[], addresses: readonly string[]): boolean {
  const comparable = known.filter((address) => schemesOf(addresses).includes(schemeOf(address)));
  return comparable.length > 0 && addresses.every((address) => !comparable.includes(address));
}

/** What it says of a transport now is in place of what it said before. */
const together = (known: readonly string[], addresses: readonly string[]): readonly string[] =>
  [...known.filter((address) => !schemesOf(addresses).includes(schemeOf(address))), ...addresses];
