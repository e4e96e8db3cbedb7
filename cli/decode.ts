import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { UsageError } from '../errors.js';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, WireError, type Decoded, type AsapMessage, type EnrpMessage } from '../wire/index.js';
import { decodeSnapshot } from '../wire/snapshot.js';
import { isCapture } from './capture/file.js';
import { hexMessages } from './capture/hex.js';
import { jsonOf } from './capture/json.js';
import { capturedMessages, type CapturedMessage, type Protocol } from './capture/messages.js';

export interface Tally {
  /** Messages decoded, encoded again and compared. */
  checked: number;
  mismatched: number;
  /** Bytes that are no message. */
  refused: number;
}

export function decodeCommand(): Command {
  return new Command('decode')
    .description('show the ASAP and ENRP messages of a capture, one JSON object a line')
    .argument('[FILE]', 'pcap or pcapng; without it, or with -, standard input: a capture, or a message in hexadecimal on each line')
    .option('--check', 'encode each message again and compare; exit code 1 when one differs')
    .option('--enrp', 'hexadecimal input is ENRP, not ASAP')
    .action(async (file: string | undefined, { check = false, enrp = false }: { check?: boolean; enrp?: boolean }) => {
      const tally: Tally = { checked: 0, mismatched: 0, refused: 0 };
      const write = linesTo(process.stdout);
      process.stdout.once('error', () => process.exit(1)); // whoever read us has gone (`| head`)
      const input = await readInput(file);
      try {
        for (const line of decodeInput(input, { check, protocol: enrp ? 'ENRP' : 'ASAP' }, tally)) write(line);
        if (check) write(`checked ${tally.checked}, mismatched ${tally.mismatched}, refused ${tally.refused}`);
      } finally {
        write.flush();
      }
      process.exitCode = tally.mismatched > 0 ? 1 : 0;
    });
}

/** The core of the command: from bytes to lines, counting in `tally`.
 *  @throws CaptureError or UsageError where the input breaks; the lines before have been yielded. */
export function* decodeInput(input: Buffer, options: { check: boolean; protocol: Protocol }, tally: Tally): Generator<string> {
  const messages = isCapture(input) || looksBinary(input) ? capturedMessages(input) : hexMessages(input.toString('latin1'), options.protocol);
  for (const message of messages) yield JSON.stringify(describe(message, options.check, tally));
}

function describe(captured: CapturedMessage, check: boolean, tally: Tally): object {
  const { frame, source, destination, protocol, bytes } = captured;
  const where = { frame, source, destination };
  try {
    if (captured.broken !== undefined) throw captured.broken;
    const { message, reports } = protocol === 'ASAP' ? decodeAsap(bytes) : decodeEnrp(bytes);
    const mismatch = check ? compare(protocol, { message, reports }, bytes, tally) : undefined;
    const { type, ...fields }: Record<string, unknown> = { ...jsonOf(message), ...snapshotOf(message) };
    return { type, ...where, ...fields, ...(reports.length > 0 && { reports: jsonOf(reports) }), ...mismatch };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    tally.refused++;
    return { refused: error.code, ...where, protocol, reason: error.reason, offset: error.offset, bytes: bytes.toString('hex'), reports: jsonOf(error.reports) };
  }
}

/** Our part of a state cookie in words, where it can be read; else it stays in hexadecimal. */
function snapshotOf(message: AsapMessage | EnrpMessage): { readonly snapshot: unknown } | undefined {
  if ((message.type !== 'ASAP_COOKIE' && message.type !== 'ASAP_COOKIE_ECHO') || !message.snapshot) return undefined;
  try {
    const { keyId, issued, ...fields } = decodeSnapshot(message.snapshot);
    return { snapshot: { ...jsonOf(fields), issued: new Date(issued).toISOString(), ...(keyId && { keyId: Buffer.from(keyId).toString() }) } };
  } catch (error) {
    if (error instanceof WireError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function compare(protocol: Protocol, { message }: Decoded<AsapMessage | EnrpMessage>, bytes: Buffer, tally: Tally): object | undefined {
  tally.checked++;
  const encoded = encodeAgain(protocol, message);
  if (!(encoded instanceof UsageError) && encoded.equals(bytes)) return undefined;
  tally.mismatched++;
  return { mismatched: { captured: bytes.toString('hex'), encoded: encoded instanceof UsageError ? encoded.message : encoded.toString('hex') } };
}

/** An error where padding that the sender left out makes the message too long. */
function encodeAgain(protocol: Protocol, message: AsapMessage | EnrpMessage): Buffer | UsageError {
  try {
    return protocol === 'ASAP' ? encodeAsap(message as AsapMessage) : encodeEnrp(message as EnrpMessage);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}

async function readInput(file: string | undefined): Promise<Buffer> {
  try {
    return file === undefined || file === '-' ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw new UsageError('INVALID_DATA', `cannot read ${file ?? 'standard input'}: ${(error as Error).message}`, { cause: error });
  }
}

/** Whoever gave a broken capture should hear of that, not of hexadecimal digits. */
const looksBinary = (input: Buffer): boolean => input.subarray(0, 64).some((byte) => byte === 0 || byte > 0x7e);

/** Lines in large writes: a capture has many. */
function linesTo(stream: { write(text: string): unknown }): ((line: string) => void) & { flush(): void } {
  let waiting: string[] = [];
  const flush = (): void => {
    if (waiting.length > 0) stream.write(`${waiting.join('\n')}\n`);
    waiting = [];
  };
  return Object.assign((line: string): void => {
    if (waiting.push(line) >= 256) flush();
  }, { flush });
}
