import { describe, expect, it } from '@jest/globals';
import { registrarPeerMachine, type RegistrarPeerInput } from '../../machines/registrar-peer.js';
import { drive, type Driven } from '../support/drive.js';
import { middle, onNoPath, quick } from './support.js';

/** `world` may be changed as the test goes on. */
interface Given { silence: number; asked: number; owns: boolean; doubts: boolean }
type Chart = Driven<typeof registrarPeerMachine>;

const input = (world: Given): RegistrarPeerInput => ({
  timers: quick, silence: () => world.silence, asked: () => world.asked, ownsElements: () => world.owns, suspectsItself: () => world.doubts, fraction: middle,
});

/** Has been silent for so long as it takes, and been asked for so long, unless said otherwise. */
function setting(given: Partial<Given> = {}): { readonly world: Given; readonly peer: Chart } {
  const world = { silence: quick.maxTimeLastHeard, asked: quick.maxTimeNoResponse, owns: true, doubts: false, ...given };
  return { world, peer: drive(registrarPeerMachine, input(world)) };
}

function active(given: Partial<Given> = {}): ReturnType<typeof setting> {
  const all = setting(given);
  all.peer.send({ type: 'heard' });
  return all;
}

function suspected(given: Partial<Given> = {}): ReturnType<typeof setting> {
  const all = active(given);
  all.peer.expire('MAX-TIME-LAST-HEARD');
  return all;
}

const PROBE = ['emit order.probe', 'start MAX-TIME-NO-RESPONSE 400'];
const IN_SYNC = 'active.hearing.waiting & active.data.inSync';

describe('a peer that others have named (RFC 5353 §3.2.2, §3.4.1)', () => {
  it('is a peer when it says something itself', () => {
    const { peer } = setting({ silence: 0 });
    expect([peer.initial, peer.state]).toEqual([['start introduction 1400'], 'unknown']);
    expect(peer.send({ type: 'heard' })).toEqual(['cancel introduction', 'start MAX-TIME-LAST-HEARD 1000']);
    expect(peer.state).toBe(IN_SYNC);
  });

  it('never does: it is forgotten; where pool elements are registered with it, it has failed', () => {
    const stranger = setting({ owns: false }).peer;
    expect([stranger.expire('introduction'), stranger.state, stranger.status]).toEqual([['emit order.forget'], 'gone', 'done']);
    const lost = setting({ owns: true }).peer;
    expect([lost.expire('introduction'), lost.state]).toEqual([['emit order.takeover'], 'dead']);
  });
});

describe('supervision (RFC 5353 §3.4.3)', () => {
  // proves 5353-3.4.3-a
  it('as long as it is heard nothing happens: the timer goes on for the rest of the silence', () => {
    const { peer, world } = active({ silence: 0 });
    world.silence = 300;
    expect([peer.expire('MAX-TIME-LAST-HEARD'), peer.state]).toEqual([['start MAX-TIME-LAST-HEARD 700'], IN_SYNC]);
  });

  // proves 5353-3.4.3-c
  it('silent for MAX-TIME-LAST-HEARD, it is asked for a sign of life', () => {
    const { peer } = active();
    expect([peer.expire('MAX-TIME-LAST-HEARD'), peer.state]).toEqual([PROBE, 'suspected']);
  });

  // proves 5353-3.4.3-d, 5353-3.4.3-e
  it('no answer within MAX-TIME-NO-RESPONSE: it is dead, and taken over', () => {
    const { peer } = suspected();
    expect([peer.expire('MAX-TIME-NO-RESPONSE'), peer.state]).toEqual([['emit order.takeover'], 'dead']);
  });

  it.each(['suspected', 'dead'])('%s: a sign of life makes it active again (§3.5.1)', (state) => {
    const { peer } = suspected();
    if (state === 'dead') peer.expire('MAX-TIME-NO-RESPONSE');
    peer.send({ type: 'heard' });
    expect(peer.state).toBe(IN_SYNC);
  });

  it('its link has ended, or another registrar takes it for dead: it is asked at once, no more', () => {
    for (const type of ['transport.down', 'doubt'] as const) {
      const { peer } = active({ silence: 0 });
      expect([peer.send({ type }), peer.state]).toEqual([['cancel MAX-TIME-LAST-HEARD', ...PROBE], 'suspected']);
    }
  });

  it('was heard after it had been asked, by a timer that runs before that is said: it is active', () => {
    const { peer, world } = suspected();
    world.silence = 100;
    expect([peer.expire('MAX-TIME-NO-RESPONSE').at(-1), peer.state]).toEqual(['start MAX-TIME-LAST-HEARD 900', IN_SYNC]);
  });

  it('a registrar that was frozen runs its timers before it reads: the peer had no time to answer, and is asked again', () => {
    const { peer, world } = suspected();
    world.asked = 20;
    expect([peer.expire('MAX-TIME-NO-RESPONSE'), peer.state]).toEqual([PROBE, 'suspected']);
  });

  it('a registrar that suspects most of its peers suspects itself, for one round', () => {
    const { peer, world } = suspected({ doubts: true });
    expect(peer.expire('MAX-TIME-NO-RESPONSE')).toEqual(PROBE);
    expect(peer.expire('MAX-TIME-NO-RESPONSE')).toEqual(['emit order.takeover']);
    peer.send({ type: 'heard' }); // and once more
    peer.expire('MAX-TIME-LAST-HEARD');
    expect(world.doubts).toBe(true);
    expect(peer.expire('MAX-TIME-NO-RESPONSE')).toEqual(PROBE);
  });

  it.each(['unknown', 'active', 'suspected', 'dead'])('%s: taken over by somebody: off the list', (state) => {
    const { peer } = state === 'unknown' ? setting() : state === 'active' ? active() : suspected();
    if (state === 'dead') peer.expire('MAX-TIME-NO-RESPONSE');
    expect(peer.send({ type: 'forget' }).at(-1)).toBe('emit order.forget');
    expect([peer.state, peer.status]).toEqual(['gone', 'done']);
  });
});

