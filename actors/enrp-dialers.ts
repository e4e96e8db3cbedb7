import type { Milliseconds } from '../environment.js';
import { growing } from '../machines/random.js';
import type { ActorEnvironment } from './environment.js';

export interface DialersOwner {
  /** Makes a link there; `failed` or `met` follows. */
  dial(address: string): void;
  /** There is a link to that registrar. */
  isConnected(registrar: number): boolean;
}

/** Where other registrars may be: configured addresses for ever, addresses that others have named for an hour, or less where it was nobody one knows. Those that are not connected are tried again and again,
 *  jittered, soon at first. */
export class Dialers {
  readonly #dialers = new Map<string, Dialer>();
  #isClosed = false;

  constructor(private readonly environment: ActorEnvironment, private readonly longest: Milliseconds, private readonly most: number, private readonly owner: DialersOwner) {}

  get isEmpty(): boolean { return this.#dialers.size === 0; }
  /** No configured one is left that might still be reached at its first try. */
  get areTried(): boolean { return [...this.#dialers.values()].every(({ isTried, isSelf, expires }) => isTried || isSelf || expires < Infinity); }

  configure(addresses: readonly string[]): void { for (const address of addresses) this.#add(address, Infinity); }

  /** @returns false when it is known, or too many are. */
  learn(address: string, life: Milliseconds = REMEMBERED): boolean {
    const known = this.#dialers.get(address);
    if (known !== undefined) {
      known.expires = Math.max(known.expires, this.environment.clock.now() + life);
      return false;
    }
    if (this.#dialers.size >= this.most) return false;
    this.#add(address, this.environment.clock.now() + life);
    return true;
  }

  /** The registrar at that address has said who it is. */
  met(address: string, registrar: number): void {
    const dialer = this.#dialers.get(address);
    if (dialer === undefined) return;
    dialer.registrar = registrar;
    dialer.failures = 0;
    dialer.isTried = true;
  }

  /** That address is our own. */
  itself(address: string): void {
    const dialer = this.#dialers.get(address);
    if (dialer !== undefined) dialer.isSelf = true;
  }

  /** The link to that address has ended. @returns how often in a row; 0 for one that nobody has configured. */
  ended(address: string, wasMet: boolean): number {
    const dialer = this.#dialers.get(address);
    if (dialer === undefined || dialer.isSelf) return 0;
    dialer.isDialling = false;
    dialer.isTried = !wasMet; // who was there a moment ago is tried once more before it is given up
    dialer.failures = wasMet ? 0 : dialer.failures + 1;
    this.#arm(dialer, wasMet ? FIRST / 4 : growing(FIRST, dialer.failures, this.longest));
    return dialer.expires < Infinity ? 0 : dialer.failures;
  }

  /** Tries at once what leads to that registrar. */
  hurry(registrar: number): void {
    for (const dialer of this.#dialers.values()) if (dialer.registrar === registrar && !dialer.isDialling) this.#arm(dialer, 0);
  }

  /** The registrar there is another one now, or none. */
  forget(registrar: number): void {
    for (const dialer of this.#dialers.values()) if (dialer.registrar === registrar) dialer.registrar = undefined;
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#dialers.values()) this.environment.clock.clearTimeout(timer);
    this.#dialers.clear();
  }

  #add(address: string, expires: Milliseconds): void {
    if (this.#dialers.has(address)) return;
    const dialer: Dialer = { address, expires, registrar: undefined, failures: 0, isTried: false, isSelf: false, isDialling: false, timer: undefined };
    this.#dialers.set(address, dialer);
    this.#try(dialer);
  }

  #try(dialer: Dialer): void {
    dialer.timer = undefined;
    if (this.#isClosed || dialer.isSelf) return;
    if (dialer.expires < this.environment.clock.now()) return void this.#dialers.delete(dialer.address);
    if (dialer.registrar !== undefined && this.owner.isConnected(dialer.registrar)) return this.#arm(dialer, LOOK);
    dialer.isDialling = true;
    this.owner.dial(dialer.address);
  }

  #arm(dialer: Dialer, delay: Milliseconds): void {
    const { clock, random } = this.environment;
    clock.clearTimeout(dialer.timer);
    if (!this.#isClosed) dialer.timer = clock.setTimeout(() => { this.#try(dialer); }, delay * (0.5 + random.fraction() / 2));
  }
}

interface Dialer {
  readonly address: string;
  expires: Milliseconds;
  /** Who is there, as far as known. */
  registrar: number | undefined;
  /** In a row. */
  failures: number;
  isTried: boolean;
  isSelf: boolean;
  isDialling: boolean;
  timer: unknown;
}

const FIRST: Milliseconds = 100;
const LOOK: Milliseconds = 1_000;
const REMEMBERED: Milliseconds = 3_600_000;
