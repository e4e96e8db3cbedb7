import { describe, expect, it } from '@jest/globals';
import { takeoverMachine, type TakeoverInput } from '../../machines/takeover.js';
import { drive, type Driven } from '../support/drive.js';
import { middle, onNoPath, quick } from './support.js';

/** Identifiers: of the registrar whose chart it is, of one with a smaller and one with a larger identifier, and of the target. */
const SELF = 5;
const SMALLER = 3;
const LARGER = 8;
const TARGET = 6;

/** `world` may be changed as the test goes on. */
interface Given { peers: number[]; owns: boolean; away: boolean }
type Chart = Driven<typeof takeoverMachine>;

const input = (world: Given, initiator?: number): TakeoverInput => ({
  self: SELF, target: TARGET, initiator, peers: () => world.peers, ownsElements: () => world.owns, wasAway: () => world.away, timers: quick, fraction: middle,
});

function setting(initiator?: number, given: Partial<Given> = {}): { readonly world: Given; readonly chart: Chart } {
  const world = { peers: [SMALLER, LARGER], owns: true, away: false, ...given };
  return { world, chart: drive(takeoverMachine, input(world, initiator)) };
}

const init = (by: number) => ({ type: 'ENRP_INIT_TAKEOVER', by }) as const;
const ack = (by: number) => ({ type: 'ENRP_INIT_TAKEOVER_ACK', by }) as const;
const acknowledges = (...to: readonly number[]) => [{ type: 'order.acknowledge', to }];

describe('the initiating registrar (RFC 5353 §3.5.1)', () => {
  // proves 5353-3.5.1-a, 5353-3.5.1-c, 5353-3.5.1-m, 5353-3.5.1-n
  it('asks all, waits for the acknowledgement of each, and has won', () => {
    const { chart } = setting();
    expect(chart.initial).toEqual(['emit order.initiate', 'start arbitration 1200']);
    expect([chart.send(ack(SMALLER)), chart.state]).toEqual([[], 'arbitrating']);
    expect(chart.send(ack(LARGER))).toEqual(['cancel arbitration', 'emit order.claim']);
    expect([chart.state, chart.status]).toEqual(['won', 'done']);
  });

  it('wins at once where nobody else is there', () => {
    const { chart } = setting(undefined, { peers: [] });
    expect(chart.initial.at(-1)).toBe('emit order.claim');
    expect(chart.state).toBe('won');
  });

  it('the same acknowledgement twice is one', () => {
    const { chart } = setting();
    chart.send(ack(SMALLER));
    chart.send(ack(SMALLER));
    expect(chart.state).toBe('arbitrating');
  });

  it('X-20: a peer that is found dead meanwhile is waited for no longer', () => {
    const { chart } = setting();
    chart.send(ack(SMALLER));
    expect(chart.send({ type: 'peer.gone', by: LARGER })).toContain('emit order.claim');
  });

  it('X-20: one that is alive, and neither agrees nor objects, holds nobody up', () => {
    const { chart } = setting();
    chart.send(ack(SMALLER));
    expect(chart.expire('arbitration')).toEqual(['emit order.claim']);
  });

  // proves 5353-3.5.1-f, 5353-3.5.1-o
  it.each(['arbitrating', 'examining', 'yielded', 'refused'])('%s: a sign of life of the target ends it', (state) => {
    const { chart } = setting(state === 'examining' || state === 'yielded' ? LARGER : undefined);
    if (state === 'yielded') chart.expire('MAX-TIME-NO-RESPONSE');
    if (state === 'refused') chart.send({ type: 'takeover.refused', by: SMALLER });
    expect(chart.state).toBe(state);
    expect(chart.send({ type: 'target.heard' })).toContain('emit order.spare');
    expect([chart.state, chart.status]).toEqual(['refuted', 'done']);
  });

  // proves 5353-3.5.2-g
  it.each(['arbitrating', 'examining', 'yielded', 'refused'])('%s: somebody has won: the target is off the list', (state) => {
    const { chart } = setting(state === 'examining' || state === 'yielded' ? LARGER : undefined);
    if (state === 'yielded') chart.expire('MAX-TIME-NO-RESPONSE');
    if (state === 'refused') chart.send({ type: 'takeover.refused', by: SMALLER });
    expect(chart.send({ type: 'ENRP_TAKEOVER_SERVER', by: SMALLER })).toContain('emit order.forget');
    expect([chart.state, chart.status]).toEqual(['ended', 'done']);
  });
});

