import { enumeration, group, list, optional, reserved, u32 } from './field.js';
import { codec, type AnyMessageOf, type MessageOf, type MessageTable } from './message.js';
import { Generation, OperationError, PeChecksum, PeerStates, PoolElement, PoolHandle, RemovalRequest, ServerInformation } from './parameters.js';

const servers = { sendingServer: u32, receivingServer: u32 } as const; // §2.1
const UpdateAction = enumeration('ADD_PE', 'DEL_PE'); // §2.4

/** ENRP messages, RFC 5353 §2 (whose prose calls some of them PEER_...; the names are Figure 1's). */
export const enrp = {
  ENRP_PRESENCE: {
    type: 0x01, rfc: '5353 §2.1', flags: { replyRequired: 0x01 }, // missing in the figure, and has three spellings
    body: { ...servers, checksum: optional(PeChecksum), serverInformation: optional(ServerInformation) },
  },
  ENRP_HANDLE_TABLE_REQUEST: {
    type: 0x02, rfc: '5353 §2.2', flags: { ownChildrenOnly: 0x01 },
    body: servers,
  },
  ENRP_HANDLE_TABLE_RESPONSE: {
    type: 0x03, rfc: '5353 §2.3', flags: { reject: 0x01, moreToSend: 0x02 },
    body: { ...servers, poolEntries: list(group({ poolHandle: PoolHandle, poolElements: list(PoolElement, { min: 1 }) })) },
  },
  ENRP_HANDLE_UPDATE: {
    type: 0x04, rfc: '5353 §2.4', flags: {},
    body: {
      ...servers, updateAction: UpdateAction, reserved: reserved(2),
      poolHandle: PoolHandle, poolElement: PoolElement, generation: optional(Generation), removalRequest: optional(RemovalRequest),
    },
  },
  ENRP_LIST_REQUEST: {
    type: 0x05, rfc: '5353 §2.5', flags: {},
    body: servers,
  },
  ENRP_LIST_RESPONSE: {
    type: 0x06, rfc: '5353 §2.6', flags: { reject: 0x01 },
    body: { ...servers, serverInformation: list(ServerInformation), peerStates: optional(PeerStates) },
  },
  ENRP_INIT_TAKEOVER: {
    type: 0x07, rfc: '5353 §2.7', flags: {},
    body: { ...servers, targetingServer: u32 },
  },
  ENRP_INIT_TAKEOVER_ACK: {
    type: 0x08, rfc: '5353 §2.8', flags: {},
    body: { ...servers, targetingServer: u32 },
  },
  ENRP_TAKEOVER_SERVER: {
    type: 0x09, rfc: '5353 §2.9', flags: {},
    body: { ...servers, targetingServer: u32 },
  },
  ENRP_ERROR: {
    type: 0x0a, rfc: '5353 §2.10', flags: {},
    body: { ...servers, error: OperationError },
  },
} as const satisfies MessageTable;

/** What 0x8f04 has a byte for: its index. */
export const peerStates = ['unknown', 'active', 'suspected', 'dead'] as const;
export type PeerState = typeof peerStates[number];

export type EnrpMessageName = keyof typeof enrp;
export type EnrpMessageOf<N extends EnrpMessageName> = MessageOf<typeof enrp, N>;
export type EnrpMessage = AnyMessageOf<typeof enrp>;

const { decode, encode } = codec('ENRP', enrp);
/** @throws WireError, and nothing else, whatever the bytes. */
export const decodeEnrp = decode;
export const encodeEnrp = encode;
