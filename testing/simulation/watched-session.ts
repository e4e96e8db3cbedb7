import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { Session, UserSession } from '../../actors/session.js';
import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import type { FailoverCallback } from '../../actors/recovery.js';
import type { SendOptions } from '../../actors/session-messages.js';
import { NoRegistrarError, UnknownPoolHandleError } from '../../errors.js';
import type { WorldHost } from '../world.js';
import { discardSome, record, requestRecorded, sendRecorded } from './recording.js';
import { emptyHistory, type InstanceLog, type SessionHistory } from './session-history.js';
import { sessionInvariants } from './session-invariants.js';
import type { Stage } from './stage.js';
import { short } from './transcript.js';

/** A message of a script: `after` the one before. */
export interface ScriptedMessage {
  readonly after: Milliseconds;
  readonly padding: number;
  /** Default: the session's mode. */
  readonly deliver?: DeliveryMode;
  readonly lifetime?: Milliseconds;
  /** Its signal aborts after so long. */
  readonly abortAfter?: Milliseconds;
  readonly ack?: boolean;
  /** Sent as a request. */
  readonly isRequest?: boolean;
}

export interface SessionScript {
  readonly mode: DeliveryMode;
  /** What the service is. */
  readonly stateful: boolean;
  readonly concurrency: number;
  readonly streaming: boolean;
  readonly messages: readonly ScriptedMessage[];
  readonly window: { readonly messages: number; readonly bytes: number };
  /** What the failover callback does; none: there is no callback. */
  readonly callback: 'none' | 'sends' | 'discards';
  /** The listener takes so long. */
  readonly reading: Milliseconds;
  /** It changes the cookies that it keeps. */
  readonly isForged: boolean;
}

/** A session that a simulated user has, with the history that invariants are held against. */
export class WatchedSession {
  readonly history: SessionHistory;
  readonly #stage: Stage;
  readonly #host: WorldHost;
  readonly #script: SessionScript;
  readonly #nameOf: (peIdentifier: number) => string;
  #session: UserSession | undefined;
  #isLeaving = false;

  constructor(stage: Stage, host: WorldHost, script: SessionScript, nameOf: (peIdentifier: number) => string, private readonly log: InstanceLog) {
    this.#stage = stage;
    this.#host = host;
    this.#script = script;
    this.#nameOf = nameOf;
    this.history = emptyHistory({ ...script, modes: new Map(script.messages.flatMap(({ deliver }, index) => (deliver === undefined ? [] : [[index + 1, deliver]]))) });
  }

