/** The one message a registrar gets 100 000 times a second, past the tables: ASAP_HANDLE_RESOLUTION (RFC 5352 §2.2.5) with nothing but its pool handle
 *  and the S flag 0. The tables read it the same; a test holds both together.
 *  @returns the pool handle's key; undefined for everything else, right or wrong: the general decoder's. */
export function readPlainResolution(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start < 9 || bytes[start] !== HANDLE_RESOLUTION || bytes[start + 1] !== 0 || bytes[start + 4] !== 0 || bytes[start + 5] !== POOL_HANDLE) return undefined;
  const length = (bytes[start + 6]! << 8) | bytes[start + 7]!;
  const messageLength = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  if (length <= 4 || start + 4 + ((length + 3) & ~3) !== end || (messageLength !== length + 4 && messageLength !== end - start)) return undefined;
  return (bytes as Latin1).latin1Slice(start + 8, start + 4 + length);
}

const HANDLE_RESOLUTION = 0x05;
const POOL_HANDLE = 0x09;
/** What `toString('latin1')` comes to, after some detours. */
interface Latin1 extends Buffer { latin1Slice(start: number, end: number): string }
