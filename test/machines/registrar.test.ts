import { describe, expect, it } from '@jest/globals';
import { createActor, type Actor } from 'xstate';
import { registrarMachine, type RegistrarInput } from '../../machines/registrar.js';
import { drive, type Driven } from '../support/drive.js';
import { middle, onNoPath, quick } from './support.js';

type Chart = Driven<typeof registrarMachine>;

/** Knows of others that may be there, and has met others. */
const input = ({ has = true, active = true, ...more }: { has?: boolean; active?: boolean } & Partial<RegistrarInput> = {}): RegistrarInput => ({
  openKeepAlives: () => () => undefined, openPeers: () => () => undefined, hasPeers: () => has, hasActivePeers: () => active, timers: quick, fraction: middle, ...more,
});

const registrar = (given?: Parameters<typeof input>[0]): Chart => drive(registrarMachine, input(given));

function joining(): Chart {
  const chart = registrar();
  chart.send({ type: 'listening' });
  return chart;
}

function listing(): Chart {
  const chart = joining();
  chart.send({ type: 'mentor.found' });
  return chart;
}

function downloading(): Chart {
  const chart = listing();
  chart.send({ type: 'list.received' });
  return chart;
}

function serving(given?: Parameters<typeof input>[0]): Chart {
  const chart = registrar({ has: false, ...given });
  chart.send({ type: 'listening' });
  chart.send({ type: 'listening' });
  return chart;
}

const REJECTED = ['emit order.mentor.rejected', 'start mentor-back-off 100'];

