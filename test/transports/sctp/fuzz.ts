import type { Random } from '../../../environment.js';
import { crashPackets } from './hostile.js';
import { chunk, data, type End, handMade, hex, initBody, packet, Pair, sealed, u32 } from './pair.js';

export interface FuzzReport {
  readonly packets: number;
  readonly errors: number;
  readonly slowest: number;
  readonly heap: number;
  /** Messages that came through beside all that. */
  readonly exchanged: number;
}

/** Mutated packets, without and with an association, beside a link that must not notice. `now`: real milliseconds, to see what one packet costs. */
export async function fuzz(packets: number, seed: number, now: () => number): Promise<FuzzReport> {
  const pair = new Pair({ seed, settings: { maxAnswers: Infinity }, listen: { maxLinks: 64 } });
  const { random } = pair.hosts.client;
  const { client, server } = await pair.up({ connectTimeout: 60_000 });
  const report = { errors: 0, slowest: 0, exchanged: 0 };
  let port = 6000;
  let peer = await handMade(pair, port);
  for (let sent = 0; sent < packets;) {
    const victim = pair.accepted.at(-1);
    if (victim?.reason !== undefined) peer = await handMade(pair, (port = 6000 + ((port + 1) % 50_000)));
    const known = { tag: peer.tag, tsn: 1, victimTsn: peer.nextTsn };
    const began = now();
    for (let burst = 0; burst < 200; burst += 1, sent += 1) peer.sendPacket(mutated(random, port, known));
    if (random.fraction() < 0.2) answer(victim, random);
    client.send(`${report.exchanged}`);
    await pair.pass(2);
    report.slowest = Math.max(report.slowest, now() - began);
    peer.received.length = pair.sent.length = 0;
    report.exchanged += 1;
    for (const end of pair.accepted) end.messages.length = Math.min(end.messages.length, end === server ? Infinity : 0);
  }
  await pair.until(() => server.texts.length === report.exchanged);
  report.errors = pair.world.log.filter(({ level }) => level === 'error').length;
  return { packets, heap: process.memoryUsage().heapUsed, ...report };
}

/** The victim has something under way, so that SACKs mean something. */
function answer(victim: End | undefined, random: Random): void {
  if (victim !== undefined && victim.reason === undefined && victim.link.writable) victim.send(1 + Math.floor(random.fraction() * 4000));
}

function mutated(random: Random, port: number, known: { tag: number; tsn: number; victimTsn: number }): Buffer {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.fraction() * items.length)]!;
  const near = (value: number): number => value + Math.floor(random.fraction() * 40) - 10;
  const models: (() => Buffer)[] = [
    () => pick(Object.values(crashPackets))(known),
    () => packet(port, 7, 0, chunk(1, 0, initBody(hex('0005 0008 7f000001'), hex('000c 0006 0005 0000'), hex('c000 0004')))),
    () => packet(port, 7, known.tag, data(near(known.tsn), Math.floor(random.fraction() * 8), Buffer.alloc(1 + Math.floor(random.fraction() * 1000)), { stream: pick([0, 1, 63, 64]), ssn: pick([0, 1, 2, 65535]) })),
    () => packet(port, 7, known.tag, chunk(3, 0, Buffer.concat([u32(near(known.victimTsn)), u32(pick([0, 1, 65536, 0xffff_ffff])), hex('0001 0001 0002 0003'), u32(near(known.tsn))]))),
    () => packet(port, 7, known.tag, chunk(4, 0, hex('0001 0008 01020304')), chunk(5, 0, hex('0001 0008 01020304'))),
    () => packet(port, 7, known.tag, chunk(pick([9, 9, 6]), pick([0, 1]), hex('0003 0008 00000001 0008 0008 c0000004'))),
    () => packet(port, 7, pick([known.tag, 0x1122_3344, 7]), chunk(pick([7, 8, 10, 11, 14, 2]), pick([0, 1]), pick([hex(''), u32(near(known.victimTsn)), Buffer.alloc(68, 1)]))),
  ];
  const bytes = Buffer.from(pick(models)());
  for (let flips = Math.floor(random.fraction() * 4); flips > 0; flips -= 1) {
    const at = Math.floor(random.fraction() * bytes.length);
    bytes[at] = pick([0, 1, 4, 0xff, bytes[at]! ^ (1 << Math.floor(random.fraction() * 8)), Math.floor(random.fraction() * 256)]);
  }
  const cut = random.fraction() < 0.1 ? bytes.subarray(0, Math.floor(random.fraction() * bytes.length)) : bytes;
  if (cut.length < 12) return cut;
  if (random.fraction() < 0.8) { // the header as it was: else nothing gets past the ports
    cut.writeUInt16BE(port, 0);
    cut.writeUInt16BE(7, 2);
  }
  return random.fraction() < 0.95 ? sealed(cut) : cut;
}
