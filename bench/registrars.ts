import { dumpRegistrar } from '../actors/enrp-client.js';
import { freePorts } from '../cli/demo/ports.js';
import { initialize, type ServiceAccessPoint, type Session } from '../index.js';
import { Child } from './child.js';
import { median, ms, type Row, type Run } from './measure.js';

const PROCESSES = 5;
const EACH = 4;
const USERS = 6;
const SESSIONS = 12;
const POOL = 'echo';
const POLL = 20;
const PATIENCE = 60_000;

const faults = ['SIGKILL', 'restart after SIGKILL', 'SIGSTOP', 'SIGCONT', 'SIGTERM', 'restart after SIGTERM'] as const;
type Fault = typeof faults[number];

/** Three registrars, 20 pool elements in 5 processes, users that look up and have sessions all the time. From a fault of the registrar that is home of most elements until the dumps of
 *  all that live agree and each element has a living home. */
export async function registrars({ rounds, scale }: Run): Promise<Row[]> {
  const scope = await Scope.start();
  const load = await Load.start(scope.asap);
  const times = Object.fromEntries(faults.map((fault) => [fault, [] as number[]])) as Record<Fault, number[]>;
  for (let round = 0; round < rounds; round++) {
    const timed = async (fault: Fault, act: () => unknown): Promise<void> => {
      await act();
      times[fault].push(await scope.agreed());
    };
    const killed = await scope.busiest();
    await timed('SIGKILL', () => { killed.signal('SIGKILL'); });
    await timed('restart after SIGKILL', () => killed.start());
    const frozen = await scope.busiest();
    await timed('SIGSTOP', () => { frozen.signal('SIGSTOP'); });
    await pause(scale * FROZEN);
    await timed('SIGCONT', () => { frozen.signal('SIGCONT'); });
    const left = await scope.busiest();
    await timed('SIGTERM', () => left.leave());
    await timed('restart after SIGTERM', () => left.start());
  }
  await load.stop();
  for (const place of scope.places) place.signal('SIGKILL');
  for (const element of scope.elements) element.kill();
  return [...faults.map((fault) => rowOf(fault, times[fault])), ...load.rows()];
}

/** "SIGCONT after 30 s". */
const FROZEN = 30_000;

function rowOf(fault: Fault, times: readonly number[]): Row {
  const slowest = Math.max(...times);
  const what = `${fault} of 1 of 3 registrars: until ${PROCESSES * EACH} PEs have one living home, median (slowest)`;
  return { what, ours: `${ms(median(times))} (${ms(slowest)})`, ...(fault.startsWith('SIG') && { budget: '<= 2 s', isMet: slowest <= 2_000 }) };
}

class Place {
  isServing = false;
  #process: Child<object> | undefined;

  constructor(readonly id: number, readonly asap: string, readonly enrp: string, private readonly others: () => readonly Place[]) {}

  async start(): Promise<void> {
    this.#process = new Child('scope-registrar', { id: this.id, asap: this.asap, enrp: this.enrp, peers: this.others().filter((other) => other !== this).map(({ enrp }) => enrp) });
    this.#process.ready.catch(() => undefined);
    await this.#process.ready;
    this.isServing = true;
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.isServing = signal === 'SIGCONT';
    this.#process?.kill(signal);
  }

  /** In order: its elements have been given away once it has ended. */
  async leave(): Promise<void> {
    this.#process?.kill('SIGTERM');
    await this.#process?.ended;
    this.isServing = false;
  }
}

class Scope {
  readonly places: Place[] = [];
  readonly elements: Child<object>[] = [];

  static async start(): Promise<Scope> {
    const scope = new Scope();
    const ports = await freePorts(6);
    for (let index = 0; index < 3; index++) scope.places.push(new Place(0x5001 + index, `tcp://127.0.0.1:${ports[index]}`, `tcp://127.0.0.1:${ports[index + 3]}`, () => scope.places));
    await Promise.all(scope.places.map((place) => place.start()));
    for (let number = 1; number <= PROCESSES; number++) {
      const identifiers = Array.from({ length: EACH }, (_, index) => 0x100 * number + index);
      scope.elements.push(new Child('pool-elements', { registrars: scope.asap, pool: POOL, identifiers }));
    }
    await Promise.all(scope.elements.map((element) => element.ready));
    await scope.agreed();
    return scope;
  }

