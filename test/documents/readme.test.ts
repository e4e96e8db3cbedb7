import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { freePort, killAll, program, rserpool } from '../support/processes.js';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
const folder = 'dist/test/readme'; // inside of the package, so that it can import itself by its name, and not packed

afterEach(() => {
  killAll();
  rmSync(new URL(folder, root), { recursive: true, force: true });
});

describe('README.md', () => {
  it('its session works as it stands', async () => {
    const [code = ''] = blocks;
    mkdirSync(new URL(folder, root), { recursive: true });
    const { outputText } = ts.transpileModule(code.replaceAll(':3863', `:${await freePort()}`), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
    writeFileSync(new URL(`${folder}/session.mjs`, root), outputText);
    const run = program(`${folder}/session.mjs`);
    expect((await run.out(/.*/))[0]).toBe('1 hello');
    expect(run.errors).toEqual([]);
  }, 30_000);

  it('is of about 15 lines, as it says', () => {
    expect(blocks).toHaveLength(1);
    expect(blocks[0]?.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(15);
  });

  it('names every command, as the command names itself', async () => {
    const help = rserpool('--help');
    await help.ended;
    const commands = help.said.flatMap((line) => /^ {2}([a-z]+) (?:\[|<)/.exec(line)?.[1] ?? []);
    expect(commands).toHaveLength(8);
    expect([...readme.matchAll(/^\| `rserpool ([a-z]+)/gm)].map(([, name]) => name)).toEqual(commands);
  }, 30_000);
});
