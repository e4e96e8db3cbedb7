import type { Generation, Policy } from '../../wire/index.js';
import { elementOf, REGISTRAR, RegistrarWorld, type AsapPeer } from '../support/registrar-world.js';

/** A registrar and those who register with it, message by message. */

const given = (generation: number): Generation => ({ generation, home: REGISTRAR });

describe('registration at the registrar (RFC 5352 §3.1)', () => {
  // proves 5352-3.1-aj, 5352-3.1-ak, 5352-4-i
  it('§2.2.3: accepts a pool element: handle, identifier, no R bit, no error, and the generation it gives', async () => {
    const { registrar, events, peer } = await start();
    expect((await peer.register(elementOf(7))).answer).toEqual({
      type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: Buffer.from('echo'), peIdentifier: 7, generation: given(1),
    });
    expect([registrar.stats(), events]).toEqual([{ pools: 1, elements: 1, associations: 1 }, ['registered 7']]);
  });

  // proves 5352-3.1-af, 5352-3.1-an
  it('the element goes out with its home, everything else as it registered', async () => {
    const { peer } = await start();
    await peer.listen();
    const element = elementOf(7, { policy: { policy: 'weighted-random', weight: 3 }, registrationLife: -1, asapTransport: peer.asapTransport, capabilities: Buffer.from([1]) });
    await peer.register(element);
    const { poolElements, policy } = await peer.resolve();
    expect([poolElements, policy]).toEqual([[{ ...element, homeRegistrar: REGISTRAR, generation: given(1) }], element.policy]);
  });

  // proves 5352-3.1-ac, 5352-3.1-ae
  it('a renewal over the same association keeps its generation; what it says anew counts', async () => {
    const { peer, events } = await start();
    await peer.register(elementOf(7, { policy: least(10) }));
    expect((await peer.register(elementOf(7, { policy: least(90), generation: given(1) }))).generation).toEqual(given(1));
    expect((await peer.resolve()).poolElements).toMatchObject([{ policy: least(90) }]);
    expect(events).toEqual(['registered 7']);
  });

  it('X-15: over another association of the same host, with the same user transport, it is the same element: it moves there, with a new generation', async () => {
    const { setting, peer } = await start();
    await peer.register(elementOf(7));
    const other = await setting.peer();
    expect((await other.register(elementOf(7))).generation).toEqual(given(2));
    expect((await other.resolve()).poolElements).toMatchObject([{ identifier: 7, generation: given(2) }]);
    peer.association.close();
    await setting.world.advance(5_000);
    expect(setting.registrar.stats().elements).toBe(1); // the old association has no say in it any more
    expect(other.count('ASAP_ENDPOINT_KEEP_ALIVE')).toBeGreaterThan(0);
  });

  // proves 5352-3.1-al, 5352-3.1-am
  it.each([
    ['from another host', 'other', elementOf(7)],
    ['with another user transport', 'peer', elementOf(7, { userTransport: { transport: 'tcp', port: 99, addresses: ['10.9.9.9'] } })],
  ])('X-15, 0x4: %s it is somebody else: the first one is asked, and where it answers the other is refused', async (_, host, element) => {
    const { setting, peer, events } = await start();
    await peer.register(elementOf(7));
    const other = await setting.peer(host);
    expect((await other.register(element)).answer).toMatchObject({ flags: { reject: true }, peIdentifier: 7, error: [{ cause: 'non-unique-pe-identifier' }] });
    expect(peer.count('ASAP_ENDPOINT_KEEP_ALIVE')).toBe(1);
    expect((await peer.resolve()).poolElements).toMatchObject([{ userTransport: elementOf(7).userTransport, generation: given(1) }]);
    expect(events).toEqual(['registered 7']);
  });

  it('X-15: where the first one does not answer, the other was it, back by another way: accepted when its time is over', async () => {
    const { setting, peer, events } = await start();
    await peer.register(elementOf(7));
    peer.isAlive = false;
    const other = await setting.peer('other');
    other.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(7) });
    await setting.world.advance(900);
    expect([other.received, events]).toEqual([[], ['registered 7']]);
    await setting.world.advance(200);
    expect(other.received).toMatchObject([{ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, generation: given(2) }]);
    expect([events, peer.received.at(-1)]).toEqual([['registered 7', 'removed 7: unanswered', 'registered 7'], expect.objectContaining({ type: 'ASAP_DEREGISTRATION_RESPONSE', generation: given(1) })]);
    await setting.world.advance(5_000);
    expect(setting.registrar.stats().elements).toBe(1);
  });

  it('X-15: and where its association turns out to be gone, at once, without a gap', async () => {
    const { setting, peer, events } = await start();
    await peer.register(elementOf(7));
    peer.isAlive = false;
    const other = await setting.peer('other');
    other.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(7) });
    await setting.world.advance(10);
    peer.association.destroy('LINK_LOST');
    await setting.world.advance(10);
    expect(other.received).toMatchObject([{ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, generation: given(2) }]);
    expect(events).toEqual(['registered 7']);
    await setting.world.advance(5_000);
    expect([events, other.count('ASAP_ENDPOINT_KEEP_ALIVE') > 0]).toEqual([['registered 7'], true]);
  });

  it('X-15: of two that claim it the first is refused; one that goes away has no claim left', async () => {
    const { setting, peer, events } = await start();
    await peer.register(elementOf(7));
    peer.isAlive = false;
    const [first, second] = [await setting.peer('first'), await setting.peer('second')];
    const claim = { type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(7) } as const;
    first.association.send(claim);
    await setting.world.advance(10);
    second.association.send(claim);
    await setting.world.advance(10);
    expect(first.received).toMatchObject([{ flags: { reject: true }, error: [{ cause: 'non-unique-pe-identifier' }] }]);
    second.association.destroy('LINK_LOST');
    await setting.world.advance(5_000);
    expect([events, setting.registrar.stats().elements]).toEqual([['registered 7', 'removed 7: unanswered'], 0]);
  });

  it('X-15: the first one registers again meanwhile: it lives, the claim is refused', async () => {
    const { setting, peer } = await start();
    await peer.register(elementOf(7));
    peer.isAlive = false;
    const other = await setting.peer('other');
    other.association.send({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: elementOf(7) });
    await setting.world.advance(10);
    expect((await peer.register(elementOf(7))).isRejected).toBe(false);
    await setting.world.advance(10);
    expect(other.received).toMatchObject([{ flags: { reject: true }, error: [{ cause: 'non-unique-pe-identifier' }] }]);
  });

  it('X-15: where the association of the first one is gone, whoever comes with its identifier is it, wherever it is now', async () => {
    const { setting, peer } = await start();
    await peer.listen(); // answers keep-alives: it would not be removed
    await peer.register(elementOf(7, { asapTransport: peer.asapTransport }));
    const other = await setting.peer('other');
    setting.world.network.hold('registrar', 'peer'); // no probe gets through meanwhile
    peer.association.destroy('LINK_LOST');
    await setting.world.advance(5);
    expect((await other.register(elementOf(7, { userTransport: { transport: 'tcp', port: 99, addresses: ['10.9.9.9'] } }))).isRejected).toBe(false);
  });

  // proves 5352-3.1-z, 5352-3.1-aa, 5352-3.1-ab
  it('0x8: and its use of the user transport, where that says one', async () => {
    const { peer } = await start();
    const sctp = (use: 'data-only' | 'data-and-control', identifier: number) => elementOf(identifier, { userTransport: { transport: 'sctp', port: 1, use, addresses: ['10.9.0.1'] } });
    await peer.register(sctp('data-only', 7));
    expect((await peer.register(sctp('data-and-control', 8))).causes).toEqual([{ cause: 'inconsistent-data-control-configuration' }]);
    expect((await peer.register(sctp('data-only', 8))).isRejected).toBe(false);
  });

  // proves 5352-3.1-ah
  it('rule 4, X-37: one that does not say where it listens for ASAP goes out with the address it registered from', async () => {
    const { setting, peer } = await start();
    await peer.register(elementOf(7));
    expect((await peer.resolve()).poolElements).toMatchObject([{ asapTransport: { transport: 'tcp', addresses: [setting.world.host('peer').address] } }]);
  });

  it('the same element of the same association may move to another port', async () => {
    const { peer } = await start();
    await peer.register(elementOf(7));
    await peer.register(elementOf(7, { userTransport: { transport: 'tcp', port: 99, addresses: ['10.9.0.2'] } }));
    expect((await peer.resolve()).poolElements).toMatchObject([{ userTransport: { port: 99 } }]);
  });

  // proves 5352-3.1-z, 5352-3.1-aa, 5352-3.1-ab, 5352-3.1-ad, 5352-3.1-al, 5352-3.1-am
  it('rule 1, 0x5: a second element has the policy of the pool, or is told which that is', async () => {
    const { peer } = await start();
    await peer.register(elementOf(7, { policy: least(1) }));
    expect((await peer.register(elementOf(8))).causes).toEqual([{ cause: 'inconsistent-pooling-policy', policy: least(1) }]);
    expect((await peer.register(elementOf(8, { policy: least(99) }))).isRejected).toBe(false); // the load is its own
    expect((await peer.register(elementOf(7))).causes).toEqual([expect.objectContaining({ cause: 'inconsistent-pooling-policy' })]);
  });

  it('policies without a name here are told apart by their numbers', async () => {
    const { peer } = await start();
    const unknown = (type: number): Policy => ({ policy: 'unknown', type, value: new Uint8Array(0) });
    await peer.register(elementOf(7, { policy: unknown(0x4000_0098) }));
    expect((await peer.register(elementOf(8, { policy: unknown(0x4000_0099) }))).causes).toEqual([expect.objectContaining({ cause: 'inconsistent-pooling-policy' })]);
    expect((await peer.register(elementOf(8, { policy: unknown(0x4000_0098) }))).isRejected).toBe(false);
  });

  // proves 5352-3.1-z, 5352-3.1-aa, 5352-3.1-ab
  it('0x7: and its kind of user transport', async () => {
    const { peer } = await start();
    const { userTransport } = elementOf(7);
    await peer.register(elementOf(7));
    expect((await peer.register(elementOf(8, { userTransport: { transport: 'udp', port: 1, addresses: ['10.9.0.1'] } }))).causes).toEqual([{ cause: 'inconsistent-transport-type', transport: userTransport }]);
  });

  it('alone in its pool an element may change all of it; the next one follows the pool as it is then', async () => {
    const { peer, registrar, events } = await start();
    const udp = (identifier: number) => elementOf(identifier, { userTransport: { transport: 'udp', port: identifier, addresses: ['10.9.0.1'] } });
    await peer.register(elementOf(7));
    const { generation } = await peer.register(udp(7));
    expect((await peer.register(elementOf(8))).causes).toEqual([{ cause: 'inconsistent-transport-type', transport: udp(7).userTransport }]);
    expect((await peer.register(udp(8))).isRejected).toBe(false);
    await peer.deregister(8);
    await peer.register({ ...udp(7), policy: least(5) });
    expect((await peer.resolve()).policy).toEqual(least(5));
    expect((await peer.register(udp(8))).causes).toEqual([{ cause: 'inconsistent-pooling-policy', policy: least(5) }]);
    expect([generation, registrar.stats().elements, events]).toEqual([given(1), 1, ['registered 7', 'registered 8', 'removed 8: deregistered']]);
  });

  it('a refused change of a pool leaves everything as it was', async () => {
    const { peer } = await start();
    await peer.register(elementOf(7, { policy: least(1) }));
    expect((await peer.register(elementOf(7, { policy: least(2), registrationLife: 0 }))).isRejected).toBe(true);
    expect((await peer.resolve()).poolElements).toMatchObject([{ policy: least(1) }]);
  });

  // proves 5352-3.1-ai
  it.each([['identifier 0', elementOf(0)], ['a life of 0', elementOf(7, { registrationLife: 0 })], ['a life of -2', elementOf(7, { registrationLife: -2 })]])('0x3: %s is refused', async (_, element) => {
    const { peer, registrar } = await start();
    expect((await peer.register(element)).causes).toEqual([expect.objectContaining({ cause: 'invalid-values' })]);
    expect(registrar.stats().elements).toBe(0);
  });

  // proves 5352-3.1-ai
  it('0x6: limits on pools, on elements of a pool, on registrations of one association; what is registered goes on', async () => {
    const { setting, peer, registrar } = await start({ limits: { pools: 2, elementsPerPool: 2, registrationsPerAssociation: 3 } });
    const resources = [{ cause: 'lack-of-resources' }];
    const other = await setting.peer('other');
    await peer.register(elementOf(1));
    await peer.register(elementOf(2));
    expect((await other.register(elementOf(3))).causes).toEqual(resources); // of the pool
    await peer.register(elementOf(3), Buffer.from('second'));
    expect((await peer.register(elementOf(4), Buffer.from('second'))).causes).toEqual(resources); // of the association
    expect((await other.register(elementOf(4), Buffer.from('third'))).causes).toEqual(resources); // of all
    expect((await peer.register(elementOf(2))).isRejected).toBe(false);
    await peer.deregister(3, undefined, Buffer.from('second'));
    expect((await other.register(elementOf(4), Buffer.from('third'))).isRejected).toBe(false);
    expect(registrar.stats()).toEqual({ pools: 2, elements: 3, associations: 2 });
  });

  it('an element that keeps changing its pool does not use up its association', async () => {
    const { peer } = await start({ limits: { registrationsPerAssociation: 2 } });
    for (let time = 0; time < 10; time += 1) await peer.register(elementOf(7, { policy: time % 2 === 0 ? least(1) : { policy: 'random' } }));
    expect((await peer.register(elementOf(8, { policy: { policy: 'random' } }))).isRejected).toBe(false);
    expect((await peer.register(elementOf(9, { policy: { policy: 'random' } }))).causes).toEqual([{ cause: 'lack-of-resources' }]);
  });

  it('§2.2.4: when its life is over it is removed and told so; one that renews it stays; -1 is for ever', async () => {
    const { setting, peer, events } = await start();
    for (const [identifier, registrationLife] of [[7, 2], [8, 2], [9, -1]] as const) await peer.register(elementOf(identifier, { registrationLife }));
    await setting.world.advance(1_500);
    await peer.register(elementOf(8, { registrationLife: 2 }));
    await setting.world.advance(1_200); // 7 is over since about half a second at most: one schedule looks at all
    expect(events.slice(3)).toEqual(['removed 7: expired']);
    expect(peer.received).toContainEqual({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 7, generation: given(1) });
    expect((await peer.resolve()).poolElements.map(({ identifier }) => identifier).sort()).toEqual([8, 9]);
  });

  it('X-41: a generation is above the one it had elsewhere and the one it has here, whichever association it comes by', async () => {
    const { setting, peer } = await start();
    expect((await peer.register(elementOf(7, { generation: { generation: 40, home: 9 } }))).generation).toEqual(given(41));
    const other = await setting.peer();
    expect((await other.register(elementOf(7, { generation: { generation: 3, home: 9 } }))).generation).toEqual(given(42)); // not back to 4
    expect((await other.register(elementOf(8))).generation?.generation).toBeGreaterThan(0);
  });
});

