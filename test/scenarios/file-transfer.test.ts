import { SessionWorld } from '../support/session-world.js';

/** Large downloads: `outputCommit: false`, one request and many replies. */

it('D-21: a client that does not read holds its server up: reply() waits for room, nothing is buffered', async () => {
  const world = new SessionWorld();
  let [made, given] = [0, 0];
  await world.element('pe', { outputCommit: false, onSession: (session) => {
    session.on('data', async (_, info) => { for (let part = 0; part < 200; part++) { await info.reply(Buffer.alloc(0x1_0000)); made += 0x1_0000; } });
  } });
  const session = await world.user().connect();
  const waiting: (() => void)[] = [];
  session.on('data', async (data) => { given += data.length; return new Promise<void>((done) => { waiting.push(done); }); });
  void session.send('the file');
  await world.advance(500);
  expect(made).toBeLessThanOrEqual(4 * 0x10_0000); // the credit of a session
  expect(made).toBe(given);
  while (given < 200 * 0x1_0000) {
    for (const done of waiting.splice(0)) done();
    await world.advance(10);
    expect(made - given).toBeLessThanOrEqual(4 * 0x10_0000);
  }
  for (const done of waiting.splice(0)) done();
  await world.settled(session.close());
});
