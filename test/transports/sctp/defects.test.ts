import type { Random } from '../../../environment.js';
import { TransportError, UsageError } from '../../../errors.js';
import { createSctpTransport } from '../../../transports/sctp/sctp.js';
import { framing } from '../probe.js';
import { ChunkType } from '../../../transports/sctp/chunks.js';
import { chunk, cookieOf, data, End, handMade, hex, initBody, loseFirst, packet, Pair, sealed, typesOf, u32 } from './pair.js';

/** What npm `sctp` 1.0.0 gets wrong beyond its decoder (crash.test.ts). That it does: shipped.test.ts, by the same names. */

const { DATA, SHUTDOWN, COOKIE_ECHO, COOKIE_ACK, SACK } = ChunkType;

describe('setting up', () => {
  it.each([['COOKIE ECHO', COOKIE_ECHO, 'fromClient'], ['COOKIE ACK', COOKIE_ACK, 'fromServer']] as const)('D1: a %s that is lost is sent again', async (_, type, from) => {
    const pair = await new Pair().listen();
    pair[from] = loseFirst(type);
    const { client, server } = await pair.up();
    client.send('hello');
    await pair.until(() => server.texts.length === 1);
    expect(pair.accepted).toHaveLength(1);
  });

  it('D7: where nobody answers INIT is sent again, and the link is down', async () => {
    const pair = await new Pair().listen();
    pair.fromClient = () => false;
    const client = pair.connect({ connectTimeout: 2000 });
    await pair.until(() => client.reason !== undefined);
    expect(client.reason?.code).toBe('CONNECT_TIMEOUT');
    expect(pair.sent.filter(({ from }) => from === 'client')).toHaveLength(4); // 0, 300, 900 ms and 1900 ms
  });

  it('D9: what is sent before the association is up comes', async () => {
    const pair = await new Pair().listen();
    const client = pair.connect();
    client.send('early');
    await pair.until(() => pair.accepted[0]?.texts.length === 1);
  });

  it('D11: an association that ends takes no others with it', async () => {
    const pair = await new Pair().listen();
    const clients: End[] = [];
    for (let count = 0; count < 5; count += 1) clients.push((await pair.up()).client);
    clients[1]!.link.close();
    await pair.until(() => clients[1]!.reason !== undefined);
    for (const client of clients) client.send('still here');
    await pair.until(() => pair.accepted.filter(({ texts }) => texts.length === 1).length === 4);
  });

  it('D12: two associations between the same hosts are told apart', async () => {
    const pair = new Pair();
    const [one, two] = [await pair.up(), await pair.up()];
    one.client.send('one');
    two.client.send('two');
    await pair.until(() => one.server.texts.length + two.server.texts.length === 2);
    expect([one.server.texts, two.server.texts]).toEqual([['one'], ['two']]);
  });

  it('D13: a link may be destroyed and closed before it is up', async () => {
    const pair = await new Pair().listen();
    const client = pair.connect();
    client.link.close();
    client.link.close();
    await pair.until(() => client.reason !== undefined);
    expect(client.reason?.code).toBe('LINK_CLOSED');
  });

  it('D15, S7: a cookie is good for nobody but whom it was given to, unforged, and for a time', async () => {
    const pair = await new Pair().listen();
    const [owner, thief] = [await pair.stranger('owner'), await pair.stranger('thief')];
    owner.send(packet(6000, 7, 0, chunk(1, 0, initBody())));
    await pair.until(() => owner.received.length === 1);
    const { tag, cookie } = cookieOf(owner.received[0]!);
    const echo = (bytes: Buffer, port = 6000): Buffer => packet(port, 7, tag, chunk(COOKIE_ECHO, 0, bytes));
    thief.send(echo(Buffer.from(cookie)));
    owner.send(echo(Buffer.from(cookie), 6001));
    for (let at = 0; at < cookie.length; at += 5) owner.send(echo(Buffer.from(cookie.map((byte, index) => (index === at ? byte ^ 1 : byte)))));
    owner.send(packet(6000, 7, tag ^ 1, chunk(COOKIE_ECHO, 0, Buffer.from(cookie))));
    await pair.pass(1000);
    expect(pair.accepted).toHaveLength(0);
    expect(thief.received).toHaveLength(0);
    await pair.pass(58_000);
    owner.send(echo(Buffer.from(cookie)));
    await pair.until(() => pair.accepted.length === 1);
    await pair.pass(61_000);
    owner.send(echo(Buffer.from(cookie)));
    await pair.pass(1000);
    expect(pair.accepted).toHaveLength(1);
    expect(owner.received.at(-1)?.subarray(12).equals(hex('09 00 000c 0003 0008 00000000'))).toBe(true); // stale
  });

  it('S8: addresses that an INIT lists are not taken for the sender\'s', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up({ localPort: 6000 });
    const liar = await pair.stranger('liar');
    const address = Buffer.from(pair.hosts.client.address.split('.').map(Number));
    liar.send(packet(6000, 7, 0, chunk(1, 0, initBody(Buffer.concat([hex('0005 0008'), address])))));
    await pair.until(() => liar.received.length === 1);
    const { tag, cookie } = cookieOf(liar.received[0]!);
    liar.send(packet(6000, 7, tag, chunk(COOKIE_ECHO, 0, Buffer.from(cookie))));
    await pair.until(() => pair.accepted.length === 2);
    client.send('mine');
    await pair.until(() => server.texts.length === 1);
    server.send('yours');
    await pair.until(() => client.texts.length === 1);
  });

  it('API: an SCTP port where nobody listens answers with ABORT', async () => {
    const pair = await new Pair().listen();
    const client = pair.connect({}, 'sctp+udp://server:8');
    await pair.until(() => client.reason !== undefined, 100);
    expect(client.reason).toMatchObject({ code: 'CONNECT_FAILED', cause: { code: 'ECONNREFUSED' } });
  });

  it('API: a listener that is closed takes no more, and its port is free', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    await pair.listener.close();
    const late = pair.connect();
    await pair.until(() => late.reason?.code === 'CONNECT_FAILED');
    await pair.listen();
    await pair.up();
    client.send('still here');
    await pair.until(() => server.texts.length === 1);
  });

  it('both sides at once, from the same port to the same port, make one association', async () => {
    const pair = new Pair({ latency: 20 });
    await pair.listen(9901);
    const clientListener = await pair.client.listen('sctp+udp://client:9901', () => { throw new Error('nobody is accepted'); }, { framing });
    const [here, there] = [pair.connect({ localPort: 9901 }, 'sctp+udp://server:9901'), new End()];
    there.link = pair.server.connect('sctp+udp://client:9901', there, { framing, localPort: 9901 });
    await pair.until(() => here.isUp && there.isUp);
    here.send('a');
    there.send('b');
    await pair.until(() => here.texts.length + there.texts.length === 2);
    await clientListener.close();
  });
});

