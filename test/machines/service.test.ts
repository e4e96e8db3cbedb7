import { serviceMachine } from '../../machines/service.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

const timers = { handler: 10_000, cookieHandler: 10_000 };
const service = (hasPredecessor = false) => drive(serviceMachine, { hasPredecessor, timers });

describe('a session at its pool element (RFC 5352 §3.8, draft §4.5.1)', () => {
  it('a new session: onSession is awaited, then it is served', () => {
    const pe = service();
    expect(pe.initial).toEqual(['emit order.introduce', 'start handler 10000']);
    expect(pe.send({ type: 'session.ready', echo: false, stateful: true })).toEqual(['cancel handler', 'emit order.serve']);
    expect(pe.state).toBe('serving');
  });

  it('§3.8: an echoed cookie is handled to its end before any data (D-13)', () => {
    const pe = service();
    expect(pe.send({ type: 'session.ready', echo: true, stateful: true })).toEqual(['cancel handler', 'emit order.restore', 'start cookie-handler 10000']);
    expect(pe.send({ type: 'cookie.restored' })).toEqual(['cancel cookie-handler', 'emit order.serve']);
  });

  it('D-26: a service that keeps no state refuses an echo: it would begin anew, unnoticed', () => {
    const pe = service();
    pe.send({ type: 'session.ready', echo: true, stateful: false });
    expect(pe.emitted.at(-1)).toMatchObject({ type: 'order.refuse', code: 'COOKIE_REFUSED' });
    expect(pe.status).toBe('done');
  });

  it('D-14: an earlier epoch ends first, and its running handler is awaited', () => {
    const pe = service(true);
    expect(pe.initial).toEqual(['emit order.endPredecessor', 'start handler 10000']);
    expect(pe.state).toBe('superseding');
    expect(pe.send({ type: 'predecessor.settled' })).toEqual(['cancel handler', 'emit order.introduce', 'start handler 10000']);
  });

  it('D-14: for so long; then it refuses', () => {
    const pe = service(true);
    expect(pe.expire('handler')).toEqual(['emit order.refuse a handler of an earlier epoch still runs']);
    expect(pe.emitted).toMatchObject([{ code: 'OLD_HALF_RUNNING' }]);
    expect(pe.status).toBe('done');
  });

  it('refuses where onSession fails or does not settle', () => {
    const pe = service();
    pe.send({ type: 'session.failed' });
    expect(pe.emitted).toMatchObject([{ type: 'order.refuse', code: 'HANDLER_FAILED' }]);
    const other = service();
    other.expire('handler');
    expect(other.emitted).toMatchObject([{ type: 'order.refuse', code: 'HANDLER_FAILED' }]);
  });

  it('refuses a cookie that cannot be restored (D-26), or not in time', () => {
    const pe = service();
    pe.send({ type: 'session.ready', echo: true, stateful: true });
    pe.send({ type: 'cookie.refused', reason: 'forged' });
    expect(pe.emitted).toEqual([{ type: 'order.refuse', code: 'COOKIE_REFUSED', reason: 'forged' }]);
    const other = service();
    other.send({ type: 'session.ready', echo: true, stateful: true });
    other.expire('cookie-handler');
    expect(other.emitted).toMatchObject([{ code: 'COOKIE_REFUSED' }]);
  });

  it('D-27: drains once it serves', () => {
    const pe = service();
    pe.send({ type: 'session.ready', echo: false, stateful: false });
    expect(pe.send({ type: 'drain' })).toEqual(['emit order.drain']);
    pe.send({ type: 'session.ended' });
    expect(pe.status).toBe('done');
  });

  it('RFC 5352 §3.9: goes on as a rendezvous when its client is lost, drains there too', () => {
    const pe = service();
    pe.send({ type: 'session.ready', echo: false, stateful: false });
    expect(pe.send({ type: 'client.lost' })).toEqual([]);
    expect(pe.state).toBe('rendezvous');
    expect(pe.send({ type: 'drain' })).toEqual(['emit order.drain']);
    pe.send({ type: 'session.ended' });
    expect(pe.status).toBe('done');
  });

  it('every state and transition is on some path', () => {
    const cases = { 'session.ready': [{ echo: true, stateful: true }, { echo: false, stateful: true }, { echo: true, stateful: false }], 'cookie.refused': [{ reason: 'forged' }] };
    expect(onNoPath(serviceMachine, [true, false].map((hasPredecessor) => ({ hasPredecessor, timers })), { cases })).toEqual([]);
  });
});
