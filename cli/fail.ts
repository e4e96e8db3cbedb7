import { RserpoolError } from '../errors.js';

/** Exit codes: 0 done, 1 failed, 2 wrong use. */
export type ExitCode = 1 | 2;

/** Ends the process with one line on standard error. */
export function fail(message: string, code: ExitCode): never {
  process.stderr.write(`rserpool: ${message}\n`);
  process.exit(code);
}

/** One line for whatever went wrong; 2 where the user's own words were wrong. */
export function failWith(error: unknown): never {
  if (error instanceof RserpoolError) return fail(oneLine(error), usage.has(error.code) ? 2 : 1);
  return fail(error instanceof Error ? (error.stack ?? error.message) : String(error), 1);
}

export function oneLine(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0] ?? '' : String(error);
}

const usage: ReadonlySet<string> = new Set(['INVALID_OPTION', 'INVALID_URL', 'INVALID_HANDLE', 'INVALID_DATA', 'FEATURE_UNAVAILABLE']);
