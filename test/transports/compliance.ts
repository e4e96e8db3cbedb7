import type { Milliseconds } from '../../environment.js';
import { FeatureUnavailableError, TransportError, UsageError } from '../../errors.js';
import type { ByteSocket, Endpoint, Network } from '../../transports/network.js';
import type { ConnectOptions, Link, LinkHandler, Listener, ListenOptions, Transport } from '../../transports/transport.js';
import type { LogEntry, World, WorldHost } from '../../testing/world.js';
import { frame, framing, Probe } from './probe.js';

/** What a transport runs on in a test. */
export interface TransportWorld {
  readonly scheme: string;
  readonly client: Transport;
  readonly server: Transport;
  /** Where the server listens. */
  readonly host: string;
  /** For peers that speak bytes. */
  readonly clientNetwork: Network;
  readonly log: readonly LogEntry[];
  /** Long enough for a frame to come whole. */
  readonly patience: Milliseconds;
  /** Told by the probes: something has happened. */
  changed(): void;
  /** Lets the world go on until the condition holds. */
  until(condition: () => boolean): Promise<void>;
  /** One turn of the event loop. */
  turn(): Promise<void>;
  /** A port where nobody listens. */
  closedPort(): Promise<number>;
  readonly faults?: {
    cut(): void;
    heal(): void;
    pass(ms: number): Promise<void>;
    crashServer(): void;
  };
}

export interface Abilities {
  readonly hasFaults?: boolean;
  /** Whether it judges the silence of a peer itself, so that a kill (which no kernel tells of) is found; or has been told not to; or leaves it to others. */
  readonly silence?: 'judged' | 'ignored' | 'unknown';
}

