import { initialize, type Session } from '../../../index.js';
import { inputOf, serveParent } from '../../../bench/child.js';
import { pause } from '../pause.js';
import { resources } from '../resources.js';

/** A pool user with many sessions at once. */
const { registrar } = inputOf<{ registrar: string }>();
const rsp = await initialize({ registrars: [registrar] });
const users: User[] = [];
/** Opened at once: a machine that does other things too is not to be silent for long. */
const BATCH = 100;

class User {
  readonly replies: string[] = [];
  sent = 0;
  moves = 0;
  #replied: (() => void) | undefined;

  constructor(readonly session: Session) {
    session.on('failover', () => { this.moves += 1; });
    session.on('data', (data) => {
      this.replies.push(data.toString());
      this.#replied?.();
    });
  }

  /** One request after the other. */
  async ask(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const replied = new Promise<void>((resolve) => { this.#replied = resolve; });
      this.sent += 1;
      await this.session.send(String(this.sent));
      await replied;
    }
  }

  /** Replies that are not the ones that a single server would have given, in order. */
  get wrong(): number {
    const wanted = Array.from({ length: this.sent }, (_, index) => `${index + 1} ${index + 1}`);
    return Math.abs(this.replies.length - this.sent) + wanted.filter((reply, index) => this.replies[index] !== reply).length;
  }
}

serveParent({}, {
  resources,
  open: async (count: number): Promise<void> => {
    while (users.length < count) users.push(...await Promise.all(Array.from({ length: Math.min(BATCH, count - users.length) }, async () => new User(await rsp.connect('counter')))));
  },
  ask: async (times: number): Promise<void> => { await Promise.all(users.map((user) => user.ask(times))); },
  /** Until it knows that element. */
  know: async (identifier: number): Promise<void> => { while (!(await rsp.resolve('counter', { refresh: true })).elements.some((element) => element.identifier === identifier)) await pause(50); },
  at: (identifier: number): number => users.filter(({ session }) => session.peIdentifier === identifier).length,
  close: async (): Promise<{ readonly moves: number; readonly wrong: number }> => {
    await Promise.all(users.map(({ session }) => session.close()));
    const [moves, wrong] = [users.reduce((sum, user) => sum + user.moves, 0), users.reduce((sum, user) => sum + user.wrong, 0)];
    users.length = 0;
    return { moves, wrong };
  },
});
