import { linkMachine } from '../../machines/link.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

function link(quiet = 0) {
  const world = { quiet };
  const chart = drive(linkMachine, { connect: 1_000, heartbeat: () => 100, silence: () => 500, quiet: () => world.quiet });
  return { world, chart };
}

function open(quiet = 0) {
  const made = link(quiet);
  made.chart.send({ type: 'transport.up' });
  return made;
}

describe('a link (draft §5.2.1)', () => {
  it('greets when it is up, and starts to beat and to listen (D-28)', () => {
    const { chart } = link();
    expect(chart.initial).toEqual(['start connect 1000']);
    expect(chart.send({ type: 'transport.up' })).toEqual(['cancel connect', 'emit order.greet', 'start heartbeat 100', 'start silence 500']);
    expect(chart.state).toBe('open.sending.beating & open.hearing.hearing');
  });

  it('gives up a connection that does not come', () => {
    const { chart } = link();
    expect(chart.expire('connect')).toEqual(['emit order.giveUp CONNECT_TIMEOUT']);
    expect(chart.status).toBe('done');
  });

  it('D-28: beats each interval where nothing else was sent', () => {
    const { chart } = open();
    expect(chart.expire('heartbeat')).toEqual(['emit order.heartbeatIfQuiet', 'start heartbeat 100']);
  });

  it('D-28: any byte is life: the timer looks again when the rest of the bound is over', () => {
    const { chart, world } = open();
    world.quiet = 120;
    expect(chart.expire('silence')).toEqual(['start silence 380']);
  });

  it('D-29: silence is judged after a poll phase', () => {
    const { chart, world } = open();
    world.quiet = 500;
    expect(chart.expire('silence')).toEqual(['emit order.awaitPoll']);
    expect(chart.send({ type: 'poll.done' })).toEqual(['cancel heartbeat', 'emit order.giveUp SILENCE']);
    expect(chart.status).toBe('done');
  });

  it('D-29: and what that phase brought counts', () => {
    const { chart, world } = open();
    world.quiet = 700;
    chart.expire('silence');
    world.quiet = 0; // it lay in the socket
    expect(chart.send({ type: 'poll.done' })).toEqual(['start silence 500']);
  });

  it('D-19: word from elsewhere only makes it ask', () => {
    const { chart, world } = open();
    expect(chart.send({ type: 'probe' })).toEqual(['cancel silence', 'emit order.heartbeat', 'start probe 500']);
    world.quiet = 20;
    chart.expire('probe');
    expect(chart.send({ type: 'poll.done' })).toEqual(['start silence 480']);
  });

  it('every state and transition is on some path', () => {
    const worlds = [0, 600].map((quiet) => ({ connect: 1_000, heartbeat: () => 100, silence: () => 500, quiet: () => quiet }));
    expect(onNoPath(linkMachine, worlds, { project: () => 0 })).toEqual([]);
  });
});
