import { initialize } from '../../index.js';
import { inputOf, serveParent } from '../child.js';

/** Several pool elements in one process, an echo each. Process tests run it too, and wait for its line. */
const { registrars, pool, identifiers } = inputOf<{ registrars: readonly string[]; pool: string; identifiers: readonly number[] }>();
const rsp = await initialize({ registrars, timeout: 20_000 });
await Promise.all(identifiers.map((identifier) => rsp.register(pool, { listen: ['tcp://127.0.0.1:0'], identifier }, (session) => {
  session.on('data', (data, info) => { void info.reply(data); });
})));
if (process.send) serveParent({});
else process.stdout.write(`registered ${identifiers.length}\n`);
