import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { checkConformance } from '../../scripts/check-conformance.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('docs/conformance.md (npm run conformance)', () => {
  const { problems, document } = checkConformance(root);

  it('each clause is proved by a test, or says why not; each reading is in the code and in a title', () => {
    expect(problems).toEqual([]);
  });

  it('is what clauses and annotations say', () => {
    expect(document).toBe(readFileSync(`${root}docs/conformance.md`, 'utf8'));
  });
});
