import type { NetworkEvent } from '../../transports/memory.js';
import { decodeAsap, Framer } from '../../wire/index.js';
import { ASAP_PPID, closeCodes, decodeFrame, mappingFraming, type Frame } from '../../wire/mapping.js';

/** Puts the bytes between hosts in words: who sent which frame of the TCP mapping to whom, and when. */
export class FrameTranscript {
  readonly #lines: { readonly at: number; readonly who: string; readonly what: string }[] = [];
  readonly #framers = new Map<string, Framer>();

  note({ at, from, to, kind, bytes }: NetworkEvent): void {
    const who = `${from} > ${to}`;
    if (kind === 'connect') for (const way of [who, `${to} > ${from}`]) this.#framers.set(way, new Framer(mappingFraming));
    if (kind !== 'bytes') return void (kind !== 'datagram' && this.#lines.push({ at, who, what: kind }));
    this.#framers.get(who)?.push(Buffer.from(bytes ?? []), (chunk, start, end) => { this.#lines.push({ at, who, what: describeFrame(decodeFrame(chunk, start, end)) }); });
  }

  /** Without heartbeats and credit, which say nothing about a procedure. */
  lines({ from = 0, to = Infinity, noise = false, clock = true } = {}): string[] {
    return this.#lines
      .filter(({ at, what }) => at >= from && at <= to && (noise || !/^(HEARTBEAT|WINDOW)/.test(what)))
      .map(({ at, who, what }) => `${clock ? `${String(Math.round(at)).padStart(5)} ` : ''}${who}: ${what}`);
  }

  clear(): void { this.#lines.length = 0; }
}

export function describeFrame(frame: Frame): string {
  switch (frame.type) {
    case 'OPEN': return `OPEN ${frame.session} epoch ${frame.epoch}${frame.echo === true ? ' with echo' : ''} ${frame.tail.toString()}`;
    case 'ACCEPT': return `ACCEPT ${frame.session}${frame.stateful === true ? ' stateful' : ''}${frame.streaming === true ? ' streaming' : ''}`;
    case 'DATA': return describeData(frame);
    case 'REPLY': return `REPLY ${frame.session} to ${frame.recovery === true ? 'callback ' : ''}${frame.id}.${frame.index} ${text(frame.tail)}`;
    case 'DONE': return `DONE ${frame.session} ${frame.recovery === true ? 'callback ' : frame.cumulative === true ? 'up to ' : ''}${frame.id}`;
    case 'ACK': return `ACK ${frame.session} ${frame.id}`;
    case 'REFUSE': case 'CLOSE': return `${frame.type} ${frame.session} ${Object.entries(closeCodes).find(([, code]) => code === frame.code)?.[0] ?? frame.code}`;
    case 'WINDOW': return `WINDOW ${frame.session} ${frame.bytes}`;
    case 'MOVE': return `MOVE ${frame.session}`;
    default: return frame.type;
  }
}

function describeData(frame: Frame<'DATA'>): string {
  if (frame.ppid === ASAP_PPID) {
    const { message } = decodeAsap(frame.tail);
    return `${message.type} ${frame.session}${'cookie' in message ? ` ${text(Buffer.from(message.cookie))}` : ''}`;
  }
  const kind = frame.id === 0 ? 'unprompted' : `${frame.recovery === true ? 'callback ' : ''}${frame.id}`;
  return `DATA ${frame.session} ${kind} ${text(frame.tail)}`;
}

const text = (bytes: Buffer): string => (bytes.length > 40 ? `(${bytes.length} bytes)` : bytes.toString());
