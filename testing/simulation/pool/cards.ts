import type { ServiceAccessPoint } from '../../../actors/access-point.js';
import type { SessionHandler } from '../../../actors/register.js';
import type { ServiceSession } from '../../../actors/service-session.js';
import type { Session } from '../../../actors/session.js';
import type { Milliseconds } from '../../../environment.js';
import { RserpoolError } from '../../../errors.js';
import type { MemoryHost } from '../../../transports/memory-host.js';
import type { WorldHost } from '../../world.js';
import type { Stage } from '../stage.js';
import type { CardHistory, ServiceInstance } from './history.js';
import { cardInvariants, meetingsFair } from './invariants.js';
import { CLIENTS, POOL, type PoolPlan } from './plan.js';

export interface Circumstances {
  readonly areRegistrarsWell: () => boolean;
  readonly isRegistered: (host: string) => boolean;
  /** PE identifier of the process that runs there. */
  readonly identifier: (host: string) => number | undefined;
}

/** Business cards: a service whose client is an element of a pool too says news all the time; when the client dies they go to whom its card prefers. */
export class CardWatch {
  readonly #history: CardHistory & { readonly instances: WatchedInstance[] } = { received: [], instances: [] };
  readonly #clients = new Map<number, Client>();
  #isOver = false;

  constructor(private readonly stage: Stage, private readonly plan: PoolPlan, private readonly circumstances: Circumstances) {}

