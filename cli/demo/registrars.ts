import { setTimeout as pause } from 'node:timers/promises';
import type { Crew, Member } from './crew.js';
import { monotonic } from './messages.js';
import type { Places } from './places.js';
import type { RegistrarArgs } from './registrar.js';

export interface DemoRegistrar {
  readonly name: string;
  readonly id: number;
  readonly asap: string;
  readonly enrp: string;
  state: 'starting' | 'serving' | 'killed' | 'frozen';
  member: Member;
  /** Pool elements whose home it is. */
  elements: number;
}

type Owners = Readonly<Record<number, number>>;

/** Three registrars that know each other's addresses: who is killed comes back at its own. */
export class Registrars {
  readonly all: DemoRegistrar[] = [];
  readonly #crew: Crew;

  constructor(crew: Crew) {
    this.#crew = crew;
  }

  /** For pool elements and pool users. */
  get addresses(): readonly string[] { return this.all.map(({ asap }) => asap); }
  get serving(): readonly DemoRegistrar[] { return this.all.filter(({ state }) => state === 'serving'); }

  async start({ registrar: placeOf }: Places): Promise<void> {
    const places = NAMES.map((name, index) => ({ name, id: 0x5001 + index, ...placeOf(index) }));
    for (const place of places) this.all.push({ ...place, state: 'starting', elements: 0, member: this.#process(place, places.filter((other) => other !== place).map(({ enrp }) => enrp)) });
    await Promise.all(this.all.map((registrar) => this.#isServing(registrar)));
  }

  /** All that live wake that process should the demo vanish. */
  order(type: 'frozen' | 'thawed', { pid }: Member): void {
    for (const { member } of this.serving) member.order({ type, pid });
  }

  hit(registrar: DemoRegistrar, fault: 'killed' | 'frozen'): void {
    registrar.state = fault;
    if (fault === 'frozen') this.order('frozen', registrar.member);
    registrar.member.kill(fault === 'killed' ? 'SIGKILL' : 'SIGSTOP');
  }

  async bringBack(registrar: DemoRegistrar): Promise<void> {
    const { member } = registrar;
    if (registrar.state === 'killed') {
      await member.gone;
      registrar.state = 'starting';
      registrar.member = this.#process(registrar, this.all.filter((other) => other !== registrar).map(({ enrp }) => enrp));
      return this.#isServing(registrar);
    }
    const awake = member.next('awake');
    member.kill('SIGCONT');
    member.order({ type: 'ping' });
    await awake;
    this.order('thawed', member);
    registrar.state = 'serving';
  }

  /** The one that is home of most elements: a fault elsewhere would show less. */
  async busiest(): Promise<DemoRegistrar | undefined> {
    const [first] = this.serving;
    if (first !== undefined) this.#count(await ownersBy(first.member));
    return [...this.serving].sort((one, other) => other.elements - one.elements)[0];
  }

  /** Resolves once all that live say the same of these elements, and that each has a living home. @returns milliseconds from `since`, undefined when that takes too long. */
  async agree(elements: readonly number[], since: number, patience: number): Promise<number | undefined> {
    while (monotonic() - since < patience) {
      const views = await Promise.all(this.serving.map(({ member }) => ownersBy(member)));
      const [first = {}] = views;
      if (elements.every((element) => this.serving.some(({ id }) => views.every((owners) => owners[element] === id)))) {
        this.#count(first);
        return monotonic() - since;
      }
      await pause(POLL);
    }
    return undefined;
  }

  #count(owners: Owners): void {
    for (const registrar of this.all) registrar.elements = Object.values(owners).filter((owner) => owner === registrar.id).length;
  }

  #process({ name, id, asap, enrp }: Pick<DemoRegistrar, 'name' | 'id' | 'asap' | 'enrp'>, peers: readonly string[]): Member {
    const args: RegistrarArgs = { id, asap, enrp, peers };
    return this.#crew.start(`registrar ${name}`, 'registrar', args);
  }

  async #isServing(registrar: DemoRegistrar): Promise<void> {
    await registrar.member.next('ready');
    registrar.state = 'serving';
  }
}

const NAMES = ['x', 'y', 'z'];
const POLL = 20;

async function ownersBy(member: Member): Promise<Owners> {
  const told = member.next('owners');
  member.order({ type: 'owners' });
  return (await told).owners;
}
