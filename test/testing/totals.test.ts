import { lastWords, totals } from '../../testing/simulation/totals.js';

const failed = [{ scenario: 'session', seed: 7 }, { scenario: 'scope', seed: 9 }];

describe('what a run of seeds ends with', () => {
  it('says nothing of failures where there are none', () => {
    expect(lastWords({ failed: [] }, [])).toEqual([]);
    expect(totals({ seeds: 3, steps: 20, faults: 4, violations: 0, cpu: 1, failed: [] })).toBe('seeds 3, steps 20, faults 4, violations 0');
  });

  it('names each seed that failed, and the command that runs it again: cut down where that was found', () => {
    const shrunk = [{ scenario: 'scope', seed: 9, cut: { only: [2] }, steps: 1, faults: [2], violations: [{ invariant: 'all is well', what: 'x'.repeat(1_000), at: 1 }], transcript: [] }];
    const lines = lastWords({ failed }, shrunk);
    expect(lines[0]).toBe('failed: session 7, scope 9');
    expect(lines[1]).toBe('  npm run simulate -- --scenario session --first 7 --seeds 1 --transcript');
    expect(lines[2]).toMatch(/^ {2}all is well: x{160}$/);
    expect(lines[3]).toBe('  npm run simulate -- --scenario scope --first 9 --seeds 1 --only 2 --transcript');
  });

  it('stays short, however many fail', () => {
    expect(lastWords({ failed: Array.from({ length: 300 }, (_, seed) => ({ scenario: 'session', seed })) }, []).length).toBeLessThan(30);
  });
});
