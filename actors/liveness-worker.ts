import { createServer, type AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { Framer } from '../wire/framer.js';
import { decodeFrame, encodeFrame, mappingFraming } from '../wire/mapping.js';

/** The thread of `liveness: 'worker'`: answers heartbeats while the process lives, whatever its main loop does. Stopped or killed it is with the others. */

const { host, port } = workerData as { readonly host: string; readonly port: number };

const server = createServer({ noDelay: true }, (socket) => {
  const framer = new Framer(mappingFraming);
  socket.on('error', () => undefined);
  socket.setTimeout(IDLE, () => { socket.destroy(); });
  socket.on('data', (chunk) => {
    try {
      framer.push(Buffer.from(chunk), (bytes, start, end) => {
        const frame = decodeFrame(bytes, start, end);
        if (frame.type === 'HEARTBEAT' && socket.writableLength < MAX_QUEUED) socket.write(encodeFrame({ type: 'HEARTBEAT_ACK', session: 0, nonce: frame.nonce })); else socket.destroy();
      });
    } catch {
      socket.destroy(); // no peer of ours
    }
  });
});
/** Who asks does so several times a second, for seconds. */
const IDLE = 5_000;
/** Who asks and never reads is let go. */
const MAX_QUEUED = 64 * 1024;
server.maxConnections = 10_000;
server.on('error', (error) => { parentPort?.postMessage({ error: error.message }); });
server.listen({ host, port }, () => { parentPort?.postMessage({ port: (server.address() as AddressInfo).port }); });
