import { Pair } from './pair.js';

/** What the sender of a message learns of its way: `acknowledged`, and `ping`. */
describe('what the peer has', () => {
  it('a message is acknowledged when the peer has it and all before it, once; a long one when it is whole', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    const acknowledged: string[] = [];
    const send = (text: string, name: string): void => { client.link.send(Buffer.from(text), { ppid: 99, acknowledged: () => { acknowledged.push(name); } }); };
    let losses = 0;
    pair.fromClient = (packet) => !packet.includes('lost') || ++losses > 1;
    send('first', 'first');
    await pair.until(() => acknowledged.length === 1);
    send('lost', 'lost');
    send('x'.repeat(10_000), 'long');
    expect(acknowledged).toEqual(['first']); // never from inside of send
    await pair.until(() => acknowledged.length === 3);
    expect([acknowledged, server.texts.map((text) => text.length)]).toEqual([['first', 'lost', 'long'], [5, 4, 10_000]]);
  });

  it('nothing is said of what was not acknowledged', async () => {
    const pair = new Pair();
    const { client } = await pair.up({ silence: 500 });
    pair.fromClient = () => false;
    let isAcknowledged = false;
    client.link.send(Buffer.from('x'), { ppid: 99, acknowledged: () => { isAcknowledged = true; } });
    await pair.until(() => client.reason !== undefined);
    expect([isAcknowledged, client.link.undelivered.unacknowledged.length]).toEqual([false, 1]);
  });

  it('a ping is heard after a round trip; where it is lost, with a later heartbeat', async () => {
    const pair = new Pair({ latency: 3 });
    const { client } = await pair.up();
    let heard = 0;
    client.link.ping(() => { heard += 1; });
    expect(await pair.until(() => heard === 1)).toBe(6);
    let lost = 0;
    pair.fromClient = () => ++lost > 1;
    client.link.ping(() => { heard += 1; });
    await pair.until(() => heard === 2);
    expect([lost > 1, heard]).toEqual([true, 2]);
  });
});
