import { scenarioOf } from '../../testing/simulation/scenarios.js';

/** A child of the runner, in a copy of the library: runs seeds until one is violated, and says which. */
export interface Finding {
  readonly seed: number;
  readonly what: string;
}

const [name = '', first = '1', count = '1'] = process.argv.slice(2);
const scenario = scenarioOf(name);
let finding: Finding | undefined;
for (let seed = Number(first); seed < Number(first) + Number(count) && finding === undefined; seed += 1) {
  const [violation] = (await scenario.run(seed)).violations;
  if (violation !== undefined) finding = { seed, what: `${violation.invariant}: ${violation.what}` };
}
process.stdout.write(JSON.stringify(finding ?? null));
process.exit(0); // whatever a fault has left
