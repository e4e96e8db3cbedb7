import { Worker } from 'node:worker_threads';
import type { Clock, Milliseconds } from '../environment.js';
import { TransportError } from '../errors.js';
import { formatAddress, parseAddress, schemeOf } from '../transports/address.js';
import type { Link, LinkHandler, Transport } from '../transports/transport.js';
import { decodeFrame, encodeFrame, mappingFraming, type Frame } from '../wire/mapping.js';
import { checkOptions, invalid, isDelay, isPort } from './options.js';

/** Proof that a process lives while its loop is blocked (D-28): a thread of the pool element's process answers at a port of its own, and the pool user
 *  asks it when the data channel is silent. */

export interface LivenessOptions {
  /** Where the thread listens, at the host of `listen`; it has to be reachable where the data channel is. Default a free one. */
  readonly port?: number;
  /** Milliseconds for which a loop may be blocked: the thread's word counts for so long. Default 10 000. */
  readonly bound?: Milliseconds;
}
export type Liveness = 'worker' | LivenessOptions;

/** A thread that answers. */
export interface Prover {
  readonly port: number;
  close(): Promise<void>;
}

export const boundOf = (liveness: Liveness): Milliseconds => (liveness === 'worker' ? undefined : liveness.bound) ?? 10_000;
export const portOf = (liveness: Liveness): number => (liveness === 'worker' ? undefined : liveness.port) ?? 0;

/** @throws UsageError INVALID_OPTION. */
export function checkLiveness(liveness: Liveness | undefined): void {
  if (liveness === undefined || liveness === 'worker') return;
  if (typeof liveness !== 'object' || liveness === null) throw invalid("register: liveness is 'worker', or { port, bound }");
  checkOptions('liveness', liveness, { port: isPort, bound: isDelay });
}

/** Starts the thread; rejects where it cannot listen. */
export function startProver({ host, port }: { readonly host: string; readonly port: number }): Promise<Prover> {
  const worker = new Worker(new URL('./liveness-worker.js', import.meta.url), { workerData: { host, port } });
  worker.unref(); // keeps no process alive
  return new Promise((resolve, reject) => {
    worker.once('error', (error) => { reject(new TransportError('LISTEN_FAILED', 'the thread of liveness did not start', { cause: error })); });
    worker.once('message', ({ port: bound, error }: { readonly port?: number; readonly error?: string }) => {
      if (bound !== undefined) return resolve({ port: bound, close: async () => void await worker.terminate() });
      void worker.terminate();
      reject(new TransportError('LISTEN_FAILED', `liveness at ${host}:${port}: ${error ?? ''}`));
    });
  });
}

/** A pool user's connection to a peer's thread: made when the data channel is silent, closed when it speaks again. */
export class Vouching implements LinkHandler {
  /** When the process was asked what it last answered: it lived then. `clock.now()`. */
  at: Milliseconds = -Infinity;
  readonly bound: Milliseconds;
  readonly #transport: Transport;
  readonly #address: string;
  readonly #clock: Clock;
  #link: Link | undefined;
  #isUp = false;
  #askedAt: Milliseconds | undefined;
  #nonce = 0;

  /** @param peer address of the data channel. */
  constructor({ clock, transports }: { readonly clock: Clock; transports(scheme: string): Transport }, peer: string, { port, bound }: Frame<'LIVENESS'>) {
    const { host } = parseAddress(peer, [schemeOf(peer)]);
    this.#clock = clock;
    this.#transport = transports('tcp'); // whatever carries the sessions
    this.#address = formatAddress('tcp', host, port);
    this.bound = Math.min(bound, LONGEST);
  }

  /** One question at a time: what is not answered leaves the peer silent. */
  ask(): void {
    if (this.#askedAt !== undefined) return;
    this.#askedAt = this.#clock.now();
    if (this.#isUp) return this.#send();
    this.#link ??= this.#transport.connect(this.#address, this, { framing: mappingFraming });
  }

  rest(): void { this.#link?.close(); }

  up(): void {
    this.#isUp = true;
    this.#send();
  }

  frame(bytes: Buffer, start: number, end: number): void {
    const frame = decodeFrame(bytes, start, end);
    if (frame.type !== 'HEARTBEAT_ACK' || frame.nonce !== this.#nonce || this.#askedAt === undefined) return;
    this.at = this.#askedAt;
    this.#askedAt = undefined;
  }

  down(): void {
    this.#link = this.#askedAt = undefined;
    this.#isUp = false;
  }

  #send(): void { this.#link?.send(encodeFrame({ type: 'HEARTBEAT', session: 0, nonce: ++this.#nonce, interval: 0 })); }
}

/** However long a pool element asks for. */
const LONGEST: Milliseconds = 60_000;
