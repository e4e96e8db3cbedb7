import type { ServiceSession } from '../../actors/service-session.js';
import { watchLinks } from '../../testing/links.js';
import { decodeAsap, poolHandleKey } from '../../wire/index.js';
import { ASAP_PPID, MAPPING_PPID } from '../../wire/mapping.js';
import { plainElement, plainUser, type PlainEnd } from '../support/plain-peer.js';
import { mappingUnderTest, SessionWorld } from '../support/session-world.js';

/** Sessions with whom does not speak our frames (RSPLIB): RFC 5352 over SCTP, and nothing of ours. */

mappingUnderTest.scheme = 'sctp+udp';

const echo = (end: PlainEnd): void => { end.onData = (text, ppid) => { end.send(text.toUpperCase(), ppid); }; };
/** As RSPLIB's ping-pong: each answer has a cookie. */
const counter = (end: PlainEnd): void => {
  let count = 0;
  end.onAsap = (message) => { if (message.type === 'ASAP_COOKIE_ECHO') count = Number(Buffer.from(message.cookie).toString()); };
  end.onData = (text, ppid) => {
    end.sendAsap({ type: 'ASAP_COOKIE', cookie: Buffer.from(String(++count)) });
    end.send(`${text} ${count}`, ppid);
  };
};
const ourCounter = (session: ServiceSession): void => {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (data, info) => {
    session.setCookie(String(++count));
    void info.reply(`${data.toString()} ${count}`);
  });
};

async function connected(world: SessionWorld) {
  const session = await world.user('pu').connect();
  const replies: string[] = [];
  const errors: string[] = [];
  session.on('data', (data, info) => { replies.push(`${info.ppid} ${data.toString('latin1')}`); });
  session.on('error', (error) => { errors.push(error.code); });
  return { session, replies, errors };
}

