import { parseAddress } from '../../transports/address.js';
import { nodeClock, nodeNetwork, nodeRandom } from '../../transports/node.js';
import { createTcpTransport } from '../../transports/tcp.js';
import type { Link } from '../../transports/transport.js';
import { recordingLogger, type LogEntry } from '../../testing/world.js';
import { Changes, describeTransport, freePort, type TransportWorld } from './compliance.js';
import { framing, Probe } from './probe.js';

describeTransport('tcp on node:net', () => realWorld('127.0.0.1'));

function realWorld(host: string): TransportWorld {
  const log: LogEntry[] = [];
  const changes = new Changes();
  const transport = (name: string) => createTcpTransport({ network: nodeNetwork, clock: nodeClock, logger: recordingLogger(name, log) });
  return {
    scheme: 'tcp',
    client: transport('client'),
    server: transport('server'),
    host,
    clientNetwork: nodeNetwork,
    log,
    patience: 50,
    changed: changes.changed,
    until: (condition) => changes.until(condition),
    turn: () => new Promise((resolve) => nodeClock.defer(resolve)),
    closedPort: () => freePort(nodeNetwork, host),
  };
}

describe('tcp on node:net', () => {
  it('speaks IPv6, and names an IPv4 peer of a listener on :: by its IPv4 address', async () => {
    const { server, client, until, changed } = realWorld('::1');
    const accepted: Probe[] = [];
    const listener = await server.listen('tcp://[::]:0', (link) => {
      const probe = Object.assign(new Probe(changed), { link });
      accepted.push(probe);
      return probe;
    }, { framing });
    const { port } = parseAddress(listener.address, ['tcp']);
    expect(listener.address).toBe(`tcp://[::]:${port}`);
    const links: Link[] = [];
    for (const host of ['[::1]', '127.0.0.1']) {
      const probe = new Probe(changed);
      links.push(client.connect(`tcp://${host}:${port}`, probe, { framing }));
      await until(() => probe.isUp && accepted.length === links.length);
    }
    expect(accepted.map((probe) => probe.link.peer)).toEqual(links.map((link) => link.local));
    expect(accepted.map((probe) => probe.link.peer.replace(/:\d+$/, ''))).toEqual(['tcp://[::1]', 'tcp://127.0.0.1']);
    for (const link of links) link.close();
    await until(() => accepted.every((probe) => probe.isDown));
    await listener.close();
  });

  it('frames of one chunk are handed over in slices, in order, also when the peer is gone meanwhile', async () => {
    const { client, until, changed } = realWorld('127.0.0.1');
    let worked = 0;
    let turns = 0;
    const clock = { ...nodeClock, now: () => nodeClock.now() + worked, defer: (task: () => void) => { nodeClock.defer(() => { turns++; task(); }); } };
    const server = createTcpTransport({ network: nodeNetwork, clock, logger: recordingLogger('server', []) });
    let accepted!: Probe;
    const listener = await server.listen('tcp://127.0.0.1:0', (link) => {
      accepted = Object.assign(new Probe(changed), { link });
      accepted.onFrame = () => { worked += 1_000; };
      return accepted;
    }, { framing, sliceTime: 2_500 });
    const probe = new Probe(changed);
    probe.link = client.connect(listener.address, probe, { framing });
    await until(() => probe.isUp);
    const bodies = Array.from({ length: 10 }, (_, index) => `${index}`.padEnd(1024)); // a KiB each: the clock is looked at so often
    probe.send(...bodies);
    probe.call((link) => { link.close(); });
    await until(() => accepted.isDown);
    expect(accepted.frames).toEqual(bodies);
    expect(accepted.reason?.code).toBe('LINK_CLOSED');
    expect(turns).toBeGreaterThanOrEqual(3); // three at a time
    await listener.close();
  });

  it('an address that is not ours is LISTEN_FAILED', async () => {
    const { server } = realWorld('127.0.0.1');
    await expect(server.listen('tcp://192.0.2.1:0', () => new Probe(() => undefined), { framing })).rejects.toMatchObject({ code: 'LISTEN_FAILED', cause: { code: 'EADDRNOTAVAIL' } });
  });
});

describe("node's clock and randomness", () => {
  it('a delay beyond what the system counts does not expire at once', async () => {
    let isOver = false;
    const timer = nodeClock.setTimeout(() => (isOver = true), Infinity);
    await new Promise<void>((resolve) => void nodeClock.setTimeout(resolve, 2));
    expect(isOver).toBe(false);
    nodeClock.clearTimeout(timer);
  });

  it('randomness fills its ranges', () => {
    const words = Array.from({ length: 1000 }, () => nodeRandom.u32());
    expect(new Set(words).size).toBeGreaterThan(990);
    expect(words.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffff_ffff)).toBe(true);
    expect(Math.max(...words)).toBeGreaterThan(0x8000_0000);
    expect(nodeRandom.bytes(16)).toHaveLength(16);
    expect(nodeRandom.fraction()).toBeLessThan(1);
  });
});
