// A pool element whose loop can be blocked: `block MS` does so. Arguments: REGISTRAR POOL IDENTIFIER.
import { initialize } from 'rserpool';

const [registrar, pool, identifier] = process.argv.slice(2);
const rsp = await initialize({ registrars: [registrar] });
const element = await rsp.register(pool, { listen: ['tcp://127.0.0.1:0'], identifier: Number(identifier) }, (session) => {
  session.on('data', (data) => {
    const span = /^block (\d+)$/.exec(data.toString())?.[1];
    if (span !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(span));
    void session.send(`${element.identifier} ${data}`);
  });
});
process.stdout.write(`serves on ${element.address}\n`);
