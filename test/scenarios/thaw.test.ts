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
