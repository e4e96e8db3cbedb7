import { Actor, type AnyActor } from 'xstate';
import type { Clock } from '../../environment.js';

/** Which actors were started during a run, by the clock of their process: so that one that is never stopped is found. */
export class ActorsAlive {
  readonly #started = new Set<AnyActor>();

  begin(): void {
    if (watching !== undefined) throw new Error('a simulation runs in this process already');
    watching = (actor) => this.#started.add(actor);
    watch();
  }

  end(): void {
    watching = undefined;
  }

  /** Names of those of a process that are still active. */
  of(clock: Clock): string[] {
    return [...this.#started].filter((actor) => actor.clock === clock && (actor.getSnapshot() as { status: string }).status === 'active').map((actor) => nameOf(actor));
  }

  /** States of those of a process that are still active, with the numbers that they keep. */
  states(clock: Clock): string[] {
    return [...this.#started].filter((actor) => actor.clock === clock).flatMap((actor) => {
      const { status, value, context = {} } = actor.getSnapshot() as { status: string; value?: unknown; context?: object };
      return status === 'active' ? [`${nameOf(actor)} ${JSON.stringify([value, Object.entries(context).filter(([, kept]) => isPlain(kept))])}`] : [];
    }).sort();
  }
}

const isPlain = (kept: unknown): boolean => (Array.isArray(kept) ? kept.every(isPlain) : ['number', 'string', 'boolean'].includes(typeof kept));

let watching: ((actor: AnyActor) => void) | undefined;
let isPatched = false;

/** Every actor is started by this method, children too. */
function watch(): void {
  if (isPatched) return;
  isPatched = true;
  const { start } = Actor.prototype;
  Actor.prototype.start = function (this: AnyActor) {
    watching?.(this);
    return start.call(this) as never;
  };
}

function nameOf({ logic, id }: AnyActor): string {
  const { id: chart } = logic as { id?: string };
  return chart ?? id;
}
