/** The protocol of the draft's example (draft-ietf-rserpool-service §4.5.2): one request, answered by the rest of the file in portions. */

/** Names the file, and the offset from which it is wanted. */
export interface FileRequest { readonly name: string; readonly offset: number }

export const encodeRequest = (request: FileRequest): string => JSON.stringify(request);

/** @throws Error: no request. */
export function decodeRequest(bytes: Buffer): FileRequest {
  const { name, offset = 0 } = JSON.parse(bytes.toString()) as Partial<FileRequest>;
  if (typeof name !== 'string' || !Number.isSafeInteger(offset) || offset < 0) throw new Error('no request for a file');
  return { name, offset };
}

/** A part of the file: where it lies, and how long the whole file is. Its length is that of `bytes`. */
export interface Portion { readonly offset: number; readonly total: number; readonly bytes: Buffer }

/** Bytes of file in one portion at most: with the 12 before them one frame of the mapping. */
export const PORTION = 60 * 1024;

export function encodePortion({ offset, total, bytes }: Portion): Buffer {
  const head = Buffer.alloc(12);
  head.writeUIntBE(offset, 0, 6);
  head.writeUIntBE(total, 6, 6);
  return Buffer.concat([head, bytes]);
}

export const decodePortion = (bytes: Buffer): Portion => ({ offset: bytes.readUIntBE(0, 6), total: bytes.readUIntBE(6, 6), bytes: bytes.subarray(12) });
