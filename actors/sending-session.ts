import type { Clock, Milliseconds } from '../environment.js';
import type { RserpoolError } from '../errors.js';
import type { AccessPointEvents, ErrorReport, PoolElementHandle } from './access-point-events.js';
import type { Emitter } from './emitter.js';
import type { UserSession } from './session.js';

/** What a session that `rsp.send` keeps needs of its surroundings. */
export interface SendingSessionSetup {
  readonly clock: Clock;
  readonly events: Emitter<AccessPointEvents>;
  /** It may move to other elements. */
  readonly isFollowing: boolean;
  /** Undefined where it is a session with an address. */
  readonly handle: string | Uint8Array | undefined;
  readonly address: string;
  /** Error.Report. */
  readonly complain: (error: RserpoolError, details: ErrorReport) => void;
  /** It is served by another element than the first one, or over. */
  readonly left: () => void;
}

/** A session that `rsp.send` has opened for its messages: its events are the access point's, and it is closed when nobody has used it for a while. */
export class SendingSession {
  readonly opened: Promise<UserSession>;
  #isListening = false;
  #lastUse = 0;
  #timer: unknown;
  #isOver = false;

  constructor(readonly session: UserSession, readonly setup: SendingSessionSetup) {
    session.on('failover', ({ from, to, resent, cause }) => {
      const { handle = '' } = setup;
      setup.left();
      setup.events.emit('failover', { from: { handle, identifier: from }, to: { handle, identifier: to }, resent, cause });
    });
    session.on('error', (error, details) => { setup.complain(error, { ...details, destination: this.element ?? setup.address }); });
    session.on('closed', () => { this.#over(); });
    this.opened = session.open();
    this.opened.catch(() => undefined);
    this.use();
    this.#timer = setup.clock.setTimeout(this.#check, SENDING_IDLE);
  }

  get isOver(): boolean { return this.#isOver; }
  get isFollowing(): boolean { return this.setup.isFollowing; }
  /** The one that serves it. */
  get element(): PoolElementHandle | undefined {
    const { handle } = this.setup;
    const { peIdentifier } = this.session;
    return handle === undefined || peIdentifier === undefined ? undefined : { handle, identifier: peIdentifier };
  }

  use(): void { this.#lastUse = this.setup.clock.now(); }

  /** From now on somebody listens for data; what has come waits in the session. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    const { events, address } = this.setup;
    this.session.on('data', (data, { inReplyTo, recovery, ppid, stream }) => {
      this.use();
      const info = { from: this.element ?? address, inReplyTo, recovery, ppid, stream };
      const results = events.listeners('data').map(async (listener) => listener(data, info)); // each for itself
      return Promise.all(results);
    });
  }

  readonly #check = (): void => {
    const rest = this.#lastUse + SENDING_IDLE - this.setup.clock.now();
    if (rest <= 0 && this.session.half.isSettled) return void this.session.close();
    this.#timer = this.setup.clock.setTimeout(this.#check, Math.max(rest, SENDING_IDLE / 10));
  };

  #over(): void {
    this.#isOver = true;
    this.setup.clock.clearTimeout(this.#timer);
    this.setup.left();
  }
}

/** A session that has nothing under way is closed after so long without use. */
const SENDING_IDLE: Milliseconds = 30_000;
