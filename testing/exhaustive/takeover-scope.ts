import { initialize, type ServiceAccessPoint } from '../../actors/access-point.js';
import { createRegistrar, type Registrar } from '../../actors/registrar.js';
import { quietBound } from '../../machines/bounds.js';
import { quickTimers } from '../../machines/timers.js';
import type { MemoryHost } from '../../transports/memory-host.js';
import { decodeEnrp } from '../../wire/index.js';
import type { Scope, SearchWorld } from './search.js';
import type { Steering } from './steered-network.js';
import { SteeredWorld, type Action } from './steered-world.js';
import { Watch } from './watch.js';

/** Three registrars, one pool element; the element's home dies or freezes, and the two others agree on its successor. Another one may die meanwhile. */
export function takeoverScope(trouble: 'crash' | 'freeze'): Scope {
  return {
    name: `takeover among three registrars, the first one ${trouble === 'crash' ? 'dies' : 'freezes'}`,
    create: async () => {
      const world = new TakeoverWorld();
      await world.begin(trouble);
      return world;
    },
  };
}

class TakeoverWorld implements SearchWorld {
  readonly #steered = new SteeredWorld(steering, LONG, () => this.#state());
  readonly #clock = this.#steered.clock;
  readonly #world = this.#steered.world;
  readonly #network = this.#steered.network;
  readonly #watch = new Watch();
  readonly #registrars = new Map<string, Registrar>();
  #element: ServiceAccessPoint | undefined;
  #deaths = 0;
  #isLeaving = false;

  /** All know each other and the element, which the first one owns, before that one is in trouble. */
  async begin(trouble: 'crash' | 'freeze'): Promise<void> {
    for (const name of NAMES) this.#world.host(name);
    for (const name of NAMES) await this.#within(this.#open(name));
    const host = this.#world.host(ELEMENT);
    this.#element = await this.#within(initialize({ registrars: [this.#address(NAMES[0]!, 3863)], environment: host.environment }));
    await this.#within(this.#element.register(HANDLE, { identifier: 7 }, () => undefined));
    const isReady = await this.#usually(() => this.#living().every((registrar) => registrar.peers().filter(({ state }) => state === 'active').length === 2 && this.#homeAt(registrar) !== undefined), 5_000);
    if (!isReady) throw new Error('the scope does not come up');
    if (trouble === 'freeze') this.#process('r1').freeze();
    else this.#process('r1').crash({ peersSee: 'nothing' });
    await this.#clock.settle();
  }

