import { afterEach, describe, expect, it } from '@jest/globals';
import { killAll, program, startElement, startRegistrar } from '../support/processes.js';

afterEach(killAll);
const SESSIONS = 64;

describe('D-27: SIGTERM on real processes', () => {
  it('a rolling restart of all elements under load: nothing lost, nothing doubled, no move is a failure', async () => {
    const { address: registrar } = await startRegistrar();
    const start = async (id: number) => (await startElement({ id: `0x${id}`, registrar })).element;
    const elements = [await start(1), await start(2), await start(3)];
    const user = program('test/support/steady-user.mjs', registrar, 'counter', String(SESSIONS));
    await user.out(/^ready$/);
    for (const [index, element] of elements.entries()) {
      const ending = await element.killed('SIGTERM');
      expect(ending).toEqual({ code: 0, signal: null });
      elements[index] = await start(index + 4);
    }
    user.say('end');
    const [report = ''] = await user.out(/^\{.*\}$/);
    const { sent, answered, wrong, medianPause, longestPause } = JSON.parse(report) as Record<string, number>;
    const moves = user.said.filter((line) => line.startsWith('moved'));
    const durations = moves.map((line) => Number(line.split(' ')[3])).sort((a, b) => a - b);
    if (process.env['VERBOSE'] === '1') process.stderr.write(`${report}; ${moves.length} moves, median ${durations[durations.length >> 1]} ms, longest ${durations.at(-1)} ms\n`);
    expect([answered, wrong]).toEqual([sent, 0]);
    expect(moves.length).toBeGreaterThanOrEqual(SESSIONS);
    expect(moves.filter((line) => !line.includes(' moved '))).toEqual([]);
    expect(user.said.filter((line) => line.startsWith('error'))).toEqual([]);
    expect(medianPause).toBeLessThan(500); // silence of 0.5 s would be a failure; machines of tests are slow
    expect(longestPause).toBeLessThan(2_000);
  }, 60_000);

  it('a second SIGTERM ends it at once, though a session has nowhere to go', async () => {
    const { registrar: process, address: registrar } = await startRegistrar({ logLevel: 'info' });
    const { element } = await startElement({ id: '0x1', registrar });
    const user = program('test/support/steady-user.mjs', registrar, 'counter', '1');
    await user.out(/^ready$/);
    element.kill('SIGTERM');
    await process.err(/removed .*0x00000001/); // it has left the pool, and waits with its session
    expect((await element.killed('SIGTERM')).code).toBe(1);
  }, 60_000);
});
