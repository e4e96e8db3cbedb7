import { TransportError } from '../../../errors.js';
import type { Link } from '../../../transports/transport.js';
import { frame } from '../probe.js';
import { Pair } from './pair.js';

/** Frames of one turn in one message, where the link's owner wants it (`gathersFrames`). */

const MTU = 1500;
const PPID = 77;

/** The DATA chunks of the packets that one end has sent, without those that were sent again. */
function messages(pair: Pair, from: 'client' | 'server'): { readonly ppid: number; readonly stream: number; readonly length: number; readonly isWhole: boolean }[] {
  const byTsn = new Map<number, { ppid: number; stream: number; length: number; isWhole: boolean }>();
  for (const { packet } of pair.sent.filter((each) => each.from === from)) {
    for (let at = 12; at + 4 <= packet.length; at += (packet.readUInt16BE(at + 2) + 3) & ~3) {
      if (packet[at] !== 0) continue;
      byTsn.set(packet.readUInt32BE(at + 4), { ppid: packet.readUInt32BE(at + 12), stream: packet.readUInt16BE(at + 8), length: packet.readUInt16BE(at + 2) - 16, isWhole: (packet[at + 1]! & 3) === 3 });
    }
  }
  return [...byTsn.values()];
}

/** Two ends that write down frames and messages in the order in which they come. */
async function up(options: { gathersFrames?: boolean; maxQueued?: number; highWaterMark?: number } = { gathersFrames: true }) {
  const pair = new Pair({ listen: { ppid: PPID } });
  const { client, server } = await pair.up({ ppid: PPID, ...options });
  const seen: string[] = [];
  Object.assign(server, { frame: (bytes: Buffer, start: number, end: number) => seen.push(bytes.toString('latin1', start + 4, end)) });
  server.onMessage = ({ bytes }) => seen.push(Buffer.from(bytes).toString('latin1'));
  pair.sent.length = 0;
  return { pair, client, server, seen };
}

function reserve(link: Link, body: string): void {
  const source = frame(body);
  const { bytes, offset } = link.reserve(source.length);
  source.copy(bytes, offset);
}

const bodies = (count: number, length = 0): string[] => Array.from({ length: count }, (_, index) => `${index}`.padEnd(length, '.'));

describe('frames of one turn', () => {
  it('share a message', async () => {
    const { pair, client, seen } = await up();
    for (const body of bodies(10)) reserve(client.link, body);
    client.link.send(frame('last'));
    await pair.until(() => seen.length === 11);
    expect(seen).toEqual([...bodies(10), 'last']);
    expect(messages(pair, 'client')).toEqual([{ ppid: PPID, stream: 0, length: 10 * 5 + 8, isWhole: true }]);
  });

  it('are a message each where the owner has not asked for it, as those of ASAP and ENRP', async () => {
    const { pair, client, seen } = await up({});
    for (const body of bodies(10)) reserve(client.link, body);
    await pair.until(() => seen.length === 10);
    expect(messages(pair, 'client').map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 5));
  });

  it('share as many as it takes: each fits a packet with a SACK, so that none waits for another packet', async () => {
    const { pair, client, seen } = await up();
    const sent = bodies(200, 100);
    for (const body of sent) reserve(client.link, body);
    await pair.until(() => seen.length === 200);
    expect(seen).toEqual(sent);
    const lengths = messages(pair, 'client').map(({ length, isWhole }) => { expect(isWhole).toBe(true); return length; });
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MTU - 96);
    const most = Math.floor((MTU - 96) / 104);
    expect(lengths.slice(0, 5)).toEqual([2, 4, 8, most, most].map((frames) => frames * 104)); // nothing was known of the turn at first
    expect(lengths).toHaveLength(3 + Math.ceil((200 - 2 - 4 - 8) / most));
  });

  it('longer than that are alone in theirs, and in order', async () => {
    const { pair, client, seen } = await up();
    const sent = ['a', 'b'.repeat(1400), 'c', 'd'.repeat(100_000), 'e', 'f'.repeat(1300), 'g'.repeat(1500), 'h'];
    for (const [index, body] of sent.entries()) {
      if (index % 3 === 0) client.link.send(frame(body));
      else reserve(client.link, body);
    }
    await pair.until(() => seen.length === sent.length);
    expect(seen).toEqual(sent);
  });

  it('keep their order with messages under other identifiers, in the same stream and in others', async () => {
    const { pair, client, seen } = await up();
    const send = [
      () => { reserve(client.link, 'one'); }, () => { client.send('two'); }, () => { reserve(client.link, 'three'); }, () => { reserve(client.link, 'four'); },
      () => { client.send('five', { stream: 3 }); }, () => { client.link.send(frame('six')); }, () => { client.link.send(frame('seven'), { stream: 3 }); }, () => { client.link.send(frame('eight'), { stream: 3 }); },
      () => { client.send('nine', { unordered: true }); }, () => { client.link.send(frame('ten'), { unordered: true }); }, () => { reserve(client.link, 'eleven'); },
    ];
    for (const each of send) each();
    await pair.until(() => seen.length === send.length);
    expect(seen).toEqual(['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven']);
    expect(messages(pair, 'client').map(({ ppid, stream }) => [ppid, stream])).toEqual([[PPID, 0], [99, 0], [PPID, 0], [99, 3], [PPID, 0], [PPID, 3], [99, 0], [PPID, 0], [PPID, 0]]);
  });

  it('of beforeWrite go into the same', async () => {
    const { pair, client, seen } = await up();
    Object.assign(client, { beforeWrite: () => { reserve(client.link, 'added'); } });
    reserve(client.link, 'first');
    await pair.until(() => seen.length === 2);
    expect(messages(pair, 'client')).toHaveLength(1);
  });

  it('that were sent before the link was up share one, too', async () => {
    const pair = await new Pair({ listen: { ppid: PPID } }).listen();
    const client = pair.connect({ ppid: PPID, gathersFrames: true });
    for (const body of bodies(5)) reserve(client.link, body);
    expect(client.link.queued).toBe(25);
    await pair.until(() => client.link.queued === 0);
    expect(messages(pair, 'client').map(({ length }) => length)).toEqual([25]);
  });

  it('of two turns do not share one', async () => {
    const { pair, client, seen } = await up();
    reserve(client.link, 'one');
    await pair.pass(0);
    reserve(client.link, 'two');
    await pair.until(() => seen.length === 2);
    expect(messages(pair, 'client')).toHaveLength(2);
  });
});

