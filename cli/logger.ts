import type { Logger } from '../environment.js';
import { logLevels, type LogLevel } from './options.js';

/** Lines on standard error: time, level, message, details. */
export function lineLogger(level: LogLevel): Logger {
  const upTo = logLevels.indexOf(level);
  const at = (name: LogLevel) => (details: object, message: string): void => {
    if (logLevels.indexOf(name) <= upTo) process.stderr.write(`${new Date().toISOString()} ${name} ${message} ${inLine(details)}\n`);
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

const inLine = (details: object): string =>
  JSON.stringify(details, (_, value: unknown) => {
    if (value instanceof Error) return { code: (value as { code?: unknown }).code, message: value.message };
    return typeof value === 'bigint' ? value.toString() : value;
  });
