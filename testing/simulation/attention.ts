import type { AsapMessage, EnrpMessage } from '../../wire/index.js';
import type { Frame } from '../../wire/mapping.js';
import type { Names } from './words.js';

interface Way { readonly from: string; readonly to: string }

/** What of the traffic says something about a procedure. Of what is sent again and again, by a timer, only what was waited for. */
export class Attention {
  /** Answers and what else is waited for. */
  readonly #awaited = new Set<string>();

  constructor(private readonly names: Names) {}

  minds({ type }: Frame): boolean { return type !== 'HEARTBEAT' && type !== 'HEARTBEAT_ACK' && type !== 'WINDOW'; }

  mindsEnrp(message: EnrpMessage, { from, to }: Way): boolean {
    if (message.type === 'ENRP_INIT_TAKEOVER' && this.names.of(message.targetingServer) === to) {
      for (const other of this.names.hosts) this.#awaited.add(`presence ${to} > ${other}`); // the target announces itself, RFC 5353 §3.5.1 step 1
    }
    if (message.type !== 'ENRP_PRESENCE') return true;
    if (message.flags.replyRequired) this.#awaited.add(`presence ${to} > ${from}`);
    return message.flags.replyRequired || this.#awaited.delete(`presence ${from} > ${to}`);
  }

  mindsAsap(message: AsapMessage, { from, to }: Way): boolean {
    switch (message.type) {
      case 'ASAP_ENDPOINT_UNREACHABLE':
        this.#awaited.add(`question ${message.peIdentifier}`);
        return true;
      case 'ASAP_ENDPOINT_KEEP_ALIVE': {
        const matters = message.flags.home || this.#awaited.delete(`question ${message.peIdentifier}`);
        if (matters) this.#awaited.add(`ack ${from} > ${to}`);
        return matters;
      }
      case 'ASAP_ENDPOINT_KEEP_ALIVE_ACK': return this.#awaited.delete(`ack ${to} > ${from}`);
      default: return true;
    }
  }
}
