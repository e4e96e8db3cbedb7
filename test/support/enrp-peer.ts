import { Association, enrpProtocol } from '../../actors/association.js';
import { blockSum, handleSum, PeChecksum } from '../../handlespace/checksum.js';
import { enrpFraming, poolHandleKey, type EnrpMessage, type EnrpMessageName, type EnrpMessageOf, type PoolElement, type ServerInformation } from '../../wire/index.js';
import type { World, WorldHost } from '../../testing/world.js';

export interface PoolEntry { readonly poolHandle: Uint8Array; readonly poolElements: PoolElement[] }

/** A registrar made by hand: it writes down what it got, answers as told, and owns what it says it owns. */
export class EnrpPeer {
  readonly received: EnrpMessage[] = [];
  readonly links = new Set<Association<EnrpMessage>>();
  /** Types it does not answer. */
  readonly deaf = new Set<EnrpMessageName>();
  /** What it answers list requests with; refuses lists and tables while `isStarting`. */
  list: ServerInformation[] = [];
  isStarting = false;
  /** Its table; unless set, what it has told of its own. */
  pieces: (readonly PoolEntry[])[] | undefined;
  /** Unless set, that of what it owns. */
  saysChecksum: number | undefined;
  readonly #owned = new Map<string, { readonly poolHandle: Uint8Array; readonly element: PoolElement }>();
  #piece = 0;
  #isBeating = false;

  private constructor(readonly world: World, readonly host: WorldHost, readonly id: number) {}

  static async start(world: World, name: string, id: number): Promise<EnrpPeer> {
    const peer = new EnrpPeer(world, world.host(name), id);
    await world.settled(peer.host.tcp.listen(`tcp://${peer.host.address}:9901`, (link) => Association.take(enrpProtocol(id), link, (association) => peer.#own(association), peer.host.environment), { framing: enrpFraming }));
    return peer;
  }

  get address(): string { return `tcp://${this.host.address}:9901`; }
  get information(): ServerInformation { return { serverId: this.id, transport: { transport: 'tcp', port: 9901, addresses: [this.host.address] } }; }

  of<N extends EnrpMessageName>(type: N): EnrpMessageOf<N>[] { return this.received.filter((message): message is EnrpMessageOf<N> & EnrpMessage => message.type === type) as EnrpMessageOf<N>[]; }
  clear(): void { this.received.length = 0; }

  /** A link of its own to a registrar, by which it makes itself known. */
  async meet(address: string, first: EnrpMessage = this.presence()): Promise<void> {
    Association.open(enrpProtocol(this.id), this.host.tcp, address, (association) => this.#own(association), this.host.environment);
    this.send(first);
    await this.world.advance(10);
  }

  presence(replyRequired = false): EnrpMessageOf<'ENRP_PRESENCE'> & EnrpMessage {
    return { type: 'ENRP_PRESENCE', flags: { replyRequired }, sendingServer: this.id, receivingServer: 0, checksum: this.checksum, serverInformation: this.information } as EnrpMessageOf<'ENRP_PRESENCE'> & EnrpMessage;
  }

  get checksum(): number {
    const checksum = new PeChecksum();
    for (const { poolHandle, poolElements } of this.#table.flat()) {
      for (const { identifier, homeRegistrar } of poolElements) if (homeRegistrar === this.id) checksum.add(blockSum(handleSum(poolHandleKey(poolHandle)), identifier));
    }
    return this.saysChecksum ?? checksum.value;
  }

  /** Over one of its links. */
  send(message: EnrpMessage): void {
    if (message.type === 'ENRP_HANDLE_UPDATE') this.#note(message);
    [...this.links].at(-1)?.send(message);
  }
  sendFrame(bytes: Uint8Array): void { [...this.links].at(-1)?.sendFrame(bytes); }
  /** Sends it, and gives what came within 10 ms. */
  async ask(message: EnrpMessage): Promise<readonly EnrpMessage[]> {
    const before = this.received.length;
    this.send(message);
    await this.world.advance(10);
    return this.received.slice(before);
  }

  /** Its presence every 100 ms from now on, until `rest`. */
  beat(): void {
    this.#isBeating = true;
    this.#tick();
  }
  rest(): void { this.#isBeating = false; }

  #tick(): void {
    if (!this.#isBeating) return;
    this.send(this.presence());
    this.host.clock.setTimeout(() => { this.#tick(); }, 100);
  }

  #own(association: Association<EnrpMessage>) {
    this.links.add(association);
    return { message: (message: EnrpMessage) => { this.#take(association, message); }, down: () => { this.links.delete(association); } };
  }

  #take(from: Association<EnrpMessage>, message: EnrpMessage): void {
    this.received.push(message);
    if (this.deaf.has(message.type)) return;
    const servers = { sendingServer: this.id, receivingServer: message.sendingServer };
    switch (message.type) {
      case 'ENRP_PRESENCE': if (message.flags.replyRequired) from.send(this.presence()); return;
      case 'ENRP_LIST_REQUEST': return void from.send({ type: 'ENRP_LIST_RESPONSE', flags: { reject: this.isStarting }, ...servers, serverInformation: this.isStarting ? [] : this.list });
      case 'ENRP_HANDLE_TABLE_REQUEST': return this.#answerTable(from, servers);
      case 'ENRP_INIT_TAKEOVER': return void from.send({ type: 'ENRP_INIT_TAKEOVER_ACK', ...servers, targetingServer: message.targetingServer });
      default:
    }
  }

  get #table(): readonly (readonly PoolEntry[])[] {
    return this.pieces ?? [[...this.#owned.values()].map(({ poolHandle, element }) => ({ poolHandle, poolElements: [element] }))];
  }

  #note({ updateAction, poolHandle, poolElement }: EnrpMessageOf<'ENRP_HANDLE_UPDATE'>): void {
    const key = `${poolElement.identifier} ${poolHandleKey(poolHandle)}`;
    if (updateAction === 'ADD_PE' && poolElement.homeRegistrar === this.id) this.#owned.set(key, { poolHandle, element: poolElement });
    else this.#owned.delete(key);
  }

  #answerTable(from: Association<EnrpMessage>, servers: { readonly sendingServer: number; readonly receivingServer: number }): void {
    const poolEntries = this.isStarting ? [] : [...(this.#table[this.#piece] ?? [])];
    const moreToSend = !this.isStarting && this.#piece < this.#table.length - 1;
    this.#piece = moreToSend ? this.#piece + 1 : 0;
    from.send({ type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: this.isStarting, moreToSend }, ...servers, poolEntries });
  }
}