  dispose(): void { this.#watch.end(); }

  choices(): readonly string[] { return this.#isAtRest() ? [] : [...this.#actions().keys()]; }

  async take(choice: string): Promise<void> {
    await this.#steered.choose(this.#actions(), choice);
  }

  #actions(): Map<string, Action> {
    const actions = new Map<string, Action>();
    for (const stream of this.#network.moving()) actions.set(`${stream.number} ${stream.from}>${stream.to} ${stream.waiting[0]?.what ?? ''}`, () => { this.#network.deliver(stream, 1); });
    actions.set('time', () => this.#steered.letTimePass());
    if (this.#isLeaving) return actions;
    if (this.#process('r1').isFrozen) actions.set('thaw r1', () => { this.#process('r1').thaw(); });
    for (const name of ['r2', 'r3']) if (this.#deaths === 0) actions.set(`crash ${name}`, () => { this.#deaths += 1; this.#process(name).crash({ peersSee: 'reset' }); });
    return actions;
  }

  // ---- those who play

  async #open(name: string): Promise<void> {
    const peers = NAMES.filter((other) => other !== name).map((other) => this.#address(other, 9901));
    const registrar = await createRegistrar({ asap: [this.#address(name, 3863)], enrp: [this.#address(name, 9901)], peers, id: Number(name.slice(1)), environment: this.#world.host(name).environment });
    this.#registrars.set(name, registrar);
  }

  #address(name: string, port: number): string { return `tcp://${this.#world.host(name).address}:${port}`; }
  #process(name: string): MemoryHost { return this.#world.network.machine(name)!.process!; }
  #isWell(name: string): boolean { return this.#process(name).isAlive && !this.#process(name).isFrozen; }
  #living(): Registrar[] { return [...this.#registrars].filter(([name]) => this.#isWell(name)).map(([, registrar]) => registrar); }

  // ---- what is so

  /** Owner and generation of the element, as that registrar sees it. */
  #homeAt(registrar: Registrar | undefined): string | undefined {
    if (registrar === undefined) return undefined;
    for (const owner of registrar.handlespace.owners()) for (const { home, generation } of registrar.handlespace.owned(owner)) return `${home} in generation ${generation?.generation ?? 0} of ${generation?.home ?? 0}`;
    return undefined;
  }

  #wrong(): string[] {
    const living = this.#living();
    const homes = living.map((registrar) => this.#homeAt(registrar));
    const isOwned = living.some(({ identifier }) => homes[0]?.startsWith(`${identifier} `) === true);
    return [
      ...(new Set(homes).size > 1 ? [`registrars agree: the element belongs to ${homes.join('; ')}`] : []),
      ...(isOwned ? [] : [`the element has a living owner: it belongs to ${homes[0] ?? 'nobody'}`]),
      ...(living.every((registrar) => living.every(({ identifier }) => identifier === registrar.identifier || registrar.peers().some(({ id, state }) => id === identifier && state === 'active'))) ? [] : ['registrars know each other: they do not']),
    ];
  }

  /** Who is frozen thaws at the end. */
  #isAtRest(): boolean { return this.#network.moving().length === 0 && this.#wrong().length === 0; }

  fingerprint(): string { return [this.#state(), this.#network.fingerprint(), this.#clock.timers(), this.#deaths].join('\n'); }

  #state(): string {
    return JSON.stringify(NAMES.map((name) => (this.#process(name).isAlive ? [this.#process(name).isFrozen, this.#registrars.get(name)?.peers(), this.#homeAt(this.#registrars.get(name)), this.#watch.states(this.#process(name))] : 'dead')));
  }

  violations(): readonly string[] { return this.#watch.unheard; }

  // ---- the end

  async finish(): Promise<readonly string[]> {
    if (this.#process('r1').isFrozen) await this.#steered.happen(() => { this.#process('r1').thaw(); });
    this.#isLeaving = true;
    await this.#usually(() => this.#wrong().length === 0, quietBound(quickTimers, { elements: 1 }) + SLACK);
    const wrong = this.#wrong();
    let left = 0;
    const all = [this.#element!, ...this.#living()];
    void this.#element!.close().then(() => { left += 1; for (const registrar of this.#living()) void registrar.close().then(() => { left += 1; }); });
    const isClosed = await this.#usually(() => left === all.length, 20_000);
    await this.#usually(() => false, 3_000);
    const hosts = [ELEMENT, ...NAMES].map((name) => this.#process(name)).filter(({ isAlive }) => isAlive);
    return [...wrong, ...(isClosed ? [] : ['everything closes: it does not']), ...hosts.flatMap((host) => this.#watch.leftovers(host)), ...this.#watch.unheard];
  }

  async #usually(isSo: () => boolean, within: number): Promise<boolean> {
    const end = this.#clock.now() + within;
    while (!isSo() && this.#clock.now() < end) {
      const [usual] = this.#actions().values();
      if (usual !== undefined) await this.#steered.happen(usual);
      if (this.#network.moving().length === 0 && this.#clock.untilNext() === undefined) break;
    }
    return isSo();
  }

  async #within<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => { isOver = true; };
    promise.then(over, over);
    if (!await this.#usually(() => isOver, 10_000)) throw new Error('it does not start');
    return promise;
  }
}

const NAMES = ['r1', 'r2', 'r3'];
const ELEMENT = 'pe';
const HANDLE = 'pool';
/** Longer than any wait of a takeover. */
const LONG = 2_000;
const SLACK = 2_000;

const steering: Steering = {
  isSteered: (from, to) => from !== ELEMENT && to !== ELEMENT,
  frameLength: (bytes, offset) => { const length = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0); return length + (-length & 3); },
  describe: (bytes) => {
    const { message } = decodeEnrp(Buffer.from(bytes));
    return message.type === 'ENRP_PRESENCE' && !message.flags.replyRequired ? '~presence' : `${message.type}${'targetingServer' in message ? ` of ${message.targetingServer}` : ''}`;
  },
};
