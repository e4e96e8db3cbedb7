import { setTimeout as pause } from 'node:timers/promises';
import { hex } from '../options.js';
import { Crew, type Member } from './crew.js';
import type { Display } from './display.js';
import type { ElementArgs } from './element.js';
import { median, monotonic, type Report, type Totals } from './messages.js';
import { placesFor, type DemoTransport, type Places } from './places.js';
import { Registrars, type DemoRegistrar } from './registrars.js';
import type { UserArgs } from './user.js';

const POOL = 'counter';
const FIRST = 'a'.charCodeAt(0);
/** Milliseconds: an element stays away at least; all is quiet between rounds; what should happen has happened at the latest. */
const AWAY = 1_000;
const QUIET = 500;
const PATIENCE = 15_000;

interface Element {
  readonly name: string;
  id: number;
  state: 'starting' | 'serving' | 'killed' | 'frozen';
  member: Member;
}

type Fault = 'killed' | 'frozen';

/** Starts everybody, then kills and freezes elements and registrars in turn. */
export class Director {
  readonly #display: Display;
  readonly #sessions: number;
  readonly #stopped = new AbortController();
  readonly #crew: Crew;
  readonly #elements: Element[] = [];
  readonly #times: number[] = [];
  readonly #registrars: Registrars;
  #places: Places | undefined;
  #user: Member | undefined;
  #totals: Totals = { sent: 0, answered: 0, lost: 0, doubled: 0, failovers: 0, lookUps: 0, failedLookUps: 0, slowestLookUp: 0 };
  #serving: Readonly<Record<number, number>> = {};
  #rate = { at: monotonic(), answered: 0, perSecond: 0 };
  #failed: (error: Error) => void = () => undefined;
  readonly #failure: Promise<never>;
  #isEnding = false;

  constructor(display: Display, sessions: number, private readonly transport: DemoTransport) {
    this.#display = display;
    this.#sessions = sessions;
    this.#failure = new Promise((_, reject) => { this.#failed = reject; });
    this.#failure.catch(() => undefined);
    this.#crew = new Crew({ onNote: (name, text) => { display.event(`${name}: ${text}`); }, onEnd: (member, how) => { this.#onEnd(member, how); } });
    this.#registrars = new Registrars(this.#crew);
  }

  /** Ends the rounds; what is under way is still counted. */
  stop(): void { this.#stopped.abort(); }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#crew.end();
  }

  run(rounds: number): Promise<{ totals: Totals; median: number }> {
    return Promise.race([this.#failure, this.#run(rounds)]);
  }

  async #run(rounds: number): Promise<{ totals: Totals; median: number }> {
    await this.#start();
    for (let round = 0; round < rounds && !this.#isStopped; round += 1) {
      const fault = round % 4 < 2 ? 'killed' : 'frozen';
      await (round % 2 === 0 ? this.#elementRound(fault) : this.#registrarRound(fault));
    }
    this.#display.event('waiting for the last replies');
    const finished = this.#user?.next('finished');
    this.#user?.order({ type: 'finish' });
    return (await finished) ?? { totals: this.#totals, median: 0 };
  }

  async #start(): Promise<void> {
    const places = this.#places = await placesFor(this.transport, 3);
    await this.#registrars.start(places);
    for (const registrar of this.#registrars.all) this.#isListening(registrar);
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const id = idOf(index);
      this.#elements.push({ name, id, state: 'starting', member: this.#startElement(name, id) });
    }
    await Promise.all(this.#elements.map((element) => this.#isServing(element)));
    const args: UserArgs = { registrars: this.#registrars.addresses, pool: POOL, sessions: this.#sessions };
    this.#user = this.#crew.start('user', 'user', args);
    this.#user.on((report) => { this.#onReport(report); });
    await this.#user.next('ready');
    this.#display.event(`user has ${this.#sessions} sessions, process ${this.#user.pid}`);
    await this.#pause(QUIET * 2);
  }

  #startElement(name: string, id: number): Member {
    const args: ElementArgs = { registrars: this.#registrars.addresses, pool: POOL, id, listen: this.#places?.element(name.charCodeAt(0) - FIRST) ?? '' };
    return this.#crew.start(`counter ${name}`, 'element', args);
  }

  async #isServing(element: Element): Promise<void> {
    const { address } = await element.member.next('ready');
    element.state = 'serving';
    this.#display.event(`counter ${element.name} (${hex(element.id)}) serves on ${address}, process ${element.member.pid}`);
  }

  #isListening({ name, id, asap, member }: DemoRegistrar): void {
    this.#display.event(`registrar ${name} (${hex(id)}) listens on ${asap}, process ${member.pid}`);
  }

  async #elementRound(fault: Fault): Promise<void> {
    const element = await this.#nextInUse();
    if (!element || this.#isStopped) return;
    const healed = this.#user?.next('healed', (report) => report.element === element.id);
    healed?.catch(() => undefined);
    const noted = this.#user?.next('noted');
    this.#user?.order({ type: 'fault', element: element.id });
    await noted;
    const began = monotonic();
    this.#hit(element, fault);
    this.#user?.order({ type: 'hit', element: element.id, at: began });
    await this.#watch(element, healed);
    await this.#pause(AWAY - (monotonic() - began));
    await this.#bringBack(element);
    await this.#pause(QUIET);
  }

  async #registrarRound(fault: Fault): Promise<void> {
    const registrar = await this.#registrars.busiest();
    if (!registrar || this.#isStopped) return;
    const began = monotonic();
    this.#registrars.hit(registrar, fault);
    this.#display.event(`registrar ${registrar.name} ${fault} (${signalOf(fault)}), it was home of ${registrar.elements} counters`);
    const took = await this.#registrars.agree(this.#elements.map(({ id }) => id), began, PATIENCE);
    this.#display.event(took === undefined
      ? `not all counters have had a living registrar within ${PATIENCE / 1_000} s`
      : `the other registrars agree that each counter has a living home, ${took.toFixed(0)} ms after the fault`);
    await this.#pause(AWAY - (monotonic() - began));
    await this.#registrars.bringBack(registrar);
    if (fault === 'killed') this.#isListening(registrar);
    else this.#display.event(`registrar ${registrar.name} thawed (SIGCONT)`);
    await this.#pause(QUIET);
  }

  /** The next in turn that has sessions: a fault elsewhere would show nothing. */
  async #nextInUse(): Promise<Element | undefined> {
    await this.#user?.next('progress');
    const element = this.#elements.find(({ id }) => this.#serving[id] !== undefined) ?? this.#elements[0];
    this.#elements.sort((one, other) => Number(one === element) - Number(other === element));
    return element;
  }

