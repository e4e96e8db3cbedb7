import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../actors/registrar.js';
import type { PoolElement as Element } from '../../actors/element.js';
import { World } from '../../testing/world.js';

/** Several registrars, each on a host of its own (`r1`, `r2` ...), which know each other by configuration; and processes with pool elements. */
export class ScopeWorld {
  readonly registrars = new Map<string, Registrar>();
  readonly events: string[] = [];

  private constructor(readonly world: World, readonly names: readonly string[], readonly options: Partial<RegistrarOptions>, readonly scheme: string) {}

  /** @param open those that are opened at once. */
  static async start(count = 3, options: Partial<RegistrarOptions> = {}, world = new World(), open?: readonly string[], scheme = 'tcp'): Promise<ScopeWorld> {
    const scope = new ScopeWorld(world, Array.from({ length: count }, (_, index) => `r${index + 1}`), options, scheme);
    for (const name of scope.names) scope.world.host(name);
    for (const name of open ?? scope.names) await scope.open(name);
    await world.advance(500);
    return scope;
  }

  address(name: string, port = 3863, scheme = this.scheme): string { return `${scheme}://${this.world.host(name).address}:${port}`; }
  get asap(): readonly string[] { return this.names.map((name) => this.address(name)); }
  registrar(name: string): Registrar { return this.registrars.get(name)!; }
  id(name: string): number { return 0x1000 + this.names.indexOf(name) + 1; }

  /** Starts the registrar of that host, anew after a crash. */
  async open(name: string, options: Partial<RegistrarOptions> = {}): Promise<Registrar> {
    const registrar = await this.world.settled(this.opening(name, options));
    return registrar;
  }

  opening(name: string, options: Partial<RegistrarOptions> = {}): Promise<Registrar> {
    const starting = createRegistrar({
      asap: [this.address(name)], enrp: [this.address(name, 9901)], peers: this.names.filter((other) => other !== name).map((other) => this.address(other, 9901)), id: this.id(name),
      ...this.options, ...options, environment: this.world.host(name).environment,
    });
    return starting.then((registrar) => {
      this.registrars.set(name, registrar);
      registrar.on('takeover', ({ target, role, outcome }) => this.events.push(`${name}: ${role} ${this.#name(target)} ${outcome}`));
      registrar.on('removed', ({ peIdentifier, reason }) => this.events.push(`${name}: removed ${peIdentifier} ${reason}`));
      registrar.on('error', (error) => this.events.push(`${name}: error ${String(error)}`));
      return registrar;
    });
  }

  async accessPoint(name: string, options: Partial<InitializeOptions> = {}): Promise<ServiceAccessPoint> {
    return initialize({ registrars: this.asap, environment: this.world.host(name).environment, ...options });
  }

  /** A process with elements of these identifiers, its first home the one given. */
  async elements(name: string, identifiers: readonly number[], home?: string, pool = 'echo'): Promise<readonly Element[]> {
    const others = home === undefined ? [] : this.names.filter((other) => other !== home);
    this.world.host(name);
    if (others.length > 0) this.world.network.partition(name, others); // or the quickest would be home
    const accessPoint = await this.accessPoint(name);
    const elements: Element[] = [];
    for (const identifier of identifiers) elements.push(await this.world.settled(accessPoint.register(pool, { identifier }, () => undefined)));
    if (others.length > 0) this.world.network.heal(name, others);
    return elements;
  }

  /** `id@home` of all elements, as that registrar knows them. */
  known(name: string): string[] {
    return this.registrar(name).dump().pools.flatMap(({ elements }) => elements.map(({ id, home }) => `${Number(id)}@${this.#name(Number(home))}`));
  }

  peers(name: string): string[] { return this.registrar(name).peers().map(({ id, state }) => `${this.#name(id)} ${state}`).sort(); }

  /** All that run agree. */
  agree(names: readonly string[] = this.names): boolean { return new Set(names.map((name) => JSON.stringify(this.registrar(name).dump().pools))).size === 1; }

  #name(id: number): string { return this.names[id - 0x1001] ?? id.toString(16); }
}
