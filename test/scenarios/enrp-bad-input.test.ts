import { expect, it } from '@jest/globals';
import { World } from '../../testing/world.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { EnrpPeer } from '../support/enrp-peer.js';
import { AsapPeer, elementOf, echo, RawPeer } from '../support/registrar-world.js';
import { ScopeWorld } from '../support/scope-world.js';

const LIAR = 0x9999;

interface Setting { readonly scope: ScopeWorld; readonly liar: EnrpPeer; readonly world: World }

/** Two honest registrars with an element each, and a third that answers everything. */
async function setting(): Promise<Setting> {
  const scope = await ScopeWorld.start(2);
  await scope.elements('pe1', [1], 'r1');
  await scope.elements('pe2', [2], 'r2');
  const liar = await EnrpPeer.start(scope.world, 'liar', LIAR);
  await liar.meet(scope.address('r1', 9901));
  liar.beat();
  await scope.world.advance(300);
  scope.events.length = 0;
  return { scope, liar, world: scope.world };
}

const honest = ({ scope }: Setting): string[][] => scope.names.map((name) => scope.known(name));
const update = (action: 'ADD_PE' | 'DEL_PE', identifier: number, home: number, generation?: { generation: number; home: number }) => ({
  type: 'ENRP_HANDLE_UPDATE', sendingServer: LIAR, receivingServer: 0, updateAction: action, poolHandle: echo, poolElement: elementOf(identifier, { homeRegistrar: home, generation }), generation,
}) as const;

it('a peer that registers and removes what is another\'s is not heeded, and told so (X-41)', async () => {
  const world = await setting();
  expect((await world.liar.ask(update('ADD_PE', 77, world.scope.id('r2')))).map(({ type }) => type)).toEqual(['ENRP_ERROR']);
  world.liar.send(update('DEL_PE', 1, world.scope.id('r1')));
  world.liar.send(update('DEL_PE', 2, world.scope.id('r2')));
  await world.world.advance(1_000);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
  expect(world.scope.events).toEqual([]);
});

it('a peer that claims living elements of others by a higher generation loses them again: their homes are told by themselves', async () => {
  const world = await setting();
  world.liar.send(update('ADD_PE', 1, LIAR, { generation: 1_000, home: LIAR }));
  await world.world.advance(50);
  world.liar.send(update('DEL_PE', 1, LIAR, { generation: 1_000, home: LIAR }));
  await world.world.advance(3_000);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
});

it('X-41: two homes that give one generation at the same time: the higher identifier tells all, for others may have followed the lower one', async () => {
  const scope = await ScopeWorld.start(1);
  const [element] = await scope.elements('pe1', [1], 'r1');
  const lower = await EnrpPeer.start(scope.world, 'lower', 1);
  const witness = await EnrpPeer.start(scope.world, 'witness', 2);
  for (const peer of [lower, witness]) {
    await peer.meet(scope.address('r1', 9901));
    peer.beat();
  }
  await scope.world.advance(300);
  const generation = element?.generation?.generation ?? NaN;
  witness.clear();
  const claim = (of: number) => ({ type: 'ENRP_HANDLE_UPDATE', sendingServer: 1, receivingServer: 0, updateAction: 'ADD_PE', poolHandle: echo, poolElement: elementOf(1, { homeRegistrar: 1, generation: { generation: of, home: 1 } }), generation: { generation: of, home: 1 } }) as const;
  lower.send(claim(generation - 1));
  await scope.world.advance(10);
  expect([generation, witness.of('ENRP_HANDLE_UPDATE')]).toEqual([1, []]); // an older one concerns nobody else
  lower.send(claim(generation));
  await scope.world.advance(10);
  expect(witness.of('ENRP_HANDLE_UPDATE')).toMatchObject([{ updateAction: 'ADD_PE', poolElement: { identifier: 1, homeRegistrar: scope.id('r1') } }]);
  expect(scope.known('r1')).toEqual(['1@r1']);
});

it('takeovers of the living are refused: that of another registrar, and without a word before', async () => {
  const world = await setting();
  const servers = { sendingServer: LIAR, receivingServer: world.scope.id('r1') };
  for (const link of world.liar.links) link.send({ type: 'ENRP_TAKEOVER_SERVER', ...servers, targetingServer: world.scope.id('r2') });
  await world.world.advance(1_000);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
  world.liar.clear();
  for (const link of world.liar.links) link.send({ type: 'ENRP_INIT_TAKEOVER', ...servers, targetingServer: world.scope.id('r2') });
  await world.world.advance(1_000);
  expect(world.liar.of('ENRP_INIT_TAKEOVER_ACK')).toEqual([]);
  expect(world.liar.of('ENRP_ERROR').map(({ error }) => error[0]?.cause)).toEqual(['rejected-due-to-security-considerations']);
});

