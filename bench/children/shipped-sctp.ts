import { createSocket } from 'node:dgram';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { inputOf, serveParent } from '../child.js';
import { drive, type Load, type Rate } from '../measure.js';
import { InOrder, payload } from '../in-order.js';

/** Npm `sctp` as it is shipped, its endpoints on one socket for one peer: SCTP over UDP without anything of ours. A process that answers with what comes, or
 *  (with the port of one) that asks. */

/** What is used of the package, which has no types. */
interface Association extends EventEmitter {
  SEND(bytes: Buffer, options: { stream_id: number; ppid: number }, sent: (error?: Error) => void): void;
  RECEIVE(): Buffer;
}
interface Packet { toBuffer(): Buffer }
interface Endpoint extends EventEmitter {
  transport: { sendPacket(source: string | undefined, to: string, packet: Packet, sent?: () => void): void; unallocate(): void };
  ASSOCIATE(options: { remoteAddress: string; remotePort: number }): Association;
}
const load = createRequire(import.meta.url);
const EndpointClass = load('sctp/lib/endpoint') as new (options: { localPort: number; OS: number; MIS: number; a_rwnd: number }) => Endpoint;
const { fromBuffer } = load('sctp/lib/packet') as { fromBuffer: (bytes: Buffer) => Packet };

const HOST = '127.0.0.1';
const SERVER = 7;
const CLIENT = 6000;
const OPTIONS = { stream_id: 0, ppid: 1 };

const { peer } = inputOf<{ peer?: number }>();
const endpoint = new EndpointClass({ localPort: peer === undefined ? SERVER : CLIENT, OS: 2, MIS: 2, a_rwnd: 0x10_0000 });
const socket = createSocket('udp4');
let peerPort = peer;
endpoint.transport = {
  sendPacket: (_, to, packet, sent) => { socket.send(packet.toBuffer(), peerPort, to, () => sent?.()); },
  unallocate: () => undefined,
};
socket.on('message', (bytes, { address, port }) => {
  peerPort = port;
  endpoint.emit('packet', fromBuffer(bytes), address, HOST);
});
await new Promise<void>((resolve) => { socket.bind(0, HOST, resolve); });

if (peer === undefined) {
  endpoint.on('association', (association: Association) => {
    association.on('DATA ARRIVE', () => { association.SEND(association.RECEIVE(), OPTIONS, () => undefined); });
  });
  serveParent({ port: (socket.address() as AddressInfo).port });
} else {
  const association = endpoint.ASSOCIATE({ remoteAddress: HOST, remotePort: SERVER });
  const waiting = new InOrder();
  association.on('DATA ARRIVE', () => {
    association.RECEIVE();
    waiting.next();
  });
  const request = (done: () => void): void => {
    waiting.push(done);
    association.SEND(payload, OPTIONS, () => undefined); // what it refuses is never answered
  };
  await new Promise((resolve) => { association.once('COMMUNICATION UP', resolve); });
  serveParent({}, { drive: (given: Load): Promise<Rate> => drive({ request, serverCpu: () => Promise.resolve(0) }, given) });
}
