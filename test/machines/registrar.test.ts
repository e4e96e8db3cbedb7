import { registrarMachine } from '../../machines/registrar.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

const input = { openKeepAlives: () => () => undefined };
const registrar = () => drive(registrarMachine, input);
const serving = () => {
  const one = registrar();
  one.send({ type: 'listening' });
  return one;
};

describe('registrar (RFC 5353 §3.2), alone', () => {
  it('listens first, then serves: its keep-alives begin', () => {
    const one = registrar();
    expect([one.state, one.initial]).toEqual(['starting', ['emit order.listen']]);
    expect(one.send({ type: 'listening' })).toEqual(['invoke keepAlives']);
    expect(one.state).toBe('serving');
  });

  it('stops where it cannot listen, and says why', () => {
    const one = registrar();
    const error = new Error('in use');
    expect(one.send({ type: 'listen.failed', error })).toEqual(['emit error.report']);
    expect([one.emitted, one.state, one.status]).toEqual([[{ type: 'error.report', error }], 'stopped', 'done']);
  });

  it('closed, it ends the keep-alives, then its associations, then itself', () => {
    const one = serving();
    expect(one.send({ type: 'close' })).toEqual(['stop keepAlives', 'emit order.stopListening']);
    expect(one.state).toBe('draining');
    one.send({ type: 'closed' });
    expect(one.status).toBe('done');
  });

  it('closed before it listened, it just stops', () => {
    const one = registrar();
    one.send({ type: 'close' });
    expect(one.state).toBe('stopped');
  });

  it('closed while it drains, it does not wait any longer', () => {
    const one = serving();
    one.send({ type: 'close' });
    one.send({ type: 'close' });
    expect(one.state).toBe('stopped');
  });

  it('keep-alives that fail are reported and begun again: nobody would be removed without them', () => {
    const one = serving();
    const error = new Error('bug');
    expect(one.childFailed('keepAlives', error)).toEqual(['emit error.report', 'invoke keepAlives']);
    expect([one.emitted, one.state, one.children]).toEqual([[{ type: 'error.report', error }], 'serving', ['keepAlives']]);
  });

  it('has every state and transition on some path', () => {
    expect(onNoPath(registrarMachine, [input], { cases: { 'listen.failed': [{ error: 'x' }] } })).toEqual([]);
  });
});
