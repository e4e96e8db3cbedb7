import { serverHuntMachine, type ServerHuntContext, type ServerHuntInput } from '../../machines/server-hunt.js';
import { drive, type Driven } from '../support/drive.js';
import { anyActor, middle, onNoPath, quick, rfc } from './support.js';

const addresses = (...names: string[]): string[] => names.map((name) => `tcp://10.0.0.${name}:3863`);
const input = (given: Partial<ServerHuntInput> = {}): ServerHuntInput => ({
  host: anyActor('host'), registrars: addresses('1', '2', '3', '4', '5'), lookUp: async (registrars) => Promise.resolve(registrars), timers: rfc,
  silence: () => 0, unheard: () => Infinity, isNeeded: () => true, fraction: middle, ...given,
});
type Hunt = Driven<typeof serverHuntMachine>;
const hunt = (given?: Partial<ServerHuntInput>): Hunt => drive(serverHuntMachine, input(given));
const hunting = (given?: Partial<ServerHuntInput>): Hunt => {
  const started = hunt(given);
  started.send({ type: 'home.seek', why: 'none' });
  started.childDone('lookUp', started.context.registrars);
  return started;
};
const atHome = (given?: Partial<ServerHuntInput>): Hunt => {
  const found = hunting(given);
  found.send({ type: 'attempt.up', address: found.context.attempts[0] as string });
  return found;
};
const started = (driven: Hunt): unknown[] => driven.sent.filter(({ type }) => type === 'attempt.start').map((order) => (order as unknown as { address: string }).address);

