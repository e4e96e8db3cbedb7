/** Messages without a session of one's own: to a pool, to one of its elements, to all of them. All in one process, to be read from top to bottom. */
import { createRegistrar, initialize, type RserpoolError } from '../index.js';

const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const registrars = registrar.asap;

const elements = [];
for (const identifier of [1, 2, 3]) {
  const rsp = await initialize({ registrars });
  await rsp.register('echo', { listen: ['tcp://127.0.0.1:0'], identifier }, (session) => {
    session.on('data', (data, info) => { info.ack(); void info.reply(data); });
  });
  elements.push(rsp);
}

const user = await initialize({ registrars });
user.on('data', (data, { from }) => { console.log(`${typeof from === 'string' ? from : from.identifier} answers ${data.toString()}`); });

const chosen = await user.send('echo', 'to the pool', { ack: true }); // ack: when the application there has acknowledged it
const again = await user.send(chosen, 'to the same element', { ack: true });
console.log(chosen.identifier === again.identifier);

const all = await user.send('echo', 'to all', { toAll: true, ack: true });
console.log(all.map(({ identifier }) => identifier).sort());

await elements[0]?.close();
try {
  await user.send({ handle: 'echo', identifier: 1 }, 'to one that has gone');
} catch (error) {
  console.log((error as RserpoolError).code);
}

await Promise.all([user, ...elements].map((rsp) => rsp.close()));
await registrar.close();
