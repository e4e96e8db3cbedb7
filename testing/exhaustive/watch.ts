import type { MemoryHost } from '../../transports/memory-host.js';
import { ActorsAlive } from '../simulation/actors-alive.js';
import { leftoversOf } from '../simulation/stage.js';

/** Looks for what a world leaves behind, and for what is thrown at nobody. */
export class Watch {
  readonly unheard: string[] = [];
  readonly #actors = new ActorsAlive();
  readonly #rejected = (error: unknown): void => void this.unheard.push(`nothing is thrown at nobody: ${String(error)}`);

  constructor() {
    process.on('unhandledRejection', this.#rejected);
    this.#actors.begin();
  }

  end(): void {
    this.#actors.end();
    process.off('unhandledRejection', this.#rejected);
  }

  /** Of all charts of a process. */
  states(host: MemoryHost): string[] { return this.#actors.states(host.clock); }

  /** Of a process that has closed everything. */
  leftovers(host: MemoryHost): string[] {
    const remains = { timers: host.pendingTimers, sockets: host.sockets.size, servers: host.servers.size, datagramSockets: host.datagramSockets.size, actors: this.#actors.of(host.clock) };
    return leftoversOf(remains).map((what) => `nothing is left: ${host.name}: ${what}`);
  }
}
