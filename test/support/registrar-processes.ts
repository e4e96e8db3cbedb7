import { initialize } from '../../index.js';
import type { Dump } from '../../actors/dump.js';
import { dumpRegistrar } from '../../actors/enrp-client.js';
import { freePorts } from '../../cli/demo/ports.js';
import { nodeClock } from '../../transports/node.js';
import { program, rserpool, type Program } from './processes.js';

/** A registrar's place: whoever is started there has its identifier and its addresses. */
export class Place {
  readonly id: string;
  readonly asap: string;
  readonly enrp: string;
  /** Running, and not frozen. */
  isServing = false;
  process!: Program;

  constructor(number: number, asap: number, enrp: number, private readonly others: () => readonly Place[]) {
    this.id = `0x${(0x5001 + number).toString(16).padStart(8, '0')}`;
    this.asap = `tcp://127.0.0.1:${asap}`;
    this.enrp = `tcp://127.0.0.1:${enrp}`;
  }

  /** Resolves once it serves. */
  async start(): Promise<void> {
    const peers = this.others().filter((other) => other !== this).flatMap(({ enrp }) => ['--peer', enrp]);
    this.process = rserpool('registrar', '--asap', this.asap, '--enrp', this.enrp, '--id', this.id, ...peers, '--log-level', 'info');
    await this.process.out(/^registrar 0x\w{8} listens on/);
    this.isServing = true;
  }

  async kill(): Promise<void> {
    this.isServing = false;
    await this.process.killed('SIGKILL');
  }

  freeze(): void {
    this.isServing = false;
    this.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.process.kill('SIGCONT');
    this.isServing = true;
  }
}

/** Registrars that know each other's addresses, and pool elements of several processes that know all of them. */
export class Scope {
  readonly places: Place[] = [];
  readonly elements: Program[] = [];
  #expected = 0;

  static async start(registrars = 3): Promise<Scope> {
    const scope = new Scope();
    const ports = await freePorts(2 * registrars);
    for (let number = 0; number < registrars; number++) scope.places.push(new Place(number, ports[2 * number]!, ports[2 * number + 1]!, () => scope.places));
    await Promise.all(scope.places.map((place) => place.start()));
    return scope;
  }

  get asap(): readonly string[] { return this.places.map(({ asap }) => asap); }
  get serving(): readonly Place[] { return this.places.filter(({ isServing }) => isServing); }

  async startElements(processes: number, each: number): Promise<void> {
    const all = Array.from({ length: processes }, (_, number) => Array.from({ length: each }, (_, index) => 0x100 * (number + 1) + index));
    this.elements.push(...all.map((identifiers) => program('dist/bench/children/pool-elements.js', JSON.stringify({ registrars: this.asap, pool: POOL, identifiers }))));
    this.#expected += processes * each;
    await Promise.all(this.elements.map((element) => element.out(/^registered/)));
  }

  dumps(): Promise<readonly Dump[]> {
    return Promise.all(this.serving.map(({ enrp }) => dumpRegistrar(enrp, { timeout: 3_000 })));
  }

  /** Waits until the dumps of all that serve agree, and each element is there and has a home that serves. @returns milliseconds. */
  async agreed(within = 15_000): Promise<number> {
    const began = nodeClock.now();
    for (let why = ''; ; await wait(POLL)) {
      const took = nodeClock.now() - began;
      why = this.disagreement(await this.dumps());
      if (why === '') return took;
      if (took > within) throw new Error(`after ${took.toFixed(0)} ms: ${why}\n${this.lastWords()}`);
    }
  }

  /** What the registrars printed: who registered, who was removed, and why. */
  lastWords(): string { return this.serving.map(({ id, process }) => `${id}:\n  ${process.said.slice(-30).join('\n  ')}`).join('\n'); }

  /** Empty where there is none. */
  disagreement(dumps: readonly Dump[]): string {
    const owners = dumps.map(ownersIn);
    const serving = this.serving.map(({ id }) => id);
    const [first = new Map<string, string>()] = owners;
    if (owners.some(({ size }) => size !== this.#expected)) return `elements: ${owners.map(({ size }) => size).join(', ')}`;
    const orphans = [...first].filter(([, home]) => !serving.includes(home));
    if (orphans.length > 0) return `without a living home: ${orphans.map((pair) => pair.join(' of ')).join(', ')}`;
    const disputed = [...first].filter(([id, home]) => owners.some((other) => other.get(id) !== home));
    if (disputed.length > 0) return `disputed: ${disputed.map(([id]) => `${id} of ${owners.map((other) => other.get(id) ?? 'nobody').join(', ')}`).join('; ')}`;
    return '';
  }

  /** While `during` runs: elements that a serving registrar did not know, by what its dump says. */
  async missing(during: Promise<unknown>): Promise<readonly string[]> {
    const found: string[] = [];
    let isOver = false;
    const over = during.finally(() => { isOver = true; });
    while (!isOver) {
      for (const { id, enrp } of this.serving) {
        const dump = await dumpRegistrar(enrp, { timeout: 3_000 }).catch(() => undefined); // it has just gone
        if (dump !== undefined && ownersIn(dump).size !== this.#expected) found.push(`${id} knows ${ownersIn(dump).size}`);
      }
      await wait(POLL);
    }
    await over;
    return found;
  }
}

/** Users that look the pool up all the time, each at the registrar that it has found. */
export class LookUps {
  readonly failures: string[] = [];
  slowest = 0;
  #isOver = false;
  readonly #users: readonly Promise<void>[];
  /** For each user: who waits until it has looked up once more. */
  readonly #waiting: (() => void)[][];

  constructor(registrars: readonly string[], users: number, elements: number) {
    this.#waiting = Array.from({ length: users }, () => []);
    this.#users = this.#waiting.map((waiting, index) => this.#run([...registrars.slice(index % registrars.length), ...registrars.slice(0, index % registrars.length)], elements, waiting));
  }

  /** Resolves when each user has looked up once more: the look-up began after this call, and is over. */
  async round(): Promise<void> {
    await Promise.all(this.#waiting.map((waiting) => new Promise<void>((resolve) => waiting.push(resolve))));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#users);
  }

  async #run(registrars: readonly string[], elements: number, waiting: (() => void)[]): Promise<void> {
    const rsp = await initialize({ registrars });
    while (!this.#isOver) {
      const waited = waiting.splice(0);
      const began = nodeClock.now();
      const found = await rsp.resolve(POOL, { refresh: true }).then((resolution) => resolution.elements.length, String);
      if (found !== elements) this.failures.push(`${found} after ${(nodeClock.now() - began).toFixed(0)} ms`);
      this.slowest = Math.max(this.slowest, nodeClock.now() - began);
      for (const resolve of waited) resolve();
      await wait(POLL);
    }
    await rsp.close();
  }
}

export const ownersIn = ({ pools }: Dump): ReadonlyMap<string, string> => new Map(pools.flatMap(({ elements }) => elements.map(({ id, home }) => [id, home] as const)));

export const POOL = 'echo';
const POLL = 30;
const wait = (delay: number): Promise<void> => new Promise((resolve) => { nodeClock.setTimeout(resolve, delay); });
