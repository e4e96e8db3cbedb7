import { Window, type Kept } from '../../delivery/window.js';
import { SeededRandom } from '../../testing/seeded-random.js';

const limits = { messages: 4, bytes: 100 };
const add = (window: Window, text: string): Kept => window.add(Buffer.from(text), 'effectively-once', 0, false);
const payloads = (window: Window): string[] => window.kept().map(({ payload }) => payload.toString());

/** Transmits all that waits. */
function transmit(window: Window): number[] {
  const ids: number[] = [];
  for (let entry = window.peek(); entry; entry = window.peek()) { ids.push(entry.id); entry.sent = true; window.advance(); }
  return ids;
}

describe('the window (D-20)', () => {
  it('counts messages and bytes; a message above the limit is taken when nothing else is kept', () => {
    const window = new Window(limits);
    expect(window.hasRoom(1_000)).toBe(true);
    add(window, 'x'.repeat(60));
    expect([window.hasRoom(40), window.hasRoom(41)]).toEqual([true, false]);
    for (let i = 0; i < 3; i++) add(window, '');
    expect(window.hasRoom(0)).toBe(false);
  });

  it('D-8: covers up to an id, and keeps the rest in order', () => {
    const window = new Window(limits);
    for (const text of 'abcd') add(window, text);
    transmit(window);
    const covered: number[] = [];
    window.coverTo(2, ({ id }) => covered.push(id));
    expect([covered, payloads(window), window.bytes, window.coveredId]).toEqual([[1, 2], ['c', 'd'], 2, 2]);
  });

  it('D-13, D-2: a rewind transmits what is kept again, in order, with gaps', () => {
    const window = new Window(limits);
    const entries = [...'abcd'].map((text) => add(window, text));
    expect(transmit(window)).toEqual([1, 2, 3, 4]);
    window.cover(entries[1]!);
    window.rewind();
    expect(transmit(window)).toEqual([1, 3, 4]);
  });

  it('DONE: each once, cumulative or single, and in what order they come', () => {
    const window = new Window(limits);
    for (const text of 'abcd') add(window, text);
    transmit(window);
    const done: number[] = [];
    const note = ({ id }: Kept): void => { done.push(id); };
    window.markDone(3, false, note);
    window.markDone(3, false, note);
    window.markDone(4, true, note);
    window.markDone(9, true, note); // never sent
    expect(done).toEqual([3, 1, 2, 4]);
    expect(window.allDone).toBe(true);
  });

  it('D-17: knows what its pool element was handling', () => {
    const window = new Window(limits);
    expect(window.firstInHandling()).toBeUndefined();
    for (const text of 'abc') add(window, text);
    expect(window.firstInHandling()).toBeUndefined(); // none was handed out
    transmit(window);
    expect(window.firstInHandling()?.id).toBe(1);
    window.markDone(1, true, () => undefined);
    expect(window.firstInHandling()?.id).toBe(2);
  });

  it('D-17: and what it was handling again, though it was DONE elsewhere', () => {
    const window = new Window(limits);
    for (const text of 'abc') add(window, text);
    transmit(window);
    window.markDone(2, true, () => undefined);
    window.rewind();
    expect(window.firstInHandling()?.id).toBe(3); // handed out elsewhere, and still open
    window.peek();
    window.advance();
    expect(window.firstInHandling()?.id).toBe(1);
    window.markDone(1, true, () => undefined);
    expect(window.firstInHandling()?.id).toBe(3); // 2 has not been handed out here
    transmit(window);
    expect(window.firstInHandling()?.id).toBe(2);
    window.coverTo(2, () => undefined);
    expect(window.firstInHandling()?.id).toBe(3);
  });

  it('D-16: knows the last id that it has transmitted in this epoch', () => {
    const window = new Window(limits);
    for (const text of 'abc') add(window, text);
    window.peek();
    window.advance();
    expect(window.transmittedId).toBe(1);
    transmit(window);
    expect(window.transmittedId).toBe(3);
    window.rewind();
    expect(window.transmittedId).toBe(0);
  });

  it('D-30: costs the same after a hundred thousand messages as after ten', () => {
    const window = new Window(limits);
    for (let i = 0; i < 100_000; i++) {
      const entry = add(window, 'x');
      transmit(window);
      if (i % 3 === 0) window.cover(entry); else window.coverTo(entry.id, () => undefined);
    }
    expect([window.size, window.bytes, window.kept()]).toEqual([0, 0, []]);
    expect(window.lastId).toBe(100_000);
  });

  it.each([1, 2, 3, 4, 5])('does as a plain list would, seed %d', (seed) => {
    const random = new SeededRandom(seed);
    const window = new Window({ messages: 1_000, bytes: 1e9 });
    const model: { id: number; covered: boolean; done: boolean }[] = [];
    let transmitted = 0;
    for (let step = 0; step < 3_000; step++) {
      const kept = model.filter(({ covered }) => !covered);
      const any = kept[random.below(kept.length || 1)];
      switch (random.below(6)) {
        case 0: case 1: model.push({ id: add(window, 'x').id, covered: false, done: false }); break;
        case 2: for (const id of transmit(window)) transmitted = id; break;
        case 3: if (any && any.id <= transmitted) { window.coverTo(any.id, () => undefined); for (const entry of model) if (entry.id <= any.id) entry.covered = true; } break;
        case 4: if (any) { window.cover(window.get(any.id)!); any.covered = true; } break;
        default: if (any && any.id <= transmitted) { window.markDone(any.id, true, () => undefined); for (const entry of model) if (entry.id <= any.id) entry.done = true; }
      }
      expect(window.kept().map(({ id }) => id)).toEqual(model.filter(({ covered }) => !covered).map(({ id }) => id));
      expect(window.allDone).toBe(model.every(({ covered, done }) => covered || done));
      const firstKept = model.findIndex(({ covered }) => !covered);
      expect(window.size).toBe(firstKept < 0 ? 0 : model.length - firstKept);
    }
  });
});
