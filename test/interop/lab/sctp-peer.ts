import { join } from 'node:path';
import type { Job } from './agent.js';
import { scripts, type Guest } from './guest.js';

/** What guest/sctp-peer.pl says of a message. */
export interface Arrival {
  readonly ppid: number;
  readonly stream: number;
  readonly length: number;
  readonly isIntact: boolean;
}

/** A guest's kernel as the other end of one association. */
export class SctpPeer {
  private constructor(readonly job: Job, private readonly guest: Guest) {}

  /** Takes one association. */
  static async listen(guest: Guest, port: number): Promise<SctpPeer> {
    const peer = new SctpPeer(guest.start(`exec perl ${join(scripts, 'sctp-peer.pl')} listen ${guest.address} ${port}`), guest);
    await peer.job.out(/^listening$/);
    return peer;
  }

  static connect(guest: Guest, address: string, port: number, localPort?: number): SctpPeer {
    return new SctpPeer(guest.start(`exec perl ${join(scripts, 'sctp-peer.pl')} connect ${address} ${port} ${localPort ?? ''}`), guest);
  }

  /** The kernel's port, once the association is up. */
  async up(): Promise<number> { return Number((await this.job.out(/^up (\d+)$/))[1]); }

  send(length: number, { ppid = 0, stream = 0, unordered = false } = {}): void { this.job.say(`send ${ppid} ${stream} ${length}${unordered ? ' unordered' : ''}`); }
  /** Sends back each message, on its stream and under its identifier. */
  async echo(): Promise<void> {
    this.job.say('echo');
    await this.job.out(/^echoing$/); // what came before it has been told would stay here
  }
  shutdown(): void { this.job.say('shutdown'); }
  abort(): void { this.job.say('abort'); }
  async kill(): Promise<void> { await this.guest.stop(this.job, 'KILL'); }

  async message(): Promise<Arrival> {
    const [, ppid, stream, length, state] = await this.job.out(/^message (\d+) (\d+) (\d+) (\w+)$/);
    return { ppid: Number(ppid), stream: Number(stream), length: Number(length), isIntact: state === 'intact' };
  }

  /** The other side has shut the association down in order. */
  async ended(): Promise<void> { await this.job.out(/^ended$/); }
  /** The error that ended it. */
  async lost(): Promise<string> { return (await this.job.out(/^lost (.*)$/))[1] ?? ''; }
}

/** The bytes of a message of so many: as the script's. */
export const contentOf = (length: number): Buffer => Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, index) => (index * 7 + length) % 251)));
