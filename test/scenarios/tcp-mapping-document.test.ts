import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { DataPlane } from '../../actors/data-plane.js';
import { nodeEnvironment } from '../../actors/environment.js';
import type { PoolView } from '../../actors/pool.js';
import { SPEAKS_FRAMES } from '../../actors/mappings.js';
import { resolveTimers } from '../../machines/timers.js';
import { parseAddress } from '../../transports/address.js';
import type { PoolElement } from '../../wire/index.js';
import { ASAP_PPID, closeCodes, HEADER_LENGTH, MAGIC, mapping, MAX_FRAGMENT, VERSION } from '../../wire/mapping.js';
import { deliveryModes } from '../../delivery/modes.js';
import { MappingDocument, type DecodedFrame } from '../support/mapping-document.js';

/** Somebody writes the other end from docs/tcp-mapping.md and knows nothing else: a raw socket and the document's tables. */

const document = new MappingDocument();
const timers = resolveTimers({ heartbeat: 20, silence: 5_000 });

describe('the document and the code say the same', () => {
  it('frames', () => {
    const documented = Object.fromEntries(Object.entries(document.frames).map(([name, { type, flags, fields, tail }]) => [name, { type, flags, fields, ...(tail !== '' && { tail }) }]));
    expect(documented).toEqual(mapping);
    expect(Object.entries(document.frames).map(([name, { fields }]) => [name, Object.keys(fields)])).toEqual(Object.entries(mapping).map(([name, { fields }]) => [name, Object.keys(fields)])); // in this order
  });

  it('constants, modes, codes', () => {
    expect(document.constants).toEqual({ header: HEADER_LENGTH, 'largest frame': 65_600, 'largest fragment': MAX_FRAGMENT, magic: MAGIC, version: VERSION, ASAP: ASAP_PPID });
    expect(document.codes).toEqual(closeCodes);
    expect(document.modes).toEqual(Object.fromEntries(deliveryModes.map((mode, value) => [mode, value])));
  });
});

const id = Buffer.alloc(16, 0xab);
let epoch = 0;
const sockets: Socket[] = [];
afterAll(() => { for (const socket of sockets) socket.destroy(); });
const hello = { magic: document.constant('magic'), version: document.constant('version'), lowest: 1, heartbeat: 1_000, silence: 5_000 };
const openFields = { epoch: 1, credit: 1_000_000, mode: document.modes['effectively-once']!, windowMessages: 100, windowBytes: 100_000, sessionId: id, tail: 'pool' };

/** One end of a connection, by the document. */
class Peer {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #frames: DecodedFrame[] = [];
  #wake: (() => void) | undefined;
  isClosed = false;

