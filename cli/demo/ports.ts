import { once } from 'node:events';
import { createServer } from 'node:net';

/** Ports nobody listens on, below those that systems give to outgoing connections: who is killed gets the same one again. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * RANGE);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

const LOWEST = 20_000;
const RANGE = 12_000;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
