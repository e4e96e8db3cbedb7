import { describe, expect, it } from '@jest/globals';
import { decodeAsap, decodeEnrp, encodeEnrp } from '../../wire/index.js';
import { rfcTimers } from '../../machines/timers.js';
import { refusal } from '../wire/captured.js';

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('messages (RFC 5352 §2, RFC 5353 §2)', () => {
  it('X-19: "reply required" is the lowest bit of the flags of ENRP_PRESENCE', () => {
    expect(decodeEnrp(bytes('01 01 000c 00000001 00000002')).message).toMatchObject({ flags: { replyRequired: true } });
    expect(decodeEnrp(bytes('01 fe 000c 00000001 00000002')).message).toMatchObject({ flags: { replyRequired: false } });
    expect(encodeEnrp({ type: 'ENRP_PRESENCE', flags: { replyRequired: true }, sendingServer: 1, receivingServer: 2 })[1]).toBe(0x01);
  });

  // proves 5352-2.2.10-a
  it('5352 §2.2.10: an announcement is of SCTP and TCP; UDP is refused', () => {
    const announce = (transport: string) => bytes(`0a 00 0018 00000001 ${transport} 0010 0f17 0000 0001 0008 0a000001`);
    expect(decodeAsap(announce('0004')).message).toMatchObject({ transports: [{ transport: 'sctp' }] });
    expect(decodeAsap(announce('0005')).message).toMatchObject({ transports: [{ transport: 'tcp' }] });
    expect(refusal(() => decodeAsap(announce('0006')))).toMatchObject({ code: 'UNEXPECTED_PARAMETER' });
  });

  // proves 5353-4.2-a
  it('5353 §4.2: with the timers of the RFC', () => {
    expect(rfcTimers).toMatchObject({ peerHeartbeatCycle: 30_000, maxTimeLastHeard: 61_000, maxTimeNoResponse: 5_000 });
  });

  // proves 5354-3.10-a
  it('5354 §3.10: a pool element has one user transport, not none and not two', () => {
    const [transport, policy] = ['0005 0010 0050 0000 0001 0008 0a000001', '0008 0008 00000001'];
    const register = (...parameters: string[]) => {
      const element = bytes(parameters.join(''));
      const lengths = [28 + element.length, 16 + element.length].map((length) => length.toString(16).padStart(4, '0'));
      return decodeAsap(Buffer.concat([bytes(`01 00 ${lengths[0] ?? ''} 0009 0008 6563686f 000a ${lengths[1] ?? ''} 00000001 00000000 0000012c`), element]));
    };
    expect(register(transport, policy).message).toMatchObject({ poolElement: { userTransport: { transport: 'tcp' } } });
    for (const parameters of [[policy], [transport, transport, policy]]) expect(refusal(() => register(...parameters)).cause).toMatchObject({ cause: 'invalid-values' });
  });
});
