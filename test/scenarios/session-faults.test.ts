import type { Session } from '../../actors/session.js';
import type { ServiceSession } from '../../actors/service-session.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { Seen, SessionWorld, type TestElement } from '../support/session-world.js';

/** Pool elements are killed, frozen, blocked, cut off, slowed and drained at random, again and again; sessions of every kind go on as if nothing had
 *  happened. A seed that fails is run alone with `-t 'seed N:'`. */

const SEEDS = Array.from({ length: Number(process.env['SEEDS'] ?? 20) }, (_, index) => index + 1);
const MESSAGES = 60;

/** Answers with everything it has seen: so a lost, doubled or reordered message shows in every later answer. */
function service(random: SeededRandom, world: SessionWorld, states: Map<ServiceSession, () => string>, breaks: string[]) {
  return (session: ServiceSession): void => {
    const every = 1 + random.below(4);
    const delay = random.below(3) * random.below(15);
    let count = 0;
    let running = 0;
    states.set(session, () => String(count));
    session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
    session.on('error', () => undefined);
    session.on('data', async (data, info) => {
      if (++running > 1) breaks.push(`two handlers of session ${session.id} at once`);
      if (delay > 0) await new Promise<void>((done) => { world.clock.setTimeout(done, delay); });
      running--;
      count++;
      if (Number(data.toString()) !== count) breaks.push(`message ${data.toString()} was handled as number ${count}`);
      void info.reply(`${data.toString()} ${count}`);
      if (count % every === 0) session.setCookie(String(count));
    });
  };
}

class Chaos {
  readonly world: SessionWorld;
  readonly random: SeededRandom;
  readonly breaks: string[] = [];
  readonly log: string[] = [];
  readonly #states = new Map<ServiceSession, () => string>();
  readonly #elements: TestElement[] = [];
  #started = 0;

  constructor(readonly seed: number) {
    this.random = new SeededRandom(seed);
    this.world = new SessionWorld({ seed, chunks: seed % 2 === 0 ? 'random' : 'whole', jitter: seed % 3, bufferSize: seed % 5 === 0 ? 2_000 : 0x1_0000 });
  }

  async startElement(): Promise<void> {
    const name = `pe${++this.#started}`;
    this.#elements.push(await this.world.element(name, {
      onSession: service(this.random, this.world, this.#states, this.breaks), snapshot: (session) => Buffer.from(this.#states.get(session)!()),
    }));
  }

  /** One fault; there are always three elements, one of which is well. */
  async fault(): Promise<void> {
    const element = this.#elements[this.random.below(this.#elements.length)]!;
    const { process } = element.host;
    const { network } = this.world;
    const kind = ['crash', 'end', 'power', 'freeze', 'block', 'cut', 'hold', 'slow', 'drain'][this.random.below(9)]!;
    this.log.push(`${Math.round(this.world.clock.now())} ${kind} ${element.name}`);
    switch (kind) {
      case 'crash': process.crash(); break;
      case 'end': process.crash({ peersSee: 'end' }); break;
      case 'power': process.crash({ peersSee: 'nothing' }); break;
      case 'freeze': process.freeze(); this.world.clock.setTimeout(() => { process.thaw(); }, this.random.below(1_200)); return;
      case 'block': process.block(this.random.below(300)); return;
      case 'cut': network.partition(element.name); this.world.clock.setTimeout(() => { network.heal(); }, this.random.below(900)); return;
      case 'hold': network.hold(element.name); this.world.clock.setTimeout(() => { network.heal(); }, this.random.below(900)); return;
      case 'slow': network.setPath('pu', element.name, { latency: this.random.below(60) }); return;
      default: void element.service.drain().then(() => element.service.close()); break;
    }
    element.deregister();
    this.#elements.splice(this.#elements.indexOf(element), 1);
    await this.startElement();
  }
}

it.each(SEEDS)('seed %d: effectively-once through whatever happens', async (seed) => {
  const chaos = new Chaos(seed);
  const { world, random } = chaos;
  for (let i = 0; i < 3; i++) await chaos.startElement();
  const user = world.user();
  const sessions: Session[] = await user.connectMany(3);
  const seen = sessions.map((session) => new Seen(session));
  for (let i = 1; i <= MESSAGES; i++) {
    for (const session of sessions) void session.send(String(i));
    await world.advance(random.below(80));
    if (random.below(6) === 0) await chaos.fault();
  }
  world.network.heal();
  await Promise.all([world.settled(Promise.all(sessions.map(async (session) => session.flush())), 120_000)]).catch((error: unknown) => { chaos.breaks.push(String(error)); });
  const expected = Array.from({ length: MESSAGES }, (_, index) => `${index + 1} ${index + 1}`);
  expect({ breaks: chaos.breaks, errors: seen.flatMap(({ events }) => events.filter((event) => !event.startsWith('failover'))), log: chaos.log }).toEqual({ breaks: [], errors: [], log: chaos.log });
  for (const { data } of seen) expect(data).toEqual(expected);
});
