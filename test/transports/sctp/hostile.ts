import { chunk, data, hex, initBody, packet, u32 } from './pair.js';

/** What a peer made by hand knows: the victim's tag and TSN, and the TSN the victim waits for. */
export interface Known {
  readonly tag: number;
  readonly tsn: number;
  readonly victimTsn: number;
}

/** Packets that end or hang the package as shipped, and some that must only be ignored; from SCTP port 6000 to 7. */
export const crashPackets: Readonly<Record<string, (known: Known) => Buffer>> = {
  'INIT with a zero-length parameter': () => packet(6000, 7, 0, chunk(1, 0, initBody(hex('0005 0000')))),
  'INIT with an empty Cookie Preservative': () => packet(6000, 7, 0, chunk(1, 0, initBody(hex('0009 0004')))),
  'INIT with a parameter CHUNKS that names an unknown type': () => packet(6000, 7, 0, chunk(1, 0, initBody(hex('8003 0005 77000000')))),
  'INIT with a 3-byte IPv4 parameter': () => packet(6000, 7, 0, chunk(1, 0, initBody(hex('0005 0007 7f000000')))),
  'ABORT with a zero-length cause': () => packet(6000, 7, 7, chunk(6, 0, hex('000c 0000'))),
  'ERROR with a short Stale Cookie cause': () => packet(6000, 7, 7, chunk(9, 0, hex('0003 0005 01'))),
  'a chunk of length 2': () => packet(6000, 7, 7, hex('03 00 0002')),
  'a chunk longer than the packet': () => packet(6000, 7, 7, chunk(3, 0, hex('00000000'), 4000)),
  'SACK with counts larger than the chunk': () => packet(6000, 7, 7, chunk(3, 0, hex('00000000 00010000 ffff ffff'))),
  'INIT with a bad checksum': () => {
    const bytes = packet(6000, 7, 0, chunk(1, 0, initBody()));
    bytes.writeUInt32LE(1, 8);
    return bytes;
  },
  'HEARTBEAT without info': ({ tag }) => packet(6000, 7, tag, chunk(4, 0, Buffer.alloc(0))),
  'HEARTBEAT ACK with 2 bytes of info': ({ tag }) => packet(6000, 7, tag, chunk(5, 0, hex('0001 0006 0102'))),
  'COOKIE ECHO with a cookie that is none': ({ tag }) => packet(6000, 7, tag, chunk(10, 0, Buffer.alloc(80, 5))),
  'DATA with TSN + 70000': ({ tag, tsn }) => packet(6000, 7, tag, data(tsn + 70_000, 3, Buffer.from('x'))),
  'DATA with TSN + 2^31 - 16': ({ tag, tsn }) => packet(6000, 7, tag, data(tsn + 0x7fff_fff0, 3, Buffer.from('x'))),
  'SACK with 300 overlapping blocks of 64 k': ({ tag, victimTsn }) => {
    const body = Buffer.alloc(12 + 4 * 300);
    body.writeUInt32BE((victimTsn - 1) >>> 0, 0);
    body.writeUInt32BE(65536, 4);
    body.writeUInt16BE(300, 8);
    for (let at = 12; at < body.length; at += 4) body.writeUInt32BE(0x0002_ffff, at);
    return packet(6000, 7, tag, chunk(3, 0, body));
  },
  'SACK of data that was never sent': ({ tag, victimTsn }) => packet(6000, 7, tag, chunk(3, 0, Buffer.concat([u32(victimTsn + 1000), u32(65536), u32(0)]))),
  'INIT while established': () => packet(6000, 7, 0, chunk(1, 0, initBody())),
  'ABORT with a wrong tag': ({ tag }) => packet(6000, 7, tag ^ 1, chunk(6, 0, Buffer.alloc(0))),
  'ERROR with an unknown cause': ({ tag }) => packet(6000, 7, tag, chunk(9, 0, hex('00ff 0008 01020304'))),
  'ERROR with a cause that is padded, and another': ({ tag }) => packet(6000, 7, tag, chunk(9, 0, hex('0002 0009 00000000 01 000000 0000 0004 0000 0004'))),
  'DATA after a hole, then again': ({ tag, tsn }) => packet(6000, 7, tag, data(tsn + 2, 3, Buffer.from('x'), { ssn: 1 }), data(tsn + 2, 3, Buffer.from('x'), { ssn: 1 })),
};
