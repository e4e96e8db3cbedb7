import { PoolElement, type ElementSetup, type PoolElementEvents, type UpdateOptions, type WaitOptions } from './element.js';
import type { Unsubscribe } from './emitter.js';
import type { DrainOptions } from './service.js';
import { quiet, type EndOptions } from './waiting.js';

/** A pool element with several mappings: this is its first registration, and what is done to it is done to all. Each has its own PE identifier. */
export class TiedPoolElement extends PoolElement {
  readonly #others: readonly PoolElement[];

  /** @internal The first registration's is the pool's transport, where it is the first of its pool. */
  constructor(first: ElementSetup, others: readonly ElementSetup[]) {
    super(first);
    this.#others = others.map((setup) => new PoolElement(setup));
  }

  override get registrations(): readonly PoolElement[] { return [this, ...this.#others]; }
  override get gone(): Promise<void> { return Promise.all([super.gone, ...this.#others.map(({ gone }) => gone)]).then(() => undefined); }
  override get isRegistered(): boolean { return super.isRegistered && this.#others.every(({ isRegistered }) => isRegistered); }

  /** What any of them has to say; `closed` when all have left. */
  override on<E extends keyof PoolElementEvents>(event: E, listener: PoolElementEvents[E]): Unsubscribe {
    let open = 1 + this.#others.length;
    const heard = (event === 'closed' ? () => { if (--open === 0) (listener as PoolElementEvents['closed'])(); } : listener) as PoolElementEvents[E];
    const ends = [super.on(event, heard), ...this.#others.map((other) => other.on(event, heard))];
    return () => { for (const end of ends) end(); };
  }

  /** Where a registrar refuses it for one of them, it is taken back for all. */
  override async update(options: UpdateOptions, wait: WaitOptions = {}): Promise<void> {
    const { policy } = this;
    const outcomes = await Promise.allSettled([super.update(options, wait), ...this.#others.map((other) => other.update(options, wait))]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    const back = { policy };
    [super.update.bind(this), ...this.#others.map((other) => other.update.bind(other))].forEach((update, index) => {
      if (outcomes[index]?.status === 'fulfilled') update(back).catch(() => undefined);
    });
    throw failed.reason;
  }

  override deregister(options: EndOptions = {}): Promise<void> {
    return quiet(Promise.all([super.deregister(options), ...this.#others.map((other) => other.deregister(options))]).then(() => undefined));
  }

  override drain(options: DrainOptions = {}): Promise<void> {
    return quiet(Promise.all([super.drain(options), ...this.#others.map((other) => other.drain(options))]).then(() => undefined));
  }

  override async withdraw(): Promise<void> {
    await Promise.all([super.withdraw(), ...this.#others.map((other) => other.withdraw())]);
  }
}
