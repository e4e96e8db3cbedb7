// A pool element whose loop can be blocked: `block MS` does so, `block MS at IDENTIFIER` at that one only. Arguments: REGISTRAR POOL IDENTIFIER [LIVENESS, as JSON].
import { writeSync } from 'node:fs';
import { initialize } from 'rserpool';

const [registrar, pool, identifier, liveness] = process.argv.slice(2);
const rsp = await initialize({ registrars: [registrar] });
const element = await rsp.register(pool, { listen: ['tcp://127.0.0.1:0'], identifier: Number(identifier), ...(liveness !== undefined && { liveness: JSON.parse(liveness) }) }, (session) => {
  session.on('data', (data) => {
    const [, span, , at] = /^block (\d+)( at (\d+))?$/.exec(data.toString()) ?? [];
    if (span !== undefined && (at === undefined || at === identifier)) {
      writeSync(1, 'blocks\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(span));
    }
    void session.send(`${element.identifier} ${data}`);
  });
});
process.stdout.write(`serves on ${element.address}\n`);
