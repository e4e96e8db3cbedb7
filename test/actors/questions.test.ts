import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Questions } from '../../actors/questions.js';
import { LoopMonitor } from '../../transports/loop-monitor.js';
import { World } from '../../testing/world.js';

const TIMEOUT = 1000;

describe('open questions of a registrar', () => {
  let world: World;
  let process: ReturnType<World['host']>;
  let monitor: LoopMonitor;
  let questions: Questions<string>;
  let overdue: string[];
  let again: Set<string>;

  beforeEach(() => {
    world = new World();
    process = world.host('registrar');
    monitor = new LoopMonitor({ clock: process.clock });
    overdue = [];
    again = new Set();
    questions = new Questions(process.clock, monitor, TIMEOUT, (whom) => {
      overdue.push(`${whom} at ${Math.round(world.clock.now())}`);
      if (again.delete(whom)) questions.asked(whom);
    });
  });
  afterEach(() => {
    questions.close();
    monitor.stop();
  });

  it('are overdue each after its time, in order; what was answered or given up is not', async () => {
    for (const whom of ['a', 'b', 'c', 'd']) {
      questions.asked(whom);
      await world.advance(100);
    }
    questions.heard('b');
    questions.forget('c');
    await world.advance(2000);
    expect([overdue, questions.size]).toEqual([['a at 1000', 'd at 1300'], 0]);
  });

  it('one asked anew has all its time again', async () => {
    questions.asked('a');
    questions.asked('b');
    await world.advance(900);
    questions.asked('a');
    await world.advance(2000);
    expect(overdue).toEqual(['b at 1000', 'a at 1900']);
  });

  it('one asked anew because it was overdue, too', async () => {
    again.add('a');
    questions.asked('a');
    await world.advance(5000);
    expect(overdue).toEqual(['a at 1000', 'a at 2000']);
  });

  it('D-29: time in which the process did not run is not counted', async () => {
    questions.asked('a');
    await world.advance(300);
    process.process.freeze();
    await world.advance(10_000);
    process.process.thaw();
    await world.advance(500);
    expect(overdue).toEqual([]);
    await world.advance(400);
    expect(overdue).toHaveLength(1);
  });

  it('after a rest a new question has its time', async () => {
    questions.asked('a');
    await world.advance(5000);
    questions.asked('b');
    await world.advance(1500);
    expect(overdue).toEqual(['a at 1000', 'b at 6000']);
  });

  it('the hearing is poor when more are silent than were heard of in the last time-out', async () => {
    expect(questions.isHearingPoor).toBe(false);
    questions.asked('a');
    expect(questions.isHearingPoor).toBe(true);
    questions.heard('b');
    expect(questions.isHearingPoor).toBe(false);
    questions.asked('b');
    expect(questions.isHearingPoor).toBe(true);
    questions.heard('a');
    await world.advance(999);
    expect(questions.isHearingPoor).toBe(false);
    questions.asked('b');
    await world.advance(1); // what was heard is a time-out old
    expect(questions.isHearingPoor).toBe(true);
  });

  it('closed it judges nobody', async () => {
    questions.asked('a');
    questions.close();
    await world.advance(5000);
    expect([overdue, questions.size]).toEqual([[], 0]);
  });
});
