import { createActor, type Actor } from 'xstate';
import { writeData, type FrameSpace } from '../delivery/port.js';
import type { Clock, Logger, Milliseconds } from '../environment.js';
import { controlChannelMachine, type BusinessCard } from '../machines/control-channel.js';
import { decodeAsap, encodeAsap, poolHandleKey, type AsapMessageOf } from '../wire/index.js';
import { ASAP_PPID, type Frame } from '../wire/mapping.js';

export interface ControlChannelSetup {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isService: boolean;
  /** This end's business card, as an ASAP_BUSINESS_CARD; undefined: it has none. */
  readonly card: () => Uint8Array | undefined;
  /** BC1: the pool of a card may not be known yet. */
  readonly lookUp: (card: BusinessCard) => void;
  readonly repeatCookies?: () => void;
}

/** The control channel of a link as such: what goes on session 0 (RFC 5352 §3.9). Cookies go on the numbers of their sessions. */
export class ControlChannel {
  readonly actor: Actor<typeof controlChannelMachine>;
  #sent: Uint8Array | undefined;

  constructor(link: FrameSpace, { clock, logger, isService, card, lookUp, repeatCookies }: ControlChannelSetup) {
    const bytesNow = (): Uint8Array | undefined => card() ?? (this.#sent && withdrawal(this.#sent));
    this.actor = createActor(controlChannelMachine, { clock, input: { isService, hasCard: () => bytesNow() !== undefined, cookieInterval: COOKIE_INTERVAL } });
    this.actor.subscribe({ error: (error) => { logger.error({ err: error }, 'a control channel failed'); } });
    this.actor.on('order.sendCard', () => {
      const bytes = bytesNow();
      if (bytes === undefined || (this.#sent && Buffer.compare(bytes, this.#sent) === 0)) return; // something else of this process has changed
      this.#sent = bytes;
      writeData(link, 0, 0, ASAP_PPID, 0, bytes);
    });
    this.actor.on('order.lookUp', (order) => { if (order.card.order.length > 0) lookUp(order.card); });
    if (repeatCookies) this.actor.on('order.repeatCookies', repeatCookies);
    this.actor.start();
  }

  /** The peer's newest business card, where it has not taken it back. */
  get card(): BusinessCard | undefined {
    const { card } = this.actor.getSnapshot().context;
    return card?.order.length === 0 ? undefined : card;
  }

  begin(): void { this.actor.send({ type: 'communication.begins' }); }
  cardChanged(): void { this.actor.send({ type: 'card.changed' }); }
  down(): void { this.actor.send({ type: 'transport.down' }); }

  /** A DATA frame of session 0. @throws WireError. */
  receive(frame: Frame<'DATA'>): void {
    if (frame.ppid !== ASAP_PPID || frame.more === true) return;
    const { message } = decodeAsap(frame.tail);
    if (message.type !== 'ASAP_BUSINESS_CARD') return;
    const order = message.failoverOrder.slice(0, MAX_CARD).map(({ identifier }) => identifier);
    this.actor.send({ type: 'ASAP_BUSINESS_CARD', card: { key: poolHandleKey(message.poolHandle), order } });
  }
}

/** The card of who has left its last pool names nobody: RFC 5352 has no other way to take one back. */
function withdrawal(sent: Uint8Array): Uint8Array {
  const { message } = decodeAsap(sent);
  return encodeAsap({ ...message as AsapMessageOf<'ASAP_BUSINESS_CARD'>, failoverOrder: [] });
}

const COOKIE_INTERVAL: Milliseconds = 1_000;
/** Elements of a card that are sent or kept: its sender, and so many it prefers. */
export const MAX_PREFERRED = 64;
const MAX_CARD = 1 + MAX_PREFERRED;
