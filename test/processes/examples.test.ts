import { afterEach, describe, expect, it } from '@jest/globals';
import { killAll, program } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 30_000;
const DONE = { code: 0, signal: null };
const example = (name: string, ...args: readonly string[]) => program(`dist/examples/${name}.js`, ...args);

describe('examples', () => {
  it('first-session: the count goes on at the other element', async () => {
    const run = example('first-session');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(['1 hello', 'moved from 1 to 2', '2 world']);
  }, PATIENCE);

  it('request: each has its reply, across a failover', async () => {
    const run = example('request');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(['desserts, says 1', 'reward, says 2']);
  }, PATIENCE);

  it('streams: what takes long on one stream holds nothing else up', async () => {
    const run = example('streams');
    expect(await run.ended).toEqual(DONE);
    expect(run.said.slice(0, 4).sort()).toEqual(['a quick question, on stream 2, answered on 2', ...[1, 2, 3].map((reading) => `reading ${reading}, on stream 3, answered on 3`)]);
    expect(run.said.slice(4)).toEqual(['the yearly report, on stream 1, answered on 1', 'sctp: rtt known true, rto known true, path MTU 8192']);
  }, PATIENCE);

  it('sending: to a pool, to one of its elements, to all, to one that has gone', async () => {
    const run = example('sending');
    expect(await run.ended).toEqual(DONE);
    expect(run.said.filter((line) => line.endsWith('to all')).sort()).toEqual(['1 answers to all', '2 answers to all', '3 answers to all']);
    expect(run.said).toEqual(expect.arrayContaining(['true', '[ 1, 2, 3 ]', 'ELEMENT_UNREACHABLE']));
  }, PATIENCE);

  it('basic-mode: the pool names its servers, one after the other', async () => {
    const run = example('basic-mode');
    expect(await run.ended).toEqual(DONE);
    const addresses = run.said.slice(1).map((line) => line.replace(/^(first|next) /, ''));
    expect(run.said[0]).toBe('2 servers');
    expect([...addresses].sort()).toEqual(['tcp://127.0.0.1:8001', 'tcp://127.0.0.1:8002']);
  }, PATIENCE);

  it('basic-mode-tcp: its server killed, the next one is told; every byte on the sockets is the application\'s', async () => {
    const run = example('basic-mode-tcp');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(['sent 68656c6c6f, received 68656c6c6f', 'failover', 'sent 776f726c64, received 776f726c64']);
  }, PATIENCE);

  it('basic-mode-udp: its server killed, it asks for the next one; every byte in the datagrams is the application\'s', async () => {
    const run = example('basic-mode-udp');
    expect(await run.ended).toEqual(DONE);
    expect([run.said[0], run.said.at(-1)]).toEqual(['sent 68656c6c6f, received 68656c6c6f', 'sent 776f726c64, received 776f726c64']);
    expect(run.said.slice(1, -1)).toEqual(['no answer']);
  }, PATIENCE);

  it('watching: the failover is seen, state by state', async () => {
    const run = example('watching');
    expect(await run.ended).toEqual(DONE);
    expect(run.said).toEqual(expect.arrayContaining(['before', '{"failingOver":"selecting"}', '{"failingOver":"connecting"}', '{"failingOver":"echoingCookie"}', 'after', '"closed"']));
  }, PATIENCE);

  it('business-cards: kill -9 of a client; what it was sent goes to the peer that it prefers', async () => {
    const run = example('business-cards');
    expect(await run.ended).toEqual(DONE);
    expect(run.said.filter((line) => !line.endsWith('is registered'))).toEqual([
      'hello, says desk 1', 'desk 1 hears 1', 'desk 1 is lost; desk 3 takes its place', 'desk 3 hears 2 in another\'s place',
    ]);
    expect(run.errors).toEqual([]);
  }, PATIENCE);

  it.each([['100', 5], ['24', 3], ['0', 0]])('file-transfer: %s MiB are complete by hash although %i mirrors are killed, and nothing is asked for twice', async (size, kills) => {
    const run = example('file-transfer/main', '--size', size, '--kills', String(kills));
    expect(await run.ended).toEqual(DONE);
    const said = run.said.join('\n');
    expect(said).toMatch(new RegExp(`^${Number(size) * 0x10_0000} bytes in [\\d.]+ s, ${kills} mirrors killed$`, 'm'));
    expect(said).toMatch(/asked for again although it had arrived: 0 bytes$/m);
    expect(said).toMatch(/^complete: sha256 [0-9a-f]{64}$/m);
    const requests = /^\d+ requests?, from byte ([\d, ]+);/m.exec(said)?.[1]?.split(', ').map(Number) ?? [];
    expect(requests.length).toBeGreaterThanOrEqual(kills + 1); // an element may die before it has sent anything
    expect(requests).toEqual([...requests].sort((a, b) => a - b));
  }, 120_000);

  it.each([['--size', 'big'], ['--kills', '-1'], ['--kills=1.5'], ['--other']])('file-transfer: wrong use, %s', async (...args) => {
    const { code } = await example('file-transfer/main', ...args).ended;
    expect(code).not.toBe(0);
  }, PATIENCE);
});
