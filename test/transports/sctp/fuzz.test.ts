import { nodeClock } from '../../../transports/node.js';
import { fuzz } from './fuzz.js';

describe('mutated packets', () => {
  it.each([1, 2, 3])('10 000 of seed %i: no exception, nobody else notices, none takes long', async (seed) => {
    const report = await fuzz(10_000, seed, () => nodeClock.now());
    expect(report.errors).toBe(0);
    expect(report.exchanged).toBe(50);
    expect(report.slowest).toBeLessThan(5000); // two hundred at a time; the package as shipped hangs
  });
});
