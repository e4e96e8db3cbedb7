import { assign, createActor, sendTo, setup } from 'xstate';
import { initialize } from '../../actors/access-point.js';
import { poolElementLogic, registrarLogic, sessionLogic, type PoolElementNews, type RegistrarNews, type SessionNews } from '../../actors/logic.js';
import { World } from '../../testing/world.js';

/** What an XState user writes: our actors invoked in machines of his own, on a simulated network. */
const userMachine = setup({
  types: {} as { context: { seen: string[]; world: World }; input: World; events: SessionNews | { type: 'say'; text: string } | { type: 'leave' } },
  actors: { session: sessionLogic },
  actions: { note: assign({ seen: ({ context }, line: string) => [...context.seen, line] }) },
}).createMachine({
  context: ({ input }) => ({ seen: [], world: input }),
  initial: 'talking',
  states: {
    talking: {
      invoke: { src: 'session', id: 'session', input: ({ context }) => ({ accessPoint: points.get(context.world)!, poolHandle: 'counter' }) },
      on: {
        say: { actions: sendTo('session', ({ event }) => ({ type: 'session.send', data: event.text })) },
        'session.opened': { actions: { type: 'note', params: 'opened' } },
        'session.data': { actions: { type: 'note', params: ({ event }) => event.data.toString() } },
        'session.failover': { actions: { type: 'note', params: 'failover' } },
        'session.failed': { actions: { type: 'note', params: ({ event }) => `failed: ${String((event.error as { code?: string }).code)}` } },
        leave: 'gone',
      },
    },
    gone: { type: 'final' },
  },
});
const points = new Map<World, Awaited<ReturnType<typeof initialize>>>();

describe('actor logic', () => {
  it('a session invoked in a user\'s machine sends, receives, fails over, and is closed when its state is left', async () => {
    const world = new World();
    const registrarNews: RegistrarNews[] = [];
    const registrar = createActor(setup({ types: { events: {} as RegistrarNews }, actors: { registrar: registrarLogic } }).createMachine({
      invoke: { src: 'registrar', input: { asap: [`tcp://${world.host('r').address}:3863`], environment: world.host('r').environment } },
      on: { '*': { actions: ({ event }) => { registrarNews.push(event); } } },
    })).start();
    await world.until(() => registrarNews.length > 0);
    expect(registrarNews.map(({ type }) => type)).toEqual(['registrar.listening']);

    const elements = [await element(world, 'a'), await element(world, 'b')];
    points.set(world, await initialize({ registrars: [`tcp://${world.host('r').address}:3863`], environment: world.host('pu').environment }));
    const user = createActor(userMachine, { input: world });
    user.start();
    user.send({ type: 'say', text: 'early' }); // before it is open
    await world.until(() => user.getSnapshot().context.seen.length === 2);
    const served = elements.findIndex(({ sessions }) => sessions.size === 1);
    world.host(['a', 'b'][served]!).process.crash({ peersSee: 'reset' });
    user.send({ type: 'say', text: 'late' });
    await world.until(() => user.getSnapshot().context.seen.length === 4);
    expect(user.getSnapshot().context.seen).toEqual(['opened', 'early=1', 'failover', 'late=2']);

    user.send({ type: 'leave' });
    await world.until(() => elements[1 - served]!.sessions.size === 0);
    registrar.stop();
    await points.get(world)!.close();
  });

  it('a pool that nobody serves comes as session.failed, and ends no machine', async () => {
    const world = new World();
    const registrar = createActor(registrarLogic, { input: { asap: [`tcp://${world.host('r').address}:3863`], environment: world.host('r').environment } }).start();
    points.set(world, await initialize({ registrars: [`tcp://${world.host('r').address}:3863`], environment: world.host('pu').environment }));
    const user = createActor(userMachine, { input: world }).start();
    await world.until(() => user.getSnapshot().context.seen.length === 1);
    expect(user.getSnapshot().context.seen).toEqual(['failed: UNKNOWN_POOL_HANDLE']);
    expect(user.getSnapshot().status).toBe('active');
    registrar.stop();
    await points.get(world)!.close();
  });
});

async function element(world: World, name: string): Promise<{ sessions: Set<string> }> {
  const sessions = new Set<string>();
  const news: PoolElementNews[] = [];
  const accessPoint = await initialize({ registrars: [`tcp://${world.host('r').address}:3863`], environment: world.host(name).environment });
  createActor(setup({ types: { events: {} as PoolElementNews }, actors: { element: poolElementLogic } }).createMachine({
    invoke: {
      src: 'element',
      input: {
        accessPoint, poolHandle: 'counter', options: { listen: [`tcp://${world.host(name).address}:0`] },
        onSession: (session) => {
          let count = 0;
          sessions.add(session.id);
          session.on('closed', () => { sessions.delete(session.id); });
          session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
          session.on('data', (data) => { session.setCookie(String(++count)); void session.send(`${data.toString()}=${count}`); });
        },
      },
    },
    on: { '*': { actions: ({ event }) => { news.push(event); } } },
  })).start();
  await world.until(() => news.some(({ type }) => type === 'element.registered'));
  return { sessions };
}
