import { afterEach, describe, expect, it } from '@jest/globals';
import { killAll, program } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 30_000;
const DONE = { code: 0, signal: null };
const example = (name: string) => program(`dist/examples/${name}.js`);

describe('examples', () => {
  it('first-session: the count goes on at the other element', async () => {
    const run = example('first-session');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(['1 hello', 'moved from 1 to 2', '2 world']);
  }, PATIENCE);

  it('basic-mode: the pool names its servers, one after the other', async () => {
    const run = example('basic-mode');
    expect(await run.ended).toEqual(DONE);
    const addresses = run.said.slice(1).map((line) => line.replace(/^(first|next) /, ''));
    expect(run.said[0]).toBe('2 servers');
    expect([...addresses].sort()).toEqual(['tcp://127.0.0.1:8001', 'tcp://127.0.0.1:8002']);
  }, PATIENCE);

  it('watching: the failover is seen, state by state', async () => {
    const run = example('watching');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(expect.arrayContaining(['before', '{"failingOver":"selecting"}', '{"failingOver":"connecting"}', '{"failingOver":"echoingCookie"}', 'after', '"closed"']));
  }, PATIENCE);
});
