import { initialize } from '../index.js';
import { BareClient } from './bare.js';
import { Child } from './child.js';
import { compare, type Row, type Run, type Side } from './measure.js';
import { payload, requester } from './sessions.js';

/** The same request and reply over SCTP and over TCP, each beside bare `node:net`: 64 bytes, effectively-once, one process each side. */
export async function sctp(run: Run): Promise<Row[]> {
  const registrar = new Child<{ address: string }>('registrar');
  const { address } = await registrar.ready;
  const rows: Row[] = [];
  for (const [name, listen] of [['TCP', 'tcp://127.0.0.1:0'], ['SCTP', 'sctp+udp://127.0.0.2:0']] as const) {
    const element = new Child<{ bare: number }>('element', { registrar: address, listen });
    const client = new BareClient((await element.ready).bare);
    const rsp = await initialize({ registrars: [address] });
    const serverCpu = (): Promise<number> => element.cpu();
    const bare: Side = { request: (done) => { client.request(payload, done); }, serverCpu };
    const sides = { bare, ours: { request: requester(await rsp.connect('echo')), serverCpu } };
    rows.push(
      await compare(`session over ${name}, stateless`, sides, { outstanding: 1, count: 10_000 }, run),
      await compare(`session over ${name}, stateless`, sides, { outstanding: 32, count: 50_000 }, run),
      await compare(`session over ${name}, stateless`, sides, { outstanding: 256, count: 50_000 }, run),
    );
    client.close();
    await rsp.close();
    await element.leave();
  }
  await registrar.leave();
  return rows;
}
