import { expect, it } from '@jest/globals';
import { ScopeWorld } from '../support/scope-world.js';

it('three registrars find each other and share the handlespace (RFC 5353 §3.2, §3.3)', async () => {
  const scope = await ScopeWorld.start();
  expect(scope.names.map((name) => scope.peers(name))).toEqual([['r2 active', 'r3 active'], ['r1 active', 'r3 active'], ['r1 active', 'r2 active']]);
  await scope.elements('pe1', [1, 2], 'r1');
  await scope.elements('pe2', [3], 'r2');
  await scope.world.advance(100);
  expect(scope.names.map((name) => scope.known(name).length)).toEqual([3, 3, 3]);
  expect(scope.agree()).toBe(true);
});
