import type { Milliseconds } from '../environment.js';
import { schemeOf } from '../transports/address.js';
import { RegistrarError, type RserpoolError, type TransportError } from '../errors.js';
import type { TransportAddress } from '../transports/transport.js';
import { causeCode, type Cause, type EnrpMessage, type WireError } from '../wire/index.js';
import { asapProtocol, Association, enrpProtocol, type AssociationOwner } from './association.js';
import type { ActorEnvironment } from './environment.js';

/** An association on which one question after the other is asked. */
export class EnrpInquiry implements AssociationOwner<EnrpMessage> {
  readonly #registrar: TransportAddress;
  readonly #timeout: Milliseconds;
  readonly #environment: ActorEnvironment;
  readonly #association: Association<EnrpMessage>;
  readonly #deadline: unknown;
  #open: { readonly isAnswer: (message: EnrpMessage) => boolean; readonly fail: (error: RserpoolError) => void } | undefined;
  /** Why nothing more can be asked. */
  #failure: RserpoolError | undefined;

  constructor(registrar: TransportAddress, timeout: Milliseconds, environment: ActorEnvironment) {
    this.#registrar = registrar;
    this.#timeout = timeout;
    this.#environment = environment;
    this.#association = Association.open(enrpProtocol(0), environment.transports(schemeOf(registrar)), registrar, () => this, { ...environment, connectTimeout: timeout });
    this.#deadline = environment.clock.setTimeout(() => { this.#fail(this.endless(`it has not come to an end after ${(WHOLE * timeout) / 1_000} s`)); }, WHOLE * timeout);
  }

  /** Rejects at whatever is no answer: silence, an error, another protocol, the end of the association. */
  ask<T>(request: EnrpMessage, answer: (message: EnrpMessage) => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const { clock } = this.#environment;
      const settle = (): void => {
        clock.clearTimeout(timer);
        this.#open = undefined;
      };
      const isAnswer = (message: EnrpMessage): boolean => {
        const value = answer(message);
        if (value === undefined) return false;
        settle();
        resolve(value);
        return true;
      };
      const timer = clock.setTimeout(() => { this.#fail(this.#error('NO_ANSWER', `it has not answered ${request.type} within ${this.#timeout / 1_000} s`)); }, this.#timeout);
      this.#open = { isAnswer, fail: (error) => { settle(); reject(error); } };
      this.#association.send(request);
    });
  }

  close(): void {
    this.#environment.clock.clearTimeout(this.#deadline);
    if (this.#failure === undefined) this.#association.close();
    else this.#association.destroy('LINK_CLOSED');
  }

  refusal(why: string): RegistrarError { return this.#error('REQUEST_REFUSED', why); }
  invalid(why: string, cause?: unknown): RegistrarError { return this.#error('INVALID_ANSWER', why, cause); }
  endless(why: string): RegistrarError { return this.#error('ENDLESS_ANSWER', why); }

  // AssociationOwner

  frame(bytes: Buffer, start: number): boolean {
    if (bytes[start] !== asapProtocol.errorNumber) return false;
    this.#fail(this.#error('WRONG_PROTOCOL', 'it speaks ASAP; its ENRP address is wanted'));
    return true;
  }

  message(message: EnrpMessage): void {
    if (this.#open?.isAnswer(message) === true || message.type !== 'ENRP_ERROR') return;
    this.#fail(this.refusal(`it refuses: ${message.error.map(causeText).join(', ')}`));
  }

  /** A message of a later release may come and is not for us; one that we should know is the end. */
  refused(error: WireError): void {
    if (error.code !== 'UNKNOWN_TYPE') this.#fail(this.invalid(`its answer makes no sense: ${error.reason}`, error));
  }

  down(reason: TransportError): void { this.#fail(reason); }

  #fail(error: RserpoolError): void {
    this.#failure ??= error;
    this.#open?.fail(this.#failure);
  }

  #error(code: RegistrarError['code'], why: string, cause?: unknown): RegistrarError {
    return new RegistrarError(code, `${this.#registrar}: ${why}`, { cause });
  }
}

/** Times the time-out of one answer. */
const WHOLE = 12;

function causeText(cause: Cause): string {
  if (cause.cause === 'unknown') return `cause 0x${causeCode(cause).toString(16)}`;
  if (cause.cause === 'unknown-pool-handle') return 'unknown pool handle, or no such element in that pool'; // RFC 5354 has one cause for both
  return cause.cause.replaceAll('-', ' ');
}
