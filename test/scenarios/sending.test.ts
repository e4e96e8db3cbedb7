import { getEventListeners } from 'node:events';
import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import type { RegisterOptions, SessionHandler } from '../../actors/register.js';
import type { RegistrarOptions } from '../../actors/registrar.js';
import type { ServiceSession } from '../../actors/service-session.js';
import type { RserpoolError, SendToAllError } from '../../errors.js';
import { World } from '../../testing/world.js';
import { elementOf, RegistrarWorld } from '../support/registrar-world.js';
import { ScopeWorld } from '../support/scope-world.js';
import { ScriptedRegistrar } from '../support/scripted-registrar.js';

/** DATA_SEND_REQUEST of the access point (draft §4.4, RFC 5352 §6.5), with a real registrar on a simulated network. */

/** What each element was sent, as `identifier data`, and what the user saw. */
class Pool {
  readonly handled: string[] = [];
  readonly data: string[] = [];
  readonly errors: { error: RserpoolError; destination: unknown; undelivered: string | undefined }[] = [];
  readonly points = new Map<number, ServiceAccessPoint>();
  readonly failovers: string[] = [];
  /** Open at the elements. */
  sessions = 0;

  private constructor(readonly setting: RegistrarWorld, readonly user: ServiceAccessPoint) {
    user.on('data', (data, { from }) => { this.data.push(`${typeof from === 'string' ? from : from.identifier} ${data.toString()}`); });
    user.on('error', (error, { destination, undelivered }) => { this.errors.push({ error, destination, undelivered: undelivered?.toString() }); });
    user.on('failover', ({ from, to }) => { this.failovers.push(`${from.identifier} > ${to.identifier}`); });
  }

  static async of(count: number, options: Partial<RegisterOptions> = {}, registrar: Partial<RegistrarOptions> = {}): Promise<Pool> {
    const setting = await RegistrarWorld.start(registrar);
    const pool = new Pool(setting, await setting.accessPoint('pu'));
    for (let identifier = 1; identifier <= count; identifier++) await pool.add(identifier, options);
    return pool;
  }

  get world(): World { return this.setting.world; }

  async add(identifier: number, options: Partial<RegisterOptions> = {}, onSession: SessionHandler = this.#echo(identifier)): Promise<void> {
    const point = await this.setting.accessPoint(`pe${identifier}`);
    this.points.set(identifier, point);
    await this.world.settled(point.register('pool', { identifier, ...options }, onSession));
  }

  #echo(identifier: number) {
    return (session: ServiceSession): void => {
      this.sessions++;
      session.on('closed', () => { this.sessions--; });
      session.on('data', (data, info) => {
        this.handled.push(`${identifier} ${data.toString()}`);
        info.ack();
        void info.reply(data.toString().toUpperCase());
      });
    };
  }

  crash(identifier: number): void { this.world.host(`pe${identifier}`).process.crash(); }
  freeze(identifier: number): void { this.world.host(`pe${identifier}`).process.freeze(); }
  address(identifier: number): string { return [...this.points.get(identifier)!.elements][0]!.address; }
  async close(): Promise<void> {
    await this.world.settled(Promise.all([this.user, ...this.points.values()].map((point) => point.close())));
    await this.world.settled(this.setting.registrar.close());
  }
}

