import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../lab/lab.js';

/** A figure for the end of the run's output. */
export function note(what: string, value: string): void {
  appendFileSync(join(Lab.current().state, 'figures.txt'), `${what}: ${value}\n`);
}

export const milliseconds = (seconds: number): string => `${(1_000 * seconds).toFixed(0)} ms`;