/** The definition of a transport. */
export function describeTransport(name: string, build: () => TransportWorld | Promise<TransportWorld>, { hasFaults = false, silence = 'unknown' }: Abilities = {}): void {
  describe(`${name} is a transport`, () => {
    let stage: Stage;
    beforeEach(async () => {
      stage = new Stage(await build());
    });
    afterEach(async () => {
      await stage.strike();
    });

    describe('frames', () => {
      it('come whole and in order, in both directions, whatever their length', async () => {
        const { client, server } = await stage.pair();
        const bodies = Array.from({ length: 300 }, (_, index) => `${index}:${'.'.repeat(index % 7 === 0 ? index * 50 : index % 50)}`);
        client.send(...bodies);
        server.send(...bodies);
        await stage.until(() => client.count === bodies.length && server.count === bodies.length);
        expect(server.frames).toEqual(bodies);
        expect(client.frames).toEqual(bodies);
      });

      it('of one turn stay in order when small, large and reserved ones are mixed', async () => {
        const { client, server } = await stage.pair();
        const bodies = ['a', 'b'.repeat(20_000), 'c', 'd'.repeat(100_000), 'e', 'f'.repeat(3_000), 'g'.repeat(70_000), 'h'];
        for (const body of bodies) {
          if (body.length % 3 === 0) client.send(body);
          else client.reserve(body);
        }
        await stage.until(() => server.count === bodies.length);
        expect(server.frames).toEqual(bodies);
      });

      it('may be sent before the link is up', async () => {
        const { at, accepted } = await stage.listen();
        const client = stage.connect(at);
        client.send('early', 30_000, 'later');
        await stage.until(() => accepted[0]?.count === 3);
        expect(accepted[0]?.frames.map((text) => text.length)).toEqual([5, 30_000, 5]);
      });

      it('can be added to the write of a turn in beforeWrite, also when only flushSoon asked for it', async () => {
        const { client, server } = await stage.pair();
        const added: string[] = [];
        Object.assign(client, { beforeWrite: () => client.send(`added ${added.push('') - 1}`) });
        client.send('first');
        await stage.until(() => server.count === 2);
        client.call((link) => link.flushSoon());
        await stage.until(() => server.count === 3);
        expect(server.frames).toEqual(['first', 'added 0', 'added 1']);
      });

      it('are told of chunk by chunk: chunkEnd comes after the frames of one', async () => {
        const { client, server } = await stage.pair();
        const seen: string[] = [];
        server.onFrame = (text) => seen.push(text);
        Object.assign(server, { chunkEnd: () => seen.push('end') });
        client.send('1', '2', '3');
        await stage.until(() => seen.at(-1) === 'end' && seen.includes('3'));
        expect(seen.filter((each) => each !== 'end')).toEqual(['1', '2', '3']);
        expect(seen[0]).toBe('1');
      });
    });

    describe('the two ends', () => {
      it('name each other by the same addresses', async () => {
        const { client, server, at } = await stage.pair();
        expect(client.link.peer).toBe(at);
        expect(server.link.peer).toBe(client.link.local);
        expect(client.link.local).toMatch(new RegExp(`^${stage.world.scheme.replace('+', '\\+')}://[^:]+:[1-9]`));
      });

      it('know when they last heard and last sent', async () => {
        const { client, server } = await stage.pair();
        const before = server.link.lastHeard;
        await stage.world.turn();
        client.send('x');
        await stage.until(() => server.count === 1);
        expect(server.link.lastHeard).toBeGreaterThan(before);
        expect(client.link.lastSent).toBeGreaterThan(before);
      });
    });

    describe('back pressure', () => {
      it('send says false above the mark; drain comes when the peer has read', async () => {
        const { client, server } = await stage.pair({ highWaterMark: 10_000 });
        server.call((link) => link.pause());
        expect(client.send(5000)).toBe(true);
        expect(client.send(6000)).toBe(false);
        expect(client.link.writable).toBe(false);
        expect(client.link.queued).toBe(11_008);
        const drains = (): number => client.events.filter((event) => event === 'drain').length;
        await stage.until(() => drains() === 1); // the network has taken it
        const sent = 2 + (await stage.fill(client));
        const before = drains();
        server.call((link) => link.resume());
        await stage.until(() => server.count === sent && drains() > before);
        expect(client.link.writable).toBe(true);
        expect(client.link.queued).toBe(0);
      });

      it('a paused link reads no more than its buffers hold, and loses nothing', async () => {
        const { client, server } = await stage.pair();
        server.call((link) => link.pause());
        const sent = await stage.fill(client);
        const seen = server.count;
        expect(seen).toBeLessThan(sent);
        server.call((link) => link.resume());
        await stage.until(() => server.count === sent);
        expect(server.isDown).toBe(false);
      });

      it('small frames that wait for a slow reader come as they were sent', async () => {
        const { client, server } = await stage.pair();
        server.call((link) => link.pause());
        const sent: string[] = [];
        do {
          while (client.link.writable) {
            const body = `${sent.length}`.repeat(100);
            client.reserve(body);
            sent.push(body);
            if (sent.length % 40 === 0) await stage.world.turn();
          }
        } while (!(await stage.isStuck(client)));
        server.call((link) => link.resume());
        await stage.until(() => server.count === sent.length);
        expect(server.frames).toEqual(sent);
      });

      it('a peer that never reads costs its own link beyond maxQueued', async () => {
        const { at, accepted } = await stage.listen({ maxQueued: 300_000 });
        const socket = await stage.raw(at);
        socket.pause();
        await stage.until(() => accepted.length === 1);
        const [server] = accepted;
        while (server?.isDown === false) {
          server.send(10_000); // copied; the last one finds no room left
          expect(server.link.queued).toBeLessThanOrEqual(300_000);
          await stage.world.turn();
        }
        expect(server?.reason?.code).toBe('QUEUE_OVERFLOW');
        expect(server?.send('after')).toBe(false);
        server?.reserve('after');
        expect(stage.warnings()).toContain('the peer does not read: link destroyed');
      });
    });

    describe('close', () => {
      it('loses nothing that was sent before, and is LINK_CLOSED on both sides', async () => {
        const { client, server } = await stage.pair();
        client.send('a', 200_000, 'b');
        client.call((link) => link.close());
        expect(client.send('too late')).toBe(false);
        await stage.until(() => client.isDown && server.isDown);
        expect(server.frames.map((text) => text.length)).toEqual([1, 200_000, 1]);
        expect([client.reason?.code, server.reason?.code]).toEqual(['LINK_CLOSED', 'LINK_CLOSED']);
      });

      it('may come before the link is up: what was sent before still goes out', async () => {
        const { at, accepted } = await stage.listen();
        const client = stage.connect(at);
        client.send('a');
        client.call((link) => link.close());
        await stage.until(() => client.isDown && accepted[0]?.isDown === true);
        expect(accepted[0]?.frames).toEqual(['a']);
        expect(client.events).toEqual(['down LINK_CLOSED']);
      });

      it('gives no frames after the call', async () => {
        const { client, server } = await stage.pair();
        client.onFrame = () => client.call((link) => link.close());
        server.send('1', '2', 50_000, '3');
        await stage.until(() => client.isDown && server.isDown);
        expect(client.frames).toEqual(['1']);
      });

      it('ends within a bound when the peer never reads', async () => {
        const { client, server } = await stage.pair();
        server.call((link) => link.pause());
        await stage.fill(client);
        client.call((link) => link.close());
        await stage.until(() => client.isDown);
        expect(client.reason?.code).toBe('LINK_CLOSED');
      });

      it('answers a peer that half-closes: what was queued for it is written first', async () => {
        const { at } = await stage.listen({}, (probe) => (probe.onFrame = (text) => probe.send(`re: ${text}`)));
        const socket = await stage.raw(at);
        const answer = stage.received(socket);
        socket.write(frame('request'));
        socket.end();
        await stage.until(() => answer().includes('re: request'));
      });

      it('is LINK_LOST when a peer ends within a frame', async () => {
        const { at, accepted } = await stage.listen();
        const socket = await stage.raw(at);
        socket.write(frame('whole'));
        socket.write(frame('half').subarray(0, 6));
        socket.end();
        await stage.until(() => accepted[0]?.isDown === true);
        expect(accepted[0]?.frames).toEqual(['whole']);
        expect(accepted[0]?.reason?.code).toBe('LINK_LOST');
      });
    });

    describe('destroy', () => {
      it('gives its reason back, and is no orderly end for the peer', async () => {
        const { client, server } = await stage.pair();
        const reason = new TransportError('SILENCE', 'nothing was heard');
        client.call((link) => link.destroy(reason));
        client.call((link) => link.destroy(new TransportError('LINK_LOST', 'again')));
        await stage.until(() => client.isDown && server.isDown);
        expect(client.reason).toBe(reason);
        expect(server.reason?.code).toBe('LINK_LOST');
      });

      it('within a chunk keeps its other frames back', async () => {
        const { client, server } = await stage.pair();
        server.onFrame = () => server.call((link) => link.destroy(new TransportError('LINK_LOST', 'enough')));
        client.send('1', '2', '3');
        await stage.until(() => server.isDown && client.isDown);
        expect(server.frames).toEqual(['1']);
      });

      it('ends a link that is not up yet', async () => {
        const { at } = await stage.listen();
        const client = stage.connect(at);
        client.call((link) => link.destroy(new TransportError('LINK_LOST', 'changed my mind')));
        await stage.until(() => client.isDown);
        expect(client.events).toEqual(['down LINK_LOST']);
      });
    });

    describe('failures', () => {
      it('a refused connection is CONNECT_FAILED', async () => {
        const client = stage.connect(stage.address(await stage.world.closedPort()));
        await stage.until(() => client.isDown);
        expect(client.events).toEqual(['down CONNECT_FAILED']);
        expect(client.reason?.cause).toMatchObject({ code: 'ECONNREFUSED' });
      });

      it('a port in use is ADDRESS_IN_USE; a listener that has closed leaves the port free and its links up', async () => {
        const { client, server, at, listener } = await stage.pair();
        await expect(stage.listen({}, undefined, at)).rejects.toMatchObject({ name: 'TransportError', code: 'ADDRESS_IN_USE' });
        await listener.close();
        await listener.close();
        await stage.listen({}, undefined, at);
        client.send('still here');
        await stage.until(() => server.count === 1);
      });

      it.each(['', 'no url', 'SCHEME://host', 'SCHEME://:1', 'SCHEME://host:65536', 'SCHEME://host:1/path', 'SCHEME://user@host:1', 'SCHEME://[::zz]:1',
        'SCHEME://256.1.1.1:1', 'SCHEME://-a:1', 'gopher://host:1'])('%p is no address: UsageError, at once', async (pattern) => {
        const address = pattern.replace('SCHEME', stage.world.scheme);
        const probe = new Probe(() => undefined);
        expect(() => stage.world.client.connect(address, probe, { framing })).toThrow(UsageError);
        await expect(stage.world.server.listen(address, () => probe, { framing })).rejects.toMatchObject({ code: 'INVALID_URL' });
      });

      it.each(['tls', 'sctp'])('%s:// is a feature not there yet', (scheme) => {
        if (scheme === stage.world.scheme) return;
        const probe = new Probe(() => undefined);
        expect(() => stage.world.client.connect(`${scheme}://host:1`, probe, { framing })).toThrow(FeatureUnavailableError);
      });
    });

    describe('hostile or broken peers and handlers cost their own link only', () => {
      it('bytes that make no frames: PEER_MISBEHAVED, with a line in the log', async () => {
        const { client, server, at, accepted } = await stage.pair();
        const socket = await stage.raw(at);
        socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
        await stage.until(() => accepted[1]?.isDown === true);
        expect(accepted[1]?.reason?.code).toBe('PEER_MISBEHAVED');
        expect(stage.warnings()).toContain('the peer sent what makes no frames: link destroyed');
        await stage.exchange(client, server);
      });

      it('a frame that is never whole: IDLE_LINK after frameTimeout, however slowly it drips', async () => {
        const { client, server, at, accepted } = await stage.pair({}, { frameTimeout: stage.world.patience });
        const socket = await stage.raw(at);
        socket.write(frame('whole'));
        const never = frame(1000).subarray(0, 1000); // its end is missing
        for (let sent = 0; accepted[1]?.isDown !== true; sent++) { // quick turns use it up: then nothing more comes
          if (sent < never.length) socket.write(never.subarray(sent, sent + 1));
          await stage.world.turn();
        }
        expect(accepted[1]?.reason?.code).toBe('IDLE_LINK');
        expect(accepted[1]?.frames).toEqual(['whole']);
        await stage.exchange(client, server);
      });

      it('a link that sends no frame at first: IDLE_LINK after firstFrameTimeout; one that did may rest', async () => {
        const { client, server, at, accepted } = await stage.pair({}, { firstFrameTimeout: stage.world.patience });
        client.send('hello');
        await stage.raw(at);
        await stage.until(() => accepted[1]?.isDown === true);
        expect(accepted[1]?.reason?.code).toBe('IDLE_LINK');
        await stage.exchange(client, server);
      });

      it('more links than maxLinks are closed at once, told once in the log, and let in again later', async () => {
        const { client, at, accepted } = await stage.pair({}, { maxLinks: 2 });
        const second = stage.connect(at);
        await stage.until(() => second.isUp && accepted.length === 2);
        const refused = [stage.connect(at), stage.connect(at)];
        await stage.until(() => refused.every((probe) => probe.isDown));
        expect(accepted.length).toBe(2);
        expect(stage.warnings().filter((message) => message.startsWith('too many links'))).toHaveLength(1);
        client.call((link) => link.close());
        await stage.until(() => accepted[0]?.isDown === true);
        const later = stage.connect(at);
        await stage.until(() => later.isUp && accepted.length === 3);
        await stage.exchange(later, accepted[2]);
      });

      it('a handler that throws, on a frame, in drain or when accepting', async () => {
        const { client, server, at, accepted } = await stage.pair({}, {}, (probe, index) => {
          if (index === 2) throw new Error('from accept');
          if (index === 1) probe.onFrame = () => { throw new Error('from frame'); };
        });
        const second = stage.connect(at);
        second.send('1', '2');
        await stage.until(() => second.isDown && accepted[1]?.isDown === true);
        expect(accepted[1]?.frames).toEqual(['1']);
        expect(accepted[1]?.reason?.code).toBe('PEER_MISBEHAVED');
        const third = stage.connect(at);
        await stage.until(() => third.isDown);
        expect(stage.errors()).toHaveLength(2);
        await stage.exchange(client, server);
        client.onDrain = () => { throw new Error('from drain'); };
        while (client.send(100_000)) { /* up to the mark */ }
        await stage.until(() => client.isDown && server.isDown);
        expect(client.reason?.code).toBe('PEER_MISBEHAVED');
      });
    });

    if (hasFaults) {
      describe('faults of the network', () => {
        it('a black hole is CONNECT_TIMEOUT after connectTimeout, 1 s by default', async () => {
          const { at } = await stage.listen();
          stage.faults.cut();
          const [usual, short] = [stage.connect(at), stage.connect(at, { connectTimeout: 100 })];
          await stage.faults.pass(101);
          expect([usual.isDown, short.reason?.code]).toEqual([false, 'CONNECT_TIMEOUT']);
          await stage.faults.pass(900);
          expect(usual.reason?.code).toBe('CONNECT_TIMEOUT');
        });

        if (silence === 'judged') it('a silent partition, and a peer that is killed, are SILENCE after half a second', async () => {
          const { client, server, at } = await stage.pair();
          stage.faults.cut();
          await stage.faults.pass(450);
          expect([client.isDown, server.isDown]).toEqual([false, false]);
          await stage.faults.pass(200);
          expect([client.reason?.code, server.reason?.code]).toEqual(['SILENCE', 'SILENCE']);
          stage.faults.heal();
          const another = stage.connect(at);
          await stage.until(() => another.isUp);
          stage.faults.crashServer();
          await stage.faults.pass(650);
          expect(another.reason?.code).toBe('SILENCE');
        });
        else it('a silent partition leaves the link up; what was sent arrives when it heals', async () => {
          const { client, server } = await stage.pair();
          stage.faults.cut();
          client.send('through');
          await stage.faults.pass(60_000);
          expect([client.isDown, server.isDown, server.count]).toEqual([false, false, 0]);
          stage.faults.heal();
          await stage.until(() => server.count === 1);
        });

        if (silence === 'unknown') it('a peer that is killed is LINK_LOST', async () => {
          const { client } = await stage.pair();
          stage.faults.crashServer();
          await stage.until(() => client.isDown);
          expect(client.reason?.code).toBe('LINK_LOST');
        });

        it('destroy ends a link with a dead peer at once; close would take its bound', async () => {
          const { client, at } = await stage.pair();
          const other = stage.connect(at);
          await stage.until(() => other.isUp);
          stage.faults.cut();
          client.call((link) => link.destroy(new TransportError('SILENCE', 'nothing was heard')));
          other.call((link) => link.close());
          await stage.faults.pass(0);
          expect([client.reason?.code, other.isDown]).toEqual(['SILENCE', false]);
          await stage.faults.pass(1001);
          expect(other.reason?.code).toBe('LINK_CLOSED');
        });
      });
    }
  });
}

