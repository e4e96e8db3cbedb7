import type { Clock, Milliseconds } from '../environment.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import { inSlices } from './slices.js';

/** Keep-alives that have not been answered. All have the same time, so they are overdue in the order in which they were asked, and one timer serves all.
 *  Time in which our own loop did not run is not counted (D-29). */
export class Questions<T> {
  readonly #open = new Map<T, Milliseconds>();
  readonly #hearing: Hearing;
  #timer: unknown;

  constructor(private readonly clock: Clock, private readonly monitor: LoopMonitor, private readonly timeout: Milliseconds, private readonly overdue: (whom: T) => void) {
    this.#hearing = new Hearing(clock, timeout);
  }

  get size(): number { return this.#open.size; }

  /** More are silent than have been heard of in as much time as each of them has had. */
  get isHearingPoor(): boolean { return this.#open.size > this.#hearing.count; }

  asked(whom: T): void {
    this.#open.delete(whom);
    this.#open.set(whom, this.clock.now());
    if (this.#timer === undefined) this.#arm(this.timeout);
  }

  heard(whom: T): void {
    this.#open.delete(whom);
    this.#hearing.note();
  }

  forget(whom: T): void { this.#open.delete(whom); }

  close(): void {
    this.clock.clearTimeout(this.#timer);
    this.#open.clear();
  }

  /** Whoever wakes up runs his timers before he reads: the answers may be there. So what has come in is read first. */
  #arm(delay: Milliseconds): void {
    this.#timer = this.clock.setTimeout(() => { this.clock.defer(() => { this.#judge(); }); }, delay);
    (this.#timer as { unref?: () => void } | undefined)?.unref?.();
  }

  #judge(): void {
    this.#timer = undefined;
    const due: T[] = [];
    for (const [whom, since] of this.#open) {
      const left = this.timeout - this.monitor.activeSince(since);
      if (left > 0) {
        this.#arm(Math.max(1, left));
        break;
      }
      due.push(whom);
    }
    inSlices(this.clock, due, (whom) => { this.#end(whom); });
  }

  /** Its question stays among the open ones while it is judged; it may be asked once more. */
  #end(whom: T): void {
    const since = this.#open.get(whom);
    if (since === undefined || this.monitor.activeSince(since) < this.timeout) return; // answered, or asked anew, in an earlier slice
    this.overdue(whom);
    if (this.#open.get(whom) === since) this.#open.delete(whom);
  }
}

/** How many were heard of in the last span of time, in parts of it. */
class Hearing {
  readonly #counts = new Array<number>(PARTS).fill(0);
  #part = 0;

  constructor(private readonly clock: Clock, private readonly span: Milliseconds) {}

  get count(): number {
    this.#turn();
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  note(): void {
    this.#turn();
    this.#counts[this.#part % PARTS] = (this.#counts[this.#part % PARTS] ?? 0) + 1;
  }

  #turn(): void {
    const part = Math.floor((this.clock.now() * PARTS) / this.span);
    for (let gone = Math.min(part - this.#part, PARTS); gone > 0; gone--) this.#counts[(part - gone + 1) % PARTS] = 0;
    this.#part = part;
  }
}

const PARTS = 4;
