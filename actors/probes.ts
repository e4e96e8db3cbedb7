import type { Milliseconds } from '../environment.js';
import type { TransportError } from '../errors.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import type { TransportAddress } from '../transports/transport.js';
import type { AsapMessage, ControlTransport } from '../wire/index.js';
import { Association, type AssociationOwner } from './association.js';
import { addressesOfTransport } from './control-transports.js';
import type { ActorEnvironment } from './environment.js';

/** Who is asked over a probe. */
export interface Probed {
  /** Nobody listens there. */
  failed(): void;
}

/** Associations that a registrar makes by itself, to the ASAP listeners of pool elements: of those whose own are gone (RFC 5352 §3.5, X-38), and of those that it
 *  takes over (RFC 5353 §3.5.2). One an address; so many are being made at once, the others wait their turn. */
export class Probes {
  readonly #dials = new Map<string, Probe>();
  readonly #waiting: Probe[] = [];
  #connecting = 0;
  #isClosed = false;

  /** @param own the registrar's end of such an association: what comes over it is treated as what comes over any other. */
  constructor(private readonly environment: ActorEnvironment, private readonly connectTimeout: Milliseconds, private readonly own: (association: Association) => AssociationOwner) {}

  get size(): number { return this.#dials.size; }

  ask(transport: ControlTransport, message: AsapMessage, probed: Probed): Probe {
    const addresses = addressesOfTransport(transport);
    const dial = this.#dials.get(addresses[0] ?? '') ?? this.#dial(addresses);
    dial.asked.set(probed, message);
    if (dial.isUp) dial.association?.send(message);
    return dial;
  }

  /** It has come back by another way, or is gone: the association ends with the last who needs it. */
  release(probe: Probe, probed: Probed): void {
    if (!probe.asked.delete(probed) || probe.asked.size > 0 || probe.isAdopted || probe.association === undefined) return;
    this.#forget(probe); // who is asked there again meanwhile needs another: this one is closing
    probe.association.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    for (const dial of this.#dials.values()) {
      dial.asked.clear();
      dial.association?.destroy('LINK_CLOSED');
    }
  }

  #dial([address = '', ...others]: readonly TransportAddress[]): Probe {
    const dial: Probe = { address, others, asked: new Map(), association: undefined, isUp: false, isAdopted: false };
    this.#dials.set(address, dial);
    this.#waiting.push(dial);
    this.environment.clock.defer(() => { this.#connectNext(); });
    return dial;
  }

  #connectNext(): void {
    while (!this.#isClosed && this.#connecting < MOST_AT_ONCE) {
      const dial = this.#waiting.shift();
      if (dial === undefined) return;
      if (dial.asked.size === 0) this.#dials.delete(dial.address);
      else this.#connect(dial, dial.address, dial.others);
    }
  }

  /** A multi-homed element is tried at one address after the other, all of them within the time that one would have. */
  #connect(dial: Probe, address: TransportAddress, others: readonly TransportAddress[]): void {
    this.#connecting++;
    Association.connect(this.environment.transports(schemeOf(address)), address, (association) => {
      dial.association = association;
      const owner = this.own(association);
      return {
        up: () => {
          this.#connecting--;
          dial.isUp = true;
          for (const message of dial.asked.values()) association.send(message);
          this.#connectNext();
        },
        message: (message) => { owner.message(message); },
        frame: (bytes, start, end) => owner.frame?.(bytes, start, end) ?? false,
        drain: () => { owner.drain?.(); },
        down: (reason) => {
          const [next, ...more] = others;
          if (dial.isUp || next === undefined || this.#isClosed || dial.asked.size === 0) return this.#ended(dial, owner, reason);
          this.#connecting--;
          owner.down(reason);
          this.#connect(dial, next, more);
        },
      };
    }, { ...this.environment, connectTimeout: this.connectTimeout / (1 + dial.others.length), maxQueued: MOST_QUEUED });
  }

  #ended(dial: Probe, owner: AssociationOwner, reason: TransportError): void {
    if (!dial.isUp) this.#connecting--;
    this.#forget(dial);
    owner.down(reason);
    if (reason.code === 'CONNECT_FAILED') for (const probed of [...dial.asked.keys()]) probed.failed();
    this.#connectNext();
  }

  #forget(dial: Probe): void {
    if (this.#dials.get(dial.address) === dial) this.#dials.delete(dial.address);
  }
}

/** An association on its way, or made, to one pool element's listener. */
export interface Probe {
  readonly address: TransportAddress;
  /** Its other addresses. */
  readonly others: readonly TransportAddress[];
  /** Who is asked there, and what was asked last. */
  readonly asked: Map<Probed, AsapMessage>;
  association: Association | undefined;
  isUp: boolean;
  /** A pool element has taken this registrar for its home over it: it stays, for all that its process has to say. */
  isAdopted: boolean;
}

/** A pool element names the address itself, so only where it came from is tried: nobody has a registrar knock at the doors of others (RFC 5355 §2.13). */
export function isAt(transport: ControlTransport | undefined, peer: string): transport is ControlTransport {
  if (transport === undefined) return false;
  const host = plain(parseAddress(peer, [schemeOf(peer)]).host);
  return transport.addresses.some((address) => plain(address) === host);
}

/** An IPv4 address as an IPv6 socket sees it. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** Associations being made. */
const MOST_AT_ONCE = 256;
const MOST_QUEUED = 1024 * 1024;
