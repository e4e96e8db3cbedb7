/** Every session is a statechart: its actor can be watched like any other of XState's. */
import { createRegistrar, initialize } from '../index.js';

const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const registrars = registrar.asap;
const [one, other] = await Promise.all([1, 2].map(async (identifier) => {
  const rsp = await initialize({ registrars });
  await rsp.register('echo', { listen: ['tcp://127.0.0.1:0'], identifier }, (session) => {
    session.on('data', (data) => { void session.send(data); });
  });
  return rsp;
}));

const user = await initialize({ registrars });
const session = await user.connect('echo');
session.actor.subscribe(({ value }) => { console.log(JSON.stringify(value)); });
session.on('data', (data) => { console.log(data.toString()); });

await session.send('before');
await session.flush();
await (session.peIdentifier === 1 ? one : other)?.close();
await session.send('after');
await session.close();
for (const rsp of [user, one, other]) await rsp?.close();
await registrar.close();