describe('our pool user with a pool element that does not speak our frames', () => {
  it('X-2: data by its payload protocol id, and nothing of ours but a question that it skips', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, echo);
    const { session, replies } = await connected(world);
    expect([session.deliveryMode, session.transportInfo().mapping, session.peIdentifier]).toEqual(['at-least-once', 'sctp', 1]);
    await world.settled(session.send('hello', { ppid: 33 }));
    await world.settled(session.send('x'.repeat(200_000), { ppid: 7 }));
    await world.until(() => replies.length === 2);
    expect(replies).toEqual(['33 HELLO', `7 ${'X'.repeat(200_000)}`]);
    await world.advance(3_000); // heartbeats are SCTP's
    const [end] = element.ends;
    expect(end!.messages.map(({ ppid }) => ppid)).toEqual([ASAP_PPID, ASAP_PPID, ASAP_PPID, 33, 7]);
    expect(() => decodeAsap(end!.messages[0]!.bytes)).not.toThrow();
    expect(end!.messages[0]!.bytes[0]! >> 6).toBe(0b10); // "skip, and say nothing"
    await world.settled(session.close());
    await world.until(() => end!.down_ !== undefined);
    expect(end!.down_).toBe('LINK_CLOSED');
  });

  it('each session has an association of its own', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, echo);
    const sessions = await world.user('pu').connectMany(3);
    expect(element.ends).toHaveLength(3);
    for (const [index, session] of sessions.entries()) void session.send(`${index}`);
    await world.until(() => element.ends.every(({ heard }) => heard.length === 1));
    expect(element.ends.map(({ heard }) => heard[0]).sort()).toEqual(['0', '1', '2']);
    for (const session of sessions) session.destroy();
    await world.until(() => element.ends.every(({ down_ }) => down_ !== undefined));
  });

  it('D-24, D-28: one that is gone without a word is left after half a second; the cookie echo goes first, then what was not acknowledged', async () => {
    const world = new SessionWorld();
    const elements = [await plainElement(world, 'pe1', 1, counter), await plainElement(world, 'pe2', 2, counter)];
    const { session, replies } = await connected(world);
    for (let index = 0; index < 5; index += 1) { void session.send('ping', { ppid: 33 }); await world.until(() => replies.length === index + 1); }
    const [first, second] = session.peIdentifier === 1 ? elements : [elements[1], elements[0]];
    first!.host.process.crash({ peersSee: 'nothing' });
    void session.send('ping', { ppid: 33 });
    expect(await world.until(() => replies.length === 6)).toBeLessThan(600);
    expect(replies).toEqual(['33 ping 1', '33 ping 2', '33 ping 3', '33 ping 4', '33 ping 5', '33 ping 6']);
    expect(second!.ends[0]!.heard).toEqual(['ASAP_COOKIE_ECHO 5', 'ping']);
    expect(session.peIdentifier).toBe(second!.identifier);
  });

  it('one that is killed, or ends the association: the session goes on at once, and its callback can ask again', async () => {
    const world = new SessionWorld();
    const elements = [await plainElement(world, 'pe1', 1, counter), await plainElement(world, 'pe2', 2, counter)];
    const asked: string[] = [];
    const session = await world.user('pu').connect({ onFailover: async (recovery) => { asked.push('again'); await recovery.send('again', { ppid: 33 }); } });
    const replies: string[] = [];
    session.on('data', (data) => { replies.push(data.toString()); });
    void session.send('ping', { ppid: 33 });
    await world.until(() => replies.length === 1);
    const serving = elements.find(({ identifier }) => identifier === session.peIdentifier)!;
    serving.ends[0]!.link.close();
    expect(await world.until(() => replies.length === 2)).toBeLessThan(100);
    expect([asked, replies]).toEqual([['again'], ['ping 1', 'again 2']]);
  });

  it('what only our frames can say is refused by name: request(), ack', async () => {
    const world = new SessionWorld();
    await plainElement(world, 'pe1', 1, echo);
    const { session, errors } = await connected(world);
    await expect(session.request('x')).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE', feature: 'request()' });
    await expect(session.send('x', { ack: true })).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE', feature: 'ack' });
    expect(errors).toEqual(['FEATURE_UNAVAILABLE', 'FEATURE_UNAVAILABLE']);
    await world.settled(session.flush()); // nothing waits
  });

  it('one that gives a cookie at once is heard, and not left for it', async () => {
    const world = new SessionWorld();
    const setUp = (end: PlainEnd): void => { end.sendAsap({ type: 'ASAP_COOKIE', cookie: Buffer.from('0') }); };
    const elements = [await plainElement(world, 'pe1', 1, setUp), await plainElement(world, 'pe2', 2, setUp)];
    const session = await world.user('pu').connect();
    await world.advance(1_000);
    const [serving, other] = session.peIdentifier === 1 ? elements : [elements[1], elements[0]];
    expect([serving!.ends.length, other!.ends.length]).toEqual([1, 0]);
    serving!.host.process.crash({ peersSee: 'nothing' });
    await world.until(() => other!.ends[0]?.heard.length === 1);
    expect(other!.ends[0]!.heard).toEqual(['ASAP_COOKIE_ECHO 0']);
  });

  it('a cookie as long as there can be is echoed whole', async () => {
    const world = new SessionWorld();
    const cookie = Buffer.alloc(65_527, 'c');
    const setUp = (end: PlainEnd): void => { end.onData = () => { end.sendAsap({ type: 'ASAP_COOKIE', cookie }); end.send('done'); }; };
    const elements = [await plainElement(world, 'pe1', 1, setUp), await plainElement(world, 'pe2', 2, setUp)];
    const { session, replies } = await connected(world);
    void session.send('a');
    await world.until(() => replies.length === 1);
    const [serving, other] = session.peIdentifier === 1 ? elements : [elements[1], elements[0]];
    serving!.host.process.crash({ peersSee: 'nothing' });
    void session.send('b');
    await world.until(() => replies.length === 2);
    expect(other!.ends[0]!.heard).toEqual([`ASAP_COOKIE_ECHO ${cookie.toString()}`, 'b']);
  });

  it('an empty message, which SCTP does not have, says nothing of those before it', async () => {
    const world = new SessionWorld();
    const elements = [await plainElement(world, 'pe1', 1, () => undefined), await plainElement(world, 'pe2', 2, () => undefined)];
    const session = await world.user('pu').connect();
    await world.settled(session.send(''));
    await world.settled(session.send('x'));
    const [serving, other] = session.peIdentifier === 1 ? elements : [elements[1], elements[0]];
    serving!.host.process.crash({ peersSee: 'nothing' });
    void session.send('not acknowledged');
    const empty = session.send('');
    await world.advance(3_000);
    expect(other!.ends[0]!.heard).toEqual(['not acknowledged']);
    await world.settled(empty);
  });

  it('close() brings over what is not acknowledged, destroy() ends the association; one that leaves while the element is asked leaves nothing', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, () => undefined);
    const session = await world.user('pu').connect();
    for (let index = 0; index < 20; index += 1) void session.send('x'.repeat(50_000));
    await world.settled(session.close());
    await world.advance(1_000);
    expect([element.ends[0]!.heard.length, element.ends[0]!.down_]).toEqual([20, 'LINK_CLOSED']);
    const second = await world.user('pu').connect();
    void second.send('x'.repeat(50_000));
    second.destroy();
    for (let wait = 2; wait < 14; wait += 1) {
      const abort = new AbortController();
      const { plane } = world.user(`pu${wait}`);
      const opening = plane.connect(poolHandleKey('pool'), { signal: abort.signal }).then((late) => { late.destroy(); }, () => undefined);
      await world.advance(wait);
      abort.abort();
      if (wait % 2 === 0) await world.settled(plane.close());
      await world.settled(opening);
    }
    await world.advance(7_000);
    expect(element.ends.map(({ down_ }) => down_)).not.toContain(undefined);
  });

  it('D-21: one that sends more than the application reads is held up by its window, and none of it is lost', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, () => undefined);
    const session = await world.user('pu').connect();
    let read = 0;
    let isReading = false;
    const held: (() => void)[] = [];
    session.on('data', (data) => { read += data.length; return isReading ? undefined : new Promise<void>((resolve) => { held.push(resolve); }); });
    await world.settled(session.send('x'));
    const [end] = element.ends;
    let sent = 0;
    for (; sent < 300; sent += 1) end!.send('y'.repeat(60_000));
    await world.advance(2_000);
    expect(end!.link.queued).toBeGreaterThan(10_000_000);
    expect(read).toBeLessThan(6_000_000);
    isReading = true;
    for (const release of held) release();
    await world.until(() => read === 300 * 60_000, 60_000);
  });

  it('a message longer than there can be room for costs that link: PEER_MISBEHAVED', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, () => undefined);
    const { session } = await connected(world);
    await world.settled(session.send('x'));
    element.ends[0]!.send('y'.repeat(3_000_000));
    await world.until(() => element.ends[0]!.down_ !== undefined, 60_000);
    session.destroy();
  });

  it('ASAP that cannot be read, or has no place there, is skipped', async () => {
    const world = new SessionWorld();
    const element = await plainElement(world, 'pe1', 1, echo);
    const { session, replies } = await connected(world);
    await world.settled(session.send('x'));
    const [end] = element.ends;
    end!.sendAsap(Buffer.from('garbage!'));
    end!.sendAsap({ type: 'ASAP_COOKIE_ECHO', cookie: Buffer.from('x') });
    end!.sendAsap({ type: 'ASAP_CAPABILITIES', flags: { answer: true }, capabilities: Buffer.of(1) });
    await world.settled(session.send('y'));
    await world.until(() => replies.length === 2);
  });
});

