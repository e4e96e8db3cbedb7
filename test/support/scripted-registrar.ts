import { Association } from '../../actors/association.js';
import type { Listener } from '../../transports/transport.js';
import { parseAddress } from '../../transports/address.js';
import { asapFraming, poolHandleKey, type AsapMessage, type AsapMessageOf, type Cause, type Generation, type PoolElement } from '../../wire/index.js';
import { asapUnderTest } from './registrar-world.js';
import type { World, WorldHost } from '../../testing/world.js';

/** As much of a registrar as the tests of the other end need: it answers at once and as told, and writes down what it got. */
export class ScriptedRegistrar {
  /** `at pe1: ASAP_REGISTRATION`, in order of arrival at all registrars of this world. */
  readonly transcript: string[];
  readonly links = new Set<Association>();
  readonly pools = new Map<string, Map<number, PoolElement>>();
  /** Messages of this registrar's own, in order. */
  readonly received: AsapMessage[] = [];
  /** Types it does not answer; `all` for none. */
  readonly deaf = new Set<AsapMessage['type'] | 'all'>();
  /** It does one registration after another, from each association in turn, also for those who have hung up; each takes so long. */
  workTime = 0;
  readonly #work = new Map<Association, AsapMessageOf<'ASAP_REGISTRATION'>[]>();
  rejecting = false;
  /** What it says of how many elements its pools have; pages of them it has none. */
  poolSize: number | undefined;
  /** PE identifiers whose registrations it does not answer. */
  readonly silentTo = new Set<number>();
  /** PE identifiers it does not register, and why. */
  readonly refused = new Map<number, Cause>();
  #generation = 0;
  #listener: Listener | undefined;

  constructor(readonly world: World, readonly host: WorldHost, readonly identifier: number, transcript: string[] = []) {
    this.transcript = transcript;
  }

  static async start(world: World, name: string, identifier: number, transcript?: string[]): Promise<ScriptedRegistrar> {
    const registrar = new ScriptedRegistrar(world, world.host(name), identifier, transcript);
    await world.settled(registrar.#listen());
    return registrar;
  }

  get address(): string { return `${asapUnderTest.scheme}://${this.host.address}:3863`; }
  get #transport() { return this.host.environment.transports(asapUnderTest.scheme); }

  count(type: AsapMessage['type']): number { return this.received.filter((message) => message.type === type).length; }

  /** As a registrar that takes over does: at the PE's own ASAP listener. */
  async visit(element: PoolElement, handle: string, home: boolean, claim: { readonly peIdentifier?: number; readonly generation?: Generation } = {}): Promise<AsapMessage[]> {
    const { asapTransport } = element;
    if (asapTransport === undefined) throw new Error('no ASAP transport');
    const heard: AsapMessage[] = [];
    const association = Association.connect(this.#transport, `${asapUnderTest.scheme}://${asapTransport.addresses[0] ?? ''}:${asapTransport.port}`, (link) => ({
      message: (message) => { heard.push(message); this.#receive(link, message); },
      down: () => this.links.delete(link),
    }), this.host.environment);
    this.links.add(association);
    association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home }, serverIdentifier: this.identifier, poolHandle: Buffer.from(handle), ...claim });
    await this.world.advance(20);
    return heard;
  }

  /** To everyone connected. */
  send(message: AsapMessage): void {
    for (const link of this.links) link.send(message);
  }

  put(handle: string, ...elements: PoolElement[]): void {
    this.pools.set(handle, new Map(elements.map((element) => [element.identifier, element])));
  }

  async #listen(): Promise<void> {
    this.#listener = await this.#transport.listen(this.address, (link) => Association.accept(link, (association) => {
      this.links.add(association);
      return { message: (message) => this.#receive(association, message), down: () => this.links.delete(association) };
    }, this.host.environment), { framing: asapFraming });
  }

  async stop(): Promise<void> {
    await this.#listener?.close();
    for (const link of this.links) link.destroy('LINK_CLOSED');
  }

  #receive(from: Association, message: AsapMessage): void {
    this.received.push(message);
    this.transcript.push(`${this.host.name} < ${this.#nameOf(from)}: ${message.type}`);
    if (this.deaf.has('all') || this.deaf.has(message.type)) return;
    switch (message.type) {
      case 'ASAP_REGISTRATION':
        if (this.silentTo.has(message.poolElement.identifier)) return;
        return this.workTime > 0 ? this.#queue(from, message) : this.#register(from, message);
      case 'ASAP_DEREGISTRATION': {
        this.pools.get(poolHandleKey(message.poolHandle))?.delete(message.peIdentifier);
        from.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: message.poolHandle, peIdentifier: message.peIdentifier });
        return;
      }
      case 'ASAP_HANDLE_RESOLUTION': return this.#resolve(from, message);
      default:
    }
  }

  #queue(from: Association, message: AsapMessageOf<'ASAP_REGISTRATION'>): void {
    if (this.#work.size === 0) this.host.environment.clock.setTimeout(() => { this.#doNext(); }, this.workTime);
    this.#work.set(from, [...(this.#work.get(from) ?? []), message]);
  }

  #doNext(): void {
    const [[from, [message, ...others]]] = this.#work as unknown as [[Association, AsapMessageOf<'ASAP_REGISTRATION'>[]]];
    this.#work.delete(from);
    if (others.length > 0) this.#work.set(from, others);
    if (message !== undefined) this.#register(from, message);
    if (this.#work.size > 0) this.host.environment.clock.setTimeout(() => { this.#doNext(); }, this.workTime);
  }

  #register(from: Association, { poolHandle, poolElement }: AsapMessageOf<'ASAP_REGISTRATION'>): void {
    const common = { type: 'ASAP_REGISTRATION_RESPONSE', poolHandle, peIdentifier: poolElement.identifier } as const;
    if (this.rejecting) return void from.send({ ...common, flags: { reject: true }, error: [{ cause: 'inconsistent-pooling-policy', policy: { policy: 'random' } }] });
    const cause = this.refused.get(poolElement.identifier);
    if (cause !== undefined) return void from.send({ ...common, flags: { reject: true }, error: [cause] });
    const key = poolHandleKey(poolHandle);
    this.pools.set(key, (this.pools.get(key) ?? new Map<number, PoolElement>()).set(poolElement.identifier, poolElement));
    this.#generation += 1;
    from.send({ ...common, flags: { reject: false }, generation: { generation: this.#generation, home: this.identifier } });
  }

  #resolve(from: Association, { poolHandle }: AsapMessageOf<'ASAP_HANDLE_RESOLUTION'>): void {
    const poolElements = [...(this.pools.get(poolHandleKey(poolHandle))?.values() ?? [])];
    const error = poolElements.length === 0 ? [{ cause: 'unknown-pool-handle' as const }] : undefined;
    from.send({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle, poolElements, error, poolSize: this.poolSize });
  }

  #nameOf({ peer }: Association): string {
    const { host } = parseAddress(peer, ['tcp', 'sctp+udp']);
    return [...this.world.network.machines()].find(({ address }) => address === host)?.name ?? host;
  }
}