describe('data', () => {
  it('D2: the first message of a stream is lost, and the second comes first', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    pair.fromClient = loseFirst(DATA);
    client.send('one', { stream: 3 });
    await pair.pass(5);
    client.send('two', { stream: 3 });
    client.send('other', { stream: 4 });
    await pair.pass(50);
    expect(server.texts).toEqual(['other']); // a stream does not wait for another
    await pair.until(() => server.texts.length === 3);
    expect(server.texts).toEqual(['other', 'one', 'two']);
  });

  it.each([[0.05, 600, 1], [0.05, 600, 2], [0.05, 600, 3], [0.15, 2000, 4], [0.15, 2000, 5]])('loss: %f of all packets, 200 messages of %i bytes, echoed; seed %i', async (loss, size, seed) => {
    const pair = new Pair({ seed, loss, jitter: 5, settings: { silence: 5000 } });
    const { client, server } = await pair.up();
    server.onMessage = ({ bytes }) => { server.link.send(Buffer.from(bytes), { ppid: 99 }); };
    const bodies = Array.from({ length: 200 }, (_, index) => `${index} `.padEnd(size, '.'));
    for (const body of bodies) client.send(body);
    await pair.until(() => client.texts.length === bodies.length);
    expect(client.texts).toEqual(bodies);
  });

  it('D6: a peer that is silent is SILENCE after half a second, with or without data', async () => {
    const pair = new Pair();
    const [idle, busy] = [await pair.up(), await pair.up()];
    pair.world.network.partition('client', 'server');
    busy.client.send('lost');
    const took = await pair.until(() => idle.client.reason !== undefined && busy.client.reason !== undefined);
    expect([idle.client.reason?.code, busy.client.reason?.code]).toEqual(['SILENCE', 'SILENCE']);
    expect(took).toBeGreaterThan(400);
    expect(took).toBeLessThanOrEqual(600);
    expect(busy.client.link.undelivered).toMatchObject({ unsent: [], unacknowledged: [{ ppid: 99 }] });
  });

  it('D6: data that are never acknowledged end a link whose HEARTBEATs are answered', async () => {
    const pair = new Pair();
    const { client } = await pair.up();
    pair.fromClient = (bytes) => !typesOf(bytes).includes(DATA);
    client.send('lost');
    const took = await pair.until(() => client.reason !== undefined);
    expect(client.reason?.code).toBe('LINK_LOST');
    expect(pair.sent.filter(({ from, packet: each }) => from === 'client' && typesOf(each).includes(DATA))).toHaveLength(11);
    expect(took).toBeGreaterThan(5000);
  });

  it('an association at rest stays, and asks every 100 ms', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    const before = pair.sent.length;
    await pair.pass(10_000);
    expect([client.reason, server.reason]).toEqual([undefined, undefined]);
    expect(pair.sent.length - before).toBeLessThanOrEqual(2 * 200);
    expect(client.link.path?.rtt).toBeCloseTo(2, 0);
  });

  it.each([100_000, 256 * 1024, 4 * 1024 * 1024])('rwnd, D20: a message of %i bytes comes through a window of 64 KiB', async (size) => {
    const pair = new Pair({ settings: { receiveWindow: 0x1_0000 } });
    const { client, server } = await pair.up();
    client.send(size);
    client.send('next');
    await pair.until(() => server.texts.length === 2);
    expect(server.messages.map(({ bytes }) => bytes.length)).toEqual([size, 4]);
  });

  it('D8, D10: 40 messages at once on three streams wait their turn, and drain is told', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up({ highWaterMark: 10_000 });
    for (let index = 0; index < 40; index += 1) client.send(`${index}`.padEnd(1400), { stream: index % 3 });
    expect(client.link.writable).toBe(false);
    await pair.until(() => server.texts.length === 40 && client.drains === 1);
    for (const stream of [0, 1, 2]) {
      const numbers = server.messages.filter((each) => each.stream === stream).map(({ bytes }) => Number(Buffer.from(bytes).toString()));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
  });

  it('D16, D17: an empty message, one that is too long and a stream there cannot be are refused at once', async () => {
    const { client } = await new Pair().up();
    expect(() => client.send('')).toThrow(UsageError);
    expect(() => client.send(0x40_0001)).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }));
    for (const stream of [-1, 64, 1.5]) expect(() => client.send('x', { stream })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('D17: more streams than the peer takes share those there are', async () => {
    const pair = new Pair({ serverSettings: { streams: 2 } });
    const { client, server } = await pair.up();
    for (let stream = 0; stream < 6; stream += 1) client.send(`${stream}`, { stream });
    await pair.until(() => server.texts.length === 6);
    expect(server.messages.map(({ stream }) => stream)).toEqual([0, 1, 0, 1, 0, 1]);
    expect(client.link.path?.streams).toBe(2);
  });

  it('D18: each message keeps its payload protocol identifier', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    for (let ppid = 100; ppid < 300; ppid += 1) client.send('x', { ppid });
    await pair.until(() => server.messages.length === 200);
    expect(server.messages.map(({ ppid }) => ppid)).toEqual(Array.from({ length: 200 }, (_, index) => 100 + index));
  });

  it('D19: unordered messages take no number of their stream, and wait for nobody', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    client.send('o1');
    client.send('u1', { unordered: true });
    client.send('o2');
    await pair.until(() => server.texts.length === 3);
    pair.fromClient = loseFirst(DATA);
    client.send('o3');
    await pair.pass(5);
    client.send(5000, { unordered: true });
    await pair.until(() => server.messages.length === 4, 100);
    expect(server.messages.at(-1)).toMatchObject({ unordered: true });
    await pair.until(() => server.texts.at(-1) === 'o3');
  });

  it.each([1500, 1280, 576])('MTU: no packet is longer than the path takes (%i bytes, IP and UDP included), whatever is bundled', async (mtu) => {
    const pair = new Pair({ settings: { mtu }, loss: 0.02 });
    const { client, server } = await pair.up();
    for (let index = 0; index < 300; index += 1) client.send((index * 97) % 3000 + 1);
    await pair.until(() => server.messages.length === 300);
    const longest = Math.max(...pair.sent.map(({ packet: each }) => each.length));
    expect(longest).toBeLessThanOrEqual(mtu - 28);
    expect(longest).toBeGreaterThan(mtu - 28 - 40);
  });

  it.each([0, 1, 0xffff_ffff, 0xffff_fff0, 0x7fff_fff8])('SN: first TSN %i, and on beyond the end of the numbers', async (first) => {
    const random: Random = { fraction: () => 0.5, bytes: (length) => Buffer.alloc(length, 1), u32: sequence([77, 5, first]) };
    const odd = new Pair({ clientRandom: random, loss: 0.05 });
    const { client, server } = await odd.up({ connectTimeout: 20_000 });
    for (let index = 0; index < 60; index += 1) client.send(`${index}`.padEnd(1000));
    await odd.until(() => server.messages.length === 60);
    expect(server.texts.map(Number)).toEqual(Array.from({ length: 60 }, (_, index) => index));
    const tsns = odd.sent.filter(({ from, packet: each }) => from === 'client' && typesOf(each).includes(1)).map(({ packet: each }) => each.readUInt32BE(28));
    expect(new Set(tsns)).toEqual(new Set([first]));
  });

  it('S5, S6: a SACK of what was never sent, and one that is older than another, say nothing', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    const [server] = pair.accepted;
    server!.send('one');
    await pair.until(() => peer.received.some((each) => typesOf(each).includes(DATA)));
    const sack = (cumulative: number, ...blocks: number[]): Buffer => chunk(SACK, 0, Buffer.concat([u32(cumulative), u32(65536), Buffer.from([0, blocks.length / 2, 0, 0]), ...blocks.map((each) => u32(each).subarray(2))]));
    peer.send(sack(peer.nextTsn + 1000));
    peer.send(sack(peer.nextTsn - 5));
    peer.send(sack(peer.nextTsn - 1, 2, 9));
    const before = peer.received.length;
    await pair.until(() => peer.received.slice(before).some((each) => typesOf(each).includes(DATA))); // still sent again
    peer.send(sack(peer.nextTsn));
    server!.send('two');
    await pair.until(() => peer.received.some((each) => each.toString('latin1').includes('two')));
    expect(server!.reason).toBeUndefined();
  });

  it('S5: TSNs far ahead and far behind cost nothing and are not taken', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    for (const tsn of [70_000, 0x7fff_fff0, 0x8000_0000, 0xffff_0000]) peer.send(data(1 + tsn, 3, Buffer.from('x'), { ssn: 9 }));
    peer.send(data(1, 3, Buffer.from('right')));
    await pair.until(() => pair.accepted[0]!.texts.length > 0);
    expect(pair.accepted[0]!.texts).toEqual(['right']);
  });

  it('D14: an ERROR chunk is no event, and no end', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    peer.send(chunk(9, 0, hex('00ff 0008 01020304')), chunk(9, 0, hex('000d 0005 78')));
    peer.send(data(1, 3, Buffer.from('on')));
    await pair.until(() => pair.accepted[0]!.texts.length === 1);
  });

  it('a stream that was not agreed upon is reported, and its message thrown away', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    peer.send(data(1, 3, Buffer.from('no'), { stream: 64 }));
    peer.send(data(2, 3, Buffer.from('yes')));
    await pair.until(() => pair.accepted[0]!.texts.length === 1 && peer.received.some((each) => typesOf(each).includes(9)));
    expect(pair.accepted[0]!.texts).toEqual(['yes']);
  });

  it('chunks of types we do not know are treated as their first two bits say', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    peer.send(chunk(0x3f, 0, hex('01020304')), data(1, 3, Buffer.from('stopped')));
    peer.send(chunk(0xbf, 0, hex('01020304')), data(1, 3, Buffer.from('skipped')));
    peer.send(chunk(0xff, 0, hex('01020304')), data(2, 3, Buffer.from('reported'), { ssn: 1 }));
    await pair.until(() => pair.accepted[0]!.texts.length === 2);
    expect(pair.accepted[0]!.texts).toEqual(['skipped', 'reported']);
    await pair.until(() => peer.received.some((each) => typesOf(each).includes(9)));
  });

  it('a bad checksum makes a packet nobody\'s (S3)', async () => {
    const pair = await new Pair().listen();
    const stranger = await pair.stranger();
    const init = packet(6000, 7, 0, chunk(1, 0, initBody()));
    init.writeUInt32LE(init.readUInt32LE(8) ^ 1, 8);
    stranger.send(init);
    await pair.pass(100);
    expect(stranger.received).toEqual([]);
    stranger.send(sealed(init));
    await pair.until(() => stranger.received.length === 1);
  });
});

