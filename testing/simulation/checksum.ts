/** PE checksum (RFC 5353 §3.6.2) from the elements themselves, word by word: what the one that registrars keep by adding and taking away is held against. */
export function checksumOf(elements: readonly { readonly handle: Uint8Array; readonly identifier: number }[]): number {
  let sum = 0;
  for (const { handle, identifier } of elements) {
    const block = Buffer.alloc(4 * Math.ceil(handle.length / 4) + 4);
    block.set(handle);
    block.writeUInt32BE(identifier, block.length - 4);
    for (let at = 0; at < block.length; at += 2) {
      sum += block.readUInt16BE(at);
      if (sum > 0xffff) sum -= 0xffff; // the carry comes round
    }
  }
  return ~sum & 0xffff;
}
