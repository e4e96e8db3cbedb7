import { Association } from '../../actors/association.js';
import { schemeOf } from '../../transports/address.js';
import { controlTransport } from '../../actors/control-transports.js';
import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../actors/access-point.js';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../actors/registrar.js';
import type { ByteSocket } from '../../transports/network.js';
import type { Listener } from '../../transports/transport.js';
import { asapFraming, type AsapMessage, type AsapMessageName, type AsapMessageOf, type Cause, type Generation, type PoolElement, type PoolPage } from '../../wire/index.js';
import { World, type LogEntry } from '../../testing/world.js';

/** By what registrars of the tests are reached; test/scenarios/asap-suites-over-sctp.test.ts has another one. */
export const asapUnderTest: { scheme: 'tcp' | 'sctp+udp' } = { scheme: 'tcp' };

/** A real registrar on the host `registrar` of a simulated world, and who talks to it. */
export class RegistrarWorld {
  readonly events: string[] = [];
  registrar!: Registrar;

  private constructor(readonly world: World, readonly options: Partial<RegistrarOptions>, readonly scheme: string) {}

  static async start(options: Partial<RegistrarOptions> = {}, world = new World(), scheme: string = asapUnderTest.scheme): Promise<RegistrarWorld> {
    const setting = new RegistrarWorld(world, options, scheme);
    await setting.restart();
    return setting;
  }

  get host() { return this.world.host('registrar'); }
  get address(): string { return `${this.scheme}://${this.host.address}:3863`; }
  /** What the registrar itself logged, of that level. */
  log(level: LogEntry['level']): readonly LogEntry[] { return this.world.log.filter((entry) => entry.host === 'registrar' && entry.level === level); }

  async restart(): Promise<void> {
    this.registrar = await this.world.settled(createRegistrar({ asap: [this.address], id: REGISTRAR, ...this.options, environment: this.host.environment }));
    this.registrar.on('registered', ({ peIdentifier }) => this.events.push(`registered ${peIdentifier}`));
    this.registrar.on('removed', ({ peIdentifier, reason }) => this.events.push(`removed ${peIdentifier}: ${reason}`));
    this.registrar.on('error', (error) => this.events.push(`error: ${String(error)}`));
  }

  /** An association with the registrar, its messages made by hand. */
  async peer(name = 'peer'): Promise<AsapPeer> {
    const peer = new AsapPeer(this.world, name, this.address);
    await this.world.advance(5);
    return peer;
  }

  /** A bare stream to the registrar. */
  async socket(name = 'stranger'): Promise<RawPeer> {
    const { host, port } = { host: this.host.address, port: 3863 };
    const peer = new RawPeer(this.world.host(name).network.connect({ host, port }));
    await this.world.advance(5);
    return peer;
  }

  /** A real process with its registrations. */
  async accessPoint(name = 'pe', options: Partial<InitializeOptions> = {}): Promise<ServiceAccessPoint> {
    return initialize({ registrars: [this.address], environment: this.world.host(name).environment, ...options });
  }

  /** Registers elements of these identifiers from one process. */
  async elements(name: string, ...identifiers: readonly number[]): Promise<ServiceAccessPoint> {
    const accessPoint = await this.accessPoint(name);
    for (const identifier of identifiers) await this.world.settled(accessPoint.register('echo', { identifier }, () => undefined));
    return accessPoint;
  }
}

export const REGISTRAR = 0x77;
export const echo = Buffer.from('echo');

export class AsapPeer {
  readonly received: AsapMessage[] = [];
  /** Why its association ended. */
  down: string | undefined;
  /** Answers ASAP_ENDPOINT_KEEP_ALIVE of its own accord. */
  isAlive = true;
  /** Keep-alives that came to its own ASAP listener. */
  readonly visits: AsapMessage[] = [];
  readonly association: Association;
  readonly #scheme: string;
  #listener: Listener | undefined;

  /** @param localPort of SCTP: the port that it comes from, and listens at. */
  constructor(readonly world: World, readonly name: string, registrar: string, private readonly localPort = 0) {
    this.#scheme = schemeOf(registrar);
    this.association = Association.connect(this.#transport, registrar, () => ({
      message: (message) => this.#take(this.association, message),
      down: ({ code }) => { this.down = code; },
    }), { ...this.#host.environment, ...(localPort > 0 && { localPort }) });
  }