describe('a pool user that does not speak our frames with our pool element', () => {
  const started = async (world: SessionWorld, name: string, options: object = {}, onSession: (session: ServiceSession) => void = ourCounter) => world.element(name, { onSession, foreignCookies: true, ...options });
  const addressOf = ({ service }: Awaited<ReturnType<typeof started>>): string => (service as unknown as { address: string }).address;

  it('is served: data by its payload protocol id, cookies without what is ours', async () => {
    const world = new SessionWorld();
    const element = await started(world, 'pe1', { cookieKeys: [{ id: 'k', key: Buffer.alloc(32, 1) }] });
    const user = await plainUser(world, 'pu', addressOf(element));
    await world.advance(20_000); // it takes its time
    expect([user.down_, user.messages]).toEqual([undefined, []]);
    user.send('ping');
    await world.until(() => user.heard.length === 2);
    await world.advance(3_000);
    expect([...user.heard].sort()).toEqual(['ASAP_COOKIE 1', 'ping 1']);
    expect(user.messages.every(({ ppid }) => ppid !== MAPPING_PPID)).toBe(true);
    expect(user.messages.find(({ text }) => text === 'ping 1')!.ppid).toBe(33);
    user.link.close();
    await world.until(() => element.service.sessions.size === 0);
  });

  it('its messages keep their order, from the first on; a cookie echo behind data is none', async () => {
    const world = new SessionWorld();
    const heard: string[] = [];
    const element = await started(world, 'pe1', {}, (session) => {
      session.on('cookie', (cookie) => { heard.push(`cookie ${cookie.toString()}`); });
      session.on('data', (data) => { heard.push(data.toString()); });
    });
    const user = await plainUser(world, 'pu', addressOf(element));
    for (const text of ['a', 'b', 'c']) {
      user.send(text);
      user.sendAsap({ type: 'ASAP_COOKIE_ECHO', cookie: Buffer.from('1') });
    }
    await world.until(() => heard.length === 3);
    await world.advance(1_000);
    expect([heard, user.down_]).toEqual([['a', 'b', 'c'], undefined]);
  });

  it('D-24: its cookie echo restores the state, also one of an element of others; without foreignCookies it is sent away', async () => {
    const world = new SessionWorld();
    const element = await started(world, 'pe1');
    const user = await plainUser(world, 'pu', addressOf(element));
    user.sendAsap({ type: 'ASAP_COOKIE_ECHO', cookie: Buffer.from('41') });
    user.send('ping');
    await world.until(() => user.heard.includes('ping 42'));
    const strict = await started(world, 'pe2', { foreignCookies: false, cookieKeys: [{ id: 'k', key: Buffer.alloc(32, 1) }] });
    const refused = await plainUser(world, 'pu', addressOf(strict));
    refused.sendAsap({ type: 'ASAP_COOKIE_ECHO', cookie: Buffer.from('41') });
    refused.send('ping');
    await world.until(() => refused.down_ !== undefined);
    expect([refused.down_, refused.heard]).toEqual(['LINK_CLOSED', []]);
  });

  it('D-27: at a drain it gets its cookie, and the end of the association', async () => {
    const world = new SessionWorld();
    const element = await started(world, 'pe1');
    const user = await plainUser(world, 'pu', addressOf(element));
    user.send('ping');
    await world.until(() => user.heard.length === 2);
    await world.settled(element.service.drain());
    await world.until(() => user.down_ !== undefined);
    expect([user.down_, [...user.heard].sort()]).toEqual(['LINK_CLOSED', ['ASAP_COOKIE 1', 'ping 1']]);
    const late = await plainUser(world, 'pu', addressOf(element));
    late.send('ping');
    await world.until(() => late.down_ !== undefined);
    expect(late.heard).toEqual([]);
  });

  it('D-28: one that is gone without a word is noticed after half a second', async () => {
    const world = new SessionWorld();
    const element = await started(world, 'pe1');
    const user = await plainUser(world, 'pu', addressOf(element));
    user.send('ping');
    await world.until(() => user.heard.length === 2);
    world.host('pu').process.crash({ peersSee: 'nothing' });
    expect(await world.until(() => element.service.sessions.size === 0)).toBeLessThan(700);
  });

  it('D-21: one that does not read, and a handler that takes long, cost nobody else anything', async () => {
    const world = new SessionWorld();
    const gates: (() => void)[] = [];
    const element = await started(world, 'pe1', {}, (session) => { session.on('data', (data, info) => { void info.reply(data); return data.toString() === 'slow' ? new Promise<void>((resolve) => { gates.push(resolve); }) : undefined; }); });
    const [user, other] = [await plainUser(world, 'pu', addressOf(element)), await plainUser(world, 'pu2', addressOf(element))];
    user.send('slow');
    for (let index = 0; index < 200; index += 1) user.send('y'.repeat(60_000));
    await world.advance(2_000);
    expect(user.link.queued).toBeGreaterThan(5_000_000);
    other.send('quick');
    await world.until(() => other.heard.length === 1);
    gates[0]!();
    await world.until(() => user.heard.length === 201, 60_000);
  });

  it('D-21: a handler that awaits its replies is held up by one that does not read', async () => {
    const world = new SessionWorld();
    let sent = 0;
    const element = await started(world, 'pe1', {}, (session) => { session.on('data', async (_data, info) => { for (; sent < 120; sent += 1) await info.reply(Buffer.alloc(60_000)); }); });
    const user = await plainUser(world, 'pu', addressOf(element));
    user.send('go');
    await world.until(() => sent > 0);
    user.link.pause();
    await world.advance(300);
    expect(sent).toBeLessThan(60);
    user.link.resume();
    await world.until(() => user.messages.length === 120);
  });

  it('D-29: over a long path, too, its messages are handled once it has been heard after a freeze', async () => {
    const world = new SessionWorld({ latency: 120 });
    const element = await started(world, 'pe1');
    const user = await plainUser(world, 'pu', addressOf(element));
    user.send('ping');
    await world.until(() => user.heard.length === 2);
    await world.advance(500);
    element.host.process.freeze();
    await world.advance(300);
    element.host.process.thaw();
    user.send('ping');
    expect(await world.until(() => user.heard.length === 4)).toBeLessThan(1_000);
  });

  it('our frames on an association that began without them cost it', async () => {
    const world = new SessionWorld();
    const element = await started(world, 'pe1');
    const user = await plainUser(world, 'pu', addressOf(element));
    user.send('ping');
    await world.until(() => user.heard.length === 2);
    user.link.send(Buffer.from([0, 0, 0, 12, 0xd, 0, 0, 0, 0, 0, 0, 0]), { ppid: MAPPING_PPID });
    await world.until(() => user.down_ !== undefined);
    expect(user.down_).toBe('LINK_LOST');
  });
});

