import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import type { PlantedFault } from './faults.js';

/** Copies of the built library, each with a fault in it. */
export class Copies {
  readonly #directory = mkdtempSync(join(tmpdir(), 'rserpool-planted-'));
  #count = 0;

  constructor(private readonly project: string) {
    symlinkSync(join(project, 'node_modules'), join(this.#directory, 'node_modules'), 'dir');
    cpSync(join(project, 'package.json'), join(this.#directory, 'package.json'));
  }

  /** @returns where it is; without a fault the library as it is. @throws where a fault does not fit the source. */
  plant(fault?: PlantedFault): string {
    this.#count += 1;
    const copy = join(this.#directory, String(this.#count));
    cpSync(join(this.project, 'dist'), copy, { recursive: true, filter: (path) => !/\.(d\.ts|map|tsbuildinfo)$|\binterop\/runs$/.test(path) }); // those hold sockets of the lab's guests
    if (fault === undefined) return copy;
    for (const file of new Set(fault.edits.map((edit) => edit.file ?? fault.file))) {
      writeFileSync(join(copy, file.replace(/\.ts$/, '.js')), compiled(patched(readFileSync(join(this.project, file), 'utf8'), file, fault)));
    }
    return copy;
  }

  remove(): void { rmSync(this.#directory, { recursive: true, force: true }); }
}

/** The source with the fault in it. @throws where what it changes is not there exactly once. */
export function patched(source: string, file: string, fault: PlantedFault): string {
  return fault.edits.filter((edit) => (edit.file ?? fault.file) === file).reduce((text, { find, replace }) => {
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`planted fault "${fault.name}" is out of date: ${JSON.stringify(find)} occurs ${parts.length - 1} times in ${file}`);
    return parts.join(replace);
  }, source);
}

const compiled = (source: string): string => ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true } }).outputText;