type Furnish = (probe: Probe, index: number) => void;

/** Probes on both sides, and what is needed to wait for them. */
class Stage {
  readonly #listeners: Listener[] = [];
  readonly #probes: Probe[] = [];
  readonly #sockets: ByteSocket[] = [];

  constructor(readonly world: TransportWorld) {}

  get faults(): NonNullable<TransportWorld['faults']> {
    if (this.world.faults === undefined) throw new Error('a world without faults');
    return this.world.faults;
  }

  address(port: number): string {
    return `${this.world.scheme}://${this.world.host}:${port}`;
  }

  until(condition: () => boolean): Promise<void> {
    return this.world.until(condition);
  }

  async listen(options: Partial<ListenOptions> = {}, furnish?: Furnish, at = this.address(0)): Promise<{ at: string; accepted: Probe[]; listener: Listener }> {
    const accepted: Probe[] = [];
    const accept = (link: Link): LinkHandler => {
      const probe = this.#probe(link);
      accepted.push(probe);
      furnish?.(probe, accepted.length - 1);
      return probe;
    };
    const listener = await this.world.server.listen(at, accept, { framing, ...options });
    this.#listeners.push(listener);
    return { at: listener.address, accepted, listener };
  }

  connect(at: string, options: Partial<ConnectOptions> = {}): Probe {
    const probe = this.#probe();
    probe.link = this.world.client.connect(at, probe, { framing, ...options });
    return probe;
  }

