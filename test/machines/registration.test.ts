import { registrationMachine, type RegistrationContext, type RegistrationInput } from '../../machines/registration.js';
import { drive } from '../support/drive.js';
import { anyActor, middle, onNoPath, quick, registered, registrationOf, rejected, removed, rfc } from './support.js';

const input = (given: Partial<RegistrationInput> = {}): RegistrationInput =>
  ({ home: anyActor('home'), owner: anyActor('owner'), registration: registrationOf(), timers: rfc, sinceProgress: () => Infinity, fraction: middle, ...given });
const poolElement = (given?: Partial<RegistrationInput>) => drive(registrationMachine, input(given));
const found = { type: 'home.found', change: 'found' } as const;
const takeover = { type: 'home.found', change: 'takeover' } as const;

const registering = (given?: Partial<RegistrationInput>) => {
  const pe = poolElement(given);
  pe.send({ type: 'registration.request' });
  pe.send(found);
  return pe;
};
const member = (given?: Partial<RegistrationInput>) => {
  const pe = registering(given);
  pe.send(registered({ generation: 3, home: 1 }));
  return pe;
};

describe('registration (RFC 5352 §3.1)', () => {
  // proves 5352-3.1-c, 5352-3.6-g
  it('§3.1, R1: a PE without a home registrar follows §3.6 first', () => {
    const pe = poolElement();
    expect(pe.send({ type: 'registration.request' })).toEqual(['send home.seek']);
    expect([pe.state, pe.sent]).toEqual(['hunting', [{ type: 'home.seek', why: 'none', from: pe.context.owner }]]);
  });

  // proves 5352-3.1-a, 5352-3.1-e, 5352-3.1-g, 5352-3.1-i, 5352-3.1-k, 5352-3.1-l, 5352-3.1-m
  it('R2, R3, R4: sends ASAP_REGISTRATION to its home and starts T2', () => {
    const pe = poolElement();
    pe.send({ type: 'registration.request' });
    expect(pe.send(found)).toEqual(['send ASAP_REGISTRATION', 'start T2-registration 30000']);
    expect([pe.state, pe.sent]).toEqual(['registering', [registrationOf()]]);
  });

  // proves 5352-3.1-h, 5352-3.1-p, 5352-3.1-u, 5352-3.1-v
  it('stops T2 on acceptance and re-registers 20 s before the life ends, or up to a tenth sooner (§7.1)', () => {
    const pe = registering();
    expect(pe.send(registered())).toEqual(['cancel T2-registration', 'send registration.accepted', 'start T4-reregistration 266000']);
    expect(pe.expire('T4-reregistration')).toEqual(['send ASAP_REGISTRATION', 'start T2-registration 30000']);
  });

  it.each([[10_000, 600_000], [-1, 600_000], [620, 600_000], [60, 40_000], [40, 20_000], [30, 15_000], [2, 1_000]])(
    '§7.1, X-32: with a life of %d s T4 is %d ms, half of the life where 20 s before its end is less', (life, t4) => {
      expect(registering({ registration: registrationOf(life), fraction: () => 0 }).send(registered())).toContain(`start T4-reregistration ${t4}`);
    });

  it.each([[30, 10_000], [300, 60_000]])('quick: with a life of %d s T4 is %d ms, a third of it, at most a minute', (life, t4) => {
    expect(registering({ registration: registrationOf(life), timers: quick, fraction: () => 0 }).send(registered())).toContain(`start T4-reregistration ${t4}`);
  });

  // proves 5352-3.1-t
  it('re-registers under the same PE identifier, with the generation it was given', () => {
    const pe = member();
    pe.expire('T4-reregistration');
    expect(pe.sent).toEqual([{ ...registrationOf(), poolElement: { ...registrationOf().poolElement, generation: { generation: 3, home: 1 } } }]);
  });

  // proves 5352-3.1-q, 5352-3.1-r
  it('does not repeat a rejected registration: the user is told the causes', () => {
    const pe = registering();
    expect(pe.send(rejected)).toEqual(['cancel T2-registration']);
    expect([pe.status, pe.output]).toEqual(['done', { reason: 'rejected', causes: [{ cause: 'lack-of-resources' }] }]);
  });

  it('tells warnings that come with an acceptance (§2.2.3)', () => {
    const pe = registering();
    pe.send({ ...registered(), error: [{ cause: 'unspecified-error' }] });
    expect(pe.sent).toEqual([{ type: 'registration.accepted', generation: undefined, warnings: [{ cause: 'unspecified-error' }] }]);
  });

  it('R4: behind others whose answers still come, T2 counts from the last of them; nothing is sent again meanwhile', () => {
    let sinceProgress = 400;
    const pe = registering({ timers: quick, sinceProgress: () => sinceProgress });
    expect(pe.expire('T2-registration')).toEqual(['start rest-of-T2 600']);
    sinceProgress = 0;
    expect([pe.expire('rest-of-T2'), pe.state, pe.context.attempts]).toEqual([['start rest-of-T2 1000'], 'queued', 1]);
    sinceProgress = 1000;
    expect(pe.expire('rest-of-T2')).toEqual(['send registration.lost', 'send home.seek']);
    expect(pe.sent[0]).toEqual({ type: 'registration.lost', reason: 'T2-registration' });
  });

  it('R4: a registrar that answers those behind it has passed it over: T2 as ever', () => {
    expect(registering({ sinceProgress: () => Infinity }).expire('T2-registration')).toContain('send home.seek');
  });

  it('queued, it registers at a new home, hunts when the association is lost, and takes its answer', () => {
    const queued = () => {
      const pe = registering({ sinceProgress: () => 0 });
      pe.expire('T2-registration');
      return pe;
    };
    expect(queued().send(found)).toContain('send ASAP_REGISTRATION');
    expect(queued().send({ type: 'home.lost' })).toContain('send home.seek');
    const pe = queued();
    pe.send(registered());
    expect(pe.state).toBe('registered.confirmed');
  });

  // proves 5352-3.1-n, 5352-3.1-o
  it('R4: when T2 expires it hunts for another registrar and registers there', () => {
    const pe = registering();
    expect(pe.expire('T2-registration')).toEqual(['send registration.lost', 'send home.seek']);
    expect(pe.sent).toEqual([{ type: 'registration.lost', reason: 'T2-registration' }, expect.objectContaining({ why: 'T2-registration' })]);
    expect(pe.send(found)).toContain('send ASAP_REGISTRATION');
  });

  // proves 5352-3.1-n, 5352-3.7.1-b
  it.each(['home.lost', 'transport.sendFailure'] as const)('R4: on %s it hunts', (type) => {
    expect(registering().send({ type })).toEqual(['cancel T2-registration', 'send registration.lost', 'send home.seek']);
  });

  it('takes a late acceptance from the registrar that T2 has given up', () => {
    const pe = registering();
    pe.expire('T2-registration');
    expect(pe.send(registered())).toContain('send registration.accepted');
    expect(pe.state).toBe('registered.confirmed');
  });

  // proves 5352-3.1-x
  it('MAX-REG-ATTEMPT, X-18: past it the user is told, and the PE goes on with back-off up to RETRAN.max', () => {
    const pe = poolElement();
    pe.send({ type: 'registration.request' });
    const backOffs: string[] = [];
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      pe.send(found);
      const said = pe.expire('T2-registration');
      expect(said.includes('send error.report')).toBe(attempt > 2);
      if (attempt > 2) {
        backOffs.push(...said.filter((word) => word.startsWith('start')));
        expect(pe.expire('registration-back-off')).toEqual(['send home.seek']);
      }
    }
    expect(backOffs).toEqual(['start registration-back-off 22500', 'start registration-back-off 45000', 'start registration-back-off 45000', 'start registration-back-off 45000']);
  });

  // proves 5352-3.1-w
  it('counts attempts since the last acceptance only', () => {
    const pe = member();
    pe.expire('T4-reregistration');
    expect(pe.context.attempts).toBe(1);
    pe.send(registered());
    expect(pe.context.attempts).toBe(0);
  });

  it('while it backs off, a home that has come by itself is asked at once; one that was found waits, it may be as deaf', () => {
    const pe = registering({ timers: { ...rfc, maxRegAttempt: 0 } });
    pe.expire('T2-registration');
    expect(pe.send(found)).toEqual([]);
    expect(pe.send({ type: 'home.found', change: 'takeover' })).toContain('send ASAP_REGISTRATION');
  });

  // proves 5352-3.7.1-e
  it('registers anew with a home that was found; one that has taken it over has the registration (§3.4 KA2.4)', () => {
    expect(member().send(found)).toContain('send ASAP_REGISTRATION');
    expect(member().send({ type: 'home.found', change: 'takeover' })).toEqual([]);
    expect(member().send({ type: 'home.found', change: 'none' })).toEqual([]);
  });

  it('asks a new home, not the old one, when it changes on the way', () => {
    const pe = registering();
    expect(pe.send({ type: 'home.found', change: 'none' })).toEqual([]);
    expect(pe.send(found)).toEqual(['cancel T2-registration', 'send ASAP_REGISTRATION', 'start T2-registration 30000']);
  });

  it('a home that has been silent is asked by a re-registration (X-1)', () => {
    expect(member().send({ type: 'registration.refresh' })).toEqual(['cancel T4-reregistration', 'send ASAP_REGISTRATION', 'start T2-registration 30000']);
  });

  it('a lost home is a lost registration: the user is told, another home is sought', () => {
    const pe = member();
    expect(pe.send({ type: 'home.lost' })).toEqual(['cancel T4-reregistration', 'send registration.lost', 'send home.seek']);
    expect(pe.context.isAcknowledged).toBe(false);
  });

  it('§2.2.4: removed by the registrar while it lives, it comes back at once, and with back-off where that goes on', () => {
    const pe = member();
    for (let time = 0; time < 3; time += 1) {
      expect(pe.send(removed())).toEqual(['cancel T4-reregistration', 'send registration.lost', 'send ASAP_REGISTRATION', 'start T2-registration 30000']);
      pe.send(registered());
    }
    expect(pe.send(removed())).toEqual(['cancel T4-reregistration', 'send registration.lost', 'start registration-back-off 45000']);
  });

  it('T4 is jittered, and never later than the RFC has it', () => {
    const spans = [0, 0.5, 1].map((fraction) => registering({ fraction: () => fraction }).send(registered()).at(-1));
    expect(spans).toEqual([280_000, 266_000, 252_000].map((span) => `start T4-reregistration ${span}`));
  });

  it('X-41: what the new home gives is what it has from then on: in its next registration, in its deregistration, and against removals', () => {
    const pe = member();
    expect(pe.send({ type: 'registration.takenOver', generation: { generation: 4, home: 2 } })).toEqual(['send registration.moved']);
    expect(pe.send(takeover)).toEqual([]);
    expect(pe.state).toBe('registered.confirmed');
    expect(pe.send(removed({ generation: 3, home: 1 }))).toEqual([]); // the old home's, late
    expect(pe.send(removed({ generation: 4, home: 1 }))).toEqual([]); // of two with the same number the one with the larger home counts
    pe.send({ type: 'deregistration.request' });
    expect(pe.sent).toEqual([expect.objectContaining({ type: 'ASAP_DEREGISTRATION', generation: { generation: 4, home: 2 } })]);
    const other = member();
    other.send({ type: 'registration.takenOver', generation: { generation: 4, home: 2 } });
    expect(other.send(removed({ generation: 4, home: 2 }))).toContain('send registration.lost');
    expect(other.sent.at(-1)).toMatchObject({ type: 'ASAP_REGISTRATION', poolElement: { generation: { generation: 4, home: 2 } } });
  });

  it('a claim without a generation (RSPLIB) leaves the one there is', () => {
    const pe = member();
    pe.send({ type: 'registration.takenOver', generation: undefined });
    expect(pe.sent).toEqual([{ type: 'registration.moved', generation: { generation: 3, home: 1 } }]);
  });

  it('a claim during a registration: the new home is asked, with the new generation', () => {
    const pe = member();
    pe.expire('T4-reregistration');
    pe.send({ type: 'registration.takenOver', generation: { generation: 4, home: 2 } });
    expect(pe.send(takeover)).toContain('send ASAP_REGISTRATION');
    expect(pe.sent).toEqual([expect.objectContaining({ poolElement: expect.objectContaining({ generation: { generation: 4, home: 2 } }) as object })]);
  });

  it('where the new home has claimed others of its process only, it has a while to claim this one; then it is told', () => {
    const pe = member();
    expect(pe.send({ type: 'home.found', change: 'moved' })).toEqual(['start claim-wait 15250']);
    expect(pe.state).toBe('registered.unconfirmed');
    expect(pe.send({ type: 'registration.takenOver', generation: { generation: 4, home: 2 } })).toEqual(['cancel claim-wait', 'send registration.moved']);
    pe.send({ type: 'home.found', change: 'moved' });
    expect(pe.expire('claim-wait')).toEqual(['cancel T4-reregistration', 'send ASAP_REGISTRATION', 'start T2-registration 30000']);
  });

  it('X-41: a removal of an older generation changes nothing', () => {
    const pe = member();
    expect(pe.send(removed({ generation: 2, home: 9 }))).toEqual([]);
    expect(pe.send(removed({ generation: 3, home: 1 }))).toContain('send ASAP_REGISTRATION');
  });

  // proves 5352-3.1-s
  it('a change of policy is a re-registration', () => {
    const registration = registrationOf(60);
    const pe = member();
    expect(pe.send({ type: 'registration.update', registration })).toContain('send ASAP_REGISTRATION');
    expect(pe.send(registered())).toEqual(['cancel T2-registration', 'send registration.accepted', 'start T4-reregistration 38000']);
  });

  it('a change during a registration is sent after its answer', () => {
    const pe = registering();
    expect(pe.send({ type: 'registration.update', registration: registrationOf(60) })).toEqual([]);
    expect(pe.send(registered())).toEqual(['cancel T2-registration', 'send ASAP_REGISTRATION', 'start T2-registration 30000']);
    expect(pe.send(registered())).toContain('send registration.accepted');
  });

  // proves 5352-3.1-q, 5352-3.1-r
  it('a rejected change leaves the registration as it was', () => {
    const pe = member();
    pe.send({ type: 'registration.update', registration: registrationOf(60) });
    expect(pe.send(rejected)).toEqual(['cancel T2-registration', 'send registration.rejected', 'start T4-reregistration 266000']);
    expect(pe.context.registration).toEqual(registrationOf());
  });
});

