/** A registrar, two pool elements with state, and a session that moves from one to the other. All in one process, to be read from top to bottom. */
import { createRegistrar, initialize, type ServiceSession } from '../index.js';

const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const registrars = registrar.asap;

/** Counts; the count is the state cookie, and comes back to whoever takes the session over. */
function counter(session: ServiceSession): void {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (data) => {
    count += 1;
    session.setCookie(String(count));
    void session.send(`${count} ${data.toString()}`);
  });
}
const first = await initialize({ registrars });
await first.register('counter', { listen: ['tcp://127.0.0.1:0'], identifier: 1 }, counter);

const user = await initialize({ registrars });
const session = await user.connect('counter');
session.on('data', (data) => { console.log(data.toString()); });
session.on('failover', ({ from, to }) => { console.log(`moved from ${from} to ${to}`); });
await session.send('hello');
await session.flush(); // kept safe: the cookie that covers it is here

const second = await initialize({ registrars });
await second.register('counter', { listen: ['tcp://127.0.0.1:0'], identifier: 2 }, counter);
await first.close(); // deregisters, and the session moves; kill -9 would do as well
await session.send('world');

await session.close();
await Promise.all([user.close(), second.close()]);
await registrar.close();
