/** PE checksum of one owner, RFC 5353 §3.6.2: the RFC 1071 sum over one block a pool element (its pool handle padded with zeros to a multiple of four,
 *  then its identifier), complemented; 0xffff where there are none. Kept by adding and subtracting whole blocks, in any order. */
export class PeChecksum {
  /** Not folded before it is asked for: so that what was added can be taken away again exactly. */
  #sum = 0;

  add(block: number): void { this.#sum += block; }
  remove(block: number): void { this.#sum -= block; }

  get value(): number {
    let sum = this.#sum;
    while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
    return ~sum & 0xffff;
  }
}

/** Sum of a block's 16-bit words: the handle's part (the same for the whole pool) and the identifier's. The key has one character a byte. */
export const blockSum = (handleSum: number, peIdentifier: number): number => handleSum + (peIdentifier >>> 16) + (peIdentifier & 0xffff);

export function handleSum(poolKey: string): number {
  let sum = 0;
  for (let at = 0; at < poolKey.length; at += 2) sum += (poolKey.charCodeAt(at) << 8) + (at + 1 < poolKey.length ? poolKey.charCodeAt(at + 1) : 0);
  return sum;
}
