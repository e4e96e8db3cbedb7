import type { DeliveryMode } from '../../../delivery/modes.js';
import type { Milliseconds } from '../../../environment.js';
import type { PlannedSend } from './plan.js';

/** Registrations of one element have neighbouring identifiers; an element is named by its first. */
export const elementOf = (peIdentifier: number): number => peIdentifier - (peIdentifier % REGISTRATIONS);
export const REGISTRATIONS = 16;

/** What those who use a pool saw, as plain data: invariants are held against it. */
export interface PoolHistory {
  readonly sent: Map<number, SentMessage>;
  /** Registrations without a data channel. */
  readonly basic: Set<number>;
  /** Registrations with one, of elements that have several. */
  readonly carriers: Map<number, number>;
  /** Host of each element. */
  readonly hosts: Map<number, string>;
  readonly fast: { readonly took: Milliseconds; readonly isUndisturbed: boolean }[];
  readonly slow: SlowHistory;
}

/** One message of `rsp.send`. */
export interface SentMessage {
  readonly number: number;
  readonly kind: PlannedSend['to'];
  readonly mode: DeliveryMode;
  /** `resolved`, or the error's code. */
  outcome: string | undefined;
  /** The error says that nobody has it. */
  isNotTaken: boolean;
  /** Who has it, says the promise: PE identifiers. */
  to: readonly number[] | undefined;
  /** Elements. */
  readonly handledBy: number[];
  /** Who says so in it, and whom the user was told it came from. */
  readonly answers: { readonly by: number; readonly from: number }[];
  /** An `'error'` event gave it back. */
  isReported: boolean;
  /** To all: PE identifiers of those who have to get it, since nothing ever happened to them, to a registrar, or to the user. */
  owed: readonly number[];
}

export interface SlowHistory {
  sent: number;
  /** Numbers of the replies that its listener was given. */
  readonly got: number[];
  /** Bytes of replies that its service has made and its listener has not been given. */
  ahead: number;
  /** Why one of the two has moved, though nothing had happened to anybody. */
  left: string | undefined;
}

export const emptyPoolHistory = (): PoolHistory => ({ sent: new Map(), basic: new Set(), carriers: new Map(), hosts: new Map(), fast: [], slow: { sent: 0, got: [], ahead: 0, left: undefined } });

/** A user's names at rest; lines are `IDENTIFIER ADDRESS`, or `POOL IDENTIFIER`. */
export interface PoolView {
  /** Registrations of those that live. */
  readonly living: readonly string[];
  readonly registrars: readonly { readonly name: string; readonly pools: readonly string[]; readonly watched: readonly string[] }[];
  readonly cache: readonly string[];
  /** Servers that were given, and are in use. */
  readonly callers: ReadonlyMap<string, number>;
}

export interface Indication {
  readonly caller: string;
  readonly from: number;
  readonly to: number;
  /** Whom the caller was given last. */
  readonly had: number | undefined;
  /** `from` lives, and nothing has happened to it, its registrars, or the user. */
  readonly isUndisturbed: boolean;
}

export interface CardHistory {
  readonly received: { readonly client: string; readonly instance: string; readonly number: number }[];
  readonly instances: readonly ServiceInstance[];
}

/** A session's instance at the service, whose client is an element too. */
export interface ServiceInstance {
  readonly name: string;
  readonly isClientDead: boolean;
  readonly hasCard: boolean;
  /** How often it met somebody in the client's place. */
  readonly met: number;
  /** `closed`, or the error's code. */
  readonly end: string | undefined;
  /** The service's own process left, or died. */
  readonly isLeaving: boolean;
  /** It did not run just before its end, so could not tell a dead client from one that had left it (D-29). */
  readonly hadSlept: boolean;
}

export interface MetClient {
  readonly to: number;
  /** What the client's card said. */
  readonly order: readonly number[];
  /** Of that order, those that nothing has happened to. */
  readonly well: readonly number[];
  readonly isClientWell: boolean;
}
