import { LoopMonitor } from '../../transports/loop-monitor.js';
import { World, type WorldHost } from '../../testing/world.js';
import { frame, framing, Probe } from './probe.js';

describe('loop monitor (D-29)', () => {
  it('counts all time while the loop runs', async () => {
    const { world, host, monitor } = build();
    const start = monitor.activeNow();
    await world.advance(1234);
    expect(monitor.activeNow() - start).toBe(1234);
    expect(monitor.activeSince(234)).toBe(1000);
    expect(host.clock.now()).toBe(1234);
  });

  it('leaves the time out in which it was blocked, to within one look', async () => {
    const { world, host, monitor } = build();
    await world.advance(1000);
    host.process.block(10_000);
    await world.advance(10_500);
    expect(monitor.activeSince(900)).toBeGreaterThanOrEqual(600);
    expect(monitor.activeSince(900)).toBeLessThanOrEqual(600 + 35);
    expect(monitor.activeSince(11_100)).toBe(400);
  });

  it('is right for a timer that runs before its own', async () => {
    const { world, host, monitor } = build();
    await world.advance(1000);
    let active = Infinity;
    host.clock.setTimeout(() => (active = monitor.activeSince(1000)), 1); // due before the next look
    host.process.block(60_000);
    await world.advance(60_000);
    expect(active).toBeLessThanOrEqual(35);
  });

  it('never runs backwards, and sums up the lag of a saturated loop', async () => {
    const { world, host, monitor } = build();
    let last = monitor.activeNow();
    const start = world.clock.now();
    for (let round = 0; round < 300; round += 1) {
      host.process.block(80);
      await world.advance(100);
      const now = monitor.activeNow();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    const all = world.clock.now() - start;
    expect(monitor.activeSince(start)).toBeLessThan(0.8 * all);
    expect(monitor.activeSince(start)).toBeGreaterThan(0.2 * all);
  });

  it('tells its lag before the input that came meanwhile is read', async () => {
    const { world, host, monitor } = build();
    const seen: string[] = [];
    monitor.onLag((lag) => seen.push(`lag of about ${Math.round(lag / 1000)} s`));
    const end = monitor.onLag(() => seen.push('not any more'));
    end();
    const { port } = await host.network.listen({ host: 'pe', port: 0 }, (socket) => socket.on('data', () => seen.push('input')));
    const socket = world.host('pu').network.connect({ host: 'pe', port });
    await world.advance(100);
    host.process.block(5000);
    socket.write(Buffer.from('x'));
    await world.advance(6000);
    expect(seen).toEqual(['lag of about 5 s', 'input']);
  });

  it('forgives a timer that is a little late', async () => {
    const { world, host, monitor } = build();
    let lag = 0;
    monitor.onLag((found) => (lag += found));
    for (let round = 0; round < 50; round += 1) {
      host.process.block(9);
      await world.advance(30);
    }
    expect(lag).toBe(0);
  });
});

/** What a data link does, in short: a heartbeat each 100 ms, down after 500 ms of silence. */
describe('silence of 0.5 s, judged after the poll phase in active time (D-28, D-29)', () => {
  it.each([300, 60_000])('a process that was frozen for %i ms does not accuse its peer when it thaws', async (span) => {
    const { world, pu, accused } = await heartbeats();
    pu.process.block(span);
    await world.advance(span + 5000);
    expect(accused).toEqual([]);
  });

  it('a peer whose loop is blocked for 300 ms is not accused', async () => {
    const { world, pe, accused } = await heartbeats();
    for (let round = 0; round < 20; round += 1) {
      pe.process.block(300);
      await world.advance(437);
    }
    expect(accused).toEqual([]);
  });

  it('a peer that is frozen is accused 0.5 to 0.6 s later', async () => {
    const { world, pe, accused } = await heartbeats();
    const start = world.clock.now();
    pe.process.freeze();
    await world.advance(5000);
    expect(accused).toHaveLength(1);
    expect(accused[0]! - start).toBeGreaterThanOrEqual(400);
    expect(accused[0]! - start).toBeLessThanOrEqual(600);
  });

  it('a peer that died while we were frozen is accused within 0.6 s of the thaw', async () => {
    const { world, pu, pe, accused } = await heartbeats();
    pe.process.crash({ peersSee: 'nothing' });
    pu.process.block(10_000);
    const thaw = world.clock.now() + 10_000;
    await world.advance(15_000);
    expect(accused).toHaveLength(1);
    expect(accused[0]! - thaw).toBeLessThanOrEqual(600);
  });
});

const build = (): { world: World; host: WorldHost; monitor: LoopMonitor } => {
  const world = new World();
  const host = world.host('pe');
  return { world, host, monitor: new LoopMonitor({ clock: host.clock }) };
};

async function heartbeats(): Promise<{ world: World; pu: WorldHost; pe: WorldHost; accused: number[] }> {
  const world = new World();
  const [pu, pe] = [world.host('pu'), world.host('pe')];
  const { address } = await pe.tcp.listen('tcp://pe:7', (link) => {
    const beat = (): void => {
      link.send(frame('beat'));
      pe.clock.setTimeout(beat, 100);
    };
    beat();
    return new Probe(() => undefined);
  }, { framing });
  const monitor = new LoopMonitor({ clock: pu.clock });
  const accused: number[] = [];
  const link = pu.tcp.connect(address, new Probe(() => undefined), { framing });
  const judge = (): void => {
    if (accused.length === 0 && monitor.activeSince(link.lastHeard) > 500) accused.push(world.clock.now());
    pu.clock.setTimeout(() => pu.clock.defer(judge), 50);
  };
  judge();
  await world.advance(1000);
  return { world, pu, pe, accused };
}
