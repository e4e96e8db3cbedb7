import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConformance } from './check-conformance.js';

/** `npm run conformance` writes the tables of docs/conformance.md; with --check it only says what is wrong with them. */
const file = join(process.cwd(), 'docs/conformance.md');
const { problems, document, summary } = checkConformance(process.cwd());
if (process.argv.includes('--check')) {
  const stale = document === readFileSync(file, 'utf8') ? [] : ['docs/conformance.md is not what the annotations say: npm run conformance'];
  report([...problems, ...stale]);
} else {
  writeFileSync(file, document);
  report(problems);
}

function report(found: readonly string[]): void {
  for (const problem of found) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${summary}\n`);
  if (found.length > 0) process.exitCode = 1;
}
