import { createHash } from 'node:crypto';
import { SessionError, type ServiceAccessPoint } from '../../index.js';
import { decodePortion, encodeRequest } from './protocol.js';

export interface Download {
  readonly name: string;
  /** After each portion; `server` is the PE identifier of who sent it. */
  readonly progress?: (received: number, total: number, server: number | undefined) => void;
  readonly moved?: (from: number, to: number, offset: number) => void;
}
export interface Downloaded {
  readonly hash: string;
  readonly bytes: number;
  /** The offset of each request: one, and one more for each failover. */
  readonly requests: readonly number[];
  /** Bytes that were asked for, or came, although they had been received. */
  readonly twice: number;
}

/** Fetches a file, whatever happens to the servers. Two things are needed for it (draft §4.5.2): the lowest byte not yet received, and a callback that asks for the rest from there. */
export async function download(rsp: ServiceAccessPoint, { name, progress, moved }: Download): Promise<Downloaded> {
  const hash = createHash('sha256');
  const requests: number[] = [];
  let [received, twice] = [0, 0];
  let total: number | undefined;
  const request = (offset: number): string => { requests.push(offset); return encodeRequest({ name, offset }); };

  const session = await rsp.connect('files', {
    onFailover: async (recovery, { from, to, pending }) => {
      for (const old of pending) old.discard(); // it would be answered from its own offset
      moved?.(from, to, received);
      if (received !== total) await recovery.send(request(received));
    },
  });
  const complete = new Promise<void>((resolve, reject) => {
    session.on('data', (data, { from }) => {
      const portion = decodePortion(data);
      if (portion.offset !== received) twice += Math.max(0, received - portion.offset);
      hash.update(portion.bytes);
      received += portion.bytes.length;
      total = portion.total;
      progress?.(received, total, from?.identifier);
      if (received >= total) resolve();
    });
    session.on('error', reject);
    session.on('closed', () => { reject(new SessionError('SESSION_CLOSED', 'the session ended before the file')); });
  });
  await session.send(request(0));
  await complete;
  await session.close();
  return { hash: hash.digest('hex'), bytes: received, requests, twice };
}
