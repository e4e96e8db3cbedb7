import { encodeAsap } from '../../wire/index.js';
import { echo, elementOf, RawPeer, RegistrarWorld, type AsapPeer } from '../support/registrar-world.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { World } from '../../testing/world.js';

/** What strangers send to a registrar costs them their own link at most; others are answered as quickly as before. */

const question = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: echo });

describe('bytes that make no messages', () => {
  it.each([
    ['a length below 4', [0x05, 0, 0, 3]],
    ['a length of 0', [0x05, 0, 0, 0]],
    ['HTTP', [...Buffer.from('\0\0\0\0GET / HTTP/1.1\r\n')]],
  ])('%s: the link is lost at once, with a reason in the log', async (_, bytes) => {
    const { world, setting, checkOthers } = await start();
    const stranger = await setting.socket();
    stranger.socket.write(Buffer.from(bytes));
    await world.advance(5);
    expect([stranger.over, reasons(setting)]).toEqual(['ECONNRESET', ['PEER_MISBEHAVED']]);
    await checkOthers();
  });

  it('half a message: the link is lost after a while', async () => {
    const { world, setting, checkOthers } = await start();
    const stranger = await setting.socket();
    stranger.socket.write(question.subarray(0, 7));
    await world.advance(4_900);
    expect(stranger.over).toBeUndefined();
    await world.advance(300);
    expect([stranger.over, reasons(setting)]).toEqual(['ECONNRESET', ['IDLE_LINK']]);
    await checkOthers();
  });

  it('slow loris: a byte a second is half a message too', async () => {
    const { world, setting, checkOthers } = await start();
    const stranger = await setting.socket();
    for (let at = 0; at < question.length && stranger.over === undefined; at += 1) {
      stranger.socket.write(question.subarray(at, at + 1));
      await world.advance(1_000);
    }
    expect([stranger.over, reasons(setting)]).toEqual(['ECONNRESET', ['IDLE_LINK']]);
    await checkOthers();
  });

  it('also behind whole ones, and after the half of one that said it would be 64 KiB', async () => {
    const { world, setting, checkOthers } = await start();
    const stranger = await setting.socket();
    stranger.socket.write(Buffer.concat([question, question, Buffer.from([0x05, 0, 0xff, 0xff, 1, 2, 3])]));
    await world.advance(4_000);
    expect(stranger.bytes.length).toBeGreaterThan(0);
    stranger.socket.write(Buffer.alloc(30_000));
    await world.advance(1_300);
    expect([stranger.over, reasons(setting)]).toEqual(['ECONNRESET', ['IDLE_LINK']]);
    await checkOthers();
  });

  it('500 that connect and say nothing: gone when their time for a first message is over, and nobody is kept waiting by them', async () => {
    const { world, setting, checkOthers } = await start({ limits: { firstMessageTimeout: 10_000 } });
    const strangers = await Promise.all(Array.from({ length: 500 }, (_, index) => setting.world.host(`stranger${index % 20}`)).map(async (host) => new RawPeer(host.network.connect({ host: setting.host.address, port: 3863 }))));
    await world.advance(100);
    expect(setting.registrar.stats().associations).toBe(502);
    await checkOthers();
    await world.advance(10_000);
    expect([setting.registrar.stats().associations, strangers.every(({ over }) => over === 'ECONNRESET')]).toEqual([2, true]);
    await checkOthers();
    expect(setting.log('error')).toEqual([]);
  });

  it('of more than may be silent at once, the oldest goes; who has spoken stays', async () => {
    const { world, setting, checkOthers } = await start({ limits: { silentAssociations: 3 } });
    const strangers = [];
    for (let count = 0; count < 5; count += 1) strangers.push(await setting.socket(`stranger${count}`));
    await world.advance(10);
    expect(strangers.map(({ over }) => over)).toEqual(['ECONNRESET', 'ECONNRESET', undefined, undefined, undefined]);
    expect(reasons(setting)).toEqual(['IDLE_LINK', 'IDLE_LINK']);
    strangers[2]?.socket.end(); // leaves by itself: one less that is silent
    await world.advance(10);
    strangers.push(await setting.socket());
    expect(strangers.at(-1)?.over).toBeUndefined();
    await checkOthers();
  });

  it('more links than are allowed are refused, one line in the log; when some are gone, others come in', async () => {
    const { world, setting, checkOthers } = await start({ limits: { associations: 4 } });
    const one = await setting.socket();
    await setting.socket();
    const refused = [await setting.socket(), await setting.socket(), await setting.socket()];
    await world.advance(10);
    expect([refused.map(({ over }) => over !== undefined), one.over]).toEqual([[true, true, true], undefined]);
    expect(setting.log('warn').filter(({ details }) => details['code'] === 'TOO_MANY_LINKS')).toHaveLength(1);
    await checkOthers();
    one.socket.end();
    await world.advance(10);
    const later = await setting.socket();
    await world.advance(10);
    expect(later.over).toBeUndefined();
  });
});

