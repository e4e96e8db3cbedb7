import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { asap, causeCode, enrp, policies, WireError, type Cause, type PolicyName } from '../../wire/index.js';
import { decode, different, type Message } from './captured.js';

/** By protocol and bytes of a message: the fields tshark shows of it, or that it is malformed. How it was made: test/interop/tshark/README.md. */
const tshark = JSON.parse(readFileSync(new URL('../interop/tshark/fields.json', import.meta.url), 'utf8')) as Record<string, string[] | 'malformed'>;

describe('what tshark reads in the captures', () => {
  it('covers each message', () => {
    expect(different.map(keyOf).sort()).toEqual(Object.keys(tshark).sort());
  });

  it('is what we read, field by field', () => {
    let compared = 0;
    for (const one of different) {
      const theirs = tshark[keyOf(one)];
      const ours = fieldsOf(one.protocol, one.bytes);
      if (theirs === 'malformed' || ours === undefined) continue;
      expect(ours).toEqual(theirs);
      compared++;
    }
    expect(compared).toBe(282);
  });

  it('is malformed where it was made so by hand, and where RSPLIB leaves out what a cause should carry', () => {
    expect(different.filter((one) => tshark[keyOf(one)] === 'malformed').map((one) => [keyOf(one).slice(0, 40), fieldsOf(one.protocol, one.bytes)])).toEqual([
      ['asap 3f000008deadbeef', undefined],
      ['asap 0500000c000900ff61626364', undefined],
      ['asap 0e00000c000c000800030004', ['message_type 14', 'message_flags 0', 'cause_code 3']],
      ['asap 010000440009000c4563686f506f6f6c000', undefined],
      ['asap 030100200009000c4563686f506f6f6c000', ['message_type 3', 'message_flags 1', 'r_bit 1', 'pool_handle_pool_handle 4563686f506f6f6c', 'pe_identifier 2864434398', 'cause_code 5']],
    ]);
  });
});

const keyOf = ({ protocol, bytes }: (typeof different)[number]): string => `${protocol.toLowerCase()} ${bytes.toString('hex')}`;

/** Our reading, told as tshark tells it. */
function fieldsOf(protocol: 'ASAP' | 'ENRP', bytes: Buffer): string[] | undefined {
  try {
    const { message } = decode(protocol, bytes);
    const { type, flags, ...body } = message as Message & { flags?: Record<string, boolean> };
    return [`message_type ${{ ...asap, ...enrp }[type].type}`, ...flagsOf(type, flags ?? {}), ...tell(body, '')];
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** tshark's names of the flags' bits; one it has no name for is in the byte only. */
const bits: Readonly<Record<string, string>> = {
  reject: 'r_bit', home: 'h_bit', replyRequired: 'r_bit', ownChildrenOnly: 'w_bit', moreToSend: 'm_bit', sendUpdates: '', acceptUpdates: '',
};
function flagsOf(type: Message['type'], flags: Record<string, boolean>): string[] {
  const table: Readonly<Record<string, number>> = { ...asap, ...enrp }[type].flags;
  const byte = Object.keys(flags).reduce((sum, name) => sum + (flags[name] ? table[name]! : 0), 0);
  const named = Object.entries(flags).sort(([one], [other]) => table[other]! - table[one]!).filter(([name]) => bits[name] !== '');
  const draft = type === 'ENRP_HANDLE_UPDATE' ? ['t_bit 0'] : []; // a draft's flag that is in no RFC
  return [`message_flags ${byte}`, ...named.map(([name, set]) => `${bits[name]} ${Number(set)}`), ...draft];
}

const names: Readonly<Record<string, string>> = {
  'poolHandle': 'pool_handle_pool_handle', 'peIdentifier': 'pe_identifier', 'serverIdentifier': 'server_identifier', 'cookie': 'cookie',
  'itemsWanted': 'hropt_items', 'checksum': 'pe_checksum', 'parameter': 'parameter_value', 'unrecognized.value': 'parameter_value',
  'sendingServer': 'sender_servers_id', 'receivingServer': 'receiver_servers_id', 'targetingServer': 'target_servers_id',
  'serverInformation.serverId': 'server_information_server_identifier', 'updateAction': 'update_action',
  'poolElement.identifier': 'pool_element_pe_identifier', 'poolElement.homeRegistrar': 'pool_element_home_enrp_server_identifier',
  'poolElement.registrationLife': 'pool_element_registration_life',
  'policy.weight': 'pool_member_selection_policy_weight', 'policy.priority': 'pool_member_selection_policy_priority',
  'policy.load': 'pool_member_selection_policy_load', 'policy.loadDegradation': 'pool_member_selection_policy_degradation',
  'transport.port': 'sctp_transport_port', 'transport.use': 'transport_use', 'transport.addresses': 'ipv4_address',
};

function tell(value: object, inside: string): string[] {
  return Object.entries(value).flatMap(([key, part]: [string, unknown]): string[] => {
    if (part === undefined) return [];
    if (key === 'policy' && typeof part === 'string') return [`pool_member_selection_policy_type ${policies[part as PolicyName]?.type ?? (value as { type: number }).type}`];
    if (key === 'cause') return [`cause_code ${causeCode(value as Cause)}`];
    if (key === 'transport' && typeof part === 'string') return [];
    if (key === 'updateAction') return [`update_action ${Number(part === 'DEL_PE')}`, 'reserved 0'];
    if (key === 'use') return [`transport_use ${Number(part === 'data-and-control')}`];
    if (key === 'type' || (inside === 'error' && (key === 'information' || key === 'code'))) return [];
    if (part instanceof Uint8Array && inside === 'error') return [`parameter_value ${Buffer.from(part).toString('hex').slice(8)}`].filter((line) => part.length > 0 && line); // without its header
    if (part instanceof Uint8Array) return part.length === 0 ? [] : [`${nameOf(inside, key)} ${Buffer.from(part).toString('hex')}`];
    if (Array.isArray(part)) return part.flatMap((item: unknown) => (typeof item === 'object' ? tell(item as object, groupOf(key)) : [`${nameOf(inside, key)} ${String(item)}`]));
    return typeof part === 'object' ? tell(part as object, groupOf(key)) : [`${nameOf(inside, key)} ${String(part)}`];
  });
}

const nameOf = (inside: string, key: string): string => names[`${inside}.${key}`] ?? names[key] ?? `${inside}.${key}`;
const groupOf = (key: string): string => (key === 'poolElements' ? 'poolElement' : /transport/i.test(key) ? 'transport' : key);
