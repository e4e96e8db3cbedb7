import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { initialize, type ServiceAccessPoint, type Session } from '../../index.js';
import { encodeAsap, poolHandleBytes } from '../../wire/index.js';
import { encodeFrame, MAGIC, VERSION } from '../../wire/mapping.js';
import { killAll, rawSocket, residentMiB, startElement, startRegistrar, type Program } from '../support/processes.js';

const open: { close(): unknown }[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const each of open.splice(0)) await each.close();
  killAll();
});

const PATIENCE = 60_000;

interface Victims {
  readonly registrar: Program;
  readonly registrarAddress: string;
  readonly element: Program;
  readonly elementAddress: string;
  readonly rsp: ServiceAccessPoint;
  readonly session: Session;
}

/** A registrar and a PE in processes of their own; somebody who uses both all the while. */
async function victims(): Promise<Victims> {
  const { registrar, address: registrarAddress } = await startRegistrar();
  const { element, address: elementAddress } = await startElement({ service: 'echo', pool: 'echo', id: '0x0000000a', registrar: registrarAddress });
  const rsp = await initialize({ registrars: [registrarAddress] });
  open.push(rsp);
  return { registrar, registrarAddress, element, elementAddress, rsp, session: await rsp.connect('echo') };
}

/** Asks the registrar and the PE, and has both answers. */
async function useBoth({ rsp, session }: Victims): Promise<void> {
  const { elements } = await rsp.resolve('echo', { refresh: true });
  expect(elements.map(({ identifier }) => identifier)).toEqual([10]);
  const answer = new Promise<string>((resolve) => {
    const off = session.on('data', (data) => {
      off();
      resolve(data.toString());
    });
  });
  await session.send('are you there?');
  expect(await answer).toBe('are you there?');
}

async function connected(address: string): Promise<Socket> {
  const socket = await rawSocket(address);
  sockets.push(socket);
  return socket;
}

/** Resolves when the other end has ended the connection. */
function lost(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => { resolve(); });
  });
}

const resolution = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: poolHandleBytes('echo') });
const version = encodeFrame({ type: 'VERSION', session: 0, magic: MAGIC, version: VERSION, lowest: VERSION, features: 0, heartbeat: 100, silence: 500 });
const zeros = Buffer.alloc(64);
const http = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');

describe('bad input on real sockets: the offender loses its own link, with a reason in the log', () => {
  it('what makes no frames: garbage at a registrar, garbage and another protocol at a PE', async () => {
    const all = await victims();
    for (const [victim, address, bytes] of [[all.registrar, all.registrarAddress, zeros], [all.element, all.elementAddress, zeros], [all.element, all.elementAddress, http]] as const) {
      const socket = await connected(address);
      socket.write(bytes);
      await lost(socket);
      await victim.err(/makes no frames/);
      await useBoth(all);
    }
  }, PATIENCE);

  it('a data channel that does not begin with VERSION, or announces another protocol', async () => {
    const all = await victims();
    for (const first of [encodeFrame({ type: 'HEARTBEAT', session: 0, nonce: 1, interval: 100 }), encodeFrame({ type: 'VERSION', session: 0, magic: 0x48545450, version: 1, lowest: 1, features: 0, heartbeat: 100, silence: 500 })]) {
      const socket = await connected(all.elementAddress);
      socket.write(first);
      await lost(socket);
      await all.element.err(/the peer misbehaves/);
    }
    await useBoth(all);
  }, PATIENCE);

  it('half messages, a slow loris, 500 that say nothing, one that asks and never reads: others are answered meanwhile in bounded memory, and all of them are ended', async () => {
    const all = await victims();
    await useBoth(all);
    const before = [all.registrar, all.element].map(({ pid }) => residentMiB(pid) ?? 0);
    const half = await connected(all.registrarAddress);
    half.write(resolution.subarray(0, resolution.length - 1));
    const halfChannel = await connected(all.elementAddress);
    halfChannel.write(Buffer.concat([version, encodeFrame({ type: 'HEARTBEAT', session: 0, nonce: 1, interval: 100 }).subarray(0, 13)]));
    const loris = await connected(all.registrarAddress);
    const silent = await Promise.all(Array.from({ length: 500 }, () => connected(all.elementAddress)));
    const greedy = await connected(all.registrarAddress);
    askWithoutReading(greedy);
    let isOver = false;
    const ends = Promise.all([...[half, halfChannel, loris, ...silent].map(lost), all.registrar.err(/has not read for \d+ ms/)]).then(() => { isOver = true; });
    for (let asked = 0; !isOver; asked += 1) {
      if (!loris.destroyed && asked < resolution.length - 1) loris.write(resolution.subarray(asked, asked + 1)); // a byte for each answer that others have
      await useBoth(all);
    }
    await ends;
    expect(all.registrar.errors.filter((line) => /was not whole after \d+ ms: link destroyed/.test(line))).toHaveLength(2);
    expect(all.element.errors.filter((line) => /has been silent for \d+ ms/.test(line)).length).toBeGreaterThanOrEqual(500);
    [all.registrar, all.element].forEach(({ pid }, index) => { expect((residentMiB(pid) ?? 0) - before[index]!).toBeLessThan(128); });
    await useBoth(all);
  }, PATIENCE);

  it('500 associations that say nothing keep nobody from a registrar', async () => {
    const all = await victims();
    const silent = await Promise.all(Array.from({ length: 500 }, () => connected(all.registrarAddress)));
    await useBoth(all);
    const late = await connected(all.registrarAddress);
    late.write(resolution);
    expect(((await once(late, 'data')) as [Buffer])[0][0]).toBe(0x06); // ASAP_HANDLE_RESOLUTION_RESPONSE
    expect(silent.some((socket) => socket.destroyed)).toBe(false);
  }, PATIENCE);
});

/** Far more than the answers that a registrar keeps for one peer. */
function askWithoutReading(socket: Socket): void {
  socket.pause();
  const burst = Buffer.concat(Array<Buffer>(10_000).fill(resolution));
  for (let written = 0; written < 20; written += 1) socket.write(burst);
}
