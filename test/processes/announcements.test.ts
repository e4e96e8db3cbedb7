import { afterEach, expect, it } from '@jest/globals';
import { createRegistrar, initialize, type Registrar } from '../../index.js';
import { nodeDatagrams } from '../../transports/node.js';
import { hasLoopbackMulticast } from '../support/multicast.js';

/** Announcements over real UDP multicast, on the loopback and in groups that nobody else uses: nothing leaves this machine. */

const open: { close(): unknown }[] = [];
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.close(); });

const freeGroup = async (): Promise<string> => {
  const socket = await nodeDatagrams.bind({ host: '127.0.0.1', port: 0 }, () => undefined);
  socket.close();
  return `239.255.77.${1 + (process.pid % 250)}:${socket.local.port}`;
};

if (await hasLoopbackMulticast()) {
  it('two registrars and a process that know nobody find each other (RFC 5352 §3.6, X-39)', async () => {
    const [asapGroup, enrpGroup] = [await freeGroup(), await freeGroup()];
    const start = (): Promise<Registrar> => createRegistrar({ asap: ['tcp://127.0.0.1:0'], enrp: ['tcp://127.0.0.1:0'], multicast: { asapGroup, enrpGroup, interface: '127.0.0.1' } });
    const first = await start();
    open.push(first);
    const second = await start();
    open.push(second);
    expect([first.peers().map(({ id }) => id), second.peers().map(({ id }) => id)]).toEqual([[second.identifier], [first.identifier]]);
    const rsp = await initialize({ registrars: [], multicast: { group: asapGroup, interface: '127.0.0.1' } });
    open.push(rsp);
    await rsp.register('echo', { listen: ['tcp://127.0.0.1:0'] }, () => undefined);
    expect([...first.asap, ...second.asap]).toContain(rsp.registrar?.address);
  }, 30_000);
} else {
  it.skip('this machine has no multicast on its loopback: see test/scenarios/announcements.test.ts, the same in a simulated network', () => undefined);
}
