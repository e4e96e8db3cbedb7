import { sessionMachine, type SessionContext, type SessionInput } from '../../machines/session.js';
import { drive, type Driven } from '../support/drive.js';
import { onNoPath } from './support.js';

const timers = { open: 5_000, failover: 30_000, accept: 10_000, callback: 10_000, cookieOverdue: 5_000 };
const error = new Error('gone');
const session = (input: Partial<SessionInput> = {}) => drive(sessionMachine, { timers, hasCallback: false, fraction: () => 0, now: () => 0, ...input });
type Session = Driven<typeof sessionMachine>;

function established(input: Partial<SessionInput> = {}): Session {
  const pu = session(input);
  for (const type of ['resolved', 'selected', 'link.up', 'session.accepted'] as const) pu.send({ type });
  return pu;
}

describe('a session opens (RFC 5352 §3.3, §6.5)', () => {
  // proves 5352-6.5.1-a, 5352-6.5-a
  it('resolves, selects, connects, asks', () => {
    const pu = session();
    expect(pu.initial).toEqual(['emit order.resolve']);
    expect(pu.send({ type: 'resolved' })).toEqual(['emit order.select']);
    expect(pu.send({ type: 'selected' })).toEqual(['emit order.connect']);
    expect(pu.send({ type: 'link.up' })).toEqual(['emit order.open', 'start accept 5000']); // within what is left of `open`
    expect(pu.send({ type: 'session.accepted' })).toEqual(['cancel accept', 'emit order.resend']);
    expect(pu.state).toBe('established');
  });

  it('§3.3: a pool handle that nobody serves ends it', () => {
    const pu = session();
    expect(pu.send({ type: 'resolution.failed', error })).toEqual(['emit order.fail']);
    expect([pu.state, pu.emitted]).toEqual(['failed', [{ type: 'order.fail', error }]]);
  });

  // proves 5352-3.5-a
  it('§3.5: reports a pool element that cannot be reached, and tries the next', () => {
    const pu = session();
    pu.send({ type: 'resolved' });
    pu.send({ type: 'selected' });
    expect(pu.send({ type: 'link.down', error })).toEqual(['emit order.report', 'emit order.select']);
    expect(pu.send({ type: 'nothing.selectable' })).toEqual(['start back-off 20']);
    expect(pu.expire('back-off')).toEqual(['emit order.resolve']);
  });

  it('D-27: does not report one that refuses', () => {
    const pu = session();
    for (const type of ['resolved', 'selected', 'link.up'] as const) pu.send({ type });
    expect(pu.send({ type: 'session.refused', error })).toEqual(['cancel accept', 'emit order.detach', 'emit order.select']);
  });

  it('gives up when its time is over, with the last cause (X-34)', () => {
    let now = 0;
    const pu = session({ now: () => now });
    pu.send({ type: 'resolved' });
    pu.send({ type: 'selected' });
    pu.send({ type: 'link.down', error });
    now = 4_990;
    expect(pu.send({ type: 'nothing.selectable' })).toEqual(['start back-off 10']); // the pause ends with the bound
    pu.expire('back-off');
    pu.send({ type: 'resolved' });
    now = 5_000;
    expect(pu.send({ type: 'nothing.selectable' })).toEqual(['start back-off 1', 'cancel back-off', 'emit order.fail']);
    expect(pu.emitted).toEqual([{ type: 'order.fail', error }]);
  });

  it('pauses longer each time, up to a second', () => {
    const pu = session({ fraction: () => 1 - 1e-9 });
    const pauses: string[] = [];
    for (let i = 0; i < 7; i++) {
      pu.send({ type: 'resolved' });
      pauses.push(...pu.send({ type: 'nothing.selectable' }));
      pu.expire('back-off');
    }
    expect(pauses.map((line) => Math.round(Number(line.split(' ')[2])))).toEqual([40, 80, 160, 320, 640, 1000, 1000]);
  });

  it('is over at once when closed before it is open', () => {
    const pu = session();
    pu.send({ type: 'close.request' });
    expect([pu.state, pu.status]).toEqual(['closed', 'done']);
  });
});

