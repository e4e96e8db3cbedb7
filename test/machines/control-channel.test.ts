import { controlChannelMachine } from '../../machines/control-channel.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

const input = { isPoolElement: true, cookieInterval: 1_000 };
const channel = (isPoolElement = true) => drive(controlChannelMachine, { ...input, isPoolElement });

describe('the control channel (RFC 5352 §3.8, §3.9)', () => {
  // proves 5352-3.9-a
  it('§3.9: a pool element sends its business card when communication begins', () => {
    expect(channel().send({ type: 'session.opened' })).toEqual(['emit order.sendCard', 'start cookie 1000']);
    expect(channel(false).send({ type: 'session.opened' })).toEqual(['start cookie 1000']);
  });

  // proves 5352-3.9-d
  it('§3.9: and again when it has changed', () => {
    const pe = channel();
    pe.send({ type: 'session.opened' });
    expect(pe.send({ type: 'card.changed' })).toEqual(['emit order.sendCard']);
  });

  it('§3.9: keeps the newest card of its peer', () => {
    const pu = channel(false);
    pu.send({ type: 'session.opened' });
    pu.send({ type: 'ASAP_BUSINESS_CARD', failoverOrder: [1] } as never);
    pu.send({ type: 'ASAP_BUSINESS_CARD', failoverOrder: [2] } as never);
    expect(pu.context.card).toMatchObject({ failoverOrder: [2] });
  });

  it('X-5: cookies are repeated each interval while there are sessions', () => {
    const pe = channel();
    pe.send({ type: 'session.opened' });
    expect(pe.expire('cookie')).toEqual(['emit order.repeatCookies', 'start cookie 1000']);
    expect(pe.send({ type: 'sessions.gone' })).toEqual(['cancel cookie']);
    expect(pe.state).toBe('idle');
  });

  it('ends with its link', () => {
    const pe = channel();
    pe.send({ type: 'session.opened' });
    expect(pe.send({ type: 'transport.down' })).toEqual(['cancel cookie']);
    expect(pe.status).toBe('done');
  });

  it('every state and transition is on some path', () => {
    expect(onNoPath(controlChannelMachine, [true, false].map((isPoolElement) => ({ ...input, isPoolElement })), { project: () => 0 })).toEqual([]);
  });
});
