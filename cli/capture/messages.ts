import { WireError } from '../../wire/error.js';
import { asapFraming, enrpFraming } from '../../wire/framer.js';
import { readPackets } from './file.js';
import { ipPacketOf, knowsLinkType, type IpPacket } from './network.js';
import { SctpReassembly, type SctpMessage } from './sctp.js';
import { TcpStream } from './tcp.js';
import { CaptureError } from './error.js';

export type Protocol = 'ASAP' | 'ENRP';
/** A message of ours in a capture, or what should have become one. */
export interface CapturedMessage {
  readonly frame?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly protocol: Protocol;
  readonly bytes: Buffer;
  /** Why it is none. */
  readonly broken?: WireError;
}

const SCTP = 132;
const TCP = 6;
const UDP = 17;
const SCTP_OVER_UDP = 9899; // RFC 6951
const ppids: ReadonlyMap<number, Protocol> = new Map([[11, 'ASAP'], [12, 'ENRP']]); // RFC 5352 §7, RFC 5353 §6
const ports: ReadonlyMap<number, Protocol> = new Map([[3863, 'ASAP'], [9901, 'ENRP']]);

/** Every ASAP and ENRP message of a capture file, in the order in which each became whole.
 *  @throws CaptureError where the file breaks; what came before has been yielded. */
export function* capturedMessages(file: Buffer): Generator<CapturedMessage> {
  const state = new Conversations();
  for (const { frame, linkType, bytes, offset } of readPackets(file)) {
    if (!knowsLinkType(linkType)) throw new CaptureError(offset, `link type ${linkType} is not supported`);
    const packet = ipPacketOf(linkType, bytes);
    if (packet !== undefined) yield* state.push(packet, frame);
  }
  yield* state.unfinished();
}

class Conversations {
  readonly #sctp = new SctpReassembly();
  readonly #tcp = new Map<string, { stream: TcpStream; about: About }>();

  *push(packet: IpPacket, frame: number): Generator<CapturedMessage> {
    const { protocol, payload } = packet;
    if (protocol === SCTP) yield* this.#pushSctp(packet, payload, frame);
    else if (protocol === UDP && payload.length >= 8) yield* this.#pushUdp(packet, frame);
    else if (protocol === TCP && payload.length >= 4) yield* this.#pushTcp(packet, frame);
  }

  *unfinished(): Generator<CapturedMessage> {
    for (const message of this.#sctp.unfinished()) {
      const protocol = ppids.get(message.ppid);
      if (protocol !== undefined) yield { protocol, bytes: message.bytes, broken: incomplete(message.bytes.length) };
    }
    for (const { stream, about } of this.#tcp.values()) {
      if (stream.pending > 0) yield { ...about, bytes: Buffer.alloc(0), broken: incomplete(stream.pending) };
    }
  }

  *#pushSctp(packet: IpPacket, payload: Buffer, frame: number): Generator<CapturedMessage> {
    for (const message of this.#sctp.push(payload)) {
      const protocol = ppids.get(message.ppid);
      if (protocol !== undefined) yield { frame, ...ends(packet, message), protocol, bytes: message.bytes };
    }
  }

  *#pushUdp(packet: IpPacket, frame: number): Generator<CapturedMessage> {
    const { payload } = packet;
    const between = { sourcePort: payload.readUInt16BE(0), destinationPort: payload.readUInt16BE(2) };
    const data = payload.subarray(8, Math.max(payload.readUInt16BE(4), 8));
    const protocol = ports.get(between.destinationPort) ?? ports.get(between.sourcePort);
    if (between.destinationPort === SCTP_OVER_UDP || between.sourcePort === SCTP_OVER_UDP) yield* this.#pushSctp(packet, data, frame);
    else if (protocol !== undefined) yield { frame, ...ends(packet, between), protocol, bytes: data };
  }

  *#pushTcp(packet: IpPacket, frame: number): Generator<CapturedMessage> {
    const { payload } = packet;
    const between = { sourcePort: payload.readUInt16BE(0), destinationPort: payload.readUInt16BE(2) };
    const protocol = ports.get(between.destinationPort) ?? ports.get(between.sourcePort);
    if (protocol === undefined) return;
    const about = { ...ends(packet, between), protocol };
    const stream = this.#streamOf(about, payload);
    const messages: Buffer[] = [];
    const broken = wireErrorOf(() => stream.push(payload, messages));
    for (const bytes of messages) yield { frame, ...about, bytes };
    if (broken !== undefined) yield { frame, ...about, bytes: Buffer.alloc(0), broken };
  }

  /** A connection that begins anew between the same ends is another stream. */
  #streamOf(about: About, segment: Buffer): TcpStream {
    const key = `${about.source} ${about.destination}`;
    const known = this.#tcp.get(key);
    const begins = segment.length >= 14 && (segment[13]! & 0x02) !== 0;
    if (known !== undefined && !begins) return known.stream;
    const stream = new TcpStream(about.protocol === 'ASAP' ? asapFraming : enrpFraming);
    this.#tcp.set(key, { stream, about });
    return stream;
  }
}

interface About {
  readonly source: string;
  readonly destination: string;
  readonly protocol: Protocol;
}

const ends = ({ source, destination }: IpPacket, { sourcePort, destinationPort }: Pick<SctpMessage, 'sourcePort' | 'destinationPort'>) =>
  ({ source: endpoint(source, sourcePort), destination: endpoint(destination, destinationPort) });
const endpoint = (address: string, port: number): string => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);

function wireErrorOf(attempt: () => void): WireError | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

const incomplete = (length: number): WireError => new WireError('TRUNCATED', length, `a message of which only ${length} bytes were captured`);
