import { copyOf } from '../delivery/buffers.js';
import type { RserpoolError } from '../errors.js';
import type { Unsubscribe } from './emitter.js';
import type { ReceivedInfo } from './session-messages.js';
import type { SessionEvents } from './session-types.js';
import { deferred, type Deferred } from './waiting.js';

/** What `for await` gives of a session. */
export interface Received {
  readonly data: Buffer;
  readonly info: ReceivedInfo;
}

export interface IterationOwner {
  on<E extends 'data' | 'closed'>(event: E, listener: SessionEvents[E]): Unsubscribe;
  readonly isOver: boolean;
  /** Why the session has ended, where that was not in order. */
  readonly failure: RserpoolError | undefined;
}

/** A session's data, pulled: each message holds its credit until the next one is asked for, so that a slow reader slows its service and nobody else (D-21).
 *  Ends when the session is closed, throws when it has failed. */
export class SessionIteration implements AsyncIterableIterator<Received> {
  readonly #owner: IterationOwner;
  readonly #unsubscribe: readonly Unsubscribe[];
  readonly #queue: (Received & { readonly consumed: Deferred<void> })[] = [];
  /** Of those given out since `next` was last called. */
  #given: Deferred<void>[] = [];
  #waiting: Deferred<IteratorResult<Received>>[] = [];
  #isOver: boolean;
  #isDone = false;

  constructor(owner: IterationOwner) {
    this.#owner = owner;
    this.#isOver = owner.isOver;
    this.#unsubscribe = [owner.on('closed', () => { this.#end(); }), owner.on('data', (data, info) => this.#take(data, info))];
  }

  [Symbol.asyncIterator](): this { return this; }

  next(): Promise<IteratorResult<Received>> {
    this.#release();
    if (this.#queue.length > 0) return Promise.resolve(this.#give());
    if (this.#isOver) return this.#last();
    const waiting = deferred<IteratorResult<Received>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** `break` in the loop: what has come and was not read is dropped. */
  return(): Promise<IteratorResult<Received>> {
    this.#isDone = true;
    this.#end();
    this.#given.push(...this.#queue.splice(0).map(({ consumed }) => consumed));
    this.#release();
    return Promise.resolve({ done: true, value: undefined });
  }

  #take(data: Buffer, info: ReceivedInfo): Promise<void> {
    const consumed = deferred<void>();
    this.#queue.push({ data: copyOf(data), info, consumed });
    this.#waiting.shift()?.resolve(this.#give());
    return consumed.promise;
  }

  #give(): IteratorResult<Received> {
    const { data, info, consumed } = this.#queue.shift()!;
    this.#given.push(consumed);
    return { done: false, value: { data, info } };
  }

  #release(): void {
    for (const consumed of this.#given.splice(0)) consumed.resolve();
  }

  #end(): void {
    this.#isOver = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { resolve, reject } of this.#waiting.splice(0)) this.#last().then(resolve, reject);
  }

  #last(): Promise<IteratorResult<Received>> {
    const { failure } = this.#owner;
    if (failure === undefined || this.#isDone) return Promise.resolve({ done: true, value: undefined });
    this.#isDone = true;
    return Promise.reject(failure);
  }
}
