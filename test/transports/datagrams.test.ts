import { nodeDatagrams } from '../../transports/node.js';
import { isGroup } from '../../transports/network.js';
import { World } from '../../testing/world.js';
import { hasLoopbackMulticast } from '../support/multicast.js';
import { Changes } from './compliance.js';
import { describeDatagrams, type DatagramWorld } from './datagrams.js';

const hasMulticast = await hasLoopbackMulticast();

describeDatagrams('the simulated network', () => {
  const world = new World();
  const { network, address } = world.host('a');
  return { network, host: address, changed: () => undefined, until: async (condition) => void (await world.until(condition)) };
});

if (hasMulticast) describeDatagrams('node:dgram', () => nodeWorld());
else it.skip('node:dgram: this machine has no multicast on its loopback', () => undefined);

function nodeWorld(): DatagramWorld {
  const changes = new Changes();
  return { network: nodeDatagrams, host: '127.0.0.1', interface: '127.0.0.1', changed: changes.changed, until: (condition) => changes.until(condition) };
}

describe('node:dgram', () => {
  it.each([
    ['an address that is not ours', { host: '192.0.2.250' }, 'EADDRNOTAVAIL'],
    ['an interface that is none', { host: '127.0.0.1', interface: 'nonsense' }, 'EINVAL'],
    ['a ttl that is none', { host: '127.0.0.1', ttl: 256 }, 'EINVAL'],
  ] as const)('%s is refused with the system\'s code', async (_, at, code) => {
    await expect(nodeDatagrams.bind({ port: 0, ...at }, () => undefined)).rejects.toMatchObject({ code });
  });

  it('a group that is none cannot be joined', async () => {
    const socket = await nodeDatagrams.bind({ host: '127.0.0.1', port: 0 }, () => undefined);
    expect(() => { socket.join('10.0.0.1'); }).toThrow(/EINVAL/);
    socket.close();
  });
});

describe('groups', () => {
  it.each(['224.0.1.185', '239.255.255.255', 'ff05::1', 'FF02::1'])('%s is one', (address) => { expect(isGroup(address)).toBe(true); });
  it.each(['223.0.0.1', '240.0.0.1', '10.239.0.1', 'fe80::1', '::1', 'ff.example', 'localhost'])('%s is none', (address) => { expect(isGroup(address)).toBe(false); });
});