describe('a message that grows', () => {
  it('may be written into, where its last frame lies, until the turn ends, and no longer', async () => {
    const { pair, client, seen } = await up();
    reserve(client.link, 'one');
    const room = client.link.reserve(frame('two').length);
    frame('TWO').copy(room.bytes, room.offset); // later in the same turn
    await pair.until(() => seen.length === 2);
    expect(seen).toEqual(['one', 'TWO']);
    expect(room.bytes).toHaveLength(0);
  });

  it('counts as queued, and for the mark', async () => {
    const { pair, client } = await up({ gathersFrames: true, highWaterMark: 20 });
    reserve(client.link, 'x'.repeat(12));
    expect([client.link.queued, client.link.writable]).toEqual([16, true]);
    reserve(client.link, '');
    expect(client.link.send(frame(''))).toBe(false);
    expect(client.link.queued).toBe(24);
    await pair.until(() => client.drains === 1);
    expect(client.link.queued).toBe(0);
  });

  it('is not delivered where the link is destroyed in the same turn', async () => {
    const { client, pair } = await up();
    for (const body of bodies(3)) reserve(client.link, body);
    client.link.destroy(new TransportError('LINK_CLOSED', 'not wanted'));
    await pair.until(() => client.reason !== undefined);
    expect(client.link.undelivered).toMatchObject({ unsent: [{ ppid: PPID, stream: 0, bytes: Buffer.concat(bodies(3).map(frame)) }], unacknowledged: [] });
  });

  it('goes out before the link closes', async () => {
    const { pair, client, server, seen } = await up();
    for (const body of bodies(3)) reserve(client.link, body);
    client.link.close();
    await pair.until(() => client.reason !== undefined && server.reason !== undefined);
    expect([seen, client.reason?.code, server.reason?.code]).toEqual([bodies(3), 'LINK_CLOSED', 'LINK_CLOSED']);
  });

  it('takes no frame beyond maxQueued: the link is destroyed, and whoever fills the room fills nothing', async () => {
    const { pair, client } = await up({ gathersFrames: true, maxQueued: 100 });
    for (const body of bodies(4, 20)) reserve(client.link, body);
    reserve(client.link, 'one too many');
    await pair.until(() => client.reason !== undefined);
    expect(client.reason?.code).toBe('QUEUE_OVERFLOW');
    expect(client.link.undelivered.unsent.map(({ bytes }) => bytes.length)).toEqual([96]);
  });
});