describe('messages that make no sense', () => {
  it('RFC 5352 §2.2, unknown types: reported where the bits say so, and otherwise passed over', async () => {
    const { setting, checkOthers } = await start();
    const peer = await setting.peer('stranger');
    const reported: number[] = [];
    for (const type of [0x3f, 0x7f, 0xbf, 0xff]) if ((await peer.ask(Buffer.from([type, 0, 0, 4]))).some((answer) => answer.type === 'ASAP_ERROR')) reported.push(type);
    expect(reported).toEqual([0x7f]);
    expect([(await peer.resolve()).poolElements.length, peer.down]).toEqual([1, undefined]);
    await checkOthers();
  });

  it.each([
    ['a parameter longer than its message', [0x05, 0, 0, 12, 0, 9, 0xff, 0xff, 1, 2, 3, 4]],
    ['a parameter of length 3', [0x05, 0, 0, 8, 0, 9, 0, 3]],
    ['an empty pool handle (X-16)', [0x05, 0, 0, 8, 0, 9, 0, 4]],
    ['a resolution without a pool handle', [0x05, 0, 0, 4]],
    ['a registration without anything', [0x01, 0, 0, 4]],
  ])('%s: answered by ASAP_ERROR with a cause, a line in the log; the link stays', async (_, bytes) => {
    const { setting, checkOthers } = await start();
    const peer = await setting.peer('stranger');
    const [answer] = await peer.ask(Buffer.from(bytes));
    expect(answer).toMatchObject({ type: 'ASAP_ERROR', error: [expect.objectContaining({ cause: expect.any(String) as string })] });
    expect(setting.log('warn')).toHaveLength(1);
    expect([(await peer.resolve()).poolElements.length, peer.down]).toEqual([1, undefined]);
    await checkOthers();
  });

  it('messages that go to others than registrars are passed over', async () => {
    const { setting, checkOthers } = await start();
    const peer = await setting.peer('stranger');
    const answers = await peer.ask(
      { type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: true }, poolHandle: echo, peIdentifier: 7 },
      { type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: echo, peIdentifier: 7 },
      { type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: true }, poolHandle: echo, poolElements: [] },
      { type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: 1, poolHandle: echo },
      { type: 'ASAP_COOKIE', cookie: Buffer.from('x') },
      { type: 'ASAP_ERROR', error: [{ cause: 'unspecified-error' }] },
    );
    expect([answers, setting.registrar.stats().elements, peer.down]).toEqual([[], 1, undefined]);
    await checkOthers();
  });

  it('a flood of nonsense is answered ten times a second, and as many lines are written', async () => {
    const { setting, world, checkOthers } = await start();
    const stranger = await setting.socket();
    stranger.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x7f, 0, 0, 4]))));
    await world.advance(500);
    expect(Buffer.concat(stranger.bytes).length).toBeLessThan(10 * 64);
    expect(setting.log('warn').length).toBeLessThanOrEqual(10);
    await checkOthers();
  });

  it('whatever is made of good messages by chance: nothing of ours fails, others are served', async () => {
    const { setting, world, checkOthers } = await start();
    const random = new SeededRandom(7);
    const good = [
      encodeAsap({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('fuzz'), poolElement: elementOf(9, { policy: { policy: 'weighted-round-robin', weight: 3 }, asapTransport: { transport: 'tcp', port: 1, addresses: ['10.0.0.1'] }, generation: { generation: 3, home: 1 } }) }),
      encodeAsap({ type: 'ASAP_DEREGISTRATION', poolHandle: Buffer.from('fuzz'), peIdentifier: 9 }),
      encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle: Buffer.from('fuzz'), itemsWanted: 3 }),
      encodeAsap({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: Buffer.from('fuzz'), peIdentifier: 9 }),
      encodeAsap({ type: 'ASAP_ENDPOINT_UNREACHABLE', poolHandle: Buffer.from('fuzz'), peIdentifier: 9 }),
    ];
    let peer = await setting.peer('stranger');
    for (let round = 0; round < 1_500; round += 1) {
      const bytes = Buffer.from(good[random.below(good.length)] as Buffer);
      for (let changes = random.below(4); changes > 0; changes -= 1) bytes[4 + random.below(bytes.length - 4)] = random.below(256);
      peer.association.sendFrame(bytes);
      if (round % 50 === 0) await world.advance(20);
      if (peer.down !== undefined) peer = await setting.peer('stranger');
    }
    await world.advance(6_000);
    peer.association.destroy('LINK_LOST');
    await world.advance(40_000);
    expect([setting.log('error'), setting.events.filter((event) => event.startsWith('error'))]).toEqual([[], []]);
    await checkOthers();
  });
});