describe('audit and resynchronisation (RFC 5353 §3.6)', () => {
  const differs = { type: 'checksum.differs' } as const;
  const agrees = { type: 'checksum.agrees' } as const;
  const data = (peer: Chart): string => peer.state.split(' & ')[1] ?? peer.state;
  const differsTwice = (peer: Chart): void => {
    peer.send(differs);
    peer.expire('settling');
    peer.send(differs);
  };

  // proves 5353-3.6.1-d, 5353-3.6.1-e, 5353-3.6.1-f
  it('the first checksum that differs may be because of what is under way; at the second its elements are asked for', () => {
    const { peer } = active();
    expect([peer.send(differs), data(peer)]).toEqual([['start settling 150'], 'active.data.differing.fresh']);
    expect([peer.send(agrees), data(peer)]).toEqual([['cancel settling'], 'active.data.inSync']);
    peer.send(differs);
    peer.expire('settling');
    expect([peer.send(differs), data(peer)]).toEqual([['emit order.audit', 'start T1-ENRPrequest 1000'], 'active.data.resyncing.asking']);
  });

  it('two that come at once, over two new links, are one: who was started again is first told what it owned', () => {
    const { peer } = active();
    peer.send(differs);
    expect([peer.send(differs), data(peer)]).toEqual([[], 'active.data.differing.fresh']);
    peer.expire('settling');
    expect([peer.send(agrees), data(peer)]).toEqual([[], 'active.data.inSync']);
  });

  it('each piece gives the next one its time; after the last one it is done', () => {
    const { peer } = active();
    differsTwice(peer);
    expect(peer.send({ type: 'audit.progress' })).toEqual(['cancel T1-ENRPrequest', 'start T1-ENRPrequest 1000']);
    expect(peer.send({ type: 'audit.done' })).toEqual(['cancel T1-ENRPrequest', 'emit order.audit.end', 'start audit-back-off 225']);
    expect(data(peer)).toBe('active.data.audited');
    peer.send(agrees);
    expect([data(peer), peer.context.audits]).toEqual(['active.data.inSync', 0]);
  });

  it('refused, or not answered: it ends, and its marks are given up', () => {
    const { peer } = active();
    differsTwice(peer);
    expect(peer.send({ type: 'audit.failed' })).toContain('emit order.audit.end');
    expect(peer.expire('audit-back-off')).toEqual([]);
    differsTwice(peer);
    expect(peer.expire('T1-ENRPrequest')).toContain('emit order.audit.end');
  });

  it('a checksum that is never right costs a table less and less often', () => {
    const { peer } = active();
    const waits: string[] = [];
    for (let time = 0; time < 8; time++) {
      differsTwice(peer);
      waits.push(peer.send({ type: 'audit.done' }).at(-1) ?? '');
      peer.expire('audit-back-off');
    }
    expect(waits.map((wait) => Number(wait.split(' ').at(-1)))).toEqual([225, 450, 900, 1800, 3600, 7200, 7500, 7500]);
  });

  it('ends with the link, or with the peer', () => {
    for (const type of ['transport.down', 'forget'] as const) {
      const { peer } = active();
      differsTwice(peer);
      expect(peer.send({ type })).toContain('emit order.audit.end');
    }
  });
});

it('every state but `dead`, which waits for the takeover or a sign of life, has a timer', () => {
  expect([setting(), active(), suspected()].map(({ peer }) => peer.timers.length)).toEqual([1, 1, 1]);
});

it('every state and every transition of the chart is on some path', () => {
  const worlds = [0, 1_000].flatMap((silence) => [0, 400].flatMap((asked) => [true, false].flatMap((owns) => [true, false].map((doubts) => input({ silence, asked, owns, doubts })))));
  const project = ({ isSpared, audits }: Chart['context']) => ({ isSpared, audits: Math.min(audits, 2) });
  expect(onNoPath(registrarPeerMachine, worlds, { project: project as never })).toEqual([]);
});
