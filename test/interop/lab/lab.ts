import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Capture } from './capture.js';
import { Guest } from './guest.js';

const execute = promisify(execFile);
const ip = async (command: string): Promise<void> => void await execute('ip', command.split(' '));
const nft = async (rules: string): Promise<void> => void await execute('nft', [rules]);

/** SCTP over UDP, RFC 6951. */
const ENCAPSULATION_PORT = 9899;

/** The network that the guests and this process are on: one bridge in a network namespace, with no way out. This side is 10.77.0.1. */
export class Lab {
  readonly address = '10.77.0.1';
  readonly #guests = new Map<number, Guest>();
  readonly #dropped = new Set<number>();

  private constructor(readonly state: string) {}

  /** The lab this process runs in. */
  static current(): Lab {
    const state = process.env['LAB_STATE'];
    if (state === undefined) throw new Error('not in a lab: start by `npm run test:interop`');
    return new Lab(state);
  }

  guest(number: number): Guest {
    const guest = this.#guests.get(number) ?? new Guest(number, this.state);
    this.#guests.set(number, guest);
    return guest;
  }

  /** Gives this side another address: for a second process with SCTP over UDP. */
  async alias(address: string): Promise<void> {
    await ip(`addr replace ${address}/24 dev br0`);
  }

  /** Makes the network and boots the guests. */
  async raise(guests: number): Promise<void> {
    await ip('link set lo up');
    await ip('link add br0 type bridge forward_delay 0 mcast_snooping 0');
    await ip(`addr add ${this.address}/24 dev br0`);
    await ip('link set br0 up');
    await ip('route add 224.0.0.0/4 dev br0');
    // This side's kernel has no SCTP: it would answer each packet with "protocol unreachable", on which a guest aborts its association.
    await nft('add table ip lab; add chain ip lab out { type filter hook output priority 0; }; add rule ip lab out icmp type destination-unreachable icmp code 2 drop');
    const all = Array.from({ length: guests }, (_, index) => this.guest(index + 1));
    for (const { tap } of all) {
      await ip(`tuntap add dev ${tap} mode tap`);
      await ip(`link set ${tap} master br0 up`);
    }
    await Promise.all(all.map(async (guest) => guest.boot()));
  }

  /** Back to quiet machines that all hear each other: what each file of tests begins with. */
  async fresh(...numbers: readonly number[]): Promise<void> {
    for (const number of this.#dropped) await this.undrop(number);
    await Promise.all(numbers.map(async (number) => this.guest(number).rest()));
  }

  /** The guest's SCTP vanishes in both directions, without a word; commands still reach it. */
  async drop(number: number): Promise<void> {
    this.#dropped.add(number);
    const { tap } = this.guest(number);
    const chains = [['prerouting', 'iifname'], ['forward', 'oifname'], ['output', 'oifname']].map(([hook = '', side]) => [
      `add chain bridge drop${number} ${hook} { type filter hook ${hook} priority 0; }`,
      `add rule bridge drop${number} ${hook} ${side} ${tap} ip protocol 132 drop`,
      `add rule bridge drop${number} ${hook} ${side} ${tap} udp dport ${ENCAPSULATION_PORT} drop`,
    ]);
    await nft([`add table bridge drop${number}`, ...chains.flat()].join('; '));
  }

  async undrop(number: number): Promise<void> {
    this.#dropped.delete(number);
    await nft(`delete table bridge drop${number}`);
  }

  /** The guest's kernel takes SCTP over UDP, and opens its associations so (until it is booted anew). */
  async encapsulate(number: number): Promise<void> {
    const { err } = await this.guest(number).run(`cd /proc/sys/net/sctp && echo ${ENCAPSULATION_PORT} >udp_port && echo ${ENCAPSULATION_PORT} >encap_port`);
    if (err !== '') throw new Error(err);
  }

  /** Records what passes between the guests and this side, from now on. */
  async capture(name: string): Promise<Capture> {
    return Capture.start(join(this.state, `${name}.pcap`));
  }
}
