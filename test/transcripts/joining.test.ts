import { expect, it } from '@jest/globals';
import { ScopeWorld } from '../support/scope-world.js';
import { AsapPeer, elementOf } from '../support/registrar-world.js';
import { expectToRead, story, type Story } from './story.js';

/** RFC 5353 §3.2: a registrar starts. */

it('a registrar joins two others: presence, list, table, and serves (RFC 5353 §3.2)', async () => {
  const told = story();
  const scope = await begun(told);
  await scope.elements('pe1', [1], 'r1');
  await told.world.advance(500);
  told.transcript.clear();
  told.happens('r3', 'starts; it is told of r1 and r2');
  await scope.open('r3');
  told.happens('r3', 'serves');
  await told.world.advance(100);
  expect(scope.agree()).toBe(true);
  expectToRead('joining', told);
});

it('the table comes in pieces of 64 KiB (RFC 5353 §3.2.3); a registration in the meantime is in none of them, and is there (X-50)', async () => {
  const told = story();
  const { scope, opening } = await downloading(told);
  await scope.elements('pe2', [2], 'r2');
  await told.world.settled(opening);
  told.happens('r3', 'serves');
  expect(scope.known('r3').length).toBe(1_501);
  expectToRead('table-in-pieces', told);
});

it('the mentor dies in the middle of the download: another is asked, and all begins anew (RFC 5353 §3.2.3)', async () => {
  const told = story();
  const { scope, opening } = await downloading(told);
  const mentor = told.transcript.said().find((line) => line.includes('ENRP_HANDLE_TABLE_REQUEST'))!.slice(5, 7);
  told.happens(mentor, 'dies; nobody is told');
  told.world.host(mentor).process.crash({ peersSee: 'nothing' });
  await told.world.settled(opening);
  told.happens('r3', 'serves');
  expect(scope.known('r3').length).toBe(1_500);
  expectToRead('mentor-dies', told);
});

/** r1 and r2, which know each other. */
async function begun({ world }: Story): Promise<ScopeWorld> {
  const scope = await ScopeWorld.start(3, {}, world, ['r1', 'r2']);
  await world.advance(500);
  return scope;
}

/** r1 and r2 know 1500 elements, and r3 has begun to fetch them: the first piece has come. */
async function downloading(told: Story): Promise<{ scope: ScopeWorld; opening: ReturnType<ScopeWorld['opening']> }> {
  const scope = await begun(told);
  await registerMany(told, scope, 1_500);
  told.transcript.clear();
  told.world.network.setPath('r3', 'r1', { latency: 20 });
  told.world.network.setPath('r3', 'r2', { latency: 25 });
  told.happens('r3', 'starts');
  const opening = scope.opening('r3');
  await told.world.until(() => told.transcript.said().filter((line) => line.includes('ENRP_HANDLE_TABLE_REQUEST')).length > 1);
  return { scope, opening };
}

async function registerMany({ world }: Story, scope: ScopeWorld, count: number): Promise<void> {
  const peer = new AsapPeer(world, 'pe1', scope.address('r1'));
  await world.advance(5);
  for (let identifier = 1_001; identifier <= 1_000 + count; identifier++) {
    peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(identifier) });
    if (identifier % 50 === 0) await world.advance(10);
  }
  await world.advance(1_000);
}