  constructor(readonly socket: Socket) {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => { this.isClosed = true; this.#wake?.(); });
    socket.on('data', (chunk) => {
      const { frames, rest } = document.cut(Buffer.concat([this.#bytes, chunk]));
      this.#bytes = rest;
      this.#frames.push(...frames);
      this.#wake?.();
    });
  }

  send(name: string, session: number, values: Parameters<MappingDocument['encode']>[2] = {}): this {
    this.socket.write(document.encode(name, session, values));
    return this;
  }

  /** The next frame that is no heartbeat; those are answered. */
  async next(name: string): Promise<DecodedFrame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame === undefined) {
        if (this.isClosed) throw new Error(`closed, while ${name} was awaited`);
        await new Promise<void>((wake) => { this.#wake = wake; });
      } else if (frame.name === 'HEARTBEAT' && name !== 'HEARTBEAT') {
        this.send('HEARTBEAT_ACK', 0, { nonce: frame.values['nonce'] as number });
      } else {
        expect(frame.name).toBe(name);
        return frame;
      }
    }
  }

  async closed(): Promise<void> { while (!this.isClosed) await new Promise<void>((wake) => { this.#wake = wake; }); }
}

describe('a pool user by the document, against our service', () => {
  const plane = new DataPlane({ environment: nodeEnvironment(), pools: {} as PoolView, timers });
  let port = 0;
  const restored: string[] = [];
  beforeAll(async () => {
    const service = await plane.listen('tcp://127.0.0.1:0', {
      handle: 'pool', handleBytes: Buffer.from('pool'), options: {}, element: () => undefined,
      onSession: (session) => {
        let state = '';
        session.on('cookie', (cookie) => { state = cookie.toString(); restored.push(state); });
        session.on('data', (data, info) => {
          state += data.toString();
          info.ack();
          void info.reply(state);
          session.setCookie(state);
        });
      },
    });
    port = parseAddress(service.address, ['tcp']).port;
  });
  afterAll(async () => { await plane.close(); });

  async function dial(): Promise<Peer> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Peer(socket);
  }

  // proves 5352-abstract-a, 5352-3.8-a, 5352-4-g, 5352-5-b, 5352-5-c
  it('X-2: control and data on one connection: opens, sends, is answered, gets the cookie, and echoes it in another epoch', async () => {
    const user = await dial();
    user.send('VERSION', 0, hello).send('OPEN', 1, openFields);
    expect((await user.next('VERSION')).values).toMatchObject({ magic: hello.magic, version: 1, lowest: 1, heartbeat: 20, silence: 5_000 });
    const accept = await user.next('ACCEPT');
    expect([accept.session, accept.values['stateful']]).toEqual([1, true]);
    user.send('DATA', 1, { ppid: 0, id: 1, tail: 'a', ackWanted: true });
    expect((await user.next('ACK')).values['id']).toBe(1);
    const reply = await user.next('REPLY');
    expect([reply.values, reply.tail.toString()]).toEqual([{ ppid: 0, id: 1, index: 0 }, 'a']);
    const cookie = document.decodeCookie((await user.next('DATA')).tail);
    expect([cookie.type, cookie.cookie.toString(), document.snapshotField(cookie.snapshot, 'covered'), document.snapshotField(cookie.snapshot, 'outputs'), document.snapshotField(cookie.snapshot, 'epoch')])
      .toEqual([document.asap['ASAP_COOKIE'], 'a', 1, 1, 1]);
    expect((await user.next('DONE')).values).toEqual({ id: 1, cumulative: true });
    user.send('CLOSE', 1, { code: document.codes['NORMAL']!, id: 0 });

    const echo = document.encodeCookie('ASAP_COOKIE_ECHO', cookie.cookie, cookie.snapshot);
    user.send('OPEN', 2, { ...openFields, epoch: 2, echo: true }).send('DATA', 2, { ppid: document.constant('ASAP'), id: 0, tail: echo });
    await user.next('ACCEPT');
    user.send('DATA', 2, { ppid: 0, id: 2, tail: 'b' });
    expect((await user.next('REPLY')).tail.toString()).toBe('ab');
    expect(restored).toEqual(['a']);
    user.socket.destroy();
  });

  it('IDENTITY before ACCEPT, where both ends have announced it', async () => {
    const element = { identifier: 77, homeRegistrar: 1, registrationLife: 30, policy: { policy: 'random' }, userTransport: { transport: 'tcp', port: 1, addresses: ['127.0.0.1'] } } as const;
    const service = await plane.listen('tcp://127.0.0.1:0', { handle: 'pool', handleBytes: Buffer.from('pool'), options: {}, element: () => element, onSession: () => undefined });
    for (const knows of [true, false]) {
      const socket = connect(parseAddress(service.address, ['tcp']).port, '127.0.0.1');
      await once(socket, 'connect');
      const user = new Peer(socket).send('VERSION', 0, { ...hello, features: knows ? 0x04 : 0 }).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, knows ? 8 : 9) });
      expect(Number((await user.next('VERSION')).values['features']) & 0x04).toBe(0x04);
      if (knows) expect((await user.next('IDENTITY')).values).toEqual({ peIdentifier: 77 });
      await user.next('DATA'); // its business card
      await user.next('ACCEPT');
      socket.destroy();
    }
  });

  it('sends a message in fragments, and is answered in fragments, within the credit', async () => {
    const user = await dial();
    const big = 'x'.repeat(document.constant('largest fragment'));
    user.send('VERSION', 0, hello).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 1) });
    await user.next('VERSION');
    await user.next('ACCEPT');
    user.send('DATA', 1, { ppid: 7, id: 1, tail: big, more: true }).send('DATA', 1, { ppid: 7, id: 1, tail: 'end' });
    const first = await user.next('REPLY');
    const second = await user.next('REPLY');
    expect([first.values['more'], first.tail.length, second.values['more'], second.tail.toString(), second.values['ppid']]).toEqual([true, big.length, undefined, 'end', 7]);
    user.socket.destroy();
  });

  it('is beaten to where it is silent, and its heartbeats are answered', async () => {
    const user = await dial();
    user.send('VERSION', 0, hello).send('HEARTBEAT', 0, { nonce: 99, interval: 1_000 });
    await user.next('VERSION');
    const frames = [await user.next('HEARTBEAT_ACK'), await user.next('HEARTBEAT')];
    expect(frames.map(({ values }) => values)).toEqual([{ nonce: 99 }, { nonce: expect.any(Number) as number, interval: 20 }]);
    user.socket.destroy();
  });

