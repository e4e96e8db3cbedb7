import { afterEach, describe, expect, it } from '@jest/globals';
import { freePorts } from '../../cli/demo/ports.js';
import type { Dump } from '../../actors/dump.js';
import { killAll, rserpool, startElement, startRegistrar } from '../support/processes.js';
import { LookUps, ownersIn, Scope } from '../support/registrar-processes.js';

afterEach(killAll);

const PATIENCE = 60_000;
/** Milliseconds without a living owner, at most. */
const BOUND = 2_000;
const [PROCESSES, EACH] = [5, 4];

describe('three registrars, 20 pool elements, look-ups all the time (processes on sockets)', () => {
  it.each(['killed', 'frozen'] as const)('any registrar is %s: no look-up fails, each PE has one living owner within 2 s; it comes back, and all agree', async (fault) => {
    const scope = await Scope.start();
    await scope.startElements(PROCESSES, EACH);
    await scope.agreed();
    const lookUps = new LookUps(scope.asap, 6, PROCESSES * EACH);
    for (const place of scope.places) {
      if (fault === 'killed') await place.kill();
      else place.freeze();
      const lookedUp = lookUps.round();
      expect(await scope.agreed()).toBeLessThanOrEqual(BOUND);
      await lookedUp; // each user, while the fault lasts
      if (fault === 'killed') await place.start();
      else place.thaw();
      await scope.agreed(); // that it owns none, or those that came to it since
    }
    await lookUps.stop();
    if (lookUps.failures.length > 0) throw new Error(`look-ups found ${lookUps.failures.join(', ')}\n${scope.lastWords()}`);
    expect(lookUps.slowest).toBeLessThanOrEqual(1_000);
  }, PATIENCE);

  it('SIGTERM: a rolling restart of all three leaves no PE without an owner, not for a moment', async () => {
    const scope = await Scope.start();
    await scope.startElements(PROCESSES, EACH);
    await scope.agreed();
    const lookUps = new LookUps(scope.asap, 6, PROCESSES * EACH);
    const restarts = async (): Promise<void> => {
      for (const place of scope.places) {
        place.process.kill('SIGTERM');
        expect(await place.process.ended).toEqual({ code: 0, signal: null });
        place.isServing = false;
        expect(scope.disagreement(await scope.dumps())).toBe(''); // it has given its PEs away before it ended
        await lookUps.round();
        await place.start();
        await scope.agreed();
      }
    };
    expect(await scope.missing(restarts())).toEqual([]);
    await lookUps.stop();
    expect(lookUps.failures).toEqual([]);
  }, PATIENCE);
});

