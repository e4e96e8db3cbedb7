import { expect, it } from '@jest/globals';
import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { PoolElement } from '../../actors/element.js';
import type { UserSession } from '../../actors/session.js';
import { ScopeWorld } from '../support/scope-world.js';
import { recorder, Seen } from '../support/session-world.js';
import { expectToRead, story, type Story } from './story.js';

/** RFC 5352 §3.8, draft-ietf-rserpool-service: a session outlives its pool element. One registrar, two pool elements, a pool user. */

it('the pool element dies: cookie echo, and what its cookie did not cover is sent again (RFC 5352 §3.8)', async () => {
  const told = story();
  const { user, serving, log } = await begun(told);
  const { session, seen } = await connected(told, user);
  await say(told, session, 'a', 'b');
  told.happens(serving(session), 'says nothing to pu any more: what it does now dies with it');
  told.world.network.partitionOneWay(serving(session), 'pu');
  void session.send('c');
  await told.world.advance(10);
  told.happens(serving(session), 'dies; nobody is told');
  told.world.host(serving(session)).process.crash({ peersSee: 'nothing' });
  void session.send('d');
  await told.world.settled(session.flush());
  await told.world.advance(500);
  expect(seen.data).toEqual(['a', 'ab', 'abc', 'abcd']);
  expect(log.filter((line) => line.includes('restores'))).toEqual([expect.stringContaining('restores ab')]);
  expectToRead('session-cookie-echo', told);
});

it('without cookies: the callback restores the state by messages of its own, and what was not answered is sent again', async () => {
  const told = story();
  const { user, serving } = await begun(told, { cookie: false });
  const { session, seen } = await connected(told, user, 'at-least-once', (said) => [...said].join(''));
  await say(told, session, 'a', 'b');
  told.happens(serving(session), 'dies');
  told.world.host(serving(session)).process.crash({ peersSee: 'reset' });
  void session.send('c');
  await told.world.settled(session.flush());
  await told.world.advance(500);
  expect(seen.data.at(-1)).toBe('abc');
  expectToRead('session-callback', told);
});

it('SIGSTOP: the pool element is left after half a second of silence, reported, and asked; when it goes on it registers anew', async () => {
  const told = story();
  const { user, serving } = await begun(told);
  const { session, seen } = await connected(told, user);
  await say(told, session, 'a');
  const first = serving(session);
  told.happens(first, 'is frozen');
  told.world.host(first).process.freeze();
  void session.send('b');
  await told.world.until(() => seen.data.includes('ab'));
  await told.world.advance(3_000);
  told.happens(first, 'goes on');
  told.world.host(first).process.thaw();
  await told.world.advance(1_500);
  void session.send('c');
  await told.world.settled(session.flush());
  expect(seen.data).toEqual(['a', 'ab', 'abc']);
  expectToRead('session-frozen', told);
});

it('a pool element drains: its sessions move, nothing is sent twice', async () => {
  const told = story();
  const { user, serving, elements, log } = await begun(told);
  const { session, seen } = await connected(told, user);
  await say(told, session, 'a', 'b');
  const first = serving(session);
  told.happens(first, 'drains');
  await told.world.settled(elements.get(first)!.drain());
  await say(told, session, 'c');
  expect(seen.data).toEqual(['a', 'ab', 'abc']);
  expect(log.filter((line) => line.includes('handles')).length).toBe(3);
  expectToRead('session-drain', told);
});

async function begun(told: Story, { cookie = true } = {}) {
  const scope = await ScopeWorld.start(1, {}, told.world);
  const log: string[] = [];
  const elements = new Map<string, PoolElement>();
  for (const [index, name] of ['pe1', 'pe2'].entries()) {
    const accessPoint = await scope.accessPoint(name);
    elements.set(name, await told.world.settled(accessPoint.register('pool', { identifier: index + 1 }, recorder(name, log, { cookie }))));
  }
  const user = await scope.accessPoint('pu');
  await told.world.advance(500);
  told.transcript.clear();
  return { user, log, elements, serving: ({ peIdentifier }: UserSession) => `pe${peIdentifier}` };
}

async function connected({ world }: Story, user: ServiceAccessPoint, deliveryMode?: 'at-least-once', restore?: (said: readonly string[]) => string) {
  const said: string[] = [];
  const session = await world.settled(user.connect('pool', {
    ...(deliveryMode && { deliveryMode }), ...(restore && { onFailover: (recovery) => { void recovery.send(restore(said)); } }),
  })) as UserSession;
  const send = session.send.bind(session);
  session.send = ((data: string) => { if (said.length < 2) said.push(data); return send(data); }) as typeof session.send;
  return { session, seen: new Seen(session) };
}

async function say({ world }: Story, session: UserSession, ...words: readonly string[]): Promise<void> {
  for (const word of words) void session.send(word);
  await world.settled(session.flush());
  await world.advance(200);
}
