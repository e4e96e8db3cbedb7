import { TransportError } from '../errors.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import { parseAddress, schemeOf } from '../transports/address.js';
import { poolHandleKey, readPlainResolution, type AsapMessage, type AsapMessageOf } from '../wire/index.js';
import { Allowance, type Association, type AssociationOwner } from './association.js';
import type { RegistrarCore } from './registrar-core.js';
import type { Subscriber } from './subscriptions.js';

/** A registrar's end of one association with a pool element or pool user: what came of it, and what it may do. */
export class RegistrarAssociation implements AssociationOwner, Subscriber {
  /** Elements that are registered over it. */
  readonly elements = new Set<RegisteredElement>();
  /** Pools whose changes it wants to know: by key (S bit, RFC 5352 §2.2.5). */
  readonly subscriptions = new Set<string>();
  readonly #core: RegistrarCore;
  readonly #reports: Allowance;
  readonly #lines: Allowance;
  #spoken: (() => void) | undefined;
  #stall: unknown;

  /** Tells accusers apart: by host. Several associations of one process, and processes of one host, see the network from the same place, so all they say is one
   *  testimony. (Two hosts in 2^32 share a number, and count as one.) */
  get number(): number { return this.#number ??= hashOf(parseAddress(this.association.peer, [schemeOf(this.association.peer)]).host); }
  #number: number | undefined;

  /** @param spoken called with its first frame, or at its end. */
  constructor(core: RegistrarCore, readonly association: Association, spoken: () => void) {
    const { environment: { clock }, limits } = core;
    this.#core = core;
    this.#reports = new Allowance(clock, limits.reportsPerSecond);
    this.#lines = new Allowance(clock, LINES);
    this.#spoken = spoken;
  }

  get isWritable(): boolean { return this.association.link.writable; }

  /** May it cause a line in the log? */
  mayLog(): boolean { return this.#lines.take(); }

  /** Handle resolution without the general decoder: the one message that comes 100 000 times a second. */
  frame(bytes: Buffer, start: number, end: number): boolean {
    if (this.#spoken !== undefined) this.#noLongerSilent();
    const key = readPlainResolution(bytes, start, end);
    if (key === undefined) return false;
    this.#core.resolve(this, key, undefined, false);
    this.#checkQueue();
    return true;
  }

  message(message: AsapMessage): void {
    switch (message.type) {
      case 'ASAP_REGISTRATION': this.#core.register(this, message); break;
      case 'ASAP_DEREGISTRATION': this.#core.deregister(this, message); break;
      case 'ASAP_HANDLE_RESOLUTION': this.#resolve(message); break;
      case 'ASAP_ENDPOINT_KEEP_ALIVE_ACK': this.#core.acknowledged(this, message); break;
      case 'ASAP_ENDPOINT_UNREACHABLE': this.#report(message); break;
      default: if (this.mayLog()) this.#core.environment.logger.debug({ peer: this.association.peer, message: message.type }, 'a message that is not for a registrar');
    }
    this.#checkQueue();
  }

  #resolve({ poolHandle, itemsWanted, page, flags }: AsapMessageOf<'ASAP_HANDLE_RESOLUTION'>): void {
    if (page === undefined) this.#core.resolve(this, poolHandleKey(poolHandle), itemsWanted, flags.sendUpdates);
    else this.#core.page(this, poolHandleKey(poolHandle), page.from, itemsWanted);
  }

  drain(): void {
    this.#core.environment.clock.clearTimeout(this.#stall);
    this.#stall = undefined;
    this.association.link.resume();
    this.#core.drained(this);
  }

  down(reason: TransportError): void {
    this.#core.environment.clock.clearTimeout(this.#stall);
    this.#noLongerSilent();
    this.#core.associationDown(this, reason);
  }

  #noLongerSilent(): void {
    this.#spoken?.();
    this.#spoken = undefined;
  }

  #report(message: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    if (this.#reports.take()) this.#core.reported(this, message);
    else if (this.mayLog()) this.#core.environment.logger.warn({ peer: this.association.peer }, 'too many reports of unreachability: not heeded');
  }

  /** Who asks and does not read is not read either, and not kept for ever. */
  #checkQueue(): void {
    const { link } = this.association;
    if (link.writable || this.#stall !== undefined || this.association.isDown) return;
    const { environment: { clock }, limits: { stalledTimeout } } = this.#core;
    link.pause();
    this.#stall = clock.setTimeout(() => { this.association.destroy(new TransportError('QUEUE_OVERFLOW', `${link.peer} has not read for ${stalledTimeout} ms`)); }, stalledTimeout);
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** A second. */
const LINES = 5;
