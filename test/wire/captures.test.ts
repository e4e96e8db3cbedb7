import { describe, expect, it } from '@jest/globals';
import { WireError } from '../../wire/index.js';
import { captured, decode, encode } from './captured.js';

/** Counted by tshark when the captures were made. */
const counts: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '01-asap-basic.pcap': {
    ASAP_REGISTRATION: 2, ASAP_DEREGISTRATION: 2, ASAP_REGISTRATION_RESPONSE: 2, ASAP_DEREGISTRATION_RESPONSE: 2, ASAP_HANDLE_RESOLUTION: 2,
    ASAP_HANDLE_RESOLUTION_RESPONSE: 2, ASAP_ENDPOINT_KEEP_ALIVE: 47, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 47, ASAP_SERVER_ANNOUNCE: 26, ENRP_PRESENCE: 27,
  },
  '02-pingpong-cookie-failover.pcap': {
    ASAP_REGISTRATION: 2, ASAP_REGISTRATION_RESPONSE: 2, ASAP_ENDPOINT_KEEP_ALIVE: 12, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 12, ASAP_SERVER_ANNOUNCE: 8,
    ASAP_COOKIE: 31, ASAP_COOKIE_ECHO: 1, ENRP_PRESENCE: 9,
  },
  '03-pe-keep-alive-timeout.pcap': {
    ASAP_REGISTRATION: 2, ASAP_REGISTRATION_RESPONSE: 2, ASAP_ENDPOINT_KEEP_ALIVE: 9, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 8, ASAP_SERVER_ANNOUNCE: 7, ENRP_PRESENCE: 7,
  },
  '03-pe-unreachable-reports.pcap': {
    ASAP_REGISTRATION: 1, ASAP_REGISTRATION_RESPONSE: 1, ASAP_HANDLE_RESOLUTION: 7, ASAP_HANDLE_RESOLUTION_RESPONSE: 7, ASAP_ENDPOINT_UNREACHABLE: 2,
    ASAP_SERVER_ANNOUNCE: 30, ENRP_PRESENCE: 19,
  },
  '04-enrp-join-sync-update.pcap': {
    ASAP_REGISTRATION: 1, ASAP_DEREGISTRATION: 1, ASAP_REGISTRATION_RESPONSE: 1, ASAP_DEREGISTRATION_RESPONSE: 1, ASAP_ENDPOINT_KEEP_ALIVE: 30,
    ASAP_ENDPOINT_KEEP_ALIVE_ACK: 30, ASAP_SERVER_ANNOUNCE: 15, ENRP_PRESENCE: 31, ENRP_HANDLE_TABLE_REQUEST: 6, ENRP_HANDLE_TABLE_RESPONSE: 6,
    ENRP_HANDLE_UPDATE: 2, ENRP_LIST_REQUEST: 6, ENRP_LIST_RESPONSE: 5,
  },
  '05-enrp-takeover.pcap': {
    ASAP_ENDPOINT_KEEP_ALIVE: 10, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 10, ASAP_SERVER_ANNOUNCE: 23, ENRP_PRESENCE: 56, ENRP_HANDLE_TABLE_REQUEST: 1,
    ENRP_HANDLE_TABLE_RESPONSE: 1, ENRP_INIT_TAKEOVER: 4, ENRP_INIT_TAKEOVER_ACK: 1,
  },
  '06-policies.pcap': {
    ASAP_REGISTRATION: 9, ASAP_DEREGISTRATION: 9, ASAP_REGISTRATION_RESPONSE: 9, ASAP_DEREGISTRATION_RESPONSE: 9, ASAP_HANDLE_RESOLUTION: 9,
    ASAP_HANDLE_RESOLUTION_RESPONSE: 9, ASAP_ENDPOINT_KEEP_ALIVE: 18, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 18, ASAP_SERVER_ANNOUNCE: 23, ENRP_PRESENCE: 49,
  },
  '07-errors.pcap': {
    ASAP_REGISTRATION: 4, ASAP_DEREGISTRATION: 1, ASAP_REGISTRATION_RESPONSE: 3, ASAP_DEREGISTRATION_RESPONSE: 1, ASAP_HANDLE_RESOLUTION: 2,
    ASAP_HANDLE_RESOLUTION_RESPONSE: 2, ASAP_ENDPOINT_KEEP_ALIVE: 1, ASAP_SERVER_ANNOUNCE: 16, ASAP_ERROR: 5, ENRP_PRESENCE: 17,
    ENRP_HANDLE_TABLE_REQUEST: 1, ENRP_HANDLE_TABLE_RESPONSE: 1, ENRP_LIST_REQUEST: 2, ENRP_LIST_RESPONSE: 2, ENRP_ERROR: 1,
  },
  '08-multihomed.pcap': {
    ASAP_REGISTRATION: 1, ASAP_DEREGISTRATION: 1, ASAP_REGISTRATION_RESPONSE: 1, ASAP_DEREGISTRATION_RESPONSE: 1, ASAP_HANDLE_RESOLUTION: 1,
    ASAP_HANDLE_RESOLUTION_RESPONSE: 1, ASAP_ENDPOINT_KEEP_ALIVE: 3, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 3, ASAP_SERVER_ANNOUNCE: 12, ENRP_PRESENCE: 25,
    ENRP_HANDLE_TABLE_REQUEST: 1, ENRP_HANDLE_TABLE_RESPONSE: 1, ENRP_HANDLE_UPDATE: 2, ENRP_LIST_REQUEST: 2, ENRP_LIST_RESPONSE: 2,
  },
};

const messageOf = ({ protocol, bytes }: (typeof captured)[number]) => {
  try {
    return decode(protocol, bytes).message;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
};

describe('RSPLIB 3.4.4 on the wire (test/interop/pcaps)', () => {
  it.each(Object.keys(counts))('%s: every message is found and read', (file) => {
    const found: Record<string, number> = {};
    for (const message of captured.filter((one) => one.file === file)) {
      const type = messageOf(message)?.type;
      if (type !== undefined) found[type] = (found[type] ?? 0) + 1;
    }
    expect(found).toEqual(counts[file]);
  });

  it.each(Object.keys(counts))('%s: every message is encoded to the bytes RSPLIB sent', (file) => {
    for (const one of captured.filter((other) => other.file === file)) {
      const message = messageOf(one);
      if (message !== undefined) expect(encode(message).toString('hex')).toBe(one.bytes.toString('hex'));
    }
  });

  it('refuses what was sent by hand to be refused, and nothing else', () => {
    expect(captured.filter((one) => messageOf(one) === undefined).map(({ protocol, bytes }) => `${protocol} ${bytes.toString('hex').slice(0, 50)}`)).toEqual([
      'ASAP 3f000008deadbeef',
      'ASAP 0500000c000900ff61626364',
      'ASAP 050000180009000c4563686f506f6f6c01230008cafebabe',
      'ASAP 050000180009000c4563686f506f6f6c41230008cafebabe',
      'ASAP 010000100009000c4563686f506f6f6c',
      'ASAP 010000440009000c4563686f506f6f6c000a0030aabbccdd00',
      'ENRP 3f00000c0000000100000002',
    ]);
  });
});