it('a takeover of the registrar that hears of it: its elements stay, and are its own again', async () => {
  const world = await setting();
  world.liar.send({ type: 'ENRP_TAKEOVER_SERVER', sendingServer: LIAR, receivingServer: world.scope.id('r1'), targetingServer: world.scope.id('r1') });
  await world.world.advance(3_000);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
  expect(world.scope.events.filter((event) => event.includes('removed'))).toEqual([]);
});

it('a peer whose checksum is never right costs a table now and then, less and less often', async () => {
  const world = await setting();
  world.liar.saysChecksum = 0x1234;
  world.liar.clear();
  await world.world.advance(60_000);
  const asked = world.liar.of('ENRP_HANDLE_TABLE_REQUEST').length;
  expect([asked > 3, asked < 20]).toEqual([true, true]);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
});

it('a table without an end is given up: a piece has something new, or the last word', async () => {
  const world = await setting();
  const piece = [{ poolHandle: echo, poolElements: [elementOf(500, { homeRegistrar: LIAR })] }];
  world.liar.pieces = Array.from({ length: 2_000 }, () => piece);
  world.liar.saysChecksum = 0x1234;
  world.liar.clear();
  await world.world.advance(20_000);
  expect(world.liar.of('ENRP_HANDLE_TABLE_REQUEST').length).toBeLessThan(40);
  expect(world.scope.known('r1')).toContain(`500@${LIAR.toString(16)}`);
});

it('a mentor whose table has no end is no mentor: the newcomer serves alone', async () => {
  const world = new World();
  const liar = await EnrpPeer.start(world, 'liar', LIAR);
  liar.pieces = Array.from({ length: 2_000 }, () => [{ poolHandle: echo, poolElements: [elementOf(500, { homeRegistrar: LIAR })] }]);
  const started = world.clock.now();
  await newcomer(world, liar.address);
  expect(world.clock.now() - started).toBeLessThan(5_000);
});

it('an impossible list, a thousand registrars, is learned up to the limit, and costs no more', async () => {
  const world = new World();
  const liar = await EnrpPeer.start(world, 'liar', LIAR);
  liar.list = Array.from({ length: 1_000 }, (_, index) => ({ serverId: index + 1, transport: { transport: 'tcp', port: 9901, addresses: [`10.77.${index >> 8}.${index & 0xff}`] } }));
  const registrar = await newcomer(world, liar.address);
  expect(registrar.peers().length).toBeLessThanOrEqual(64);
  liar.beat();
  await world.advance(10_000);
  expect(registrar.peers().map(({ id, state }) => [id, state])).toEqual([[LIAR, 'active']]); // those that never said anything are forgotten
});

it('one that speaks as somebody else, or as this registrar itself, is not heeded', async () => {
  const world = await setting();
  world.liar.send({ ...update('DEL_PE', 2, world.scope.id('r2')), sendingServer: world.scope.id('r2') });
  world.liar.send({ ...update('DEL_PE', 1, world.scope.id('r1')), sendingServer: world.scope.id('r1') });
  await world.world.advance(1_000);
  expect(honest(world)).toEqual([['1@r1', '2@r2'], ['1@r1', '2@r2']]);
});

it('one that acknowledges no takeover holds nobody up (X-20)', async () => {
  const world = await setting();
  world.liar.deaf.add('ENRP_INIT_TAKEOVER');
  world.scope.world.host('r2').process.crash();
  await world.world.advance(5_000);
  expect(world.scope.known('r1')).toEqual(['1@r1', '2@r1']);
});

it('garbage at the ENRP address, and requests by the thousand from one that does not read, cost the others nothing', async () => {
  const world = await setting();
  const { r1 } = { r1: world.scope.world.host('r1') };
  for (let i = 0; i < 50; i++) new RawPeer(world.world.host(`stranger ${i}`).network.connect({ host: r1.address, port: 9901 })).socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  const greedy = await EnrpPeer.start(world.world, 'greedy', 0x7777);
  await greedy.meet(world.scope.address('r1', 9901));
  for (let i = 0; i < 1_000; i++) greedy.send({ type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly: false }, sendingServer: 0x7777, receivingServer: 0 });
  greedy.host.process.freeze();
  await world.world.advance(5_000);
  const peer = new AsapPeer(world.world, 'pe', world.scope.address('r1'));
  await world.world.advance(5);
  expect((await peer.register(elementOf(9))).isRejected).toBe(false);
  expect(world.scope.known('r2')).toContain('9@r1');
});

async function newcomer(world: World, peer: string): Promise<Registrar> {
  return world.settled(createRegistrar({ asap: ['tcp://0.0.0.0:3863'], enrp: ['tcp://0.0.0.0:9901'], peers: [peer], id: 0x5000, environment: world.host('newcomer').environment }));
}
