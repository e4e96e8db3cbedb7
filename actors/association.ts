import { silentLogger, type Clock, type Logger, type Milliseconds } from '../environment.js';
import { TransportError, type TransportErrorCode } from '../errors.js';
import type { ConnectOptions, Link, LinkHandler, Transport, TransportAddress } from '../transports/transport.js';
import { asapFraming, decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, enrpFraming, WireError, type AsapMessage, type Cause, type EnrpMessage, type Framing } from '../wire/index.js';

/** A protocol of messages over links: ASAP, or ENRP. */
export interface ControlProtocol<M extends { readonly type: string }> {
  readonly framing: Framing;
  /** Payload protocol identifier on SCTP (IANA). */
  readonly ppid: number;
  readonly decode: (bytes: Uint8Array, start: number, end: number) => { readonly message: M; readonly reports: readonly Cause[] };
  readonly encode: (message: M) => Buffer;
  /** The message that reports errors (ASAP_ERROR, ENRP_ERROR): its number and name, and how it is made. */
  readonly errorNumber: number;
  readonly errorType: M['type'];
  readonly error: (causes: readonly Cause[]) => M;
}

export const asapProtocol: ControlProtocol<AsapMessage> = {
  framing: asapFraming, ppid: 11, decode: decodeAsap, encode: encodeAsap,
  errorNumber: 0x0e, errorType: 'ASAP_ERROR', error: (causes) => ({ type: 'ASAP_ERROR', error: causes }),
};

/** Sent by that registrar; to whom does not matter in an error. */
export const enrpProtocol = (sendingServer: number): ControlProtocol<EnrpMessage> => ({
  framing: enrpFraming, ppid: 12, decode: decodeEnrp, encode: encodeEnrp,
  errorNumber: 0x0a, errorType: 'ENRP_ERROR', error: (causes) => ({ type: 'ENRP_ERROR', sendingServer, receivingServer: 0, error: causes }),
});

/** Messages that come together are handled for so long in one go: 64 KiB hold hundreds of registrations. */
export const CONTROL_SLICE: Milliseconds = 5;

/** After which an association is lost where its transport judges that (SCTP): later than the protocols' own timers, which ask first. */
export const CONTROL_SILENCE: Milliseconds = 2_000;

/** What the owner of an association is told. */
export interface AssociationOwner<M = AsapMessage> {
  /** Connected (an association that connects only). */
  up?(): void;
  message(message: M): void;
  /** Before the general decoder: true when the frame `bytes[start, end)` has been dealt with. The bytes are the link's. */
  frame?(bytes: Buffer, start: number, end: number): boolean;
  /** The frame cannot be decoded; the peer has been told so. */
  refused?(error: WireError): void;
  drain?(): void;
  /** The last call, exactly once. */
  down(reason: TransportError): void;
}

export interface AssociationOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Errors sent a second at most, so that two ends never feed each other with them; as many lines in the log. Default 10. */
  readonly errorRate?: number;
}

/** Control messages over one link, for either end: bytes become messages here, and malformed or unknown ones are answered with ASAP_ERROR or ENRP_ERROR
 *  (RFC 5352 §2.2.14; RFC 5353 §3.7; RFC 5354 §3, §4). The RFCs ask for SCTP; any transport of frames serves here, TCP too. */
export class Association<M extends { readonly type: string } = AsapMessage> implements LinkHandler {
  readonly #protocol: ControlProtocol<M>;
  readonly #logger: Logger;
  readonly #errors: Allowance;
  readonly #warnings: Allowance;
  #owner: AssociationOwner<M> | undefined;
  #link: Link | undefined;
  #isDown = false;

  private constructor(protocol: ControlProtocol<M>, { clock, logger = silentLogger, errorRate = 10 }: AssociationOptions) {
    this.#protocol = protocol;
    this.#logger = logger;
    this.#errors = new Allowance(clock, errorRate);
    this.#warnings = new Allowance(clock, errorRate);
  }

  /** Connects. `owner` is given the association that it will own, before anything happens on it. */
  static connect(transport: Transport, address: TransportAddress, owner: (association: Association) => AssociationOwner, options: AssociationOptions & Omit<ConnectOptions, 'framing'>): Association {
    return Association.open(asapProtocol, transport, address, owner, options);
  }

  /** The same with any protocol. */
  static open<M extends { readonly type: string }>(protocol: ControlProtocol<M>, transport: Transport, address: TransportAddress, owner: (association: Association<M>) => AssociationOwner<M>, options: AssociationOptions & Omit<ConnectOptions, 'framing'>): Association<M> {
    const association = new Association(protocol, options);
    association.#owner = owner(association);
    association.#link = transport.connect(address, association, { ...options, framing: protocol.framing, ppid: protocol.ppid, silence: CONTROL_SILENCE, sliceTime: CONTROL_SLICE });
    return association;
  }

  /** For an accepted link: `listen(address, (link) => Association.accept(link, owner, options), { framing: asapFraming, sliceTime: CONTROL_SLICE, ... })`. */
  static accept(link: Link, owner: (association: Association) => AssociationOwner, options: AssociationOptions): Association {
    return Association.take(asapProtocol, link, owner, options);
  }

  /** The same with any protocol. */
  static take<M extends { readonly type: string }>(protocol: ControlProtocol<M>, link: Link, owner: (association: Association<M>) => AssociationOwner<M>, options: AssociationOptions): Association<M> {
    const association = new Association(protocol, options);
    association.#link = link;
    association.#owner = owner(association);
    return association;
  }

  get link(): Link { return this.#link!; }
  get peer(): TransportAddress { return this.link.peer; }
  get isDown(): boolean { return this.#isDown; }

  /** @returns false when the queue is above its mark (wait for `drain`). Once the link is down the message is dropped: RFC 5352 §3.7.1 leaves it to the sender to ask again elsewhere. */
  send(message: M): boolean {
    return this.sendFrame(this.#protocol.encode(message));
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
    // An error is never answered, and what it complains of is for people to read.
    if (message.type === this.#protocol.errorType && this.#warnings.take()) this.#logger.warn({ peer: this.peer, causes: (message as { readonly error?: unknown }).error }, `${message.type} received`);
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

  #decode(bytes: Buffer, start: number, end: number): M | undefined {
    try {
      const { message, reports } = this.#protocol.decode(bytes, start, end);
      if (reports.length > 0 && message.type !== this.#protocol.errorType) this.#report(reports);
      return message;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#refuse(error, bytes[start]);
      return undefined;
    }
  }

  #refuse(error: WireError, messageType: number | undefined): void {
    const answered = messageType !== this.#protocol.errorNumber && this.#report(error.reports);
    if (this.#warnings.take()) this.#logger.warn({ code: error.code, offset: error.offset, peer: this.peer, messageType, answered }, `a message is refused: ${error.reason}`);
    this.#owner?.refused?.(error);
  }

  #report(causes: readonly Cause[]): boolean {
    if (causes.length === 0 || !this.#errors.take()) return false;
    this.send(this.#protocol.error(causes));
    return true;
  }
}

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
