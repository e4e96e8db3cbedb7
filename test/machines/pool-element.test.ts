import { poolElementMachine, type PoolElementInput } from '../../machines/pool-element.js';
import { drive } from '../support/drive.js';
import { anyActor, middle, onNoPath, quick, registered, registrationOf, removed } from './support.js';

const input: PoolElementInput = { home: anyActor('home'), registration: registrationOf(), timers: quick, sinceProgress: () => Infinity, fraction: middle };
const poolElement = () => drive(poolElementMachine, input);
const rejection = { reason: 'rejected', causes: [{ cause: 'lack-of-resources' }] };

describe('pool element, the role', () => {
  it('begins by having itself registered', () => {
    expect(poolElement().initial).toEqual(['send registration.request to registration', 'invoke registration']);
  });

  it.each([registered(), removed(), { type: 'home.found', change: 'found' }, { type: 'home.lost' }, { type: 'transport.sendFailure' }, { type: 'registration.refresh' }, { type: 'deregistration.request' }] as const)(
    'hands $type on to its registration', (event) => {
      expect(poolElement().send(event)).toEqual([`send ${event.type} to registration`]);
    });

  it.each([
    { type: 'registration.accepted', generation: undefined, warnings: [] }, { type: 'registration.lost', reason: 'transport.down' },
    { type: 'registration.rejected', causes: [] }, { type: 'error.report', reason: 'MAX-REG-ATTEMPT' },
  ] as const)('tells its user $type', (news) => {
    const pe = poolElement();
    pe.send(news);
    expect(pe.emitted).toEqual([news]);
  });

  it('hands a change on, and remembers it for a registration begun again', () => {
    const pe = poolElement();
    const registration = registrationOf(60);
    expect(pe.send({ type: 'registration.update', registration })).toEqual(['send registration.update to registration']);
    expect(pe.context.registration).toBe(registration);
  });

  it('§3.1: a rejected registration is begun again only when it has been corrected', () => {
    const pe = poolElement();
    expect(pe.childDone('registration', rejection)).toEqual(['emit registration.ended']);
    expect(pe.state).toBe('rejected');
    expect(pe.send({ type: 'registration.update', registration: registrationOf(60) })).toEqual(['send registration.request to registration', 'invoke registration']);
  });

  it('§3.2: is done when its registration has left', () => {
    const pe = poolElement();
    pe.childDone('registration', { reason: 'deregistered' });
    expect([pe.state, pe.status, pe.emitted]).toEqual(['left', 'done', [{ type: 'registration.ended', output: { reason: 'deregistered' } }]]);
  });

  it('a registration that fails in itself is reported and begun again, later each time', () => {
    const pe = poolElement();
    expect(pe.childFailed('registration', new Error('a fault'))).toEqual(['emit child.failed', 'start restart-back-off 750']);
    expect(pe.expire('restart-back-off')).toEqual(['send registration.request to registration', 'invoke registration']);
    expect(pe.childFailed('registration')).toContain('start restart-back-off 1500');
    pe.expire('restart-back-off');
    pe.send({ type: 'registration.accepted', generation: undefined, warnings: [] });
    expect(pe.childFailed('registration')).toContain('start restart-back-off 750');
  });

  it('may leave while it has no registration', () => {
    const failed = poolElement();
    failed.childFailed('registration');
    failed.send({ type: 'registration.update', registration: registrationOf(60) });
    failed.send({ type: 'deregistration.request' });
    expect([failed.state, failed.emitted]).toEqual(['left', [{ type: 'registration.ended', output: { reason: 'unanswered' } }]]);
    const refused = poolElement();
    refused.childDone('registration', rejection);
    refused.send({ type: 'deregistration.request' });
    expect(refused.state).toBe('left');
  });

  it('has every state and transition on some path', () => {
    const cases = { 'xstate.done.actor.registration': [{ output: rejection }, { output: { reason: 'deregistered' } }] };
    expect(onNoPath(poolElementMachine, [input], { cases, project: () => 0 })).toEqual([]);
  });
});