describe('server hunt (RFC 5352 §3.6)', () => {
  it('begins when somebody wants a registrar, by resolving the host names', () => {
    expect(hunt().send({ type: 'home.seek', why: 'none' })).toEqual(['send hunt.begun', 'start T5-Serverhunt 10000', 'invoke lookUp']);
  });

  // proves 5352-3.6-h, 5352-3.6-j
  it('SH1, SH2: tries three registrars at once, in random order, and starts T5', () => {
    const driven = hunting();
    expect(driven.state).toBe('hunting.attempting');
    expect(driven.timers).toEqual(['T5-Serverhunt']);
    expect(new Set(started(driven)).size).toBe(3);
    const orders = new Set([0, 0.3, 0.6, 0.9].map((fraction) => started(hunting({ fraction: () => fraction })).join()));
    expect(orders.size).toBeGreaterThan(1);
  });

  // proves 5352-3.6-h
  it('SH1: with fewer registrars all of them, each once', () => {
    expect(started(hunting({ registrars: [...addresses('1'), ...addresses('1', '2')] })).sort()).toEqual(addresses('1', '2'));
  });

  // proves 5352-3.6-k, 5352-3.6-l, 5352-3.6-r
  it('SH3, SH6: the first association is home; T5 stops and is as at the beginning', () => {
    const driven = hunting();
    driven.expire('T5-Serverhunt');
    driven.childDone('lookUp', addresses('1'));
    expect(driven.send({ type: 'attempt.up', address: addresses('1')[0] as string })).toEqual(['cancel T5-Serverhunt', 'send home.adopt', 'start home-quiet 36854.166666666664']);
    expect([driven.context.home, driven.context.t5, driven.context.attempts]).toEqual([addresses('1')[0], 10_000, []]);
  });

  it('of the present home it keeps the association it has, unless that has been dead for long: what was asked waits there', () => {
    for (const [unheard, why, order] of [[4499, 'T2-registration', 'home.kept'], [4500, 'T2-registration', 'home.adopt'], [4499, 'silence', 'home.kept'], [499, 'T1-ENRPrequest', 'home.kept'], [500, 'T1-ENRPrequest', 'home.adopt']] as const) {
      const driven = atHome({ registrars: addresses('1'), timers: quick, unheard: () => unheard });
      driven.send({ type: 'home.seek', why });
      driven.childDone('lookUp', addresses('1'));
      driven.send({ type: 'attempt.up', address: addresses('1')[0] as string });
      expect(driven.sent.map(({ type }) => type)).toEqual(order === 'home.kept' ? ['attempts.stop', 'home.kept'] : ['home.adopt']);
      expect([driven.state, driven.context.attempts, driven.context.home]).toEqual(['home.heard', [], addresses('1')[0]]);
    }
  });

  // proves 5352-3.6-m
  it('SH4: where one fails the next address is tried', () => {
    const driven = hunting();
    const [first] = driven.context.attempts;
    const [next] = driven.context.candidates;
    expect(driven.send({ type: 'attempt.failed', address: first as string })).toEqual(['send attempt.start']);
    expect(started(driven)).toEqual([next]);
    expect(driven.context.attempts).toHaveLength(3);
  });

  // proves 5352-3.6-n, 5352-3.6-o, 5352-3.6-p, 5352-3.6-q
  it('SH5: when T5 expires it is doubled, up to RETRAN.max; the attempts stop, and a different set is tried', () => {
    const driven = hunting({ registrars: addresses('1', '2', '3', '4', '5', '6') });
    const first = started(driven);
    expect(driven.expire('T5-Serverhunt')).toEqual(['send attempts.stop', 'start T5-Serverhunt 20000', 'invoke lookUp']);
    driven.childDone('lookUp', driven.context.registrars);
    expect(started(driven).filter((address) => first.includes(address))).toEqual([]);
    driven.expire('T5-Serverhunt');
    driven.childDone('lookUp', driven.context.registrars);
    expect(driven.expire('T5-Serverhunt')).toContain('start T5-Serverhunt 60000');
  });

  it('where nobody is left to try it rests: tens of milliseconds at first (quick), doubled up to RETRAN.max', () => {
    const driven = hunting({ registrars: addresses('1'), timers: quick });
    const rests: string[] = [];
    for (let round = 1; round <= 12; round += 1) {
      const said = driven.send({ type: 'attempt.failed', address: addresses('1')[0] as string });
      rests.push(said.find((word) => word.startsWith('start')) ?? '');
      expect(said).toContain('send hunt.failed');
      driven.expire('hunt-back-off');
      driven.childDone('lookUp', addresses('1'));
    }
    expect(rests.slice(0, 4)).toEqual([37.5, 75, 150, 300].map((delay) => `start hunt-back-off ${delay}`));
    expect(rests.at(-1)).toBe('start hunt-back-off 7500');
  });

  it('while it rests, somebody new who wants a registrar shortens the rest once, to about T5', () => {
    const driven = hunting({ registrars: addresses('1') });
    driven.send({ type: 'attempt.failed', address: addresses('1')[0] as string });
    expect(driven.send({ type: 'home.seek', why: 'none' })).toEqual(['cancel hunt-back-off', 'start hunt-interval 7500']);
    expect(driven.send({ type: 'home.seek', why: 'none' })).toEqual([]);
    expect(driven.expire('hunt-interval')).toContain('invoke lookUp');
  });

  it('names that cannot be resolved are a round without success; so is a resolver that never answers', () => {
    const driven = hunt();
    driven.send({ type: 'home.seek', why: 'none' });
    driven.childFailed('lookUp');
    expect(driven.state).toBe('hunting.lost.resting');
    driven.expire('hunt-back-off');
    expect(driven.expire('T5-Serverhunt')).toContain('send hunt.failed');
  });

  it('tells at once who wants a registrar while there is one', () => {
    expect(atHome().send({ type: 'home.seek', why: 'none' })).toEqual(['send home.kept']);
  });

  // proves 5352-3.6-g, 5352-3.6-i
  it.each(['T1-ENRPrequest', 'T2-registration', 'T3-deregistration'] as const)('%s expired: hunts for a different registrar, the present one last, its association kept and counted (SH1)', (why) => {
    const driven = atHome({ registrars: addresses('1', '2', '3') });
    const home = driven.context.home as string;
    expect(driven.send({ type: 'home.seek', why })).toContain('send hunt.begun');
    driven.childDone('lookUp', driven.context.registrars);
    expect(started(driven)).toHaveLength(2);
    expect(driven.context.candidates).toEqual([home]);
  });

  it('§3.7.2: the answer that was missed ends the hunt; another message does not', () => {
    const driven = atHome();
    driven.send({ type: 'home.seek', why: 'T2-registration' });
    driven.childDone('lookUp', driven.context.registrars);
    expect(driven.send({ type: 'home.heard', answers: 'T1-ENRPrequest' })).toEqual([]);
    expect(driven.send({ type: 'home.heard', answers: 'T2-registration' })).toEqual(['cancel T5-Serverhunt', 'send attempts.stop', 'send home.kept', 'start home-quiet 36854.166666666664']);
  });

  // proves 5352-3.6-g
  it('hunts when the association to its home is lost, and rests where nobody needs one', () => {
    expect(atHome().send({ type: 'home.down' })).toContain('send hunt.begun');
    const idle = atHome({ isNeeded: () => false });
    expect(idle.send({ type: 'home.down' })).toEqual(['cancel home-quiet']);
    expect([idle.state, idle.context.home]).toEqual(['idle', undefined]);
  });

  it('a home that does not stay, once and again, is hunted for less and less often, and after the others; one that stays for a while is forgiven', () => {
    const driven = atHome({ timers: quick, registrars: addresses('1', '2') });
    const up = (): void => {
      driven.childDone('lookUp', driven.context.registrars);
      driven.send({ type: 'attempt.up', address: driven.context.attempts[0] as string });
    };
    expect(driven.send({ type: 'home.down' })).toContain('send hunt.begun'); // the first time at once
    up();
    const unsteady = driven.context.home as string;
    expect(driven.send({ type: 'home.down' })).toContain('start hunt-back-off 75');
    driven.expire('hunt-back-off');
    driven.childDone('lookUp', driven.context.registrars);
    expect([started(driven).includes(unsteady), driven.context.candidates]).toEqual([false, [unsteady]]);
    driven.send({ type: 'attempt.up', address: driven.context.attempts[0] as string });
    expect(driven.send({ type: 'home.down' })).toContain('start hunt-back-off 150');
    driven.expire('hunt-back-off');
    up();
    driven.expire('home-quiet');
    expect(driven.send({ type: 'home.down' })).toContain('invoke lookUp');
  });

  it('a home lost during the hunt is no longer waited for', () => {
    const driven = atHome();
    driven.send({ type: 'home.seek', why: 'T1-ENRPrequest' });
    driven.send({ type: 'home.down' });
    expect(driven.send({ type: 'home.heard', answers: 'T1-ENRPrequest' })).toEqual([]);
  });

  it('KA2.4: a registrar that makes itself home ends the hunt', () => {
    const driven = hunting();
    expect(driven.send({ type: 'home.adopted', address: 'tcp://10.0.0.9:50000' })).toEqual(['cancel T5-Serverhunt', 'send attempts.stop', 'start home-quiet 36854.166666666664']);
    expect([driven.state, driven.context.home]).toEqual(['home.heard', 'tcp://10.0.0.9:50000']);
  });
});

