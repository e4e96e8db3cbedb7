import type { Milliseconds } from '../environment.js';
import { formatAddress, parseAddress } from '../transports/address.js';
import type { AsapMessage, AsapMessageOf, ControlTransport } from '../wire/index.js';
import { Association } from './association.js';
import type { ActorEnvironment } from './environment.js';

/** Who is asked over a probe. */
export interface Probed {
  /** @returns whether the acknowledgement is its own. */
  acknowledged(association: Association, message: AsapMessageOf<'ASAP_ENDPOINT_KEEP_ALIVE_ACK'>): boolean;
  /** Nobody listens there. */
  failed(): void;
  /** It had answered, and is gone now. */
  lost(association: Association): void;
}

/** Associations that a registrar makes by itself, to the ASAP listeners of pool elements whose own are gone (RFC 5352 §3.5, X-38). One an address. */
export class Probes {
  readonly #dials = new Map<string, Dial>();

  constructor(private readonly environment: ActorEnvironment, private readonly connectTimeout: Milliseconds) {}

  get size(): number { return this.#dials.size; }

  /** @returns false when no more probes are made at the moment: who asked waits for the time-out. */
  ask(transport: ControlTransport, message: AsapMessage, probed: Probed): boolean {
    const address = formatAddress('tcp', transport.addresses[0] ?? '', transport.port);
    const dial = this.#dials.get(address) ?? this.#dial(address);
    dial?.asked.add(probed);
    dial?.association.send(message);
    return dial !== undefined;
  }

  /** It has come back by another way, or is gone: the association ends with the last who needs it. */
  release(probed: Probed): void {
    for (const dial of this.#dials.values()) {
      if (dial.asked.delete(probed) && dial.asked.size === 0) dial.association.close();
    }
  }

  close(): void {
    for (const { association, asked } of this.#dials.values()) {
      asked.clear();
      association.destroy('LINK_CLOSED');
    }
  }

  #dial(address: string): Dial | undefined {
    if (this.#dials.size >= MOST_AT_ONCE) return undefined;
    const asked = new Set<Probed>();
    const answered = new Set<Probed>();
    const association = Association.connect(this.environment.transports('tcp'), address, (dialled) => ({
      message: (message) => {
        if (message.type !== 'ASAP_ENDPOINT_KEEP_ALIVE_ACK') return;
        for (const probed of asked) if (probed.acknowledged(dialled, message)) answered.add(probed);
      },
      down: (reason) => {
        this.#dials.delete(address);
        for (const probed of asked) {
          if (answered.has(probed)) probed.lost(dialled);
          else if (reason.code === 'CONNECT_FAILED') probed.failed();
        }
      },
    }), { ...this.environment, connectTimeout: this.connectTimeout, maxQueued: MOST_QUEUED });
    const dial = { association, asked };
    this.#dials.set(address, dial);
    return dial;
  }
}

interface Dial {
  readonly association: Association;
  readonly asked: Set<Probed>;
}

/** A pool element names the address itself, so only where it came from is tried: nobody has a registrar knock at the doors of others (RFC 5355 §2.13). */
export function isAt(transport: ControlTransport | undefined, peer: string): transport is ControlTransport {
  if (transport?.transport !== 'tcp') return false;
  const host = plain(parseAddress(peer, [peer.slice(0, peer.indexOf(':'))]).host);
  return transport.addresses.some((address) => plain(address) === host);
}

/** An IPv4 address as an IPv6 socket sees it. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

const MOST_AT_ONCE = 256;
const MOST_QUEUED = 64 * 1024;