describe('rsp.send to a pool handle (RFC 5352 §6.5.1, §6.5.2)', () => {
  // proves 5352-6.6-a
  it('says which element was chosen, by the policy for each message; answers come with their sender', async () => {
    const pool = await Pool.of(3);
    const chosen = [];
    for (const data of ['a', 'b', 'c', 'd', 'e', 'f']) chosen.push(await pool.world.settled(pool.user.send('pool', data)));
    await pool.world.advance(50);
    expect(chosen.map(({ handle }) => handle)).toEqual(Array(6).fill('pool'));
    const identifiers = chosen.map(({ identifier }) => identifier);
    expect([...new Set(identifiers.slice(0, 3))].sort()).toEqual([1, 2, 3]);
    expect(identifiers.slice(3)).toEqual(identifiers.slice(0, 3));
    expect(pool.handled).toEqual(['a', 'b', 'c', 'd', 'e', 'f'].map((data, index) => `${identifiers[index]} ${data}`));
    expect(pool.data.sort()).toEqual(pool.handled.map((line) => line.replace(/[a-f]$/, (data) => data.toUpperCase())).sort());
  });

  // proves 5352-6.5.1-b, 5352-6.5.1-c
  it('holds messages while the handle is resolved, and asks once', async () => {
    const pool = await Pool.of(1);
    const sent = ['a', 'b', 'c'].map((data) => pool.user.send('pool', data));
    await pool.world.settled(Promise.all(sent));
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['1 a', '1 b', '1 c']);
  });

  it('ASAP_SEND_FAILOVER: a message for an element that dies is sent to another one, and the user is told', async () => {
    const pool = await Pool.of(2);
    const { identifier } = await pool.world.settled(pool.user.send('pool', 'a'));
    await pool.world.advance(50);
    pool.crash(identifier);
    const to = await pool.world.settled(pool.user.send('pool', 'b', { toLast: true, deliver: 'failover' }));
    await pool.world.advance(1_000);
    const other = 3 - identifier;
    expect(pool.handled).toEqual([`${identifier} a`, `${other} b`]);
    expect(pool.data.at(-1)).toBe(`${other} B`);
    expect(pool.failovers).toEqual([`${identifier} > ${other}`]);
    expect([identifier, other]).toContain(to.identifier);
  });

  it('ASAP_SEND_FAILOVER: one chosen that cannot be reached is passed over', async () => {
    const pool = await Pool.of(2);
    await pool.world.settled(pool.user.resolve('pool'));
    pool.crash(1);
    const chosen = [await pool.world.settled(pool.user.send('pool', 'a')), await pool.world.settled(pool.user.send('pool', 'b'))];
    await pool.world.advance(1_000);
    expect(chosen.map(({ identifier }) => identifier)).toEqual([2, 2]);
    expect(pool.handled.sort()).toEqual(['2 a', '2 b']);
  });

  // proves 5352-6.5.5-b
  it('ASAP_SEND_NO_FAILOVER: to nobody else; Error.Report with destination, message and causes', async () => {
    const pool = await Pool.of(2);
    const { identifier } = await pool.world.settled(pool.user.send('pool', 'a', { deliver: 'noFailover' }));
    await pool.world.advance(50);
    pool.freeze(identifier);
    await pool.world.settled(pool.user.send('pool', 'b', { toLast: true, deliver: 'noFailover' })); // the link has it
    await pool.world.advance(2_000);
    expect(pool.handled).toEqual([`${identifier} a`]);
    expect(pool.errors[0]).toMatchObject({ error: { code: 'MESSAGE_LOST', outcome: 'unknown', cause: { code: 'SILENCE' } }, destination: { handle: 'pool', identifier }, undelivered: 'b' });
    const lost = pool.user.send('pool', 'c', { toLast: true, deliver: 'at-most-once' });
    await expect(pool.world.settled(lost)).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE', outcome: 'not-taken' });
    expect(pool.errors.at(-1)).toMatchObject({ error: { code: 'ELEMENT_UNREACHABLE' }, undelivered: 'c' });
    expect(pool.handled).toEqual([`${identifier} a`]);
  });

  it('ASAP_SEND_TO_LAST: to the element of the message before; without one it is selected', async () => {
    const pool = await Pool.of(3);
    const first = await pool.world.settled(pool.user.send('pool', 'a', { toLast: true }));
    for (const data of ['b', 'c']) expect(await pool.world.settled(pool.user.send('pool', data, { toLast: true }))).toEqual(first);
    expect(await pool.world.settled(pool.user.send('pool', 'd', { toLast: true, deliver: 'noFailover' }))).toEqual(first);
    await pool.world.advance(40_000); // its session has been closed meanwhile
    expect(await pool.world.settled(pool.user.send('pool', 'e', { toLast: true }))).toEqual(first);
  });

  it('nobody there, or nobody to ask: rejects with what is known, and reports it', async () => {
    const pool = await Pool.of(0);
    await expect(pool.world.settled(pool.user.send('nobody', 'a'))).rejects.toMatchObject({ code: 'UNKNOWN_POOL_HANDLE' });
    await pool.world.settled(pool.setting.registrar.close());
    await expect(pool.world.settled(pool.user.send('somebody', 'b'))).rejects.toMatchObject({ code: 'NO_REGISTRAR' });
    expect(pool.errors.map(({ error, undelivered }) => `${error.code} ${undelivered}`)).toEqual(['UNKNOWN_POOL_HANDLE a', 'NO_REGISTRAR b']);
  });

  it('a pool of Basic Mode has no data channels: FeatureUnavailableError', async () => {
    const pool = await Pool.of(0);
    await pool.world.settled(pool.user.register('plain', { mapping: 'none', address: 'tcp://10.0.0.9:80', identifier: 9 }));
    await expect(pool.world.settled(pool.user.send('plain', 'a'))).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE', feature: 'a data channel' });
    await expect(pool.world.settled(pool.user.send({ handle: 'plain', identifier: 9 }, 'a'))).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE' });
  });
});

