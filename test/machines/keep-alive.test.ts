import { describe, expect, it } from '@jest/globals';
import { keepAliveMachine, type KeepAliveInput } from '../../machines/keep-alive.js';
import { drive, type Driven } from '../support/drive.js';
import { onNoPath } from './support.js';

/** `world` may be changed as the test goes on. */
interface Setting { readonly world: { doubts: boolean }; readonly pe: Driven<typeof keepAliveMachine> }

const input = (world: Setting['world'], maxBadPeReport = 3, isClaimed = false): KeepAliveInput => ({ registrar: { maxBadPeReport, suspectsItself: () => world.doubts }, isClaimed });

function setting(): Setting {
  const world = { doubts: false };
  return { world, pe: drive(keepAliveMachine, input(world)) };
}

const ack = { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' } as const;
const report = (reporter: number) => ({ type: 'ASAP_ENDPOINT_UNREACHABLE', reporter }) as const;
const asks = ['emit order.probe'];

describe('keep-alive of a pool element (RFC 5352 §3.4, §3.5)', () => {
  // proves 5352-3.5-l
  it('the schedule has it asked; its acknowledgement ends the question', () => {
    const { pe } = setting();
    expect(pe.state).toBe('alive');
    expect(pe.send({ type: 'check' })).toEqual(asks);
    expect(pe.send({ type: 'check' })).toEqual([]); // one question at a time
    expect([pe.send(ack), pe.state]).toEqual([[], 'alive']);
  });

  // proves 5352-3.5-h, 5352-3.5-m
  it('one that does not answer is removed', () => {
    const { pe } = setting();
    pe.send({ type: 'check' });
    expect(pe.send({ type: 'overdue' })).toEqual(['emit order.remove unanswered']);
    expect([pe.state, pe.status]).toEqual(['removed', 'done']);
  });

  it('a registrar that suspects most of its elements suspects itself first, once: asked again, then removed', () => {
    const { pe, world } = setting();
    pe.send({ type: 'check' });
    world.doubts = true;
    expect(pe.send({ type: 'overdue' })).toEqual(asks);
    expect(pe.send({ type: 'overdue' })).toEqual(['emit order.remove unanswered']);
  });

  it('who answered after being spared, or registered, can be spared again', () => {
    const { pe, world } = setting();
    world.doubts = true;
    for (const event of [ack, { type: 'ASAP_REGISTRATION' }, ack] as const) {
      pe.send({ type: 'check' });
      expect(pe.send({ type: 'overdue' })).toEqual(asks);
      pe.send(event);
    }
    expect(pe.state).toBe('alive');
  });

  it('a registration is as good as an acknowledgement', () => {
    const { pe } = setting();
    expect(pe.send({ type: 'ASAP_REGISTRATION' })).toEqual([]);
    pe.send({ type: 'check' });
    expect([pe.send({ type: 'ASAP_REGISTRATION' }), pe.state]).toEqual([[], 'alive']);
  });
});

describe('reports of unreachability (RFC 5352 §3.5)', () => {
  // proves 5352-3.5-f
  it('the first makes it be asked at once', () => {
    const { pe } = setting();
    expect(pe.send(report(1))).toEqual(asks);
  });

  // proves 5352-3.5-i, 5352-3.5-j
  it('reports that come while it is asked are the same event: one that was merely busy stays, however many saw it', () => {
    const { pe } = setting();
    for (let reporter = 1; reporter <= 50; reporter++) pe.send(report(reporter));
    expect([pe.state, pe.context.reports]).toEqual(['checking', 1]);
    expect(pe.context.reporters.length).toBe(8);
    pe.send(ack);
    expect(pe.state).toBe('alive');
  });

  // proves 5352-3.5-i, 5352-3.5-j, 5352-3.5-k
  it('X-14: one that acknowledges, and is reported more than MAX-BAD-PE-REPORT times by several, is removed', () => {
    const { pe } = setting();
    for (const reporter of [1, 2, 1]) {
      expect(pe.send(report(reporter))).toEqual(asks);
      pe.send(ack);
    }
    expect(pe.send(report(1))).toEqual(['emit order.remove reported']);
  });

  it('a single accuser removes nobody', () => {
    const { pe } = setting();
    for (let time = 0; time < 20; time++) {
      expect(pe.send(report(1))).toEqual(asks);
      pe.send(ack);
    }
    expect(pe.state).toBe('alive');
  });

  it('X-14: the counter falls with acknowledgements that no report had asked for, and is nothing after a registration', () => {
    const { pe } = setting();
    const reported = (...reporters: number[]): void => { for (const reporter of reporters) { pe.send(report(reporter)); pe.send(ack); } };
    reported(1, 2, 3);
    expect(pe.context.reports).toBe(3);
    pe.send({ type: 'check' });
    pe.send(ack);
    expect([pe.context.reports, pe.context.reporters]).toEqual([2, [1, 2, 3]]);
    expect(pe.send(report(4))).toEqual(asks);
    pe.send(ack);
    pe.send({ type: 'ASAP_REGISTRATION' });
    expect([pe.context.reports, pe.context.reporters]).toEqual([0, []]);
    reported(1);
    pe.send({ type: 'check' });
    pe.send(ack);
    expect([pe.context.reports, pe.context.reporters]).toEqual([0, []]);
  });
});

describe('the association is lost (X-38)', () => {
  // proves 5352-3.5-h
  it('it is asked elsewhere; where nobody listens it is removed at once', () => {
    const { pe } = setting();
    expect(pe.send({ type: 'association.lost' })).toEqual(asks);
    expect(pe.send({ type: 'probe.failed' })).toEqual(['emit order.remove unreachable']);
  });

  it('while it is asked: asked anew', () => {
    const { pe } = setting();
    pe.send({ type: 'check' });
    expect([pe.send({ type: 'association.lost' }), pe.state]).toEqual([asks, 'checking']);
  });

  it('it may come back, by an acknowledgement or a registration', () => {
    for (const event of [ack, { type: 'ASAP_REGISTRATION' } as const]) {
      const { pe } = setting();
      pe.send({ type: 'association.lost' });
      pe.send(event);
      expect(pe.state).toBe('alive');
    }
  });

  it('news of an old question says nothing of one that is alive', () => {
    const { pe } = setting();
    expect([pe.send({ type: 'probe.failed' }), pe.send({ type: 'overdue' }), pe.send(ack)]).toEqual([[], [], []]);
    expect(pe.state).toBe('alive');
  });
});

describe('other ends', () => {
  it('X-15: somebody else claims its identifier: it is asked', () => {
    expect(setting().pe.send({ type: 'identifier.claimed' })).toEqual(asks);
  });

  it.each(['alive', 'checking'])('%s: its life is over, or it leaves', (state) => {
    for (const [type, reason] of [['expire', 'expired'], ['ASAP_DEREGISTRATION', 'deregistered']] as const) {
      const { pe } = setting();
      if (state === 'checking') pe.send({ type: 'check' });
      expect(pe.state).toBe(state);
      expect(pe.send({ type })).toEqual([`emit order.remove ${reason}`]);
      expect([pe.state, pe.status]).toEqual(['removed', 'done']);
    }
  });

  it('one that is taken over is asked to adopt this registrar, three times before it is given up: it may be hunting (RFC 5353 §3.5.2)', () => {
    const pe = drive(keepAliveMachine, input({ doubts: false }, 3, true));
    expect(pe.state).toBe('claiming');
    expect(pe.send({ type: 'check' })).toEqual([]);
    expect(pe.send({ type: 'probe.failed' })).toEqual([]);
    expect(pe.send({ type: 'overdue' })).toEqual(asks);
    expect(pe.send({ type: 'overdue' })).toEqual(asks);
    expect(pe.send({ type: 'overdue' })).toEqual(['emit order.remove unanswered']);
  });

  it('no longer than until it has acknowledged that', () => {
    const pe = drive(keepAliveMachine, input({ doubts: false }, 3, true));
    pe.send(ack);
    expect(pe.state).toBe('alive');
  });

  it('has no timer in any state: there may be 100 000 of them', () => {
    const { pe } = setting();
    const timers = [pe.timers.length];
    for (const event of [{ type: 'check' }, ack, report(1), { type: 'association.lost' }, { type: 'overdue' }] as const) {
      pe.send(event);
      timers.push(pe.timers.length);
    }
    expect(timers).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

it('every state and every transition of the chart is on some path', () => {
  const worlds = [...[false, true].map((doubts) => input({ doubts }, 1)), input({ doubts: false }, 1, true)];
  const cases = { ASAP_ENDPOINT_UNREACHABLE: [{ reporter: 1 }, { reporter: 2 }] };
  expect(onNoPath(keepAliveMachine, worlds, { cases, project: ({ tries, reports, reporters, isAccused, isSpared }) => ({ tries, reports, reporters, isAccused, isSpared }) })).toEqual([]);
});
