import { initialize } from '../index.js';
import { BareClient } from './bare.js';
import { Child } from './child.js';
import { payload } from './in-order.js';
import { links } from './links.js';
import { compare, type Row, type Run, type Side } from './measure.js';
import { requester } from './sessions.js';

/** The same request and reply over SCTP and over TCP, 64 bytes, one process each side, all beside bare `node:net`: on sessions, effectively-once; on links; and
 *  on npm `sctp` as it is shipped. */
export async function sctp(run: Run): Promise<Row[]> {
  const registrar = new Child<{ address: string }>('registrar');
  const { address } = await registrar.ready;
  const rows: Row[] = [];
  for (const [name, listen] of [['TCP', 'tcp://127.0.0.1:0'], ['SCTP', 'sctp+udp://127.0.0.2:0']] as const) {
    const element = new Child<{ bare: number }>('element', { registrar: address, listen });
    const { bare: port } = await element.ready;
    const client = new BareClient(port);
    const rsp = await initialize({ registrars: [address] });
    const serverCpu = (): Promise<number> => element.cpu();
    const bare: Side = { request: (done) => { client.request(payload, done); }, serverCpu };
    const sides = { bare, ours: { request: requester(await rsp.connect('echo')), serverCpu } };
    const budget = name === 'SCTP' ? 0.3 : undefined;
    rows.push(
      await compare(`session over ${name}, stateless`, sides, { outstanding: 1, count: 20_000 }, run, budget),
      await compare(`session over ${name}, stateless`, sides, { outstanding: 32, count: 150_000 }, run, budget),
      await compare(`session over ${name}, stateless`, sides, { outstanding: 256, count: 150_000 }, run),
    );
    if (name === 'SCTP') rows.push(...await links({ port, serverCpu }, run));
    client.close();
    await rsp.close();
    await element.leave();
  }
  await registrar.leave();
  return rows;
}