describe('the silence of home (X-1)', () => {
  let silence = 0;
  const quiet = (): Hunt => atHome({ silence: () => silence, timers: quick });
  beforeEach(() => { silence = 0; });

  it('asks after a half to two thirds of the bound, drawn anew each time, and hunts after a third more: the whole at the latest', () => {
    for (const fraction of [0, 0.5, 0.999]) {
      const driven = atHome({ silence: () => silence, timers: quick, fraction: () => fraction });
      const asked = quick.homeSilence * (2 / 3 - fraction / 8);
      expect(driven.timers).toEqual(['home-quiet']);
      silence = asked;
      expect(driven.expire('home-quiet')).toEqual(['send home.probe', 'start rest-of-silence 500']);
      silence = asked + 500;
      expect(silence).toBeLessThanOrEqual(quick.homeSilence);
      expect(driven.expire('rest-of-silence')).toContain('send hunt.begun');
      expect(driven.context.why).toBe('silence');
      silence = 0;
    }
  });

  it('a sign of life defers the question: one timer for many messages', () => {
    const driven = quiet();
    silence = 200;
    expect(driven.expire('home-quiet')).toEqual(['start home-quiet 706.25']);
    silence = 906.25;
    driven.expire('home-quiet');
    silence = 10;
    expect(driven.expire('rest-of-silence')).toEqual(['start home-quiet 896.25']);
  });

  it('any message ends a hunt for silence, and the suspicion', () => {
    const driven = quiet();
    silence = 1500;
    driven.expire('home-quiet');
    driven.expire('rest-of-silence');
    expect(driven.context.suspects).toEqual([driven.context.home]);
    expect(driven.send({ type: 'home.heard', answers: 'T1-ENRPrequest' })).toContain('send home.kept');
    expect(driven.context.suspects).toEqual([]);
  });

  it('D-29: a process that has thawed asks first, and gives the whole last third for the answer', () => {
    const driven = quiet();
    silence = 60_000;
    expect(driven.expire('home-quiet')).toEqual(['send home.probe', 'start rest-of-silence 500']);
  });
});

