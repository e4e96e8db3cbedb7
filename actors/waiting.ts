import type { Clock, Milliseconds } from '../environment.js';
import { AbortError } from '../errors.js';
import { checkOptions, isSignal } from './options.js';

/** Bounds of a wait: what ends it, and what it then rejects with. */
export interface Bounds {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: { readonly clock: Clock; readonly after: Milliseconds; readonly error: () => Error } | undefined;
}

/** The same outcome as `promise`, or sooner AbortError or the time-out's error. A promise given up is nobody's business any more. */
export function bounded<T>(promise: Promise<T>, { signal, timeout }: Bounds): Promise<T> {
  if (signal?.aborted === true) {
    promise.catch(() => undefined);
    return Promise.reject(new AbortError(signal));
  }
  if (signal === undefined && timeout === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => { end(() => reject(new AbortError(signal as AbortSignal))); };
    const timer = timeout?.clock.setTimeout(() => { end(() => reject(timeout.error())); }, timeout.after);
    const end = (settle: () => void): void => {
      timeout?.clock.clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    };
    signal?.addEventListener('abort', abort, { once: true });
    promise.then((value) => { end(() => resolve(value)); }, (error: Error) => { end(() => reject(error)); });
  });
}

/** Of calls that end something: `flush`, `close`, `drain`, `deregister`. */
export interface EndOptions {
  /** Ends the wait; what was begun goes on. */
  readonly signal?: AbortSignal;
}

/** Begins to end something and waits for it. @throws UsageError INVALID_OPTION, and nothing is begun. */
export async function ending(call: string, options: EndOptions, begin: () => Promise<void>): Promise<void> {
  checkOptions(call, options, { signal: isSignal });
  return bounded(begin(), options);
}

/** A promise that nobody need await (D-4). */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

/** A promise settled from outside; nobody need await it. */
export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => { settle = { resolve, reject }; });
  return { promise: quiet(promise), ...(settle as Omit<Deferred<T>, 'promise'>) };
}
