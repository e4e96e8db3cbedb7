import type { TransportError } from '../errors.js';
import type { RegisteredElement } from '../handlespace/handlespace.js';
import type { AsapMessage, AsapMessageOf } from '../wire/index.js';
import { Allowance, type Association, type AssociationOwner } from './association.js';
import type { RegistrarCore } from './registrar-core.js';

/** A registrar's end of one association with a pool element or pool user: what came of it, and what it may do. */
export class RegistrarAssociation implements AssociationOwner {
  readonly association: Association;
  /** Elements that are registered over it. */
  readonly elements = new Set<RegisteredElement>();
  /** Pools whose changes it wants to know: by key (S bit, RFC 5352 §2.2.5). */
  readonly subscriptions = new Set<string>();
  /** Those of them that have changed while it did not read. */
  readonly owed = new Set<string>();
  /** Tells accusers apart. */
  readonly number: number;
  readonly #core: RegistrarCore;
  readonly #reports: Allowance;

  constructor(core: RegistrarCore, association: Association, number: number) {
    this.#core = core;
    this.association = association;
    this.number = number;
    this.#reports = new Allowance(core.environment.clock, core.limits.reportsPerSecond);
  }

  /** Handle resolution without the general decoder: the one message that comes 100 000 times a second. */
  frame(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[start] !== HANDLE_RESOLUTION || bytes[start + 1] !== 0 || bytes[start + 4] !== 0 || bytes[start + 5] !== POOL_HANDLE) return false;
    const length = (bytes[start + 6]! << 8) | bytes[start + 7]!;
    const messageLength = (bytes[start + 2]! << 8) | bytes[start + 3]!;
    if (length <= 4 || start + 4 + ((length + 3) & ~3) !== end || (messageLength !== length + 4 && messageLength !== end - start)) return false; // anything else in it
    this.#core.resolve(this, bytes.toString('latin1', start + 8, start + 4 + length), undefined, false);
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
      default: this.#core.environment.logger.debug({ peer: this.association.peer, message: message.type }, 'a message that does not go to a registrar');
    }
    this.#checkQueue();
  }

  drain(): void {
    this.association.link.resume();
    this.#core.pay(this);
  }

  down(reason: TransportError): void { this.#core.associationDown(this, reason); }

  #resolve(message: AsapMessageOf<'ASAP_HANDLE_RESOLUTION'>): void {
    this.#core.resolve(this, Buffer.from(message.poolHandle).toString('latin1'), message.itemsWanted, message.flags.sendUpdates);
  }

  #report(message: AsapMessageOf<'ASAP_ENDPOINT_UNREACHABLE'>): void {
    if (this.#reports.take()) this.#core.reported(this, message);
    else this.#core.environment.logger.debug({ peer: this.association.peer }, 'too many reports of unreachability');
  }

  /** Who asks and does not read is not read either. */
  #checkQueue(): void { if (!this.association.link.writable) this.association.link.pause(); }
}

const HANDLE_RESOLUTION = 0x05;
const POOL_HANDLE = 0x09;
