import { Association } from '../../actors/association.js';
import type { Link } from '../../transports/transport.js';
import { asapFraming, encodeAsap, type AsapMessage } from '../../wire/index.js';
import { World } from '../../testing/world.js';

/** ASAP over a link: what comes of malformed and unknown messages (RFC 5352 §2.2.14; RFC 5354 §3, §4). */

async function pair() {
  const world = new World();
  const [near, far] = [world.host('near'), world.host('far')];
  const received: AsapMessage[] = [];
  const downs: string[] = [];
  let accepted: Link | undefined;
  await world.settled(near.tcp.listen(`tcp://${near.address}:3863`, (link) => {
    accepted = link;
    return Association.accept(link, () => ({ message: (message) => received.push(message), down: ({ code }) => downs.push(code) }), near.environment);
  }, { framing: asapFraming }));
  const answers: AsapMessage[] = [];
  const ups: string[] = [];
  const peer = Association.connect(far.tcp, `tcp://${near.address}:3863`, () => ({ up: () => ups.push('up'), message: (message) => answers.push(message), down: ({ code }) => downs.push(`peer ${code}`) }), far.environment);
  await world.advance(10);
  return { world, peer, received, answers, downs, ups, near: () => accepted as Link };
}

const keepAlive: AsapMessage = { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: Buffer.from('echo'), peIdentifier: 1 };

describe('association', () => {
  it('carries messages both ways', async () => {
    const { world, peer, received, ups } = await pair();
    peer.send(keepAlive);
    await world.advance(5);
    expect([ups, received]).toEqual([['up'], [keepAlive]]);
  });

  // proves 5352-2.2.14-a, 5352-2.2.14-b, 5354-4-a, 5354-4-b
  it('5354 §4: an unknown message of type 01xxxxxx is reported, of 00xxxxxx and 1xxxxxxx dropped in silence', async () => {
    const { world, peer, received, answers, downs } = await pair();
    for (const type of [0x43, 0x33, 0x83, 0xc3]) peer.sendFrame(Buffer.from([type, 0, 0, 4]));
    peer.send(keepAlive);
    await world.advance(5);
    expect(answers).toEqual([{ type: 'ASAP_ERROR', error: [expect.objectContaining({ cause: 'unrecognized-message', message: Buffer.from([0x43, 0, 0, 4]) })] }]);
    expect([received.length, downs]).toEqual([1, []]);
  });

  // proves 5352-2.2.14-b, 5354-3-d
  it('5354 §3: an unknown parameter that asks for it is reported, and the message counts', async () => {
    const { world, peer, received, answers } = await pair();
    const whole = encodeAsap(keepAlive);
    const longer = Buffer.concat([whole, Buffer.from([0xc0, 0x99, 0, 4])]);
    longer.writeUInt16BE(longer.length, 2);
    peer.sendFrame(longer);
    await world.advance(5);
    expect(received).toHaveLength(1);
    expect(answers).toEqual([{ type: 'ASAP_ERROR', error: [expect.objectContaining({ cause: 'unrecognized-parameter' })] }]);
  });

  it('a malformed message is answered with its cause, ten times a second at the most', async () => {
    const { world, peer, received, answers } = await pair();
    const malformed = (): void => { peer.sendFrame(Buffer.from([0x08, 0, 0, 8, 0, 9, 0, 3])); };
    for (let time = 0; time < 50; time += 1) malformed();
    await world.advance(20);
    expect(answers).toHaveLength(10);
    expect(answers[0]).toMatchObject({ type: 'ASAP_ERROR', error: [{ cause: 'invalid-values' }] });
    await world.advance(1_000);
    malformed();
    peer.send(keepAlive);
    await world.advance(5);
    expect([answers.length, received.length]).toEqual([11, 1]);
    expect(world.log.filter(({ host, level }) => host === 'near' && level === 'warn')).toHaveLength(11);
  });

  it('an ASAP_ERROR is never answered, a malformed one neither', async () => {
    const { world, peer, received, answers } = await pair();
    peer.send({ type: 'ASAP_ERROR', error: [{ cause: 'unspecified-error' }] });
    peer.sendFrame(Buffer.from([0x0e, 0, 0, 8, 0, 12, 0, 3]));
    await world.advance(5);
    expect([received.length, answers]).toEqual([1, []]);
  });

  it('bytes that cannot be cut into messages cost their sender his link, with a reason', async () => {
    const { world, peer, downs } = await pair();
    peer.sendFrame(Buffer.from([0x08, 0, 0, 2]));
    await world.advance(10);
    expect(downs).toContain('PEER_MISBEHAVED');
  });

  it('the owner may take frames before the decoder', async () => {
    const world = new World();
    const host = world.host('near');
    const frames: string[] = [];
    const received: AsapMessage[] = [];
    await world.settled(host.tcp.listen(`tcp://${host.address}:1`, (link) => Association.accept(link, () => ({
      frame: (bytes, start, end) => { frames.push(bytes.toString('hex', start, end)); return bytes[start] === 0x05; },
      message: (message) => received.push(message), down: () => undefined,
    }), host.environment), { framing: asapFraming }));
    const peer = Association.connect(world.host('far').tcp, `tcp://${host.address}:1`, () => ({ message: () => undefined, down: () => undefined }), world.host('far').environment);
    peer.sendFrame(Buffer.from([0x05, 0, 0, 4]));
    peer.send(keepAlive);
    await world.advance(10);
    expect([frames.length, frames[0], received]).toEqual([2, '05000004', [keepAlive]]);
  });

  it('down comes once; what is sent after it is dropped', async () => {
    const { world, peer, downs } = await pair();
    peer.destroy('SILENCE');
    await world.advance(10);
    expect(downs).toContain('peer SILENCE');
    expect([peer.isDown, peer.send(keepAlive)]).toEqual([true, false]);
    expect(downs).toHaveLength(2);
  });
});
