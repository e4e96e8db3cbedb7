import { list, optional, u32 } from './field.js';
import { codec, type AnyMessageOf, type MessageOf, type MessageTable } from './message.js';
import { Capabilities, Cookie, Generation, ItemsWanted, OperationError, PeIdentifier, PoolElement, PoolHandle, PoolPage, PoolSize, Snapshot } from './parameters.js';
import { Policy } from './policies.js';
import { ControlTransport } from './transport-parameters.js';

/** ASAP messages, RFC 5352 §2.2: a flag names its bit, a body lists its parts in wire order. What is not the RFC's (generation, snapshot, pool size and
 *  pages, RSPLIB's number of items) has type bits that say "skip". RSPLIB skips it where more is to come, but takes whatever stands behind a response's last
 *  parameter for its error, and refuses the response: there the generation comes earlier. */
export const asap = {
  ASAP_REGISTRATION: {
    type: 0x01, rfc: '5352 §2.2.1', flags: {},
    body: { poolHandle: PoolHandle, poolElement: PoolElement },
  },
  ASAP_DEREGISTRATION: {
    type: 0x02, rfc: '5352 §2.2.2', flags: {},
    body: { poolHandle: PoolHandle, peIdentifier: PeIdentifier, generation: optional(Generation) },
  },
  ASAP_REGISTRATION_RESPONSE: {
    type: 0x03, rfc: '5352 §2.2.3', flags: { reject: 0x01 },
    body: { poolHandle: PoolHandle, generation: optional(Generation), peIdentifier: PeIdentifier, error: optional(OperationError) },
  },
  ASAP_DEREGISTRATION_RESPONSE: {
    type: 0x04, rfc: '5352 §2.2.4', flags: {},
    body: { poolHandle: PoolHandle, generation: optional(Generation), peIdentifier: PeIdentifier, error: optional(OperationError) },
  },
  ASAP_HANDLE_RESOLUTION: {
    type: 0x05, rfc: '5352 §2.2.5', flags: { sendUpdates: 0x01 },
    body: { poolHandle: PoolHandle, itemsWanted: optional(ItemsWanted), page: optional(PoolPage) },
  },
  ASAP_HANDLE_RESOLUTION_RESPONSE: {
    type: 0x06, rfc: '5352 §2.2.6', flags: { acceptUpdates: 0x01 },
    body: { poolHandle: PoolHandle, policy: optional(Policy), poolElements: list(PoolElement), error: optional(OperationError), poolSize: optional(PoolSize), page: optional(PoolPage) },
  },
  ASAP_ENDPOINT_KEEP_ALIVE: {
    type: 0x07, rfc: '5352 §2.2.7', flags: { home: 0x01 },
    // RSPLIB adds the PE identifier: the handle alone is ambiguous for two elements of one pool on one association. A new home
    // says by which generation it has the registration.
    body: { serverIdentifier: u32, poolHandle: PoolHandle, peIdentifier: optional(PeIdentifier), generation: optional(Generation) },
  },
  ASAP_ENDPOINT_KEEP_ALIVE_ACK: {
    type: 0x08, rfc: '5352 §2.2.8', flags: {},
    body: { poolHandle: PoolHandle, peIdentifier: PeIdentifier },
  },
  ASAP_ENDPOINT_UNREACHABLE: {
    type: 0x09, rfc: '5352 §2.2.9', flags: {},
    body: { poolHandle: PoolHandle, peIdentifier: PeIdentifier },
  },
  ASAP_SERVER_ANNOUNCE: {
    type: 0x0a, rfc: '5352 §2.2.10', flags: {},
    body: { serverIdentifier: u32, transports: list(ControlTransport) },
  },
  ASAP_COOKIE: {
    type: 0x0b, rfc: '5352 §2.2.11', flags: {},
    body: { cookie: Cookie, snapshot: optional(Snapshot) },
  },
  ASAP_COOKIE_ECHO: {
    type: 0x0c, rfc: '5352 §2.2.12', flags: {},
    body: { cookie: Cookie, snapshot: optional(Snapshot) },
  },
  ASAP_BUSINESS_CARD: {
    type: 0x0d, rfc: '5352 §2.2.13', flags: {},
    body: { poolHandle: PoolHandle, failoverOrder: list(PoolElement) },
  },
  ASAP_ERROR: {
    type: 0x0e, rfc: '5352 §2.2.14', flags: {},
    body: { error: OperationError },
  },
  // Ours, between the two ends of a session over SCTP: its type's bits say "skip" (RFC 5352 §2.2).
  ASAP_CAPABILITIES: {
    type: 0x8f, rfc: 'none', flags: { answer: 0x01 },
    body: { capabilities: Capabilities },
  },
} as const satisfies MessageTable;

export type AsapMessageName = keyof typeof asap;
export type AsapMessageOf<N extends AsapMessageName> = MessageOf<typeof asap, N>;
export type AsapMessage = AnyMessageOf<typeof asap>;

const { decode, encode } = codec('ASAP', asap);
/** @throws WireError, and nothing else, whatever the bytes. */
export const decodeAsap = decode;
export const encodeAsap = encode;
