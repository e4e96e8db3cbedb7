import type { Job } from '../lab/agent.js';
import type { Capture } from '../lab/capture.js';

/** What RSPLIB's ping-pong user prints of its replies. */

export interface Reply {
  readonly element: string;
  /** What the service has counted: its cookie carries it. */
  readonly count: number;
}

export const replyLine = /from PE \$([0-9a-f]{8}) \(reply #(\d+)\)/;
export const replyOf = ([, element = '', count]: RegExpExecArray): Reply => ({ element, count: Number(count) });
export const reply = async (user: Job): Promise<Reply> => replyOf(await user.out(replyLine, 90_000)); // a silent death takes half a minute

export async function replyFrom(user: Job, accept: (element: string) => boolean): Promise<Reply> {
  for (;;) {
    const next = await reply(user);
    if (accept(next.element)) return next;
  }
}

/** Seconds between two replies at the user at that address, at most. */
export async function longestSilence(capture: Capture, user: string): Promise<number> {
  const replies = await capture.fields(`sctp.data_payload_proto_id == 33 && ip.dst == ${user}`, ['ip.src']);
  return Math.max(...replies.slice(1).map(({ time }, index) => time - replies[index]!.time));
}
