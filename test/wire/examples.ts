import type { AsapMessage, EnrpMessage, PoolElement } from '../../wire/index.js';

/** One fixture a message, written down from the figures of the RFCs: each gives three tests (encode, decode, round trip). */
export interface Example {
  readonly rfc: string;
  readonly message: AsapMessage | EnrpMessage;
  readonly bytes: Buffer;
}

const bytesOf = (...words: string[]): Buffer => Buffer.from(words.join('').replaceAll(' ', ''), 'hex');
const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));

/** "echo": no padding. */
const handle = text('echo');
const HANDLE = '0009 0008 6563 686f';
/** "ping!": three bytes of padding. */
const odd = text('ping!');
const ODD = '0009 0009 7069 6e67 21 000000';

const element: PoolElement = {
  identifier: 0x11223344, homeRegistrar: 0xaabbccdd, registrationLife: -1,
  userTransport: { transport: 'sctp', port: 0x1234, use: 'data-and-control', addresses: ['10.0.0.1', '2001:db8::1'] },
  policy: { policy: 'weighted-round-robin', weight: 7 },
  asapTransport: { transport: 'sctp', port: 3863, use: 'data-only', addresses: ['10.0.0.1'] },
};
const ELEMENT = [
  '000a 0050', '11223344', 'aabbccdd', 'ffffffff',
  '0004 0024', '1234 0001', '0001 0008 0a000001', '0002 0014 20010db8 00000000 00000000 00000001',
  '0008 000c', '00000002', '00000007',
  '0004 0010', '0f17 0000', '0001 0008 0a000001',
].join('');

const small: PoolElement = {
  identifier: 1, homeRegistrar: 0, registrationLife: 300,
  userTransport: { transport: 'tcp', port: 80, addresses: ['192.0.2.1'] },
  policy: { policy: 'round-robin' },
};
const SMALL = ['000a 0028', '00000001', '00000000', '0000012c', '0005 0010', '0050 0000', '0001 0008 c0000201', '0008 0008 00000001'].join('');

/** With our own parameters behind; the last padding is in no length. */
const extended: PoolElement = { ...small, generation: { generation: 3, home: 9 }, capabilities: Uint8Array.of(1, 2, 3) };
const EXTENDED = ['000a 003b', '00000001', '00000000', '0000012c', '0005 0010', '0050 0000', '0001 0008 c0000201', '0008 0008 00000001',
  '8f01 000c 00000003 00000009', '8f02 0007 010203'].join('');

const servers = { sendingServer: 0x01020304, receivingServer: 0x05060708 };
const SERVERS = '01020304 05060708';
const unknownHandle = [{ cause: 'unknown-pool-handle' }] as const;
const UNKNOWN_HANDLE = '000c 0008 0009 0004';

