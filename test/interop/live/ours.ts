import { TransportError } from '../../../errors.js';
import type { SctpLink } from '../../../transports/sctp/link.js';
import type { SctpMessage } from '../../../transports/sctp/messages.js';
import { createSctpTransport, type SctpTransport } from '../../../transports/sctp/sctp.js';
import type { SctpOptions } from '../../../transports/sctp/settings.js';
import type { ConnectOptions, LinkHandler, Listener } from '../../../transports/transport.js';
import { nodeAddresses, nodeClock, nodeDatagrams, nodeRandom, nodeRoute } from '../../../transports/node.js';
import { asapFraming } from '../../../wire/index.js';
import { until } from '../lab/until.js';

/** Our SCTP on the host's side of the lab. */
export const transport = (settings: SctpOptions = {}): SctpTransport => createSctpTransport({
  datagrams: nodeDatagrams, clock: nodeClock, random: nodeRandom, lookUp: async (host) => Promise.resolve([host]), route: nodeRoute, addresses: nodeAddresses, ...settings,
});

/** Our end of an association. */
export class End implements LinkHandler {
  link!: SctpLink;
  isUp = false;
  reason: TransportError | undefined;
  readonly messages: SctpMessage[] = [];
  #taken = 0;

  static connect(from: SctpTransport, address: string, options: Partial<ConnectOptions> = {}): End {
    const end = new End();
    end.link = from.connect(address, end, { framing: asapFraming, connectTimeout: 10_000, ...options });
    return end;
  }

  /** `accepted` gets each association that comes in. */
  static async listen(at: SctpTransport, address: string, accepted: End[]): Promise<Listener> {
    return at.listen(address, (link) => {
      const end = new End();
      end.link = link;
      end.isUp = true;
      accepted.push(end);
      return end;
    }, { framing: asapFraming });
  }

  up(): void { this.isUp = true; }
  frame(bytes: Buffer, start: number, end: number): void { this.message({ bytes: Buffer.from(bytes.subarray(start, end)), ppid: 11, stream: -1, unordered: false }); }
  message(message: SctpMessage): void { this.messages.push(message); }
  down(reason: TransportError): void { this.reason = reason; }

  async connected(): Promise<this> {
    await until(() => this.isUp || this.reason !== undefined, 'our link is up', 15_000);
    if (this.reason !== undefined) throw this.reason;
    return this;
  }

  async next(): Promise<SctpMessage> {
    await until(() => this.messages.length > this.#taken || this.reason !== undefined, 'a message came', 20_000);
    const message = this.messages[this.#taken];
    if (message === undefined) throw this.reason ?? new Error('nothing');
    this.#taken += 1;
    return message;
  }

  async ended(): Promise<TransportError> {
    await until(() => this.reason !== undefined, 'our link is down', 15_000);
    return this.reason!;
  }

  /** Over and done with, whatever state it is in. */
  end(): void { this.link.destroy(new TransportError('LINK_CLOSED', 'the test is over')); }
}
