import { Causes } from './causes.js';
import { bytes, i32, optional, u16, u32, type Content, type ValueOf } from './field.js';
import { only, parameter, structure } from './interpreter.js';
import { Policy } from './policies.js';
import { AnyTransport, ControlTransport } from './transport-parameters.js';

/** Parameters of RFC 5354 §3.9 to §3.15 (transports and policies have their own files), RSPLIB's one and our eight. Table 1 gives 32-bit
 *  ranges for a type of 16 bits, and §3.15 a length of 6 where the total must divide by four: 16 bits, padding outside the length. */

/** Any bytes but none at all. */
const handle: Content<Uint8Array> = {
  read: (decoding, start, end) => {
    if (start === end) throw decoding.error('INVALID_VALUE', start, 'an empty pool handle', start - 4);
    return bytes.read(decoding, start, end);
  },
  write: (writer, value) => bytes.write(writer, value),
};

export const PoolHandle = parameter('Pool Handle', 0x9, handle); // §3.9
export const OperationError = parameter('Operation Error', 0xc, Causes); // §3.12
export const Cookie = parameter('Cookie', 0xd, bytes); // §3.13
export const PeIdentifier = parameter('PE Identifier', 0xe, only(u32)); // §3.14
export const PeChecksum = parameter('PE Checksum', 0xf, only(u16)); // §3.15

/** RSPLIB's: how many pool elements a resolution should return, 0xffffffff for all. */
export const ItemsWanted = parameter('Handle Resolution', 0x803f, only(u32));
/** Ours, "skip if unknown": which registration of this PE identifier is meant; ties between homes are broken by their identifier. */
export const Generation = parameter('Generation', 0x8f01, structure({ generation: u32, home: u32 }));
/** Ours: what a pool element speaks beyond the RFCs. */
export const Capabilities = parameter('Capabilities', 0x8f02, bytes);
/** Ours: which messages of a session a cookie contains. */
export const Snapshot = parameter('Snapshot', 0x8f03, bytes);

/** Ours: what a registrar thinks of the peers that its list names, for who watches: a byte each in the list's order (wire/enrp.ts, `peerStates`). */
export const PeerStates = parameter('Peer States', 0x8f04, bytes);
/** Ours: a removal is asked for, by an operator; it is not the home's word. */
export const RemovalRequest = parameter('Removal Request', 0x8f05, bytes);
/** Ours: how many elements a pool has whose list is cut: one that is not listed may be there all the same. */
export const PoolSize = parameter('Pool Size', 0x8f06, only(u32));
/** Ours: a pool page by page, in the order of PE identifiers. A request says where the page begins; the answer repeats it, and says how many elements are behind the page's last. */
export const PoolPage = parameter('Pool Page', 0x8f08, structure({ from: u32, behind: u32 }));
/** Ours: registrations with the same one are one pool element's, for one mapping each. */
export const ElementTie = parameter('Element Tie', 0x8f07, bytes);

/** §3.10. Registration Life is signed, in seconds (RSPLIB sends milliseconds), -1 for ever. The ASAP transport is in the figure but not in
 *  the sentence about the length, and a PE need not send it: optional here. */
export const PoolElement = parameter('Pool Element', 0xa, structure({
  identifier: u32, homeRegistrar: u32, registrationLife: i32,
  userTransport: AnyTransport, policy: Policy, asapTransport: optional(ControlTransport),
  generation: optional(Generation), capabilities: optional(Capabilities), tie: optional(ElementTie),
}));

export const ServerInformation = parameter('Server Information', 0xb, structure({ serverId: u32, transport: ControlTransport })); // §3.11

export type PoolElement = ValueOf<typeof PoolElement>;
export type Generation = ValueOf<typeof Generation>;
export type PoolPage = ValueOf<typeof PoolPage>;
export type ServerInformation = ValueOf<typeof ServerInformation>;
