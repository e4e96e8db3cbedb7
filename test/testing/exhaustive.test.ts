import { deliveryModes } from '../../delivery/modes.js';
import { replay, search, type Scope, type SearchWorld } from '../../testing/exhaustive/search.js';
import { sessionScope } from '../../testing/exhaustive/session-scope.js';
import { takeoverScope } from '../../testing/exhaustive/takeover-scope.js';

/** Two counters that anybody may raise, to 3 each. */
class Pair implements SearchWorld {
  readonly #counts = { a: 0, b: 0 };
  constructor(private readonly wrong: string) {}
  choices(): string[] { return (['a', 'b'] as const).filter((name) => this.#counts[name] < 3); }
  take(choice: string): Promise<void> { this.#counts[choice as 'a' | 'b'] += 1; return Promise.resolve(); }
  fingerprint(): string { return JSON.stringify(this.#counts); }
  violations(): string[] { return this.fingerprint() === this.wrong ? ['wrong'] : []; }
  finish(): Promise<string[]> { return Promise.resolve([]); }
  dispose(): void { /* nothing is left */ }
}
const pair = (wrong = ''): Scope => ({ name: 'pair', create: () => Promise.resolve(new Pair(wrong)) });

describe('exhaustive search', () => {
  it('visits every state once, and says whether its bound was reached', async () => {
    expect(await search(pair(), { depth: 10 })).toMatchObject({ states: 16, bounded: 0, violations: [] });
    expect((await search(pair(), { depth: 4 })).bounded).toBeGreaterThan(0);
  });

  it('finds the one state that is wrong, by a path that leads there again', async () => {
    const { violations } = await search(pair('{"a":1,"b":3}'), { depth: 10 });
    expect(violations).toHaveLength(1);
    expect(await replay(pair('{"a":1,"b":3}'), violations[0]!.path)).toEqual(['wrong']);
  });

  it('does not see what takes more unusual choices than it may make', async () => {
    expect((await search(pair('{"a":0,"b":1}'), { depth: 10, unusual: 0 })).violations).toEqual([]);
  });
});

it.each(deliveryModes)('a session between two elements, %s: every single thing out of order at every place', async (mode) => {
  expect(await search(sessionScope({ mode, messages: 2 }), { depth: 60, unusual: 1 })).toMatchObject({ violations: [], bounded: 0 });
}, 30_000);

it('a takeover among three registrars, one of which dies: every single thing out of order at every place', async () => {
  expect(await search(takeoverScope('crash'), { depth: 60, unusual: 1 })).toMatchObject({ violations: [], bounded: 0 });
}, 30_000);
