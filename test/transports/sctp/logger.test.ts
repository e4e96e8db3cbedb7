import { nodeEnvironment } from '../../../actors/environment.js';
import { recordingLogger, World, type LogEntry } from '../../../testing/world.js';
import { createSctpTransport } from '../../../transports/sctp/sctp.js';
import type { Transport } from '../../../transports/transport.js';
import { Changes } from '../compliance.js';
import { framing, Probe } from '../probe.js';

/** Whoever uses a process's sockets hears what concerns its own links. */
describe('the logger of SCTP', () => {
  const NONSENSE = Buffer.from('ffffffff', 'hex');
  const misframed = (host: string) => ({ host, level: 'warn', message: 'the peer sent what makes no frames: link destroyed' });

  /** Something comes there that makes no frames. @returns when the link is up. */
  async function annoy(from: Transport, address: string, until: (isUp: () => boolean) => Promise<unknown>, changed = (): void => undefined): Promise<void> {
    const probe = new Probe(changed);
    probe.link = from.connect(address, probe, { framing });
    await until(() => probe.isUp);
    probe.link.send(NONSENSE);
  }

  const listening = async (at: Transport, address: string): Promise<string> => (await at.listen(address, (link) => Object.assign(new Probe(() => undefined), { link }), { framing })).address;

  it('is that of each user of the same sockets', async () => {
    const world = new World();
    const entries: LogEntry[] = [];
    const { clock, random, network: datagrams, address } = world.host('server');
    const sctp = createSctpTransport({ datagrams, clock, random, lookUp: (host) => Promise.resolve([host]), route: () => Promise.resolve(address) });
    const logging = (name: string): Transport => sctp.loggingTo(recordingLogger(name, entries));
    const first = await listening(logging('a'), `sctp+udp://${address}:1`);
    const second = await listening(logging('b'), `sctp+udp://${address}:2`);
    const client = world.host('client').environment.transports('sctp+udp');
    for (const at of [first, second]) await annoy(client, at, (isUp) => world.until(isUp));
    await world.advance(100);
    expect(entries).toMatchObject([misframed('a'), misframed('b')]);
  });

  it('is that of the environment which an application made', async () => {
    const entries: LogEntry[] = [];
    const changes = new Changes();
    const server = nodeEnvironment({ logger: { ...recordingLogger('server', entries), warn: (details, message) => { recordingLogger('server', entries).warn(details, message); changes.changed(); } } }).transports('sctp+udp');
    const client = nodeEnvironment({ logger: recordingLogger('client', entries) }).transports('sctp+udp');
    const listener = await server.listen('sctp+udp://127.0.0.77:0', (link) => Object.assign(new Probe(() => undefined), { link }), { framing });
    await annoy(client, listener.address, (isUp) => changes.until(isUp), changes.changed);
    await changes.until(() => entries.length > 0);
    await listener.close();
    expect(entries).toMatchObject([misframed('server')]);
  });
});