describe('two initiators (RFC 5353 §3.5.1 step 2)', () => {
  // proves 5353-3.5.1-g, 5353-3.5.1-h, 5353-3.5.1-i
  it('2A: the smaller identifier gives in, and agrees', () => {
    const { chart } = setting();
    expect(chart.send(init(LARGER))).toEqual(['cancel arbitration', 'emit order.acknowledge', 'start takeover-expiry 1875']);
    expect([chart.emitted, chart.state]).toEqual([acknowledges(LARGER), 'yielded']);
  });

  // proves 5353-3.5.1-g, 5353-3.5.1-j
  it('2B: the larger one does not answer, and wins when the other has given in', () => {
    const { chart } = setting();
    expect([chart.send(init(SMALLER)), chart.state]).toEqual([[], 'arbitrating']);
    chart.send(ack(LARGER));
    expect(chart.send(ack(SMALLER))).toContain('emit order.claim');
  });

  it('RSPLIB, whose smaller identifier wins, is the smaller: both insist; we give in after a while, or both would wait for ever', () => {
    const { chart } = setting();
    chart.send(ack(LARGER));
    chart.send(init(SMALLER));
    chart.send(init(SMALLER)); // again and again
    expect(chart.expire('arbitration')).toEqual(['emit order.acknowledge', 'start takeover-expiry 1875']);
    expect([chart.emitted, chart.state]).toEqual([acknowledges(SMALLER), 'yielded']);
  });

  it('RSPLIB is the larger: both give in; where nobody completes it all begin anew', () => {
    const { chart } = setting();
    chart.send(init(LARGER));
    expect(chart.send(ack(LARGER))).toEqual([]); // it has given in as well
    expect(chart.expire('takeover-expiry')).toEqual(['emit order.initiate', 'start arbitration 1200']);
    chart.send(ack(SMALLER));
    expect(chart.send(ack(LARGER))).toContain('emit order.claim');
  });

  it('RSPLIB is the larger, and completes it without a word to us: nothing is left of the target, and all is over', () => {
    const { chart, world } = setting();
    chart.send(init(LARGER));
    world.owns = false;
    expect(chart.expire('takeover-expiry')).toEqual(['emit order.forget']);
    expect(chart.state).toBe('ended');
  });

  it('several rivals that insist are all given in to', () => {
    const { chart } = setting(undefined, { peers: [2, SMALLER] });
    chart.send(init(SMALLER));
    chart.send(init(2));
    chart.expire('arbitration');
    expect(chart.emitted).toEqual(acknowledges(SMALLER, 2));
  });
});

