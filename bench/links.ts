import { BareClient } from './bare.js';
import { Child } from './child.js';
import { compare, type Load, type Rate, type Row, type Run, type Side } from './measure.js';
import { InOrder, payload } from './in-order.js';
import { createSctpTransport, nodeClock, nodeDatagrams, nodeRandom, nodeRoute, type LinkOptions, type SctpLink, type SctpTransport } from '../transports/index.js';

/** SCTP below sessions: frames of 64 bytes that come back, on a link of ours and on an association of npm `sctp` as it is shipped, each beside bare `node:net`. */
export async function links(bare: { readonly port: number; readonly serverCpu: Side['serverCpu'] }, run: Run): Promise<Row[]> {
  const client = new BareClient(bare.port);
  const opponent: Side = { request: (done) => { client.request(payload, done); }, serverCpu: bare.serverCpu };
  const rows = [...await ours(opponent, run), ...await shipped(opponent, run)];
  client.close();
  return rows;
}

async function ours(bare: Side, run: Run): Promise<Row[]> {
  const server = new Child<{ address: string }>('echo-link');
  const waiting = new InOrder();
  const link = await connected((await server.ready).address, () => { waiting.next(); });
  const request = (done: () => void): void => {
    waiting.push(done);
    const { bytes, offset } = link.reserve(payload.length + 4);
    bytes.writeUInt32BE(payload.length + 4, offset);
    bytes.set(payload, offset + 4);
  };
  const sides = { bare, ours: { request, serverCpu: () => server.cpu() } };
  const rows: Row[] = [];
  for (const load of [{ outstanding: 1, count: 20_000 }, { outstanding: 32, count: 150_000 }, { outstanding: 256, count: 150_000 }]) rows.push(await compare('link over SCTP', sides, load, run));
  link.close();
  await server.leave();
  return rows;
}

/** Each load with processes of its own: what the package does not bear ends or stalls them. */
async function shipped(bare: Side, run: Run): Promise<Row[]> {
  const rows: Row[] = [];
  for (const load of [{ outstanding: 1, count: 400 }, { outstanding: 32, count: 4_000 }, { outstanding: 256, count: 4_000 }]) {
    const server = new Child<{ port: number }>('shipped-sctp');
    const client = new Child('shipped-sctp', { peer: (await server.ready).port });
    await client.ready;
    const driven = async (given: Load): Promise<Rate> => {
      await server.cpu();
      const rate = await client.ask<Rate>('drive', given);
      return { ...rate, cpu: rate.cpu + await server.cpu() / given.count };
    };
    rows.push(await compare('npm sctp 1.0.0 as shipped', { bare, ours: driven }, { ...load, patience: PATIENCE }, run));
    for (const child of [client, server]) child.kill();
  }
  return rows;
}

const PATIENCE = 1_000;

/** A length of 32 bits, and what it says. */
export const frames: LinkOptions = { framing: { headerLength: 4, frameLength: (bytes, offset) => (bytes as Buffer).readUInt32BE(offset) }, gathersFrames: true };

export const sctpOf = (): SctpTransport => createSctpTransport({ datagrams: nodeDatagrams, clock: nodeClock, random: nodeRandom, route: nodeRoute, lookUp: (host) => Promise.resolve([host]) });

function connected(address: string, frame: () => void): Promise<SctpLink> {
  return new Promise((resolve, reject) => {
    const link = sctpOf().connect(address, { up: () => { resolve(link); }, frame, down: reject }, frames);
  });
}
