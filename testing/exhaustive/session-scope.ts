import { DataPlane } from '../../actors/data-plane.js';
import type { Service } from '../../actors/service.js';
import type { ServiceInstance } from '../../actors/service-session.js';
import type { UserSession } from '../../actors/session.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import { quickTimers } from '../../machines/timers.js';
import { parseAddress } from '../../transports/address.js';
import type { MemoryHost } from '../../transports/memory-host.js';
import { decodeFrame, mapping, mappingFraming } from '../../wire/mapping.js';
import { poolHandleKey, type PoolElement } from '../../wire/index.js';
import { record, sendRecorded } from '../simulation/recording.js';
import { counterService, plainStyle, type ServiceStyle } from '../simulation/service.js';
import { emptyHistory, type SessionHistory } from '../simulation/session-history.js';
import { sessionInvariants } from '../simulation/session-invariants.js';
import { Transcript } from '../simulation/transcript.js';
import { ListedPools } from './listed-pools.js';
import type { Scope, SearchWorld } from './search.js';
import type { Steering, Stream } from './steered-network.js';
import { SteeredWorld, type Action } from './steered-world.js';
import { Watch } from './watch.js';

/** One session, two pool elements, a few messages: what can happen between any two frames. */
export interface SessionScopeOptions {
  readonly mode: DeliveryMode;
  /** Default 3. */
  readonly messages?: number;
  /** How many of them happen at most. Default 1. */
  readonly faults?: number;
  readonly style?: Partial<ServiceStyle>;
}

export function sessionScope({ mode, messages = 3, faults = 1, style = {} }: SessionScopeOptions): Scope {
  const wholeStyle: ServiceStyle = { ...plainStyle, ...style };
  return {
    name: `session, ${mode}, ${messages} messages, ${faults} ${faults === 1 ? 'fault' : 'faults'}${wholeStyle.delay > 0 ? `, handlers of ${wholeStyle.delay} ms` : ''}${wholeStyle.stateful ? '' : ', stateless'}`,
    create: async () => {
      const world = new SessionWorld(mode, messages, faults, wholeStyle);
      await world.begin();
      return world;
    },
  };
}

interface Element {
  readonly plane: DataPlane;
  readonly service: Service;
  readonly entry: PoolElement;
}

class SessionWorld implements SearchWorld {
  readonly #steered = new SteeredWorld(steering, LONG, () => this.#state());
  readonly #clock = this.#steered.clock;
  readonly #world = this.#steered.world;
  readonly #network = this.#steered.network;
  readonly #watch = new Watch();
  readonly #history: SessionHistory;
  readonly #saved = new Set<string>();
  readonly #transcript: Transcript;
  readonly #elements = new Map<string, Element>();
  readonly #registry: PoolElement[] = [];
  readonly #faults: { readonly what: string; readonly at: Milliseconds }[] = [];
  #identifiers = 0;
  #plane: DataPlane | undefined;
  #session: UserSession | undefined;
  #isOpen = false;
  #isLeaving = false;

  constructor(private readonly mode: DeliveryMode, private readonly messages: number, private readonly faults: number, private readonly style: ServiceStyle) {
    this.#transcript = new Transcript(() => this.#clock.now());
    this.#history = emptyHistory({ mode, stateful: style.stateful, concurrency: style.concurrency, window: { messages: 1024, bytes: 0x10_0000 } });
    this.#history.saved = this.#saved;
  }

