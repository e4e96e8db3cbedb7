import { asap, causeCode, decodeAsap, decodeEnrp, enrp, policies, WireError, type AsapMessage, type Cause, type EnrpMessage, type PolicyName } from '../../../wire/index.js';

type Message = AsapMessage | EnrpMessage;

/** Our reading of a message, told as tshark tells it (pdml.ts); undefined where we refuse it. */
export function fieldsOf(protocol: 'ASAP' | 'ENRP', bytes: Uint8Array): string[] | undefined {
  try {
    const { message } = protocol === 'ASAP' ? decodeAsap(bytes) : decodeEnrp(bytes);
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
  'poolHandle': 'pool_handle_pool_handle', 'peIdentifier': 'pe_identifier', 'serverIdentifier': 'server_identifier', 'cookie': 'cookie', 'capabilities': 'parameter_value', 'tie': 'parameter_value', 'snapshot': 'parameter_value',
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
    if (key === 'generation' || key === 'page') return [`parameter_value ${Object.values(part as object).map((word: number) => word.toString(16).padStart(8, '0')).join('')}`]; // ours: tshark shows its bytes
    if (key === 'type' || (inside === 'error' && (key === 'information' || key === 'code'))) return [];
    if (part instanceof Uint8Array && inside === 'error') return [`parameter_value ${Buffer.from(part).toString('hex').slice(8)}`].filter((line) => part.length > 0 && line); // without its header
    if (part instanceof Uint8Array) return part.length === 0 ? [] : [`${nameOf(inside, key)} ${Buffer.from(part).toString('hex')}`];
    if (Array.isArray(part)) return part.flatMap((item: unknown) => (typeof item === 'object' ? tell(item as object, groupOf(key)) : [`${nameOf(inside, key)} ${String(item)}`]));
    return typeof part === 'object' ? tell(part as object, groupOf(key)) : [`${nameOf(inside, key)} ${String(part)}`];
  });
}

const nameOf = (inside: string, key: string): string => names[`${inside}.${key}`] ?? names[key] ?? `${inside}.${key}`;
const groupOf = (key: string): string => (key === 'poolElements' ? 'poolElement' : /transport/i.test(key) ? 'transport' : key);
