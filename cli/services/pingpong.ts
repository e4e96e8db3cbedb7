import type { ServiceSession } from '../../index.js';

/** Answers each message by `pong NUMBER from ELEMENT`: numbered in the session by the state cookie, and by whom it was answered. */
export function pingpong(session: ServiceSession, element: string): void {
  let number = 0;
  session.on('cookie', (cookie) => { number = cookie.readUInt32BE(0); });
  session.on('data', () => {
    number += 1;
    const cookie = Buffer.alloc(4);
    cookie.writeUInt32BE(number);
    session.setCookie(cookie);
    void session.send(`pong ${number} from ${element}`);
  });
}
