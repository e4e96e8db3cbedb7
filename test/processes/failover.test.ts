import { afterEach, describe, expect, it } from '@jest/globals';
import { killAll, rserpool, startElement, startRegistrar, startTerminal, type Program } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 60_000;

describe('a session with state outlives its servers (processes on sockets)', () => {
  it('counts on without a gap when a PE is killed, another freezes, and both come back', async () => {
    const { address: registrar } = await startRegistrar();
    const elements = new Map<string, Program>();
    const start = async (id: string): Promise<void> => { elements.set(id, (await startElement({ id, registrar })).element); };
    await Promise.all(['0x0000000a', '0x0000000b'].map(start));
    const { terminal, element } = await startTerminal('counter', registrar);
    let count = 0;
    const asks = async (): Promise<void> => {
      count += 1;
      terminal.say(`request ${count}`);
      expect((await terminal.out(/.*/))[0]).toBe(`${count} request ${count}`);
    };
    const movesFrom = async (from: string): Promise<string> => (await terminal.err(new RegExp(`^# moved from ${from} to (0x\\w{8}) in \\d+ ms`)))[1] ?? '';

    await asks();
    elements.get(element)?.kill('SIGKILL');
    const other = await movesFrom(element);
    await asks();

    await start('0x0000001a');
    elements.get(other)?.kill('SIGSTOP');
    await asks(); // nobody waits for the move: it is what answers
    expect(await movesFrom(other)).toBe('0x0000001a');
    elements.get(other)?.kill('SIGCONT');
    await asks();

    elements.get('0x0000001a')?.kill('SIGKILL');
    expect(await movesFrom('0x0000001a')).toBe(other); // thawed, it has registered again
    await asks();

    terminal.hangUp();
    expect(await terminal.ended).toEqual({ code: 0, signal: null });
  }, PATIENCE);

  it('does not need the registrar meanwhile; one that was killed and restarted has its PEs back', async () => {
    const { registrar, address } = await startRegistrar();
    const { element } = await startElement({ id: '0x0000000a', registrar: address });
    await registrar.err(/registered .*"peIdentifier":"0x0000000a"/);
    const { terminal } = await startTerminal('counter', address);
    await registrar.killed('SIGKILL');
    await element.err(/home registrar lost/);
    terminal.say('without');
    expect((await terminal.out(/.*/))[0]).toBe('1 without');

    const { registrar: restarted } = await startRegistrar({ address });
    await restarted.err(/registered .*"peIdentifier":"0x0000000a"/);
    const { terminal: another, element: served } = await startTerminal('counter', address);
    expect(served).toBe('0x0000000a');
    another.say('anew');
    expect((await another.out(/.*/))[0]).toBe('1 anew');
    terminal.say('still');
    expect((await terminal.out(/.*/))[0]).toBe('2 still');
  }, PATIENCE);

  it('waits for a registrar that comes later', async () => {
    const { registrar, address } = await startRegistrar();
    await registrar.killed('SIGKILL');
    const element = rserpool('serve', 'echo', '--pool', 'echo', '--registrar', address);
    await element.err(/no registrar can be reached; the hunt goes on/);
    await startRegistrar({ address });
    await element.out(/^echo serves pool "echo"/);
    const { terminal } = await startTerminal('echo', address);
    terminal.say('hello');
    expect((await terminal.out(/.*/))[0]).toBe('hello');
  }, PATIENCE);
});
