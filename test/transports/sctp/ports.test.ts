import { createSctpTransport, type SctpTransport, type SctpTransportOptions } from '../../../transports/sctp/sctp.js';
import { nodeAddresses, nodeClock, nodeDatagrams, nodeRandom, nodeRoute } from '../../../transports/node.js';
import type { DatagramNetwork } from '../../../transports/network.js';
import type { Listener } from '../../../transports/transport.js';
import { Changes } from '../compliance.js';
import { framing, Probe } from '../probe.js';

/** One SCTP endpoint both listens and connects; all over `node:dgram`, since a simulated host has one address only. */
describe('ports and addresses', () => {
  const changes = new Changes();
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => { for (const close of closing.splice(0)) await close(); });

  const freePort = async (): Promise<number> => {
    const socket = await nodeDatagrams.bind({ host: '0.0.0.0', port: 0 }, () => undefined);
    socket.close();
    return socket.local.port;
  };
  const transport = (udpPort: number, more: Partial<SctpTransportOptions> = {}): SctpTransport => createSctpTransport({
    datagrams: nodeDatagrams, clock: nodeClock, random: nodeRandom, lookUp: (host) => Promise.resolve([host]), route: nodeRoute, addresses: nodeAddresses, udpPort, peerUdpPort: udpPort, linger: 10, ...more,
  });
  const listen = async (at: SctpTransport, address: string): Promise<Listener & { readonly accepted: Probe[] }> => {
    const accepted: Probe[] = [];
    const listener = await at.listen(address, (link) => {
      const probe = new Probe(changes.changed);
      probe.link = link;
      accepted.push(probe);
      return probe;
    }, { framing });
    closing.push(() => listener.close(), () => { for (const { link } of accepted) link.close(); });
    return { ...listener, address: listener.address, accepted };
  };
  const connect = async (from: SctpTransport, to: string, options = {}): Promise<Probe> => {
    const probe = new Probe(changes.changed);
    probe.link = from.connect(to, probe, { framing, ...options });
    closing.unshift(() => { probe.link.close(); });
    await changes.until(() => probe.isUp || probe.reason !== undefined);
    return probe;
  };
  /** Another process of this machine, at an address of its own. */
  const peerAt = async (udpPort: number, host: string): Promise<Listener & { readonly accepted: Probe[] }> => listen(transport(udpPort), `sctp+udp://${host}:0`);

  it('packets to the loopback network are longer than others: loopbackMtu', async () => {
    const udpPort = await freePort();
    const lengths: number[] = [];
    const datagrams: DatagramNetwork = { bind: (at, receive) => nodeDatagrams.bind(at, (bytes, from) => { lengths.push(bytes.length); receive(bytes, from); }) };
    const peer = await listen(transport(udpPort, { datagrams }), 'sctp+udp://127.0.0.2:0');
    const out = await connect(transport(udpPort), peer.address);
    expect(out.link.path?.pathMtu).toBe(8192);
    out.send(100_000);
    await changes.until(() => peer.accepted[0]?.count === 1);
    expect(Math.max(...lengths)).toBeGreaterThan(8192 - 28 - 40);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8192 - 28);
  });

  it('who has connected listens at the same address, and at others, over sockets of its own', async () => {
    const udpPort = await freePort();
    const peer = await peerAt(udpPort, '127.0.0.2');
    const own = transport(udpPort);
    const out = await connect(own, peer.address);
    expect(out.reason).toBeUndefined();
    expect(out.link.local).toMatch(/^sctp\+udp:\/\/127\.0\.0\.1:\d+$/);
    for (const host of ['127.0.0.1', '127.0.0.3']) {
      const door = await listen(own, `sctp+udp://${host}:0`);
      const caller = await connect(transport(0, { peerUdpPort: udpPort }), door.address);
      expect(caller.reason).toBeUndefined();
      expect(door.accepted[0]?.link.local).toBe(door.address);
    }
  });

  it('the port that a link connects from may listen, and the port that listens may connect', async () => {
    const udpPort = await freePort();
    const peer = await peerAt(udpPort, '127.0.0.2');
    const own = transport(udpPort);
    const out = await connect(own, peer.address);
    const door = await listen(own, out.link.local);
    expect(door.address).toBe(out.link.local);
    const another = await peerAt(udpPort, '127.0.0.3');
    const localPort = Number(door.address.split(':').at(-1));
    const again = await connect(own, another.address, { localPort });
    expect([again.reason, again.link.local, another.accepted[0]?.link.peer]).toEqual([undefined, door.address, door.address]);
    expect((await connect(transport(0, { peerUdpPort: udpPort }), door.address)).reason).toBeUndefined();
  });

  it('listening at all addresses over a socket that is bound to one means each of them, at one port', async () => {
    const udpPort = await freePort();
    const peer = await peerAt(udpPort, '127.0.0.2');
    const own = transport(udpPort);
    await connect(own, peer.address);
    const door = await listen(own, 'sctp+udp://0.0.0.0:0');
    const port = Number(door.address.split(':').at(-1));
    for (const host of nodeAddresses().filter((address) => !address.includes(':'))) {
      const caller = await connect(transport(0, { peerUdpPort: udpPort }), `sctp+udp://${host}:${port}`);
      expect([host, caller.reason]).toEqual([host, undefined]);
    }
    await door.close();
    const late = await connect(transport(0, { peerUdpPort: udpPort }), `sctp+udp://127.0.0.1:${port}`);
    expect(late.reason?.code).toBe('CONNECT_FAILED');
  });

  it('listening at all addresses where there are several: each answers for itself', async () => {
    const udpPort = await freePort();
    const loopback = (host: string): string => host.replace('192.0.2', '127.0.0');
    const bound: string[] = [];
    const datagrams: DatagramNetwork = { bind: async (at, receive) => {
      bound.push(at.host);
      const socket = await nodeDatagrams.bind({ ...at, host: loopback(at.host) }, receive);
      return { local: { ...socket.local, host: at.host }, send: (bytes, to) => { socket.send(bytes, to); }, join: () => undefined, leave: () => undefined, close: () => { socket.close(); } };
    } };
    const door = await listen(transport(udpPort, { datagrams, addresses: () => ['127.0.0.1', '192.0.2.7', '192.0.2.8', '::1'] }), 'sctp+udp://0.0.0.0:0');
    expect(bound).toEqual(['127.0.0.1', '192.0.2.7', '192.0.2.8']);
    const port = Number(door.address.split(':').at(-1));
    for (const host of ['127.0.0.1', '127.0.0.7', '127.0.0.8']) {
      const caller = await connect(transport(0, { peerUdpPort: udpPort }), `sctp+udp://${host}:${port}`);
      expect([host, caller.reason]).toEqual([host, undefined]);
    }
  });

  it('a socket on a UDP port where no peer looks is no place to listen: ADDRESS_IN_USE', async () => {
    const udpPort = await freePort();
    await peerAt(udpPort, '127.0.0.1'); // another process has it
    const peer = await peerAt(udpPort, '127.0.0.2');
    const own = transport(udpPort);
    expect((await connect(own, peer.address)).reason).toBeUndefined();
    await expect(own.listen('sctp+udp://127.0.0.1:0', () => new Probe(() => undefined), { framing })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  });
});
