import { createTcpTransport } from '../../transports/tcp.js';
import { World } from '../../testing/world.js';
import { describeTransport, simulated, type TransportWorld } from './compliance.js';

describeTransport('memory', () => memoryWorld('memory'), { hasFaults: true });

describe.each([1, 2, 3, 4, 5])('seed %i', (seed) => {
  describeTransport('tcp on a simulated network that splits, joins, delays and loses', () => memoryWorld('tcp', { seed, spoils: true, chunks: 'random', latency: 3, jitter: 4, loss: 0.01 }), { hasFaults: true });
});

function memoryWorld(scheme: string, options: ConstructorParameters<typeof World>[0] = {}): TransportWorld {
  const world = new World(options);
  const [client, server] = [world.host('client'), world.host('server')];
  const transport = ({ network, clock, logger }: typeof client) => createTcpTransport({ network, clock, logger, scheme });
  return { scheme, client: transport(client), server: transport(server), clientNetwork: client.network, ...simulated(world, server) };
}
