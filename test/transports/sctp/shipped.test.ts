import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeClock } from '../../../transports/node.js';
import { crashPackets, type Known } from './hostile.js';

/** What each test of defects.test.ts and crash.test.ts shows to be right is wrong in npm `sctp` 1.0.0 as shipped: without our own association layer and our
 *  validator they would fail. By reading only: S7 and D15 (cookies), S8. Where nothing shows from outside, as a bad checksum that is taken, crash.test.ts says so alone. */

const CHILD = fileURLToPath(new URL('./shipped.cjs', import.meta.url));
const PATIENCE = 4000;

const FATAL = [
  'INIT with a zero-length parameter', 'INIT with an empty Cookie Preservative', 'INIT with a parameter CHUNKS that names an unknown type', 
  'ABORT with a zero-length cause', 'ERROR with a short Stale Cookie cause', 'HEARTBEAT without info', 'COOKIE ECHO with a cookie that is none', 'DATA with TSN + 70000', 'DATA with TSN + 2^31 - 16',
  'SACK with 300 overlapping blocks of 64 k', 'ERROR with a cause that is padded, and another',
] as const;

describe.each([['D1 ECHO'], ['D1 ACK'], ['D2'], ['D3'], ['D4'], ['D5'], ['D6'], ['D7'], ['D8'], ['D9'], ['D10'], ['D11'], ['D16'], ['D17'], ['D19'], ['loss'], ['rwnd'], ['MTU'], ['restart'], ['SN']])('as shipped', (name) => {
  it(`${name} is wrong`, async () => { expect(await outcome(name)).not.toBe('ok'); });
});

describe('as shipped, one packet ends or hangs the process', () => {
  it.each(FATAL)('%s', async (name) => { expect(await outcome('packet', crashPackets[name])).toMatch(/^throws|^hangs|^dies|^hung/); });
});

/** One case in a process of its own. */
function outcome(name: string, build?: (known: Known) => Buffer): Promise<string> {
  const child = fork(CHILD, [name], { execArgv: ['--max-old-space-size=96'], stdio: 'ignore' });
  return new Promise((resolve) => {
    const timer = nodeClock.setTimeout(() => {
      resolve('hangs');
      child.kill('SIGKILL');
    }, build === undefined ? PATIENCE : PATIENCE / 2);
    child.on('message', (message: Known | { readonly outcome: string }) => {
      if ('outcome' in message) resolve(message.outcome);
      else if (build !== undefined) child.send(build(message).toString('hex'));
    });
    child.on('exit', () => {
      nodeClock.clearTimeout(timer);
      resolve('dies');
    });
  });
}
