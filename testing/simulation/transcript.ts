import type { Milliseconds } from '../../environment.js';

/** What happened, a line for each event: the same to the byte for the same seed. */
export class Transcript {
  readonly lines: string[] = [];

  constructor(private readonly now: () => Milliseconds) {}

  note(who: string, what: string): void {
    this.lines.push(`${this.now().toFixed(1).padStart(9)}  ${who.padEnd(9)}  ${what}`);
  }
}

/** Long data in short. */
export const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 32)}... (${text.length} bytes)` : text);