describe('de-registration at the registrar (RFC 5352 §3.2)', () => {
  // proves 5352-3.2-l, 5352-3.2-o, 5352-4-i
  it('takes the element out and confirms; the last one takes the pool along', async () => {
    const { peer, registrar, events } = await start();
    await peer.register(elementOf(7));
    expect(await peer.deregister(7, given(1))).toEqual({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: Buffer.from('echo'), peIdentifier: 7, generation: given(1) });
    expect([registrar.stats(), events.at(-1), peer.count('ASAP_DEREGISTRATION_RESPONSE')]).toEqual([{ pools: 0, elements: 0, associations: 1 }, 'removed 7: deregistered', 1]);
  });

  // proves 5352-2.2.2-a, 5352-2.2.2-b, 5352-3.2-n, 5352-3.2-p
  it('D2, X-31: nobody else can do it for it', async () => {
    const { setting, peer, registrar } = await start();
    await peer.register(elementOf(7));
    const other = await setting.peer('other');
    expect((await other.deregister(7)).error).toEqual([{ cause: 'rejected-due-to-security-considerations' }]);
    expect(registrar.stats().elements).toBe(1);
  });

  it('by another association where its own is gone, it can', async () => {
    const { setting, peer, registrar } = await start();
    await peer.register(elementOf(7, { asapTransport: { transport: 'tcp', port: 1, addresses: ['10.0.0.99'] } }));
    peer.association.destroy('LINK_LOST');
    await setting.world.advance(2);
    const other = await setting.peer('other');
    expect((await other.deregister(7, given(1))).error).toBeUndefined();
    expect(registrar.stats().elements).toBe(0);
  });

  // proves 5352-3.2-m
  it('one that is not there is gone as it wishes to be', async () => {
    const { peer } = await start();
    expect((await peer.deregister(7)).error).toBeUndefined();
    await peer.register(elementOf(8));
    expect((await peer.deregister(7)).error).toBeUndefined();
    expect((await peer.resolve()).poolElements).toHaveLength(1);
  });

  it('X-41: a late one never takes a newer registration with it', async () => {
    const { setting, peer, registrar } = await start();
    await peer.register(elementOf(7));
    const other = await setting.peer();
    await other.register(elementOf(7)); // generation 2
    await other.deregister(7, given(1));
    expect(registrar.stats().elements).toBe(1);
    await other.deregister(7, given(2));
    expect(registrar.stats().elements).toBe(0);
  });
});

const least = (load: number): Policy => ({ policy: 'least-used', load });

async function start(options: Parameters<typeof RegistrarWorld.start>[0] = {}): Promise<{ setting: RegistrarWorld; peer: AsapPeer; registrar: RegistrarWorld['registrar']; events: string[] }> {
  const setting = await RegistrarWorld.start(options);
  return { setting, peer: await setting.peer(), registrar: setting.registrar, events: setting.events };
}
