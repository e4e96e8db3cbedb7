import { poolUserMachine, type PoolUserInput } from '../../machines/pool-user.js';
import { drive } from '../support/drive.js';
import { anyActor, middle, onNoPath, quick } from './support.js';

const input: PoolUserInput = {
  host: anyActor('host'), registrars: ['tcp://10.0.0.1:3863'], lookUp: async (registrars) => Promise.resolve(registrars), timers: quick,
  silence: () => 0, unheard: () => Infinity, isNeeded: () => true, fraction: middle, openResolutions: () => () => undefined,
};
const poolUser = () => drive(poolUserMachine, input);

describe('pool user, the role', () => {
  it('begins with a server hunt and the resolutions', () => {
    expect(poolUser().initial).toEqual(['send home.seek to serverHunt', 'invoke serverHunt', 'invoke resolutions']);
  });

  it.each([
    { type: 'home.seek', why: 'none' }, { type: 'home.heard', answers: 'T1-ENRPrequest' }, { type: 'home.down' }, { type: 'home.adopted', address: 'tcp://10.0.0.9:1' },
    { type: 'attempt.up', address: 'tcp://10.0.0.1:3863' }, { type: 'attempt.failed', address: 'tcp://10.0.0.1:3863' },
    { type: 'registrar.announced', address: 'tcp://10.0.0.2:3863' },
  ] as const)('hands $type on to the hunt', (event) => {
    expect(poolUser().send(event)).toEqual([`send ${event.type} to serverHunt`]);
  });

  it.each(['serverHunt', 'resolutions'])('a fault in %s is reported, and it is begun again', (child) => {
    const pu = poolUser();
    expect(pu.childFailed(child, new Error('a fault'))).toEqual(['emit child.failed', 'start restart-back-off 375']);
    expect(pu.emitted).toEqual([expect.objectContaining({ child })]);
    expect(pu.expire('restart-back-off')).toContain(`invoke ${child}`);
  });

  it('a hunt begun again goes on hunting', () => {
    const pu = poolUser();
    pu.childFailed('serverHunt');
    expect(pu.expire('restart-back-off')).toContain('send home.seek to serverHunt');
  });

  it('ends with both', () => {
    const pu = poolUser();
    expect(pu.send({ type: 'close' })).toEqual(['stop resolutions', 'stop serverHunt']);
    expect(pu.status).toBe('done');
  });

  it('has every state and transition on some path', () => {
    expect(onNoPath(poolUserMachine, [input], { project: () => 0 })).toEqual([]);
  });
});
