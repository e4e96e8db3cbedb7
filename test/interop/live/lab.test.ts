import { afterEach, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { killAll, program } from '../../support/processes.js';
import { until } from '../lab/until.js';

describe('the lab', () => {
  afterEach(killAll);

  it('ends with the process that began it, by SIGKILL too: nothing of it goes on', async () => {
    const runner = program('dist/test/interop/lab/main.js', '--shell', '-c', 'read line');
    const [, state = ''] = await runner.out(/logs and captures: (\S+)$/);
    expect(processesOf(state).length).toBeGreaterThan(4); // its guests
    await runner.killed('SIGKILL');
    await until(() => processesOf(state).length === 0, 'its guests are gone', 5_000);
  });

  it('is refused to somebody who is not root', async () => {
    const runner = program('test/support/as-nobody.mjs', 'dist/test/interop/lab/main.js');
    await runner.err(/^interop lab: cannot run here: it needs root/);
    expect(await runner.ended).toEqual({ code: 4, signal: null });
  });
});

/** Processes whose command line names the folder. */
const processesOf = (folder: string): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandLine(name).includes(`${folder}/`));

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}
