import type { ServiceAccessPoint } from '../../actors/access-point.js';
import { initialize } from '../../actors/access-point.js';
import { noticeBound } from '../../machines/bounds.js';
import { quickTimers } from '../../machines/timers.js';
import { World } from '../../testing/world.js';
import { ScopeWorld } from '../support/scope-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';

/** What pool users know of a pool while sessions are open with it: real registrars, elements and users on a simulated network. */

const PACED = noticeBound(quickTimers, 'update') + 20; // and the way

async function setting(registrars = 1) {
  const scope = await ScopeWorld.start(registrars);
  const { world } = scope;
  const user = await scope.accessPoint('user');
  const known = async (): Promise<number[]> => (await world.settled(user.resolve('echo'))).elements.map(({ identifier }) => identifier).sort();
  const connect = async () => world.settled(user.connect('echo'));
  return { scope, world, user, known, connect };
}

const home = (user: ServiceAccessPoint, scope: ScopeWorld): string => scope.names.find((name) => scope.address(name) === user.registrar?.address)!;

describe('caches that stay current (S and A bits, RFC 5352 §2.2.5, §2.2.6)', () => {
  it('a new element gets traffic at once where a session is open with its pool', async () => {
    const { scope, world, known, connect } = await setting();
    await scope.elements('pe1', [1]);
    await connect();
    await scope.elements('pe2', [2]);
    await world.advance(PACED);
    expect(await known()).toEqual([1, 2]);
    const serving = [(await connect()).peIdentifier, (await connect()).peIdentifier];
    expect(serving.sort()).toEqual([1, 2]);
  });

  it('without one, within the stale cache value', async () => {
    const { scope, world, known } = await setting();
    await scope.elements('pe1', [1]);
    await known();
    await scope.elements('pe2', [2]);
    await world.advance(PACED);
    expect(await known()).toEqual([1]);
    await world.advance(noticeBound(quickTimers, 'stale'));
    await known();
    await world.advance(20);
    expect(await known()).toEqual([1, 2]);
  });

  it('an element that is back after a fault takes sessions at once: they do not all sit at the other one', async () => {
    const { scope, world, user, connect } = await setting();
    await scope.elements('pe1', [1]);
    await scope.elements('pe2', [2]);
    const sessions = [await connect(), await connect()];
    world.host('pe1').process.crash({ peersSee: 'end' });
    await world.advance(500);
    expect(sessions.map(({ peIdentifier }) => peIdentifier)).toEqual([2, 2]);
    await scope.elements('pe1', [3]); // respawned
    await world.advance(PACED);
    world.host('pe2').process.crash({ peersSee: 'end' });
    const start = world.clock.now();
    await world.until(() => sessions.every(({ peIdentifier }) => peIdentifier === 3));
    expect(world.clock.now() - start).toBeLessThan(50); // nobody had to be asked
    expect((await world.settled(user.resolve('echo'))).elements.map(({ identifier }) => identifier)).toContain(3);
  });

  it('a dead element leaves the caches of all who hold it, sessions with it or not, when its registrar removes it', async () => {
    const { scope, world, known, connect } = await setting();
    await scope.elements('pe1', [1]);
    await scope.elements('pe2', [2]);
    await connect();
    world.host('pe1').process.crash({ peersSee: 'nothing' });
    world.host('pe2'); // lives
    await world.until(() => scope.events.some((event) => event.includes('removed 1')));
    await world.advance(PACED);
    expect(await known()).toEqual([2]);
  });

  // proves 5352-2.2.5-a
  it('asks again at a new registrar: killed', async () => {
    const { scope, world, user, known, connect } = await setting(2);
    await scope.elements('pe1', [1]);
    await connect();
    const first = home(user, scope);
    world.host(first).process.crash({ peersSee: 'end' });
    await world.until(() => user.registrar !== undefined && home(user, scope) !== first);
    await world.advance(quickTimers.resolutionInterval + 20);
    await scope.elements('pe2', [2]);
    await world.advance(PACED);
    expect(await known()).toEqual([1, 2]);
  });

  it('and where the old one is frozen and says nothing', async () => {
    const { scope, world, user, known, connect } = await setting(2);
    await scope.elements('pe1', [1]);
    await connect();
    const first = home(user, scope);
    world.host(first).process.freeze();
    await scope.elements('pe2', [2]);
    await world.advance(noticeBound(quickTimers, 'frozen') + 20);
    expect(await known()).toEqual([1, 2]);
  });

  it('X-33: a pool that vanishes ends the updates; when it is back it is found, soon at first', async () => {
    const { scope, world, user, connect } = await setting();
    const [element] = await scope.elements('pe1', [1]);
    await connect();
    await world.settled(element!.deregister());
    await world.advance(PACED);
    await expect(world.settled(user.resolve('echo'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    await scope.elements('pe2', [2]);
    await world.advance(2 * quickTimers.resolutionInterval + 700);
    const { elements, age } = await world.settled(user.resolve('echo'));
    expect([elements.map(({ identifier }) => identifier), age > 0]).toEqual([[2], true]);
  });

  it('D-19: an element that a registrar has removed is asked at once, and not left where it answers', async () => {
    const { scope, world, known, connect } = await setting();
    await scope.elements('pe1', [1]);
    const session = await connect();
    await scope.elements('pe2', [2]);
    world.network.partition('pe1', ['r1']); // its registrar does not hear it, its users do
    await world.until(() => scope.events.some((event) => event.includes('removed 1')));
    await world.advance(PACED + 1_000);
    expect([await known(), session.peIdentifier, session.epoch]).toEqual([[2], 1, 1]);
  });

  // proves 5352-2.2.5-a
  it('the first question has the S bit; when the sessions are over nobody asks any more', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'r1', 1);
    const user = await initialize({ registrars: [registrar.address], environment: world.host('user').environment });
    await expect(world.settled(user.connect('echo'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    const asked = () => registrar.received.filter((message) => message.type === 'ASAP_HANDLE_RESOLUTION');
    expect(asked()).toEqual([expect.objectContaining({ flags: { sendUpdates: true } })]);
    await world.advance(60_000);
    expect(asked().length).toBeLessThanOrEqual(2);
  });
});
