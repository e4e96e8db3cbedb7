import { FeatureUnavailableError } from '../../../errors.js';
import { packetChecksum } from '../../../transports/sctp/crc32c.js';
import { CookieJar } from '../../../transports/sctp/cookie.js';
import { loadPackage } from '../../../transports/sctp/package.js';
import { createRawSctpTransport } from '../../../transports/sctp/raw.js';
import { createSctpTransport } from '../../../transports/sctp/sctp.js';
import { nodeClock, nodeDatagrams, nodeRandom, nodeRoute } from '../../../transports/node.js';
import { World } from '../../../testing/world.js';
import { framing, Probe } from '../probe.js';
import { chunk, cookieOf, data, handMade, initBody, packet, Pair, typesOf, u32 } from './pair.js';

const INIT_ACK = 2;

describe('limits', () => {
  it('forged INITs from many ports cost no memory, and no more than maxAnswers answers a second', async () => {
    const pair = new Pair({ settings: { maxAnswers: 100 } });
    const { client, server } = await pair.up();
    const stranger = await pair.stranger();
    for (let port = 1; port <= 5000; port += 1) stranger.send(packet(port, 7, 0, chunk(1, 0, initBody())));
    await pair.pass(500);
    expect(stranger.received.filter((each) => typesOf(each)[0] === INIT_ACK).length).toBeLessThanOrEqual(100);
    expect(pair.accepted).toHaveLength(1);
    expect(pair.world.log.filter(({ message }) => message.startsWith('too many INITs'))).toHaveLength(1);
    client.send('unhindered');
    await pair.until(() => server.texts.length === 1, 100);
    await pair.pass(1000);
    await pair.up();
  });

  it('maxAssociations and maxConnecting: TOO_MANY_LINKS here, refused there', async () => {
    const pair = new Pair({ serverSettings: { maxAssociations: 2 }, clientSettings: { maxConnecting: 2 } });
    const [one] = [await pair.up(), await pair.up()];
    const third = pair.connect();
    await pair.until(() => third.reason !== undefined);
    expect(third.reason?.code).toBe('CONNECT_FAILED');
    const many = [pair.connect(), pair.connect(), pair.connect()];
    await pair.until(() => many.every(({ reason }) => reason !== undefined));
    expect(many.map(({ reason }) => reason?.code)).toEqual(['CONNECT_FAILED', 'CONNECT_FAILED', 'TOO_MANY_LINKS']);
    one.client.send('unhindered');
    await pair.until(() => one.server.texts.length === 1);
  });

  it('a message longer than maxMessage ends the link of who sends it', async () => {
    const pair = new Pair({ serverSettings: { maxMessage: 10_000, receiveWindow: 50_000 } });
    const { client, server } = await pair.up();
    client.send(100_000);
    await pair.until(() => server.reason !== undefined && client.reason !== undefined);
    expect([server.reason?.code, client.reason?.code]).toEqual(['PEER_MISBEHAVED', 'LINK_LOST']);
  });

  it('a paused link holds a window of messages and no more, of whatever length they are', async () => {
    const pair = new Pair({ serverSettings: { receiveWindow: 20_000 } });
    const { client, server } = await pair.up();
    server.link.pause();
    for (let index = 0; index < 3000; index += 1) client.send(`${index}`);
    await pair.pass(5000);
    expect(client.link.queued).toBeGreaterThan(5000);
    server.link.resume();
    await pair.until(() => server.texts.length === 3000);
    expect(server.texts.map(Number)).toEqual(Array.from({ length: 3000 }, (_, index) => index));
  });

  it('a peer that never fills a hole holds a window at most', async () => {
    const pair = new Pair({ serverSettings: { receiveWindow: 20_000, maxMessage: 10_000 } });
    const peer = await handMade(pair);
    for (let tsn = 2; tsn < 5000; tsn += 1) peer.send(data(tsn, 3, Buffer.alloc(100), { ssn: tsn - 1 }));
    await pair.pass(50);
    const sack = peer.received.filter((each) => typesOf(each)[0] === 3).at(-1)!;
    expect(sack.readUInt32BE(20)).toBe(0); // its window
    peer.send(data(1, 3, Buffer.from('filled'), { ssn: 0 }));
    await pair.until(() => pair.accepted[0]!.texts.length > 1);
    expect(pair.accepted[0]!.texts[0]).toBe('filled');
  });

  it('what was not delivered is given back: unsent, and sent without an acknowledgement', async () => {
    const pair = new Pair();
    const { client } = await pair.up();
    pair.world.network.partition('client', 'server');
    for (let index = 0; index < 20; index += 1) client.send(`${index}`.padEnd(1000), { stream: index % 2, ppid: 42 });
    await pair.until(() => client.reason !== undefined);
    const { unsent, unacknowledged } = client.link.undelivered;
    expect([...unacknowledged, ...unsent].map(({ bytes }) => Number(Buffer.from(bytes).toString()))).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(unacknowledged.length).toBeGreaterThan(0);
    expect(unsent.length).toBeGreaterThan(0);
    expect(unsent[0]).toMatchObject({ ppid: 42, unordered: false });
  });
});