export const asapExamples: readonly Example[] = [
  { rfc: '5352 §2.2.1', message: { type: 'ASAP_REGISTRATION', poolHandle: handle, poolElement: element }, bytes: bytesOf('01 00 005c', HANDLE, ELEMENT) },
  { rfc: '5352 §2.2.1, our parameters', message: { type: 'ASAP_REGISTRATION', poolHandle: odd, poolElement: extended }, bytes: bytesOf('01 00 004b', ODD, EXTENDED, '00') },
  { rfc: '5352 §2.2.2', message: { type: 'ASAP_DEREGISTRATION', poolHandle: odd, peIdentifier: 0xdeadbeef }, bytes: bytesOf('02 00 0018', ODD, '000e 0008 deadbeef') },
  {
    rfc: '5352 §2.2.2, our parameters', message: { type: 'ASAP_DEREGISTRATION', poolHandle: handle, peIdentifier: 2, generation: { generation: 5, home: 6 } },
    bytes: bytesOf('02 00 0020', HANDLE, '000e 0008 00000002', '8f01 000c 00000005 00000006'),
  },
  { rfc: '5352 §2.2.3, accepted', message: { type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: handle, peIdentifier: 2 }, bytes: bytesOf('03 00 0014', HANDLE, '000e 0008 00000002') },
  {
    rfc: '5352 §2.2.3, our parameters before the last of the RFC (RSPLIB takes what is behind it for an error)',
    message: { type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: handle, peIdentifier: 2, generation: { generation: 5, home: 6 } },
    bytes: bytesOf('03 00 0020', HANDLE, '8f01 000c 00000005 00000006', '000e 0008 00000002'),
  },
  {
    rfc: '5352 §2.2.3, rejected',
    message: { type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: true }, poolHandle: handle, peIdentifier: 2, error: [{ cause: 'non-unique-pe-identifier' }, { cause: 'lack-of-resources' }] },
    bytes: bytesOf('03 01 0020', HANDLE, '000e 0008 00000002', '000c 000c 0004 0004 0006 0004'),
  },
  {
    rfc: '5352 §2.2.4', message: { type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: handle, peIdentifier: 2, error: [{ cause: 'rejected-due-to-security-considerations' }] },
    bytes: bytesOf('04 00 001c', HANDLE, '000e 0008 00000002', '000c 0008 000a 0004'),
  },
  { rfc: '5352 §2.2.5', message: { type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle: odd }, bytes: bytesOf('05 01 000d', ODD) },
  { rfc: '5352 §2.2.5, RSPLIB', message: { type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: handle, itemsWanted: 0xffffffff }, bytes: bytesOf('05 00 0014', HANDLE, '803f 0008 ffffffff') },
  {
    rfc: '5352 §2.2.5, our parameters', message: { type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: handle, itemsWanted: 1, page: { from: 7, behind: 0 } },
    bytes: bytesOf('05 00 0020', HANDLE, '803f 0008 00000001', '8f08 000c 00000007 00000000'),
  },
  {
    rfc: '5352 §2.2.6, our parameters', message: { type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: handle, poolElements: [], poolSize: 9, page: { from: 7, behind: 2 } },
    bytes: bytesOf('06 00 0020', HANDLE, '8f06 0008 00000009', '8f08 000c 00000007 00000002'),
  },
  {
    rfc: '5352 §2.2.6, positive',
    message: { type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: true }, poolHandle: handle, policy: { policy: 'random' }, poolElements: [small, element] },
    bytes: bytesOf('06 01 008c', HANDLE, '0008 0008 00000003', SMALL, ELEMENT),
  },
  {
    rfc: '5352 §2.2.6, negative', message: { type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle: handle, poolElements: [], error: unknownHandle },
    bytes: bytesOf('06 00 0014', HANDLE, UNKNOWN_HANDLE),
  },
  { rfc: '5352 §2.2.7', message: { type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: 0x01020304, poolHandle: handle }, bytes: bytesOf('07 01 0010', '01020304', HANDLE) },
  {
    rfc: '5352 §2.2.7, RSPLIB', message: { type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: 0x01020304, poolHandle: odd, peIdentifier: 7 },
    bytes: bytesOf('07 00 001c', '01020304', ODD, '000e 0008 00000007'),
  },
  { rfc: '5352 §2.2.8', message: { type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: handle, peIdentifier: 7 }, bytes: bytesOf('08 00 0014', HANDLE, '000e 0008 00000007') },
  { rfc: '5352 §2.2.9', message: { type: 'ASAP_ENDPOINT_UNREACHABLE', poolHandle: handle, peIdentifier: 7 }, bytes: bytesOf('09 00 0014', HANDLE, '000e 0008 00000007') },
  {
    rfc: '5352 §2.2.10',
    message: { type: 'ASAP_SERVER_ANNOUNCE', serverIdentifier: 1, transports: [{ transport: 'sctp', port: 3863, use: 'data-only', addresses: ['10.0.0.1'] }, { transport: 'tcp', port: 3863, addresses: ['::1'] }] },
    bytes: bytesOf('0a 00 0034', '00000001', '0004 0010 0f17 0000 0001 0008 0a000001', '0005 001c 0f17 0000 0002 0014 00000000 00000000 00000000 00000001'),
  },
  { rfc: '5352 §2.2.10, bare', message: { type: 'ASAP_SERVER_ANNOUNCE', serverIdentifier: 1, transports: [] }, bytes: bytesOf('0a 00 0008', '00000001') },
  { rfc: '5352 §2.2.11', message: { type: 'ASAP_COOKIE', cookie: text('state') }, bytes: bytesOf('0b 00 000d', '000d 0009 7374617465 000000') },
  {
    rfc: '5352 §2.2.11, our parameters', message: { type: 'ASAP_COOKIE', cookie: text('state'), snapshot: Uint8Array.of(0, 0, 0, 9) },
    bytes: bytesOf('0b 00 0018', '000d 0009 7374617465 000000', '8f03 0008 00000009'),
  },
  { rfc: '5352 §2.2.12', message: { type: 'ASAP_COOKIE_ECHO', cookie: new Uint8Array(0) }, bytes: bytesOf('0c 00 0008', '000d 0004') },
  { rfc: '5352 §2.2.13', message: { type: 'ASAP_BUSINESS_CARD', poolHandle: handle, failoverOrder: [small, extended] }, bytes: bytesOf('0d 00 006f', HANDLE, SMALL, EXTENDED, '00') },
  { rfc: '5352 §2.2.14', message: { type: 'ASAP_ERROR', error: unknownHandle }, bytes: bytesOf('0e 00 000c', UNKNOWN_HANDLE) },
  { rfc: 'none', message: { type: 'ASAP_CAPABILITIES', flags: { answer: true }, capabilities: Uint8Array.of(1) }, bytes: bytesOf('8f 01 0009', '8f02 0005 01 000000') },
];

