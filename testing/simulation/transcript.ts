import type { Milliseconds } from '../../environment.js';
import type { NetworkEvent } from '../../transports/memory.js';
import { asapFraming, decodeAsap, decodeEnrp, enrpFraming, Framer, WireError, type Framing } from '../../wire/index.js';
import { decodeFrame, mappingFraming } from '../../wire/mapping.js';
import { Attention, type Way } from './attention.js';
import { describeAsap, describeEnrp, describeFrame, Names } from './words.js';

/** What happened, a line for each event: the same to the byte for the same seed. Give `network` as the world's `trace`, and it says who sent what to
 *  whom: ASAP (port 3863, and pool elements' own listeners), ENRP (9901), sessions' data links. What says nothing about a procedure is left out:
 *  heartbeats, credit, presences, keep-alives and renewals that nobody waits for. */
export class Transcript {
  readonly lines: string[] = [];
  readonly entries: TranscriptEntry[] = [];
  readonly names = new Names();
  readonly #attention = new Attention(this.names);
  readonly #streams = new Map<number, Stream>();

  constructor(private readonly now: () => Milliseconds) {}

  note(who: string, what: string): void {
    const at = this.now();
    this.entries.push({ at, who, what });
    this.lines.push(`${(at / 1000).toFixed(3).padStart(9)}  ${who.padEnd(9)}  ${what}`);
  }

  readonly network = ({ from, to, kind, bytes, stream: { number, port } = { number: 0, port: 0 } }: NetworkEvent): void => {
    if (kind === 'datagram') return; // announcements, again and again
    const way = { from, to };
    if (kind === 'connect') {
      if (this.#attention.mindsConnect(way, port)) this.note(`${from} > ${to}`, `connect${protocolAt(port)}`);
      return;
    }
    const known = this.#streams.get(number);
    if (kind !== 'bytes') return this.#ends(number, known, way, kind);
    const chunk = Buffer.from(bytes ?? []);
    const stream = known ?? { protocol: protocolOf(port, chunk), framers: new Map() };
    this.#streams.set(number, stream);
    this.#attention.answered(way, port);
    this.#read(stream, way, chunk);
  };

  /** Without times: `r2 > r1: ENRP_PRESENCE`. */
  said(): string[] { return this.entries.map(({ who, what }) => `${who}: ${what}`); }

  clear(): void { this.lines.length = this.entries.length = 0; }

  /** The first end of it says so, where both had said something. */
  #ends(number: number, stream: Stream | undefined, { from, to }: Way, how: 'end' | 'reset'): void {
    this.#streams.delete(number);
    if (stream?.framers.size === 2) this.note(`${from} > ${to}`, how);
  }

  #read({ protocol, framers }: Stream, way: Way, chunk: Buffer): void {
    const framer = framers.get(way.from) ?? new Framer(framings[protocol]);
    framers.set(way.from, framer);
    try {
      framer.push(chunk, (bytes, start, end) => { this.#frame(protocol, way, bytes, start, end); });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.note(`${way.from} > ${way.to}`, `nonsense: ${error.message}`);
    }
  }

  #frame(protocol: Protocol, way: Way, bytes: Buffer, start: number, end: number): void {
    const what = this.#words(protocol, way, bytes, start, end);
    if (what !== undefined) this.note(`${way.from} > ${way.to}`, what);
  }

  #words(protocol: Protocol, way: Way, bytes: Buffer, start: number, end: number): string | undefined {
    if (protocol === 'sessions') {
      const frame = decodeFrame(bytes, start, end);
      return this.#attention.minds(frame) ? describeFrame(frame) : undefined;
    }
    const frame = Buffer.from(bytes.subarray(start, end));
    if (protocol === 'ENRP') {
      const { message } = decodeEnrp(frame);
      this.names.meet(message.sendingServer, way.from);
      return this.#attention.mindsEnrp(message, way) ? describeEnrp(message, this.names) : undefined;
    }
    const { message } = decodeAsap(frame);
    if (message.type === 'ASAP_REGISTRATION') this.names.meetElement(message.poolElement.identifier, way.from);
    return this.#attention.mindsAsap(message, way) ? describeAsap(message, this.names) : undefined;
  }
}

export interface TranscriptEntry {
  readonly at: Milliseconds;
  /** `r2 > r1`, or who or what something happens to. */
  readonly who: string;
  readonly what: string;
}

/** Long data in short. */
export const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 32)}... (${text.length} bytes)` : text);

type Protocol = keyof typeof framings;
const framings = { ASAP: asapFraming, ENRP: enrpFraming, sessions: mappingFraming } as const satisfies Record<string, Framing>;
interface Stream {
  readonly protocol: Protocol;
  /** One for each end that sends. */
  readonly framers: Map<string, Framer>;
}

const ASAP_PORT = 3863;
const ENRP_PORT = 9901;

const protocolAt = (port: number): string => (port === ASAP_PORT ? ' to ASAP' : port === ENRP_PORT ? ' to ENRP' : '');

/** At a port of a pool element the first byte tells: a type of ASAP is not 0, the length of a session's first frame begins with 0. */
const protocolOf = (port: number, first: Buffer): Protocol => (port === ENRP_PORT ? 'ENRP' : port === ASAP_PORT || first[0] !== 0 ? 'ASAP' : 'sessions');