describe('a client that asks and never reads', () => {
  it('is not read either once its answers pile up: memory is bounded, others are answered at once; when it reads it gets all answers', async () => {
    const { setting, world, checkOthers } = await start({}, new World({ bufferSize: 16 * 1024 }));
    const stranger = await setting.socket();
    stranger.socket.pause();
    const asked = 100_000;
    for (let batch = 0; batch < 100; batch += 1) stranger.socket.write(Buffer.concat(Array.from({ length: asked / 100 }, () => question)));
    for (let time = 0; time < 50; time += 1) {
      await world.advance(100);
      expect(queuedAt(setting)).toBeLessThan(1024 * 1024);
    }
    await checkOthers();
    expect(stranger.over).toBeUndefined();
    stranger.socket.resume();
    const answer = encodeAsap(await (await setting.peer('user')).resolve());
    await world.until(() => stranger.bytes.reduce((sum, { length }) => sum + length, 0) === asked * answer.length, 3_600_000);
    await checkOthers();
  });

  it('and not kept for ever: after ten seconds in which it has not read it loses its link, with a reason in the log', async () => {
    const { setting, world, checkOthers } = await start({ limits: { highWaterMark: 32 * 1024 } }, new World({ bufferSize: 16 * 1024 }));
    const stranger = await setting.socket();
    stranger.socket.pause();
    for (let batch = 0; batch < 10; batch += 1) stranger.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => question)));
    await world.advance(9_000);
    expect(reasons(setting)).toEqual([]);
    await world.advance(1_500);
    expect([reasons(setting), queuedAt(setting)]).toEqual([['QUEUE_OVERFLOW'], 0]);
    await checkOthers();
  });

  it('one that reads slowly is no such', async () => {
    const { setting, world, checkOthers } = await start({ limits: { highWaterMark: 32 * 1024 } }, new World({ bufferSize: 16 * 1024 }));
    const stranger = await setting.socket();
    for (let batch = 0; batch < 10; batch += 1) stranger.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => question)));
    for (let time = 0; time < 20; time += 1) {
      stranger.socket.pause();
      await world.advance(2_900);
      stranger.socket.resume();
      await world.advance(100);
    }
    expect([reasons(setting), stranger.over]).toEqual([[], undefined]);
    await checkOthers();
  });

  it('one chunk full of questions with large answers: the queue has its bound, and who passes it loses its link, with a reason in the log', async () => {
    const { setting, world, checkOthers } = await start({ limits: { queuedBytes: 256 * 1024 } });
    const peer = await setting.peer('crowd');
    for (let identifier = 100; identifier < 228; identifier += 1) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: echo, poolElement: elementOf(identifier) });
    await world.advance(50);
    const stranger = await setting.socket();
    stranger.socket.pause();
    stranger.socket.write(Buffer.concat(Array.from({ length: 2_000 }, () => question)));
    await world.advance(10);
    expect(queuedAt(setting)).toBeLessThan(64 * 1024);
    stranger.socket.resume();
    await world.advance(10);
    expect([stranger.over, reasons(setting)]).toEqual(['ECONNRESET', ['QUEUE_OVERFLOW']]);
    await checkOthers(129);
  });
});

function queuedAt({ host }: RegistrarWorld): number {
  return [...host.process.sockets].reduce((sum, { writableLength }) => sum + writableLength, 0);
}

/** Codes of warnings that are about links that were destroyed. */
const reasons = (setting: RegistrarWorld): unknown[] => setting.log('warn').flatMap(({ details }) => ('code' in details ? [details['code']] : []));

async function start(options: Parameters<typeof RegistrarWorld.start>[0] = {}, world = new World()) {
  const setting = await RegistrarWorld.start(options, world);
  const peer = await setting.peer();
  const user = await setting.peer('honest');
  await peer.register(elementOf(7));
  await user.resolve(); // not half-open
  /** In one round trip, and the element is still there. */
  const checkOthers = async (elements = 1): Promise<void> => {
    const before = user.received.length;
    const since = world.clock.now();
    user.association.send({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: echo });
    await world.until(() => user.received.length > before, 100);
    expect([world.clock.now() - since, user.received.at(-1)]).toEqual([2, expect.objectContaining({ error: undefined })]);
    expect([user.received.at(-1)].map((message) => (message?.type === 'ASAP_HANDLE_RESOLUTION_RESPONSE' ? message.poolElements.length : 0))).toEqual([Math.min(128, elements)]);
    expect([peer, user].map(({ down }: AsapPeer) => down)).toEqual([undefined, undefined]);
  };
  return { world, setting, checkOthers };
}
