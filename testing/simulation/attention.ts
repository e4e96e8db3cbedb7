import type { AsapMessage, EnrpMessage } from '../../wire/index.js';
import type { Frame } from '../../wire/mapping.js';
import type { Names } from './words.js';

export interface Way { readonly from: string; readonly to: string }

/** What of the traffic says something about a procedure. Of what is sent again and again, by a timer, only what was waited for. */
export class Attention {
  /** Answers and what else is waited for. */
  readonly #awaited = new Set<string>();
  /** Where each pool element is registered: its renewals there are heartbeats. */
  readonly #homes = new Map<number, string>();
  /** Connections that are attempted, and have not been answered. */
  readonly #dialled = new Set<string>();
  /** Who has got whose list since they connected: asking again from time to time is a heartbeat. */
  readonly #listed = new Set<string>();

  constructor(private readonly names: Names) {}

  /** Those who find nobody try again and again: once is enough. */
  mindsConnect({ from, to }: Way, port: number): boolean {
    for (const pair of [`${from} > ${to}`, `${to} > ${from}`]) this.#listed.delete(pair);
    const way = `${from} > ${to}:${port}`;
    if (this.#dialled.has(way)) return false;
    this.#dialled.add(way);
    return true;
  }
  answered({ from, to }: Way, port: number): void { this.#dialled.delete(`${to} > ${from}:${port}`); }

  minds({ type }: Frame): boolean { return type !== 'HEARTBEAT' && type !== 'HEARTBEAT_ACK' && type !== 'WINDOW'; }

  mindsEnrp(message: EnrpMessage, { from, to }: Way): boolean {
    if (message.type === 'ENRP_INIT_TAKEOVER' && this.names.of(message.targetingServer) === to) {
      for (const other of this.names.hosts) this.#awaited.add(`presence ${to} > ${other}`); // the target announces itself, RFC 5353 §3.5.1 step 1
    }
    switch (message.type) {
      case 'ENRP_PRESENCE':
        if (message.flags.replyRequired) this.#awaited.add(`presence ${to} > ${from}`);
        return message.flags.replyRequired || this.#awaited.delete(`presence ${from} > ${to}`);
      case 'ENRP_LIST_REQUEST': {
        const matters = !this.#listed.has(`${from} > ${to}`);
        if (matters) this.#awaited.add(`list ${to} > ${from}`);
        return matters;
      }
      case 'ENRP_LIST_RESPONSE':
        if (!message.flags.reject) this.#listed.add(`${to} > ${from}`);
        return this.#awaited.delete(`list ${from} > ${to}`);
      default: return true;
    }
  }

  mindsAsap(message: AsapMessage, { from, to }: Way): boolean {
    switch (message.type) {
      case 'ASAP_ENDPOINT_UNREACHABLE':
        this.#awaited.add(`question ${message.peIdentifier}`);
        return true;
      case 'ASAP_REGISTRATION': return this.#homes.get(message.poolElement.identifier) !== to;
      case 'ASAP_REGISTRATION_RESPONSE': {
        const isKnown = this.#homes.get(message.peIdentifier) === from && !message.flags.reject;
        if (message.flags.reject) this.#homes.delete(message.peIdentifier);
        else this.#homes.set(message.peIdentifier, from);
        return !isKnown;
      }
      case 'ASAP_DEREGISTRATION': case 'ASAP_DEREGISTRATION_RESPONSE':
        this.#homes.delete(message.peIdentifier);
        return true;
      case 'ASAP_ENDPOINT_KEEP_ALIVE': {
        if (message.flags.home && message.peIdentifier !== undefined) this.#homes.set(message.peIdentifier, from);
        const matters = message.flags.home || this.#awaited.delete(`question ${message.peIdentifier}`);
        if (matters) this.#awaited.add(`ack ${from} > ${to}`);
        return matters;
      }
      case 'ASAP_ENDPOINT_KEEP_ALIVE_ACK': return this.#awaited.delete(`ack ${to} > ${from}`);
      default: return true;
    }
  }
}