describe('a session fails over (RFC 5352 §3.8, draft §4.5)', () => {
  it('D-13: takes the data path off, reports, selects, connects, echoes, and resends', () => {
    const pu = established();
    expect(pu.send({ type: 'link.down', error })).toEqual(['emit order.detach', 'emit order.report', 'emit order.select']);
    expect(pu.state).toBe('failingOver.selecting');
    expect(pu.send({ type: 'selected' })).toEqual(['emit order.connect']);
    expect(pu.send({ type: 'link.up' })).toEqual(['emit order.open', 'start accept 10000']);
    expect(pu.state).toBe('failingOver.echoingCookie');
    expect(pu.send({ type: 'session.accepted' })).toEqual(['cancel accept', 'emit order.resend']);
    expect(pu.state).toBe('established');
  });

  it('draft §4.5.2: the callback runs after the echo and before anything is resent, within its bound', () => {
    const pu = established({ hasCallback: true });
    for (const type of ['link.down', 'selected', 'link.up'] as const) pu.send({ type, error } as never);
    expect(pu.send({ type: 'session.accepted' })).toEqual(['cancel accept', 'emit order.callback', 'start callback 10000']);
    expect(pu.send({ type: 'callback.done' })).toEqual(['cancel callback', 'emit order.resend']);
    const other = established({ hasCallback: true });
    for (const type of ['link.down', 'selected', 'link.up', 'session.accepted'] as const) other.send({ type, error } as never);
    expect(other.expire('callback')).toEqual(['emit order.callbackOverdue', 'emit order.resend']);
  });

  it('D-16: the next one dies too, at any step', () => {
    for (const steps of [['selected'], ['selected', 'link.up'], ['selected', 'link.up', 'session.accepted']]) {
      const pu = established({ hasCallback: true });
      pu.send({ type: 'link.down', error });
      for (const type of steps) pu.send({ type } as never);
      const asked = pu.send({ type: 'link.down', error });
      expect(asked.filter((line) => line.startsWith('emit'))).toEqual([...(steps.length > 1 ? ['emit order.detach'] : []), 'emit order.report', 'emit order.select']);
    }
  });

  it('D-27: MOVE and CLOSE of that instance lead elsewhere, and nobody is reported', () => {
    expect(established().send({ type: 'session.moved' })).toEqual(['emit order.detach', 'emit order.select']);
    expect(established().send({ type: 'session.refused', error })).toEqual(['emit order.detach', 'emit order.select']);
  });

  it('§3.5: one that does not accept in time is reported', () => {
    const pu = established();
    for (const type of ['link.down', 'selected', 'link.up'] as const) pu.send({ type, error } as never);
    expect(pu.expire('accept')).toEqual(['emit order.detach', 'emit order.report', 'emit order.select']);
  });

  it('asks the registrar again while nobody is there, until the bound of one failover (X-34)', () => {
    let now = 0;
    const pu = established({ now: () => now });
    pu.send({ type: 'link.down', error });
    expect(pu.send({ type: 'nothing.selectable' })).toEqual(['emit order.resolve', 'start back-off 20']);
    expect(pu.expire('back-off')).toEqual(['emit order.select']);
    now = 30_000;
    expect(pu.send({ type: 'nothing.selectable' }).filter((line) => line.includes('fail'))).toEqual(['emit order.fail']);
  });

  it('a close asked for meanwhile waits until it is served again', () => {
    const pu = established();
    pu.send({ type: 'link.down', error });
    expect(pu.send({ type: 'close.request' })).toEqual([]);
    for (const type of ['selected', 'link.up'] as const) pu.send({ type });
    expect(pu.send({ type: 'session.accepted' })).toEqual(['cancel accept', 'emit order.resend', 'emit order.flush']);
    expect(pu.state).toBe('closing');
  });
});

describe('a window that does not move (D-20)', () => {
  it('ends the session after 5 s', () => {
    const pu = established();
    expect(pu.send({ type: 'window.stuck' })).toEqual(['start cookie-overdue 5000']);
    expect(pu.expire('cookie-overdue')).toEqual(['emit order.fail']);
    expect(pu.emitted).toEqual([{ type: 'order.fail', error: 'COOKIE_OVERDUE' }]);
  });

  it('not when a cookie comes in time', () => {
    const pu = established();
    pu.send({ type: 'window.stuck' });
    expect(pu.send({ type: 'window.moved' })).toEqual(['cancel cookie-overdue']);
    expect(pu.state).toBe('established');
  });

  it('also while closing', () => {
    const pu = established();
    pu.send({ type: 'close.request' });
    expect(pu.send({ type: 'window.stuck' })).toEqual(['start cookie-overdue 5000']);
    pu.send({ type: 'window.moved' });
    expect(pu.state).toBe('closing');
    pu.send({ type: 'window.stuck' });
    expect(pu.expire('cookie-overdue')).toEqual(['emit order.fail']);
  });
});

it.each(['destroy.request', 'give.up'] as const)('%s ends it from anywhere', (type) => {
  for (const pu of [session(), established()]) {
    pu.send({ type, error } as never);
    expect(pu.status).toBe('done');
  }
});

it('every state and transition is on some path', () => {
  const worlds = [false, true].flatMap((hasCallback) => [{ ...timers }, { ...timers, open: 0, failover: 0 }].map((bounds) => ({ timers: bounds, hasCallback, fraction: () => 0, now: () => 0 })));
  const project = ({ isOpen, isClosing }: SessionContext): unknown => [isOpen, isClosing];
  expect(onNoPath(sessionMachine, worlds, { project: (context) => project(context as SessionContext) })).toEqual([]);
});
