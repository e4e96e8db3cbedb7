import type { Clock, Milliseconds } from '../environment.js';

/** A clock for those who wait for answers: its timers expire after a poll phase. A process that stood still, or had much to do, runs its timers before its sockets: what
 *  it waits for may have come long ago (D-29). Without this a thousand pool users that start at once take a registrar for dead that has answered them, and ask again. */
export function patient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    defer: (task) => { clock.defer(task); },
    setTimeout: (expire, delay) => new PatientTimer(clock, expire, delay),
    clearTimeout: (timer) => { if (timer instanceof PatientTimer) timer.clear(); },
  };
}

class PatientTimer {
  readonly #clock: Clock;
  readonly #timer: unknown;
  #isCleared = false;

  constructor(clock: Clock, expire: () => void, delay: Milliseconds) {
    this.#clock = clock;
    this.#timer = clock.setTimeout(() => { clock.defer(() => { if (!this.#isCleared) expire(); }); }, delay);
  }

  clear(): void {
    this.#isCleared = true;
    this.#clock.clearTimeout(this.#timer);
  }
}
