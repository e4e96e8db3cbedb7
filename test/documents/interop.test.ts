import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { matrix, type Scenario } from '../interop/matrix.js';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const live = readdirSync(new URL('test/interop/live/', root)).filter((name) => name.endsWith('.test.ts')).map((name) => read(`test/interop/live/${name}`));
const run = live.flatMap((source) => [...source.matchAll(/^ {2}scenario\('(\w+)'/gm)].map(([, id = '']) => id));

/** What the document has to show. */
const table = [
  '| | RSPLIB | Ours | Scenario | Run |', '| --- | --- | --- | --- | --- |',
  ...Object.entries<Scenario>(matrix).map(([id, { rsplib, ours, title }]) => `| ${id} | ${rsplib} | ${ours} | ${title} | ${run.includes(id) ? 'yes' : 'not yet'} |`),
].join('\n');

describe('docs/interop.md', () => {
  it('says of each scenario whether it is run', () => {
    const [, shown] = /^## What was run\n[^|]*\n\n(\|[^]*?)\n\n/m.exec(read('docs/interop.md')) ?? [];
    expect(shown).toBe(table);
  });

  it('runs each once', () => {
    expect(run).toEqual([...new Set(run)]);
    expect(run.filter((id) => !(id in matrix))).toEqual([]);
  });
});
