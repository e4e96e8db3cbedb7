import { createActor, type Actor } from 'xstate';
import { takeoverMachine, type TakeoverEvent, type TakeoverInput, type TakeoverOrder } from '../machines/takeover.js';
import type { ActorEnvironment } from './environment.js';

export interface TakeoversOwner {
  readonly environment: ActorEnvironment;
  readonly timers: TakeoverInput['timers'];
  readonly identifier: number;
  /** Who is to agree to a takeover of that one. */
  peersBut(target: number): readonly number[];
  ownsElements(registrar: number): boolean;
  wasAway(): boolean;
  obeyTakeover(target: number, order: TakeoverOrder): void;
  takeoverFailed(error: unknown): void;
  takeoverBegun(target: number, initiator: number | undefined): void;
}

/** The takeovers that this registrar knows of (RFC 5353 §3.5), its own and others'. */
export class Takeovers {
  readonly #charts = new Map<number, Actor<typeof takeoverMachine>>();

  constructor(private readonly owner: TakeoversOwner) {}

  has(target: number): boolean { return this.#charts.has(target); }

  /** This registrar has agreed that the target is dead, or says so itself. */
  hasAgreed(target: number): boolean {
    const state = this.#charts.get(target)?.getSnapshot().value;
    return state !== undefined && state !== 'examining';
  }

  /** @param initiator another that wants to take the target over; undefined for this one. */
  begin(target: number, initiator?: number): void {
    const { environment: { clock, random }, timers, identifier: self } = this.owner;
    const actor = createActor(takeoverMachine, {
      clock,
      input: {
        self, target, initiator, timers, peers: () => this.owner.peersBut(target), ownsElements: () => this.owner.ownsElements(target),
        wasAway: () => this.owner.wasAway(), fraction: () => random.fraction(),
      },
    });
    this.#charts.set(target, actor);
    actor.on('*', (order) => { this.owner.obeyTakeover(target, order); });
    const end = (): void => { if (this.#charts.get(target) === actor) this.#charts.delete(target); };
    actor.subscribe({ complete: end, error: (error) => { end(); this.owner.takeoverFailed(error); } });
    this.owner.takeoverBegun(target, initiator);
    actor.start();
  }

  tell(target: number, event: TakeoverEvent): void { this.#charts.get(target)?.send(event); }
  tellAll(event: TakeoverEvent): void { for (const chart of [...this.#charts.values()]) chart.send(event); }

  close(): void {
    for (const chart of this.#charts.values()) chart.stop();
    this.#charts.clear();
  }
}
