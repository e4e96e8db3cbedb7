import { createRequire } from 'node:module';
import { FeatureUnavailableError } from '../../errors.js';

/** The only place that imports npm `sctp`. Of the package we take its tables of chunks, parameters and causes, that is the coding of what sets an
 *  association up, and the writing of what reports errors; associations, endpoints, timers and sockets are ours (docs/sctp.md says why). */

/** What we use of `sctp/lib/chunk.js`. */
export interface SctpChunk {
  readonly flags?: { readonly T?: number };
  readonly initiate_tag?: number;
  readonly a_rwnd?: number;
  readonly outbound_streams?: number;
  readonly inbound_streams?: number;
  readonly initial_tsn?: number;
  readonly state_cookie?: Buffer;
  /** Parameters that it does not know and that ask to be reported, each whole. */
  readonly errors?: readonly Buffer[];
  toBuffer(): Buffer;
}

export interface ChunkClass {
  new (type: string, options?: object): SctpChunk;
  fromBuffer(bytes: Buffer): SctpChunk | false;
}

export const SCTP_VERSION = '1.0.0';

/** @param load for tests. Private parts of the package are used, so that no other version will do.
 *  @throws FeatureUnavailableError where the package is not installed, or is another version. */
export function loadPackage(load: (id: string) => unknown = createRequire(import.meta.url)): ChunkClass {
  let version: string | undefined;
  try {
    ({ version } = load('sctp/package.json') as { version?: string });
  } catch (error) {
    throw new FeatureUnavailableError('SCTP', `this installation: npm install sctp@${SCTP_VERSION}`, { cause: error });
  }
  if (version !== SCTP_VERSION) throw new FeatureUnavailableError('SCTP', `version ${version} of the package sctp: npm install sctp@${SCTP_VERSION}`);
  return load('sctp/lib/chunk.js') as ChunkClass;
}
