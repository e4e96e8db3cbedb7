import { dyingBetweenAnyTwoFrames, SessionPair, type TestService } from '../support/session-pair.js';
import type { DeliveryMode } from '../../delivery/modes.js';

/** The heart of the product: the pool element dies between any two frames, in each mode, with services of each kind. */

const MESSAGES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const sendAll = (pair: SessionPair): void => { for (const message of MESSAGES) pair.send(message); };

/** Its state is the list of what it handled; a cookie at each message, or at each third. */
const recorder = (every = 1, repliesEach = 1): TestService => ({
  stateful: true,
  start: (session) => {
    let seen = '';
    return {
      handle: (incoming) => {
        seen += incoming.payload.toString();
        for (let i = 0; i < repliesEach; i++) void incoming.reply(`${seen}#${i}`);
        if (seen.length % every === 0) session.setCookie(seen);
      },
      restore: (cookie) => { seen = cookie.toString(); },
    };
  },
});
const asynchronous = (service: TestService): TestService => ({
  ...service,
  start: (session) => {
    const instance = service.start(session);
    return { ...instance, handle: async (incoming) => { await Promise.resolve(); await instance.handle(incoming); await Promise.resolve(); } };
  },
});
const echo: TestService = { stateful: false, start: () => ({ handle: (incoming) => { void incoming.reply(incoming.payload.toString().toUpperCase()); } }) };
let dice = 0;
const nonDeterministic: TestService = {
  stateful: true,
  start: (session) => ({
    handle: (incoming) => {
      const roll = ++dice; // never the same twice
      void incoming.reply(`${incoming.payload.toString()}=${roll}/1`);
      void incoming.reply(`${incoming.payload.toString()}=${roll}/2`);
      if (incoming.sequence % 2 === 0) session.setCookie('x');
    },
  }),
};
/** Sends outside of handlers: after every second message a note of its own; its state is how many messages it saw. */
const unprompted: TestService = {
  stateful: true,
  start: (session) => {
    let count = 0;
    return {
      handle: (incoming) => {
        void incoming.reply(`r${++count}`);
        if (count % 2 === 0) { const noted = count; queueMicrotask(() => { session.send(`note ${noted}`); }); }
      },
      restore: (cookie) => { count = Number(cookie.toString()); },
      snapshot: () => Buffer.from(String(count)),
    };
  },
};

