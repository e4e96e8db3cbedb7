import type { ServiceSession } from '../../actors/service-session.js';
import { writeData } from '../../delivery/port.js';
import { parseAddress } from '../../transports/address.js';
import { encodeAsap, type PoolElement } from '../../wire/index.js';
import { ASAP_PPID, encodeFrame, MAGIC, mapping } from '../../wire/mapping.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { World } from '../../testing/world.js';
import { elementOf, RawPeer, RegistrarWorld } from '../support/registrar-world.js';

/** Business cards that make no sense cost nobody but their sender anything. */

const handle = (name: string): Buffer => Buffer.from(name);
const card = (pool: string, failoverOrder: readonly PoolElement[]): Uint8Array => encodeAsap({ type: 'ASAP_BUSINESS_CARD', poolHandle: handle(pool), failoverOrder: [...failoverOrder] });
const elements = (count: number): PoolElement[] => Array.from({ length: count }, (_, index) => elementOf(index + 1));

/** On the control channel, in one frame. */
function controlFrame(bytes: Uint8Array, flags = 0): Buffer {
  const frames: Buffer[] = [];
  writeData({ reserve: (length) => { const frame = Buffer.alloc(length); frames.push(frame); return { bytes: frame, offset: 0 }; } }, 0, flags, ASAP_PPID, 0, bytes);
  return Buffer.concat(frames);
}

/** A service with a decent client, and strangers who speak the mapping and send cards. */
async function serviceWith() {
  const clock = new SimulatedClock();
  const transcript = new Transcript(() => clock.now());
  const world = new World({ clock, trace: transcript.network });
  const registrar = await RegistrarWorld.start({}, world);
  const log: string[] = [];
  const sessions: ServiceSession[] = [];
  const feed = await registrar.accessPoint('feed');
  const element = await world.settled(feed.register('feed', { identifier: 100 }, (session) => {
    sessions.push(session);
    session.on('data', (data, info) => { void info.reply(data); });
    session.on('rendezvous', ({ to }) => { log.push(`rendezvous ${to.identifier}`); });
    session.on('error', () => undefined);
    session.on('closed', (_, error) => { log.push(`closed ${error?.code ?? ''}`.trim()); });
  }));
  const session = await world.settled((await registrar.accessPoint('decent')).connect('feed'));
  const at = parseAddress(element.address, ['tcp']);
  let strangers = 0;
  return {
    world, log, sessions, register: registrar,
    asked: (pool: string) => transcript.said().filter((line) => line.startsWith(`feed > registrar: ASAP_HANDLE_RESOLUTION ${pool}`)).length,
    /** Greets, sends that, opens a session. */
    stranger: async (...cards: readonly Buffer[]): Promise<RawPeer> => {
      const id = ++strangers;
      const peer = new RawPeer(world.host(`stranger${id}`).network.connect({ host: at.host, port: at.port }));
      await world.advance(3);
      const version = encodeFrame({ type: 'VERSION', session: 0, magic: MAGIC, version: 1, lowest: 1, features: 0, heartbeat: 1_000, silence: 5_000 });
      const open = encodeFrame({ type: 'OPEN', session: 1, epoch: 1, credit: 0, mode: 2, windowMessages: 1, windowBytes: 1, sessionId: Buffer.alloc(16, id), tail: handle('feed') });
      for (const bytes of [version, ...cards, open]) peer.socket.write(bytes);
      await world.advance(5);
      return peer;
    },
    /** The decent client has not noticed anything. */
    isWell: async (): Promise<void> => {
      const replies: string[] = [];
      const stop = session.on('data', (data) => { replies.push(data.toString()); });
      void session.send('a');
      await world.settled(session.flush());
      stop();
      expect([replies, session.epoch]).toEqual([['a'], 1]);
    },
  };
}

const accepted = (peer: RawPeer): boolean => Buffer.concat(peer.bytes).includes(Buffer.of(mapping.ACCEPT.type, 0, 0, 0, 0, 0, 0, 1));

describe('cards from the network', () => {
  it('malformed: lose their sender its own connection', async () => {
    const { stranger, isWell, sessions } = await serviceWith();
    const good = Buffer.from(card('peers', elements(1)));
    const cut = Buffer.from(good.subarray(0, good.length - 3));
    for (const bad of [Buffer.alloc(0), Buffer.of(1), Buffer.from('not at all an ASAP message'), cut, Buffer.concat([good.subarray(0, 2), Buffer.of(0xff, 0xff), good.subarray(4)])]) {
      const peer = await stranger(controlFrame(bad));
      expect({ bad: bad.toString('hex'), over: peer.over !== undefined, accepted: accepted(peer) }).toEqual({ bad: bad.toString('hex'), over: true, accepted: false });
    }
    expect(sessions).toHaveLength(1);
    await isWell();
  });

  it('with no elements, with a thousand, in pieces, of another type: the session is served; who sent them is what the first element says, if there is one', async () => {
    const { stranger, isWell, sessions } = await serviceWith();
    const peers = [
      await stranger(controlFrame(card('peers', []))),
      await stranger(controlFrame(card('peers', elements(1_000)))),
      await stranger(controlFrame(card('peers', elements(3)), mapping.DATA.flags.more)),
      await stranger(controlFrame(encodeAsap({ type: 'ASAP_COOKIE', cookie: Buffer.from('x') }))),
    ];
    expect(peers.map(accepted)).toEqual([true, true, true, true]);
    expect(sessions.slice(1).map(({ from }) => from)).toEqual([undefined, { handle: 'peers', identifier: 1 }, undefined, undefined]);
    await isWell();
  });

  it('that change all the time, each about another pool: are looked up ten times a second at most', async () => {
    const { world, stranger, isWell, asked } = await serviceWith();
    const peer = await stranger();
    for (let number = 0; number < 1_000; number++) {
      peer.socket.write(controlFrame(card(`pool${number}`, elements(1))));
      if (number % 100 === 99) await world.advance(100);
    }
    expect(asked('pool')).toBeGreaterThan(5);
    expect(asked('pool')).toBeLessThanOrEqual(12);
    await isWell();
  });

  it('that name strangers, a foreign pool, an unknown one, the service itself: its messages go nowhere, and it hears so', async () => {
    const { world, register, stranger, isWell, log, sessions } = await serviceWith();
    const foreign = await register.accessPoint('foreign');
    const visited: unknown[] = [];
    await world.settled(foreign.register('foreign', { identifier: 7 }, (session) => { visited.push(session); }));
    for (const [pool, identifier] of [['foreign', 99], ['foreign', 7], ['unknown', 1], ['feed', 100]] as const) {
      const peer = await stranger(controlFrame(card(pool, [elementOf(identifier), ...elements(60)])));
      peer.socket.destroy();
      await world.advance(10);
      const sent = sessions.at(-1)!.send('for the stranger').catch(() => undefined);
      const before = log.length;
      await world.until(() => log.length > before);
      await world.settled(sent);
      await isWell();
    }
    expect(log).toEqual(Array<string>(4).fill('closed RENDEZVOUS_FAILED'));
    expect(visited).toEqual([]);
  });
});
