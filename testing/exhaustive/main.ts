import { deliveryModes } from '../../delivery/modes.js';
import { search, type Scope, type SearchResult } from './search.js';
import { sessionScope } from './session-scope.js';
import { takeoverScope } from './takeover-scope.js';

/** Exhaustive search as a command: `npm run simulate -- --exhaustive session`. */
export interface ExhaustiveOptions {
  readonly scope: string;
  /** Choices in a row. */
  readonly depth?: number;
  /** How many of them are not what happens as a rule. */
  readonly unusual?: number;
  readonly print: (line: string) => void;
}

/** @returns whether nothing was found. */
export async function exhaust({ scope: name, depth = 60, unusual = 2, print }: ExhaustiveOptions): Promise<boolean> {
  let found = 0;
  for (const scope of scopesOf(name)) {
    const began = Date.now();
    const result = await search(scope, { depth, unusual, progress: ({ worlds, states }) => { if (worlds % 5_000 === 0) print(`${worlds} worlds, ${states} states`); } });
    found += result.violations.length;
    report(result, Date.now() - began, print);
  }
  return found === 0;
}

function scopesOf(name: string): Scope[] {
  if (name === 'session') return deliveryModes.map((mode) => sessionScope({ mode }));
  if (name === 'takeover') return [takeoverScope('crash'), takeoverScope('freeze')];
  throw new Error(`no scope ${name}; there are session and takeover`);
}

function report({ scope, worlds, states, cut, bounded, depth, unusual, violations }: SearchResult, took: number, print: (line: string) => void): void {
  print(`${scope}: worlds ${worlds}, states ${states}, depth ${depth} with ${unusual} unusual, ${bounded === 0 ? 'which no world reached' : `reached by ${bounded}`}, ${cut} cut at equal states, violations ${violations.length} (${(took / 1000).toFixed(1)} s)`);
  for (const { what, path } of violations) print([what, ...path].join('\n  '));
}
