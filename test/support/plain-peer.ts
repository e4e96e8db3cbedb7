import type { Link, LinkHandler, Listener, TransportMessage } from '../../transports/transport.js';
import { asapFraming, decodeAsap, encodeAsap, poolHandleKey, type AsapMessage } from '../../wire/index.js';
import { ASAP_PPID } from '../../wire/mapping.js';
import type { WorldHost } from '../../testing/world.js';
import type { SessionWorld } from './session-world.js';

const NO_FRAMES = { framing: asapFraming, ppid: 0xffff_fffe } as const;

/** An association whose end knows RFC 5352 and nothing of ours, as RSPLIB's programs do: ASAP by its payload protocol id, data by any other. */
export class PlainEnd implements LinkHandler {
  link!: Link;
  isUp = false;
  down_: string | undefined;
  readonly messages: { readonly ppid: number; readonly text: string; readonly bytes: Buffer }[] = [];
  onData: ((text: string, ppid: number) => void) | undefined;
  onAsap: ((message: AsapMessage) => void) | undefined;

  up(): void { this.isUp = true; }
  frame(): void { throw new Error('nothing has that payload protocol id'); }
  message({ bytes, ppid }: TransportMessage): void {
    this.messages.push({ ppid, text: Buffer.from(bytes).toString('latin1'), bytes: Buffer.from(bytes) });
    if (ppid !== ASAP_PPID) return this.onData?.(Buffer.from(bytes).toString('latin1'), ppid);
    const message = readable(bytes);
    if (message) this.onAsap?.(message);
  }
  down({ code }: { readonly code: string }): void { this.down_ = code; }

  send(text: string, ppid = 33): void { this.link.send(Buffer.from(text, 'latin1'), { ppid }); }
  sendAsap(message: AsapMessage | Uint8Array): void { this.link.send(message instanceof Uint8Array ? message : encodeAsap(message), { ppid: ASAP_PPID }); }
  /** What has come, without the question for capabilities, which it skips as RFC 5352 has it. */
  get heard(): readonly string[] {
    return this.messages.flatMap(({ ppid, text, bytes }) => {
      if (ppid !== ASAP_PPID) return [text];
      const message = readable(bytes);
      return message?.type === 'ASAP_CAPABILITIES' ? [] : message?.type === 'ASAP_COOKIE' || message?.type === 'ASAP_COOKIE_ECHO' ? [`${message.type} ${Buffer.from(message.cookie).toString('latin1')}${message.snapshot ? ' and more' : ''}`] : [message?.type ?? 'unreadable'];
    });
  }
}

const readable = (bytes: Uint8Array): AsapMessage | undefined => {
  try { return decodeAsap(bytes).message; } catch { return undefined; }
};

/** A pool user's end. */
export async function plainUser(world: SessionWorld, name: string, to: string): Promise<PlainEnd> {
  const end = new PlainEnd();
  end.link = world.host(name).environment.transports('sctp+udp').connect(to, end, { ...NO_FRAMES, connectTimeout: 1_000 });
  await world.until(() => end.isUp);
  return end;
}

export interface PlainElement { readonly host: WorldHost; readonly ends: PlainEnd[]; readonly identifier: number; readonly listener: Listener }

/** A pool element of the pool `pool`, registered as RSPLIB's are: an SCTP transport for data and control, and no word of capabilities. `at`: its SCTP port; 0 is any. */
export async function plainElement(world: SessionWorld, name: string, identifier: number, accepted: (end: PlainEnd) => void, at = 0): Promise<PlainElement> {
  const host = world.host(name);
  const ends: PlainEnd[] = [];
  const listener = await world.settled(host.environment.transports('sctp+udp').listen(`sctp+udp://${host.address}:${at}`, (link) => {
    const end = Object.assign(new PlainEnd(), { link, isUp: true });
    ends.push(end);
    accepted(end);
    return end;
  }, NO_FRAMES));
  const port = Number(listener.address.slice(listener.address.lastIndexOf(':') + 1));
  world.registry.push({
    key: poolHandleKey('pool'),
    element: { identifier, homeRegistrar: 1, registrationLife: -1, policy: { policy: 'round-robin' }, userTransport: { transport: 'sctp', port, use: 'data-and-control', addresses: [host.address] } },
  });
  return { host, ends, identifier, listener };
}
