import { initialize, type Session } from '../../../index.js';
import { inputOf, serveParent } from '../../../bench/child.js';
import { resources } from '../resources.js';

/** Sessions over one link, one of which may never be done with what it gets. */
const { registrar } = inputOf<{ registrar: string }>();
const rsp = await initialize({ registrars: [registrar] });
const sessions: Session[] = [];

/** One request after the other, in as many sessions at once. @returns the milliseconds it took. */
async function ask(of: readonly Session[], requests: number, bytes: number): Promise<number> {
  const began = performance.now();
  await Promise.all(of.map(async (session) => {
    for (let i = 0; i < requests; i++) {
      const replied = new Promise<void>((resolve) => {
        const off = session.on('data', () => {
          off();
          resolve();
        });
      });
      await session.send(String(bytes));
      await replied;
    }
  }));
  return performance.now() - began;
}

serveParent({}, {
  resources,
  open: async (count: number): Promise<void> => { while (sessions.length < count) sessions.push(...await Promise.all(Array.from({ length: 100 }, () => rsp.connect('feed')))); },
  ask: ({ from, requests, bytes }: { from: number; requests: number; bytes: number }) => ask(sessions.slice(from), requests, bytes),
  /** The first one asks and asks, and its listener never ends; others push to it. @returns how many of its messages have been taken by its window. */
  stall: async ({ requests, bytes }: { requests: number; bytes: number }): Promise<void> => {
    const [slow] = sessions;
    slow?.on('data', () => new Promise<void>(() => undefined) as never);
    await slow?.send('push');
    for (let i = 0; i < requests; i++) void slow?.send(String(bytes));
  },
  close: async (): Promise<void> => {
    for (const session of sessions.splice(0)) session.destroy();
    await rsp.close();
  },
});
