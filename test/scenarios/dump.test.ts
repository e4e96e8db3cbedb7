import { describe, expect, it } from '@jest/globals';
import { Association, enrpProtocol } from '../../actors/association.js';
import { dumpRegistrar, removeElement } from '../../actors/enrp-client.js';
import type { RserpoolError } from '../../errors.js';
import { World } from '../../testing/world.js';
import { enrpFraming, type EnrpMessage, type EnrpMessageOf, type PoolElement } from '../../wire/index.js';
import { elementOf, RegistrarWorld } from '../support/registrar-world.js';

describe('a dump by ENRP (RFC 5353 §3.2.2, §3.2.3)', () => {
  it('asks for the list, then for the handle table until the M bit is off, and needs no presence', async () => {
    const peer = await scripted((message) => {
      if (message.type === 'ENRP_LIST_REQUEST') return [list([server(0x5003), server(0x5001), server(0x5002)], Uint8Array.of(2, 1, 3))];
      return peer.count('ENRP_HANDLE_TABLE_REQUEST') === 1
        ? [table([['echo', [elementOf(9)]], ['counter', [elementOf(2, { homeRegistrar: 0x5002, registrationLife: -1 })]]], { moreToSend: true })]
        : [table([['counter', [elementOf(1, { policy: { policy: 'least-used', load: 0x7fff_ffff }, asapTransport: { transport: 'tcp', port: 7, addresses: ['::1'] } })]]])];
    });
    expect(await peer.dump()).toEqual({
      registrar: '0x00005001',
      peers: [
        { id: '0x00005002', addresses: ['tcp://10.8.0.1:9901'], state: 'dead' },
        { id: '0x00005003', addresses: ['tcp://10.8.0.1:9901'], state: 'suspected' },
      ],
      pools: [
        { handle: 'counter', elements: [
          { id: '0x00000001', home: '0x00000000', policy: 'least-used:50', life: 300, transports: ['tcp://10.9.0.1:4001', 'asap+tcp://[::1]:7'] },
          { id: '0x00000002', home: '0x00005002', policy: 'round-robin', life: -1, transports: ['tcp://10.9.0.1:4002'] },
        ] },
        { handle: 'echo', elements: [{ id: '0x00000009', home: '0x00000000', policy: 'round-robin', life: 300, transports: ['tcp://10.9.0.1:4009'] }] },
      ],
    });
    expect(peer.received.map(({ type }) => type)).toEqual(['ENRP_LIST_REQUEST', 'ENRP_HANDLE_TABLE_REQUEST', 'ENRP_HANDLE_TABLE_REQUEST']);
    expect(new Set(peer.received.map(({ sendingServer }) => sendingServer))).toEqual(new Set([0])); // who asks is no registrar
    await peer.world.advance(1_000);
    expect(peer.downs).toEqual(['LINK_CLOSED']);
  });

  it('does without the states of the peers, which only ours tell; an element that moves between pieces is there once, as told last', async () => {
    const peer = await scripted((message) => {
      if (message.type === 'ENRP_LIST_REQUEST') return [list([server(0x5002)])];
      const isFirst = peer.count('ENRP_HANDLE_TABLE_REQUEST') === 1;
      return [table([['echo', [elementOf(1, { homeRegistrar: isFirst ? 1 : 2 })]]], { moreToSend: isFirst })];
    });
    const { peers, pools } = await peer.dump();
    expect(peers).toEqual([expect.objectContaining({ id: '0x00005002', state: 'unknown' })]);
    expect(pools.flatMap(({ elements }) => elements)).toEqual([expect.objectContaining({ id: '0x00000001', home: '0x00000002' })]);
  });

  it('shows handles that are no text in hexadecimal, and policies that nobody here knows by their number', async () => {
    const element = elementOf(1, { policy: { policy: 'unknown', type: 0x4000_0009, value: Buffer.of(1, 2, 3, 4) }, userTransport: { transport: 'opaque', data: Buffer.of(0xca, 0xfe) } });
    const peer = await scripted((message) => (message.type === 'ENRP_LIST_REQUEST' ? [list([])] : [table([[Buffer.of(0xff, 0), [element]]])]));
    expect((await peer.dump()).pools).toEqual([{ handle: '0xff00', elements: [expect.objectContaining({ policy: '0x40000009', transports: ['opaque:cafe'] })] }]);
  });

  it('is not led astray by messages that nobody asked for, or that a later release has', async () => {
    const peer = await scripted((message, association) => {
      association.sendFrame(Buffer.of(0x1f, 0, 0, 4));
      const presence: EnrpMessage = { type: 'ENRP_PRESENCE', flags: { replyRequired: true }, ...servers, checksum: 1 };
      return [presence, message.type === 'ENRP_LIST_REQUEST' ? list([]) : table([])];
    });
    expect(await peer.dump()).toEqual({ registrar: '0x00005001', peers: [], pools: [] });
  });
});

