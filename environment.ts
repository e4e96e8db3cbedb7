/** What the outside world gives us: time, randomness, a logger. Injected everywhere, so that a test owns all three. */

/** Milliseconds. */
export type Milliseconds = number;

/** Monotonic time; also a clock for XState (`createActor(machine, { clock })`). */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): Milliseconds;
  setTimeout(expire: () => void, delay: Milliseconds): unknown;
  clearTimeout(timer: unknown): void;
  /** Runs `task` in this turn of the event loop, after its poll phase and before any later timer (`setImmediate`). */
  defer(task: () => void): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform in [0, 2^32). */
  u32(): number;
  bytes(length: number): Uint8Array;
}

/** The shape of pino's logger: an object of details first, then the message. Silent unless one is given. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

const nothing = (): void => undefined;
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
