import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const codesIn = (source: string): readonly string[] => [...new Set([...source.matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)].map(([, code]) => code ?? ''))].sort();

describe('docs/errors.md', () => {
  const listed = [...new Set([...read('docs/errors.md').matchAll(/^\|.*?`([A-Z]+(?:_[A-Z]+)*)`/gm)].map(([, code]) => code ?? ''))].sort();
  it('lists every code that an error can have, and no other', () => {
    expect(listed).toEqual([...new Set([...codesIn(read('errors.ts')), ...codesIn(read('wire/error.ts'))])].sort());
  });
});
