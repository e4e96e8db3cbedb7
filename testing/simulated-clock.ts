import type { Clock, Milliseconds } from '../environment.js';

/** Virtual time. It stands still until `advance`; turns go as libuv's do: what is due at a moment (timers, and a simulated network's input), then
 *  what was deferred, promises settled after each. Same calls, same order, whatever the machine. */
export class SimulatedClock implements Clock {
  #now: Milliseconds;
  #sequence = 0;
  #due: Timer[] = []; // a binary heap
  #deferred: (() => void)[] = [];
  #waiting = 0;
  #advancing = false;
  #turns = 0;
  /** Called after each turn, with nothing left to settle: where invariants are asked. */
  onTurn: (() => void) | undefined;

  constructor(start: Milliseconds = 0) {
    this.#now = start;
  }

  now(): Milliseconds {
    return this.#now;
  }

  /** Timers that are set and neither expired nor cleared. */
  get pending(): number {
    return this.#waiting;
  }

  /** Turns of the event loop so far. */
  get turns(): number {
    return this.#turns;
  }

  setTimeout(expire: () => void, delay: Milliseconds): unknown {
    const timer: Timer = { at: this.#now + (delay > 0 ? delay : 0), sequence: this.#sequence, expire, done: false };
    this.#sequence += 1;
    this.#waiting += 1;
    push(this.#due, timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    const timer = handle as Timer | undefined;
    if (timer === undefined || timer.done) return;
    timer.done = true;
    this.#waiting -= 1;
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  /** Lets `span` pass: runs all that falls due, in order. What a task throws comes out here. */
  async advance(span: Milliseconds): Promise<void> {
    await this.#exclusively(() => this.#runTo(this.#now + span, never));
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await this.advance(0);
  }

  /** Lets time pass until `condition` holds, asked after each turn. @returns the time it took. Throws when `within` has passed. */
  async advanceUntil(condition: () => boolean, within: Milliseconds): Promise<Milliseconds> {
    const start = this.#now;
    await this.#exclusively(() => this.#runTo(start + within, condition));
    if (!condition()) throw new Error(`not so within ${within} ms: ${String(condition)}`);
    return this.#now - start;
  }

  /** Lets time pass until the promise has settled. @returns its value, or throws its reason. */
  async settled<T>(promise: Promise<T>, within: Milliseconds): Promise<T> {
    let over = false;
    const mark = (): void => void (over = true);
    promise.then(mark, mark);
    await this.advanceUntil(() => over, within);
    return promise;
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#advancing) throw new Error('the clock is being advanced already: await the first call');
    this.#advancing = true;
    try {
      await work();
    } finally {
      this.#advancing = false;
    }
  }

  async #runTo(end: Milliseconds, condition: () => boolean): Promise<void> {
    let turns = 0;
    await microtasks();
    while (!condition()) {
      if (this.#deferred.length === 0) {
        const at = this.#next();
        if (at === undefined || at > end) break;
        if (at > this.#now) turns = 0;
        this.#now = Math.max(this.#now, at);
      }
      turns += 1;
      if (turns > MAX_TURNS) throw new Error(`time stands still at ${this.#now} ms: something sets timers of 0 ms for ever`);
      await this.#turn();
      this.#turns += 1;
      this.onTurn?.();
    }
    if (!condition()) this.#now = Math.max(this.#now, end);
  }

  /** One turn of the event loop: what is due, then what was deferred until now; what these set in turn is for the next one. */
  async #turn(): Promise<void> {
    const until = this.#sequence;
    for (let timer = this.#due[0]; timer !== undefined && timer.at <= this.#now && timer.sequence < until; timer = this.#due[0]) {
      pop(this.#due);
      if (timer.done) continue;
      timer.done = true;
      this.#waiting -= 1;
      timer.expire();
      await microtasks();
    }
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) {
      task();
      await microtasks();
    }
  }

  #next(): Milliseconds | undefined {
    while (this.#due[0]?.done === true) pop(this.#due);
    return this.#due[0]?.at;
  }
}

interface Timer {
  readonly at: Milliseconds;
  readonly sequence: number;
  readonly expire: () => void;
  done: boolean;
}

const MAX_TURNS = 100_000;
const never = (): boolean => false;

/** A tick's turn comes when no microtask is left: every promise that can settle has settled by then, and no event loop turn was spent. */
const microtasks = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

function push(heap: Timer[], timer: Timer): void {
  let index = heap.length;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(timer, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    let least = heap[child];
    if (least === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, least)) {
      least = right;
      child += 1;
    }
    if (!isBefore(least, last)) break;
    heap[index] = least;
    index = child;
  }
  heap[index] = last;
}