describe.each([1, 3, 100])('a pool element dies between any two frames, %d frames a turn', (batch) => {
  test.each<[string, TestService]>([
    ['a cookie for each message', recorder()],
    ['a cookie for every third message', recorder(3)],
    ['several replies to each message', recorder(2, 3)],
    ['asynchronous handlers', asynchronous(recorder(2, 2))],
    ['a stateless service', echo],
    ['a stateless service with asynchronous handlers', asynchronous(echo)],
  ])('D-8, D-10, D-13: effectively-once with %s is as if nothing had happened', async (_title, service) => {
    const frames = await dyingBetweenAnyTwoFrames(() => new SessionPair(service, 'effectively-once'), sendAll, (pair, reference, at) => {
      expect({ at, given: pair.given, violations: pair.violations }).toEqual({ at, given: reference.given, violations: [] });
    }, batch);
    expect(frames).toBeGreaterThan(MESSAGES.length + 2);
  });

  test('D-10, D-11: replies of one attempt are never mixed with those of another', async () => {
    await dyingBetweenAnyTwoFrames(() => new SessionPair(nonDeterministic, 'effectively-once'), sendAll, (pair) => {
      for (const replies of pair.replies.values()) {
        expect(replies).toHaveLength(2);
        expect(replies[0]!.replace('/1', '')).toBe(replies[1]!.replace('/2', ''));
      }
      expect([...pair.replies.keys()]).toEqual(MESSAGES.map((_, index) => index + 1));
    }, batch);
  });

  test('D-12: unprompted messages with a snapshot come once, and none is lost with what follows from it', async () => {
    await dyingBetweenAnyTwoFrames(() => new SessionPair(unprompted, 'effectively-once'), sendAll, (pair, _reference, at) => {
      expect({ at, replies: [...pair.replies.values()].flat() }).toEqual({ at, replies: MESSAGES.map((_, index) => `r${index + 1}`) });
      const notes = pair.given.filter((text) => text.startsWith('note'));
      expect(new Set(notes).size).toBe(notes.length);
    }, batch);
  });

  test('at-least-once (X-47): every message is handled and answered, in order; replies may come twice', async () => {
    await dyingBetweenAnyTwoFrames(() => new SessionPair(echo, 'at-least-once'), sendAll, (pair) => {
      expect([...new Set(pair.given)]).toEqual(MESSAGES.map((message) => message.toUpperCase()));
    }, batch);
  });

  test('at-most-once (X-47): nothing is sent again; what was handed out and not handled is reported', async () => {
    await dyingBetweenAnyTwoFrames(() => new SessionPair(echo, 'at-most-once'), sendAll, (pair, _reference, at) => {
      expect(new Set(pair.begun).size).toBe(pair.begun.length);
      const answered = new Set(pair.given.map((text) => text.toLowerCase()));
      const missing = MESSAGES.filter((message) => !answered.has(message));
      expect({ at, missing: missing.filter((message) => !pair.lostMessages.includes(message)) }).toEqual({ at, missing: [] });
    }, batch);
  });

  test('D-2: an at-most-once message in an effectively-once session leaves a gap in the replay', async () => {
    const mixed = (pair: SessionPair): void => { for (const [index, message] of MESSAGES.entries()) pair.send(message, index % 3 === 1 ? 'at-most-once' : 'effectively-once'); };
    await dyingBetweenAnyTwoFrames(() => new SessionPair(echo, 'effectively-once'), mixed, (pair) => {
      const kept = MESSAGES.filter((_, index) => index % 3 !== 1).map((message) => message.toUpperCase());
      expect(pair.given.filter((text) => kept.includes(text))).toEqual(kept);
      expect(pair.violations).toEqual([]);
      const handledWeak = pair.begun.filter((id) => id % 3 === 2);
      expect(new Set(handledWeak).size).toBe(handledWeak.length);
    }, batch);
  });

  test('D-15: callback messages stand outside of the sequence and come before the replay', async () => {
    const make = (): SessionPair => { const pair = new SessionPair(recorder(2), 'effectively-once'); pair.recovery = (send) => { send('!'); }; return pair; };
    await dyingBetweenAnyTwoFrames(make, sendAll, (pair, _reference, at) => {
      const afterOpen = pair.trace.slice(pair.trace.lastIndexOf('> OPEN'));
      expect({ at, first: afterOpen.filter((line) => line.startsWith('> DATA'))[0] }).toEqual({ at, first: '> DATA 1' }); // its own numbering
      expect(pair.violations).toEqual([]);
      expect(pair.recoveries.length).toBeLessThanOrEqual(1);
    }, batch);
  });
});

test.each<DeliveryMode>(['effectively-once', 'at-least-once'])('D-16: two pool elements die in a row, %s: the window is untouched by the failed attempt', async (mode) => {
  for (let first = 1; first < 20; first++) {
    for (let second = 1; second < 12; second += 2) {
      const pair = new SessionPair(recorder(), mode);
      pair.open();
      sendAll(pair);
      await pair.run(first);
      pair.kill();
      pair.open();
      await pair.run(first + second);
      pair.kill();
      pair.open();
      await pair.run();
      const expected = MESSAGES.map((_, index) => `${MESSAGES.slice(0, index + 1).join('')}#0`);
      if (mode === 'effectively-once') expect(pair.given).toEqual(expected);
      else expect(new Set(MESSAGES.map((_, index) => index + 1))).toEqual(new Set(pair.replies.keys()));
      expect(pair.violations).toEqual([]);
    }
  }
});
