import { silentLogger, type Clock, type Logger, type Milliseconds } from '../environment.js';
import { TransportError, type TransportErrorCode } from '../errors.js';
import type { ConnectOptions, Link, LinkHandler, Transport, TransportAddress } from '../transports/transport.js';
import { asapFraming, decodeAsap, encodeAsap, WireError, type AsapMessage, type Cause } from '../wire/index.js';

/** What the owner of an association is told. */
export interface AssociationOwner {
  /** Connected (an association that connects only). */
  up?(): void;
  message(message: AsapMessage): void;
  /** Before the general decoder: true when the frame `bytes[start, end)` has been dealt with. The bytes are the link's. */
  frame?(bytes: Buffer, start: number, end: number): boolean;
  drain?(): void;
  /** The last call, exactly once. */
  down(reason: TransportError): void;
}

export interface AssociationOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** ASAP_ERRORs sent a second at most, so that two ends never feed each other with them; as many lines in the log. Default 10. */
  readonly errorRate?: number;
}

/** ASAP over one link, for either end: bytes become messages here, and malformed or unknown ones are answered with ASAP_ERROR (RFC 5352 §2.2.14; RFC 5354 §3, §4).
 *  RFC 5352 §2.1 asks for SCTP between PE and registrar; any transport of frames serves here, TCP too. */
export class Association implements LinkHandler {
  readonly #logger: Logger;
  readonly #errors: Allowance;
  readonly #warnings: Allowance;
  #owner: AssociationOwner | undefined;
  #link: Link | undefined;
  #isDown = false;

  private constructor({ clock, logger = silentLogger, errorRate = 10 }: AssociationOptions) {
    this.#logger = logger;
    this.#errors = new Allowance(clock, errorRate);
    this.#warnings = new Allowance(clock, errorRate);
  }

  /** Sets one up. The network's failures come as `down`, never from this call. */
  static connect(transport: Transport, address: TransportAddress, owner: (association: Association) => AssociationOwner, options: AssociationOptions & Omit<ConnectOptions, 'framing'>): Association {
    const association = new Association(options);
    association.#owner = owner(association);
    association.#link = transport.connect(address, association, { ...options, framing: asapFraming });
    return association;
  }

  /** For an accepted link: `listen(address, (link) => Association.accept(link, owner, options), { framing: asapFraming, ... })`. */
  static accept(link: Link, owner: (association: Association) => AssociationOwner, options: AssociationOptions): Association {
    const association = new Association(options);
    association.#link = link;
    association.#owner = owner(association);
    return association;
  }

  get link(): Link { return this.#link!; }
  get peer(): TransportAddress { return this.link.peer; }
  get isDown(): boolean { return this.#isDown; }

  /** @returns false when the queue is above its mark (wait for `drain`). Once the link is down the message is dropped: RFC 5352 §3.7.1 leaves it to the sender to ask again elsewhere. */
  send(message: AsapMessage): boolean {
    return this.sendFrame(encodeAsap(message));
  }

  /** A message already encoded; the bytes are the link's from here on. */
  sendFrame(bytes: Uint8Array): boolean {
    return !this.#isDown && this.link.send(bytes);
  }

  close(): void {
    this.#link?.close();
  }

  destroy(reason: TransportError | TransportErrorCode): void {
    this.#link?.destroy(typeof reason === 'string' ? new TransportError(reason, `the association is ended: ${reason}`) : reason);
  }

  // LinkHandler

  up(): void {
    this.#owner?.up?.();
  }

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#owner?.frame?.(bytes, start, end) === true) return;
    const message = this.#decode(bytes, start, end);
    if (message === undefined) return;
    // An ASAP_ERROR is never answered, and what it complains of is for people to read.
    if (message.type === 'ASAP_ERROR' && this.#warnings.take()) this.#logger.warn({ peer: this.peer, causes: message.error }, 'ASAP_ERROR received');
    this.#owner?.message(message);
  }

  drain(): void {
    this.#owner?.drain?.();
  }

  down(reason: TransportError): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#owner?.down(reason);
    this.#owner = undefined;
  }

  #decode(bytes: Buffer, start: number, end: number): AsapMessage | undefined {
    try {
      const { message, reports } = decodeAsap(bytes, start, end);
      if (reports.length > 0 && message.type !== 'ASAP_ERROR') this.#report(reports);
      return message;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#refuse(error, bytes[start]);
      return undefined;
    }
  }

  #refuse(error: WireError, messageType: number | undefined): void {
    const answered = messageType !== ASAP_ERROR && this.#report(error.reports);
    if (this.#warnings.take()) this.#logger.warn({ code: error.code, offset: error.offset, peer: this.peer, messageType, answered }, `a message is refused: ${error.reason}`);
  }

  #report(causes: readonly Cause[]): boolean {
    if (causes.length === 0 || !this.#errors.take()) return false;
    this.send({ type: 'ASAP_ERROR', error: causes });
    return true;
  }
}

const ASAP_ERROR = 0x0e;

/** So many a second, no more. */
export class Allowance {
  #since: Milliseconds = -Infinity;
  #left = 0;

  constructor(private readonly clock: Clock, private readonly perSecond: number) {}

  take(): boolean {
    const now = this.clock.now();
    if (now - this.#since >= 1000) {
      this.#since = now;
      this.#left = this.perSecond;
    }
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
