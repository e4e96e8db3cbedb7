import { initialize } from '../../index.js';
import { World } from '../../testing/world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';
import { SessionWorld } from '../support/session-world.js';

it('D-29: a handler whose own timer is overdue at the thaw is the last: the next message is not handed out before the user has been heard', async () => {
  const world = new SessionWorld();
  const handled: string[] = [];
  const start = (name: string) => world.element(name, {
    onSession: (session) => {
      session.on('data', async (data) => {
        handled.push(`${name} ${data.toString()}`);
        await new Promise<void>((done) => { world.host(name).clock.setTimeout(done, 10); });
      });
    },
  });
  const first = await start('pe1');
  const session = await world.user().connect();
  await start('pe2');
  void session.send('1');
  void session.send('2');
  await world.until(() => handled.length === 1);
  first.host.process.freeze();
  await world.advance(1_100);
  first.host.process.thaw();
  await world.settled(session.flush());
  await world.advance(100);
  expect(handled).toEqual(['pe1 1', 'pe2 1', 'pe2 2']);
});

it.each(['while it connects', 'while it waits for an answer'])('D-29: a process that stands still %s takes nobody for silent: it asks once, over one association', async (moment) => {
  const world = new World();
  const registrar = await ScriptedRegistrar.start(world, 'r1', 1);
  const pu = world.host('pu');
  const accessPoint = await initialize({ registrars: [registrar.address], environment: pu.environment });
  if (moment === 'while it waits for an answer') await world.advance(10);
  const answer = accessPoint.resolve('nobody');
  await world.advance(1.5);
  pu.process.block(3_000);
  await expect(world.settled(answer)).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
  await world.advance(20);
  expect([registrar.count('ASAP_HANDLE_RESOLUTION'), registrar.links.size]).toEqual([1, 1]);
});
