import { Pair } from './pair.js';

/** RFC 9260 §6.3.2 R3, §7.2.4: T3-rtx belongs to the earliest chunk that is outstanding. */
describe('retransmission', () => {
  it('what is lost again and again comes over, however much else is acknowledged meanwhile', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    let losses = 0;
    pair.fromClient = (packet) => !packet.includes('lost') || ++losses > 3;
    client.send('lost', { stream: 1 });
    for (let index = 0; index < 60 && !server.texts.includes('lost'); index += 1) {
      client.send(`${index}`, { stream: 2 });
      await pair.pass(50); // six of them in each RTO
    }
    expect([losses, server.texts.includes('lost')]).toEqual([4, true]);
    await pair.until(() => client.link.queued === 0);
  });

  it('§6.3.3: what is lost three times in a row, alone, does not wait for the doubled time where HEARTBEATs are answered', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    let losses = 0;
    pair.fromClient = (packet) => !packet.includes('lost') || ++losses > 3;
    client.send('lost');
    expect(await pair.until(() => server.texts.includes('lost'))).toBeLessThan(1_300); // 300, 600 and 1000 ms by the doubling
  });
});
