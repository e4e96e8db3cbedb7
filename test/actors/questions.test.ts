import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Questions } from '../../actors/questions.js';
import { LoopMonitor } from '../../transports/loop-monitor.js';
import { World } from '../../testing/world.js';

const TIMEOUT = 1000;

describe('open questions of a registrar', () => {
  let world: World;
  let process: ReturnType<World['host']>;
  let monitor: LoopMonitor;
  let questions: Named;
  let overdue: string[];
  let again: Set<string>;

  beforeEach(() => {
    world = new World();
    process = world.host('registrar');
    monitor = new LoopMonitor({ clock: process.clock });
    overdue = [];
    again = new Set();
    questions = new Named(process.clock, monitor, TIMEOUT, (whom) => {
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

  it('the hearing is poor when more processes are silent than were heard of in the last time-out', async () => {
    for (const whom of ['a', 'b', 'c', 'd']) questions.asked(whom);
    expect(questions.isHearingPoor).toBe(true);
    for (const whom of ['e', 'f', 'g', 'h']) questions.heard(whom);
    expect(questions.isHearingPoor).toBe(false);
    questions.asked('i');
    expect(questions.isHearingPoor).toBe(true);
    questions.heard('i');
    await world.advance(999);
    expect(questions.size).toBe(4);
    expect(questions.isHearingPoor).toBe(false);
    for (const whom of ['a', 'b', 'c', 'd']) questions.asked(whom);
    await world.advance(1); // what was heard is a time-out old
    expect(questions.isHearingPoor).toBe(true);
  });

  it('elements of one process are one witness: a hundred of one that died make no registrar doubt itself', () => {
    for (let number = 0; number < 100; number += 1) questions.asked(`${number}@dead`);
    for (const whom of ['1@a', '1@b', '1@c']) questions.heard(whom);
    expect(questions.isHearingPoor).toBe(false);
    for (let number = 0; number < 100; number += 1) questions.heard(`${number}@alive`);
    for (const whom of ['1@d', '1@e', '1@f', '1@g']) questions.asked(whom);
    expect(questions.isHearingPoor).toBe(true); // five are silent, four were heard of
    for (let number = 0; number < 100; number += 1) questions.forget(`${number}@dead`);
    expect(questions.isHearingPoor).toBe(false);
  });

  it('with fewer than four processes there is no "most"', () => {
    for (const whom of ['a', 'b', 'c']) questions.asked(whom);
    expect(questions.isHearingPoor).toBe(false);
  });

  it('closed it judges nobody', async () => {
    questions.asked('a');
    questions.close();
    await world.advance(5000);
    expect([overdue, questions.size]).toEqual([[], 0]);
  });
});

/** Questions to elements by name: `element@process`, or one process of that name. */
class Named {
  readonly #asked = new Map<string, { readonly name: string; readonly association: { readonly peer: string } }>();
  readonly #questions: Questions<{ readonly name: string; readonly association: { readonly peer: string } }>;

  constructor(clock: ConstructorParameters<typeof Questions>[0], monitor: LoopMonitor, timeout: number, overdue: (whom: string) => void) {
    this.#questions = new Questions(clock, monitor, timeout, ({ name }) => { overdue(name); });
  }

  get size(): number { return this.#questions.size; }
  get isHearingPoor(): boolean { return this.#questions.isHearingPoor; }
  asked(name: string): void { this.#questions.asked(this.#element(name)); }
  heard(name: string): void { this.#questions.heard(this.#element(name)); }
  forget(name: string): void { this.#questions.forget(this.#element(name)); }
  close(): void { this.#questions.close(); }

  #element(name: string) {
    const known = this.#asked.get(name) ?? { name, association: { peer: name.split('@').at(-1) ?? name } };
    this.#asked.set(name, known);
    return known;
  }
}
