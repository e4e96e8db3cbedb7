import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const path = (name: string): URL => new URL(`../../${name}`, import.meta.url);
const rows = readFileSync(path('docs/service-primitives.md'), 'utf8').split('\n').filter((line) => /^\| [3-6][.\d]* ?/.test(line)).map((line) => {
  const [where = '', promise = '', api = '', test = '', example = ''] = line.slice(2, -2).split(' | ').map((cell) => cell.trim());
  return { name: `${where}: ${promise}`, api, test, example };
});

describe('docs/service-primitives.md', () => {
  it('has rows for §3, §4 and §5 of the draft, and for RFC 5352 §6', () => {
    for (const section of ['3.2', '3.3', '4.1', '4.2', '4.3', '4.4', '4.5.1', '4.5.2', '4.5.3', '5.1', '5.2.1.1', '5.2.2', '5.2.3', '6.3', '6.9.2']) expect(rows.some(({ name }) => name.startsWith(section))).toBe(true);
  });

  it('leaves nothing open', () => {
    expect(rows.filter(({ api, test, example }) => [api, test, example].some((cell) => cell === 'open' || cell === '')).map(({ name }) => name)).toEqual([]);
  });

  it('names tests that exist', () => {
    const missing = rows.filter(({ test }) => test !== 'open').filter(({ test }) => {
      const [, file = '', title = ''] = /^`([\w/-]+)` › (.+)$/.exec(test) ?? [];
      const source = `test/${file}.test.ts`;
      return title === '' || !existsSync(path(source)) || !readFileSync(path(source), 'utf8').replaceAll("\\'", "'").includes(title);
    });
    expect(missing).toEqual([]);
  });

  it('names examples that exist', () => {
    const missing = rows.filter(({ example }) => example !== 'open' && !existsSync(path(`examples/${/^`([\w/.-]+)`$/.exec(example)?.[1] ?? 'none'}`)));
    expect(missing).toEqual([]);
  });
});