  get address(): string { return this.#host.address; }
  get #host() { return this.world.host(this.name); }
  get #transport() { return this.#host.environment.transports(this.#scheme); }

  /** Sends them, and gives the answers that came within 10 ms. */
  async ask(...messages: readonly (AsapMessage | Uint8Array)[]): Promise<readonly AsapMessage[]> {
    const before = this.received.length;
    for (const message of messages) {
      if (message instanceof Uint8Array) this.association.sendFrame(message);
      else this.association.send(message);
    }
    await this.world.advance(10);
    return this.received.slice(before).filter(({ type }) => type !== 'ASAP_ENDPOINT_KEEP_ALIVE');
  }

  async register(element: PoolElement, handle: Uint8Array = echo): Promise<Registered> {
    const answers = await this.ask({ type: 'ASAP_REGISTRATION', poolHandle: handle, poolElement: element });
    const [answer] = answers;
    if (answer?.type !== 'ASAP_REGISTRATION_RESPONSE' || answers.length !== 1) throw new Error(`not one registration response but ${answers.length}: ${answers.slice(0, 5).map(({ type }) => type).join(', ')}`);
    return { answer, isRejected: answer.flags.reject, causes: answer.error ?? [], generation: answer.generation };
  }

  async deregister(peIdentifier: number, generation?: Generation, handle: Uint8Array = echo): Promise<AsapMessageOf<'ASAP_DEREGISTRATION_RESPONSE'>> {
    const [answer] = await this.ask({ type: 'ASAP_DEREGISTRATION', poolHandle: handle, peIdentifier, ...(generation && { generation }) });
    if (answer?.type !== 'ASAP_DEREGISTRATION_RESPONSE') throw new Error(`no deregistration response: ${JSON.stringify(answer)}`);
    return answer;
  }

  async resolve({ handle = echo, sendUpdates = false, itemsWanted, page }: { readonly handle?: Uint8Array; readonly sendUpdates?: boolean; readonly itemsWanted?: number; readonly page?: PoolPage } = {}): Promise<AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>> {
    const [answer] = await this.ask({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates }, poolHandle: handle, itemsWanted, page });
    if (answer?.type !== 'ASAP_HANDLE_RESOLUTION_RESPONSE') throw new Error(`no resolution: ${JSON.stringify(answer)}`);
    return answer;
  }

  report(peIdentifier: number, handle: Uint8Array = echo): void {
    this.association.send({ type: 'ASAP_ENDPOINT_UNREACHABLE', poolHandle: handle, peIdentifier });
  }

  count(type: AsapMessageName): number { return this.received.filter((message) => message.type === type).length; }

  /** Opens an ASAP listener of its own; element parameters made with `asap: peer` name it. */
  async listen(): Promise<void> {
    this.#listener = await this.world.settled(this.#transport.listen(`${this.#scheme}://${this.#host.address}:${this.localPort}`, (link) => Association.accept(link, (association) => ({
      message: (message) => { this.visits.push(message); this.#take(association, message); },
      down: () => undefined,
    }), this.#host.environment), { framing: asapFraming }));
  }

  async stopListening(): Promise<void> { await this.#listener?.close(); }

  get asapTransport(): NonNullable<PoolElement['asapTransport']> {
    return controlTransport(this.#scheme, Number(this.#listener?.address.split(':').at(-1)), [this.#host.address]);
  }

  #take(from: Association, message: AsapMessage): void {
    this.received.push(message);
    if (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE' && this.isAlive && message.peIdentifier !== undefined) {
      from.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: message.poolHandle, peIdentifier: message.peIdentifier });
    }
  }
}

export interface Registered {
  readonly answer: AsapMessageOf<'ASAP_REGISTRATION_RESPONSE'>;
  readonly isRejected: boolean;
  readonly causes: readonly Cause[];
  readonly generation: Generation | undefined;
}

export class RawPeer {
  readonly bytes: Buffer[] = [];
  /** `end`, or the system's error code. */
  over: string | undefined;

  constructor(readonly socket: ByteSocket) {
    socket.on('data', (chunk) => this.bytes.push(Buffer.from(chunk)));
    socket.on('end', () => { this.over ??= 'end'; });
    socket.on('error', ({ code }) => { this.over ??= code ?? 'error'; });
  }
}

export const elementOf = (identifier: number, more: Partial<PoolElement> = {}): PoolElement => ({
  identifier, homeRegistrar: 0, registrationLife: 300, policy: { policy: 'round-robin' },
  userTransport: { transport: 'tcp', port: 4000 + (identifier % 50_000), addresses: ['10.9.0.1'] }, ...more,
});