describe('who accepts an association and answers nothing (RFC 5352 §3.6, §3.7)', () => {
  const lost = (driven: Hunt): void => {
    driven.send({ type: 'home.seek', why: 'T2-registration' });
    driven.childDone('lookUp', driven.context.registrars);
  };
  const move = (driven: Hunt, to: string): void => { driven.send({ type: 'attempt.up', address: to }); };

  it('SH5: the present home is tried when no other is left to try, never beside another', () => {
    const driven = atHome({ registrars: addresses('1', '2') });
    const home = driven.context.home as string;
    lost(driven);
    const [other] = started(driven) as string[];
    expect([started(driven).length, other === home]).toEqual([1, false]);
    driven.send({ type: 'attempt.failed', address: other as string });
    expect(started(driven)).toEqual([home]);
  });

  it('it is tried after those that have not failed, and alone: it would win each race', () => {
    const driven = atHome({ registrars: addresses('1', '2', '3') });
    const mute = driven.context.home as string;
    lost(driven);
    const second = driven.context.attempts[0] as string;
    move(driven, second);
    lost(driven);
    const [third] = started(driven) as string[];
    expect([started(driven).length, driven.context.candidates]).toEqual([1, [mute, second]]);
    move(driven, third as string);
    lost(driven);
    expect([started(driven), driven.context.candidates]).toEqual([[mute], [second, third]]); // all have: the one whose failure is longest ago
  });

  it('one that cannot even be connected to does not hide it for longer than T5', () => {
    const driven = atHome({ registrars: addresses('1', '2', '3') });
    const mute = driven.context.home as string;
    lost(driven);
    const [second, silent] = driven.context.attempts as [string, string];
    move(driven, second);
    lost(driven);
    expect(started(driven)).toEqual([silent]);
    driven.expire('T5-Serverhunt');
    driven.childDone('lookUp', driven.context.registrars);
    expect(started(driven)).toEqual([mute]);
  });

  it('a registrar that makes itself home is no suspect any more', () => {
    const driven = atHome({ registrars: addresses('1', '2') });
    const home = driven.context.home as string;
    lost(driven);
    driven.send({ type: 'home.adopted', address: home });
    expect(driven.context.suspects).toEqual([]);
  });

  it('T5 is drawn a little shorter or longer: many do not try again in step', () => {
    const spans = [0, 0.5, 1].map((fraction) => hunt({ timers: quick, fraction: () => fraction }).send({ type: 'home.seek', why: 'none' })[1]);
    expect(spans).toEqual(['start T5-Serverhunt 450', 'start T5-Serverhunt 500', 'start T5-Serverhunt 550']);
  });
});