describe('rsp.send to a pool element handle (RFC 5352 §6.5.3)', () => {
  // proves 5352-6.5.3-a
  it('goes to that element, also where the pool is not known yet', async () => {
    const pool = await Pool.of(3);
    for (const data of ['a', 'b', 'c']) expect(await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 2 }, data))).toEqual({ handle: 'pool', identifier: 2 });
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['2 a', '2 b', '2 c']);
  });

  it('the handle that a send returned is one', async () => {
    const pool = await Pool.of(3);
    const to = await pool.world.settled(pool.user.send('pool', 'a'));
    expect(await pool.world.settled(pool.user.send(to, 'b'))).toEqual(to);
    await pool.world.advance(50);
    expect(pool.handled).toEqual([`${to.identifier} a`, `${to.identifier} b`]);
  });

  it('unreachable: rejects, unless failover is asked for', async () => {
    const pool = await Pool.of(2);
    await pool.world.settled(pool.user.resolve('pool'));
    pool.crash(1);
    const to = { handle: 'pool', identifier: 1 };
    await expect(pool.world.settled(pool.user.send(to, 'a'))).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE', outcome: 'not-taken' });
    expect(pool.errors).toMatchObject([{ error: { code: 'ELEMENT_UNREACHABLE' }, destination: to, undelivered: 'a' }]);
    expect(await pool.world.settled(pool.user.send(to, 'b', { deliver: 'failover' }))).toEqual({ handle: 'pool', identifier: 2 });
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['2 b']);
  });

  it('not in the pool: the same', async () => {
    const pool = await Pool.of(1);
    await expect(pool.world.settled(pool.user.send({ handle: 'pool', identifier: 77 }, 'a'))).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE', message: expect.stringContaining('0x0000004d') as unknown });
    expect(await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 77 }, 'b', { deliver: 'failover' }))).toEqual({ handle: 'pool', identifier: 1 });
  });
});

describe('rsp.send to an address (RFC 5352 §6.5.4)', () => {
  it('passes through, whatever its pool is called; answers come from there', async () => {
    const pool = await Pool.of(2);
    const address = pool.address(2) as `tcp://${string}`;
    expect(await pool.world.settled(pool.user.send(address, 'a'))).toBeUndefined();
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['2 a']);
    expect(pool.data).toEqual([`${address} A`]);
  });

  it('no failover, and nobody is reported to the registrar', async () => {
    const pool = await Pool.of(2);
    const address = pool.address(1) as `tcp://${string}`;
    await pool.world.settled(pool.user.send(address, 'a', { ack: true }));
    pool.crash(1);
    await pool.world.advance(50);
    await expect(pool.world.settled(pool.user.send(address, 'b'))).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE', outcome: 'not-taken', cause: { code: expect.stringMatching(/CONNECT_(FAILED|TIMEOUT)/) as unknown } });
    expect(pool.errors.at(-1)).toMatchObject({ destination: address, undelivered: 'b' });
    expect(pool.handled).toEqual(['1 a']);
  });
});

