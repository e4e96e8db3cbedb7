import type { Milliseconds } from '../../environment.js';
import { World } from '../world.js';
import { SteeredClock } from './steered-clock.js';
import { SteeredNetwork, type Steering } from './steered-network.js';

export type Action = () => void | Promise<void>;

/** A simulated world in which nothing comes, and no time passes, unless it is chosen. */
export class SteeredWorld {
  readonly clock = new SteeredClock();
  readonly world: World;
  readonly network: SteeredNetwork;

  /** `watch` sums up what of it can be seen; at most `longest` passes at once. */
  constructor(steering: Steering, private readonly longest: Milliseconds, private readonly watch: () => string) {
    this.world = new World({ clock: this.clock, createNetwork: (options) => new SteeredNetwork(options, steering) });
    this.network = this.world.network as SteeredNetwork;
  }

  async choose(actions: ReadonlyMap<string, Action>, choice: string): Promise<void> {
    const action = actions.get(choice);
    if (action === undefined) throw new Error(`${choice} cannot happen here; ${[...actions.keys()].join(', ')} can`);
    await this.happen(action);
  }

  /** And all that follows in the same moment. */
  async happen(action: Action): Promise<void> {
    await action();
    do await this.clock.settle(); while (this.network.beat());
  }

  /** Until something can be seen of it. */
  async letTimePass(): Promise<void> {
    const { sent } = this.network;
    const before = this.watch();
    const end = this.clock.now() + this.longest;
    while (this.clock.now() < end && this.network.sent === sent && this.watch() === before) {
      const span = this.clock.untilNext();
      if (span === undefined) return;
      await this.clock.advance(span);
      while (this.network.beat()) await this.clock.settle();
    }
  }
}
