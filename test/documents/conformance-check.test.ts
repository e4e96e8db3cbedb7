import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { checkConformance } from '../../scripts/check-conformance.js';
import { citationsIn, proofsIn } from '../../scripts/clauses.js';

const textOf = (...lines: string[]) => ({ path: 'a.ts', lines });

describe('what the check reads', () => {
  it('proofs: of a comment line directly above a test, whatever other comments stand between', () => {
    expect(proofsIn(textOf('  // proves 5352-3.1-a, 5352-3.1-ab', '  // because', "  it('is so', () => {"))).toEqual(['5352-3.1-a', '5352-3.1-ab'].map((id) => ({ id, path: 'a.ts', line: 1, isAboveTest: true })));
    expect(proofsIn(textOf('// proves 5352-3.1-a', 'const x = 1;', "it('is so', () => {")).map(({ isAboveTest }) => isAboveTest)).toEqual([false]);
    expect(proofsIn(textOf('proves 5352-3.1-a', "it('is so', () => {"))).toEqual([]);
  });

  it('citations: sections behind the number of an RFC, in the same line, and ranges of them', () => {
    expect([...citationsIn(textOf('/** RFC 5352 §3.1, and leaves, §3.2. */', "rfc: '5353 §2.4'", '// RFC 5354 §3.3 to §3.5 and §3.16; draft §5.1'))]).toEqual(['5352-3.1', '5352-3.2', '5353-2.4', '5354-3.3', '5354-3.4', '5354-3.5', '5354-3.16']);
    expect([...citationsIn(textOf('// §3.1, without its RFC'))]).toEqual([]);
  });
});

describe('what the check finds', () => {
  const root = mkdtempSync(join(tmpdir(), 'conformance-'));
  afterEach(() => { rmSync(root, { recursive: true, force: true }); });

  const check = (files: Readonly<Record<string, string>>): readonly string[] => {
    for (const [path, text] of Object.entries({ ...nothing, ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkConformance(root).problems;
  };
  const clauses = (...entries: object[]) => ({ 'docs/clauses/rfc5352.json': JSON.stringify(entries) });
  const clause = { id: '5352-3.1-a', level: 'MUST', fact: 'It is so.' };
  const proof = { 'test/a.test.ts': "// proves 5352-3.1-a\nit('X-1: is so');" };

  it('nothing, where each clause is proved or has a reason, and each reading is named', () => {
    expect(check({ ...clauses(clause, { ...clause, id: '5352-3.1-b', leftOut: 'later' }), ...proof })).toEqual([]);
  });

  it('a clause that no test proves and no reason excuses, one that has both, one that is there twice', () => {
    expect(check(clauses(clause))).toEqual(['5352-3.1-a: no test proves it, no reason says why not (It is so.)']);
    expect(check({ ...clauses({ ...clause, notOurs: 'theirs' }), ...proof })).toEqual(['5352-3.1-a: is proved, and said to be left out']);
    expect(check({ ...clauses(clause, clause), ...proof })).toEqual(['5352-3.1-a: there twice']);
  });

  it('a proof of a clause there is not, one above no test, and code that is not there', () => {
    expect(check(proof)).toEqual(['test/a.test.ts:1: there is no clause 5352-3.1-a']);
    expect(check({ ...clauses(clause), 'test/a.test.ts': "// proves 5352-3.1-a\nconst title = 'X-1';" })).toEqual(['test/a.test.ts:1: no test below']);
    expect(check({ ...clauses({ ...clause, code: ['wire/gone.ts'] }), ...proof })).toEqual(['5352-3.1-a: there is no wire/gone.ts']);
  });

  it('a reading without its comment, without its title, or not listed', () => {
    expect(check({ 'wire/a.ts': '' })).toEqual(['X-1: no comment in the code has it']);
    expect(check({ 'test/a.test.ts': '' })).toEqual(['X-1: no test is titled by it']);
    expect(check({ 'docs/conformance.md': documentOf(['X-1'], openReadings.slice(1)) })).toEqual(['X-2: is not listed once']);
  });
});

const openReadings = Array.from({ length: 49 }, (_, index) => `X-${index + 2}`);
const documentOf = (built: readonly string[], open: readonly string[]): string => [
  '# Conformance', '## Where the texts contradict each other or are silent', ...built.map((id) => `| ${id} | | |`), '## Readings not built yet', ...open.map((id) => `| ${id} | | |`), '## Clause by clause',
  ...['5352', '5353', '5354', '5356'].map((rfc) => `<!-- clauses of RFC ${rfc}: made by npm run conformance -->\n<!-- end of RFC ${rfc} -->`), '',
].join('\n');
/** A package in which there is one reading, and no clause. */
const nothing: Readonly<Record<string, string>> = {
  'docs/conformance.md': documentOf(['X-1'], openReadings), 'wire/a.ts': '// X-1', 'test/a.test.ts': "it('X-1: is so');",
  ...Object.fromEntries(['handlespace', 'delivery', 'machines', 'actors', 'transports', 'cli', 'testing'].map((folder) => [`${folder}/a.ts`, ''])),
  ...Object.fromEntries(['5352', '5353', '5354', '5356'].map((rfc) => [`docs/clauses/rfc${rfc}.json`, '[]'])),
};
