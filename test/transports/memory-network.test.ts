import type { ByteSocket, DatagramSocket } from '../../transports/network.js';
import type { NetworkEvent } from '../../transports/memory.js';
import { World, type WorldHost } from '../../testing/world.js';
import { framing, Probe } from './probe.js';

describe('simulated network: streams', () => {
  it('connect in a round trip, and carry bytes in one latency', async () => {
    const { world, a, b, seen } = build({ latency: 10 });
    const stream = await listening(b, seen);
    const socket = a.network.connect({ host: 'b', port: stream.port });
    socket.on('connect', () => seen.push(`up@${world.clock.now()}`));
    await world.advance(20);
    socket.write(Buffer.from('x'));
    await world.advance(10);
    expect(seen).toEqual(['accepted@10', 'up@20', 'x@30']);
  });

  it('find hosts by name and by address; unknown names, closed ports, foreign addresses and taken ports are errors of the system', async () => {
    const { world, a, b, seen } = build();
    const { port } = await listening(b, seen);
    const codes = [
      await failure(world, a.network.connect({ host: 'nobody', port })),
      await failure(world, a.network.connect({ host: 'b', port: 9 })),
    ];
    expect(codes).toEqual(['ENOTFOUND', 'ECONNREFUSED']);
    await expect(b.network.listen({ host: '0.0.0.0', port }, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(b.network.listen({ host: 'a', port: 0 }, () => undefined)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    let isUp = false;
    a.network.connect({ host: b.address, port }).on('connect', () => (isUp = true));
    await world.until(() => isUp);
  });

  it('keep what is sent into a one-way partition until it heals; the way back is open', async () => {
    const { world, a, b, seen } = build();
    const [left, right] = await stream(world, a, b, seen);
    world.network.partitionOneWay('a', 'b');
    left.write(Buffer.from('there'));
    right.write(Buffer.from('back'));
    await world.advance(1000);
    expect(texts(seen)).toEqual(['back']);
    world.network.heal('a', 'b');
    await world.advance(1);
    expect(texts(seen)).toEqual(['back', 'there']);
  });

  it('tell who did not hear from whom because something was lost more than once in a row', async () => {
    const late: { from: string; to: string; delay: number }[] = [];
    const { world, a, b, seen } = build({ loss: 0.5, seed: 3, onLate: (each) => late.push(each) });
    const [left] = await stream(world, a, b, seen);
    late.length = 0;
    const delays: number[] = [];
    for (let number = 0; number < 40; number++) {
      const at = world.clock.now();
      left.write(Buffer.from(`${number}`));
      await world.until(() => seen.at(-1)?.startsWith(`${number}@`) === true, 10_000);
      delays.push(world.clock.now() - at);
    }
    const expected = delays.filter((delay) => delay > 400).map((delay) => ({ from: 'a', to: 'b', delay }));
    expect(expected.length).toBeGreaterThan(0);
    expect(late).toEqual(expected);
  });

  it('stop at the buffers of a reader that is frozen, and go on when it thaws', async () => {
    const { world, a, b, seen } = build({ bufferSize: 1000 });
    const [left] = await stream(world, a, b, seen);
    let drained = 0;
    left.on('drain', () => (drained += 1));
    b.process.freeze();
    expect(left.write(Buffer.alloc(900))).toBe(true);
    expect(left.write(Buffer.alloc(20_000))).toBe(false);
    await world.advance(1000);
    expect([left.writableLength, drained]).toEqual([19_900, 0]);
    b.process.thaw();
    await world.until(() => drained === 1);
    expect(left.writableLength).toBe(0);
  });

  it('are accepted by the kernel of a frozen process', async () => {
    const { world, a, b, seen } = build();
    const { port } = await listening(b, seen);
    b.process.freeze();
    let isUp = false;
    const socket = a.network.connect({ host: 'b', port });
    socket.on('connect', () => (isUp = true));
    await world.until(() => isUp);
    socket.write(Buffer.from('hello'));
    await world.advance(100);
    expect(seen).toEqual([]);
    b.process.thaw();
    await world.advance(0);
    expect(seen).toEqual(['accepted@102', 'hello@102']);
  });

  it.each([
    ['reset', ['error ECONNRESET', 'close']],
    ['end', ['end', 'close']],
    ['nothing', []],
  ] as const)('of a process that is killed: its peers see %s', async (peersSee, expected) => {
    const { world, a, b } = build();
    const [left] = await stream(world, a, b, []);
    const events: string[] = [];
    left.on('end', () => events.push('end'));
    left.on('error', (error) => events.push(`error ${error.code}`));
    left.on('close', () => events.push('close'));
    b.process.crash({ peersSee });
    await world.advance(10_000);
    expect(events).toEqual(expected);
  });

  it('a killed process does nothing more, and the next one on its host has the port', async () => {
    const { world, b, seen } = build();
    const { port } = await listening(b, seen);
    b.clock.setTimeout(() => seen.push('timer'), 5);
    b.clock.defer(() => seen.push('deferred'));
    b.process.crash();
    const next = world.host('b');
    expect(next).not.toBe(b);
    await listening(next, seen, port);
    await world.advance(10);
    expect(seen).toEqual([]);
    expect(next.address).toBe(b.address);
  });
});

describe('simulated network: a frozen process', () => {
  it('runs its overdue timers first when it thaws, in their order, then its input, then what was deferred (D-29)', async () => {
    const { world, a, b, seen } = build();
    const [left] = await stream(world, a, b, seen);
    seen.length = 0;
    const note = (what: string) => (): void => void seen.push(`${what}@${world.clock.now() - start}`);
    const start = world.clock.now();
    b.clock.setTimeout(note('second timer'), 60);
    b.clock.setTimeout(() => {
      note('first timer')();
      b.clock.defer(note('judged after the poll phase'));
      b.clock.clearTimeout(cleared);
    }, 50);
    const cleared = b.clock.setTimeout(note('cleared'), 70);
    b.process.freeze();
    left.write(Buffer.from('input'));
    await world.advance(1000);
    expect(seen).toEqual([]);
    b.process.thaw();
    await world.advance(0);
    expect(seen.map((each) => each.replace(`@${world.clock.now()}`, '@1000'))).toEqual([
      'first timer@1000', 'second timer@1000', 'input@1000', 'judged after the poll phase@1000',
    ]);
  });

  it('a loop that is blocked is frozen for that long', async () => {
    const { world, a } = build();
    const seen: number[] = [];
    a.clock.setTimeout(() => seen.push(world.clock.now()), 100);
    a.process.block(300);
    await world.advance(1000);
    expect(seen).toEqual([300]);
  });

  it('a link that was connecting does not take its own sleep for a time-out', async () => {
    const { world, a, b } = build();
    await b.tcp.listen('tcp://b:7', () => new Probe(() => undefined), { framing });
    const probe = new Probe(() => undefined);
    probe.link = a.tcp.connect('tcp://b:7', probe, { framing });
    a.process.block(10_000);
    await world.advance(10_000);
    expect(probe.events).toEqual(['up']);
  });

  it('a frame that came whole meanwhile does not fall to the frame time-out', async () => {
    const { world, a, b } = build();
    const server = new Probe(() => undefined);
    await b.tcp.listen('tcp://b:7', () => server, { framing, frameTimeout: 100 });
    const socket = a.network.connect({ host: 'b', port: 7 });
    await world.advance(10);
    socket.write(Buffer.from([0, 0, 0]));
    await world.advance(10);
    b.process.freeze();
    socket.write(Buffer.from([5, 0x78]));
    await world.advance(10_000);
    b.process.thaw();
    await world.advance(1000);
    expect([server.frames, server.events]).toEqual([['x'], []]);
  });
});

describe('a link on the simulated network', () => {
  it('says drain also where its mark is below the one of the socket', async () => {
    const { world, a, b } = build({ bufferSize: 1000 });
    const server = new Probe(() => undefined);
    await b.tcp.listen('tcp://b:7', (link) => Object.assign(server, { link }), { framing });
    const client = new Probe(() => undefined);
    client.link = a.tcp.connect('tcp://b:7', client, { framing, highWaterMark: 100 });
    await world.until(() => client.isUp);
    server.link.pause();
    expect(client.send(2000)).toBe(false);
    await world.advance(1000);
    expect([client.events, client.link.queued]).toEqual([['up'], 1004]);
    server.link.resume();
    await world.until(() => client.events.includes('drain'));
  });
});

describe('simulated network: datagrams', () => {
  it('are lost and overtake each other, as the seed says', async () => {
    const { world, a, b, seen } = build({ loss: 0.3, jitter: 50, seed: 3 });
    const [from, to] = await sockets(a, b, seen);
    for (let index = 0; index < 100; index += 1) from.send(Buffer.from(String(index)), to.local);
    await world.advance(100);
    const numbers = texts(seen).map(Number);
    expect(numbers.length).toBeGreaterThan(50);
    expect(numbers.length).toBeLessThan(90);
    expect(numbers).not.toEqual([...numbers].sort((x, y) => x - y));
  });

  it('some come twice, as the seed says', async () => {
    const { world, a, b, seen } = build({ duplication: 0.3, jitter: 50, seed: 3 });
    const [from, to] = await sockets(a, b, seen);
    for (let index = 0; index < 100; index += 1) from.send(Buffer.from(String(index)), to.local);
    await world.advance(100);
    const numbers = texts(seen).map(Number);
    expect(new Set(numbers).size).toBe(100);
    expect(numbers.length).toBeGreaterThan(115);
    expect(numbers.length).toBeLessThan(145);
  });

  it('sent to a group reach its members, on hosts that are not cut off', async () => {
    const { world, a, b, seen } = build();
    const c = world.host('c');
    const members = await Promise.all([a, b, c].map((host) =>
      host.network.bind({ host: '0.0.0.0', port: 3863, shared: true }, (bytes, from) => seen.push(`${host.name} has ${bytes.toString()} from ${from.port}`))));
    for (const member of members.slice(0, 2)) member.join('239.0.0.1');
    members[2]?.send(Buffer.from('1'), { host: '239.0.0.1', port: 3863 });
    await world.advance(1);
    world.network.partition('b');
    members[2]?.send(Buffer.from('2'), { host: '239.0.0.1', port: 3863 });
    await world.advance(1);
    expect(seen).toEqual(['a has 1 from 3863', 'b has 1 from 3863', 'a has 2 from 3863']);
  });

  it('are kept where a path is held, dropped where it is cut', async () => {
    const { world, a, b, seen } = build();
    const [from, to] = await sockets(a, b, seen);
    world.network.hold('a', 'b');
    from.send(Buffer.from('held'), to.local);
    await world.advance(100);
    world.network.heal();
    await world.advance(1);
    world.network.partition('a', 'b');
    from.send(Buffer.from('cut'), to.local);
    await world.advance(100);
    world.network.heal();
    await world.advance(100);
    expect(texts(seen)).toEqual(['held']);
  });
});

describe('simulated network: one seed', () => {
  it('gives the same world again; another gives another', async () => {
    expect(await transcript(5)).toEqual(await transcript(5));
    expect(await transcript(5)).not.toEqual(await transcript(6));
  });

  it('shows that a link writes once a turn, whoever asked for it', async () => {
    const trace: NetworkEvent[] = [];
    const { world, a, b } = build({ trace: (event) => trace.push(event) });
    const server = new Probe(() => undefined);
    await b.tcp.listen('tcp://b:7', (link) => Object.assign(server, { link }), { framing });
    server.onFrame = (text) => server.send(`re: ${text}`, 'and more');
    const client = new Probe(() => undefined);
    client.link = a.tcp.connect('tcp://b:7', client, { framing });
    await world.until(() => client.isUp);
    client.send('1', '2');
    client.reserve('3');
    client.send(20_000);
    client.send('4');
    await world.until(() => client.count === 10);
    const writes = trace.filter((event) => event.kind === 'bytes').map((event) => `${event.from} ${event.bytes?.length}`);
    expect(writes).toEqual(['a 20024', expect.stringMatching(/^b /)]);
  });
});

const build = (options: ConstructorParameters<typeof World>[0] = {}): { world: World; a: WorldHost; b: WorldHost; seen: string[] } => {
  const world = new World(options);
  return { world, a: world.host('a'), b: world.host('b'), seen: [] };
};

const texts = (seen: string[]): string[] => seen.map((each) => each.split('@')[0] ?? '').filter((each) => each !== 'accepted');

const listening = (host: WorldHost, seen: string[], port = 0): ReturnType<WorldHost['network']['listen']> =>
  host.network.listen({ host: '0.0.0.0', port }, (socket) => {
    seen.push(`accepted@${host.clock.now()}`);
    socket.on('data', (chunk) => seen.push(`${chunk.toString()}@${host.clock.now()}`));
    socket.on('error', () => undefined);
  });

async function stream(world: World, a: WorldHost, b: WorldHost, seen: string[]): Promise<[ByteSocket, ByteSocket]> {
  const right: ByteSocket[] = [];
  const note = (chunk: Buffer): void => void seen.push(`${chunk.toString()}@${world.clock.now()}`);
  const { port } = await b.network.listen({ host: 'b', port: 0 }, (socket) => {
    right.push(socket);
    socket.on('data', note);
    socket.on('error', () => undefined);
  });
  const left = a.network.connect({ host: 'b', port });
  left.on('data', note);
  left.on('error', () => undefined);
  await world.advance(10);
  const [accepted] = right;
  if (accepted === undefined) throw new Error('not accepted');
  return [left, accepted];
}

async function sockets(a: WorldHost, b: WorldHost, seen: string[]): Promise<[DatagramSocket, DatagramSocket]> {
  const from = await a.network.bind({ host: 'a', port: 0 }, () => undefined);
  return [from, await b.network.bind({ host: 'b', port: 0 }, (bytes) => seen.push(bytes.toString()))];
}

async function failure(world: World, socket: ByteSocket): Promise<string | undefined> {
  let code: string | undefined;
  let isOver = false;
  socket.on('error', (error) => (code = error.code));
  socket.on('close', () => (isOver = true));
  await world.until(() => isOver);
  return code;
}

async function transcript(seed: number): Promise<string[]> {
  const seen: string[] = [];
  const { world, a, b } = build({ seed, chunks: 'random', jitter: 5, loss: 0.05 });
  const [left] = await stream(world, a, b, seen);
  for (let index = 0; index < 50; index += 1) left.write(Buffer.from(`message ${index};`));
  await world.advance(5000);
  expect(texts(seen).join('')).toBe(Array.from({ length: 50 }, (_, index) => `message ${index};`).join(''));
  return seen;
}
