import { keepAliveMachine, type KeepAliveContext, type KeepAliveEvent, type KeepAliveInput } from '../../machines/keep-alive.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

/** The registrar's world: its clock, how much of the time it was awake, and whether it trusts its own ears. */
class Registrar {
  now = 10_000;
  asleep = 0;
  isDoubtful = false;
  readonly element = drive(keepAliveMachine, this.input());

  input(): KeepAliveInput {
    return { timeout: 1_000, maxBadPeReport: 3, now: () => this.now, activeSince: (moment) => this.now - moment - this.asleep, suspectsItself: () => this.isDoubtful };
  }

  /** The time-out passes; `asleep` of it this registrar did not run. */
  expire({ asleep = 0 } = {}): readonly string[] {
    this.now += 1_000;
    this.asleep = asleep;
    const said = this.element.expire('keep-alive-timeout');
    expect([said, this.element.state]).toEqual([['emit order.awaitPoll'], 'judging']);
    return this.element.send({ type: 'poll.done' });
  }

  /** Reports that come in while it is being asked; then it answers. */
  accuse(...reporters: readonly number[]): void {
    for (const reporter of reporters) this.element.send(report(reporter));
    this.element.send(ack);
  }
}
const report = (reporter: number) => ({ type: 'ASAP_ENDPOINT_UNREACHABLE', reporter }) as const;
const ack = { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK' } as const;
const asked = ['emit order.probe', 'start keep-alive-timeout 1000'];

describe('keep-alive at the registrar (RFC 5352 §3.4)', () => {
  it('asks when it is told to look, and is content with an ASAP_ENDPOINT_KEEP_ALIVE_ACK', () => {
    const { element } = new Registrar();
    expect(element.send({ type: 'check' })).toEqual(asked);
    expect(element.send(ack)).toEqual(['cancel keep-alive-timeout']);
    expect([element.state, element.timers]).toEqual(['alive', []]); // one schedule for all: nothing of its own runs
  });

  it('a re-registration is an answer too', () => {
    const { element } = new Registrar();
    element.send({ type: 'check' });
    expect(element.send({ type: 'ASAP_REGISTRATION' })).toEqual(['cancel keep-alive-timeout']);
    expect(element.state).toBe('alive');
  });

  it('asks once at a time', () => {
    const { element } = new Registrar();
    element.send({ type: 'check' });
    expect(element.send({ type: 'check' })).toEqual([]);
  });

  it('one that does not answer in time is removed', () => {
    const registrar = new Registrar();
    registrar.element.send({ type: 'check' });
    expect(registrar.expire()).toEqual(['emit order.remove unanswered']);
    expect([registrar.element.state, registrar.element.status]).toEqual(['removed', 'done']);
  });

  it('§2.2.4: its life ends where it does not register again, whatever is being asked', () => {
    const { element } = new Registrar();
    expect(element.send({ type: 'expire' })).toEqual(['emit order.remove expired']);
    const other = new Registrar().element;
    other.send({ type: 'check' });
    expect(other.send({ type: 'expire' })).toEqual(['cancel keep-alive-timeout', 'emit order.remove expired']);
  });

  it('§3.2: one that leaves is not asked any more', () => {
    const { element } = new Registrar();
    element.send({ type: 'check' });
    expect(element.send({ type: 'ASAP_DEREGISTRATION' })).toEqual(['cancel keep-alive-timeout', 'emit order.remove deregistered']);
    expect(element.send({ type: 'check' })).toEqual([]);
  });
});

describe('a lost association (X-38)', () => {
  it('is evidence only: it is asked at once, and stays where it answers', () => {
    const { element } = new Registrar();
    expect(element.send({ type: 'association.lost' })).toEqual(asked);
    element.send(ack);
    expect(element.state).toBe('alive');
  });

  it('lost while it is being asked: it is asked anew, by another way, for a whole time-out', () => {
    const { element } = new Registrar();
    element.send({ type: 'check' });
    expect(element.send({ type: 'association.lost' })).toEqual(['cancel keep-alive-timeout', ...asked]);
  });

  it('where nobody listens any more it is removed at once', () => {
    const { element } = new Registrar();
    element.send({ type: 'association.lost' });
    expect(element.send({ type: 'probe.failed' })).toEqual(['cancel keep-alive-timeout', 'emit order.remove unreachable']);
  });

  it('where it cannot be asked it has the time-out to come back', () => {
    const registrar = new Registrar();
    registrar.element.send({ type: 'association.lost' });
    expect(registrar.expire()).toEqual(['emit order.remove unanswered']);
  });
});

describe('reports of unreachability (RFC 5352 §3.5, X-14)', () => {
  it('a report makes the registrar ask at once; further ones do not make it ask more', () => {
    const { element } = new Registrar();
    expect(element.send(report(1))).toEqual(asked);
    expect(element.send(report(1))).toEqual([]);
    expect(element.send(report(2))).toEqual([]);
  });

  it('MAX-BAD-PE-REPORT: an element that acknowledges survives so many of two accusers, and not one more', () => {
    const registrar = new Registrar();
    registrar.accuse(1, 2, 1); // 3, and one acknowledgement
    expect(registrar.element.context.reports).toBe(2);
    registrar.accuse(2, 2); // 4, and one acknowledgement
    expect([registrar.element.state, registrar.element.context.reports]).toEqual(['alive', 3]);
    expect(registrar.element.send(report(1))).toEqual(['emit order.remove reported']);
  });

  it('one accuser alone removes nobody, however often he says it', () => {
    const registrar = new Registrar();
    for (let time = 0; time < 20; time += 1) registrar.accuse(1, 1, 1, 1);
    expect(registrar.element.state).toBe('alive');
    expect(registrar.element.send(report(2))).toEqual(['emit order.remove reported']);
  });

  it('the counter falls by one at each acknowledgement, and with the last report his accusers are forgotten', () => {
    const registrar = new Registrar();
    registrar.accuse(1, 2);
    expect(registrar.element.context.reports).toBe(1);
    registrar.element.send({ type: 'check' });
    registrar.element.send(ack);
    expect([registrar.element.context.reports, registrar.element.context.reporters]).toEqual([0, []]);
    registrar.accuse(1, 1, 1, 1, 1, 1);
    registrar.element.send(report(1));
    expect(registrar.element.state).not.toBe('removed'); // a second accuser of long ago does not count
  });

  it('a registration clears it of all', () => {
    const registrar = new Registrar();
    registrar.accuse(1, 2, 3, 4, 5);
    registrar.element.send({ type: 'ASAP_REGISTRATION' });
    expect([registrar.element.context.reports, registrar.element.context.reporters]).toEqual([0, []]);
    registrar.accuse(1, 2, 1, 2);
    registrar.element.send({ type: 'check' });
    registrar.element.send({ type: 'ASAP_REGISTRATION' });
    expect(registrar.element.context.reports).toBe(0);
  });

  it('remembers a bounded number of accusers', () => {
    const registrar = new Registrar();
    registrar.accuse(...Array.from({ length: 100 }, (_, index) => index));
    expect(registrar.element.context.reporters).toEqual([92, 93, 94, 95, 96, 97, 98, 99]);
  });
});

describe('evidence: the registrar doubts itself first', () => {
  it('its own sleep is not the silence of others: the rest of the time-out is waited for', () => {
    const registrar = new Registrar();
    registrar.element.send({ type: 'check' });
    expect(registrar.expire({ asleep: 700 })).toEqual(['start keep-alive-timeout 700']);
    expect(registrar.element.state).toBe('waiting');
    registrar.asleep = 0;
    expect(registrar.expire()).toEqual(['emit order.remove unanswered']);
  });

  it.each([ack, { type: 'ASAP_REGISTRATION' }] as const)('awake again it reads before it judges: %o may have been there', (event) => {
    const registrar = new Registrar();
    registrar.element.send({ type: 'check' });
    registrar.element.expire('keep-alive-timeout');
    registrar.element.send(event);
    expect(registrar.element.state).toBe('alive');
    expect(registrar.element.send({ type: 'poll.done' })).toEqual([]);
  });

  it.each<[KeepAliveEvent, string[]]>([
    [{ type: 'association.lost' }, asked],
    [{ type: 'probe.failed' }, ['emit order.remove unreachable']],
  ])('and so may be %o', (event, said) => {
    const registrar = new Registrar();
    registrar.element.send({ type: 'check' });
    registrar.element.expire('keep-alive-timeout');
    expect(registrar.element.send(event)).toEqual(said);
  });

  it('where most seem dead it asks again, two rounds, and then believes it', () => {
    const registrar = new Registrar();
    registrar.isDoubtful = true;
    registrar.element.send({ type: 'check' });
    expect([registrar.expire(), registrar.expire()]).toEqual([asked, asked]);
    expect(registrar.expire()).toEqual(['emit order.remove unanswered']);
  });

  it('an answer gives it both rounds again', () => {
    const registrar = new Registrar();
    registrar.isDoubtful = true;
    registrar.element.send({ type: 'check' });
    registrar.expire();
    registrar.expire();
    registrar.element.send(ack);
    registrar.element.send({ type: 'check' });
    expect([registrar.expire(), registrar.expire()]).toEqual([asked, asked]);
  });

  it('a doubt that has passed spares nobody', () => {
    const registrar = new Registrar();
    registrar.isDoubtful = true;
    registrar.element.send({ type: 'check' });
    registrar.expire();
    registrar.isDoubtful = false;
    expect(registrar.expire()).toEqual(['emit order.remove unanswered']);
  });
});

describe('keep-alive, as a chart', () => {
  it('has every state and transition on some path', () => {
    const world = (activeFor: number, isDoubtful: boolean): KeepAliveInput => ({ timeout: 1_000, maxBadPeReport: 1, now: () => 0, activeSince: () => activeFor, suspectsItself: () => isDoubtful });
    const project = ({ reports, reporters, spared }: KeepAliveContext): unknown => [Math.min(reports, 2), reporters.length, spared];
    const missing = onNoPath(keepAliveMachine, [world(1_000, false), world(1_000, true), world(10, false)], {
      cases: { ASAP_ENDPOINT_UNREACHABLE: [{ reporter: 1 }, { reporter: 2 }] }, project: (context) => project(context as KeepAliveContext), limit: 20_000,
    });
    expect(missing).toEqual([]);
  });
});
