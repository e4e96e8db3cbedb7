import { readdirSync, readFileSync } from 'node:fs';
import { capturedMessages, type CapturedMessage } from '../../cli/capture/messages.js';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, type AsapMessage, type Cause, type EnrpMessage, WireError } from '../../wire/index.js';

/** RSPLIB's captures and a decoder for either protocol, for tests. */
export type Message = AsapMessage | EnrpMessage;

const folder = new URL('../interop/pcaps/', import.meta.url);
export const captureFiles: readonly string[] = readdirSync(folder).filter((name) => name.endsWith('.pcap')).sort();
export const readCapture = (file: string): Buffer => readFileSync(new URL(file, folder));

export const captured: readonly (CapturedMessage & { readonly file: string })[] =
  captureFiles.flatMap((file) => [...capturedMessages(readCapture(file))].map((message) => ({ ...message, file })));

/** Each message once, however often it was sent. */
export const different: readonly CapturedMessage[] =
  [...new Map(captured.map((message) => [`${message.protocol} ${message.bytes.toString('hex')}`, message])).values()];

export const decode = (protocol: 'ASAP' | 'ENRP', bytes: Uint8Array): { message: Message; reports: readonly Cause[] } =>
  (protocol === 'ASAP' ? decodeAsap(bytes) : decodeEnrp(bytes));
export const encode = (message: Message): Buffer =>
  (message.type.startsWith('ASAP') ? encodeAsap(message as AsapMessage) : encodeEnrp(message as EnrpMessage));

/** The WireError a reading must end in. */
export function refusal(read: () => unknown): WireError {
  try {
    read();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error('was read');
}
