import { Association } from '../actors/association.js';
import { nodeEnvironment } from '../actors/environment.js';
import { decodeAsap, encodeAsap, type AsapMessage } from '../wire/index.js';
import { InOrder } from './in-order.js';

const KEEP_ALIVE = 0x07;
const environment = nodeEnvironment();

/** ASAP by whole frames over one association, for any number of pool elements: a registrar answers in order, and its keep-alives are acknowledged. */
export class AsapClient {
  readonly #waiting = new InOrder();
  readonly #association: Association;
  /** Bytes of the last answer. */
  size = 0;

  private constructor(address: string, up: () => void) {
    this.#association = Association.connect(environment.transports('tcp'), address, () => ({
      up, message: (message) => { this.#acknowledge(message); }, down: () => undefined, frame: (bytes, start, end) => this.#frame(bytes, start, end),
    }), environment);
  }

  static connect(address: string): Promise<AsapClient> {
    return new Promise((resolve) => { const client = new AsapClient(address, () => { resolve(client); }); });
  }

  request(frame: Uint8Array, done: () => void): void {
    this.#waiting.push(done);
    this.#association.sendFrame(frame);
  }

  ask(frame: Uint8Array): Promise<void> { return new Promise((resolve) => { this.request(frame, resolve); }); }
  close(): void { this.#association.close(); }

  #frame(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[start] === KEEP_ALIVE) return false;
    this.size = end - start;
    this.#waiting.next();
    return true;
  }

  #acknowledge(message: AsapMessage): void {
    if (message.type !== 'ASAP_ENDPOINT_KEEP_ALIVE') return;
    this.#association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: message.poolHandle, peIdentifier: message.peIdentifier ?? 0 });
  }
}

export const handleOf = (pool: number): Buffer => Buffer.from(`pool-${pool}`);

export const resolution = (pool: number): Buffer => encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: handleOf(pool) });

export const registration = (pool: number, identifier: number): Buffer => encodeAsap({
  type: 'ASAP_REGISTRATION', poolHandle: handleOf(pool),
  poolElement: {
    identifier, homeRegistrar: 0, registrationLife: 3600, policy: { policy: 'round-robin' }, capabilities: Uint8Array.of(1),
    userTransport: { transport: 'tcp', port: 4000, addresses: ['127.0.0.1'] }, asapTransport: { transport: 'tcp', port: 4001, addresses: ['127.0.0.1'] },
  },
});

/** The answer that a registrar would give to the resolution of a pool with so many elements. */
export function answer(pool: number, elements: number): AsapMessage & { readonly type: 'ASAP_HANDLE_RESOLUTION_RESPONSE' } {
  const poolElements = Array.from({ length: elements }, (_, index) => {
    const { message } = decodeAsap(registration(pool, index + 1));
    if (message.type !== 'ASAP_REGISTRATION') throw new Error(message.type);
    return message.poolElement;
  });
  return { type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: handleOf(pool), poolElements };
}