describe('the end', () => {
  it('D3: five messages and close: all five come', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    for (let index = 0; index < 5; index += 1) client.send(`${index}`.padEnd(900));
    client.link.close();
    await pair.until(() => client.reason !== undefined && server.reason !== undefined);
    expect(server.texts).toHaveLength(5);
    expect([client.reason?.code, server.reason?.code]).toEqual(['LINK_CLOSED', 'LINK_CLOSED']);
  });

  it.each([SHUTDOWN, 8, 14])('D4: the first chunk of type %i is lost', async (type) => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    pair.fromClient = loseFirst(type);
    pair.fromServer = loseFirst(type);
    client.link.close();
    await pair.until(() => client.reason !== undefined && server.reason !== undefined, 5000);
    expect([client.reason?.code, server.reason?.code]).toEqual(['LINK_CLOSED', 'LINK_CLOSED']);
  });

  it('D5: SHUTDOWN comes while data of ours are outstanding', async () => {
    const pair = new Pair({ settings: { closeTimeout: 5000 } });
    const { client, server } = await pair.up();
    pair.fromServer = loseFirst(DATA);
    server.send('late');
    await pair.pass(0);
    client.link.close();
    await pair.until(() => client.reason !== undefined && server.reason !== undefined, 3000);
    expect([client.reason?.code, server.reason?.code]).toEqual(['LINK_CLOSED', 'LINK_CLOSED']);
  });

  it('S9: DATA that comes after our own SHUTDOWN', async () => {
    const pair = new Pair();
    const peer = await handMade(pair);
    const [server] = pair.accepted;
    server!.link.close();
    await pair.until(() => peer.received.some((each) => typesOf(each).includes(SHUTDOWN)));
    peer.send(data(1, 3, Buffer.from('late')));
    await pair.until(() => peer.received.some((each) => typesOf(each).includes(SACK)));
    peer.send(chunk(8, 0, Buffer.alloc(0)));
    await pair.until(() => server!.reason !== undefined);
    expect(server!.reason?.code).toBe('LINK_CLOSED');
    expect(pair.world.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('both close at once', async () => {
    const pair = new Pair({ latency: 10 });
    const { client, server } = await pair.up();
    client.link.close();
    server.link.close();
    await pair.until(() => client.reason !== undefined && server.reason !== undefined, 200);
    expect([client.reason?.code, server.reason?.code]).toEqual(['LINK_CLOSED', 'LINK_CLOSED']);
  });

  it('an ABORT says why', async () => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    client.link.destroy(new TransportError('LINK_LOST', 'for this reason'));
    await pair.until(() => server.reason !== undefined);
    expect(server.reason?.code).toBe('LINK_LOST');
    expect(server.reason?.message).toContain('for this reason');
  });

  it('restart: a peer that begins anew with the same ports is a loss, and a new link', async () => {
    const pair = new Pair({ settings: { silence: 60_000 } });
    const { server } = await pair.up({ localPort: 6000 });
    await pair.pass(10);
    pair.hosts.client.process.crash();
    const again = pair.world.host('client');
    const transport = createSctpTransport({ datagrams: again.network, clock: again.clock, random: again.random, lookUp: (each) => again.environment.lookUp(each) });
    let isUp = false;
    const texts: string[] = [];
    const link = transport.connect(pair.at, {
      up: () => { isUp = true; }, frame: () => undefined, down: () => undefined, message: ({ bytes }) => { texts.push(Buffer.from(bytes).toString()); },
    }, { framing, localPort: 6000 });
    await pair.until(() => isUp && pair.accepted.length === 2);
    expect(server.reason?.code).toBe('LINK_LOST');
    expect(server.reason?.message).toContain('restarted');
    pair.accepted[1]!.send('new');
    await pair.until(() => texts.length === 1);
    expect(texts).toEqual(['new']);
    link.close();
  });

  it('who has forgotten the association says so: LINK_LOST at the next word', async () => {
    const pair = new Pair({ settings: { silence: 60_000 } });
    const { client } = await pair.up();
    pair.hosts.server.process.crash();
    const again = pair.world.host('server');
    const transport = createSctpTransport({ datagrams: again.network, clock: again.clock, random: again.random, lookUp: (each) => again.environment.lookUp(each) });
    await transport.listen('sctp+udp://server:7', () => ({ frame: () => undefined, down: () => undefined }), { framing });
    client.send('are you there');
    await pair.until(() => client.reason !== undefined);
    expect(client.reason?.code).toBe('LINK_LOST');
  });
});

function sequence(values: number[]): () => number {
  let index = 0;
  return () => values[Math.min(index++, values.length - 1)]! + (index > values.length ? index : 0);
}
