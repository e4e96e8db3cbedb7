import { validate } from '../../../transports/sctp/validate.js';
import { crashPackets } from './hostile.js';
import { chunk, data, handMade, hex, initBody, packet, Pair, sealed, u32 } from './pair.js';

/** S1 to S6: one packet that ends or hangs the package as shipped (shipped.test.ts). */
describe('one packet', () => {
  it.each(Object.entries(crashPackets))('%s: nobody is disturbed', async (_, build) => {
    const pair = new Pair();
    const { client, server } = await pair.up();
    const peer = await handMade(pair);
    peer.sendPacket(build({ tag: peer.tag, tsn: 1, victimTsn: peer.nextTsn }));
    await pair.pass(10);
    peer.send(data(1, 3, Buffer.from('still here')));
    client.send('here, too');
    await pair.until(() => server.texts.length === 1 && pair.accepted[1]!.texts.length > 0, 100);
    expect(pair.accepted[1]!.texts[0]).toBe('still here');
    expect(pair.world.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('INIT with lengths, ports and tags that cannot be has no answer', async () => {
    const pair = await new Pair().listen();
    const stranger = await pair.stranger();
    stranger.send(packet(6000, 7, 5, chunk(1, 0, initBody())));
    stranger.send(packet(0, 7, 0, chunk(1, 0, initBody())));
    stranger.send(packet(6000, 7, 0, chunk(1, 0, initBody()), chunk(11, 0, Buffer.alloc(0))));
    stranger.send(packet(6000, 7, 0, chunk(1, 0, hex('00000000 00100000 0008 0008 00000001'))));
    stranger.send(packet(6000, 7, 0, chunk(1, 0, hex('11223344 00100000 0000 0008 00000001'))));
    await pair.pass(100);
    expect(stranger.received).toEqual([]);
  });
});

describe('validate', () => {
  const flawOf = (...chunks: Buffer[]): string | undefined => validate(packet(1, 2, 3, ...chunks));

  it.each([
    ['short', Buffer.alloc(15)],
    ['checksum', packet(1, 2, 3, chunk(11, 0, Buffer.alloc(0))).fill(9, 4, 5)],
    ['port', packet(1, 0, 3, chunk(11, 0, Buffer.alloc(0)))],
    ['trailing bytes', packet(1, 2, 3, chunk(11, 0, Buffer.alloc(0)), Buffer.alloc(2))],
    ['verification tag', packet(1, 2, 0, chunk(11, 0, Buffer.alloc(0)))],
    ['bundling', packet(1, 2, 3, chunk(14, 0, Buffer.alloc(0)), chunk(11, 0, Buffer.alloc(0)))],
    ['chunk length', packet(1, 2, 3, chunk(11, 0, Buffer.alloc(0), 3))],
  ])('%s', (flaw, bytes) => { expect(validate(bytes)).toBe(flaw); });

  it('knows the shape of each chunk', () => {
    expect(flawOf(chunk(0, 3, Buffer.alloc(12)))).toBe('no user data');
    expect(flawOf(chunk(0, 3, Buffer.alloc(11)))).toBe('chunk too short');
    expect(flawOf(chunk(7, 0, Buffer.alloc(8)))).toBe('chunk of another length');
    expect(flawOf(chunk(4, 0, hex('0002 0008 00000000')))).toBe('heartbeat info');
    expect(flawOf(chunk(4, 0, hex('0001 0008 00000000')))).toBeUndefined();
    expect(flawOf(chunk(6, 0, hex('0009 0004')))).toBe('cause length');
    expect(flawOf(chunk(3, 0, Buffer.concat([u32(1), u32(1), hex('0002 0000'), hex('0002 0003 0003 0004')])))).toBe('sack blocks');
    expect(flawOf(chunk(3, 0, Buffer.concat([u32(1), u32(1), hex('0002 0000'), hex('0002 0003 0005 0005')])))).toBeUndefined();
    expect(flawOf(chunk(0x77, 0, hex('ff')))).toBeUndefined();
  });

  it('every truncation of a packet is dropped or is a packet', () => {
    const whole = packet(1, 2, 0, chunk(1, 0, initBody(hex('0005 0008 7f000001'), hex('c000 0004'), hex('8008 0006 c0c1 0000'))));
    expect(validate(whole)).toBeUndefined();
    for (let length = 16; length < whole.length; length += 1) expect(validate(sealed(Buffer.from(whole.subarray(0, length))))).toBeDefined();
  });
});
