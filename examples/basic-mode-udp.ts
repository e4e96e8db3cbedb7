/** Basic Mode with plain `node:dgram`: two servers that answer datagrams, each a process of its own; a client that notices by itself when its server does not answer
 *  any more, says so, and gets the next one. Not one byte in the datagrams is ours. */
import { fork, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRegistrar, initialize, type ServerInfo } from '../index.js';

const [, , registrars] = process.argv;
if (registrars === undefined) await client();
else await server(registrars);

async function server(registrar: string): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { address, port }) => { socket.send(bytes, port, address); });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const rsp = await initialize({ registrars: [registrar] });
  await rsp.register('echo', { mapping: 'none', address: `udp://127.0.0.1:${socket.address().port}`, identifier: process.pid });
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
  const rsp = await initialize({ registrars: registrar.asap });
  let server = await rsp.getPrimaryServer('echo');
  await exchange(server, 'hello');
  children.get(server.identifier)?.kill('SIGKILL');
  while (!await exchange(server, 'world')) {
    console.log('no answer');
    server = await rsp.getNextServer('echo'); // the last one has failed: another one
  }
  for (const child of children.values()) child.kill();
  await rsp.close();
  await registrar.close();
}

/** Says something, and prints every byte of the answer. @returns false when there is none within 300 ms. */
async function exchange({ host, port }: ServerInfo, text: string): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.send(text, port, host);
  try {
    const [bytes] = await once(socket, 'message', { signal: AbortSignal.timeout(300) }) as [Buffer];
    console.log(`sent ${Buffer.from(text).toString('hex')}, received ${bytes.toString('hex')}`);
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