describe('rsp.send to all of a pool (RFC 5352 §6.5.5)', () => {
  it('ASAP_SEND_TO_ALL: a copy to each element but the own, ASAP_SEND_TO_SELF: to those too', async () => {
    const pool = await Pool.of(3);
    const own = pool.points.get(2)!;
    const reached = await pool.world.settled(own.send('pool', 'a', { toAll: true }));
    expect(reached.map(({ identifier }) => identifier).sort()).toEqual([1, 3]);
    expect((await pool.world.settled(own.send('pool', 'b', { toAll: true, toSelf: true }))).map(({ identifier }) => identifier).sort()).toEqual([1, 2, 3]);
    expect((await pool.world.settled(pool.user.send('pool', 'c', { toAll: true, ack: true }))).map(({ identifier }) => identifier).sort()).toEqual([1, 2, 3]);
    await pool.world.advance(50);
    expect(pool.handled.sort()).toEqual(['1 a', '1 b', '1 c', '2 b', '2 c', '3 a', '3 b', '3 c']);
  });

  it('who was started again where its predecessor was, which is listed still, gets one copy', async () => {
    const pool = await Pool.of(2);
    pool.world.host('pe1').process.crash({ peersSee: 'nothing' });
    const again = await pool.setting.accessPoint('pe1');
    const handled: string[] = [];
    await pool.world.settled(again.register('pool', { identifier: 3 }, (session) => { session.on('data', (data) => { handled.push(data.toString()); }); }));
    expect((await pool.world.settled(pool.user.resolve('pool', { refresh: true }))).elements.map(({ identifier }) => identifier).sort()).toEqual([1, 2, 3]);
    expect(await pool.world.settled(pool.user.send('pool', 'a', { toAll: true }))).toHaveLength(2);
    await pool.world.advance(50);
    expect([handled, pool.handled]).toEqual([['a'], ['2 a']]);
  });

  it('a message for an element is not handled by its successor at the same address: as by one that is dead', async () => {
    const pool = await Pool.of(2);
    await pool.world.settled(pool.user.resolve('pool'));
    pool.world.host('pe1').process.crash({ peersSee: 'nothing' });
    const again = await pool.setting.accessPoint('pe1');
    const handled: string[] = [];
    await pool.world.settled(again.register('pool', { identifier: 3 }, (session) => { session.on('data', (data) => { handled.push(data.toString()); }); }));
    await expect(pool.world.settled(pool.user.send({ handle: 'pool', identifier: 1 }, 'a', { deliver: 'noFailover' }))).rejects.toMatchObject({
      code: 'ELEMENT_UNREACHABLE', outcome: 'not-taken', cause: { code: 'ELEMENT_UNREACHABLE', message: 'another pool element is where 0x00000001 was' },
    });
    expect([handled, pool.handled]).toEqual([[], []]);
    await pool.world.settled(pool.user.resolve('pool', { refresh: true }));
    await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 3 }, 'b', { deliver: 'noFailover' })); // over the same link
    await pool.world.advance(50);
    expect(handled).toEqual(['b']);
  });

  it('with failover it goes to another element, which is named', async () => {
    const pool = await Pool.of(2);
    await pool.world.settled(pool.user.resolve('pool'));
    pool.world.host('pe1').process.crash({ peersSee: 'nothing' });
    const again = await pool.setting.accessPoint('pe1');
    await pool.world.settled(again.register('pool', { identifier: 3 }, () => undefined));
    expect(await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 1 }, 'a', { deliver: 'failover', ack: true }))).toMatchObject({ identifier: 2 });
    expect(pool.handled).toEqual(['2 a']);
  });

  it('nobody but oneself: reaches nobody, which is no error', async () => {
    const pool = await Pool.of(1);
    expect(await pool.world.settled(pool.points.get(1)!.send('pool', 'a', { toAll: true }))).toEqual([]);
    expect(pool.handled).toEqual([]);
  });

  it('who cannot be reached is named, with its cause; the others have it', async () => {
    const pool = await Pool.of(4);
    await pool.world.settled(pool.user.resolve('pool'));
    for (const dead of [2, 3]) pool.crash(dead);
    const error = await pool.world.settled(pool.user.send('pool', 'a', { toAll: true }).then(() => undefined, (reason: unknown) => reason as SendToAllError));
    expect(error).toMatchObject({ code: 'SEND_TO_ALL_FAILED', message: '2 of 4 pool elements of pool could not be sent to' });
    expect(error!.delivered.map(({ identifier }) => identifier).sort()).toEqual([1, 4]);
    expect(error!.failures.map(({ element, error: { code } }) => `${element.identifier} ${code}`).sort()).toEqual(['2 ELEMENT_UNREACHABLE', '3 ELEMENT_UNREACHABLE']);
    expect(error!.errors).toHaveLength(2);
    expect(pool.errors.map(({ destination, undelivered }) => `${(destination as { identifier: number }).identifier} ${undelivered}`).sort()).toEqual(['2 a', '3 a']);
    await pool.world.advance(50);
    expect(pool.handled.sort()).toEqual(['1 a', '4 a']);
  });

  it('aborted in the midst of it: says who has it and who has not', async () => {
    const pool = await Pool.of(3);
    await pool.world.settled(pool.user.resolve('pool'));
    await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 1 }, 'a'));
    const abort = new AbortController();
    const sent = pool.user.send('pool', 'b', { toAll: true, signal: abort.signal });
    await pool.world.advance(0);
    abort.abort();
    await expect(pool.world.settled(sent)).rejects.toMatchObject({ code: 'SEND_TO_ALL_FAILED', errors: [{ code: 'MESSAGE_ABORTED', outcome: 'not-taken' }, { code: 'MESSAGE_ABORTED', outcome: 'not-taken' }] });
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    await pool.world.advance(100);
    expect(pool.handled).toEqual(['1 a', '1 b']);
  });

  it('X-17: a pool of 1000, of which an answer lists 128: each element has its copy once, some sessions at a time', async () => {
    const count = 1000;
    const pool = await Pool.of(0);
    const { world } = pool;
    let most = 0;
    const counts = new Map<number, number>();
    let opening = 0;
    const points = await Promise.all(Array.from({ length: 10 }, (_, index) => pool.setting.accessPoint(`pe${index}`)));
    await world.settled(Promise.all(Array.from({ length: count }, (_, index) => points[index % 10]!.register('pool', { identifier: index + 1 }, (session) => {
      most = Math.max(most, ++opening);
      session.on('data', () => { counts.set(index, (counts.get(index) ?? 0) + 1); });
      return new Promise<void>((done) => { world.clock.setTimeout(() => { opening--; done(); }, 5); });
    }))));
    const delivered = await world.settled(pool.user.send('pool', 'a', { toAll: true }));
    await world.advance(100);
    expect(new Set(delivered.map(({ identifier }) => identifier)).size).toBe(count);
    expect(counts.size).toBe(count);
    expect([...counts.values()].every((times) => times === 1)).toBe(true);
    expect(most).toBeLessThanOrEqual(64);
    expect(pool.errors).toEqual([]);
  });

  it('X-17: a pool of 5000: each is tried', async () => {
    const pool = await Pool.of(0);
    const peer = await pool.setting.peer();
    for (let identifier = 1; identifier <= 5000; identifier++) peer.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('pool'), poolElement: elementOf(identifier) }); // of Basic Mode: there is nobody to send to
    await peer.ask();
    const sent = pool.user.send('pool', 'a', { toAll: true });
    const error = await pool.world.settled(sent.then(() => undefined, (reason: unknown) => reason as SendToAllError));
    expect(error).toMatchObject({ delivered: [], unlisted: 0 });
    expect(new Set(error?.failures.map(({ element }) => element.identifier)).size).toBe(5000);
    expect(error?.failures.every(({ error: { code } }) => code === 'FEATURE_UNAVAILABLE')).toBe(true);
  });

  it('X-17: one element of a pool that is longer than an answer, which was not listed', async () => {
    const pool = await Pool.of(5, {}, { limits: { elementsPerAnswer: 1 } });
    for (const identifier of [1, 2, 3, 4, 5]) expect(await pool.world.settled(pool.user.send({ handle: 'pool', identifier }, 'a'))).toEqual({ handle: 'pool', identifier });
    await expect(pool.world.settled(pool.user.send({ handle: 'pool', identifier: 6 }, 'a'))).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE' });
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['1 a', '2 a', '3 a', '4 a', '5 a']);
  });

  it('X-17: where the registrar has no pages, those that it lists have it, and the others are counted', async () => {
    const world = new World();
    const registrar = await ScriptedRegistrar.start(world, 'registrar', 1);
    const elements = await initialize({ registrars: [registrar.address], environment: world.host('pe').environment });
    for (const identifier of [1, 2]) await world.settled(elements.register('pool', { identifier }, () => undefined));
    registrar.poolSize = 7;
    const user = await initialize({ registrars: [registrar.address], environment: world.host('pu').environment });
    const errors: RserpoolError[] = [];
    user.on('error', (error) => { errors.push(error); });
    const sent = user.send('pool', 'a', { toAll: true });
    await expect(world.settled(sent)).rejects.toMatchObject({ code: 'SEND_TO_ALL_FAILED', failures: [], unlisted: 5, delivered: [{ identifier: 1 }, { identifier: 2 }] });
    expect(errors).toMatchObject([{ code: 'SEND_TO_ALL_FAILED' }]);
  });

  it('X-17: a registrar that dies while it lists: the next one goes on', async () => {
    const scope = await ScopeWorld.start(2);
    const { world } = scope;
    await scope.elements('pe', Array.from({ length: 900 }, (_, index) => index + 1));
    await world.until(() => scope.names.every((name) => scope.known(name).length === 900), 10_000);
    const user = await scope.accessPoint('pu');
    await world.settled(user.resolve('echo'));
    const sent = user.send('echo', 'a', { toAll: true });
    world.host(scope.names.find((name) => scope.address(name) === user.registrar?.address)!).process.crash({ peersSee: 'nothing' });
    expect(await world.settled(sent, 20_000)).toHaveLength(900);
  });
});

