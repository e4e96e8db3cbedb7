import { randomBytes, randomFillSync } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Clock, Random } from '../environment.js';
import type { ByteServer, ByteSocket, Endpoint, Network } from './network.js';

/** The world as Node.js has it: time, randomness, and `node:net`. */

/** Its timers keep the process alive: a procedure between two attempts (a hunt that backs off) has no socket that would. What is closed clears its own. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  setTimeout: (expire, delay) => setTimeout(expire, Math.min(delay, LONGEST_DELAY)),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  defer: (task) => void setImmediate(task),
};

export const nodeRandom: Random = {
  fraction: () => Math.random(),
  u32: () => nextWord(),
  bytes: (length) => randomBytes(length),
};

export const nodeNetwork: Network = {
  connect: ({ host, port }) => connect({ host, port, noDelay: true }),
  listen,
};

const LONGEST_DELAY = 0x7fff_ffff; // a longer one would expire at once

const words = new Uint32Array(256);
let wordsUsed = words.length;

function nextWord(): number {
  if (wordsUsed === words.length) {
    randomFillSync(words);
    wordsUsed = 0;
  }
  const word = words[wordsUsed] ?? 0;
  wordsUsed += 1;
  return word;
}

function listen({ host, port }: Endpoint, accept: (socket: ByteSocket) => void): Promise<ByteServer> {
  const server = createServer({ noDelay: true }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // one accept that failed; those to come are not concerned
      resolve({ port: (server.address() as AddressInfo).port, close: () => close(server) });
    });
  });
}

const BACKLOG = 4096; // a PE that fails sends all its pool users at once; the system may cut it

/** The port is free at the next turn; the server's own callback would wait for the last stream. */
const close = (server: Server): Promise<void> => {
  server.close();
  return new Promise((resolve) => void setImmediate(resolve));
};