  get asap(): readonly string[] { return this.places.map(({ asap }) => asap); }

  /** Home of most elements: elsewhere a fault would cost nothing. */
  async busiest(): Promise<Place> {
    const { pools } = await dumpRegistrar(this.places[0]!.enrp);
    const owned = ({ id }: Place): number => pools.flatMap(({ elements }) => elements).filter(({ home }) => Number(home) === id).length;
    return [...this.places].sort((one, other) => owned(other) - owned(one))[0]!;
  }

  /** @returns milliseconds. */
  async agreed(): Promise<number> {
    const began = performance.now();
    while (!await this.#isAgreed()) {
      if (performance.now() - began > PATIENCE) throw new Error(`the registrars do not agree within ${PATIENCE / 1_000} s`);
      await pause(POLL);
    }
    return performance.now() - began;
  }

  async #isAgreed(): Promise<boolean> {
    const serving = this.places.filter(({ isServing }) => isServing);
    const views = await Promise.all(serving.map(async ({ enrp }) => (await dumpRegistrar(enrp)).pools.flatMap(({ elements }) => elements.map(({ id, home }) => `${id} ${home}`))));
    const [first = []] = views;
    return first.length === PROCESSES * EACH
      && views.every((view) => view.join() === first.join())
      && first.every((pair) => serving.some(({ id }) => pair.endsWith(id.toString(16).padStart(8, '0'))));
  }
}

/** Look-ups, each asked of a registrar, and sessions that ask every 50 ms. */
class Load {
  readonly #users: ServiceAccessPoint[] = [];
  readonly #sessions: Session[] = [];
  readonly #lookUps: number[] = [];
  #failed = 0;
  #asked = 0;
  #answered = 0;
  #isOver = false;

  static async start(registrars: readonly string[]): Promise<Load> {
    const load = new Load();
    for (let user = 0; user < USERS; user++) load.#users.push(await initialize({ registrars: [...registrars.slice(user % 3), ...registrars.slice(0, user % 3)] }));
    for (let session = 0; session < SESSIONS; session++) load.#open(await load.#users[session % USERS]!.connect(POOL));
    for (const user of load.#users) void load.#lookUp(user);
    return load;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#sessions.map((session) => session.flush()));
    await pause(500);
    await Promise.all(this.#users.map((user) => user.close()));
  }

  rows(): Row[] {
    const slowest = Math.max(...this.#lookUps);
    return [
      { what: `${this.#lookUps.length} look-ups meanwhile, median (slowest)`, ours: `${ms(median(this.#lookUps))} (${ms(slowest)})`, budget: '<= 1 s', isMet: slowest <= 1_000 },
      { what: 'look-ups that failed, or did not name all PEs', ours: String(this.#failed), budget: 'none', isMet: this.#failed === 0 },
      { what: `replies missing in ${SESSIONS} sessions, of ${this.#asked}`, ours: String(this.#asked - this.#answered), budget: 'none', isMet: this.#asked === this.#answered },
    ];
  }

  #open(session: Session): void {
    this.#sessions.push(session);
    session.on('data', () => { this.#answered += 1; });
    const timer = setInterval(() => {
      if (this.#isOver) return clearInterval(timer);
      this.#asked += 1;
      void session.send('x');
    }, 50);
  }

  async #lookUp(user: ServiceAccessPoint): Promise<void> {
    while (!this.#isOver) {
      const began = performance.now();
      const found = await user.resolve(POOL, { refresh: true }).then(({ elements }) => elements.length, () => 0);
      if (found !== PROCESSES * EACH) this.#failed += 1;
      this.#lookUps.push(performance.now() - began);
      await pause(POLL);
    }
  }
}

const pause = (time: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, time); });
