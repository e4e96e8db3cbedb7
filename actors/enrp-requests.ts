import type { RegisteredElement } from '../handlespace/handlespace.js';
import { decodePoolElement, poolHandleKey, type Cause, type EnrpMessageOf } from '../wire/index.js';
import { Allowance } from './association.js';
import type { EnrpLink } from './enrp-link.js';
import type { Peer } from './enrp-peer.js';
import type { RegistrarCore } from './registrar-core.js';

type Update = EnrpMessageOf<'ENRP_HANDLE_UPDATE'>;

export interface EnrpRequestsOwner {
  readonly identifier: number;
  readonly peers: ReadonlyMap<number, Peer>;
  changed(element: RegisteredElement): void;
  sendError(link: EnrpLink, receivingServer: number, cause: Cause): void;
}

/** Removals that are asked for (0x8f05, ours): by an operator at any registrar, which passes it on to the home; or, with evidence, by a registrar that a pool user has told
 *  of an unreachable element of another's (X-14: a non-owner removes nothing). An element that is alive registers again: nothing living can be talked away. */
export class EnrpRequests {
  readonly #waiting = new Set<Waiting>();
  readonly #reports: Allowance;

  constructor(private readonly core: RegistrarCore, private readonly owner: EnrpRequestsOwner) {
    this.#reports = new Allowance(core.environment.clock, core.limits.reportsPerSecond);
  }

  asked(link: EnrpLink, message: Update): void {
    const { poolHandle, poolElement: { identifier }, removalRequest } = message;
    const element = this.core.handlespace.find(poolHandleKey(poolHandle), identifier);
    if (removalRequest?.[0] === REPORT) return void (element !== undefined && link.peer !== undefined && this.#accused(element, link.peer));
    if (element === undefined) return this.owner.sendError(link, message.sendingServer, { cause: 'unknown-pool-handle' });
    const waiting = { link, sendingServer: message.sendingServer, element, timer: this.core.environment.clock.setTimeout(() => { this.#expire(waiting); }, 2 * this.core.timers.t1EnrpRequest) };
    this.#waiting.add(waiting);
    this.#dismiss(element, message);
  }

  #accused(element: RegisteredElement, by: Peer): void {
    if (this.#reports.take()) this.core.accused(element, by.id);
  }

  #dismiss(element: RegisteredElement, message: Update): void {
    if (element.home === this.owner.identifier) return void this.core.dismiss(element);
    const home = this.owner.peers.get(element.home);
    if (home?.state === 'active') return home.send({ ...message, sendingServer: this.owner.identifier, receivingServer: home.id });
    // Its home is not there, and may never be again: this registrar stands in.
    this.core.claim(element);
    this.owner.changed(element);
    this.core.dismiss(element);
  }

  /** A pool element of another registrar is unreachable, says a pool user of this one: its home asks it. */
  passOn(element: RegisteredElement): void {
    const home = this.owner.peers.get(element.home);
    if (home === undefined || !this.#reports.take()) return;
    home.send({
      type: 'ENRP_HANDLE_UPDATE', sendingServer: this.owner.identifier, receivingServer: home.id, updateAction: 'DEL_PE',
      poolHandle: element.pool.handle, poolElement: decodePoolElement(element.encoded), generation: element.generation, removalRequest: Uint8Array.of(REPORT, 0, 0, 0),
    });
  }

  /** It is gone here. */
  removed(element: RegisteredElement): void {
    for (const waiting of this.#waiting) if (waiting.element === element) this.#answer(waiting);
  }

  drop(link: EnrpLink): void {
    for (const waiting of this.#waiting) if (waiting.link === link) this.#end(waiting);
  }

  close(): void { for (const waiting of this.#waiting) this.#end(waiting); }

  #answer(waiting: Waiting): void {
    this.#end(waiting);
    const { element: { pool, encoded, generation }, link, sendingServer } = waiting;
    link.send({
      type: 'ENRP_HANDLE_UPDATE', sendingServer: this.owner.identifier, receivingServer: sendingServer, updateAction: 'DEL_PE',
      poolHandle: pool.handle, poolElement: decodePoolElement(encoded), generation,
    });
  }

  #expire(waiting: Waiting): void {
    this.#end(waiting);
    this.owner.sendError(waiting.link, waiting.sendingServer, { cause: 'unspecified-error' });
  }

  #end(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.core.environment.clock.clearTimeout(waiting.timer);
  }
}

interface Waiting {
  readonly link: EnrpLink;
  readonly sendingServer: number;
  readonly element: RegisteredElement;
  readonly timer: unknown;
}

/** The first byte of 0x8f05: the home is to ask the element, not to remove it. */
const REPORT = 1;
