// A pool user that dies at a step of its sessions. Arguments: REGISTRAR POOL SESSIONS STEP.
import { initialize } from 'rserpool';

const [registrar, pool, count, step] = process.argv.slice(2);
const die = () => { process.kill(process.pid, 'SIGKILL'); };
const rsp = await initialize({ registrars: [registrar] });
let arrived = 0;
/** Dies when all sessions have come to the step. */
const reach = (name) => { if (name === step && ++arrived === Number(count)) die(); };

const open = async () => {
  const session = await rsp.connect(pool, { onFailover: async (recovery) => { await recovery.send('callback'); reach('callback sent'); } });
  let replies = 0;
  session.on('data', () => { if (++replies === 1) reach('reply received'); return step === 'reading' ? new Promise(() => undefined) : undefined; });
  session.on('failover', () => { reach('moved'); });
  for (let number = 1; number <= 3; number++) void session.send(`${number} ${'x'.repeat(1000)}`);
  if (step === 'sent') setImmediate(() => setImmediate(() => { reach('sent'); }));
};
await Promise.all(Array.from({ length: Number(count) }, open));
process.stdout.write('open\n');
