import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { citationsIn, clausesOf, proofsIn, rfcs, sectionOf, sourcesOf, testsOf, type Clause, type Proof, type Text } from './clauses.js';

/** Reads clauses, annotations and docs/conformance.md: what is wrong, and the document as it should be. */
export function checkConformance(root: string): { readonly problems: readonly string[]; readonly document: string; readonly summary: string } {
  const written = readFileSync(join(root, 'docs/conformance.md'), 'utf8');
  const [sources, tests] = [sourcesOf(root), testsOf(root)];
  const clauses = rfcs.flatMap((rfc) => clausesOf(root, rfc));
  const proofs = tests.flatMap(proofsIn);
  const citations = new Map(sources.map((source) => [source.path, citationsIn(source)]));
  const document = rfcs.reduce((text, rfc) => withTable(text, rfc, tableOf(clauses.filter(({ id }) => id.startsWith(rfc)), proofs, citations)), written);
  const proved = clauses.filter(({ id }) => proofs.some((proof) => proof.id === id)).length;
  return {
    problems: [...problemsOf(clauses, proofs, sources), ...problemsOfReadings(written, sources, tests)],
    document,
    summary: `clauses ${clauses.length}, proved by tests ${proved}, left out ${count(clauses, 'leftOut')}, not ours ${count(clauses, 'notOurs')}`,
  };
}

function problemsOf(clauses: readonly Clause[], proofs: readonly Proof[], sources: readonly Text[]): string[] {
  const known = new Map(clauses.map((clause) => [clause.id, clause]));
  const proved = new Set(proofs.map(({ id }) => id));
  return [
    ...clauses.filter((clause, index) => clauses.findIndex(({ id }) => id === clause.id) !== index).map(({ id }) => `${id}: there twice`),
    ...clauses.filter(({ id, leftOut, notOurs }) => !proved.has(id) && leftOut === undefined && notOurs === undefined).map(({ id, fact }) => `${id}: no test proves it, no reason says why not (${fact})`),
    ...clauses.filter(({ id, leftOut, notOurs }) => proved.has(id) && (leftOut ?? notOurs) !== undefined).map(({ id }) => `${id}: is proved, and said to be left out`),
    ...clauses.flatMap(({ id, code = [] }) => code.filter((path) => !sources.some((source) => source.path === path)).map((path) => `${id}: there is no ${path}`)),
    ...proofs.filter(({ id }) => !known.has(id)).map(({ id, path, line }) => `${path}:${line}: there is no clause ${id}`),
    ...proofs.filter(({ isAboveTest }) => !isAboveTest).map(({ path, line }) => `${path}:${line}: no test below`),
  ];
}

/** Each of X-1 to X-50 is listed: built, with a comment in the code and a title of a test by its id, or with the reason why not. */
function problemsOfReadings(document: string, sources: readonly Text[], tests: readonly Text[]): string[] {
  const rows = (heading: string): string[] => [...(document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/^\| (X-\d+) \|/gm)].map(([, id]) => id ?? '');
  const [built, open] = [rows('Where the texts contradict each other or are silent'), rows('Readings not built yet')];
  const isNamed = (id: string, line: string): boolean => new RegExp(`\\b${id}\\b`).test(line);
  const isComment = (line: string): boolean => /\/\/|^\s*\/?\*/.test(line);
  const inCode = (id: string): boolean => sources.some(({ lines }) => lines.some((line) => isComment(line) && isNamed(id, line)));
  const inTitle = (id: string): boolean => tests.some(({ lines }) => lines.some((line) => !/^\s*\/\//.test(line) && /['"`]/.test(line) && isNamed(id, line)));
  return [
    ...Array.from({ length: 50 }, (_, index) => `X-${index + 1}`).filter((id) => [...built, ...open].filter((each) => each === id).length !== 1).map((id) => `${id}: is not listed once`),
    ...built.filter((id) => !inCode(id)).map((id) => `${id}: no comment in the code has it`),
    ...built.filter((id) => !inTitle(id)).map((id) => `${id}: no test is titled by it`),
  ];
}

function withTable(document: string, rfc: string, table: string): string {
  const [begin, end] = [`<!-- clauses of RFC ${rfc}: made by npm run conformance -->`, `<!-- end of RFC ${rfc} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/conformance.md has no place for RFC ${rfc}: ${begin} ... ${end}`);
  return `${document.slice(0, from)}${begin}\n\n${table}\n${document.slice(to)}`;
}

function tableOf(clauses: readonly Clause[], proofs: readonly Proof[], citations: ReadonlyMap<string, ReadonlySet<string>>): string {
  const rows = clauses.map((clause) => {
    const tests = [...new Set(proofs.filter(({ id }) => id === clause.id).map(({ path }) => code(path.replace(/^test\//, '').replace(/(\.test)?\.ts$/, ''))))];
    const reason = clause.leftOut === undefined ? clause.notOurs && `not ours: ${clause.notOurs}` : `left out: ${clause.leftOut}`;
    const files = reason === undefined ? (clause.code ?? filesOf(clause, citations)).map((path) => code(path)) : [];
    return `| ${clause.id} | ${clause.level} | ${clause.fact}${clause.note === undefined ? '' : ` (${clause.note})`} | ${files.join(', ')} | ${reason ?? tests.join(', ')} |`;
  });
  return ['| Clause | | What it asks for | Code | Tests, or why not |', '| --- | --- | --- | --- | --- |', ...rows, ''].join('\n');
}

/** Those that cite the section, else the nearest section above it. */
function filesOf(clause: Clause, citations: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const rfc = clause.id.slice(0, 4);
  for (let section = sectionOf(clause); section !== ''; section = section.split('.').slice(0, -1).join('.')) {
    const files = [...citations].filter(([, cited]) => cited.has(`${rfc}-${section}`)).map(([path]) => path);
    if (files.length > 0) return files;
  }
  return [];
}

const code = (text: string): string => `\`${text}\``;
const count = (clauses: readonly Clause[], key: 'leftOut' | 'notOurs'): number => clauses.filter((clause) => clause[key] !== undefined).length;
