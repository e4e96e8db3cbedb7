/** Request and reply: each request has its own reply, across the death of the element that was asked first. All in one process, to be read from top to bottom. */
import { createRegistrar, initialize, type ServiceSession } from '../index.js';

await using registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const registrars = registrar.asap;

/** Says a word backwards, when it has thought about it. */
function backwards(session: ServiceSession): void {
  session.on('data', async (data, info) => {
    await new Promise((done) => { setTimeout(done, 100); });
    void info.reply([...data.toString()].reverse().join(''));
  });
}
const first = await initialize({ registrars });
await first.register('backwards', { listen: ['tcp://127.0.0.1:0'], identifier: 1 }, backwards);

await using user = await initialize({ registrars });
await using session = await user.connect('backwards');
const { data, info } = await session.request('stressed', { timeout: 10_000 });
console.log(`${data.toString()}, says ${info.from?.identifier}`);

await using second = await initialize({ registrars });
await second.register('backwards', { listen: ['tcp://127.0.0.1:0'], identifier: 2 }, backwards);
const reply = session.request('drawer', { timeout: 10_000 });
await first.close(); // while it thinks: the session moves, and the request is answered by the other one
console.log(`${(await reply).data.toString()}, says ${(await reply).info.from?.identifier}`);
