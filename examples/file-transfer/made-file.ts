import { createCipheriv, createHash, type Hash } from 'node:crypto';

/** A file that is made from a seed, so that every mirror has it and nobody stores it: any part can be had at once. */
export class MadeFile {
  readonly #key: Buffer;

  constructor(seed: string, readonly size: number) {
    this.#key = createHash('sha256').update(seed).digest().subarray(0, 16);
  }

  /** `length` bytes from `offset`, less at the end of the file: the key stream of AES in counter mode. */
  read(offset: number, length: number): Buffer {
    const end = Math.min(this.size, offset + length);
    const block = Math.floor(offset / 16);
    const counter = Buffer.alloc(16);
    counter.writeUIntBE(block, 10, 6);
    const stream = createCipheriv('aes-128-ctr', this.#key, counter);
    return stream.update(Buffer.alloc(end - block * 16)).subarray(offset - block * 16);
  }

  hash(): string {
    const hash: Hash = createHash('sha256');
    for (let at = 0; at < this.size; at += 0x10_0000) hash.update(this.read(at, 0x10_0000));
    return hash.digest('hex');
  }
}
