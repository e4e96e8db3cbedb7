/** A pool handle as a key of maps: one character per byte. Handles are any bytes (RFC 5354 §3.9); text stands for its UTF-8 bytes. */
export const poolHandleKey = (handle: string | Uint8Array): string =>
  (typeof handle === 'string' ? Buffer.from(handle, 'utf8') : Buffer.from(handle.buffer, handle.byteOffset, handle.length)).toString('latin1');

export const poolHandleBytes = (handle: string | Uint8Array): Uint8Array => (typeof handle === 'string' ? Buffer.from(handle, 'utf8') : handle);

/** The bytes a key stands for. */
export const poolHandleFromKey = (key: string): Uint8Array => Buffer.from(key, 'latin1');

/** As an application would write it: text where the bytes are that, else the bytes. */
export const poolHandleOf = (key: string): string | Uint8Array => {
  const text = poolHandleText(key);
  return poolHandleKey(text) === key ? text : poolHandleFromKey(key);
};

/** For people: UTF-8 text where the bytes are that, else hexadecimal. */
export function poolHandleText(key: string): string {
  const bytes = Buffer.from(key, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) && !/[\0-\x1f\x7f]/.test(text) ? text : `0x${bytes.toString('hex')}`;
}
