import fc from 'fast-check';
import { assign, setup } from 'xstate';
import { createTestModel } from 'xstate/graph';
import { CounterWorld } from '../support/counter-world.js';

/** What a user of a pool sees, as a chart of its own, written from the promise and not from our charts. */
const usersView = setup({
  types: {} as { context: { elements: number; requests: number }; events: { type: 'element starts' } | { type: 'element is killed' } | { type: 'element is frozen' } | { type: 'user connects' } | { type: 'user asks' } },
  guards: {
    fewElements: ({ context }) => context.elements < 2,
    oneElement: ({ context }) => context.elements === 1,
    someElements: ({ context }) => context.elements > 0,
    fewRequests: ({ context }) => context.requests < 2,
  },
  actions: {
    add: assign({ elements: ({ context }) => context.elements + 1 }),
    remove: assign({ elements: ({ context }) => context.elements - 1 }),
    ask: assign({ requests: ({ context }) => context.requests + 1 }),
  },
}).createMachine({
  context: { elements: 0, requests: 0 },
  initial: 'apart',
  states: {
    apart: {
      on: {
        'element starts': { guard: 'fewElements', actions: 'add' },
        'user connects': { guard: 'someElements', target: 'served' },
      },
    },
    served: {
      on: {
        'user asks': { guard: 'fewRequests', actions: 'ask' },
        'element starts': { guard: 'fewElements', actions: 'add' },
        'element is frozen': {},
        'element is killed': [{ guard: 'oneElement', target: 'waiting', actions: 'remove' }, { guard: 'someElements', actions: 'remove' }],
      },
    },
    // Nobody is there: what is asked is kept, and answered by whoever comes.
    waiting: {
      on: {
        'user asks': { guard: 'fewRequests', actions: 'ask' },
        'element starts': { target: 'served', actions: 'add' },
      },
    },
  },
});

describe('a session as its user sees it', () => {
  const paths = createTestModel(usersView).getShortestPaths();

  it('has paths to every state', () => {
    expect(new Set(paths.flatMap(({ steps }) => steps.map(({ state }) => state.value)))).toEqual(new Set(['apart', 'served', 'waiting']));
    expect(new Set(paths.flatMap(({ steps }) => steps.map(({ event }) => event.type)))).toContain('element is killed');
  });

  it.each(paths.map((path) => [path.description, path] as const))('%s', async (_description, path) => {
    const real = await CounterWorld.create(1);
    await path.test({
      events: {
        'element starts': () => real.startElement(),
        'element is killed': async () => { real.crash('reset'); await real.advance(50); },
        'element is frozen': () => real.freeze(2_000),
        'user connects': async () => { expect(await real.connect()).toBe('connected'); },
        'user asks': () => { real.request(); },
      },
      states: {
        served: async () => { await real.quiet(); expect(real.replies).toEqual(real.expected); },
        waiting: async () => { await real.advance(1_000); expect(real.replies.length).toBeLessThanOrEqual(real.sent); },
      },
    });
    if (!real.session) return;
    if (real.elements === 0) await real.startElement();
    await real.quiet();
    expect(real.replies).toEqual(real.expected);
  });
});

// ---- longer and random, shrunk by fast-check

interface Model { elements: number }
const command = (name: string, check: (model: Model) => boolean, run: (model: Model, real: CounterWorld) => void | Promise<void>): fc.AsyncCommand<Model, CounterWorld> => ({
  check, run: async (model, real) => { await run(model, real); expect(real.replies).toEqual(real.expected.slice(0, real.replies.length)); }, toString: () => name,
});
const served = ({ elements }: Model): boolean => elements > 0;
const commands = [
  fc.constant(command('start', ({ elements }) => elements < 3, async (model, real) => { model.elements++; await real.startElement(); })),
  fc.integer({ min: 1, max: 20 }).map((count) => command(`ask ${count}`, () => true, (_model, real) => { for (let i = 0; i < count; i++) real.request(); })),
  fc.constantFrom('reset' as const, 'end' as const, 'nothing' as const).map((peersSee) => command(`kill (${peersSee})`, served, (model, real) => { model.elements--; real.crash(peersSee); })),
  fc.constantFrom(100, 450, 700, 5_000).map((span) => command(`freeze ${span}`, served, (_model, real) => real.freeze(span))),
  fc.constant(command('drain', served, async (model, real) => { model.elements--; await real.drain(); })),
  fc.constantFrom(1, 3, 40, 1_500).map((span) => command(`advance ${span}`, () => true, (_model, real) => real.advance(span))),
];

test('D-8, D-10, D-13, D-27: whatever happens to the elements, the counter goes on', async () => {
  await fc.assert(fc.asyncProperty(fc.commands(commands, { maxCommands: 25 }), fc.integer({ min: 1, max: 1_000_000 }), async (list, seed) => {
    const real = await CounterWorld.create(seed);
    const model: Model = { elements: 1 };
    await real.startElement();
    await real.connect();
    await fc.asyncModelRun(() => ({ model, real }), list);
    if (model.elements === 0) await real.startElement();
    await real.quiet();
    expect(real.replies).toEqual(real.expected);
  }), { numRuns: Number(process.env['RSERPOOL_MODEL_RUNS'] ?? 100), seed: 20261127 });
}, 120_000);