  end(): void { this.#isOver = true; }

  /** From now on nothing is expected of that service. */
  leaves(host: string): void { for (const instance of this.#history.instances) if (instance.host === host) instance.isLeaving = true; }

  wrong(when: 'always' | 'at rest'): [string, string][] {
    if (this.plan.clients.length === 0) return [];
    return cardInvariants.flatMap(({ name, when: asked, check }): [string, string][] => {
      const what = asked === when ? check(this.#history) : undefined;
      return what === undefined ? [] : [[name, what]];
    });
  }

  // ---- the service

  service(name: string, host: WorldHost, identifier: number, handles: (number: number) => void): SessionHandler {
    return (session) => {
      session.on('data', (data, info) => {
        const text = data.toString('latin1', 0, 16);
        if (!text.startsWith('m ')) return;
        handles(Number(text.slice(2)));
        this.stage.transcript.note(name, `handles ${text.slice(2)}`);
        void info.reply(`a ${text.slice(2)} ${identifier}`);
      });
      session.on('error', () => undefined);
      if (this.plan.clients.length > 0) this.#tellNews(new WatchedInstance(name, host.process, session, (id) => this.#clients.get(id)), host);
    };
  }

  #tellNews(instance: WatchedInstance, host: WorldHost): void {
    const { session } = instance;
    let number = 0;
    const tell = (): void => {
      if (instance.end !== undefined || this.#isOver || !instance.isOfClient()) return;
      if (number++ === 0) this.#history.instances.push(instance);
      session.send(`news ${instance.name} ${number}`).catch(() => undefined);
      host.clock.setTimeout(tell, this.plan.card.newsEvery);
    };
    host.clock.setTimeout(tell, this.plan.card.newsEvery);
    session.on('rendezvous', ({ to }) => {
      this.stage.transcript.note(instance.host, `${instance.name} meets ${to.identifier}`);
      if (instance.met++ === 0 && !this.#isOver) this.#hold(instance, to.identifier);
    });
    session.on('closed', (_, error) => {
      instance.over(error?.code ?? 'closed', { isAtTheEnd: this.#isOver, hadSlept: this.stage.hasSlept(instance.host, SILENCE) });
      this.stage.transcript.note(instance.host, `${instance.name} is over${error === undefined ? '' : `: ${error.code}`}`);
    });
  }

  #hold(instance: WatchedInstance, to: number): void {
    const { client } = instance;
    if (client === undefined) return;
    const { stage, plan } = this;
    const isSettled = stage.now - client.changedAt > ON_ITS_WAY && client.isSet;
    const isFair = isSettled && stage.wasNeverDisturbed(instance.host) && this.circumstances.areRegistrarsWell();
    const order = isFair ? client.order : [];
    const well = plan.clients.filter((name) => stage.wasNeverDisturbed(name) && this.circumstances.isRegistered(name)).flatMap((name) => this.circumstances.identifier(name) ?? []);
    const isClientWell = client.process.isAlive && client.session?.epoch === instance.epoch && [plan.clients[0] ?? '', instance.host].every((name) => stage.isUndisturbed(name, SETTLED));
    const wrong = meetingsFair.check({ to, order, well, isClientWell });
    if (wrong !== undefined) stage.violated(meetingsFair.name, `${instance.name}: ${wrong}`);
  }

  // ---- the clients

  clientService(name: string): SessionHandler {
    return (session) => {
      session.on('data', (data) => { this.#received(name, data.toString()); });
      session.on('error', () => undefined);
    };
  }

  /** One that has a session with the service, and says who should come in its place. */
  async client(host: WorldHost, accessPoint: ServiceAccessPoint, identifier: number): Promise<void> {
    const { card } = this.plan;
    const client: Client = { process: host.process, session: undefined, order: [], isSet: false, changedAt: 0 };
    this.#clients.set(identifier, client);
    await this.#setCard(accessPoint, client, card.order);
    const connect = async (): Promise<Session | undefined> => accessPoint.connect(POOL, { deliveryMode: 'at-least-once', failoverTimeout: PATIENCE, openTimeout: PATIENCE }).catch((error: unknown) => {
      if (error instanceof RserpoolError) return undefined; // nobody is there
      throw error;
    });
    const session = await connect();
    client.session = session;
    session?.on('data', (data) => { this.#received(host.name, data.toString()); });
    session?.on('error', () => undefined);
    if (card.changesAfter !== undefined) host.clock.setTimeout(() => { if (!this.#isOver) void this.#setCard(accessPoint, client, [...card.order].reverse()); }, card.changesAfter);
  }

  async #setCard(accessPoint: ServiceAccessPoint, client: Client, order: readonly string[]): Promise<void> {
    const identifiers = order.flatMap((name) => this.circumstances.identifier(name) ?? []);
    client.changedAt = this.stage.now;
    try {
      await accessPoint.setBusinessCard(CLIENTS, identifiers.map((identifier) => ({ handle: CLIENTS, identifier })));
      Object.assign(client, { order: identifiers, isSet: true, changedAt: this.stage.now });
    } catch (error) {
      client.isSet = false;
      if (!(error instanceof RserpoolError)) throw error; // whom it names is not there now
    }
  }

  #received(client: string, text: string): void {
    const [, instance = '', number] = text.split(' ');
    this.#history.received.push({ client, instance, number: Number(number) });
    this.stage.transcript.note(client, `hears ${text}`);
  }
}

interface Client {
  readonly process: MemoryHost;
  session: Session | undefined;
  order: readonly number[];
  /** The card says so. */
  isSet: boolean;
  changedAt: Milliseconds;
}

class WatchedInstance implements ServiceInstance {
  readonly name: string;
  readonly epoch: number;
  met = 0;
  end: string | undefined;
  isLeaving = false;
  hadSlept = false;
  client: Client | undefined;
  #wasClientDead: boolean | undefined;

  constructor(readonly host: string, private readonly process: MemoryHost, readonly session: ServiceSession, private readonly clientOf: (peIdentifier: number) => Client | undefined) {
    this.name = `${host}/${session.id.slice(0, 4)}/${session.epoch}`;
    this.epoch = session.epoch;
  }

  get hasCard(): boolean { return this.client !== undefined; }
  /** Where it has ended, then. A client that had moved on is somebody else's. */
  get isClientDead(): boolean {
    if (this.client?.session?.epoch !== this.epoch || !this.process.isAlive) return false;
    return this.#wasClientDead ?? !this.client.process.isAlive;
  }

  isOfClient(): boolean {
    const { from } = this.session;
    if (this.client === undefined && from !== undefined) this.client = this.clientOf(from.identifier);
    return this.client !== undefined;
  }

  over(end: string, { isAtTheEnd, hadSlept }: { readonly isAtTheEnd: boolean; readonly hadSlept: boolean }): void {
    this.hadSlept = hadSlept;
    this.#wasClientDead = !isAtTheEnd && this.client?.process.isAlive === false;
    this.end = end;
  }
}

/** Longer than a card is. */
const ON_ITS_WAY: Milliseconds = 300;
/** Longer than a fault is felt. */
const SETTLED: Milliseconds = 1_500;
/** Who has slept meanwhile cannot know whether its client is dead, or has left it (D-29). */
const SILENCE: Milliseconds = 500;
const PATIENCE: Milliseconds = 600_000;
