import { afterEach, describe, expect, it } from '@jest/globals';
import { initialize, type PoolElement, type ServiceAccessPoint, type ServiceSession } from '../../index.js';
import { nodeClock } from '../../transports/node.js';
import { killAll, program, startRegistrar, type Program } from '../support/processes.js';

const PATIENCE = 60_000;
const SESSIONS = 20;

const open: ServiceAccessPoint[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  killAll();
});

/** A pool whose elements are in this process, so that it can be seen what their dead users leave. */
class Pool {
  readonly elements: PoolElement[] = [];
  opened = 0;
  closed = 0;
  aborted = 0;
  #look: () => void = () => undefined;

  static async start(): Promise<Pool> {
    const { address } = await startRegistrar();
    const pool = new Pool(address);
    await pool.grow();
    return pool;
  }

  private constructor(readonly registrar: string) {}

  /** One element more. */
  async grow(): Promise<PoolElement> {
    const rsp = await initialize({ registrars: [this.registrar] });
    open.push(rsp);
    const element = await rsp.register('pool', { listen: ['tcp://127.0.0.1:0'], snapshot: () => Buffer.from('state') }, (session) => this.#serve(session));
    this.elements.push(element);
    return element;
  }

  /** `onSession` does not settle before the session has ended. */
  isHesitant = false;

  #serve(session: ServiceSession): void | Promise<void> {
    this.opened += 1;
    this.#look();
    session.signal.addEventListener('abort', () => { this.aborted += 1; });
    session.on('closed', () => { this.closed += 1; this.#look(); });
    session.on('data', async (_data, info) => {
      void info.reply(Buffer.alloc(500));
      await new Promise<void>((done) => { nodeClock.defer(done); });
      if (!session.signal.aborted) void session.send('unprompted').catch(() => undefined);
    });
    if (this.isHesitant) return new Promise((resolve) => { session.on('closed', () => { resolve(); }); });
  }

  isFull(): Promise<void> { return this.#until(() => this.opened === SESSIONS); }
  isEmpty(): Promise<void> { return this.#until(() => this.opened >= SESSIONS && this.closed === this.opened); }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => { if (isSo()) resolve(); };
      this.#look();
    });
  }
}

const user = (registrar: string, step: string): Program => program('test/support/stepping-user.mjs', registrar, 'pool', String(SESSIONS), step);
/** What keeps a process alive, apart from what its surroundings opened. */
const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

describe('a PU that is killed at any step (processes on sockets)', () => {
  it('D-1, D-6: its sessions are being opened', async () => {
    const pool = await Pool.start();
    pool.isHesitant = true;
    const dying = user(pool.registrar, 'opening');
    await pool.isFull();
    dying.kill('SIGKILL');
    await pool.isEmpty();
    expect({ aborted: pool.aborted, closed: pool.closed }).toEqual({ aborted: SESSIONS, closed: SESSIONS });
  }, PATIENCE);

  it.each(['sent', 'reply received'])('D-1, D-14: %s: its sessions end at the PE, and nothing of them is left', async (step) => {
    const pool = await Pool.start();
    const before = sockets();
    expect(await user(pool.registrar, step).ended).toEqual({ code: null, signal: 'SIGKILL' });
    await pool.isEmpty();
    expect({ aborted: pool.aborted, closed: pool.closed }).toEqual({ aborted: pool.opened, closed: pool.opened });
    while (sockets() > before) await new Promise<void>((turn) => { nodeClock.defer(turn); }); // the link with the registrar ends by itself
    expect(sockets()).toBe(before);
    await pool.elements[0]?.drain(); // waits for nobody
  }, PATIENCE);

  it.each(['callback sent', 'moved'])('D-13, D-27: its sessions are being moved, and have %s: they end at both PEs', async (step) => {
    const pool = await Pool.start();
    const leaving = pool.elements[0]!;
    const dying = user(pool.registrar, step);
    await dying.out(/^open$/);
    const other = await pool.grow();
    await leaving.drain();
    expect(await dying.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await pool.isEmpty();
    expect(pool.aborted).toBe(pool.opened);
    expect(pool.opened).toBe(2 * SESSIONS);
    await other.drain();
  }, PATIENCE);

  it('D-21, D-28: one that reads nothing more and is frozen is let go too', async () => {
    const pool = await Pool.start();
    const frozen = user(pool.registrar, 'reading');
    await frozen.out(/^open$/);
    frozen.kill('SIGSTOP');
    await pool.isEmpty();
    expect(pool.aborted).toBe(SESSIONS);
  }, PATIENCE);
});