describe('typed errors', () => {
  const transport = (more: object = {}) => createSctpTransport({
    datagrams: nodeDatagrams, clock: nodeClock, random: nodeRandom, lookUp: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })), route: nodeRoute, udpPort: 0, ...more,
  });
  const accept = () => new Probe(() => undefined);

  it('a UDP port in use is ADDRESS_IN_USE, an address that is not ours LISTEN_FAILED, a name that is none LOOKUP_FAILED', async () => {
    const other = await nodeDatagrams.bind({ host: '127.0.0.1', port: 0 }, () => undefined);
    await expect(transport({ udpPort: other.local.port }).listen('sctp+udp://127.0.0.1:7', accept, { framing })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await expect(transport().listen('sctp+udp://192.0.2.1:7', accept, { framing })).rejects.toMatchObject({ code: 'LISTEN_FAILED', cause: { code: 'EADDRNOTAVAIL' } });
    await expect(transport().listen('sctp+udp://nowhere.invalid:7', accept, { framing })).rejects.toMatchObject({ code: 'LOOKUP_FAILED' });
    other.close();
  });

  it('a name that is none is LOOKUP_FAILED when connecting', async () => {
    const code = await new Promise((resolve) => {
      transport().connect('sctp+udp://nowhere.invalid:7', { frame: () => undefined, down: (reason) => { resolve(reason.code); } }, { framing });
    });
    expect(code).toBe('LOOKUP_FAILED');
  });

  it.each([0, 575, 65_536, NaN])('an mtu of %p is refused', (mtu) => {
    for (const options of [{ mtu }, { loopbackMtu: mtu }]) expect(() => transport(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('IPv6 is spoken, too', async () => {
    const free = await nodeDatagrams.bind({ host: '::1', port: 0 }, () => undefined);
    const { port } = free.local;
    free.close();
    const server = transport({ udpPort: port });
    const listener = await server.listen('sctp+udp://[::1]:7', accept, { framing });
    await new Promise<void>((resolve) => {
      const link = transport({ peerUdpPort: port }).connect('sctp+udp://[::1]:7', { up: () => { link.close(); }, frame: () => undefined, down: () => { resolve(); } }, { framing });
    });
    await listener.close();
  });

  it('another version of the package, or none, is FEATURE_UNAVAILABLE with the remedy', () => {
    const load = (version: string) => (id: string): unknown => (id === 'sctp/package.json' ? { version } : fail());
    expect(() => loadPackage(load('1.0.1'))).toThrow(/version 1\.0\.1.*npm install sctp@1\.0\.0/);
    expect(() => loadPackage(() => fail())).toThrow(FeatureUnavailableError);
    expect(typeof loadPackage()).toBe('function');
  });
});

describe('sctp:// over raw IP', () => {
  const build = (world: World, load: (id: string) => unknown) => {
    const { clock, random, environment } = world.host('a');
    return createRawSctpTransport({ clock, random, lookUp: (host) => environment.lookUp(host) }, load);
  };

  it('without the package raw-socket, or the right to use it, is FEATURE_UNAVAILABLE with the remedy', async () => {
    const world = new World();
    const missing = build(world, () => fail());
    expect(() => missing.connect('sctp://127.0.0.1:7', new Probe(() => undefined), { framing })).toThrow(/npm install raw-socket/);
    await expect(missing.listen('sctp://127.0.0.1:7', () => new Probe(() => undefined), { framing })).rejects.toThrow(FeatureUnavailableError);
    const forbidden = build(world, () => ({ AddressFamily: {}, createSocket: () => { throw new Error('Operation not permitted'); } }));
    await expect(forbidden.listen('sctp://127.0.0.1:7', () => new Probe(() => undefined), { framing })).rejects.toThrow(/CAP_NET_RAW/);
  });

  it('carries packets without their IPv4 header, of its own address only', async () => {
    const world = new World();
    const sockets: { host?: string; heard: (bytes: Buffer, source: string) => void }[] = [];
    const raw = {
      AddressFamily: { IPv4: 1, IPv6: 2 },
      createSocket: () => {
        const socket = { heard: (_: Buffer, __: string) => undefined as void };
        sockets.push(socket);
        return {
          on: (event: string, listener: (bytes: Buffer, source: string) => void) => { if (event === 'message') socket.heard = listener; },
          send: (bytes: Buffer, offset: number, length: number, to: string) => {
            const header = Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 132, 0, 0, 127, 0, 0, 1, ...to.split('.').map(Number)]);
            world.host('a').clock.defer(() => { for (const each of sockets) each.heard(Buffer.concat([header, bytes.subarray(offset, offset + length)]), '127.0.0.1'); });
          },
          close: () => undefined,
        };
      },
    };
    const transport = build(world, () => raw);
    const accepted: Probe[] = [];
    await transport.listen('sctp://127.0.0.1:7', (link) => {
      accepted.push(Object.assign(new Probe(() => undefined), { link }));
      return accepted.at(-1)!;
    }, { framing });
    const client = new Probe(() => undefined);
    client.link = transport.connect('sctp://127.0.0.1:7', client, { framing });
    client.send('over IP');
    await world.until(() => accepted[0]?.count === 1);
    expect(accepted[0]!.frames).toEqual(['over IP']);
    client.link.close();
    await world.until(() => client.isDown);
  });
});

describe('pieces', () => {
  it('CRC32c is that of the RFC: "123456789" gives e3069283 (RFC 3720 B.4 has others)', () => {
    const bytes = Buffer.concat([Buffer.alloc(12), Buffer.from('123456789')]);
    const slow = (input: Buffer): number => {
      let sum = -1;
      for (const byte of input) {
        sum ^= byte;
        for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0);
      }
      return ~sum >>> 0;
    };
    expect(slow(Buffer.from('123456789'))).toBe(0xe306_9283);
    for (let length = 12; length <= bytes.length; length += 1) expect(packetChecksum(bytes.subarray(0, length))).toBe(slow(bytes.subarray(0, length)));
  });

  it('S7: a cookie outlives one change of the key, and not its time', () => {
    let now = 0;
    const jar = new CookieJar(nodeRandom, () => now, 60_000);
    const cookie = { tag: 1, initialTsn: 2, peerTag: 3, peerInitialTsn: 4, peerWindow: 5, streams: 6, peerStreams: 7 };
    const owner = { host: '192.0.2.1', udpPort: 9899, peerPort: 1, localPort: 2 };
    now = 50_000;
    const issued = jar.issue(cookie, owner);
    now = 100_000;
    jar.issue(cookie, owner); // another key
    expect(jar.open(issued, owner)).toEqual(cookie);
    now = 110_001;
    expect(jar.open(issued, owner)).toBe('stale');
    for (const other of [{ host: '192.0.2.2' }, { udpPort: 1 }, { peerPort: 2 }, { localPort: 3 }]) expect(jar.open(jar.issue(cookie, owner), { ...owner, ...other })).toBeUndefined();
    expect(jar.open(Buffer.alloc(5), owner)).toBeUndefined();
  });

  it('an INIT ACK reports the parameters that ask for it', async () => {
    const pair = await new Pair().listen();
    const stranger = await pair.stranger();
    stranger.send(packet(6000, 7, 0, chunk(1, 0, initBody(Buffer.from('c0ff000801020304', 'hex')))));
    await pair.until(() => stranger.received.length === 1);
    expect(cookieOf(stranger.received[0]!).tag).toBeGreaterThan(0);
    expect(stranger.received[0]!.includes(Buffer.concat([Buffer.from('0008000c', 'hex'), Buffer.from('c0ff0008', 'hex'), u32(0x0102_0304)]))).toBe(true);
  });

  it('only transports/sctp imports the package', async () => {
    const { readFile, glob } = await import('node:fs/promises').then((fs) => ({ readFile: fs.readFile, glob: fs.readdir }));
    const root = new URL('../../../', import.meta.url);
    for (const folder of ['actors', 'cli', 'delivery', 'handlespace', 'machines', 'testing', 'transports', 'wire', 'bench', 'examples']) {
      for (const file of await glob(new URL(folder, root), { recursive: true })) {
        if (!file.endsWith('.ts') || (folder === 'transports' && file.startsWith('sctp'))) continue;
        expect({ file, imports: /(from|require\(|import\()\s*'sctp/.test(await readFile(new URL(`${folder}/${file}`, root), 'utf8')) }).toEqual({ file, imports: false });
      }
    }
  });
});

const fail = (): never => { throw new Error('Cannot find module'); };
