import type { DatagramNetwork, DatagramSocket, Endpoint } from '../../transports/network.js';

/** What a network for datagrams runs on in a test. */
export interface DatagramWorld {
  readonly network: DatagramNetwork;
  /** An address of this host, and the interface for groups. */
  readonly host: string;
  readonly interface?: string;
  changed(): void;
  until(condition: () => boolean): Promise<void>;
}

/** The definition of a network for datagrams. */
export function describeDatagrams(name: string, build: () => DatagramWorld): void {
  describe(`${name} carries datagrams`, () => {
    let world: DatagramWorld;
    let open: DatagramSocket[];
    beforeEach(() => {
      world = build();
      open = [];
    });
    afterEach(() => {
      for (const socket of open) socket.close();
    });

    const bind = async (at: Partial<Endpoint> & { readonly shared?: boolean } = {}): Promise<{ readonly socket: DatagramSocket; readonly seen: string[]; readonly from: Endpoint[] }> => {
      const seen: string[] = [];
      const from: Endpoint[] = [];
      const socket = await world.network.bind({ host: world.host, port: 0, interface: world.interface, ...at }, (bytes, source) => {
        seen.push(bytes.toString());
        from.push(source);
        world.changed();
      });
      open.push(socket);
      return { socket, seen, from };
    };

    it('from one socket to another, each whole, with the address it came from', async () => {
      const [a, b] = [await bind(), await bind()];
      a.socket.send(Buffer.from('one'), b.socket.local);
      a.socket.send(Buffer.alloc(0), b.socket.local);
      a.socket.send(Buffer.from('.'.repeat(1400)), b.socket.local);
      await world.until(() => b.seen.length === 3);
      expect(b.seen).toEqual(['one', '', '.'.repeat(1400)]);
      expect(b.from).toEqual(Array(3).fill(a.socket.local));
    });

    it('takes its copy: the sender may use the bytes again at once', async () => {
      const [a, b] = [await bind(), await bind()];
      const bytes = Buffer.from('mine');
      a.socket.send(bytes, b.socket.local);
      bytes.fill(0);
      await world.until(() => b.seen.length > 0);
      expect(b.seen).toEqual(['mine']);
    });

    it('to a group: to all who have joined, the sender too, and who share a port', async () => {
      const first = await bind({ host: GROUP, shared: true });
      const second = await bind({ host: GROUP, port: first.socket.local.port, shared: true });
      for (const { socket } of [first, second]) socket.join(GROUP);
      first.socket.send(Buffer.from('hello'), { host: GROUP, port: first.socket.local.port });
      await world.until(() => first.seen.length + second.seen.length === 2);
      expect([first.seen, second.seen]).toEqual([['hello'], ['hello']]);
      expect(second.from[0]?.port).toBe(first.socket.local.port);
    });

    it('a socket bound to a group gets nothing of another group at the same port', async () => {
      const first = await bind({ host: GROUP, shared: true });
      const { port } = first.socket.local;
      const second = await bind({ host: OTHER_GROUP, port, shared: true });
      first.socket.join(GROUP);
      second.socket.join(OTHER_GROUP);
      const sender = await bind();
      sender.socket.send(Buffer.from('for the second'), { host: OTHER_GROUP, port });
      sender.socket.send(Buffer.from('for the first'), { host: GROUP, port });
      await world.until(() => first.seen.length > 0 && second.seen.length > 0);
      expect([first.seen, second.seen]).toEqual([['for the first'], ['for the second']]);
    });

    it('who has left a group gets no more of it', async () => {
      const [member, witness, sender] = [await bind({ host: GROUP, shared: true }), await bind({ host: OTHER_GROUP, shared: true }), await bind()];
      member.socket.join(GROUP);
      witness.socket.join(OTHER_GROUP);
      sender.socket.send(Buffer.from('before'), { host: GROUP, port: member.socket.local.port });
      await world.until(() => member.seen.length > 0);
      member.socket.leave(GROUP);
      sender.socket.send(Buffer.from('after'), { host: GROUP, port: member.socket.local.port });
      sender.socket.send(Buffer.from('done'), { host: OTHER_GROUP, port: witness.socket.local.port });
      await world.until(() => witness.seen.length > 0);
      expect(member.seen).toEqual(['before']);
    });

    it('a port that is not shared is taken, also by one who would share it', async () => {
      const { socket } = await bind();
      await expect(bind({ port: socket.local.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
      const { socket: alone } = await bind();
      await expect(bind({ port: alone.local.port, shared: true })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    });

    it('what cannot be sent is lost, and nothing is thrown: nobody there, too long, closed, never joined', async () => {
      const [a, b] = [await bind(), await bind()];
      const gone = b.socket.local;
      b.socket.close();
      b.socket.close();
      b.socket.send(Buffer.from('closed'), a.socket.local);
      b.socket.leave(GROUP);
      a.socket.leave(GROUP);
      a.socket.send(Buffer.from('nobody'), gone);
      a.socket.send(Buffer.from('again'), a.socket.local);
      await world.until(() => a.seen.length > 0);
      expect(a.seen).toEqual(['again']);
    });
  });
}

const GROUP = '239.255.77.1';
const OTHER_GROUP = '239.255.77.2';
