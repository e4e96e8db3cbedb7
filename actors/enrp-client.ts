import type { Milliseconds } from '../environment.js';
import type { TransportAddress } from '../transports/transport.js';
import { peerStates, poolHandleFromKey, poolHandleKey, type EnrpMessage, type EnrpMessageOf, type PoolElement } from '../wire/index.js';
import { dumpOf, hexadecimal, knownPeer, type Dump, type KnownPeer } from './dump.js';
import { EnrpInquiry } from './enrp-inquiry.js';
import { nodeEnvironment, type ActorEnvironment } from './environment.js';
import { checkAddress, checkHandle } from './options.js';

/** What an operator asks a registrar: by ENRP, at its ENRP address, without being a registrar. So without a presence, and with the identifier 0, which is nobody's. */

export interface InquiryOptions {
  /** For each answer; all of them together may take twelve times as long. Default 5000 ms. */
  readonly timeout?: Milliseconds;
  /** Default Node.js's. */
  readonly environment?: ActorEnvironment;
}

/** The whole of what that registrar knows: its peers, then the handle table in pieces.
 *  @throws UsageError INVALID_URL; TransportError where nobody is there; RegistrarError. */
export async function dumpRegistrar(registrar: TransportAddress, options: InquiryOptions = {}): Promise<Dump> {
  return inquire(registrar, options, async (inquiry) => {
    const list = await inquiry.ask({ type: 'ENRP_LIST_REQUEST', ...fromNobody }, (message) => (message.type === 'ENRP_LIST_RESPONSE' ? message : undefined));
    const identifier = list.sendingServer;
    if (list.flags.reject) throw inquiry.refusal('it gives no list of its peers now');
    if (identifier === 0) throw inquiry.invalid('it has the identifier 0, which is nobody\'s');
    return dumpOf(identifier, peersOf(list, inquiry), await download(identifier, inquiry));
  });
}

/** Asks for the removal of a pool element, whoever its home registrar is; resolves once it is out of the handlespace. A living one registers again by itself.
 *  @throws as dumpRegistrar, and UsageError INVALID_HANDLE. */
export async function removeElement(registrar: TransportAddress, handle: string | Uint8Array, peIdentifier: number, options: InquiryOptions = {}): Promise<void> {
  const key = checkHandle(handle);
  const request: EnrpMessage = {
    type: 'ENRP_HANDLE_UPDATE', ...fromNobody, updateAction: 'DEL_PE',
    poolHandle: poolHandleFromKey(key), poolElement: onlyNamed(peIdentifier), removalRequest: new Uint8Array(0),
  };
  await inquire(registrar, options, (inquiry) => inquiry.ask(request, (message) => isRemoval(message, key, peIdentifier) || undefined));
}

const fromNobody = { sendingServer: 0, receivingServer: 0 } as const;

/** Pieces, and elements in them, that a handle table has at most: RSPLIB puts 128 elements into a piece, ours fills 64 KiB. */
const MAX_PIECES = 10_000;
const MAX_ELEMENTS = 1_000_000;

/** A list may name its sender among the others. */
function peersOf({ sendingServer, serverInformation, peerStates: states }: EnrpMessageOf<'ENRP_LIST_RESPONSE'>, inquiry: EnrpInquiry): readonly KnownPeer[] {
  if (states !== undefined && states.length !== serverInformation.length) throw inquiry.invalid(`it lists ${serverInformation.length} registrars and the states of ${states.length}`);
  const peers = serverInformation.map((server, index) => knownPeer(server, peerStates[states?.[index] ?? 0]));
  const identifiers = new Set(peers.map(({ id }) => id));
  if (identifiers.size < peers.length) throw inquiry.invalid('it lists a registrar twice');
  if (identifiers.has(0)) throw inquiry.invalid('it lists a registrar with the identifier 0, which is nobody\'s');
  return peers.filter(({ id }) => id !== sendingServer);
}

interface Piece {
  readonly key: string;
  readonly elements: readonly PoolElement[];
}

/** Each request goes on behind the last answer, as long as that has the M bit (RFC 5353 §3.2.3). */
async function download(identifier: number, inquiry: EnrpInquiry): Promise<readonly Piece[]> {
  const pieces: Piece[] = [];
  let elements = 0;
  for (let answers = 1; ; answers++) {
    const { sendingServer, flags, poolEntries } = await inquiry.ask(
      { type: 'ENRP_HANDLE_TABLE_REQUEST', ...fromNobody, receivingServer: identifier, flags: { ownChildrenOnly: false } },
      (message) => (message.type === 'ENRP_HANDLE_TABLE_RESPONSE' ? message : undefined));
    if (sendingServer !== identifier) throw inquiry.invalid(`it was ${hexadecimal(identifier)} and is ${hexadecimal(sendingServer)} now`);
    if (flags.reject) throw inquiry.refusal('it gives no handle table now');
    for (const { poolHandle, poolElements } of poolEntries) {
      pieces.push({ key: poolHandleKey(poolHandle), elements: poolElements });
      elements += poolElements.length;
    }
    if (!flags.moreToSend) return pieces;
    if (poolEntries.length === 0) throw inquiry.endless('it announces more again and again, and sends nothing');
    if (answers === MAX_PIECES || elements > MAX_ELEMENTS) throw inquiry.endless(`its handle table does not end after ${answers} pieces with ${elements} elements`);
  }
}

/** The message has room for a whole pool element; here only its identifier counts. */
const onlyNamed = (identifier: number): PoolElement => ({
  identifier, homeRegistrar: 0, registrationLife: 0, policy: { policy: 'round-robin' }, userTransport: { transport: 'tcp', port: 0, addresses: ['0.0.0.0'] },
});

const isRemoval = (message: EnrpMessage, key: string, peIdentifier: number): boolean =>
  message.type === 'ENRP_HANDLE_UPDATE' && message.updateAction === 'DEL_PE' && poolHandleKey(message.poolHandle) === key && message.poolElement.identifier === peIdentifier;

async function inquire<T>(registrar: TransportAddress, { timeout = 5_000, environment = nodeEnvironment() }: InquiryOptions, questions: (inquiry: EnrpInquiry) => Promise<T>): Promise<T> {
  checkAddress(environment, registrar);
  const inquiry = new EnrpInquiry(registrar, timeout, environment);
  try {
    return await questions(inquiry);
  } finally {
    inquiry.close();
  }
}