  get id(): string | undefined { return this.#session?.id; }
  /** Its process has died. */
  get isGone(): boolean { return !this.#host.process.isAlive; }
  get isOpen(): boolean { return this.#session !== undefined; }
  get epoch(): number { return this.#session?.epoch ?? 0; }
  get peIdentifier(): number | undefined { return this.#session?.peIdentifier; }
  /** Everything has been sent, and every promise of it has settled. */
  get isQuiet(): boolean { return this.history.end !== undefined || (this.isOpen && this.history.sent.length === this.#script.messages.length && this.history.sends.size === this.history.sent.length); }

  /** Opens the session; fails only with its access point.
   *  @param isForlorn whether no registrar need have answered it of late. */
  async open(accessPoint: ServiceAccessPoint, handle: string, isForlorn = () => false): Promise<void> {
    const { mode, window, callback } = this.#script;
    const connect = (): Promise<Session> => accessPoint.connect(handle, { deliveryMode: mode, window, openTimeout: PATIENCE, failoverTimeout: this.#script.isForged ? 2_000 : PATIENCE, ...(callback !== 'none' && { onFailover: this.#recover }) });
    const session = await this.#connected(connect, isForlorn);
    this.#session = session as UserSession;
    this.history.instances = this.log.of(session.id);
    this.history.saved = this.log.saved(session.id);
    if (this.#script.isForged) this.#forge();
    this.#note(`has a session with ${this.#nameOf(session.peIdentifier ?? 0)}`);
    this.#listen(session);
  }

  /** A user that starts when its pool is empty, or when all registrars are away, asks again, while its process lives. */
  async #connected(connect: () => Promise<Session>, isForlorn: () => boolean): Promise<Session> {
    for (;;) {
      try {
        return await connect();
      } catch (error) {
        const mayChange = error instanceof UnknownPoolHandleError || (error instanceof NoRegistrarError && isForlorn());
        if (!mayChange || this.isGone) throw error;
        await this.#pause(100);
      }
    }
  }

  /** Sends something and makes some of what is pending superfluous, as a callback may. */
  readonly #recover: FailoverCallback = (recovery, { pending }) => {
    void recovery.send('callback');
    if (this.#script.callback === 'discards') discardSome(recovery, pending, this.history, (what) => { this.#note(what); });
  };

  /** Begins to send. */
  send(index = 0): void {
    const message = this.#script.messages[index];
    if (message === undefined) return;
    this.#host.clock.setTimeout(() => {
      this.#send(index + 1, message);
      this.send(index + 1);
    }, message.after);
  }

  /** As soon as there is a cookie it is another one. */
  #forge(): void {
    const half = this.#session?.half;
    if (half === undefined || this.history.end !== undefined || this.#isLeaving) return;
    const { cookie } = half;
    if (cookie !== undefined) half.cookie = { ...cookie, cookie: Buffer.from(FORGED) };
    this.#host.clock.setTimeout(() => { this.#forge(); }, 5);
  }

  #send(number: number, { padding, deliver, lifetime, ack, abortAfter, isRequest }: ScriptedMessage): void {
    const text = `${number} ${'.'.repeat(padding)}`;
    this.#note(`sends ${short(text)}${deliver === undefined ? '' : `, ${deliver}`}`);
    const given = { deliver, lifetime, ack, signal: abortAfter === undefined ? undefined : this.#abortedAfter(abortAfter) };
    const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as SendOptions;
    if (isRequest === true) requestRecorded(this.#session, this.history, text, options); else sendRecorded(this.#session, this.history, text, options);
  }

  #abortedAfter(span: Milliseconds): AbortSignal {
    const controller = new AbortController();
    this.#host.clock.setTimeout(() => { controller.abort(); }, span);
    return controller.signal;
  }

  /** Lets time pass until everything sent is covered and answered. */
  async rest(within: Milliseconds): Promise<void> {
    const { clock } = this.#stage;
    if (!(await clock.advanceUntil(() => this.isQuiet, within).then(() => true, isLate))) this.#stage.violated('every promise settles', `${this.#host.name}: what it sends: not within ${within} ms`);
    if (this.#session !== undefined && this.history.end === undefined) await this.#stage.settles('flush', this.#stage.track(this.#host.process, 'flush', this.#flushed(this.#session)), within);
    this.history.isSettled = true;
  }

  /** One that was forged may fail meanwhile. */
  #flushed(session: Session): Promise<void> { return session.flush().catch((error: unknown) => { if (!this.#script.isForged) throw error; }); }

  async close(): Promise<void> {
    this.#isLeaving = true;
    await this.#session?.close();
  }

  /** Who wakes up and has lost the session meanwhile has to hand nothing out (D-29). */
  fence(process: string): void {
    for (const instance of this.history.instances) if (instance.process.startsWith(`${process}#`) && !instance.isOver && instance.epoch < this.epoch) instance.isFenced = true;
  }

  check(when: 'always' | 'at rest'): void {
    const { history } = this;
    const window = this.#session?.half.window;
    if (window !== undefined) history.mostKept = { messages: Math.max(history.mostKept.messages, window.size), bytes: Math.max(history.mostKept.bytes, window.bytes) };
    for (const invariant of sessionInvariants) {
      if (invariant.when !== when) continue;
      const wrong = invariant.check(history);
      if (wrong !== undefined) this.#stage.violated(invariant.name, `${this.#host.name}: ${wrong}`);
    }
  }

  #listen(session: Session): void {
    const { history } = this;
    const { reading } = this.#script;
    record(session, history, (what) => { this.#note(what); });
    if (reading > 0) session.on('data', () => this.#pause(reading) as unknown as undefined); // holds the credit (D-21)
    session.on('failover', ({ from, to, epoch, resent }) => { this.#note(`failover from ${this.#nameOf(from)} to ${this.#nameOf(to)}, epoch ${epoch}, ${resent} sent again`); });
    session.on('closed', () => { if (!this.#isLeaving) history.end = history.errors.at(-1) ?? 'closed'; });
  }

  #pause(span: Milliseconds): Promise<void> { return new Promise((resolve) => { this.#host.clock.setTimeout(resolve, span); }); }

  #note(what: string): void { this.#stage.transcript.note(this.#host.name, what); }
}

/** A state that nobody saved. */
const FORGED = '1/00000000/1 0';
/** Faults end; so nothing has to fail for want of time. */
const PATIENCE = 600_000;

function isLate(error: unknown): false {
  if (String(error).includes('not so within')) return false;
  throw error;
}
