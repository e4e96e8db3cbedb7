import { execFileSync } from 'node:child_process';
import { scenarios } from '../../testing/simulation/scenarios.js';
import { replayCommand, shrink } from '../../testing/simulation/shrink.js';
import type { Cut, Outcome, Scenario } from '../../testing/simulation/outcome.js';

const SEEDS: Readonly<Record<string, number>> = { session: 40, 'session-sctp': 15, pool: 15, 'pool-sctp': 4, scope: 6, 'scope-sctp': 2 };

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('scenario %s', (name, scenario) => {
  it('keeps every promise through whatever happens', async () => {
    const failed: string[] = [];
    for (let seed = 1; seed <= (SEEDS[name] ?? 5); seed += 1) {
      const outcome = await scenario.run(seed);
      for (const { invariant, what } of outcome.violations) failed.push(`${replayCommand(outcome)}: ${invariant}: ${what}`);
    }
    expect(failed).toEqual([]);
  });

  it('gives the same transcript for the same seed, and another one for another', async () => {
    const once = await scenario.run(11);
    expect((await scenario.run(11)).transcript).toEqual(once.transcript);
    expect(once.transcript.length).toBeGreaterThan(5);
    expect((await scenario.run(12)).transcript).not.toEqual(once.transcript);
  });

  it('lets faults be left out without changing the others', async () => {
    const seed = await busySeed(scenario);
    const whole = await scenario.run(seed);
    const [first] = whole.faults;
    const cut = await scenario.run(seed, { only: [first ?? 0] });
    expect(cut.faults).toEqual([first]);
    const line = (outcome: Outcome): string | undefined => outcome.transcript.find((each) => each.includes(`FAULT      ${first ?? 0}: `))?.replace(/ms.*/, '');
    expect(line(cut)).toBe(line(whole));
  });
});

it('gives the same transcripts in two processes, to the byte', () => {
  const run = (): string => execFileSync(process.execPath, ['dist/testing/simulation/main.js', '--first', '21', '--seeds', '1', '--transcript'], { encoding: 'utf8' });
  const once = run();
  expect(once).toMatch(/seeds 6, steps \d+, faults \d+, violations 0\n$/);
  expect(run()).toBe(once);
});

async function busySeed(scenario: Scenario): Promise<number> {
  for (let seed = 1; ; seed += 1) if ((await scenario.run(seed)).faults.length >= 3) return seed;
}

describe('shrink', () => {
  /** Fails whenever faults 3 and 7 happen together, with four messages at least. */
  const sample: Scenario = {
    name: 'sample',
    run: (seed: number, cut: Cut = {}) => {
      const faults = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((number) => cut.only?.includes(number) ?? true);
      const fails = faults.includes(3) && faults.includes(7) && (cut.messages ?? 12) >= 4;
      return Promise.resolve({ scenario: 'sample', seed, cut, steps: 1, faults, violations: fails ? [{ invariant: 'sample', what: 'both', at: 1 }] : [], transcript: [] });
    },
  };

  it('leaves what the failure needs, and says how to run it again', async () => {
    const least = await shrink(sample, await sample.run(5));
    expect(least.cut).toEqual({ only: [3, 7], messages: 4 });
    expect(replayCommand(least)).toBe('npm run simulate -- --scenario sample --first 5 --seeds 1 --only 3,7 --messages 4 --transcript');
  });
});
