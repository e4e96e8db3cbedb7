import { createSctpTransport } from '../../../transports/sctp/sctp.js';
import type { SctpOptions } from '../../../transports/sctp/settings.js';
import type { Listener } from '../../../transports/transport.js';
import { nodeClock, nodeDatagrams, nodeRandom, nodeRoute } from '../../../transports/node.js';
import { recordingLogger, World, type LogEntry } from '../../../testing/world.js';
import { Changes, describeTransport, simulated, type TransportWorld } from '../compliance.js';
import { framing, Probe } from '../probe.js';
import { spoiled } from './bad-network.js';
import { rawNetwork } from './raw-peer.js';

describeTransport('sctp+udp', () => memoryWorld(), { hasFaults: true, silence: 'judged' });
describeTransport('sctp+udp that judges no silence', () => memoryWorld({}, { silence: Infinity, maxRetransmissions: Infinity }), { hasFaults: true, silence: 'ignored' });

describeTransport('sctp+udp that gathers frames', async () => gathering(await memoryWorld()), { hasFaults: true, silence: 'judged' });

describe.each([[0.05, 1], [0.05, 2], [0.15, 3], [0.15, 4]])('%f of all datagrams lost, others late, twice and out of order; seed %i', (loss, seed) => {
  describeTransport('sctp+udp', () => memoryWorld({ seed, latency: 2, jitter: 6, loss }, { silence: 2000, closeTimeout: 10_000 }));
});

describeTransport('sctp+udp on node:dgram', nodeWorld);

async function nodeWorld(): Promise<TransportWorld> {
  const log: LogEntry[] = [];
  const changes = new Changes();
  const host = '127.0.0.1';
  const free = await nodeDatagrams.bind({ host, port: 0 }, () => undefined);
  const peerUdpPort = free.local.port;
  free.close();
  const build = (name: string, udpPort: number) => createSctpTransport({
    datagrams: nodeDatagrams, clock: nodeClock, logger: recordingLogger(name, log), random: nodeRandom, lookUp: (each) => Promise.resolve([each]), route: nodeRoute, udpPort, peerUdpPort,
  });
  const [client, server] = [build('client', 0), build('server', peerUdpPort)];
  doors.push(await server.listen(`sctp+udp://${host}:0`, () => new Probe(() => undefined), { framing })); // so that this end answers for ports where nobody listens
  return {
    scheme: 'sctp+udp', client, server, host, log, patience: 50,
    clientNetwork: rawNetwork({ clock: nodeClock, random: nodeRandom, logger: recordingLogger('raw', log) }, nodeDatagrams, () => host, peerUdpPort),
    changed: changes.changed,
    until: (condition) => changes.until(condition),
    turn: () => new Promise((resolve) => nodeClock.defer(resolve)),
    closedPort: () => Promise.resolve(1),
  };
}

const doors: Listener[] = [];
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close();
});

/** As of links that carry sessions. */
function gathering(world: TransportWorld): TransportWorld {
  const ask = (transport: TransportWorld['client']): TransportWorld['client'] => ({
    schemes: transport.schemes,
    connect: (at, handler, options) => transport.connect(at, handler, { ...options, gathersFrames: true }),
    listen: (at, accept, options) => transport.listen(at, accept, { ...options, gathersFrames: true }),
  });
  return { ...world, client: ask(world.client), server: ask(world.server) };
}

async function memoryWorld(options: ConstructorParameters<typeof World>[0] = {}, settings: SctpOptions = {}): Promise<TransportWorld> {
  const world = new World(options);
  const [client, server] = [world.host('client'), world.host('server')];
  const isBad = (options?.loss ?? 0) > 0;
  const build = ({ network, clock, logger, random, environment }: typeof client) => createSctpTransport({
    datagrams: isBad ? spoiled(network, random, 0.05) : network, clock, logger, random, lookUp: (host) => environment.lookUp(host), ...settings,
  });
  const transports = { client: build(client), server: build(server) };
  await transports.server.listen('sctp+udp://server:7', () => new Probe(() => undefined), { framing }); // so that the host answers for ports where nobody listens
  return {
    scheme: 'sctp+udp',
    client: isBad ? { ...transports.client, schemes: ['sctp+udp'], connect: (at, handler, rest) => transports.client.connect(at, handler, { connectTimeout: 20_000, ...rest }) } : transports.client,
    server: transports.server,
    clientNetwork: rawNetwork(client, client.network, () => server.address),
    ...simulated(world, server),
  };
}
