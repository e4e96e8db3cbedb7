import type { Clock, Milliseconds } from '../environment.js';
import type { LoopMonitor } from '../transports/loop-monitor.js';
import { inSlices } from './slices.js';

/** Whom it concerns is asked by its process: the association it is bound to. */
export interface Asked {
  readonly association: { readonly peer: string } | undefined;
}

/** Keep-alives that have not been answered. All have the same time, so they are overdue in the order in which they were asked, and one timer serves all.
 *  Time in which our own loop did not run is not counted (D-29). */
export class Questions<T extends Asked> {
  readonly #open = new Map<T, Open>();
  /** Open questions of each process. */
  readonly #silent = new Map<string, number>();
  readonly #hearing: Hearing;
  #timer: unknown;

  constructor(private readonly clock: Clock, private readonly monitor: LoopMonitor, private readonly timeout: Milliseconds, private readonly overdue: (whom: T) => void) {
    this.#hearing = new Hearing(clock, timeout);
  }

  get size(): number { return this.#open.size; }

  /** More processes are silent than have been heard of in as much time as each of them has had. Elements do not count: a hundred of one process fall silent with it, and
   *  one that answers for a hundred is one witness. With few there is no "most". */
  get isHearingPoor(): boolean {
    const heard = this.#hearing.count;
    return this.#silent.size > heard && this.#silent.size + heard >= FEW;
  }

  asked(whom: T): void {
    this.forget(whom);
    const process = processOf(whom);
    this.#open.set(whom, { since: this.clock.now(), process });
    this.#silent.set(process, (this.#silent.get(process) ?? 0) + 1);
    if (this.#timer === undefined) this.#arm(this.timeout);
  }

  heard(whom: T): void {
    this.forget(whom);
    this.#hearing.note(processOf(whom));
  }

  forget(whom: T): void {
    const open = this.#open.get(whom);
    if (open === undefined) return;
    this.#open.delete(whom);
    const left = (this.#silent.get(open.process) ?? 0) - 1;
    if (left > 0) this.#silent.set(open.process, left);
    else this.#silent.delete(open.process);
  }

  close(): void {
    this.clock.clearTimeout(this.#timer);
    this.#open.clear();
    this.#silent.clear();
  }

  /** Whoever wakes up runs his timers before he reads: the answers may be there. So what has come in is read first. */
  #arm(delay: Milliseconds): void {
    this.#timer = this.clock.setTimeout(() => { this.clock.defer(() => { this.#judge(); }); }, delay);
    (this.#timer as { unref?: () => void } | undefined)?.unref?.();
  }

  #judge(): void {
    this.#timer = undefined;
    const due: T[] = [];
    for (const [whom, { since }] of this.#open) {
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
    const open = this.#open.get(whom);
    if (open === undefined || this.monitor.activeSince(open.since) < this.timeout) return; // answered, or asked anew, in an earlier slice
    this.overdue(whom);
    if (this.#open.get(whom) === open) this.forget(whom);
  }
}

interface Open {
  readonly since: Milliseconds;
  readonly process: string;
}

const processOf = ({ association }: Asked): string => association?.peer ?? '';

/** A registrar with fewer processes has no "most" to go by. */
const FEW = 4;

/** Who was heard of in the last span of time, the last one at the end. */
class Hearing {
  readonly #last = new Map<string, Milliseconds>();

  constructor(private readonly clock: Clock, private readonly span: Milliseconds) {}

  get count(): number {
    this.#forget();
    return this.#last.size;
  }

  note(process: string): void {
    this.#last.delete(process);
    this.#last.set(process, this.clock.now());
    this.#forget();
  }

  #forget(): void {
    const now = this.clock.now();
    for (const [process, at] of this.#last) {
      if (now - at < this.span) return;
      this.#last.delete(process);
    }
  }
}
