import { it } from '@jest/globals';
import { matrix, type ScenarioId } from '../matrix.js';

/** A row of the matrix, run. */
export function scenario(id: ScenarioId, run: () => Promise<void>): void {
  it(`${id}: ${matrix[id].title}`, run);
}
