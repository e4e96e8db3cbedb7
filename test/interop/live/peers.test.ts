import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import type { Registrar } from '../../../actors/registrar.js';
import { nodeClock } from '../../../transports/node.js';
import { decodePoolElement, poolHandleKey } from '../../../wire/index.js';
import type { Job } from '../lab/agent.js';
import { Lab } from '../lab/lab.js';
import { quick, registrar, server } from '../lab/rsplib.js';
import { pause, until } from '../lab/until.js';
import { milliseconds, note } from './figures.js';
import { readAlike } from './reading.js';
import { elementsOf, hasElements, homeAt as homeSeenBy, identifierOf, Ours, ourRegistrar, SECOND } from './roles.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, three, four] = [lab.guest(1), lab.guest(2), lab.guest(3), lab.guest(4)] as const;
const ENRP = `sctp+udp://${one.address}:9901`;
const OURS = `sctp+udp://${lab.address}:9901`;
const processes = new Ours();
const at = (address: string) => ({ pool: 'EchoPool', registrar: address });

describe('our registrar and rspregistrar in one scope', () => {
  let ours: Registrar;
  let theirs: Job;
  const takeovers: string[] = [];

  beforeAll(async () => {
    await lab.alias(SECOND);
    await lab.fresh(1, 2, 3, 4);
    for (const guest of [1, 2, 3, 4]) await lab.encapsulate(guest);
  });
  afterEach(async () => processes.end());
  afterAll(async () => {
    await end(ours);
    await lab.fresh(1, 2, 3, 4);
  });

  /** Each goes on where the one before has ended: a registrar of RSPLIB that is alone takes 5 s until it serves. */
  scenario('R1', async () => {
    theirs = registrar(one, ...quick);
    await theirs.err(/Registrar started/);
    server(two, 'echo', at(one.address), 0x11);
    await theirs.err(/Successfully registered EchoPool/);
    await theirs.err(/The registrar is ready/);
    ours = await ourRegistrar({ peers: [ENRP], multicast: { interface: lab.address } });
    ours.on('takeover', ({ role, outcome }) => { takeovers.push(`${role} ${outcome}`); });
    await hasElements(ours, 'EchoPool', 0x11);
    expect(elementsOf(ours, 'EchoPool')[0]?.home).toBe(await identifierOf(theirs));
    expect(ours.peers()).toMatchObject([{ id: await identifierOf(theirs), state: 'active', addresses: expect.arrayContaining([ENRP]) }]);
  });

  scenario('R3', async () => {
    const element = server(three, 'echo', at(lab.address), 0x22);
    await hasElements(ours, 'EchoPool', 0x11, 0x22);
    await until(async () => await homeAt(one.address, 0x22) === ours.identifier, 'theirs knows the element of ours');
    await three.stop(element);
    await until(async () => await homeAt(one.address, 0x22) === undefined, 'theirs knows that it has gone');
    const other = server(three, 'echo', at(one.address), 0x33);
    await hasElements(ours, 'EchoPool', 0x11, 0x33);
    await three.stop(other);
    await hasElements(ours, 'EchoPool', 0x11);
  });

  scenario('R4', async () => {
    const capture = await lab.capture('R4');
    await capture.has({ ENRP_PRESENCE: 12 });
    expect(capture.count()).not.toHaveProperty('ENRP_HANDLE_TABLE_REQUEST'); // they agree
    const { handlespace } = ours;
    const pool = handlespace.pool(poolHandleKey(Buffer.from('EchoPool')))!;
    const [theirElement] = [...pool.elements()];
    handlespace.remove(theirElement!); // ours has lost one of theirs, and is told
    await hasElements(ours, 'EchoPool', 0x11);
    const lost = decodePoolElement(theirElement!.encoded);
    const added = handlespace.put(pool.key, { ...lost, identifier: 0x44, homeRegistrar: ours.identifier }); // theirs has missed one of ours, and asks
    await until(async () => await homeAt(one.address, 0x44) === ours.identifier, 'theirs has asked');
    handlespace.remove(added);
    await until(async () => await homeAt(one.address, 0x44) === undefined, 'and again');
    await capture.stop();
    expect(await readAlike(capture)).toMatchObject({ ENRP_HANDLE_TABLE_REQUEST: expect.any(Number) });
  });

  scenario('R5', async () => {
    const began = nodeClock.now();
    await lab.drop(1);
    await one.stop(theirs, 'KILL');
    await until(() => elementsOf(ours, 'EchoPool')[0]?.home === ours.identifier, 'ours has taken over');
    note('our registrar takes over from rspregistrar that has vanished', milliseconds((nodeClock.now() - began) / 1_000));
    await until(() => ours.stats().associations > 0, 'it has reached the element');
    await pause(2_500); // a claim that nobody acknowledges has ended by then
    await hasElements(ours, 'EchoPool', 0x11);
    expect(takeovers).toEqual(['initiating begun', 'initiating won']);
  });

  scenario('R2', async () => {
    await lab.fresh(1);
    await lab.encapsulate(1);
    theirs = registrar(one, ...quick, '-takeoverexpiryinterval=9000');
    await theirs.err(/after obtaining handlespace from mentor server/);
    expect(await homeAt(one.address, 0x11)).toBe(ours.identifier);
    await until(() => ours.peers().some(({ state }) => state === 'active'), 'ours knows it');
  });

  /** RSPLIB does not get to an end with a takeover where nobody is left to acknowledge it: a second one of ours does. */
  scenario('R6', async () => {
    await end(ours);
    ours = await ourRegistrar({ peers: [ENRP], timers: { maxTimeLastHeard: 60_000, maxTimeNoResponse: 5_000 } }); // theirs is the first to see it
    const killed = await killable(0x61, ENRP, OURS);
    server(four, 'echo', { ...at(SECOND), pool: 'OurPool' }, 0x66);
    await hasElements(ours, 'OurPool', 0x66);
    killed.kill('SIGKILL');
    const began = nodeClock.now();
    const id = await identifierOf(theirs);
    await until(() => elementsOf(ours, 'OurPool')[0]?.home === id, 'theirs has taken over, and ours has seen it by its checksum');
    note('rspregistrar takes over from our registrar that is killed', milliseconds((nodeClock.now() - began) / 1_000));
    await pause(2_000); // a keep-alive that nobody acknowledges has ended by then
    expect(await homeAt(one.address, 0x66)).toBe(id);
    await end(ours);
  });

  /** Who goes on where both begin at once (ours gives in by RFC 5353 §3.5.1, theirs insists) is in machines/takeover: here ours is sooner to see it. */
  scenario('R7', async () => {
    ours = await ourRegistrar({ peers: [ENRP] });
    const killed = await killable(0x62, ENRP, OURS);
    const element = server(three, 'echo', { ...at(SECOND), pool: 'LastPool' }, 0x77);
    await hasElements(ours, 'LastPool', 0x77);
    killed.kill('SIGKILL');
    const homes = async (): Promise<string> => [elementsOf(ours, 'LastPool')[0]?.home, await homeAt(one.address, 0x77)].join();
    const owners = [ours.identifier, await identifierOf(theirs)].map((id) => `${id},${id}`);
    await until(async () => owners.includes(await homes()), 'both agree on one owner of the two');
    note('both take over: the owner is', (await homes()).startsWith(String(ours.identifier)) ? 'ours' : 'theirs');
    await three.stop(element, 'KILL');
  });
});

/** Our registrar as a process of its own, at the second address. */
const killable = async (id: number, ...peers: readonly string[]) =>
  processes.process('registrar', '--asap', `sctp+udp://${SECOND}:3863`, '--enrp', `sctp+udp://${SECOND}:9901`, '--id', id.toString(16), ...peers.flatMap((peer) => ['--peer', peer]));

/** Where nobody takes what it hands over it goes all the same. */
const end = async (registrar: Registrar): Promise<void> => registrar.close({ signal: AbortSignal.timeout(3_000) }).catch(() => undefined);

const homeAt = async (host: string, id: number): Promise<number | undefined> => homeSeenBy(four, host, id);
