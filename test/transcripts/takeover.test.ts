import { expect, it } from '@jest/globals';
import { ScopeWorld } from '../support/scope-world.js';
import { expectToRead, story, type Story } from './story.js';

/** RFC 5353 §3.5: a registrar fails, or seems to, or leaves. Three registrars; pe1 and pe2 are registered with r3. */

it('two initiators: the larger identifier goes on, the smaller gives in (RFC 5353 §3.5.1 step 2)', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('r3', 'dies; nobody is told');
  told.world.host('r3').process.crash({ peersSee: 'nothing' });
  await told.world.advance(2_500);
  expect([scope.known('r1').sort(), scope.agree(['r1', 'r2'])]).toEqual([['1@r2', '2@r2'], true]);
  expect(initiators(told)).toEqual(['r1', 'r2']);
  expectToRead('takeover-two-initiators', told);
});

it('a registrar that was frozen wakes up in the middle, and refutes (RFC 5353 §3.5.1 step 1)', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('r3', 'is frozen');
  told.world.host('r3').process.freeze();
  await told.world.until(() => initiators(told).length > 0, 5_000);
  told.happens('r3', 'goes on');
  told.world.host('r3').process.thaw();
  await told.world.advance(1_000);
  expect(scope.known('r1').sort()).toEqual(['1@r3', '2@r3']);
  expect(scope.peers('r1')).toEqual(['r2 active', 'r3 active']);
  expectToRead('takeover-refuted', told);
});

it('one registrar does not hear it, the other does, and refuses', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('network', 'nothing passes from r3 to r1');
  told.world.network.partitionOneWay('r3', 'r1');
  await told.world.until(() => told.transcript.said().some((line) => line.includes('ENRP_ERROR')), 5_000);
  await told.world.advance(300);
  expect(scope.known('r2').sort()).toEqual(['1@r3', '2@r3']);
  told.happens('network', 'is whole again');
  told.world.network.heal();
  await told.world.advance(1_500);
  expect([scope.known('r1').sort(), scope.peers('r1')]).toEqual([['1@r3', '2@r3'], ['r2 active', 'r3 active']]);
  expectToRead('takeover-refused', told);
});

it('the winner dies in the middle: the next one takes both over (X-20)', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('r3', 'dies; nobody is told');
  told.world.host('r3').process.crash({ peersSee: 'nothing' });
  await told.world.until(() => told.transcript.said().some((line) => line.includes('r2 > r1: ENRP_INIT_TAKEOVER target r3')), 5_000);
  told.happens('r2', 'dies; nobody is told');
  told.world.host('r2').process.crash({ peersSee: 'nothing' });
  await told.world.advance(6_000);
  expect(scope.known('r1').sort()).toEqual(['1@r1', '2@r1']);
  expectToRead('takeover-winner-dies', told);
});

it('a registrar that leaves hands its pool elements over (X-40)', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('r3', 'gets SIGTERM');
  await told.world.settled(scope.registrar('r3').close());
  told.happens('r3', 'ends');
  told.world.host('r3').process.crash({ peersSee: 'end' });
  await told.world.advance(300);
  expect([scope.known('r1').sort(), scope.agree(['r1', 'r2'])]).toEqual([['1@r2', '2@r2'], true]);
  expectToRead('handing-over', told);
});

it('registrars part, and meet again: what each says of the other is put right (RFC 5353 §3.5, §3.6)', async () => {
  const told = story();
  const scope = await three(told);
  told.happens('network', 'r3 and pe2 here, r1, r2 and pe1 there');
  told.world.network.partition(['r3', 'pe2'], ['r1', 'r2', 'pe1']);
  await told.world.advance(4_000);
  told.happens('network', 'is whole again');
  told.world.network.heal();
  await told.world.advance(2_000);
  expect(scope.agree()).toBe(true);
  expect(scope.known('r1').map((known) => known.split('@')[0]).sort()).toEqual(['1', '2']);
  expectToRead('partition', told);
});

async function three({ world, transcript }: Story): Promise<ScopeWorld> {
  const scope = await ScopeWorld.start(3, {}, world);
  await world.advance(5_000); // all have asked each other for their lists
  await scope.elements('pe1', [1], 'r3');
  await scope.elements('pe2', [2], 'r3');
  await world.advance(1_000);
  expect(scope.known('r1').sort()).toEqual(['1@r3', '2@r3']);
  transcript.clear();
  return scope;
}

/** Who has begun to take r3 over. */
const initiators = ({ transcript }: Story): string[] =>
  [...new Set(transcript.said().filter((line) => line.includes('ENRP_INIT_TAKEOVER target r3')).map((line) => line.slice(0, 2)))].sort();
