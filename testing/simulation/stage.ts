import type { Milliseconds } from '../../environment.js';
import type { MemoryHost } from '../../transports/memory-host.js';
import type { NetworkEvent, PathOptions } from '../../transports/memory.js';
import type { Link } from '../../transports/transport.js';
import { abortAll, watchLinks } from '../links.js';
import { World, type WorldHost } from '../world.js';
import { carries, schemes, type Carrier } from './carrier.js';
import { ActorsAlive } from './actors-alive.js';
import { describeFault, disturb, type Fault, type PlannedFault } from './faults.js';
import type { Cut, Violation } from './outcome.js';
import { Transcript } from './transcript.js';

/** A part that a process plays: it can be started again on its host, and leave. */
export interface Role {
  readonly host: string;
  /** Resolves when it plays its part; goes on trying as long as its process lives. */
  start(process: WorldHost): Promise<void>;
  /** Leaves in order, before its process ends: a drain. */
  drain?(): Promise<void>;
  /** Leaves in order at the end. */
  close(): Promise<void>;
}

export interface StageOptions extends PathOptions {
  readonly seed: number;
  readonly cut: Cut;
  /** What carries everything. Default TCP. */
  readonly carrier?: Carrier;
  readonly chunks: 'whole' | 'random';
  readonly bufferSize: number;
  /** Whose segments are counted, for faults between frames. */
  readonly counts?: (event: NetworkEvent) => boolean;
}

/** A simulated world with its processes, what happens to them, and what is held against it. */
export class Stage {
  readonly world: World;
  readonly transcript: Transcript;
  readonly violations: Violation[] = [];
  readonly actors = new ActorsAlive();
  /** Numbers of the faults that happened. */
  readonly happened: number[] = [];
  readonly #carrier: Carrier;
  /** Of processes that have SCTP. */
  readonly #links = new WeakMap<MemoryHost, ReadonlySet<Link>>();
  readonly #cut: Cut;
  readonly #roles = new Map<string, Role>();
  readonly #playing = new Map<string, MemoryHost>();
  readonly #waits = new Map<Promise<unknown>, { readonly process: MemoryHost; readonly what: string }>();
  readonly #endings = new Set<() => void>();
  #bySegment: PlannedFault[] = [];
  #segments = 0;
  #isCalm = true;
  #isLeaving = false;

