import { afterAll, afterEach, beforeEach, describe, expect } from '@jest/globals';
import { nodeEnvironment } from '../../../actors/environment.js';
import type { Registrar } from '../../../actors/registrar.js';
import type { Clock } from '../../../environment.js';
import { quickTimers } from '../../../machines/timers.js';
import { nodeClock } from '../../../transports/node.js';
import { Lab } from '../lab/lab.js';
import { hsdump, pingPong, server, terminal } from '../lab/rsplib.js';
import { until } from '../lab/until.js';
import { milliseconds, note } from './figures.js';
import { readAlike } from './reading.js';
import { elementsOf, hasElements, Ours, ourRegistrar } from './roles.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [two, three, four] = [lab.guest(2), lab.guest(3), lab.guest(4)] as const;
const echo = { pool: 'EchoPool', registrar: lab.address };

describe('our registrar with RSPLIB\'s elements and users', () => {
  let registrar: Registrar;
  const ours = new Ours();
  const removed: string[] = [];

  const start = async (options: Parameters<typeof ourRegistrar>[0] = {}): Promise<void> => {
    registrar = await ourRegistrar(options);
    registrar.on('removed', ({ peIdentifier, reason }) => { removed.push(`${peIdentifier} ${reason}`); });
  };

  beforeEach(async () => {
    await lab.fresh(2, 3, 4);
    for (const guest of [2, 3, 4]) await lab.encapsulate(guest);
    removed.length = 0;
    await start();
  });
  afterEach(async () => {
    await four.run(`ip route flush type blackhole`);
    await ours.end();
    await registrar.close();
  });
  afterAll(async () => lab.fresh(2, 3, 4));

  scenario('E3', async () => {
    const capture = await lab.capture('E3');
    const element = server(two, 'echo', echo, 0x11);
    await hasElements(registrar, 'EchoPool', 0x11);
    await capture.has({ ASAP_ENDPOINT_KEEP_ALIVE_ACK: 1 });
    expect(elementsOf(registrar, 'EchoPool')).toMatchObject([{ policy: 'round-robin', transports: [expect.stringContaining(`://${two.address}:`), expect.stringContaining(`asap+sctp+udp://${two.address}:`)] }]);
    await two.stop(element);
    await until(() => removed.length > 0, 'it has deregistered');
    await capture.stop();
    expect(removed).toEqual(['17 deregistered']);
    expect(await readAlike(capture)).toMatchObject({ ASAP_REGISTRATION: 1, ASAP_REGISTRATION_RESPONSE: 1, ASAP_DEREGISTRATION: 1, ASAP_DEREGISTRATION_RESPONSE: 1 });
  });

  scenario('E4', async () => {
    const elements = [[two, 0x11], [three, 0x22], [four, 0x33]] as const;
    const [killed] = elements.map(([guest, id]) => server(guest, 'echo', echo, id));
    await hasElements(registrar, 'EchoPool', 0x11, 0x22, 0x33);
    let began = nodeClock.now();
    await two.stop(killed!, 'KILL'); // its kernel tells
    await until(() => removed.length === 1, 'the one that was killed is out');
    note('our registrar, RSPLIB\'s PE is killed: until it is removed', milliseconds((nodeClock.now() - began) / 1_000));
    began = nodeClock.now();
    await lab.drop(3);
    await until(() => removed.length === 2, 'the one that has vanished is out');
    const took = nodeClock.now() - began;
    note('our registrar, RSPLIB\'s PE vanishes: until it is removed', milliseconds(took / 1_000));
    expect(took).toBeLessThan(1.5 * quickTimers.keepAlivePeriod + 600 + 2 * quickTimers.keepAliveTimeout + 1_000);
    expect(removed).toEqual(['17 unreachable', expect.stringMatching(/^34 un/)]);
    await hasElements(registrar, 'EchoPool', 0x33);
  });

  /** rspserver registers for 30 s at least, by our reading: here the registrar's clock runs ten times as fast. Who is reported is asked, and is removed while it answers
   *  only when more than one host goes on reporting it. */
  scenario('E6', async () => {
    await registrar.close();
    await start({ timers: { keepAlivePeriod: 600_000, keepAliveTimeout: 10_000 }, environment: { ...nodeEnvironment(), clock: faster(10) } });
    await four.run(`ip route add blackhole ${three.address}`);
    const expiring = server(two, 'echo', echo, 0x11, '-rereginterval=10');
    server(three, 'echo', { ...echo, pool: 'OtherPool' }, 0x22);
    await hasElements(registrar, 'EchoPool', 0x11);
    await hasElements(registrar, 'OtherPool', 0x22);
    await two.signal(expiring, 'STOP');
    const capture = await lab.capture('E6');
    const user = terminal(four, { ...echo, pool: 'OtherPool' });
    user.say('is anybody there?'); // its connection takes 5 s to fail
    const users = await Promise.all([1, 2, 3].map(async () => ours.point(lab.address)));
    for (const each of users) await each.resolve('OtherPool');
    await capture.has({ ASAP_ENDPOINT_UNREACHABLE: 1, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 1 });
    for (const [index, each] of users.entries()) {
      expect(removed).toEqual(['17 expired']);
      expect(each.reportUnreachable({ handle: 'OtherPool', identifier: 0x22 })).toBe(true);
      if (index < 2) await capture.has({ ASAP_ENDPOINT_KEEP_ALIVE_ACK: index + 2 }); // one event after the other
    }
    await until(() => removed.length === 2, 'it is out');
    expect(removed[1]).toBe('34 reported');
    await capture.has({ ASAP_DEREGISTRATION_RESPONSE: 2 }); // both are told
    await capture.stop();
    await two.signal(expiring, 'CONT');
    await hasElements(registrar, 'EchoPool', 0x11);
    await readAlike(capture);
  });

  scenario('U5', async () => {
    server(two, 'echo', echo, 0x11);
    server(three, 'pingpong', { ...echo, pool: 'PingPongPool' }, 0x22);
    await hasElements(registrar, 'EchoPool', 0x11);
    await hasElements(registrar, 'PingPongPool', 0x22);
    const user = terminal(four, echo);
    for (const line of ['first', 'second']) {
      user.say(line);
      await user.out(new RegExp(`from PE \\$00000011> ${line}`));
    }
    const player = pingPong(four, { ...echo, pool: 'PingPongPool' }, '-interval=50');
    for (let count = 0; count < 5; count += 1) await player.out(/from PE \$00000022 \(reply #\d+\)/);
  });

  scenario('R8', async () => {
    server(two, 'echo', echo, 0x11);
    server(three, 'echo', { ...echo, pool: 'OtherPool' }, 0x22, '-policy=WeightedRoundRobin:5');
    await hasElements(registrar, 'EchoPool', 0x11);
    await hasElements(registrar, 'OtherPool', 0x22);
    const dump = await hsdump(four, lab.address);
    expect(dump).toContain('Pool "EchoPool"');
    expect(dump).toMatch(/\$00000011 .*\n.*home=\$00000051/);
    expect(dump).toMatch(/\$00000022 .*\n.*home=\$00000051/);
    await until(() => registrar.peers().length === 0, 'hsdump, which joins as a peer, is off the list');
  });
});

const faster = (factor: number): Clock => ({
  now: () => factor * nodeClock.now(),
  setTimeout: (expire, delay) => nodeClock.setTimeout(expire, delay / factor),
  clearTimeout: (timer) => { nodeClock.clearTimeout(timer); },
  defer: (task) => { nodeClock.defer(task); },
});
