import { createSelection } from '../../handlespace/selection/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { casesFor, expectShares, type Case } from '../support/policy-cases.js';
import { TestCandidate } from './support.js';

/** As many picks as it takes to hold also what is drawn by lot to 3 % of each share. */
const PICKS = 250_000;

it.each(casesFor(PICKS))('RFC 5356: shares of 250 000 picks: $name', (each: Case) => {
  const selection = createSelection<TestCandidate>(each.elements[0]!.policy, new SeededRandom(7));
  const candidates = each.elements.map((policy, index) => new TestCandidate(String(index), policy));
  for (const candidate of candidates) selection.add(candidate);
  const counts = candidates.map(() => 0);
  for (let pick = 0; pick < PICKS; pick++) counts[Number(selection.pick()!.name)]!++;
  expectShares(counts, each);
});
