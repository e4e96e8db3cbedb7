import type { Outcome } from './outcome.js';
import type { Tally } from './runner.js';
import { replayCommand } from './shrink.js';

/** What a run of seeds ends with. */
export const totals = ({ seeds, steps, faults, violations }: Tally): string => `seeds ${seeds}, steps ${steps}, faults ${faults}, violations ${violations}`;

/** What failed, in a few lines behind all transcripts: of a long log the end is what is kept and read.
 *  @param shrunk those that were run again, cut down. */
export function lastWords({ failed }: Pick<Tally, 'failed'>, shrunk: readonly Outcome[]): string[] {
  if (failed.length === 0) return [];
  return [`failed: ${failed.map(({ scenario, seed }) => `${scenario} ${seed}`).join(', ')}`, ...failed.slice(0, LISTED).flatMap(({ scenario, seed }) => {
    const least = shrunk.find((outcome) => outcome.scenario === scenario && outcome.seed === seed);
    const [violation] = least?.violations ?? [];
    return [...(violation === undefined ? [] : [`  ${violation.invariant}: ${violation.what.slice(0, WIDTH)}`]), `  ${replayCommand(least ?? { scenario, seed, cut: {} })}`];
  })];
}

const LISTED = 20;
const WIDTH = 160;