describe('a dump that cannot be had says why', () => {
  it('WRONG_PROTOCOL at an ASAP address: the registrar there answers ASAP_ERROR, and goes on', async () => {
    const asap = await RegistrarWorld.start();
    expect(await failure(asap.world, dumpRegistrar(asap.address, asap.world.host('operator')))).toEqual(['WRONG_PROTOCOL', `${asap.address}: it speaks ASAP; its ENRP address is wanted`]);
    await asap.elements('pe', 1);
    expect(asap.registrar.stats().elements).toBe(1);
  });

  it('CONNECT_FAILED where nobody is', async () => {
    const world = new World();
    expect(await failure(world, dumpRegistrar(`tcp://${world.host('nobody').address}:9901`, world.host('operator')))).toEqual(['CONNECT_FAILED', expect.any(String)]);
  });

  it('INVALID_URL before anything is done', async () => {
    const world = new World();
    await expect(dumpRegistrar('udp://10.0.0.1:1', world.host('operator'))).rejects.toMatchObject({ code: 'INVALID_URL' });
  });

  it('NO_ANSWER from one that keeps silent, after 5 s', async () => {
    const peer = await scripted(() => []);
    const before = peer.world.clock.now();
    expect(await peer.dumpFailure()).toEqual(['NO_ANSWER', expect.stringContaining('has not answered ENRP_LIST_REQUEST within 5 s')]);
    expect(peer.world.clock.now() - before).toBeLessThan(5_100);
  });

  it('LINK_CLOSED by one that hangs up', async () => {
    const peer = await scripted((_, association) => { association.close(); return []; });
    expect((await peer.dumpFailure())[0]).toBe('LINK_CLOSED');
  });

  it.each([
    ['a list', (message: EnrpMessage) => [message.type === 'ENRP_LIST_REQUEST' ? list([], undefined, true) : table([])]],
    ['a handle table', (message: EnrpMessage) => [message.type === 'ENRP_LIST_REQUEST' ? list([]) : table([], { reject: true })]],
  ] as const)('REQUEST_REFUSED by the R bit of %s', async (_, answer) => {
    expect((await (await scripted(answer)).dumpFailure())[0]).toBe('REQUEST_REFUSED');
  });

  it('REQUEST_REFUSED by ENRP_ERROR, with the causes in words', async () => {
    const peer = await scripted(() => [{ type: 'ENRP_ERROR', ...servers, error: [{ cause: 'lack-of-resources' }, { cause: 'unknown', code: 0x99, information: Buffer.alloc(0) }] }]);
    expect(await peer.dumpFailure()).toEqual(['REQUEST_REFUSED', expect.stringMatching(/it refuses: lack of resources, cause 0x99$/)]);
  });

  it.each([
    ['the identifier of nobody', () => list([], undefined, false, 0)],
    ['a registrar twice', () => list([server(0x5002), server(0x5002)])],
    ['a registrar that is nobody', () => list([server(0)])],
    ['more states than registrars', () => list([server(0x5002)], Uint8Array.of(1, 1))],
    ['fewer states than registrars', () => list([server(0x5002)], Uint8Array.of())],
  ] as const)('INVALID_ANSWER: a list with %s', async (_, answer) => {
    expect((await (await scripted(() => [answer()])).dumpFailure())[0]).toBe('INVALID_ANSWER');
  });

  it('INVALID_ANSWER: another registrar goes on with the table', async () => {
    const peer = await scripted((message) => [message.type === 'ENRP_LIST_REQUEST' ? list([]) : { ...table([]), sendingServer: 0x6666 }]);
    expect(await peer.dumpFailure()).toEqual(['INVALID_ANSWER', expect.stringContaining('it was 0x00005001 and is 0x00006666 now')]);
  });

  it('INVALID_ANSWER: bytes that are no list, though they say so', async () => {
    const peer = await scripted((_, association) => { association.sendFrame(Buffer.of(0x06, 0, 0, 8, 0, 0, 0x50, 1)); return []; });
    expect((await peer.dumpFailure())[0]).toBe('INVALID_ANSWER');
  });

  it('ENDLESS_ANSWER: more is announced, and nothing comes', async () => {
    const peer = await scripted((message) => [message.type === 'ENRP_LIST_REQUEST' ? list([]) : table([], { moreToSend: true })]);
    expect((await peer.dumpFailure())[0]).toBe('ENDLESS_ANSWER');
    expect(peer.count('ENRP_HANDLE_TABLE_REQUEST')).toBe(1);
  });

  it('ENDLESS_ANSWER: pieces without end, after 10 000 of them', async () => {
    const piece = table([['echo', [elementOf(1)]]], { moreToSend: true });
    const peer = await scripted((message) => [message.type === 'ENRP_LIST_REQUEST' ? list([]) : piece], { latency: 0.1 });
    expect((await peer.dumpFailure())[0]).toBe('ENDLESS_ANSWER');
    expect(peer.count('ENRP_HANDLE_TABLE_REQUEST')).toBe(10_000);
  });

  it('ENDLESS_ANSWER: a piece each 4 s, after a minute', async () => {
    const peer = await scripted((message, association) => {
      if (message.type === 'ENRP_LIST_REQUEST') return [list([])];
      peer.world.clock.setTimeout(() => { association.send(table([['echo', [elementOf(1)]]], { moreToSend: true })); }, 4_000);
      return [];
    });
    expect(await peer.dumpFailure()).toEqual(['ENDLESS_ANSWER', expect.stringContaining('60 s')]);
  });
});

