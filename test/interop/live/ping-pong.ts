import type { ServiceSession } from '../../../actors/service-session.js';
import type { Session } from '../../../actors/session.js';
import { nodeClock } from '../../../transports/node.js';
import { until } from '../lab/until.js';

/** RSPLIB's ping-pong, as recorded in ../pcaps/02: `type, flags, length` of 1, 1 and 2 bytes, then numbers of 8 bytes: a ping has its own, a pong that one and how many replies
 *  there have been, wherever: the service's state, which its cookie carries. */
const PPID = 33;
const PING = 1;
const PONG = 2;
const COOKIE = Buffer.from('<PP-TD1>');

/** For `register`: a pool element of ours with that service. */
export function pingPongService(session: ServiceSession): void {
  let next = 1n;
  session.on('cookie', (cookie) => { next = Buffer.from(cookie).readBigUInt64BE(COOKIE.length); });
  session.on('data', (data, info) => {
    const ping = Buffer.from(data);
    const pong = Buffer.concat([header(PONG, ping.length + 8), ping.subarray(4, 12), number(next++), ping.subarray(12)]);
    session.setCookie(Buffer.concat([COOKIE, number(next)]));
    void info.reply(pong, { ppid: PPID });
  });
}

export interface Reply {
  readonly element: number | undefined;
  readonly count: number;
  /** Milliseconds. */
  readonly at: number;
}

/** A pool user of ours that pings every 50 ms, as theirs is made to. */
export class PingPongUser {
  readonly replies: Reply[] = [];
  #sent = 0n;
  #timer: unknown;

  constructor(readonly session: Session) {
    session.on('data', (data) => {
      const count = Number(Buffer.from(data).readBigUInt64BE(12));
      this.replies.push({ element: session.peIdentifier, count, at: nodeClock.now() });
    });
    this.#ping();
  }

  get last(): Reply | undefined { return this.replies.at(-1); }

  /** Resolves once that element has answered, or any one so often. */
  async hears(more: { readonly from: number } | { readonly times: number }, patience?: number): Promise<void> {
    const had = this.replies.length;
    if ('from' in more) await until(() => this.replies.slice(had).some(({ element }) => element === more.from), `our user hears 0x${more.from.toString(16)}`, patience);
    else await until(() => this.replies.length >= had + more.times, 'our user hears more', patience);
  }

  /** Between two replies, at most. */
  get longestSilence(): number { return Math.max(...this.replies.slice(1).map(({ at }, index) => at - this.replies[index]!.at)); }

  /** Where a reply has not the number behind the one before: from which element, and the two numbers. */
  get gaps(): readonly string[] {
    return this.replies.slice(1).flatMap(({ element, count }, index) => (count === this.replies[index]!.count + 1 ? [] : [`0x${element?.toString(16) ?? ''}: ${this.replies[index]!.count}, ${count}`]));
  }

  end(): void {
    nodeClock.clearTimeout(this.#timer);
    this.session.destroy();
  }

  #ping(): void {
    this.#timer = nodeClock.setTimeout(() => { this.#ping(); }, 50);
    const text = Buffer.from('ping\0');
    void this.session.send(Buffer.concat([header(PING, 12 + text.length), number(++this.#sent), text]), { ppid: PPID }).catch(() => undefined);
  }
}

const number = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};

const header = (type: number, length: number): Buffer => Buffer.from([type, 0, length >> 8, length & 0xff]);