describe('limits of a message (D-3, D-30)', () => {
  it('signal and lifetime act while the handle is resolved and the session opened, and leave nothing behind', async () => {
    const pool = await Pool.of(1);
    const abort = new AbortController();
    const sent = pool.user.send('pool', 'a', { signal: abort.signal });
    const expired = pool.user.send('pool', 'b', { lifetime: 1 });
    abort.abort(new Error('changed my mind'));
    await expect(pool.world.settled(sent)).rejects.toMatchObject({ code: 'MESSAGE_ABORTED', outcome: 'not-taken', cause: { message: 'changed my mind' } });
    await expect(pool.world.settled(expired)).rejects.toMatchObject({ code: 'MESSAGE_EXPIRED', outcome: 'not-taken' });
    await expect(pool.user.send('pool', 'c', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'MESSAGE_ABORTED', outcome: 'not-taken' });
    const whole = new AbortController();
    await pool.world.settled(pool.user.send('pool', 'd', { signal: whole.signal, lifetime: 10_000, ack: true }));
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['1 d']);
    expect([abort, whole].flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toEqual([]);
    expect(pool.errors.map(({ error, undelivered }) => `${error.code} ${undelivered}`)).toEqual(['MESSAGE_ABORTED a', 'MESSAGE_EXPIRED b', 'MESSAGE_ABORTED c']);
  });

  it('what an application does with its buffer afterwards changes nothing', async () => {
    const pool = await Pool.of(1);
    const data = Buffer.from('a');
    const sent = pool.user.send('pool', data);
    data.fill('z');
    await pool.world.settled(sent);
    await pool.world.advance(50);
    expect(pool.handled).toEqual(['1 a']);
  });

  it('data waits for its first listener', async () => {
    const setting = await RegistrarWorld.start();
    const user = await setting.accessPoint('pu');
    const element = await setting.accessPoint('pe');
    await setting.world.settled(element.register('pool', { identifier: 1 }, (session) => { session.on('data', (data, info) => { void info.reply(data); }); }));
    await setting.world.settled(user.send('pool', 'a'));
    await setting.world.advance(1_000);
    const data: string[] = [];
    user.on('data', (message, { from, ppid, stream, recovery }) => { data.push(`${message.toString()} ${JSON.stringify({ from, ppid, stream, recovery })}`); });
    expect(data).toEqual(['a {"from":{"handle":"pool","identifier":1},"ppid":0,"stream":0,"recovery":false}']);
  });
});

