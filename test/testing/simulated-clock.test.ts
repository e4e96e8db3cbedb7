import { SeededRandom } from '../../testing/seeded-random.js';
import { SimulatedClock } from '../../testing/simulated-clock.js';

describe('simulated clock', () => {
  it('runs what falls due in the order of time, then of setting, and nothing later', async () => {
    const clock = new SimulatedClock();
    const seen: string[] = [];
    const at = (delay: number, name: string): unknown => clock.setTimeout(() => seen.push(`${name}@${clock.now()}`), delay);
    at(20, 'c');
    at(10, 'a');
    at(10, 'b');
    clock.clearTimeout(at(15, 'cleared'));
    at(31, 'late');
    await clock.advance(30);
    expect(seen).toEqual(['a@10', 'b@10', 'c@20']);
    expect(clock.now()).toBe(30);
    expect(clock.pending).toBe(1);
  });

  it('orders a thousand timers as sorting does', async () => {
    const clock = new SimulatedClock();
    const random = new SeededRandom(1);
    const delays = Array.from({ length: 1000 }, () => random.below(300));
    const seen: number[] = [];
    for (const delay of delays) clock.setTimeout(() => seen.push(delay), delay);
    await clock.advance(300);
    expect(seen).toEqual([...delays].sort((a, b) => a - b));
  });

  it('runs what was deferred after all that is due at that moment, before any later timer', async () => {
    const clock = new SimulatedClock();
    const seen: string[] = [];
    clock.setTimeout(() => {
      clock.setTimeout(() => seen.push('next turn'), 0);
      clock.defer(() => seen.push('deferred'));
      seen.push('first');
    }, 5);
    clock.setTimeout(() => seen.push('second'), 5);
    await clock.advance(5);
    expect(seen).toEqual(['first', 'second', 'deferred', 'next turn']);
  });

  it('settles chains of promises of any length before the next timer', async () => {
    const clock = new SimulatedClock();
    const seen: string[] = [];
    clock.setTimeout(() => {
      void (async () => {
        for (let step = 0; step < 500; step += 1) await Promise.resolve();
        seen.push('chain');
      })();
    }, 1);
    clock.setTimeout(() => seen.push('timer'), 1);
    await clock.advance(1);
    expect(seen).toEqual(['chain', 'timer']);
  });

  it('advances until a condition holds and says how long it took', async () => {
    const clock = new SimulatedClock(1000);
    let done = false;
    clock.setTimeout(() => (done = true), 40);
    clock.setTimeout(() => undefined, 41);
    expect(await clock.advanceUntil(() => done, 100)).toBe(40);
    await expect(clock.advanceUntil(() => false, 100)).rejects.toThrow('not so within 100 ms');
  });

  it('gives out what a task throws, and refuses to be advanced twice at once', async () => {
    const clock = new SimulatedClock();
    clock.setTimeout(() => { throw new Error('from a timer'); }, 1);
    await expect(clock.advance(1)).rejects.toThrow('from a timer');
    const first = clock.advance(1);
    await expect(clock.advance(1)).rejects.toThrow('being advanced already');
    await first;
  });
});

describe('seeded random', () => {
  it('repeats itself for a seed, differs between neighbours and stays in range', () => {
    const draw = (seed: number): number[] => Array.from({ length: 50 }, ((random) => () => random.fraction())(new SeededRandom(seed)));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((value) => value >= 0 && value < 1)).toBe(true);
    expect(Math.abs(draw(7)[0]! - draw(8)[0]!)).toBeGreaterThan(0.0001);
  });
});