export const enrpExamples: readonly Example[] = [
  {
    rfc: '5353 §2.1',
    message: {
      type: 'ENRP_PRESENCE', flags: { replyRequired: true }, ...servers, checksum: 0x91da,
      serverInformation: { serverId: 0x01020304, transport: { transport: 'sctp', port: 9901, use: 'data-only', addresses: ['10.0.0.1'] } },
    },
    bytes: bytesOf('01 01 002c', SERVERS, '000f 0006 91da 0000', '000b 0018 01020304', '0004 0010 26ad 0000 0001 0008 0a000001'),
  },
  { rfc: '5353 §2.1, checksum last', message: { type: 'ENRP_PRESENCE', flags: { replyRequired: false }, ...servers, checksum: 0xffff }, bytes: bytesOf('01 00 0012', SERVERS, '000f 0006 ffff 0000') },
  { rfc: '5353 §2.2', message: { type: 'ENRP_HANDLE_TABLE_REQUEST', flags: { ownChildrenOnly: true }, ...servers }, bytes: bytesOf('02 01 000c', SERVERS) },
  {
    rfc: '5353 §2.3',
    message: {
      type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: true }, ...servers,
      poolEntries: [{ poolHandle: handle, poolElements: [small, small] }, { poolHandle: odd, poolElements: [extended] }, { poolHandle: handle, poolElements: [small] }],
    },
    bytes: bytesOf('03 02 00dc', SERVERS, HANDLE, SMALL, SMALL, ODD, EXTENDED, '00', HANDLE, SMALL),
  },
  { rfc: '5353 §2.3, rejected', message: { type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: true, moreToSend: false }, ...servers, poolEntries: [] }, bytes: bytesOf('03 01 000c', SERVERS) },
  { rfc: '5353 §2.4, ADD_PE', message: { type: 'ENRP_HANDLE_UPDATE', ...servers, updateAction: 'ADD_PE', poolHandle: handle, poolElement: element }, bytes: bytesOf('04 00 0068', SERVERS, '0000 0000', HANDLE, ELEMENT) },
  {
    rfc: '5353 §2.4, DEL_PE, our parameters',
    message: { type: 'ENRP_HANDLE_UPDATE', ...servers, updateAction: 'DEL_PE', poolHandle: handle, poolElement: small, generation: { generation: 1, home: 2 } },
    bytes: bytesOf('04 00 004c', SERVERS, '0001 0000', HANDLE, SMALL, '8f01 000c 00000001 00000002'),
  },
  { rfc: '5353 §2.5', message: { type: 'ENRP_LIST_REQUEST', ...servers }, bytes: bytesOf('05 00 000c', SERVERS) },
  {
    rfc: '5353 §2.6',
    message: {
      type: 'ENRP_LIST_RESPONSE', flags: { reject: false }, ...servers,
      serverInformation: [1, 2].map((serverId) => ({ serverId, transport: { transport: 'tcp', port: 9901, addresses: ['10.0.0.1'] } as const })),
    },
    bytes: bytesOf('06 00 003c', SERVERS, '000b 0018 00000001 0005 0010 26ad 0000 0001 0008 0a000001', '000b 0018 00000002 0005 0010 26ad 0000 0001 0008 0a000001'),
  },
  { rfc: '5353 §2.6, rejected', message: { type: 'ENRP_LIST_RESPONSE', flags: { reject: true }, ...servers, serverInformation: [] }, bytes: bytesOf('06 01 000c', SERVERS) },
  { rfc: '5353 §2.7', message: { type: 'ENRP_INIT_TAKEOVER', ...servers, targetingServer: 9 }, bytes: bytesOf('07 00 0010', SERVERS, '00000009') },
  { rfc: '5353 §2.8', message: { type: 'ENRP_INIT_TAKEOVER_ACK', ...servers, targetingServer: 9 }, bytes: bytesOf('08 00 0010', SERVERS, '00000009') },
  { rfc: '5353 §2.9', message: { type: 'ENRP_TAKEOVER_SERVER', ...servers, targetingServer: 9 }, bytes: bytesOf('09 00 0010', SERVERS, '00000009') },
  {
    rfc: '5353 §2.10', message: { type: 'ENRP_ERROR', ...servers, error: [{ cause: 'unrecognized-message', message: Uint8Array.of(0x7f, 0, 0, 4) }] },
    bytes: bytesOf('0a 00 0018', SERVERS, '000c 000c 0002 0008 7f000004'),
  },
];

export const examples: readonly Example[] = [...asapExamples, ...enrpExamples];