describe('dump and remove', () => {
  it('dump tells the same of any registrar, as JSON and for people', async () => {
    const scope = await Scope.start();
    await scope.startElements(1, 2);
    await scope.agreed();
    const dumps = await Promise.all(scope.places.map(async ({ enrp }) => {
      const dump = rserpool('dump', '--registrar', enrp, '--json');
      expect(await dump.ended).toEqual({ code: 0, signal: null });
      return JSON.parse(dump.said.join('')) as Dump;
    }));
    expect(dumps.map(({ registrar }) => registrar)).toEqual(scope.places.map(({ id }) => id));
    for (const dump of dumps) {
      expect(dump.pools).toEqual(dumps[0]?.pools);
      expect(dump.peers).toEqual(scope.places.filter(({ id }) => id !== dump.registrar).map(({ id, enrp }) => ({ id, addresses: [enrp], state: 'active' })));
    }
    expect([...ownersIn(dumps[0]!).keys()]).toEqual(['0x00000100', '0x00000101']);

    const readable = rserpool('dump', '--registrar', scope.places[0]!.enrp);
    await readable.ended;
    expect(readable.said.join('\n')).toMatch(/^registrar 0x00005001: 2 peers, 1 pool, 2 elements\n\npeers\n {2}0x00005002 {2}active {2}tcp:.*\n.*\n\npool echo\n {2}0x00000100 {2}home 0x0000500\d {2}round-robin {2}\d+ s {2}tcp:/);
  }, PATIENCE);

  it('remove, at any registrar: one that is frozen is gone, one that is alive registers again, one that is not there is an error', async () => {
    const scope = await Scope.start();
    const { element } = await startElement({ service: 'echo', pool: 'echo', id: '0x0000002a', registrar: scope.places[0]!.asap });
    const home = scope.places[0]!;
    const removal = async (enrp: string, id: string) => {
      const remove = rserpool('remove', 'echo', id, '--registrar', enrp);
      const { code } = await remove.ended;
      return { code, said: remove.said };
    };
    for (const { enrp } of scope.places) {
      expect(await removal(enrp, '0x2a')).toEqual({ code: 0, said: ['0x0000002a is removed'] });
      await home.process.err(/removed .*0x0000002a/);
      await home.process.err(/registered .*0x0000002a/); // it is alive
    }
    element.kill('SIGSTOP');
    expect(await removal(scope.places[2]!.enrp, '42')).toEqual({ code: 0, said: ['0x0000002a is removed'] });
    for (const { pools } of await scope.dumps()) expect(pools).toEqual([]);
    expect(await removal(scope.places[1]!.enrp, '0x2a')).toEqual({ code: 1, said: [expect.stringMatching(/^rserpool: tcp:.*: it refuses: /)] });
  }, PATIENCE);

  it('dump at an ASAP address, and where nobody is: one line, exit code 1', async () => {
    const { address } = await startRegistrar({ logLevel: 'silent' });
    const [port] = await freePorts(1);
    for (const [at, line] of [[address, `rserpool: ${address}: it speaks ASAP; its ENRP address is wanted`], [`tcp://127.0.0.1:${port}`, `rserpool: cannot connect to tcp://127.0.0.1:${port}: ECONNREFUSED`]] as const) {
      const dump = rserpool('dump', '--registrar', at);
      expect(await dump.ended).toEqual({ code: 1, signal: null });
      expect(dump.said).toEqual([line]);
    }
  }, PATIENCE);
});

describe('--peer that is none', () => {
  const startWith = async (peer: (own: string) => string) => {
    const [asap = 0, enrp = 0] = await freePorts(2);
    const own = `tcp://127.0.0.1:${enrp}`;
    const registrar = rserpool('registrar', '--asap', `tcp://127.0.0.1:${asap}`, '--enrp', own, '--id', '0x5001', '--peer', peer(own));
    await registrar.out(/listens on/);
    return { registrar, asap: `tcp://127.0.0.1:${asap}` };
  };
  const serves = (registrar: string) => startElement({ service: 'echo', pool: 'echo', id: '0x0000002a', registrar });

  it('itself: a line in the log, and service', async () => {
    const { registrar, asap } = await startWith((own) => own);
    await registrar.err(/warn .*(itself|this registrar)/);
    await serves(asap);
  }, PATIENCE);

  it('nobody there: a line in the log, and service', async () => {
    const [port] = await freePorts(1);
    const { registrar, asap } = await startWith(() => `tcp://127.0.0.1:${port}`);
    await registrar.err(new RegExp(`warn .*${port}`));
    await serves(asap);
  }, PATIENCE);

  it('an ASAP port: a line in the log that says so, and service', async () => {
    const { address } = await startRegistrar({ logLevel: 'silent' });
    const { registrar, asap } = await startWith(() => address);
    await registrar.err(/warn .*ASAP/);
    await serves(asap);
  }, PATIENCE);

  it('--peer without --enrp is wrong use', async () => {
    const registrar = rserpool('registrar', '--peer', 'tcp://127.0.0.1:9901');
    expect(await registrar.ended).toEqual({ code: 2, signal: null });
    expect(registrar.errors[0]).toBe('error: --peer and --multicast need --enrp: where the other registrars reach this one');
  }, PATIENCE);
});