  constructor({ seed, cut, carrier = 'tcp', counts = () => false, ...network }: StageOptions) {
    this.#cut = cut;
    this.#carrier = carrier;
    this.world = new World({ seed, spoils: true, ...network, ...(carrier === 'sctp' && { duplication: network.loss ?? 0 }), trace: (event) => { if (carries(carrier, event) && counts(event)) this.#counted(); }, onLate: (late) => { this.#late(late); } });
    this.transcript = new Transcript(() => this.world.clock.now());
  }

  get clock() { return this.world.clock; }
  get now(): Milliseconds { return this.world.clock.now(); }

  violated(invariant: string, what: string): void {
    if (this.violations.some((known) => known.invariant === invariant && known.what === what)) return;
    this.violations.push({ invariant, what, at: this.now });
    this.transcript.note('VIOLATION', `${invariant}: ${what}`);
  }

  /** Asks after each turn. */
  watch(check: () => void): void { this.clock.onTurn = check; }

  // ---- processes

  add(role: Role): void { this.#roles.set(role.host, role); }

  isPlaying(host: string): boolean { return this.#playing.get(host)?.isAlive === true; }

  process(host: string): WorldHost { return this.world.host(host); }

  /** Where something listens. */
  address(host: string, port: number): string { return `${schemes[this.#carrier]}://${this.process(host).address}:${port}`; }

  /** A new process begins to play its part, unless one does. */
  async start(name: string): Promise<void> {
    const role = this.#roles.get(name);
    if (role === undefined || this.isPlaying(name)) return;
    const host = this.world.host(name);
    this.#playing.set(name, host.process);
    if (this.#carrier === 'sctp') this.#links.set(host.process, watchLinks(host));
    await this.track(host.process, `start of ${name}`, role.start(host));
  }

  /** A promise that has to settle while its process lives. */
  track<T>(process: MemoryHost, what: string, promise: Promise<T>): Promise<T> {
    this.#waits.set(promise, { process, what });
    const over = (): void => void this.#waits.delete(promise);
    promise.then(over, over);
    return promise;
  }

  /** What has not settled, of processes that live. */
  waits(): string[] { return [...this.#waits.values()].filter(({ process }) => process.isAlive).map(({ what }) => what); }

  // ---- faults

  /** From now on things go wrong as planned. `resolve` says which host a part is. */
  disturb(faults: readonly PlannedFault[], resolve: (part: string) => string | undefined): void {
    const { only } = this.#cut;
    const chosen = faults.filter(({ number }) => only === undefined || only.includes(number));
    this.#isCalm = false;
    this.#segments = 0;
    this.#resolve = resolve;
    this.#bySegment = chosen.filter(({ moment }) => 'segments' in moment);
    for (const planned of chosen) if ('at' in planned.moment) this.clock.setTimeout(() => { this.#happen(planned); }, planned.moment.at);
  }

  #resolve: (part: string) => string | undefined = (part) => part;

  #counted(): void {
    this.#segments += 1;
    const due = this.#bySegment.filter(({ moment }) => 'segments' in moment && moment.segments === this.#segments);
    for (const planned of due) this.clock.setTimeout(() => { this.#happen(planned); }, 0);
  }

  #happen({ number, fault: drawn }: PlannedFault): void {
    const host = this.#resolve(drawn.host);
    if (this.#isCalm || host === undefined || !this.isPlaying(host)) return;
    const fault = { ...drawn, host } as Fault;
    this.happened.push(number);
    this.transcript.note('FAULT', `${number}: ${describeFault(fault)}`);
    this.#apply(fault, this.world.host(host).process);
  }

  #apply(fault: Fault, process: MemoryHost): void {
    const since = this.now;
    const hosts = 'others' in fault ? [fault.host, ...fault.others] : [fault.host];
    const undisturbed = mark(this.#hit, hosts, () => this.now);
    const there = fault.kind === 'break' ? undefined : mark(this.#away, hosts, () => this.now);
    const over = (): void => { undisturbed(); there?.(); };
    switch (fault.kind) {
      case 'crash':
        if (fault.peersSee === 'reset') abortAll(this.#linksOf(process)); // else SCTP's peers hear nothing
        process.crash({ peersSee: fault.peersSee });
        return this.#backAfter(fault.host, fault.back, over);
      case 'drain': return this.#drain(fault.host, process, fault.back, over);
      case 'freeze': case 'block':
        process.freeze();
        return this.#endAfter(fault.span, () => { this.#thaw(process, since); over(); });
      default: {
        const end = disturb(this.world.network, fault, (host) => this.#linksOf(host));
        if (end === undefined || !('span' in fault)) return over();
        this.#endAfter(fault.span, () => { this.transcript.note('FAULT', `over: ${describeFault(fault)}`); end(); over(); });
      }
    }
  }

  #linksOf(process: MemoryHost): Iterable<Link> { return this.#links.get(process) ?? []; }

  /** Nothing comes for longer than an end may be silent: to both a fault, though nobody planned it. */
  #late({ from, to, delay }: { readonly from: string; readonly to: string; readonly delay: Milliseconds }): void {
    const hosts = [from, to];
    const ends = [this.#hit, this.#away].map((marks) => mark(marks, hosts, () => this.now));
    this.clock.setTimeout(() => { for (const end of ends) end(); }, delay);
  }

  #thaw(process: MemoryHost, since: Milliseconds): void {
    if (!process.isFrozen) return;
    this.transcript.note('FAULT', `thaw ${process.name}`);
    this.onThaw?.(process, this.now - since);
    this.#woke.set(process.name, this.now);
    process.thaw();
  }

  /** Who was last hit by a fault, or cut off from somebody, and when. */
  readonly #hit: Marks = new Map();
  /** The same without broken links, which are made anew at once. */
  readonly #away: Marks = new Map();

  /** Nothing has happened to it, or between it and anybody, for `span`. */
  isUndisturbed(host: string, span: Milliseconds): boolean { return isLongAgo(this.#hit.get(host), this.now - span); }

  /** It could be reached by everybody for `span`, but for links that broke. */
  isReachable(host: string, span: Milliseconds): boolean { return isLongAgo(this.#away.get(host), this.now - span); }

  wasNeverDisturbed(host: string): boolean { return !this.#hit.has(host); }

  readonly #woke = new Map<string, Milliseconds>();

  /** It was frozen or blocked within `span`. */
  hasSlept(host: string, span: Milliseconds): boolean { return this.now - (this.#woke.get(host) ?? -Infinity) <= span; }

  /** Told just before a process runs again, after so long. */
  onThaw: ((process: MemoryHost, span: Milliseconds) => void) | undefined;

  readonly #leavingProcesses = new WeakSet<MemoryHost>();

  #drain(name: string, process: MemoryHost, back: Milliseconds, over: () => void): void {
    const role = this.#roles.get(name);
    if (role?.drain === undefined || this.#leavingProcesses.has(process)) return over();
    this.#leavingProcesses.add(process);
    this.track(process, `drain of ${name}`, role.drain()).then(
      () => {
        if (!process.isAlive) return;
        this.transcript.note(name, 'has left');
        const left = this.now;
        this.#endAfter(SETTLING, () => { this.#exit(name, process, left); this.#backAfter(name, back, over); });
      },
      (error: unknown) => { if (process.isAlive) this.violated('leaves in order', `${name}: ${String(error)}`); },
    );
  }

  /** Ends by itself: nothing is left to do. */
  #exit(name: string, process: MemoryHost, left: Milliseconds): void {
    if (process.isAlive && !process.isFrozen && this.now >= left + SETTLING) this.leftovers(process);
    this.transcript.note(name, 'exits');
    process.crash({ peersSee: 'end' });
  }

  #backAfter(name: string, span: Milliseconds, over: () => void): void { this.#endAfter(span, () => { void this.#restart(name).then(over); }); }

  async #restart(name: string): Promise<void> {
    if (this.isPlaying(name) || this.#isLeaving) return;
    this.transcript.note(name, 'starts again');
    try { await this.start(name); } catch (error) { this.violated('starts again', `${name}: ${String(error)}`); }
  }

  /** Ends by itself after `span`, or with `heal`. */
  #endAfter(span: Milliseconds, end: () => void): void {
    if (this.#isCalm) return end();
    const once = (): void => { if (this.#endings.delete(once)) end(); };
    this.#endings.add(once);
    this.clock.setTimeout(once, span);
  }

  /** Nothing goes wrong any more: all are back, all paths open. */
  heal(): void {
    this.transcript.note('FAULT', 'all is well from here on');
    this.#isCalm = true;
    for (const end of [...this.#endings]) end();
    this.world.network.heal();
    for (const name of this.#roles.keys()) void this.#restart(name);
  }

  // ---- the end

  /** Everybody leaves, in this order, and nothing may be left. */
  async close(order: readonly string[], within: Milliseconds): Promise<void> {
    this.#isLeaving = true;
    this.transcript.note('FAULT', `all leave: ${order.join(', ')}`);
    for (const name of order) {
      const { process } = this.world.host(name);
      await this.settles(`close of ${name}`, this.track(process, `close of ${name}`, this.#roles.get(name)?.close() ?? Promise.resolve()), within);
    }
    await this.world.advance(SETTLING);
    for (const name of order) this.leftovers(this.world.host(name).process);
    for (const what of this.waits()) this.violated('every promise settles', what);
  }

  leftovers(process: MemoryHost): void {
    for (const what of leftoversOf({
      timers: process.pendingTimers, sockets: process.sockets.size, servers: process.servers.size, datagramSockets: process.datagramSockets.size, actors: this.actors.of(process.clock),
    })) this.violated('nothing is left', `${process.name}: ${what}`);
  }

  /** @returns whether it did, in time. */
  async settles(what: string, promise: Promise<unknown>, within: Milliseconds): Promise<boolean> {
    let over = false;
    let failure: unknown;
    promise.then(() => { over = true; }, (error: unknown) => { over = true; failure = error; });
    await this.clock.advanceUntil(() => over, within).catch((error: unknown) => { if (!String(error).includes('not so within')) throw error; });
    if (!over) this.violated('every promise settles', `${what}: not within ${within} ms`);
    else if (failure !== undefined) this.violated('every promise settles', `${what}: ${String(failure)}`);
    return over && failure === undefined;
  }
}

type Marks = Map<string, { open: number; until: Milliseconds }>;

/** @returns what ends it. */
function mark(marks: Marks, hosts: readonly string[], now: () => Milliseconds): () => void {
  for (const host of hosts) {
    const known = marks.get(host) ?? { open: 0, until: now() };
    known.open += 1;
    marks.set(host, known);
  }
  return () => {
    for (const host of hosts) {
      const known = marks.get(host);
      if (known !== undefined) { known.open -= 1; known.until = now(); }
    }
  };
}

const isLongAgo = (known: { readonly open: number; readonly until: Milliseconds } | undefined, moment: Milliseconds): boolean => known === undefined || (known.open === 0 && known.until <= moment);

export interface Remains {
  readonly timers: number;
  readonly sockets: number;
  readonly servers: number;
  readonly datagramSockets: number;
  readonly actors: readonly string[];
}

/** What a process that has closed everything still has, in words. */
export function leftoversOf(remains: Remains): string[] {
  return Object.entries(remains as unknown as Record<string, number | readonly string[]>)
    .filter(([, left]) => (typeof left === 'number' ? left > 0 : left.length > 0))
    .map(([what, left]) => `${what}: ${typeof left === 'number' ? left : left.join(', ')}`);
}

/** For what is under way to arrive. */
const SETTLING = 3_000;
