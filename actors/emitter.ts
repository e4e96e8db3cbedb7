import { createNanoEvents, type Unsubscribe } from 'nanoevents';
import type { Logger } from '../environment.js';

/** A listener's signature for each event. */
export type EventMap<Events> = { readonly [E in keyof Events]: (...args: never[]) => unknown };
export type { Unsubscribe };

/** A typed emitter whose listeners cannot hurt the one that emits: what they throw goes to the logger, and nowhere else. */
export class Emitter<Events extends EventMap<Events>> {
  readonly #events = createNanoEvents<Events & Record<string, never>>() as unknown as NanoEmitter<Events>;
  constructor(readonly logger: Logger) {}

  on<E extends keyof Events>(event: E, listener: Events[E]): Unsubscribe { return this.#events.on(event, listener); }

  /** For those who call the listeners themselves because their results count (D-5). */
  listeners<E extends keyof Events>(event: E): readonly Events[E][] { return this.#events.events[event] ?? none; }

  /** @returns whether anybody listens. */
  emit<E extends keyof Events & string>(event: E, ...args: Parameters<Events[E]>): boolean {
    const listeners = this.listeners(event);
    for (const listener of listeners) guard(this.logger, event, () => listener(...args));
    return listeners.length > 0;
  }
}

/** Runs what a user gave us; what it throws, or rejects with, is logged. */
export function guard(logger: Logger, what: string, run: () => unknown): void {
  try {
    const result = run();
    if (result instanceof Promise) result.catch((error: unknown) => { logger.error({ err: error }, `a ${what} listener rejected`); });
  } catch (error) {
    logger.error({ err: error }, `a ${what} listener threw`);
  }
}

const none: readonly never[] = [];

/** nanoevents' emitter, for event maps that are interfaces. */
interface NanoEmitter<Events> {
  readonly events: { readonly [E in keyof Events]?: Events[E][] };
  on<E extends keyof Events>(event: E, listener: Events[E]): Unsubscribe;
}
