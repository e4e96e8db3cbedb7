import type { ServiceSession } from '../../index.js';

/** Counts each session's messages and answers `COUNT MESSAGE`. The count is the state cookie: the pool element that takes a session over
 *  is told the cookie first, and counts on from there. */
export function counter(session: ServiceSession): void {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (data) => {
    count += 1;
    session.setCookie(String(count));
    void session.send(`${count} ${data.toString()}`);
  });
}
