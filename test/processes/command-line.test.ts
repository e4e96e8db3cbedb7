import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, killAll, rserpool, startElement, startRegistrar, startTerminal } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 60_000;
const DONE = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };
const WRONG_USE = { code: 2, signal: null };

describe('SIGTERM and SIGINT end each role in order, with exit code 0', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s: a PE deregisters first', async (signal) => {
    const { registrar, address } = await startRegistrar();
    const { element } = await startElement({ id: '0x0000000a', registrar: address });
    expect(await element.killed(signal)).toEqual(DONE);
    await registrar.err(/removed .*"peIdentifier":"0x0000000a","reason":"deregistered"/);
    expect(await registrar.killed(signal)).toEqual(DONE);
  }, PATIENCE);

  it('a PE moves its sessions to the others as it goes', async () => {
    const { address: registrar } = await startRegistrar();
    const { element: first } = await startElement({ id: '0x0000000a', registrar });
    const { terminal } = await startTerminal('counter', registrar);
    terminal.say('x');
    await terminal.out(/^1 x$/);
    await startElement({ id: '0x0000000b', registrar });
    expect(await first.killed('SIGTERM')).toEqual(DONE);
    await terminal.err(/^# moved from 0x0000000a to 0x0000000b/);
    terminal.say('y');
    await terminal.out(/^2 y$/);
  }, PATIENCE);

  it('a PE whose registrar has gone ends all the same', async () => {
    const { registrar, address } = await startRegistrar();
    const { element } = await startElement({ id: '0x0000000a', registrar: address });
    await registrar.killed('SIGKILL');
    await element.err(/home registrar lost/);
    expect((await element.killed('SIGTERM')).signal).toBeNull();
  }, PATIENCE);

  it('a PE that still hunts for a registrar ends at once', async () => {
    const element = rserpool('serve', 'echo', '--pool', 'echo', '--registrar', `tcp://127.0.0.1:${await freePort()}`);
    await element.err(/no registrar can be reached/);
    expect((await element.killed('SIGTERM')).signal).toBeNull();
  }, PATIENCE);

  it('a terminal ends with its session, at the end of its input too', async () => {
    const { address: registrar } = await startRegistrar();
    await startElement({ service: 'pingpong', pool: 'pool', id: '0x0000000a', registrar });
    const { terminal } = await startTerminal('pool', registrar);
    expect(await terminal.killed('SIGTERM')).toEqual(DONE);
    const { terminal: another } = await startTerminal('pool', registrar);
    another.say('ping');
    another.hangUp(); // what was asked is answered before it ends
    expect(await another.ended).toEqual(DONE);
    expect(another.said[0]).toBe('pong 1 from 0x0000000a');
  }, PATIENCE);
});

