import { freePorts } from '../cli/demo/ports.js';
import { Child } from './child.js';

export interface Ready {
  readonly address: string;
  /** Milliseconds until it served. */
  readonly took: number;
}

/** Registrar processes that know each other. */
export class Group {
  readonly members: Member[] = [];

  /** None of them runs yet. */
  static async create(size: number, input: object = {}): Promise<Group> {
    const group = new Group();
    const ports = await freePorts(2 * size);
    const enrp = ports.slice(size).map((port) => `tcp://127.0.0.1:${port}`);
    for (let index = 0; index < size; index++) {
      const own = { id: 0x5001 + index, asap: `tcp://127.0.0.1:${ports[index]}`, enrp: enrp[index], peers: enrp.filter((_, other) => other !== index) };
      group.members.push(new Member(own, { ...input, ...own }));
    }
    return group;
  }

  get asap(): readonly string[] { return this.members.map(({ asap }) => asap); }

  async leave(): Promise<void> { await Promise.all(this.members.map((member) => member.leave())); }
}

export class Member {
  readonly id: number;
  readonly asap: string;
  #child: Child<Ready> | undefined;

  constructor({ id, asap }: { readonly id: number; readonly asap: string }, private readonly input: object) {
    this.id = id;
    this.asap = asap;
  }

  get child(): Child<Ready> {
    if (this.#child === undefined) throw new Error('this registrar does not run');
    return this.#child;
  }

  /** @param input on top of the group's. */
  async start(input: object = {}): Promise<Ready> {
    this.#child = new Child<Ready>('registrar', { ...this.input, ...input });
    return this.#child.ready;
  }

  async leave(): Promise<void> { await this.#child?.leave(); }

  /** By SIGTERM it hands its elements over first. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.ended;
  }
}
