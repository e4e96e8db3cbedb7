import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the RFCs ask for, clause by clause: docs/clauses/*.json. */
export interface Clause {
  readonly id: string; // RFC, section, letter: letters stay, new clauses come last
  readonly level: string; // in small letters where the RFC uses the word without its capitals
  readonly fact: string;
  readonly leftOut?: string; // why it is not done
  readonly notOurs?: string; // why it is nobody's here to do
  readonly note?: string; // how it is done
  readonly code?: readonly string[]; // where, if not wherever its section is cited
}

export const rfcs = ['5352', '5353', '5354', '5356'] as const;
const sourceFolders = ['wire', 'handlespace', 'delivery', 'machines', 'actors', 'transports'];

export const clausesOf = (root: string, rfc: string): readonly Clause[] => JSON.parse(readFileSync(join(root, `docs/clauses/rfc${rfc}.json`), 'utf8')) as Clause[];
export const sectionOf = ({ id }: Clause): string => id.split('-')[1] ?? '';

/** A file by its path and its lines. */
export interface Text { readonly path: string; readonly lines: readonly string[] }
export const sourcesOf = (root: string): readonly Text[] => sourceFolders.flatMap((folder) => textsIn(root, folder));
export const testsOf = (root: string): readonly Text[] => textsIn(root, 'test').filter(({ path }) => path.endsWith('.test.ts') || path === 'test/transports/compliance.ts');

function textsIn(root: string, folder: string): Text[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).sort()
    .map((name) => `${folder}/${name}`).map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') }));
}

/** `// proves 5353-3.5.1-b, 5353-3.5.1-c`, directly above a test or a group of tests. */
export interface Proof { readonly id: string; readonly path: string; readonly line: number; readonly isAboveTest: boolean }
export const proofsIn = ({ path, lines }: Text): Proof[] => lines.flatMap((line, index) => {
  const [, ids] = /^\s*\/\/ proves (.*)$/.exec(line) ?? [];
  if (ids === undefined) return [];
  const next = lines.slice(index + 1).find((below) => !/^\s*\/\//.test(below)) ?? '';
  return ids.split(',').map((id) => ({ id: id.trim(), path, line: index + 1, isAboveTest: /^\s*(?:it|test|describe)\b/.test(next) }));
});

/** The sections a file cites: `RFC 5352 §3.1, §3.2`, `5354 §3.1 to §3.7`, and what else stands in a line behind the number of an RFC. */
export function citationsIn({ lines }: Text): ReadonlySet<string> {
  const cited = new Set<string>();
  for (const line of lines) {
    let rfc: string | undefined;
    let last = '';
    for (const [token, number, section, range] of line.matchAll(/(?:RFC )?\b(\d{4})\b(?= §)|draft|(?<!to )§(\d[\d.]*\d|\d)|to §([\d.]*\d)/g)) {
      if (token === 'draft') rfc = undefined;
      else if (number !== undefined) rfc = number;
      else if (rfc !== undefined) for (const each of range === undefined ? [section ?? ''] : sectionsBetween(last, range)) cited.add(`${rfc}-${last = each}`);
    }
  }
  return cited;
}

function sectionsBetween(from: string, to: string): string[] {
  const parent = to.split('.').slice(0, -1).join('.');
  const number = (section: string): number => Number(section.split('.').at(-1));
  if (from.split('.').slice(0, -1).join('.') !== parent) return [to];
  return Array.from({ length: number(to) - number(from) }, (_, index) => [...(parent === '' ? [] : [parent]), number(from) + index + 1].join('.'));
}
