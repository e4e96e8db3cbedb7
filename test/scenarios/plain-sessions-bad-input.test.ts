import { PlainElementLink } from '../../actors/plain-element-link.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import type { Link } from '../../transports/transport.js';
import { encodeFrame, MAGIC, mapping, VERSION } from '../../wire/mapping.js';
import { plainElement, plainUser } from '../support/plain-peer.js';
import { mappingUnderTest, SessionWorld } from '../support/session-world.js';

/** Peers without our frames that flood, or answer late: RFC 5352 gives no bounds, so these are ours (D-21). */

mappingUnderTest.scheme = 'sctp+udp';

const addressOf = ({ service }: { readonly service: object }): string => (service as { address: string }).address;

it('D-21: as many messages as it likes while a handler runs: it is held up by its window, not sent away', async () => {
  const world = new SessionWorld();
  let handled = 0;
  let release = (): void => undefined;
  const element = await world.element('pe1', { onSession: (session) => {
    session.on('data', () => (++handled === 1 ? new Promise<void>((resolve) => { release = resolve; }) : undefined));
  } });
  const user = await plainUser(world, 'pu', addressOf(element));
  const count = 67_000; // more than a mailbox takes
  for (let index = 0; index < count; index += 1) user.send('y');
  await world.advance(3_000);
  expect([handled, user.down_]).toEqual([1, undefined]);
  release();
  await world.until(() => handled === count);
});

it('D-21: what is handed to a session is bounded in number, too', async () => {
  const clock = new SimulatedClock();
  const types: number[] = [];
  const link = { peer: 'sctp+udp://192.0.2.1:1', writable: true, queued: 0, flushSoon: () => undefined, pause: () => undefined, resume: () => undefined } as unknown as Link;
  const plain = new PlainElementLink(link, { frame: (bytes, start) => { types.push(bytes[start + 4]!); }, down: () => undefined }, clock);
  plain.send(encodeFrame({ type: 'VERSION', session: 0, magic: MAGIC, version: VERSION, lowest: VERSION, features: 0, heartbeat: 0, silence: 0 }));
  plain.send(encodeFrame({ type: 'OPEN', session: 1, epoch: 1, credit: 1_700, mode: 1, windowMessages: 1, windowBytes: 1, sessionId: Buffer.alloc(16), tail: Buffer.alloc(0) }));
  plain.beforeWrite();
  for (let index = 0; index < 1_000; index += 1) plain.message({ bytes: Buffer.of(0x79), ppid: 33, stream: 0, unordered: false });
  await clock.advance(1);
  expect(types.filter((type) => type === mapping.DATA.type)).toHaveLength(100); // 16 bytes each beside their own
});

it('the question for capabilities is answered as often as one of ours asks it', async () => {
  const world = new SessionWorld();
  const element = await world.element('pe1', { onSession: () => undefined });
  const user = await plainUser(world, 'pu', addressOf(element));
  for (let index = 0; index < 1_000; index += 1) user.sendAsap({ type: 'ASAP_CAPABILITIES', flags: { answer: false }, capabilities: Buffer.of(1) });
  await world.advance(1_000);
  expect(user.messages).toHaveLength(3);
});

it('an answer that comes when the session is plain changes nothing', async () => {
  const world = new SessionWorld();
  const element = await plainElement(world, 'pe1', 1, (end) => {
    end.onAsap = () => { world.clock.setTimeout(() => { end.sendAsap({ type: 'ASAP_CAPABILITIES', flags: { answer: true }, capabilities: Buffer.of(1) }); }, 500); };
    end.onData = (text, ppid) => { end.send(text.toUpperCase(), ppid); };
  });
  const session = await world.user('pu').connect();
  const replies: string[] = [];
  session.on('data', (data) => { replies.push(data.toString()); });
  await world.advance(2_000);
  void session.send('x');
  await world.until(() => replies.length === 1);
  expect([element.ends.length, session.deliveryMode, replies]).toEqual([1, 'at-least-once', ['X']]);
});
