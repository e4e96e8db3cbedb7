import { randomBytes } from 'node:crypto';
import { initialize, type ServiceSession } from '../../index.js';
import { bareServer } from '../bare.js';
import { inputOf, serveParent } from '../child.js';

/** A pool element with a stateless echo and a counter with a signed cookie for each message, and the bare opponent in the same process. */
const { registrar, listen = 'tcp://127.0.0.1:0' } = inputOf<{ registrar: string; listen?: string }>();
const rsp = await initialize({ registrars: [registrar] });
await rsp.register('echo', { listen: [listen] }, (session) => {
  session.on('data', (data, info) => { void info.reply(data); });
});
await rsp.register('counter', { listen: [listen], cookieKeys: [{ id: 'k1', key: randomBytes(32) }] }, count);
serveParent({ bare: await bareServer((payload) => payload) });

function count(session: ServiceSession): void {
  const cookie = Buffer.alloc(4);
  let counted = 0;
  session.on('cookie', (restored) => { counted = restored.readUInt32BE(0); });
  session.on('data', (data, info) => {
    cookie.writeUInt32BE(++counted);
    session.setCookie(cookie);
    void info.reply(data);
  });
}
