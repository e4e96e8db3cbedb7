import { afterEach, describe, expect, it } from '@jest/globals';
import { gone, killAll, rserpool, type Program } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 90_000;

/** The demo, once all its processes run. */
async function startDemo(...args: readonly string[]): Promise<{ readonly demo: Program; readonly pids: readonly number[] }> {
  const demo = rserpool('demo', ...args);
  await demo.out(/user has \d+ sessions, process \d+/);
  return { demo, pids: demo.said.flatMap((line) => /process (\d+)$/.exec(line)?.[1] ?? []).map(Number) };
}

describe('the demo', () => {
  it('--rounds N: N faults, nothing lost or doubled, exit code 0, no process left', async () => {
    const { demo, pids } = await startDemo('--rounds', '4', '--sessions', '16');
    expect(pids).toHaveLength(7);
    expect(await demo.ended).toEqual({ code: 0, signal: null });
    const faults = demo.said.flatMap((line) => / ((?:counter|registrar) \w (?:killed|frozen)) \(SIG/.exec(line)?.[1] ?? []);
    expect(faults.map((fault) => fault.replace(/ \w /, ' '))).toEqual(['counter killed', 'registrar killed', 'counter frozen', 'registrar frozen']);
    expect(demo.said.filter((line) => /each counter has a living home/.test(line))).toHaveLength(2);
    expect(demo.said.slice(-2)[0]).toMatch(/^look-ups [1-9]\d*, failed 0, slowest \d+ ms$/);
    const [last = ''] = demo.said.slice(-1);
    const [failovers, sent, answered] = (/^failovers (\d+), sent (\d+), answered (\d+), lost 0, doubled 0, median failover \d+ ms$/.exec(last) ?? []).slice(1).map(Number);
    expect(failovers).toBeGreaterThan(0);
    expect(sent).toBeGreaterThan(0);
    expect(answered).toBe(sent);
    await Promise.all(pids.map(gone));
  }, PATIENCE);

  it('--transport sctp: all of it over SCTP, nothing lost or doubled', async () => {
    const { demo, pids } = await startDemo('--transport', 'sctp', '--rounds', '4', '--sessions', '16');
    expect(demo.said.filter((line) => line.includes('sctp+udp://127.'))).toHaveLength(6);
    expect(await demo.ended).toEqual({ code: 0, signal: null });
    expect(demo.said.filter((line) => /each counter has a living home/.test(line))).toHaveLength(2);
    const [failovers, sent, answered] = (/^failovers (\d+), sent (\d+), answered (\d+), lost 0, doubled 0/.exec(demo.said.at(-1) ?? '') ?? []).slice(1).map(Number);
    expect(failovers).toBeGreaterThan(0);
    expect(answered).toBe(sent);
    await Promise.all(pids.map(gone));
  }, PATIENCE);

  it('Ctrl-C: counts what was under way, leaves no process', async () => {
    const { demo, pids } = await startDemo();
    await demo.out(/killed \(SIGKILL\)/);
    expect(await demo.killed('SIGINT')).toEqual({ code: 0, signal: null });
    expect(demo.said.slice(-1)[0]).toMatch(/^failovers \d+, sent \d+, answered \d+, lost 0, doubled 0/);
    await Promise.all(pids.map(gone));
  }, PATIENCE);

  it('SIGKILL: its processes notice, the frozen one too', async () => {
    const { demo, pids } = await startDemo();
    await demo.out(/frozen \(SIGSTOP\)/);
    await demo.killed('SIGKILL');
    const restarted = demo.said.flatMap((line) => /process (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    await Promise.all([...pids, ...restarted].map(gone));
  }, PATIENCE);
});
