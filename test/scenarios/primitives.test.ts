import { getEventListeners } from 'node:events';
import type { ServiceSession } from '../../actors/service-session.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** What the primitives of draft §4 and RFC 5352 §6 have in common: signals, disposal, what is asked by the handle of an element. */

const echo = (session: ServiceSession): void => { session.on('data', (data, info) => { void info.reply(data); }); };

async function running() {
  const setting = await RegistrarWorld.start();
  const { world } = setting;
  const point = await setting.accessPoint('pe');
  const user = await setting.accessPoint('pu');
  const element = await world.settled(point.register('pool', { identifier: 7 }, echo));
  return { setting, world, point, user, element };
}

describe('await using (Symbol.asyncDispose)', () => {
  it('a session, an element, an access point and a registrar are closed in order, and nothing is left', async () => {
    const { setting, world, point, user, element } = await running();
    const session = await world.settled(user.connect('pool'));
    const closed: string[] = [];
    session.on('closed', () => { closed.push('session'); });
    element.on('closed', () => { closed.push('element'); });
    const reply = session.request('a');
    await world.settled(session[Symbol.asyncDispose]());
    expect((await reply).data.toString()).toBe('a');
    await world.settled(element[Symbol.asyncDispose]());
    expect(closed).toEqual(['session', 'element']);
    for (const each of [user, point, setting.registrar]) await world.settled(each[Symbol.asyncDispose]());
    await expect(user.connect('pool')).rejects.toMatchObject({ code: 'CLOSED' });
    await world.advance(60_000);
    expect(world.clock.pending).toBe(0);
  });
});

describe('signal', () => {
  it('ends the wait of deregister, drain and close; what was begun goes on, and nobody listens to it any more', async () => {
    const { setting, world, point, user, element } = await running();
    const session = await world.settled(user.connect('pool'));
    const abort = new AbortController();
    const { signal } = abort;
    const waits = [element.deregister({ signal }), element.drain({ signal }), session.close({ signal }), session.flush({ signal }), point.close({ signal }), user.close({ signal }), setting.registrar.close({ signal })];
    abort.abort();
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'ABORTED' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await world.settled(Promise.all([element.deregister(), point.close(), user.close(), setting.registrar.close()]));
    await world.advance(60_000);
    expect(world.clock.pending).toBe(0);
  });

  it('is checked as any option, and nothing is begun', async () => {
    const { world, user, element } = await running();
    const session = await world.settled(user.connect('pool'));
    const wrong = { signal: 'now' } as never;
    for (const call of [() => element.deregister(wrong), () => element.drain(wrong), () => session.close(wrong), () => session.flush({ nonsense: 1 } as never), () => user.close(wrong)]) await expect(call()).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect((await world.settled(session.request('a'))).data.toString()).toBe('a');
    expect(element.isRegistered).toBe(true);
  });
});

describe('by the handle of an element', () => {
  it('CachePopulate and CachePurge by the handle of an element are those of its pool (RFC 5352 §6.3, §6.4)', async () => {
    const { world, user } = await running();
    const { elements } = await world.settled(user.resolve({ handle: 'pool', identifier: 7 }));
    expect(elements).toMatchObject([{ handle: 'pool', identifier: 7 }]);
    expect(user.reportUnreachable({ handle: 'pool', identifier: 7 })).toBe(true);
    user.purge({ handle: 'pool', identifier: 7 });
    expect(user.reportUnreachable({ handle: 'pool', identifier: 7 })).toBe(false); // forgotten
    await expect(user.resolve({ handle: 'pool', identifier: 0 })).rejects.toMatchObject({ code: 'INVALID_HANDLE' });
    expect(() => { user.purge({ identifier: 7 } as never); }).toThrow(expect.objectContaining({ code: 'INVALID_HANDLE' }) as Error);
  });
});

describe('what the mapping knows (draft §5.2.3)', () => {
  it('transportInfo: RTT and RTO once they are measured; TCP does not tell its path MTU', async () => {
    const { world, user } = await running();
    const session = await world.settled(user.connect('pool'));
    await world.advance(1_000); // heartbeats
    const { mapping, rtt, rto, pathMtu } = session.transportInfo();
    expect({ mapping, pathMtu }).toEqual({ mapping: 'tcp', pathMtu: undefined });
    expect(rtt).toBeGreaterThan(0);
    expect(rto).toBeGreaterThanOrEqual(rtt!);
    session.destroy();
    expect(session.transportInfo()).toMatchObject({ rtt: undefined, rto: undefined });
  });
});
