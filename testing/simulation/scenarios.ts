import { overBoth } from './carrier.js';
import type { Scenario } from './outcome.js';
import { poolLife } from './pool-life.js';
import { scope } from './scope.js';
import { sessionLife } from './session-life.js';

/** Each over TCP and over SCTP. */
export const scenarios: readonly Scenario[] = [...overBoth(sessionLife), ...overBoth(poolLife), ...overBoth(scope)];

export function scenarioOf(name: string): Scenario {
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}; there are ${scenarios.map((each) => each.name).join(', ')}`);
  return scenario;
}
