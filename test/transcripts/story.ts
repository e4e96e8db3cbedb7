import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import { SimulatedClock } from '../../testing/simulated-clock.js';
import { Transcript } from '../../testing/simulation/transcript.js';
import { World, type WorldOptions } from '../../testing/world.js';

/** A world whose traffic is written down, and what the scenario does to it between the lines. */
export interface Story {
  readonly world: World;
  readonly transcript: Transcript;
  /** What happens to somebody: `r3`, `is frozen`. */
  readonly happens: (who: string, what: string) => void;
}

export function story(options: WorldOptions = {}): Story {
  const clock = new SimulatedClock();
  const transcript = new Transcript(() => clock.now());
  return { world: new World({ ...options, clock, trace: transcript.network }), transcript, happens: (who, what) => { transcript.note(who, what); } };
}

/** It is what `<name>.txt` says, to the byte. With UPDATE_TRANSCRIPTS=1 the file is written anew: commit only a difference that you understand. */
export function expectToRead(name: string, { transcript }: Story): void {
  const file = new URL(`${name}.txt`, import.meta.url);
  const text = `${transcript.lines.join('\n')}\n`;
  if (process.env['UPDATE_TRANSCRIPTS'] === '1') writeFileSync(file, text);
  expect(text).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '');
}
