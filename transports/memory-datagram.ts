import type { MemoryNetwork } from './memory.js';
import { LOOPBACK, networkError, type MemoryHost } from './memory-host.js';
import { isGroup, type DatagramBinding, type DatagramSocket, type Endpoint } from './network.js';

type Receive = (bytes: Buffer, from: Endpoint) => void;

/** A socket for datagrams of the simulated network: each comes once, twice or never, in any order. */
export class MemoryDatagramSocket implements DatagramSocket {
  readonly local: Endpoint;
  readonly isShared: boolean;
  readonly #world: MemoryNetwork;
  readonly #host: MemoryHost;
  readonly #receive: Receive;
  readonly #groups = new Set<string>();
  /** Bound to a group: takes nothing else. */
  readonly #only: string | undefined;

  static bind(world: MemoryNetwork, host: MemoryHost, at: DatagramBinding, receive: Receive): MemoryDatagramSocket {
    const others = [...host.datagramSockets];
    const port = at.port === 0 ? host.freePort((candidate) => others.every((other) => other.local.port !== candidate)) : at.port;
    if (others.some((other) => other.local.port === port && !(at.shared === true && other.isShared))) throw networkError('EADDRINUSE', 'bind');
    const socket = new MemoryDatagramSocket(world, host, port, at, receive);
    host.datagramSockets.add(socket);
    return socket;
  }

  private constructor(world: MemoryNetwork, host: MemoryHost, port: number, at: DatagramBinding, receive: Receive) {
    this.#world = world;
    this.#host = host;
    this.#receive = receive;
    this.local = { host: host.address, port };
    this.isShared = at.shared === true;
    this.#only = isGroup(at.host) ? at.host : undefined;
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    if (!this.#host.datagramSockets.has(this)) return; // closed
    const copy = Buffer.from(bytes);
    for (const machine of this.#targets(to.host)) {
      this.#world.trace?.({ at: this.#world.clock.now(), from: this.#host.name, to: machine.name, kind: 'datagram', bytes: copy });
      this.#world.path(this.#host.name, machine.name).throw(() => {
        if (!machine.isOn) return;
        for (const socket of machine.process?.datagramSockets ?? []) {
          if (socket.local.port === to.port && socket.#hears(to.host)) socket.#take(copy, this.local);
        }
      });
    }
  }

  join(group: string): void {
    this.#groups.add(group);
  }

  leave(group: string): void {
    this.#groups.delete(group);
  }

  close(): void {
    this.#host.datagramSockets.delete(this);
  }

  #hears(host: string): boolean {
    return isGroup(host) ? this.#groups.has(host) && (this.#only ?? host) === host : this.#only === undefined;
  }

  #take(bytes: Buffer, from: Endpoint): void {
    this.#host.deliver(() => {
      if (this.#host.datagramSockets.has(this)) this.#receive(Buffer.from(bytes), from);
    });
  }

  #targets(host: string): { readonly name: string; readonly isOn: boolean; readonly process: MemoryHost | undefined }[] {
    if (isGroup(host)) return [...this.#world.machines()];
    const machine = this.#world.machine(LOOPBACK.has(host) ? this.#host.name : host);
    return machine === undefined ? [] : [machine];
  }
}
