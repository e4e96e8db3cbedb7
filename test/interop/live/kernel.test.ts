import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { nodeClock } from '../../../transports/node.js';
import type { SctpTransport } from '../../../transports/sctp/sctp.js';
import type { Listener } from '../../../transports/transport.js';
import { Lab } from '../lab/lab.js';
import { contentOf, SctpPeer } from '../lab/sctp-peer.js';
import { pause } from '../lab/until.js';
import { note } from './figures.js';
import { End, transport } from './ours.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const guest = lab.guest(2);
const USERS = 99; // no identifier of RSerPool's
/** Around the edges of one packet and of two, and the largest that RSPLIB must take. */
const sizes = [1, 2, 3, 4, 1_300, 1_431, 1_432, 1_433, 1_448, 1_452, 1_453, 2_000, 3_000, 4_096, 16_384, 30_000, 65_535, 65_536];
const quickToLeave = { linger: 0 }; // so that the next test can have UDP port 9899
let port = 5_000; // another for each: a kernel may keep one for a while

describe('our SCTP with the kernel\'s, over UDP', () => {
  let ours: SctpTransport;
  let listener: Listener | undefined;
  const ends: End[] = [];
  const accepted: End[] = [];

  beforeAll(async () => {
    await lab.fresh(2);
    await lab.encapsulate(2);
    ours = transport(quickToLeave);
  });
  afterEach(async () => {
    for (const end of [...ends, ...accepted].splice(0)) end.end();
    ends.length = accepted.length = 0;
    await listener?.close();
    listener = undefined;
    await pause(20); // the socket is let go
  });
  afterAll(async () => lab.fresh(2));

  const outgoing = async (through = ours): Promise<{ end: End; peer: SctpPeer }> => {
    const peer = await SctpPeer.listen(guest, port += 1);
    const end = End.connect(through, `sctp+udp://${guest.address}:${port}`);
    ends.push(end);
    await end.connected();
    await peer.up();
    return { end, peer };
  };
  const incoming = async (through = ours, localPort?: number): Promise<{ end: End; peer: SctpPeer }> => {
    listener ??= await End.listen(through, `sctp+udp://0.0.0.0:${port += 1}`, accepted);
    const peer = SctpPeer.connect(guest, lab.address, Number(/:(\d+)$/.exec(listener.address)?.[1]), localPort);
    await peer.up();
    return { end: await accepted.at(-1)!.connected(), peer };
  };

  scenario('K1', async () => {
    for (const { end, peer } of [await outgoing(), await incoming()]) {
      await peer.echo();
      for (const size of sizes) end.link.send(contentOf(size), { ppid: USERS });
      for (const length of sizes) {
        expect(await peer.message()).toEqual({ ppid: USERS, stream: 0, length, isIntact: true });
        const { bytes } = await end.next();
        expect({ length: bytes.length, isIntact: contentOf(bytes.length).equals(bytes) }).toEqual({ length, isIntact: true });
      }
    }
  });

  scenario('K2', async () => {
    for (const { end, peer } of [await outgoing(), await incoming()]) {
      const streams = [0, 1, 7, 15];
      for (const stream of streams) end.link.send(contentOf(100 + stream), { ppid: 0x7fff_0000 + stream, stream });
      for (const stream of streams) expect(await peer.message()).toEqual({ ppid: 0x7fff_0000 + stream, stream, length: 100 + stream, isIntact: true });
      for (const stream of streams) peer.send(200 + stream, { ppid: 33 + stream, stream });
      for (const stream of streams) expect(await end.next()).toMatchObject({ ppid: 33 + stream, stream, unordered: false, bytes: contentOf(200 + stream) });
      peer.send(300, { ppid: 33, stream: 2, unordered: true });
      expect(await end.next()).toMatchObject({ ppid: 33, stream: 2, unordered: true, bytes: contentOf(300) });
    }
  });

  scenario('K3', async () => {
    const mine = await outgoing();
    for (let count = 0; count < 50; count += 1) mine.end.link.send(contentOf(4_000), { ppid: USERS });
    mine.end.link.close();
    for (let count = 0; count < 50; count += 1) expect(await mine.peer.message()).toMatchObject({ length: 4_000, isIntact: true });
    await mine.peer.ended();
    expect((await mine.end.ended()).code).toBe('LINK_CLOSED');

    const theirs = await incoming();
    for (let count = 0; count < 50; count += 1) theirs.peer.send(4_000, { ppid: USERS });
    theirs.peer.shutdown();
    expect((await theirs.end.ended()).code).toBe('LINK_CLOSED');
    expect(theirs.end.messages.map(({ bytes }) => Buffer.from(bytes).equals(contentOf(4_000)))).toEqual(Array<boolean>(50).fill(true));
  });

  scenario('K4', async () => {
    const mine = await outgoing();
    mine.end.end();
    expect(await mine.peer.lost()).toBe('Connection reset by peer');

    const theirs = await outgoing();
    theirs.peer.abort();
    expect((await theirs.end.ended()).code).toBe('LINK_LOST');

    const killed = await incoming(); // a kernel ends the associations of a process that dies
    await killed.peer.kill();
    expect((await killed.end.ended()).code).not.toBe('SILENCE');
  });

  scenario('K5', async () => {
    const patient = transport({ ...quickToLeave, silence: Infinity });
    const first = await incoming(patient, 7_777);
    await lab.drop(2); // else its kernel would say good-bye
    await guest.reboot();
    await lab.undrop(2);
    await lab.encapsulate(2);
    const second = await incoming(patient, 7_777);

    expect(first.end).not.toBe(second.end);
    expect((await first.end.ended()).code).toBe('LINK_LOST');
    second.peer.send(500, { ppid: USERS });
    expect(Buffer.from((await second.end.next()).bytes).equals(contentOf(500))).toBe(true);
  });

  scenario('K6', async () => {
    for (const open of [outgoing, incoming]) {
      const { end } = await open();
      const began = nodeClock.now();
      await lab.drop(2);
      expect((await end.ended()).code).toBe('SILENCE');
      const took = nodeClock.now() - began;
      await lab.undrop(2);
      note('our SCTP, the peer vanishes: until our link is down', `${took.toFixed(0)} ms`);
      expect(took).toBeLessThan(1_500); // 0.5 s, and a loaded machine
    }
  });
});
