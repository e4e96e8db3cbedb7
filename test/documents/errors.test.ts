import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const codesIn = (source: string): readonly string[] => [...new Set([...source.matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)].map(([, code]) => code ?? ''))].sort();

describe('docs/errors.md', () => {
  const listed = [...new Set([...read('docs/errors.md').matchAll(/^\|.*?`([A-Z]+(?:_[A-Z]+)*)`/gm)].map(([, code]) => code ?? ''))].sort();
  it('lists every code that an error can have, and no other', () => {
    expect(listed).toEqual([...new Set([...codesIn(read('errors.ts')), ...codesIn(read('wire/error.ts'))])].sort());
  });

  it('lists none that nobody raises', () => {
    const folders = ['wire', 'handlespace', 'delivery', 'machines', 'transports', 'actors'];
    const files = folders.flatMap((folder) => readdirSync(new URL(`../../${folder}/`, import.meta.url)).filter((name) => name.endsWith('.ts') && name !== 'error.ts').map((name) => `${folder}/${name}`));
    const raised = new Set(files.flatMap((file) => codesIn(read(file))));
    const setByTheirClass = ['SEND_TO_ALL_FAILED', 'ABORTED', 'FEATURE_UNAVAILABLE', 'NO_REGISTRAR', 'UNKNOWN_POOL_HANDLE'];
    expect(listed.filter((code) => !raised.has(code) && !setByTheirClass.includes(code))).toEqual([]);
  });
});
