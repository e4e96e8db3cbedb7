import type { Cut, Outcome, Scenario } from './outcome.js';

/** Looks for the least that still goes wrong in the same way: fewer faults first, then fewer messages. */
export async function shrink(scenario: Scenario, failed: Outcome, attempts = 60): Promise<Outcome> {
  const search = new Search(scenario, failed, attempts);
  await search.dropFaults();
  await search.sendLess();
  await search.dropFaults();
  return search.best;
}

class Search {
  best: Outcome;
  readonly #invariants: ReadonlySet<string>;

  constructor(private readonly scenario: Scenario, failed: Outcome, private attempts: number) {
    this.best = failed;
    this.#invariants = new Set(failed.violations.map(({ invariant }) => invariant));
  }

  /** Half of them at once, then one at a time. */
  async dropFaults(): Promise<void> {
    for (let part = Math.ceil(this.best.faults.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
      for (let from = 0; from < this.best.faults.length;) {
        const { faults } = this.best;
        const rest = [...faults.slice(0, from), ...faults.slice(from + part)];
        if (!(await this.#try({ ...this.best.cut, only: [...rest].sort((a, b) => a - b) }))) from += part;
      }
    }
  }

  async sendLess(): Promise<void> {
    for (const messages of [0, 1, 2, 3, 4, 6, 8, 10]) {
      if (messages >= (this.best.cut.messages ?? Infinity)) return;
      if (await this.#try({ ...this.best.cut, messages })) return;
    }
  }

  async #try(cut: Cut): Promise<boolean> {
    if (this.attempts-- <= 0) return false;
    const outcome = await this.scenario.run(this.best.seed, cut);
    if (!outcome.violations.some(({ invariant }) => this.#invariants.has(invariant))) return false;
    this.best = outcome;
    return true;
  }
}

/** The one command that runs it again. */
export function replayCommand({ scenario, seed, cut }: Pick<Outcome, 'scenario' | 'seed' | 'cut'>): string {
  const only = cut.only === undefined ? '' : ` --only ${cut.only.length === 0 ? 'none' : cut.only.join(',')}`;
  const messages = cut.messages === undefined ? '' : ` --messages ${cut.messages}`;
  return `npm run simulate -- --scenario ${scenario} --first ${seed} --seeds 1${only}${messages} --transcript`;
}
