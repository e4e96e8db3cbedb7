import type { MemoryNetwork } from './memory.js';
import { LOOPBACK, networkError, type MemoryHost } from './memory-host.js';
import type { DatagramSocket, Endpoint } from './network.js';

type Receive = (bytes: Buffer, from: Endpoint) => void;

/** A socket for datagrams of the simulated network: each comes once or never, in any order. */
export class MemoryDatagramSocket implements DatagramSocket {
  readonly local: Endpoint;
  readonly isShared: boolean;
  readonly #world: MemoryNetwork;
  readonly #host: MemoryHost;
  readonly #receive: Receive;
  readonly #groups = new Set<string>();

  static bind(world: MemoryNetwork, host: MemoryHost, at: Endpoint & { readonly shared?: boolean }, receive: Receive): MemoryDatagramSocket {
    const others = [...host.datagramSockets];
    const port = at.port === 0 ? host.freePort((candidate) => others.every((other) => other.local.port !== candidate)) : at.port;
    if (others.some((other) => other.local.port === port && !(at.shared === true && other.isShared))) throw networkError('EADDRINUSE', 'bind');
    const socket = new MemoryDatagramSocket(world, host, port, at.shared === true, receive);
    host.datagramSockets.add(socket);
    return socket;
  }

  private constructor(world: MemoryNetwork, host: MemoryHost, port: number, isShared: boolean, receive: Receive) {
    this.#world = world;
    this.#host = host;
    this.#receive = receive;
    this.local = { host: host.address, port };
    this.isShared = isShared;
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    const copy = Buffer.from(bytes);
    for (const machine of this.#targets(to.host)) {
      this.#world.trace?.({ at: this.#world.clock.now(), from: this.#host.name, to: machine.name, kind: 'datagram', bytes: copy });
      this.#world.path(this.#host.name, machine.name).throw(() => {
        if (!machine.isOn) return;
        for (const socket of machine.process?.datagramSockets ?? []) {
          if (socket.local.port === to.port && (!isGroup(to.host) || socket.#groups.has(to.host))) socket.#take(copy, this.local);
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

const isGroup = (address: string): boolean => /^(22[4-9]|23\d)\.\d|^ff[0-9a-f]{2}:/i.test(address);