  async pair(
    options: Partial<ConnectOptions> = {}, listenOptions: Partial<ListenOptions> = {}, furnish?: Furnish,
  ): Promise<{ client: Probe; server: Probe; at: string; accepted: Probe[]; listener: Listener }> {
    const { at, accepted, listener } = await this.listen(listenOptions, furnish);
    const client = this.connect(at, options);
    await this.until(() => client.isUp && accepted.length === 1);
    const [server] = accepted;
    if (server === undefined) throw new Error('nobody came');
    return { client, server, at, accepted, listener };
  }

  /** A peer that speaks bytes. */
  async raw(at: string): Promise<ByteSocket> {
    const { port } = new URL(at.replace(/^[a-z]+:/, 'http:'));
    const endpoint: Endpoint = { host: this.world.host, port: Number(port) };
    const socket = this.world.clientNetwork.connect(endpoint);
    this.#sockets.push(socket);
    let isUp = false;
    socket.on('connect', () => {
      isUp = true;
      this.world.changed();
    });
    socket.on('error', () => undefined);
    await this.until(() => isUp);
    return socket;
  }

  received(socket: ByteSocket): () => string {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      this.world.changed();
    });
    return () => text;
  }

  /** Sends until the peer's buffers are full. @returns how many frames. */
  async fill(probe: Probe): Promise<number> {
    let sent = 0;
    do {
      while (probe.link.writable) {
        probe.send(50_000);
        sent += 1;
      }
    } while (!(await this.isStuck(probe)));
    return sent;
  }

  /** Whether nothing moves any more for a good many turns. */
  async isStuck(probe: Probe): Promise<boolean> {
    for (let turn = 0; turn < 50; turn += 1) {
      await this.world.turn();
      if (probe.link.writable) return false;
    }
    return true;
  }

  async exchange(client: Probe, server: Probe | undefined): Promise<void> {
    if (server === undefined) throw new Error('nobody to talk to');
    const [before, heard] = [server.count, client.count];
    client.send('ping');
    await this.until(() => server.count === before + 1);
    server.send('pong');
    await this.until(() => client.count === heard + 1);
  }

  warnings(): string[] {
    return this.world.log.filter((entry) => entry.level === 'warn').map((entry) => entry.message);
  }

  errors(): string[] {
    return this.world.log.filter((entry) => entry.level === 'error').map((entry) => entry.message);
  }

  /** Ends all, and looks whether the contract of handlers was kept. */
  async strike(): Promise<void> {
    this.world.faults?.heal();
    for (const socket of this.#sockets) socket.destroy();
    for (const probe of this.#probes) probe.link.destroy(new TransportError('LINK_LOST', 'the test is over'));
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.world.turn();
    for (const { events } of this.#probes) {
      expect(events.filter((event) => event.includes('inside') || event.includes('after'))).toEqual([]);
      expect(events.filter((event) => event.startsWith('down')).length).toBeLessThanOrEqual(1);
    }
  }

  #probe(link?: Link): Probe {
    const probe = new Probe(() => this.world.changed());
    if (link !== undefined) probe.link = link;
    this.#probes.push(probe);
    return probe;
  }
}

/** A world of `node:net`: waits for the probes, not for a time. */
export class Changes {
  #waiting: (() => void)[] = [];

  readonly changed = (): void => {
    for (const resume of this.#waiting.splice(0)) resume();
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** What all transports on a simulated network have alike; its hosts are `client` and `server`. */
export function simulated(world: World, server: WorldHost): Omit<TransportWorld, 'scheme' | 'client' | 'server' | 'clientNetwork'> {
  return {
    host: 'server',
    log: world.log,
    patience: 2000,
    changed: () => undefined,
    until: async (condition) => void (await world.until(condition)),
    turn: () => world.advance(20),
    closedPort: () => Promise.resolve(1),
    faults: {
      cut: () => world.network.partition('client', 'server'),
      heal: () => world.network.heal(),
      pass: (ms) => world.advance(ms),
      crashServer: () => server.process.crash(),
    },
  };
}

export const freePort = async (network: Network, host: string): Promise<number> => {
  const server = await network.listen({ host, port: 0 }, (socket) => socket.destroy());
  await server.close();
  return server.port;
};

