/** Basic Mode with plain `node:net`: two echo servers, each a process of its own; a client that is told when its server has died. Not one byte on the sockets is ours. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createRegistrar, initialize } from '../index.js';

const [, , registrars] = process.argv;
if (registrars === undefined) await client();
else await server(registrars);

async function server(registrar: string): Promise<void> {
  const sockets = createServer((socket) => { socket.pipe(socket).on('error', () => undefined); }).listen(0, '127.0.0.1');
  await once(sockets, 'listening');
  const rsp = await initialize({ registrars: [registrar] });
  await rsp.register('echo', { mapping: 'none', address: `tcp://127.0.0.1:${(sockets.address() as AddressInfo).port}`, identifier: process.pid });
  process.send?.('registered');
}

async function client(): Promise<void> {
  const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
  const children = new Map<number, ChildProcess>();
  for (let count = 0; count < 2; count += 1) {
    const child = fork(fileURLToPath(import.meta.url), [...registrar.asap]);
    await once(child, 'message');
    children.set(child.pid ?? 0, child);
  }
  const rsp = await initialize({ registrars: registrar.asap, failoverIndication: true });
  const first = await rsp.getPrimaryServer('echo');
  await exchange(first.host, first.port, 'hello');
  const failover = new Promise<{ host: string; port: number }>((resolve) => rsp.on('failover', ({ server }) => { if (server !== undefined) resolve(server); }));
  children.get(first.identifier)?.kill('SIGKILL');
  const next = await failover; // FAILOVER_INDICATION
  console.log('failover');
  await exchange(next.host, next.port, 'world');
  for (const child of children.values()) child.kill();
  await rsp.close();
  await registrar.close();
}

/** Says something, and prints every byte that came on the connection. */
async function exchange(host: string, port: number, text: string): Promise<void> {
  const socket = connect(port, host);
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  console.log(`sent ${Buffer.from(text).toString('hex')}, received ${Buffer.concat(chunks).toString('hex')}`);
}