describe('joining (RFC 5353 §3.2)', () => {
  // proves 5353-3.2.2.1-c, 5353-3.2.2.1-d, 5353-3.2.2.1-e
  it('listens for registrars first; told of no other it asks nobody, opens for pool elements, and serves', () => {
    const chart = registrar({ has: false });
    expect(chart.initial).toEqual(['invoke keepAlives', 'invoke peers', 'emit order.listen.enrp']);
    expect([chart.send({ type: 'listening' }), chart.state]).toEqual([['emit order.listen.asap'], 'opening']);
    expect([chart.send({ type: 'listening' }), chart.state]).toEqual([[], 'serving']);
  });

  // proves 5353-3.2.2.1-a, 5353-3.2.2.2-a, 5353-3.2.2.2-b, 5353-3.2.3-a, 5353-3.2.3-n, 5353-3.2.3-q
  it('looks for a mentor, asks it for its list, then for the handlespace, and serves after the last piece', () => {
    const chart = registrar();
    expect(chart.send({ type: 'listening' })).toEqual(['emit order.mentor', 'start mentor-discovery 1000']);
    expect(chart.send({ type: 'mentor.found' })).toEqual(['cancel mentor-discovery', 'emit order.list', 'start MAX-TIME-NO-RESPONSE 400']);
    expect(chart.send({ type: 'list.received' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', 'emit order.download', 'start T1-ENRPrequest 1000']);
    expect(chart.send({ type: 'download.progress' })).toEqual(['cancel T1-ENRPrequest', 'start T1-ENRPrequest 1000']); // each piece has its time
    expect(chart.send({ type: 'download.done' })).toEqual(['cancel T1-ENRPrequest', 'emit order.download.end', 'emit order.listen.asap']);
    chart.send({ type: 'listening' });
    expect(chart.state).toBe('serving');
  });

  // proves 5353-3.2.2.2-c, 5353-3.2.2.2-g
  it('the mentor refuses its list, is lost, or does not answer: it waits a little, and asks one again', () => {
    expect(listing().send({ type: 'mentor.refused' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', ...REJECTED]);
    expect(listing().send({ type: 'mentor.lost' })).toEqual(['cancel MAX-TIME-NO-RESPONSE', ...REJECTED]);
    const chart = listing();
    expect(chart.expire('MAX-TIME-NO-RESPONSE')).toEqual(REJECTED);
    expect(chart.expire('mentor-back-off')).toEqual(['emit order.mentor', 'start mentor-discovery 1000']);
  });

  // proves 5353-3.2.3-p, 5353-3.2.3-r
  it('so too in the middle of a download, which begins anew', () => {
    const ended = ['cancel T1-ENRPrequest', 'emit order.download.end', ...REJECTED];
    expect(downloading().send({ type: 'mentor.refused' })).toEqual(ended);
    expect(downloading().send({ type: 'mentor.lost' })).toEqual(ended);
    const chart = downloading();
    chart.send({ type: 'download.progress' });
    expect(chart.expire('T1-ENRPrequest')).toEqual(ended.slice(1));
  });

  it('X-22: nobody is found for a while: it serves alone', () => {
    expect(joining().expire('mentor-discovery')).toEqual(['emit order.listen.asap']);
  });

  it('X-22: all that were configured have been tried: it does not wait for the end of that', () => {
    expect(joining().send({ type: 'mentors.exhausted' })).toEqual(['cancel mentor-discovery', 'emit order.listen.asap']);
    const chart = listing();
    chart.send({ type: 'mentor.lost' });
    expect(chart.send({ type: 'mentors.exhausted' })).toEqual(['cancel mentor-back-off', 'emit order.listen.asap']);
  });

  it('X-22: two that refuse each other do not do so for ever: after eight tries it serves', () => {
    const chart = joining();
    for (let time = 1; time <= 8; time++) {
      expect(chart.state).toBe('joining.findingMentor');
      chart.send({ type: 'mentor.found' });
      chart.send({ type: 'mentor.refused' });
      if (time < 8) chart.expire('mentor-back-off');
    }
    expect(chart.state).toBe('opening');
  });

  it.each([0, 0.999])('the back-off is jittered, so that those that start together part (%d)', (fraction) => {
    const chart = registrar({ fraction: () => fraction });
    for (const type of ['listening', 'mentor.found'] as const) chart.send({ type });
    expect(Number(chart.send({ type: 'mentor.refused' }).at(-1)?.split(' ').at(-1))).toBeCloseTo(50 + 100 * fraction);
  });
});

describe('leaving (X-40)', () => {
  it('asks the others to take it over, and ends its associations when they have', () => {
    const chart = serving();
    expect([chart.send({ type: 'close' }), chart.state]).toEqual([['emit order.handOver', 'start hand-over 1000'], 'handingOver']);
    expect([chart.send({ type: 'handed.over' }), chart.state]).toEqual([['cancel hand-over', 'emit order.leave'], 'draining']);
    expect(chart.send({ type: 'closed' })).toEqual(['stop keepAlives', 'stop peers']);
    expect(chart.status).toBe('done');
  });

  it('not for longer than a while; asked twice, at once', () => {
    const slow = serving();
    slow.send({ type: 'close' });
    expect(slow.expire('hand-over')).toEqual(['emit order.leave']);
    const hurried = serving();
    hurried.send({ type: 'close' });
    expect(hurried.send({ type: 'close' })).toEqual(['cancel hand-over', 'emit order.leave']);
  });

  it('where nobody else is there it leaves at once', () => {
    expect(serving({ active: false }).send({ type: 'close' })).toEqual(['emit order.leave']);
  });

  it.each([
    ['starting', () => registrar()], ['findingMentor', joining], ['listing', listing], ['downloading', downloading],
  ])('%s: what was opened is closed', (_, begin) => {
    const chart = begin();
    chart.send({ type: 'close' });
    expect([chart.state, chart.timers]).toEqual(['draining', []]);
  });

  it('cannot listen: what was opened is closed', () => {
    expect(registrar().send({ type: 'listen.failed' })).toEqual(['emit order.leave']);
    const chart = registrar({ has: false });
    chart.send({ type: 'listening' });
    expect(chart.send({ type: 'listen.failed' })).toEqual(['emit order.leave']);
  });
});

describe('what it invokes', () => {
  it.each(['keepAlives', 'peers'])('without its %s it does not go on: nobody would be removed any more', (child) => {
    expect(serving().childFailed(child)).toEqual(['emit error.report', 'emit order.leave']);
  });

  it('lives as long as it does, and ends with it however it ends', () => {
    const ends: ((actor: Actor<typeof registrarMachine>) => void)[] = [(actor) => { actor.send({ type: 'closed' }); }, (actor) => { actor.stop(); }];
    for (const end of ends) {
      let open = 0;
      const count = () => { open++; return () => { open--; }; };
      const actor = createActor(registrarMachine, { input: input({ has: false, active: false, openKeepAlives: count, openPeers: count }) }).start();
      actor.send({ type: 'listening' });
      actor.send({ type: 'listening' });
      actor.send({ type: 'close' });
      expect(open).toBe(2);
      end(actor);
      expect(open).toBe(0);
    }
  });
});

it('every state and every transition of the chart is on some path', () => {
  const worlds = [true, false].flatMap((has) => [true, false].map((active) => input({ has, active })));
  expect(onNoPath(registrarMachine, worlds, { project: ({ tries }) => ({ tries }) })).toEqual([]);
});