describe('a removal by ENRP', () => {
  it('is asked for with parameter 0x8f05, and done once ENRP_HANDLE_UPDATE says so', async () => {
    const peer = await scripted((message) => (message.type === 'ENRP_HANDLE_UPDATE' ? [removed('echo', 0x2b), removed('echo', 0x2a)] : []));
    await peer.world.settled(removeElement(peer.address, 'echo', 0x2a, peer.world.host('operator')));
    expect(peer.received).toEqual([expect.objectContaining({
      type: 'ENRP_HANDLE_UPDATE', sendingServer: 0, receivingServer: 0, updateAction: 'DEL_PE', poolHandle: Buffer.from('echo'),
      poolElement: expect.objectContaining({ identifier: 0x2a }), generation: undefined, removalRequest: Buffer.alloc(0),
    })]);
  });

  it('REQUEST_REFUSED: there is no such element', async () => {
    const peer = await scripted(() => [{ type: 'ENRP_ERROR', ...servers, error: [{ cause: 'unknown-pool-handle' }] }]);
    expect(await peer.removalFailure('echo', 1)).toEqual(['REQUEST_REFUSED', expect.stringMatching(/unknown pool handle, or no such element in that pool$/)]);
  });

  it('NO_ANSWER where nobody says that it is done: what was said of another element does not count', async () => {
    const peer = await scripted(() => [removed('echo', 2), removed('other', 1), { ...removed('echo', 1), updateAction: 'ADD_PE' }]);
    expect((await peer.removalFailure('echo', 1))[0]).toBe('NO_ANSWER');
  });

  it('INVALID_HANDLE for the empty one', async () => {
    await expect(removeElement('tcp://10.0.0.1:1', '', 1, new World().host('operator'))).rejects.toMatchObject({ code: 'INVALID_HANDLE' });
  });
});

