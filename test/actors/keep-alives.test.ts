import { expect, it } from '@jest/globals';
import type { Association } from '../../actors/association.js';
import { KeepAlives } from '../../actors/keep-alives.js';
import { Handlespace } from '../../handlespace/handlespace.js';
import { quickTimers } from '../../machines/timers.js';
import { World } from '../../testing/world.js';
import { poolHandleKey, type PoolElement } from '../../wire/index.js';

const ELEMENTS = 50;

const elementOf = (identifier: number): PoolElement => ({
  identifier, homeRegistrar: 1, registrationLife: 3600, policy: { policy: 'round-robin' }, userTransport: { transport: 'tcp', port: 4000, addresses: ['10.0.0.1'] },
});

it('elements that are due together are asked in slices of 4 ms: what has come in meanwhile is read in between', async () => {
  const world = new World();
  const { environment } = world.host('registrar');
  let work = 0; // milliseconds: each question takes one
  let inThisTurn = 0;
  const turns: number[] = [];
  const turn = (task: () => void) => (): void => {
    inThisTurn = 0;
    task();
    if (inThisTurn > 0) turns.push(inThisTurn);
  };
  const clock = {
    ...environment.clock, now: () => environment.clock.now() + work,
    defer: (task: () => void): void => { environment.clock.defer(turn(task)); },
    setTimeout: (task: () => void, delay: number): unknown => environment.clock.setTimeout(turn(task), delay),
    clearTimeout: (timer: unknown): void => { environment.clock.clearTimeout(timer); },
  };
  const random = { ...environment.random, fraction: () => 0.5 }; // all have the same period
  const association = { peer: 'tcp://10.0.0.1:1', isDown: false, send: () => { work += 1; inThisTurn += 1; return true; } } as unknown as Association;
  const keepAlives = new KeepAlives({
    environment: { ...environment, clock, random }, timers: quickTimers, identifier: 1, removed: () => undefined, probing: () => ({ message: () => undefined, down: () => undefined }),
  });
  const handlespace = new Handlespace({ random, items: 128 });
  for (let identifier = 1; identifier <= ELEMENTS; identifier += 1) {
    keepAlives.registered(handlespace.put(poolHandleKey(Buffer.from('echo')), elementOf(identifier)), association, elementOf(identifier));
  }
  await world.advance(quickTimers.keepAlivePeriod + 100);
  keepAlives.close();
  expect(Math.max(...turns)).toBe(4);
  expect(turns.reduce((sum, each) => sum + each, 0)).toBe(ELEMENTS);
});