describe('our own ends where nobody has said what they speak', () => {
  /** As rspregistrar lists them. */
  const forget = (world: SessionWorld): void => { for (const entry of world.registry) Object.assign(entry.element, { capabilities: undefined }); };

  it('design 6: they ask, and the session is as it is elsewhere; the next one does not', async () => {
    const world = new SessionWorld();
    await world.element('pe1', { onSession: ourCounter });
    forget(world);
    const user = world.user('pu');
    const session = await user.connect();
    expect(session.deliveryMode).toBe('effectively-once');
    expect((await world.settled(session.request('x'))).data.toString()).toBe('x 1');
    const next = await user.connect();
    expect((await world.settled(next.request('y'))).data.toString()).toBe('y 1');
    expect(next.deliveryMode).toBe('effectively-once');
  });

  it.each([0.05, 0.15])('with a loss of %d too', async (loss) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const world = new SessionWorld({ seed, loss });
      await world.element('pe1', { onSession: ourCounter });
      forget(world);
      const session = await world.user('pu').connect({ openTimeout: 60_000 });
      expect((await world.settled(session.request('x'))).data.toString()).toBe('x 1');
      expect(session.deliveryMode).toBe('effectively-once');
    }
  });

  it('one that spoke our frames, and does not any more, is asked again', async () => {
    const world = new SessionWorld();
    const ours = await world.element('pe1', { onSession: ourCounter });
    forget(world);
    const user = world.user('pu');
    await world.settled((await user.connect()).close());
    ours.host.process.crash();
    await world.advance(6_000);
    world.registry.length = 0;
    const { address } = ours.service as unknown as { address: string };
    await plainElement(world, 'pe1', 1, () => undefined, Number(address.slice(address.lastIndexOf(':') + 1)));
    const session = await world.settled(user.plane.connect(poolHandleKey('pool'), { openTimeout: 100_000 }), 100_000);
    expect(session.deliveryMode).toBe('at-least-once');
  });

  it('D-24: from ours to one of others what is in no cookie is sent again; acknowledgements and replies that are waited for are refused', async () => {
    const world = new SessionWorld();
    const handled: string[] = [];
    const ours = await world.element('pe1', { foreignCookies: true, onSession: (session) => {
      session.on('cookie', () => undefined);
      session.on('data', (data, info) => {
        handled.push(data.toString());
        if (handled.length === 1) session.setCookie('1');
        if (handled.length < 3) return void info.reply('ok');
        return new Promise<void>(() => undefined);
      });
    } });
    const { session, replies } = await connected(world);
    void session.send('a');
    void session.send('b');
    await world.until(() => replies.length === 2);
    const outcomes: string[] = [];
    const refused = (error: { code: string; outcome: string }): void => { outcomes.push(`${error.code} ${error.outcome}`); };
    session.send('c', { ack: true }).then(() => outcomes.push('acknowledged'), refused);
    session.request('d').then(() => outcomes.push('replied'), refused);
    await world.until(() => handled.length === 3);
    const theirs = await plainElement(world, 'pe2', 102, counter);
    ours.host.process.crash({ peersSee: 'nothing' });
    await world.until(() => replies.length === 5);
    expect(theirs.ends[0]!.heard).toEqual(['ASAP_COOKIE_ECHO 1', 'b', 'c', 'd']);
    expect(outcomes).toEqual(['MESSAGE_LOST unknown', 'NO_REPLY unknown']);
    await world.settled(session.close());
  });

  it('D-29: who dies before the first word is let go; who is there and says nothing is not', async () => {
    const world = new SessionWorld();
    const links = watchLinks(world.host('pe1'));
    const { service } = await world.element('pe1', { onSession: ourCounter });
    const { address } = service as unknown as { address: string };
    await plainUser(world, 'gone', address);
    await plainUser(world, 'silent', address);
    world.host('gone').process.crash({ peersSee: 'nothing' });
    await world.advance(20_000);
    expect([...links].map(({ writable }) => writable)).toEqual([false, true]);
  });

  it('F3: from an element of others to ours and back, by cookies', async () => {
    const world = new SessionWorld();
    const theirs = await plainElement(world, 'pe1', 101, counter);
    const { session, replies } = await connected(world);
    void session.send('ping', { ppid: 33 });
    await world.until(() => replies.length === 1);
    const ours = await world.element('pe2', { onSession: ourCounter, foreignCookies: true });
    theirs.host.process.crash({ peersSee: 'nothing' });
    void session.send('ping', { ppid: 33 });
    await world.until(() => replies.length === 2);
    expect(session.peIdentifier).toBe(ours.identifier);
    await plainElement(world, 'pe3', 103, counter);
    ours.host.process.crash({ peersSee: 'nothing' });
    void session.send('ping', { ppid: 33 });
    await world.until(() => replies.length === 3);
    expect(replies).toEqual(['33 ping 1', '33 ping 2', '33 ping 3']);
  });
});
