import { createTcpTransport } from '../../transports/tcp.js';
import { World } from '../../testing/world.js';
import { describeTransport, type TransportWorld } from './compliance.js';

describeTransport('memory', () => memoryWorld('memory'), { hasFaults: true });

describe.each([1, 2, 3, 4, 5])('seed %i', (seed) => {
  describeTransport('tcp on a simulated network that splits, joins, delays and loses', () => memoryWorld('tcp', { seed, spoils: true, chunks: 'random', latency: 3, jitter: 4, loss: 0.01 }), { hasFaults: true });
});

function memoryWorld(scheme: string, options: ConstructorParameters<typeof World>[0] = {}): TransportWorld {
  const world = new World(options);
  const [client, server] = [world.host('client'), world.host('server')];
  const transport = ({ network, clock, logger }: typeof client) => createTcpTransport({ network, clock, logger, scheme });
  return {
    scheme,
    client: transport(client),
    server: transport(server),
    host: 'server',
    clientNetwork: client.network,
    log: world.log,
    patience: 2000,
    changed: () => undefined,
    until: async (condition) => void (await world.until(condition)),
    turn: () => world.advance(20),
    closedPort: () => Promise.resolve(1),
    faults: {
      cut: () => world.network.partition('client', 'server'),
      heal: () => world.network.heal(),
      pass: (ms) => world.advance(ms),
      crashServer: () => server.process.crash(),
    },
  };
}
