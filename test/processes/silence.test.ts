import { afterEach, describe, expect, it } from '@jest/globals';
import { initialize, type FailoverInfo, type Liveness, type ServiceAccessPoint, type Session, type TransportError } from '../../index.js';
import { killAll, listenIn, program, startRegistrar, startTerminal, type Program } from '../support/processes.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  killAll();
});

const PATIENCE = 60_000;

/** A registrar, somebody who listens in on what it is told, and a pool user in this process. */
async function world(): Promise<{ readonly registrar: string; readonly told: readonly string[]; readonly overheard: string; readonly rsp: ServiceAccessPoint }> {
  const { address: registrar } = await startRegistrar();
  const listener = await listenIn(registrar);
  const rsp = await initialize({ registrars: [listener.address], adopt: 'any' });
  open.push(rsp, listener);
  return { registrar, overheard: listener.address, told: listener.messages, rsp };
}

async function startBlocking(registrar: string, identifier: number, liveness?: Liveness): Promise<Program> {
  const element = program('test/support/blocking-element.mjs', registrar, 'pool', String(identifier), ...(liveness === undefined ? [] : [JSON.stringify(liveness)]));
  await element.out(/^serves on/);
  return element;
}

const reply = async (session: Session, request: string): Promise<string> => {
  const answer = new Promise<string>((resolve) => {
    const off = session.on('data', (data) => {
      off();
      resolve(data.toString());
    });
  });
  await session.send(request);
  return answer;
};

const sessionsOf = async (rsp: ServiceAccessPoint, count: number): Promise<Session[]> => Promise.all(Array.from({ length: count }, () => rsp.connect('pool')));

describe('silence of a PE (D-28, D-29; processes on sockets)', () => {
  it('a loop that is blocked for 300 ms keeps its sessions, and nobody is accused', async () => {
    const { registrar, rsp, told } = await world();
    await startBlocking(registrar, 1);
    const sessions = await sessionsOf(rsp, 4);
    const moves: FailoverInfo[] = [];
    for (const session of sessions) session.on('failover', (info) => { moves.push(info); });
    await startBlocking(registrar, 2); // there would be somewhere to go
    await rsp.resolve('pool', { refresh: true });
    expect(await Promise.all(sessions.map((session, index) => reply(session, index === 0 ? 'block 300' : 'meanwhile')))).toEqual(['1 block 300', '1 meanwhile', '1 meanwhile', '1 meanwhile']);
    expect(await Promise.all(sessions.map((session) => reply(session, 'after')))).toEqual(Array(4).fill('1 after'));
    expect(moves).toEqual([]);
    expect(told).not.toContain('ASAP_ENDPOINT_UNREACHABLE');
  }, PATIENCE);

  it('a process that is frozen loses all its sessions to the others, and is reported once', async () => {
    const { registrar, rsp, told } = await world();
    const first = await startBlocking(registrar, 1);
    const sessions = await sessionsOf(rsp, 4);
    expect(await Promise.all(sessions.map((session) => reply(session, 'before')))).toEqual(Array(4).fill('1 before'));
    await startBlocking(registrar, 2);
    const moves = sessions.map((session) => new Promise<FailoverInfo>((resolve) => { session.on('failover', resolve); }));
    first.kill('SIGSTOP');
    expect(await Promise.all(sessions.map((session) => reply(session, 'after')))).toEqual(Array(4).fill('2 after'));
    for (const { from, to, cause } of await Promise.all(moves)) {
      expect({ from, to }).toEqual({ from: 1, to: 2 });
      expect(cause).toMatchObject({ code: 'SILENCE' });
    }
    await rsp.resolve('pool', { refresh: true }); // behind the report, on the same association
    expect(told.filter((message) => message === 'ASAP_ENDPOINT_UNREACHABLE')).toHaveLength(1);
  }, PATIENCE);

  it.each([
    { what: 'without liveness', moves: 1 }, { what: "liveness: 'worker'", liveness: 'worker' as const, moves: 0 }, { what: 'liveness with a bound of 1 s', liveness: { bound: 1_000 }, moves: 1 },
  ])('a handler blocks its loop for 3 s, $what: $moves moves for each session', async ({ liveness, moves }) => {
    const { registrar, rsp } = await world();
    await startBlocking(registrar, 1, liveness);
    const sessions = await sessionsOf(rsp, 2);
    const moved: FailoverInfo[] = [];
    for (const session of sessions) session.on('failover', (info) => { moved.push(info); });
    await startBlocking(registrar, 2);
    await rsp.resolve('pool', { refresh: true });
    const server = moves === 0 ? 1 : 2;
    expect(await Promise.all([reply(sessions[0]!, 'block 3000 at 1'), reply(sessions[1]!, 'meanwhile')])).toEqual([`${server} block 3000 at 1`, `${server} meanwhile`]);
    expect(moved.map(({ cause }) => (cause as TransportError).code)).toEqual(Array(2 * moves).fill('SILENCE'));
  }, PATIENCE);

  it("liveness: 'worker': a process that is stopped, though its loop is blocked just then, is left all the same", async () => {
    const { registrar, rsp } = await world();
    const dying = await startBlocking(registrar, 1, 'worker');
    const [session] = await sessionsOf(rsp, 1);
    expect(await reply(session!, 'before')).toBe('1 before');
    await startBlocking(registrar, 2);
    await rsp.resolve('pool', { refresh: true });
    const answer = reply(session!, 'block 60000 at 1');
    await dying.out(/^blocks$/);
    dying.kill('SIGSTOP');
    expect(await answer).toBe('2 block 60000 at 1'); // long before the thread's word would have counted for nothing
  }, 9_000);

  it('a pool user that is stopped and thaws accuses nobody, and goes on', async () => {
    const { overheard, told, rsp } = await world();
    let count = 0;
    const closed: Promise<string>[] = [];
    await rsp.register('pool', { listen: ['tcp://127.0.0.1:0'], identifier: 1 }, (session) => {
      session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
      session.on('data', (data) => {
        count += 1;
        session.setCookie(String(count));
        void session.send(`${count} ${data.toString()}`);
      });
      closed.push(new Promise((resolve) => { session.on('closed', resolve); }));
    });
    const { terminal } = await startTerminal('pool', overheard);
    terminal.say('x');
    await terminal.out(/^1 x$/);
    terminal.kill('SIGSTOP');
    await closed[0]; // this end has taken it for dead
    terminal.kill('SIGCONT');
    terminal.say('y');
    await terminal.out(/^2 y$/);
    terminal.hangUp();
    expect(await terminal.ended).toEqual({ code: 0, signal: null });
    expect(told).not.toContain('ASAP_ENDPOINT_UNREACHABLE');
  }, PATIENCE);
});
