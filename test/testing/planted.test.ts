import { readFileSync } from 'node:fs';
import { patched } from '../planted/copies.js';
import { faults } from '../planted/faults.js';

describe('planted faults', () => {
  it.each(faults.map((fault) => [fault.name, fault] as const))('%s: fits the sources as they are', (_, fault) => {
    for (const file of new Set(fault.edits.map((edit) => edit.file ?? fault.file))) {
      const source = readFileSync(file, 'utf8');
      expect(patched(source, file, fault)).not.toBe(source);
    }
  });

  it('one that does not fit exactly once is an error', () => {
    const fault = { name: 'x', scenario: 'session', file: 'a.ts', edits: [{ find: 'b', replace: 'c' }] } as const;
    expect(() => patched('a', 'a.ts', fault)).toThrow('out of date');
    expect(() => patched('b b', 'a.ts', fault)).toThrow('out of date');
  });
});
