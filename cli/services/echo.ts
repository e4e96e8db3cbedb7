import type { ServiceSession } from '../../index.js';

/** Sends everything back. It has no state: no `cookie` listener, no cookies. */
export function echo(session: ServiceSession): void {
  session.on('data', (data) => { void session.send(data); });
}