  #hit(element: Element, fault: Fault): void {
    element.state = fault;
    if (fault === 'frozen') this.#registrars.order('frozen', element.member);
    element.member.kill(signalOf(fault));
    this.#display.event(`counter ${element.name} ${fault} (${signalOf(fault)}), it had ${this.#serving[element.id] ?? 0} sessions`);
  }

  async #watch(element: Element, healed: Promise<Extract<Report, { type: 'healed' }>> | undefined): Promise<void> {
    const report = await Promise.race([healed, this.#pause(PATIENCE)]);
    if (!report) return this.#isStopped ? undefined : this.#display.event(`not all sessions of counter ${element.name} have been answered within ${PATIENCE / 1_000} s`);
    this.#times.push(...report.times);
    if (report.times.length === 0) return this.#display.event('nobody had a session there');
    this.#display.event(`${report.times.length} sessions answered by the others: median ${median(report.times).toFixed(0)} ms, slowest ${Math.max(...report.times).toFixed(0)} ms after the fault`);
  }

  async #bringBack(element: Element): Promise<void> {
    if (element.state === 'frozen') {
      const awake = element.member.next('awake');
      element.member.kill('SIGCONT');
      this.#registrars.order('thawed', element.member);
      element.member.order({ type: 'ping' });
      await awake;
      element.state = 'serving';
      this.#display.event(`counter ${element.name} thawed (SIGCONT)`);
      return;
    }
    await element.member.gone;
    element.state = 'starting';
    element.id += 0x10; // a new process is a new pool element
    element.member = this.#startElement(element.name, element.id);
    await this.#isServing(element);
  }

  #onReport(report: Report): void {
    if (report.type === 'note') this.#display.event(`user: ${report.text}`);
    if (report.type !== 'progress' && report.type !== 'finished') return;
    this.#totals = report.totals;
    if (report.type === 'progress') this.#serving = report.serving;
    this.#measureRate();
    this.#display.show({
      registrars: this.#registrars.all.map(({ name, id, state, elements }) => ({ name, id: hex(id), state, elements })),
      sessions: this.#sessions, totals: this.#totals, perSecond: this.#rate.perSecond, median: median(this.#times),
      elements: [...this.#elements].sort((one, other) => (one.name < other.name ? -1 : 1)).map(({ name, id, state }) => ({ name, id: hex(id), state, sessions: this.#serving[id] ?? 0 })),
    });
  }

  #measureRate(): void {
    const { at, answered } = this.#rate;
    const now = monotonic();
    if (now - at < 1_000) return;
    this.#rate = { at: now, answered: this.#totals.answered, perSecond: ((this.#totals.answered - answered) * 1_000) / (now - at) };
  }

  #onEnd(member: Member, how: string): void {
    const isOurs = [...this.#elements, ...this.#registrars.all].some((other) => other.member === member && other.state === 'killed');
    if (!this.#isEnding && !isOurs) this.#failed(new Error(`${member.name} ended: ${how}`));
  }

  get #isStopped(): boolean { return this.#stopped.signal.aborted; }

  async #pause(time: number): Promise<void> {
    await pause(Math.max(0, time), undefined, { signal: this.#stopped.signal }).catch(() => undefined);
  }
}

const signalOf = (fault: Fault): NodeJS.Signals => (fault === 'killed' ? 'SIGKILL' : 'SIGSTOP');
const idOf = (index: number): number => 0x0a + index;
