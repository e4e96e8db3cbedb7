import { initialize, type ServiceAccessPoint, type Session } from '../index.js';
import { BareClient } from './bare.js';
import { Child } from './child.js';
import { InOrder, payload } from './in-order.js';
import { compare, type Row, type Run, type Side } from './measure.js';

/** Request and reply on a session, 64 bytes, effectively-once, one process each side. */
export async function sessions(run: Run): Promise<Row[]> {
  const registrar = new Child<{ address: string }>('registrar');
  const { address } = await registrar.ready;
  const element = new Child<{ bare: number }>('element', { registrar: address });
  const client = new BareClient((await element.ready).bare);
  const rsp = await initialize({ registrars: [address] });
  const serverCpu = (): Promise<number> => element.cpu();
  const bare: Side = { request: (done) => { client.request(payload, done); }, serverCpu };
  const stateless = { bare, ours: { request: requester(await rsp.connect('echo')), serverCpu } };
  const stateful = { bare, ours: { request: requester(await rsp.connect('counter')), serverCpu } };
  const many = { bare, ours: { request: await shared(rsp, 'echo'), serverCpu } };
  const manyStateful = { bare, ours: { request: await shared(rsp, 'counter'), serverCpu } };
  const rows = [
    await compare('session, stateless', stateless, { outstanding: 1, count: 20_000 }, run),
    await compare('session, stateless', stateless, { outstanding: 32, count: 150_000 }, run, 0.8),
    await compare('session, stateless', stateless, { outstanding: 256, count: 300_000 }, run, 0.8),
    await compare('session, a signed cookie each', stateful, { outstanding: 32, count: 100_000 }, run, 0.5),
    await compare('session, a signed cookie each', stateful, { outstanding: 256, count: 200_000 }, run, 0.5),
    await compare('1000 sessions on one link, stateless', many, { outstanding: MANY, count: 200_000 }, run, 0.8),
    await compare('1000 sessions on one link, a signed cookie each', manyStateful, { outstanding: MANY, count: 100_000 }, run),
  ];
  client.close();
  await rsp.close();
  await element.leave();
  await registrar.leave();
  return rows;
}

const MANY = 1000;

/** Many sessions of one process, in turn: they share their link. */
async function shared(rsp: ServiceAccessPoint, handle: string): Promise<Side['request']> {
  const requests: Side['request'][] = [];
  for (let i = 0; i < MANY; i++) requests.push(requester(await rsp.connect(handle)));
  let next = 0;
  return (done) => { requests[next++ % MANY]?.(done); };
}

/** Replies come in the order of the requests. */
export function requester(session: Session): Side['request'] {
  const waiting = new InOrder();
  session.on('data', () => { waiting.next(); });
  return (done) => {
    waiting.push(done);
    void session.send(payload);
  };
}
