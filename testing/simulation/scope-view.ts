import type { Dump } from '../../actors/dump.js';

/** A scope at one moment, as plain data: what its registrars say, and what is so. */
export interface ScopeView {
  /** Those that live. */
  readonly registrars: readonly RegistrarView[];
  /** Those that live and want to be registered. */
  readonly elements: readonly ElementView[];
}

export interface RegistrarView {
  readonly name: string;
  readonly id: string;
  readonly dump: Dump;
  /** PE checksums by owner, as it keeps them and as its elements sum up; absent where it keeps none. */
  readonly checksums: readonly { readonly owner: string; readonly kept: number; readonly summed: number }[];
}

export interface ElementView {
  readonly name: string;
  readonly pool: string;
  readonly id: string;
  readonly isRegistered: boolean;
  /** The registrar it takes for its home, where it knows its identifier. */
  readonly home: string | undefined;
}

/** What is said of a moment, not of a state. */
export interface Removal {
  readonly registrar: string;
  readonly element: string;
  readonly reason: string;
  /** The element lives, and nothing has disturbed it, this registrar, or the way between them for longer than any bound. */
  readonly isUndisturbed: boolean;
}

export interface Takeover {
  readonly registrar: string;
  readonly target: string;
  readonly outcome: string;
  /** The same of the target. */
  readonly isUndisturbed: boolean;
}

export interface LookUp {
  readonly user: string;
  readonly pool: string;
  readonly outcome: string;
  /** Milliseconds in which the user's process ran. */
  readonly took: number;
  /** It has been answered before, and an element of the pool was never disturbed. */
  readonly isOwed: boolean;
}
