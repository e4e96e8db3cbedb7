import { afterEach, describe, expect, it } from '@jest/globals';
import { initialize, type FailoverInfo, type ServiceAccessPoint, type Session } from '../../index.js';
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

async function startBlocking(registrar: string, identifier: number): Promise<Program> {
  const element = program('test/support/blocking-element.mjs', registrar, 'pool', String(identifier));
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