  it.each([
    ['NO_SUCH_POOL', { tail: 'other' }],
    ['PROTOCOL_ERROR', { mode: 9 }],
  ])('is refused with %s', async (code, wrong) => {
    const user = await dial();
    user.send('VERSION', 0, hello).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 2), ...wrong });
    await user.next('VERSION');
    expect((await user.next('REFUSE')).values['code']).toBe(document.codes[code]);
    user.socket.destroy();
  });

  it('is refused under an epoch that is not newer; an id that goes back closes the session', async () => {
    const user = await dial();
    user.send('VERSION', 0, hello).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 3), epoch: 5 }).send('OPEN', 2, { ...openFields, sessionId: Buffer.alloc(16, 3), epoch: 5 });
    await user.next('VERSION');
    await user.next('ACCEPT');
    expect((await user.next('REFUSE')).values['code']).toBe(document.codes['STALE_EPOCH']);
    user.send('DATA', 1, { ppid: 0, id: 2, tail: 'a' }).send('DATA', 1, { ppid: 0, id: 2, tail: 'a' });
    await user.next('REPLY');
    await user.next('DATA');
    await user.next('DONE');
    expect((await user.next('CLOSE')).values['code']).toBe(document.codes['PROTOCOL_ERROR']);
    user.socket.destroy();
  });

  it('loses a session, not the connection, above its credit', async () => {
    const user = await dial();
    user.send('VERSION', 0, hello).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 4) });
    await user.next('VERSION');
    const credit = (await user.next('ACCEPT')).values['credit'] as number;
    const fragment = document.constant('largest fragment');
    for (let sent = 0; sent <= credit; sent += fragment) user.send('DATA', 1, { ppid: 0, id: 1, tail: 'x'.repeat(fragment), more: true });
    expect((await user.next('CLOSE')).values['code']).toBe(document.codes['PROTOCOL_ERROR']);
    user.send('OPEN', 2, { ...openFields, sessionId: Buffer.alloc(16, 5) });
    await user.next('ACCEPT');
    user.socket.destroy();
  });

  it.each([
    ['another magic', () => document.encode('VERSION', 0, { ...hello, magic: 1 })],
    ['only versions to come', () => document.encode('VERSION', 0, { ...hello, version: 9, lowest: 9 })],
    ['no VERSION', () => document.encode('OPEN', 1, openFields)],
    ['an unknown type', () => { const bytes = document.encode('HEARTBEAT', 0, { nonce: 1 }); bytes[4] = 0x7f; return Buffer.concat([document.encode('VERSION', 0, hello), bytes]); }],
    ['a frame that is too short', () => Buffer.concat([document.encode('VERSION', 0, hello), document.encode('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 6) }), shortened(document.encode('DATA', 1, { id: 1 }))])],
    ['a length above the largest', () => Buffer.from('7fffffff0100000000000000', 'hex')],
    ['another protocol', () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('loses its connection, and nothing else, with %s', async (_what, bytes) => {
    const bad = await dial();
    bad.socket.write(bytes());
    await bad.closed();
    const good = await dial();
    good.send('VERSION', 0, hello).send('OPEN', 1, { ...openFields, sessionId: Buffer.alloc(16, 7), epoch: ++epoch });
    await good.next('VERSION');
    await good.next('ACCEPT');
    good.socket.destroy();
    await good.closed();
  });
});

describe('a pool element by the document, against our session', () => {
  const peers: Peer[] = [];
  let connected: (() => void) | undefined;
  let plane: DataPlane | undefined;
  const server = createServer((socket) => { peers.push(new Peer(socket)); connected?.(); });
  afterAll(async () => { await plane?.close(); server.close(); });

  // proves 5352-abstract-a, 5352-3.8-c, 5352-3.8-e, 5352-4-c, 5352-5-b, 5352-5-c
  it('accepts, is sent to, answers, dies; another is given the cookie and what it does not cover', async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const element: PoolElement = {
      identifier: 1, homeRegistrar: 1, registrationLife: -1, policy: { policy: 'round-robin' }, capabilities: SPEAKS_FRAMES,
      userTransport: { transport: 'tcp', port: (server.address() as AddressInfo).port, addresses: ['127.0.0.1'] },
    };
    const pools: PoolView = { pick: () => element, elements: () => [element], refresh: () => Promise.resolve(), isStale: () => false, reportUnreachable: () => true, place: () => undefined, vouch: () => undefined, watch: () => () => undefined };
    plane = new DataPlane({ environment: nodeEnvironment(), pools, timers });
    const nextPeer = async (index: number): Promise<Peer> => { while (peers.length <= index) await new Promise<void>((wake) => { connected = wake; }); return peers[index]!; };

    const opening = plane.connect('pool');
    const first = await nextPeer(0);
    await first.next('VERSION');
    const open = await first.next('OPEN');
    expect([open.tail.toString(), open.values['epoch'], open.values['mode'], open.values['echo']]).toEqual(['pool', 1, document.modes['effectively-once'], undefined]);
    first.send('VERSION', 0, hello).send('ACCEPT', open.session, { stateful: true, credit: 100_000 });
    const session = await opening;
    const given: string[] = [];
    session.on('data', (data) => { given.push(data.toString()); });
    void session.send('a');
    void session.send('b');
    expect((await first.next('DATA')).values['id']).toBe(1);
    expect((await first.next('DATA')).values['id']).toBe(2);
    const snapshot = document.encodeSnapshot({ format: 1, epoch: 1, covered: 1, outputs: 1, sessionId: open.values['sessionId'] as Buffer });
    first.send('REPLY', open.session, { id: 1, index: 0, tail: 'A' });
    first.send('DATA', open.session, { ppid: document.constant('ASAP'), tail: document.encodeCookie('ASAP_COOKIE', Buffer.from('state'), snapshot) });
    first.send('DONE', open.session, { id: 1, cumulative: true });
    first.send('REPLY', open.session, { id: 2, index: 0, tail: 'never seen' });
    first.send('HEARTBEAT', 0, { nonce: 5, interval: 1_000 });
    await first.next('HEARTBEAT_ACK'); // so all that was sent before has been read
    first.socket.destroy();

    const second = await nextPeer(1);
    await second.next('VERSION');
    const reopened = await second.next('OPEN');
    expect([reopened.values['epoch'], reopened.values['echo'], (reopened.values['sessionId'] as Buffer).equals(open.values['sessionId'] as Buffer)]).toEqual([2, true, true]);
    const echo = document.decodeCookie((await second.next('DATA')).tail);
    expect([echo.type, echo.cookie.toString(), echo.snapshot.equals(snapshot)]).toEqual([document.asap['ASAP_COOKIE_ECHO'], 'state', true]);
    second.send('VERSION', 0, hello).send('ACCEPT', reopened.session, { stateful: true, credit: 100_000 });
    const replayed = await second.next('DATA');
    expect([replayed.values['id'], replayed.tail.toString()]).toEqual([2, 'b']);
    second.send('REPLY', reopened.session, { id: 2, index: 0, tail: 'B' }).send('DONE', reopened.session, { id: 2, cumulative: true });
    // D-24: a foreign cookie weakens the session: DONE covers, and the next OPEN says at-least-once.
    void session.send('c');
    await second.next('DATA');
    expect(session.deliveryMode).toBe('effectively-once');
    second.send('DATA', reopened.session, { ppid: document.constant('ASAP'), tail: document.encodeCookie('ASAP_COOKIE', Buffer.from('theirs')) });
    second.send('REPLY', reopened.session, { id: 3, index: 0, tail: 'C' }).send('DONE', reopened.session, { id: 3, cumulative: true });
    await session.flush();
    expect(session.deliveryMode).toBe('at-least-once');
    second.socket.destroy();

    const third = await nextPeer(2);
    await third.next('VERSION');
    const again = await third.next('OPEN');
    expect([again.values['epoch'], again.values['echo'], again.values['mode']]).toEqual([3, true, document.modes['at-least-once']]);
    const foreign = document.decodeCookie((await third.next('DATA')).tail);
    expect([foreign.cookie.toString(), foreign.snapshot.length]).toEqual(['theirs', 0]);
    third.send('VERSION', 0, hello).send('ACCEPT', again.session, { stateful: true, credit: 100_000 });
    const closed = session.close();
    expect((await third.next('CLOSE')).values['code']).toBe(document.codes['NORMAL']);
    await closed;
    expect(given).toEqual(['A', 'B', 'C']);
  });
});

function shortened(frame: Buffer): Buffer {
  const bytes = Buffer.from(frame.subarray(0, document.constant('header')));
  bytes.writeUInt32BE(bytes.length, 0);
  return bytes;
}