describe('announced registrars (RFC 5352 §3.6)', () => {
  const announced = (...names: string[]) => (): readonly string[] => names.map((name) => `tcp://10.0.1.${name}:3863`);
  const [forged = ''] = announced('99')();

  // proves 5352-3.6-b, 5352-4-d, 5352-4-h
  it('are tried beside the configured ones: these first, then those in the order they are told', () => {
    const driven = hunting({ registrars: addresses('1', '2'), announced: announced('1', '2', '3') });
    expect(started(driven).slice(0, 2).sort()).toEqual(addresses('1', '2'));
    expect([started(driven)[2], ...driven.context.candidates]).toEqual(announced('1', '2', '3')());
  });

  it('SH5: the next round tries those that were not tried, whoever told of them', () => {
    const driven = hunting({ registrars: addresses('1', '2', '3'), announced: announced('1') });
    expect(started(driven).sort()).toEqual(addresses('1', '2', '3'));
    driven.expire('T5-Serverhunt');
    driven.childDone('lookUp', addresses('1', '2', '3'));
    expect(started(driven)[0]).toBe(announced('1')()[0]);
  });

  it('X-10: none are configured, or their names have no address, or the resolver never answers: the announced ones are tried', () => {
    for (const fail of [(driven: Hunt) => driven.childFailed('lookUp'), (driven: Hunt) => driven.expire('T5-Serverhunt')]) {
      const driven = hunt({ registrars: [], announced: announced('1') });
      driven.send({ type: 'home.seek', why: 'none' });
      fail(driven);
      expect([driven.state, ...started(driven)]).toEqual(['hunting.attempting', ...announced('1')()]);
    }
  });

  it('an announcement ends the rest of a hunt, not before about T5 / 2: thousands of them cost no more', () => {
    const driven = hunting({ registrars: addresses('1') });
    driven.send({ type: 'attempt.failed', address: addresses('1')[0] as string });
    expect(driven.send({ type: 'registrar.announced', address: forged })).toEqual(['cancel hunt-back-off', 'start hunt-interval 7500']);
    expect(driven.send({ type: 'registrar.announced', address: forged })).toEqual([]);
    expect(driven.expire('hunt-interval')).toContain('invoke lookUp');
  });

  it('an announcement during a round adds its address to it, once, up to sixteen in all', () => {
    const driven = hunting({ registrars: addresses('1', '2') });
    expect(driven.send({ type: 'registrar.announced', address: forged })).toEqual(['send attempt.start']);
    expect(driven.send({ type: 'registrar.announced', address: forged })).toEqual([]);
    for (let host = 0; host < 100; host += 1) driven.send({ type: 'registrar.announced', address: `tcp://10.0.2.${host}:3863` });
    expect([driven.context.attempts.length, driven.context.candidates.length]).toEqual([3, 13]);
  });

  // proves 5352-9.2-t
  it('an announcement means nothing to a home that lives, nor to one who wants none', () => {
    const driven = atHome();
    const { home } = driven.context;
    expect(driven.send({ type: 'registrar.announced', address: forged })).toEqual([]);
    expect([driven.state, driven.context.home]).toEqual(['home.heard', home]);
    expect(hunt().send({ type: 'registrar.announced', address: forged })).toEqual([]);
  });
});

describe('server hunt, as a chart', () => {
  it('has every state and transition on some path', () => {
    const world = (silence: number, isNeeded: boolean, announced = addresses()): ServerHuntInput =>
      input({ announced: () => announced, registrars: addresses('1', '2', '3', '4'), timers: { ...quick, homeSilence: 1000 }, silence: () => silence, unheard: () => silence, isNeeded: () => isNeeded });
    const cases = {
      'home.seek': [{ why: 'none' }, { why: 'T1-ENRPrequest' }],
      'home.heard': [{ answers: 'T1-ENRPrequest' }, { answers: 'T2-registration' }],
      'home.adopted': [{ address: 'tcp://10.0.0.9:50000' }],
      'registrar.announced': addresses('5').map((address) => ({ address })),
      'attempt.up': addresses('1', '2', '3').map((address) => ({ address })),
      'attempt.failed': addresses('1', '2', '3', '4').map((address) => ({ address })),
      'xstate.done.actor.lookUp': [{ output: addresses('1') }, { output: addresses('1', '2', '3', '4') }],
    };
    const project = ({ attempts, candidates, home, suspects, why, rounds }: ServerHuntContext, isAlone = false): unknown =>
      [attempts.length, candidates.length, home !== undefined, isAlone && suspects.includes(home ?? ''), why, Math.min(rounds, 1)];
    const options = { cases, project: (context: unknown) => project(context as ServerHuntContext), limit: 50_000 };
    const missing = onNoPath(serverHuntMachine, [world(0, true), world(600, false), world(1000, true), world(0, true, addresses('5'))], options);
    // Where there is only one registrar, a hunt finds it again.
    const one = { 'home.seek': [{ why: 'T1-ENRPrequest' }], 'attempt.up': [{ address: addresses('1')[0] }], 'xstate.done.actor.lookUp': [{ output: addresses('1') }] };
    const alone = onNoPath(serverHuntMachine, [world(0, true)], { ...options, cases: one, project: (context) => project(context as ServerHuntContext, true) });
    expect(missing.filter((part) => alone.includes(part))).toEqual([]);
  });
});
