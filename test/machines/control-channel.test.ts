import { controlChannelMachine, type ControlChannelInput } from '../../machines/control-channel.js';
import { drive } from '../support/drive.js';
import { onNoPath } from './support.js';

const input = { isService: true, hasCard: () => true, cookieInterval: 1_000 };
const channel = (changes: Partial<ControlChannelInput> = {}) => drive(controlChannelMachine, { ...input, ...changes });
const user = { isService: false };
const card = (...order: number[]) => ({ type: 'ASAP_BUSINESS_CARD', card: { key: 'pool', order } }) as const;

describe('the control channel (RFC 5352 §3.8, §3.9)', () => {
  // proves 5352-3.9-a
  it('§3.9: a pool element sends its business card when communication begins', () => {
    expect(channel().send({ type: 'communication.begins' })).toEqual(['emit order.sendCard', 'start cookie 1000']);
  });

  // proves 5352-3.9-b
  it('§3.9: a pool user does so only if it is a pool element too', () => {
    expect(channel(user).send({ type: 'communication.begins' })).toEqual(['emit order.sendCard']);
    const pu = channel({ ...user, hasCard: () => false });
    expect(pu.send({ type: 'communication.begins' })).toEqual([]);
    expect(pu.send({ type: 'card.changed' })).toEqual([]); // it has left its last pool
  });

  // proves 5352-3.9-d
  it.each([[true], [false]])('§3.9: and again when it has changed, not before it has begun (service: %s)', (isService) => {
    const end = channel({ isService });
    expect(end.send({ type: 'card.changed' })).toEqual([]);
    end.send({ type: 'communication.begins' });
    expect(end.send({ type: 'card.changed' })).toEqual(['emit order.sendCard']);
  });

  // proves 5352-3.9-e, 5352-3.9-f
  it.each([[true], [false]])('§3.9 BC1, BC2: keeps the newest card of its peer, and has its pool looked up; also before the first session (service: %s)', (isService) => {
    const end = channel({ isService });
    expect(end.send(card(1))).toEqual(['emit order.lookUp']);
    end.send({ type: 'communication.begins' });
    end.send(card(2, 3));
    expect(end.context.card).toEqual({ key: 'pool', order: [2, 3] });
  });

  it('X-5: cookies are repeated each interval while there are sessions; a pool user has none', () => {
    const pe = channel();
    pe.send({ type: 'communication.begins' });
    expect(pe.expire('cookie')).toEqual(['emit order.repeatCookies', 'start cookie 1000']);
    expect(pe.send({ type: 'sessions.gone' })).toEqual(['cancel cookie']);
    expect(pe.state).toBe('idle');
  });

  it('ends with its link', () => {
    const pe = channel();
    pe.send({ type: 'communication.begins' });
    expect(pe.send({ type: 'transport.down' })).toEqual(['cancel cookie']);
    expect(pe.status).toBe('done');
  });

  it('every state and transition is on some path', () => {
    const inputs = [true, false].flatMap((isService) => [true, false].map((hasCard) => ({ ...input, isService, hasCard: () => hasCard })));
    expect(onNoPath(controlChannelMachine, inputs, { project: () => 0 })).toEqual([]);
  });
});
