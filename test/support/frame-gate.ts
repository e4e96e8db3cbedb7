import { nodeEnvironment, type ActorEnvironment } from '../../actors/environment.js';
import type { LinkHandler, Transport } from '../../transports/transport.js';
import { decodeAsap } from '../../wire/index.js';
import { ASAP_PPID, mapping, mappingFraming, offsets, readU32 } from '../../wire/mapping.js';
import { decodeSnapshot } from '../../wire/snapshot.js';

/** What a pool element says of a message, in this order (D-10). */
export const answers = ['reply', 'cookie', 'done'] as const;
export type Answer = (typeof answers)[number];

/** Stands before a pool user's real links: what a pool element says to a session comes through up to some frame, and nothing behind it: as if the
 *  element had died between the two. */
export class FrameGate {
  readonly environment: ActorEnvironment;
  /** Links that are up, each with what it lets through; undefined: everything. */
  readonly #links = new Map<number, { readonly message: number; readonly before: Answer | 'the end' } | undefined>();
  readonly #closed = new Set<string>();
  #awaited: { readonly count: number; readonly reached: () => void } | undefined;
  #lastLink = 0;

  constructor() {
    const environment = nodeEnvironment();
    this.environment = { ...environment, transports: (scheme) => this.#before(environment.transports(scheme)) };
  }

  /** From now on the links that are there let through what concerns messages before `message`; of those from it on only what comes before `before`.
   *  Resolves when so many sessions have met that. */
  closeAt(message: number, before: Answer | 'the end', count: number): Promise<void> {
    for (const link of this.#links.keys()) this.#links.set(link, { message, before });
    this.#closed.clear();
    return new Promise((resolve) => { this.#awaited = { count, reached: resolve }; });
  }

  #look(): void {
    if (this.#awaited !== undefined && this.#closed.size >= this.#awaited.count) this.#awaited.reached();
  }

  #before(transport: Transport): Transport {
    return {
      schemes: transport.schemes,
      listen: (...args) => transport.listen(...args),
      connect: (address, handler, options) => transport.connect(address, options.framing === mappingFraming ? this.#gated(handler) : handler, options),
    };
  }

  #gated(handler: LinkHandler): LinkHandler {
    const link = ++this.#lastLink;
    this.#links.set(link, undefined);
    const frame: LinkHandler['frame'] = (bytes, start, end) => {
      const closing = this.#links.get(link);
      const session = `${link}/${readU32(bytes, start + 8)}`;
      if (this.#closed.has(session)) return;
      const answer = closing && answerIn(bytes, start, end);
      const isShut = closing !== undefined && answer !== undefined && answer.id >= closing.message && isBehind(answer.kind, closing.before);
      if (!isShut || closing.before === 'the end') handler.frame(bytes, start, end);
      if (!isShut) return;
      this.#closed.add(session);
      this.#look();
    };
    const down: LinkHandler['down'] = (reason) => { this.#links.delete(link); handler.down(reason); };
    return { frame, up: () => handler.up?.(), chunkEnd: () => handler.chunkEnd?.(), beforeWrite: () => handler.beforeWrite?.(), drain: () => handler.drain?.(), down };
  }
}

const isBehind = (kind: Answer, before: Answer | 'the end'): boolean => (before === 'the end' ? kind === 'done' : answers.indexOf(kind) >= answers.indexOf(before));

function answerIn(bytes: Buffer, start: number, end: number): { readonly kind: Answer; readonly id: number } | undefined {
  switch (bytes[start + 4]) {
    case mapping.REPLY.type: return { kind: 'reply', id: readU32(bytes, start + offsets.REPLY.id) };
    case mapping.DONE.type: return { kind: 'done', id: readU32(bytes, start + offsets.DONE.id) };
    case mapping.DATA.type: return readU32(bytes, start + offsets.DATA.ppid) === ASAP_PPID ? cookieIn(bytes.subarray(start + offsets.DATA.tail, end)) : undefined;
    default: return undefined;
  }
}

function cookieIn(bytes: Buffer): { readonly kind: 'cookie'; readonly id: number } | undefined {
  const { message } = decodeAsap(bytes);
  return message.type === 'ASAP_COOKIE' && message.snapshot ? { kind: 'cookie', id: decodeSnapshot(message.snapshot).covered } : undefined;
}