describe('one that is asked (RFC 5353 §3.5.1 step 3)', () => {
  // proves 5353-3.5.1-k, 5353-3.5.1-l
  it('one accuser is no proof: it asks the target itself, and agrees when there is no answer', () => {
    const { chart } = setting(SMALLER);
    expect(chart.initial).toEqual(['emit order.examine', 'start MAX-TIME-NO-RESPONSE 400']);
    expect(chart.expire('MAX-TIME-NO-RESPONSE')).toEqual(['emit order.acknowledge', 'start takeover-expiry 1875']);
    expect(chart.emitted).toEqual(acknowledges(SMALLER));
  });

  it('still hears the target: it says so to who wants to take it over', () => {
    const { chart } = setting(SMALLER);
    expect(chart.send({ type: 'target.heard' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', 'emit order.refuse', 'emit order.spare']);
    expect(chart.emitted[0]).toEqual({ type: 'order.refuse', to: SMALLER });
  });

  it('agrees with all that ask meanwhile: they arbitrate', () => {
    const { chart } = setting(SMALLER);
    chart.send(init(LARGER));
    chart.expire('MAX-TIME-NO-RESPONSE');
    expect(chart.emitted).toEqual(acknowledges(SMALLER, LARGER));
  });

  it('has agreed already: a further initiator gets its acknowledgement at once', () => {
    const { chart } = setting(SMALLER);
    chart.expire('MAX-TIME-NO-RESPONSE');
    expect(chart.send(init(LARGER))).toEqual(['emit order.acknowledge']);
    expect([chart.emitted, chart.context.winner]).toEqual([acknowledges(LARGER), LARGER]);
  });

  it('finds the target dead by its own question, asked before: it agrees at once', () => {
    const { chart } = setting(SMALLER);
    chart.send(init(LARGER));
    expect(chart.send({ type: 'target.dead' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', 'emit order.acknowledge', 'start takeover-expiry 1875']);
    expect(chart.emitted).toEqual(acknowledges(SMALLER, LARGER));
  });

  it('X-40: the target says itself that it leaves: there is nothing to examine', () => {
    expect(setting(SMALLER).chart.send({ type: 'target.leaves' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', 'emit order.initiate', 'start arbitration 1200']);
  });
});

describe('who is to take over dies (X-20)', () => {
  it('the winner is found dead before it has told the end: all begin anew at once', () => {
    const { chart, world } = setting(LARGER);
    chart.expire('MAX-TIME-NO-RESPONSE');
    world.peers = [SMALLER];
    expect(chart.send({ type: 'peer.gone', by: SMALLER })).toEqual([]); // not the winner
    expect(chart.send({ type: 'peer.gone', by: LARGER })).toEqual(['cancel takeover-expiry', 'emit order.initiate', 'start arbitration 1200']);
    expect(chart.send(ack(SMALLER))).toContain('emit order.claim');
  });

  it('it does not say anything any more: all begin anew after a while, each at its own time', () => {
    const spans = [0, 0.5, 0.999].map((fraction) => {
      const { chart } = { chart: drive(takeoverMachine, { ...input({ peers: [SMALLER], owns: true, away: false }, LARGER), fraction: () => fraction }) };
      return chart.expire('MAX-TIME-NO-RESPONSE')[1];
    });
    expect(spans).toEqual(['start takeover-expiry 1500', 'start takeover-expiry 1875', 'start takeover-expiry 2249.25']);
  });
});

describe('one of the others hears the target', () => {
  it('it asks again, less and less often, at most every RETRAN.max or two', () => {
    const { chart } = setting();
    const waits: string[] = [];
    for (let time = 0; time < 6; time++) {
      waits.push(chart.send({ type: 'takeover.refused', by: SMALLER }).at(-1) ?? '');
      expect(chart.expire('refusal-back-off')).toContain('emit order.initiate');
    }
    expect(waits.map((wait) => Number(wait.split(' ').at(-1)))).toEqual([1500, 3000, 6000, 12_000, 15_000, 15_000]);
  });

  it('and leaves it when nothing is registered there any more, or agrees with another that asks', () => {
    const { chart, world } = setting();
    chart.send({ type: 'takeover.refused', by: SMALLER });
    expect(chart.send(init(SMALLER))).toContain('emit order.acknowledge');
    expect([chart.emitted, chart.state]).toEqual([acknowledges(SMALLER), 'yielded']);
    const other = setting();
    other.chart.send({ type: 'takeover.refused', by: SMALLER });
    other.world.owns = false;
    expect(other.chart.expire('refusal-back-off')).toEqual(['emit order.forget']);
    expect(world.owns).toBe(true);
  });

  it('who has agreed already does not mind', () => {
    const { chart } = setting(LARGER);
    chart.expire('MAX-TIME-NO-RESPONSE');
    expect([chart.send({ type: 'takeover.refused', by: SMALLER }), chart.state]).toEqual([[], 'yielded']);
  });
});

describe('a registrar that was frozen wins nothing', () => {
  it('its overdue timer runs before it reads: it asks anew', () => {
    const { chart, world } = setting();
    chart.send(ack(SMALLER));
    world.away = true;
    expect(chart.expire('arbitration')).toEqual(['emit order.initiate', 'start arbitration 1200']);
    expect(chart.context.waiting).toEqual([SMALLER, LARGER]);
  });

  it('the last acknowledgement, which had waited for it, is of yesterday: somebody else may have won, and that it reads next', () => {
    const { chart, world } = setting(undefined, { peers: [SMALLER] });
    world.away = true;
    expect([chart.send(ack(SMALLER)), chart.state]).toEqual([[], 'arbitrating']);
    expect(chart.send({ type: 'ENRP_TAKEOVER_SERVER', by: SMALLER })).toContain('emit order.forget');
  });

  it('but it wins when it has been there for a while and nobody has', () => {
    const { chart, world } = setting(undefined, { peers: [], away: true });
    expect(chart.initial).toEqual(['emit order.initiate', 'start arbitration 1200']);
    world.away = false;
    expect(chart.expire('arbitration')).toEqual(['emit order.claim']);
  });

  it('it does not agree to anything either before it has had the time to hear the target', () => {
    const { chart, world } = setting(SMALLER, { away: true });
    expect([chart.send({ type: 'target.dead' }), chart.state]).toEqual([[], 'examining']);
    expect(chart.expire('MAX-TIME-NO-RESPONSE')).toEqual(['emit order.examine', 'start MAX-TIME-NO-RESPONSE 400']);
    world.away = false;
    expect(chart.expire('MAX-TIME-NO-RESPONSE')).toContain('emit order.acknowledge');
  });
});

it('every state that is not final has a timer: nobody waits for ever', () => {
  const timers = [setting().chart, setting(SMALLER).chart].map((chart) => chart.timers.length);
  const { chart } = setting();
  chart.send({ type: 'takeover.refused', by: SMALLER });
  timers.push(chart.timers.length);
  chart.send(init(LARGER));
  timers.push(chart.timers.length);
  expect(timers).toEqual([1, 1, 1, 1]);
});

it('every state and every transition of the chart is on some path', () => {
  const worlds = [undefined, SMALLER].flatMap((initiator) => [true, false].flatMap((owns) => [true, false].map((away) => input({ peers: [SMALLER], owns, away }, initiator))));
  const by = [{ by: SMALLER }, { by: LARGER }];
  const cases = { ENRP_INIT_TAKEOVER: by, ENRP_INIT_TAKEOVER_ACK: by, 'peer.gone': by };
  const project = ({ waiting, rivals, winner, refusals }: Chart['context']) => ({ waiting, rivals, winner, refusals: Math.min(refusals, 2) });
  expect(onNoPath(takeoverMachine, worlds, { cases, project: project as never })).toEqual([]);
});