  /** Both elements listen, and the user has begun to connect. */
  async begin(): Promise<void> {
    for (const name of ELEMENTS) await this.#startElement(name);
    const host = this.#world.host(USER);
    this.#plane = new DataPlane({ environment: host.environment, pools: new ListedPools(this.#registry, host), timers: quickTimers });
    this.#plane.connect(KEY, { deliveryMode: this.mode, openTimeout: 600_000, failoverTimeout: 600_000 }).then(
      (session) => { this.#open(session as UserSession); },
      (error: unknown) => { this.#history.end = String(error); },
    );
    await this.#clock.advance(2);
  }

  dispose(): void { this.#watch.end(); }

  // ---- what may happen

  choices(): readonly string[] { return this.#isAtRest() ? [] : [...this.#actions().keys()]; }

  /** All has been sent, handled, covered and answered, and nothing is under way. */
  #isAtRest(): boolean {
    const { sent, sends, end } = this.#history;
    if (this.#network.moving().length > 0 || ELEMENTS.some((name) => this.#process(name).isFrozen)) return false;
    return end !== undefined || (sent.length === this.messages && sends.size === sent.length && this.#session?.half.isSettled === true);
  }

  async take(choice: string): Promise<void> {
    this.#transcript.note('-', choice);
    await this.#steered.choose(this.#actions(), choice);
  }

  #actions(): Map<string, Action> {
    const actions = new Map<string, Action>();
    for (const stream of this.#network.moving()) this.#addDeliveries(actions, stream);
    const { sent } = this.#history;
    if (this.#isOpen && !this.#isLeaving && sent.length < this.messages) actions.set(`send ${sent.length + 1}`, () => { this.#send(); });
    for (const name of ELEMENTS) if (this.#process(name).isFrozen) actions.set(`thaw ${name}`, () => { this.#thaw(name); });
    actions.set('time', () => this.#steered.letTimePass());
    if (this.#faults.length < this.faults && !this.#isLeaving) for (const name of ELEMENTS) this.#addFaults(actions, name);
    return actions;
  }

  #addDeliveries(actions: Map<string, Action>, stream: Stream): void {
    const { number, from, to, waiting } = stream;
    actions.set(`${number} ${from}>${to} ${waiting[0]?.what.split('|')[0] ?? ''}`, () => { this.#network.deliver(stream, 1); });
    if (waiting.length > 1) actions.set(`${number} ${from}>${to} all ${waiting.length}`, () => { this.#network.deliver(stream, waiting.length); });
  }

  #addFaults(actions: Map<string, Action>, name: string): void {
    const fault = (what: string, happen: (process: MemoryHost) => void | Promise<void>): void => {
      actions.set(`${what} ${name}`, async () => {
        this.#faults.push({ what: `${what} ${name}`, at: this.#clock.now() });
        await happen(this.#process(name));
      });
    };
    const isUsed = this.#session?.peIdentifier === this.#elements.get(name)?.entry.identifier || !this.#isOpen;
    for (const peersSee of ['reset', 'nothing'] as const) fault(`crash, ${peersSee} seen,`, async (process) => {
      process.crash({ peersSee });
      await this.#startElement(name);
    });
    if (!isUsed) return;
    fault('break the link with', () => { this.#breakLinks(name); });
    fault('freeze', (process) => { process.freeze(); });
  }

  #breakLinks(name: string): void {
    const address = this.#world.host(name).address;
    const both = [...this.#process(USER).sockets].filter(({ remoteAddress }) => remoteAddress === address).concat([...this.#process(name).sockets]);
    for (const socket of both) socket.fail('ECONNRESET', 'read');
  }

  #thaw(name: string): void {
    const epoch = this.#session?.epoch ?? 0;
    for (const instance of this.#history.instances) if (instance.process.startsWith(`${name}#`) && !instance.isOver && instance.epoch < epoch) instance.isFenced = true;
    this.#process(name).thaw();
  }

  // ---- those who play

  async #startElement(name: string): Promise<void> {
    const old = this.#elements.get(name);
    if (old !== undefined) this.#registry.splice(this.#registry.indexOf(old.entry), 1);
    const host = this.#world.host(name);
    const identifier = ++this.#identifiers;
    const plane = new DataPlane({ environment: host.environment, pools: new ListedPools([], host), timers: quickTimers });
    const { options, onSession } = counterService(this.style, host, `${name}#${identifier}`, { log: { of: () => this.#history.instances, saved: () => this.#saved }, transcript: this.#transcript });
    const listening = plane.listen(`tcp://${host.address}:0`, { handle: HANDLE, handleBytes: Buffer.from(HANDLE), options, onSession, element: () => undefined });
    await this.#clock.settle();
    const service = await listening;
    const { port } = parseAddress(service.address, ['tcp']);
    const entry: PoolElement = {
      identifier, homeRegistrar: 1, registrationLife: -1, userTransport: { transport: 'tcp', port, addresses: [host.address] }, policy: { policy: 'round-robin' }, capabilities: Uint8Array.of(1),
    };
    this.#registry.push(entry);
    this.#elements.set(name, { plane, service, entry });
  }

  #open(session: UserSession): void {
    const history = this.#history;
    this.#session = session;
    this.#isOpen = true;
    record(session, history);
    session.on('failover', ({ from, to }) => { this.#transcript.note(USER, `failover from ${from} to ${to}`); });
    session.on('closed', () => { if (!this.#isLeaving) history.end = history.errors.at(-1) ?? 'closed'; });
  }

  #send(): void {
    sendRecorded(this.#session, this.#history, String(this.#history.sent.length + 1), {});
  }

  #process(name: string): MemoryHost { return this.#world.host(name).process; }

  // ---- what is so

  fingerprint(): string {
    const now = this.#clock.now();
    return [
      this.#state(), this.#network.fingerprint(), this.#clock.timers(),
      this.#faults.map(({ what, at }) => `${what} ${Math.round(now - at)}`).join(),
    ].join('\n');
  }

  /** Without what is under way, and without time. */
  #state(): string { return JSON.stringify([this.#userState(), [...this.#elements.values()].map((element) => elementState(element)), this.#historyState()]); }

  #userState(): unknown {
    const session = this.#session;
    if (session === undefined) return 'opening';
    const { half, actor } = session;
    const { value, context } = actor.getSnapshot();
    return [
      value, context.attempts, context.isOpen, context.isClosing, session.peIdentifier, half.epoch, half.isStateful, half.isSettled, half.cookie?.cookie.toString(), half.window.transmittedId, half.window.coveredId, half.window.lastId,
      half.window.kept().map(({ id, sent, done, answered, given }) => [id, sent, done, answered, given]),
    ];
  }

  #historyState(): unknown {
    const { sent, sends, replies, instances, undelivered, errors, moves, end } = this.#history;
    return [sent, [...sends], replies, instances, undelivered, errors, moves.length, end, ELEMENTS.map((name) => this.#process(name).isFrozen)];
  }

  violations(): readonly string[] {
    return [...this.#wrong('always'), ...this.#watch.unheard];
  }

  #wrong(when: 'always' | 'at rest'): string[] {
    return sessionInvariants.filter((invariant) => invariant.when === when).flatMap(({ name, check }) => {
      const what = check(this.#history);
      return what === undefined ? [] : [`${name}: ${what}`];
    });
  }

  // ---- the end

  async finish(): Promise<readonly string[]> {
    for (const name of ELEMENTS) if (this.#process(name).isFrozen) this.#thaw(name);
    const isRest = await this.#usually(() => this.#isOpen && this.#history.sent.length === this.messages);
    const flush = this.#session?.flush();
    let isFlushed = flush === undefined;
    flush?.then(() => { isFlushed = true; }, () => { isFlushed = true; });
    const settled = isRest && await this.#usually(() => this.#history.end !== undefined || (isFlushed && this.#history.sends.size === this.messages));
    this.#history.isSettled = true;
    const wrong = [...(settled ? [] : ['the session settles: it does not']), ...this.#wrong('always'), ...this.#wrong('at rest')];
    return [...wrong, ...await this.#leave(), ...this.#watch.unheard];
  }

  async #leave(): Promise<string[]> {
    this.#isLeaving = true;
    let left = 0;
    const leaving = (close: Promise<void>): void => void close.then(() => { left += 1; });
    if (this.#session !== undefined) leaving(this.#session.close());
    else left += 1;
    await this.#usually(() => left === 1);
    for (const plane of [this.#plane!, ...[...this.#elements.values()].map((element) => element.plane)]) leaving(plane.close());
    const isClosed = await this.#usually(() => left === 4);
    const end = this.#clock.now() + 3_000;
    await this.#usually(() => this.#network.moving().length === 0 && (this.#clock.untilNext() === undefined || this.#clock.now() >= end));
    return [...(isClosed ? [] : ['everything closes: it does not']), ...[USER, ...ELEMENTS].flatMap((name) => this.#watch.leftovers(this.#process(name)))];
  }

  /** Goes on as a rule it would. @returns whether it came to that. */
  async #usually(isSo: () => boolean): Promise<boolean> {
    for (let steps = 0; steps < 1_000; steps += 1) {
      if (isSo()) return true;
      const [usual] = this.#actions().values();
      if (usual !== undefined) await this.#steered.happen(usual);
    }
    return isSo();
  }
}

/** What of an element is not a matter of the frames that its streams have brought it. */
function elementState({ service, entry }: Element): unknown {
  return [entry.identifier, [...service.sessions].map((instance: ServiceInstance) => [instance.epoch, instance.half.isEnded, instance.half.running.size, instance.half.isUncovered, instance.half.output.bytes])];
}

/** Longer than a silence. */
const LONG = 1_000;
const USER = 'pu';
const ELEMENTS = ['pe1', 'pe2'];
const HANDLE = 'counter';
const KEY = poolHandleKey(HANDLE);

const steering: Steering = {
  frameLength: (bytes, offset) => mappingFraming.frameLength(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), offset),
  describe: (bytes) => {
    const frame = Buffer.from(bytes);
    if (frame[4] === mapping.HEARTBEAT.type) return '~HEARTBEAT';
    if (frame[4] === mapping.HEARTBEAT_ACK.type) return '~HEARTBEAT_ACK';
    const decoded = decodeFrame(frame, 0, frame.length);
    return `${decoded.type}${'id' in decoded && decoded.id > 0 ? ` ${decoded.id}` : ''}|${frame.subarray(5).toString('base64')}`;
  },
};