// ---- a registrar that answers as told

type Answer = (message: EnrpMessage, association: Association<EnrpMessage>) => readonly EnrpMessage[];

const servers = { sendingServer: 0x5001, receivingServer: 0 } as const;
const server = (serverId: number) => ({ serverId, transport: { transport: 'tcp', port: 9901, addresses: ['10.8.0.1'] } }) as const;

const list = (serverInformation: readonly ReturnType<typeof server>[], peerStates?: Uint8Array, reject = false, sendingServer: number = servers.sendingServer): EnrpMessage =>
  ({ type: 'ENRP_LIST_RESPONSE', ...servers, sendingServer, flags: { reject }, serverInformation, peerStates });

const table = (pools: readonly (readonly [string | Uint8Array, readonly PoolElement[]])[], flags: { readonly moreToSend?: boolean; readonly reject?: boolean } = {}): EnrpMessageOf<'ENRP_HANDLE_TABLE_RESPONSE'> => ({
  type: 'ENRP_HANDLE_TABLE_RESPONSE', ...servers, flags: { moreToSend: false, reject: false, ...flags },
  poolEntries: pools.map(([handle, poolElements]) => ({ poolHandle: Buffer.from(handle as string), poolElements })),
});

const removed = (handle: string, identifier: number): EnrpMessageOf<'ENRP_HANDLE_UPDATE'> =>
  ({ type: 'ENRP_HANDLE_UPDATE', ...servers, updateAction: 'DEL_PE', poolHandle: Buffer.from(handle), poolElement: elementOf(identifier) });

async function scripted(answer: Answer, network: ConstructorParameters<typeof World>[0] = {}): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(new World(network), answer);
  await peer.listen();
  return peer;
}

class ScriptedPeer {
  readonly received: EnrpMessage[] = [];
  readonly downs: string[] = [];

  constructor(readonly world: World, readonly answer: Answer) {}

  get #host() { return this.world.host('registrar'); }
  get address(): string { return `tcp://${this.#host.address}:9901`; }

  async listen(): Promise<void> {
    await this.world.settled(this.#host.tcp.listen(this.address, (link) => Association.take(enrpProtocol(servers.sendingServer), link, (association) => ({
      message: (message) => {
        this.received.push(message);
        for (const reply of this.answer(message, association)) association.send(reply);
      },
      down: ({ code }) => { this.downs.push(code); },
    }), this.#host.environment), { framing: enrpFraming }));
  }

  count(type: EnrpMessage['type']): number { return this.received.filter((message) => message.type === type).length; }

  async dump() { return this.world.settled(dumpRegistrar(this.address, this.world.host('operator'))); }
  async dumpFailure() { return failure(this.world, dumpRegistrar(this.address, this.world.host('operator'))); }
  async removalFailure(handle: string, identifier: number) { return failure(this.world, removeElement(this.address, handle, identifier, this.world.host('operator'))); }
}

/** Code and message. */
async function failure(world: World, promise: Promise<unknown>): Promise<readonly [string, string]> {
  const error = await world.settled(promise.then(() => undefined, (reason: unknown) => reason as RserpoolError & { code: string }), 120_000);
  if (error === undefined) throw new Error('it did not fail');
  return [error.code, error.message];
}
