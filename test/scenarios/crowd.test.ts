import { initialize, type ServiceAccessPoint } from '../../index.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** Many pool users at once, each a process of its own, at one registrar. */
async function crowd(count: number) {
  const all = await RegistrarWorld.start();
  await all.elements('pe', 1);
  const { world } = all;
  let connections = 0;
  const users: ServiceAccessPoint[] = [];
  for (let i = 0; i < count; i++) {
    const host = world.host(`pu${i}`);
    const connect = host.network.connect.bind(host.network);
    host.network.connect = (...to) => { connections++; return connect(...to); };
    users.push(await initialize({ registrars: [all.address], environment: host.environment }));
  }
  return { all, world, users, connections: () => connections, resolve: (options = {}) => world.settled(Promise.all(users.map((rsp) => rsp.resolve('echo', options)))) };
}

it('1000 look-up clients start at once: each is served within two round trips, over one connection', async () => {
  const { world, resolve, connections } = await crowd(1_000);
  const began = world.clock.now();
  const found = await resolve();
  expect(world.clock.now() - began).toBeLessThanOrEqual(10);
  expect(found.every(({ elements }) => elements.length === 1)).toBe(true);
  expect(connections()).toBe(1_000);
  await world.advance(4_000);
  expect(connections()).toBe(1_000);
});

it('their registrar dies and comes back after 5 s: they hunt with growing pauses, and who asks then is served within a second, not all at once', async () => {
  const { all, world, users, connections } = await crowd(100);
  await world.settled(Promise.all(users.map((rsp) => rsp.resolve('echo'))));
  all.host.process.crash();
  await world.advance(10);
  const before = connections();
  const asking = users.map((rsp) => rsp.resolve('echo', { refresh: true, timeout: 30_000 }));
  await world.advance(5_000);
  expect((connections() - before) / users.length).toBeLessThan(16); // 25 ms after the first failure, then growing pauses
  await all.restart();
  await all.elements('pe2', 2);
  const moments: number[] = [];
  for (const rsp of users) void rsp.resolve('echo', { refresh: true, timeout: 30_000 }).then(() => { moments.push(Math.round(world.clock.now() / 100)); });
  await world.until(() => moments.length === users.length, 1_000);
  await world.settled(Promise.all(asking));
  expect(new Set(moments).size).toBeGreaterThanOrEqual(3); // tenths of a second
});
