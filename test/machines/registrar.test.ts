import { describe, expect, it } from '@jest/globals';
import { createActor, type Actor } from 'xstate';
import { registrarMachine } from '../../machines/registrar.js';
import { drive, type Driven } from '../support/drive.js';
import { onNoPath } from './support.js';

const registrar = (): Driven<typeof registrarMachine> => drive(registrarMachine, { openKeepAlives: () => () => undefined });

describe('registrar (RFC 5353 §3.2)', () => {
  it('listens, and serves at once where it is alone', () => {
    const alone = registrar();
    expect(alone.initial).toEqual(['invoke keepAlives', 'emit order.listen']);
    expect([alone.send({ type: 'listening' }), alone.state]).toEqual([[], 'serving']);
  });

  it('X-40: leaves by ending its associations', () => {
    const leaving = registrar();
    leaving.send({ type: 'listening' });
    expect([leaving.send({ type: 'close' }), leaving.state]).toEqual([['emit order.leave'], 'draining']);
    expect(leaving.send({ type: 'closed' })).toEqual(['stop keepAlives']);
    expect(leaving.status).toBe('done');
  });

  it.each(['listen.failed', 'close'] as const)('%s while it starts: what was opened is closed', (type) => {
    const failed = registrar();
    expect([failed.send({ type }), failed.state]).toEqual([['emit order.leave'], 'draining']);
  });

  it('without its keep-alives it does not go on: nobody would be removed any more', () => {
    const failed = registrar();
    failed.send({ type: 'listening' });
    expect(failed.childFailed('keepAlives')).toEqual(['emit error.report', 'emit order.leave']);
  });

  it('the keep-alives live as long as it does, and end with it however it ends', () => {
    const ends: ((actor: Actor<typeof registrarMachine>) => void)[] = [(actor) => { actor.send({ type: 'closed' }); }, (actor) => { actor.stop(); }];
    for (const end of ends) {
      let open = 0;
      const actor = createActor(registrarMachine, { input: { openKeepAlives: () => { open++; return () => { open--; }; } } }).start();
      actor.send({ type: 'listening' });
      actor.send({ type: 'close' });
      expect(open).toBe(1);
      end(actor);
      expect(open).toBe(0);
    }
  });
});

it('every state and every transition of the chart is on some path', () => {
  expect(onNoPath(registrarMachine, [{ openKeepAlives: () => () => undefined }], {})).toEqual([]);
});