describe('de-registration (RFC 5352 §3.2)', () => {
  // proves 5352-2.2.2-a, 5352-3.2-a, 5352-3.2-c, 5352-3.2-d, 5352-3.2-e, 5352-3.2-f
  it('D1 to D4: sends ASAP_DEREGISTRATION with the same handle and identifier, and starts T3', () => {
    const pe = member();
    expect(pe.send({ type: 'deregistration.request' })).toEqual(['cancel T4-reregistration', 'send ASAP_DEREGISTRATION', 'start T3-deregistration 30000']);
    expect(pe.sent).toEqual([{ type: 'ASAP_DEREGISTRATION', poolHandle: registrationOf().poolHandle, peIdentifier: 7, generation: { generation: 3, home: 1 } }]);
  });

  // proves 5352-3.2-i
  it('stops T3 on ASAP_DEREGISTRATION_RESPONSE, not on a registration response (X-28)', () => {
    const pe = member();
    pe.send({ type: 'deregistration.request' });
    expect(pe.send(registered())).toEqual([]);
    expect(pe.send(removed())).toEqual(['cancel T3-deregistration']);
    expect([pe.state, pe.output]).toEqual(['deregistered', { reason: 'deregistered', causes: undefined }]);
  });

  // proves 5352-3.2-g, 5352-3.2-h
  it('when T3 expires it leaves by another registrar', () => {
    const pe = member();
    pe.send({ type: 'deregistration.request' });
    expect(pe.expire('T3-deregistration')).toEqual(['send home.seek', 'start T3-deregistration 30000']);
    expect(pe.send(found)).toEqual(['cancel T3-deregistration', 'send ASAP_DEREGISTRATION', 'start T3-deregistration 30000']);
  });

  it('gives up after MAX-REG-ATTEMPT more, or where no registrar is found: the life runs out by itself', () => {
    const pe = member();
    pe.send({ type: 'deregistration.request' });
    pe.expire('T3-deregistration');
    pe.send(found);
    pe.expire('T3-deregistration');
    pe.send(found);
    pe.expire('T3-deregistration');
    expect(pe.output).toEqual({ reason: 'unanswered' });
    const alone = member();
    alone.send({ type: 'deregistration.request' });
    alone.send({ type: 'home.lost' });
    alone.expire('T3-deregistration');
    expect(alone.output).toEqual({ reason: 'unanswered' });
  });

  it('has nothing to leave before it has been sent', () => {
    const pe = poolElement();
    pe.send({ type: 'registration.request' });
    pe.send({ type: 'deregistration.request' });
    expect([pe.state, pe.output]).toEqual(['deregistered', { reason: 'deregistered' }]);
  });

  it('leaves also where it was only sent, and never answered', () => {
    const pe = registering();
    pe.expire('T2-registration');
    expect(pe.send({ type: 'deregistration.request' })).toEqual(['send home.seek', 'start T3-deregistration 30000']);
    expect(registering().send({ type: 'deregistration.request' })).toContain('send ASAP_DEREGISTRATION');
  });
});

describe('registration, as a chart', () => {
  it('has every state and transition on some path', () => {
    const given = input({ timers: { ...rfc, maxRegAttempt: 0 } });
    const cases = {
      'home.found': [found, { change: 'none' }, { change: 'takeover' }, { change: 'moved' }],
      'registration.takenOver': [{ generation: { generation: 3, home: 1 } }],
      ASAP_REGISTRATION_RESPONSE: [registered({ generation: 3, home: 1 }), rejected],
      ASAP_DEREGISTRATION_RESPONSE: [removed(), removed({ generation: 2, home: 1 })],
      'registration.update': [{ registration: registrationOf() }],
    };
    const project = (context: RegistrationContext): unknown => [
      Math.min(context.attempts, 1), Math.min(context.removals, 1), Math.min(context.departures, 1), context.isAcknowledged, context.isOutdated, context.wasSent,
      context.accepted !== undefined, context.generation !== undefined,
    ];
    const behind = input({ ...given, sinceProgress: () => 0 });
    expect(onNoPath(registrationMachine, [given, behind], { cases, project: (context) => project(context as RegistrationContext), limit: 50_000 })).toEqual([]);
  });
});
