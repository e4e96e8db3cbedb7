import { initialize, priority } from '../../../index.js';
import { inputOf, serveParent } from '../../../bench/child.js';
import { resources } from '../resources.js';

/** A pool element that counts the messages of each session; of the elements of its pool the one with the highest rank serves. */
const { registrar, identifier, rank } = inputOf<{ registrar: string; identifier: number; rank: number }>();
const rsp = await initialize({ registrars: [registrar] });
await rsp.register('counter', { listen: ['tcp://127.0.0.1:0'], identifier, policy: priority({ priority: rank }) }, (session) => {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (data, info) => {
    count += 1;
    session.setCookie(String(count));
    void info.reply(`${data.toString()} ${count}`);
  });
});
serveParent({}, { resources });