describe('what goes wrong is one line on standard error and an exit code', () => {
  it('1: a port in use', async () => {
    const { address } = await startRegistrar();
    const registrar = rserpool('registrar', '--asap', address);
    expect(await registrar.ended).toEqual(FAILED);
    expect(registrar.said).toEqual([`rserpool: cannot listen on ${address}: the port is in use`]);
    const element = rserpool('serve', 'echo', '--pool', 'echo', '--registrar', address, '--listen', address);
    expect(await element.ended).toEqual(FAILED);
    expect(element.said).toEqual([`rserpool: cannot listen on ${address}: the port is in use`]);
  }, PATIENCE);

  it('1: a pool that nobody serves', async () => {
    const { address } = await startRegistrar();
    const terminal = rserpool('terminal', 'nobody', '--registrar', address);
    expect(await terminal.ended).toEqual(FAILED);
    expect(terminal.said).toEqual(['rserpool: no pool element serves the pool handle "nobody"']);
  }, PATIENCE);

  it('1: no registrar, once that has been tried for some seconds', async () => {
    const nowhere = `tcp://127.0.0.1:${await freePort()}`;
    const terminal = rserpool('terminal', 'pool', '--registrar', nowhere, '--log-level', 'silent');
    const element = rserpool('serve', 'echo', '--pool', 'pool', '--registrar', nowhere, '--log-level', 'silent');
    expect(await terminal.ended).toEqual(FAILED);
    expect(terminal.said).toEqual([expect.stringMatching(/^rserpool: no registrar .*/)]);
    expect(await element.ended).toEqual(FAILED);
    expect(element.said).toEqual([expect.stringMatching(/^rserpool: no registrar .*/)]);
  }, PATIENCE);

  const somewhere = ['--registrar', 'tcp://127.0.0.1:3863'];
  it.each([
    ['a command that does not exist', ['reg'], /unknown command 'reg'/],
    ['a flag that does not exist', ['registrar', '--port', '1'], /unknown option '--port'/],
    ['a service that does not exist', ['serve', 'clock', '--pool', 'p', ...somewhere], /'clock' is invalid .*echo, counter, pingpong/],
    ['a flag that is missing', ['serve', 'echo', '--pool', 'p'], /--registrar or --multicast is needed: where the registrars are/],
    ['no registrar at all', ['terminal', 'p'], /--registrar or --multicast is needed: where the registrars are/],
    ['an address without a port', ['terminal', 'p', '--registrar', 'tcp://127.0.0.1'], /An address like tcp:\/\/127\.0\.0\.1:3863 is wanted/],
    ['a port that cannot be', ['registrar', '--asap', 'tcp://127.0.0.1:99999'], /An address like/],
    ['a scheme of a later release', ['terminal', 'p', '--registrar', 'sctp://127.0.0.1:3863'], /use sctp\+udp:/],
    ['an identifier that is none', ['registrar', '--id', 'xyz'], /hexadecimal/],
    ['a PE identifier that might be either', ['remove', 'p', '2a', ...somewhere], /hexadecimal like 0x2a or decimal like 42/],
    ['a multicast group that is none, of a pool element', ['serve', 'echo', '--pool', 'p', '--multicast', '239.0.0.50:0'], /A multicast group like 239\.0\.0\.51 or 239\.0\.0\.51:3863/],
    ['a multicast group that is none', ['registrar', '--multicast', '10.0.0.1'], /A multicast group like 239\.0\.0\.51/],
    ['a policy that does not exist', ['serve', 'echo', '--pool', 'p', ...somewhere, '--policy', 'best'], /There is no policy "best"; there are .*round-robin/],
    ['a load above 100 per cent', ['serve', 'echo', '--pool', 'p', ...somewhere, '--policy', 'least-used:101'], /per cent, 0 to 100/],
    ['a weight that is none', ['serve', 'echo', '--pool', 'p', ...somewhere, '--policy', 'weighted-random:auto'], /weighted-random takes :WEIGHT/],
    ['an empty pool handle', ['terminal', '', ...somewhere], /pool handle is not empty/],
    ['rounds that are no number', ['demo', '--rounds', 'many'], /whole number/],
    ['a folder that does not exist', ['diagram', '--check', 'nowhere'], /cannot read nowhere: ENOENT/],
    ['a folder that is a file', ['diagram', '--write', 'package.json'], /cannot write to package\.json: EEXIST/],
    ['a machine that does not exist', ['diagram', 'perpetuum'], /there is no machine "perpetuum"; there are .*session/],
  ] as const)('2: %s', async (_, args, message) => {
    const wrong = rserpool(...args);
    expect(await wrong.ended).toEqual(WRONG_USE);
    expect(wrong.errors[0]).toMatch(message);
    expect(wrong.errors.join('\n')).not.toMatch(/^ +at /m);
  }, PATIENCE);

  it('0: help, for the whole and for each command', async () => {
    await Promise.all([[], ['registrar'], ['serve'], ['terminal'], ['dump'], ['remove'], ['demo'], ['diagram'], ['decode']].map(async (command) => {
      const helped = rserpool(...command, '--help');
      expect(await helped.ended).toEqual(DONE);
      expect(helped.said[0]).toMatch(/^Usage: rserpool/);
    }));
  }, PATIENCE);
});