describe('bad input', () => {
  it('rejects at once, is reported, and nobody is harmed', async () => {
    const pool = await Pool.of(1);
    const wrong: [unknown, unknown, object, string][] = [
      ...[undefined, null, 42, {}, [], true, { handle: 'pool' }, { identifier: 1 }, { handle: 'pool', identifier: 0 }, { handle: 'pool', identifier: 1.5 }, { handle: '', identifier: 1 }, '', new Uint8Array(0), 'x'.repeat(70_000)]
        .map((destination) => [destination, 'a', {}, 'INVALID_HANDLE'] as [unknown, unknown, object, string]),
      ['tcp://', 'a', {}, 'INVALID_URL'], ['tcp://host', 'a', {}, 'INVALID_URL'], ['gopher://host:1', 'a', {}, 'INVALID_URL'],
      ['pool', undefined, {}, 'INVALID_DATA'], ['pool', 42, {}, 'INVALID_DATA'], ['pool', null, {}, 'INVALID_DATA'], ['pool', Buffer.alloc(10 * 1024 * 1024), {}, 'MESSAGE_TOO_LARGE'], ['pool', 'x'.repeat(1024 * 1024 + 1), {}, 'MESSAGE_TOO_LARGE'],
      ...[{ toLast: 1 }, { toAll: 'yes' }, { toSelf: true }, { toLast: true, toAll: true }, { toAll: true, deliver: 'failover' }, { toAll: true, deliver: 'at-least-once' }, { deliver: 'maybe' }, { ppid: 11 }, { ppid: 2 ** 32 },
        { lifetime: 0 }, { lifetime: Infinity }, { signal: {} }, { ack: 1 }, { timeout: 5 }, { nonsense: true }, { stream: -1 }, { unordered: 'no' }].map((options) => ['pool', 'a', options, 'INVALID_OPTION'] as [unknown, unknown, object, string]),
      [{ handle: 'pool', identifier: 1 }, 'a', { toLast: true }, 'INVALID_OPTION'], [{ handle: 'pool', identifier: 1 }, 'a', { toAll: true }, 'INVALID_OPTION'],
      ['tcp://10.0.0.1:9', 'a', { toAll: true }, 'INVALID_OPTION'], ['tcp://10.0.0.1:9', 'a', { deliver: 'failover' }, 'INVALID_OPTION'],
      ['pool', 'a', { unordered: true }, 'INVALID_OPTION'], ['pool', 'a', { stream: 16 }, 'INVALID_OPTION'],
    ];
    for (const [destination, data, options, code] of wrong) await expect(pool.user.send(destination as string, data as string, options)).rejects.toMatchObject({ code });
    expect(pool.errors.map(({ error }) => error.code)).toEqual(wrong.map(([, , , code]) => code));
    for (const options of [{ stream: 1 }, { unordered: true, deliver: 'noFailover' as const }]) await expect(pool.world.settled(pool.user.send('pool', 'a', options))).rejects.toMatchObject({ code: 'FEATURE_UNAVAILABLE' }); // D-23: of TCP
    expect(await pool.world.settled(pool.user.send('pool', 'b'))).toEqual({ handle: 'pool', identifier: 1 });
  });

  it('an address of somebody who does not speak the mapping: rejects, after the bound at most', async () => {
    const pool = await Pool.of(0);
    const host = pool.world.host('web');
    void host.network.listen({ host: host.address, port: 80 }, () => undefined as never);
    const started = pool.world.clock.now();
    await expect(pool.world.settled(pool.user.send(`tcp://${host.address}:80`, 'a'))).rejects.toMatchObject({ code: 'ELEMENT_UNREACHABLE' });
    expect(pool.world.clock.now() - started).toBeLessThan(15_000);
  });

  it('after close(): CLOSED; what is under way rejects, and nothing is left', async () => {
    const pool = await Pool.of(1);
    await pool.world.settled(pool.user.send('pool', 'a'));
    const waiting = pool.user.send('other', 'b');
    await pool.close();
    await expect(pool.world.settled(waiting)).rejects.toMatchObject({ code: expect.any(String) as unknown });
    await expect(pool.user.send('pool', 'c')).rejects.toMatchObject({ code: 'CLOSED' });
    await pool.world.advance(60_000);
    expect(pool.world.clock.pending).toBe(0);
  });

  it('sessions are closed when they have not been used for 30 s', async () => {
    const pool = await Pool.of(2);
    for (const data of ['a', 'b', 'c']) await pool.world.settled(pool.user.send('pool', data));
    await pool.world.settled(pool.user.send({ handle: 'pool', identifier: 1 }, 'd'));
    expect(pool.sessions).toBe(3); // one of them pinned
    await pool.world.advance(45_000);
    expect(pool.sessions).toBe(0);
    await pool.world.settled(pool.user.send('pool', 'e'));
    expect(pool.sessions).toBe(1);
  });
});
