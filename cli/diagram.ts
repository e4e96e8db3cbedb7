import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { StateMachine, type AnyStateMachine } from 'xstate';
import * as machines from '../machines/index.js';
import { fail, oneLine } from './fail.js';
import { mermaidOf, nameOf } from './mermaid.js';

/** Every chart, by its name. */
const charts: ReadonlyMap<string, AnyStateMachine> = new Map(
  (Object.values(machines) as unknown[]).filter((value): value is AnyStateMachine => value instanceof StateMachine)
    .map((machine): [string, AnyStateMachine] => [nameOf(machine), machine])
    .sort(([one], [other]) => (one < other ? -1 : 1)),
);

export function diagramCommand(): Command {
  return new Command('diagram')
    .description('print a statechart as a Mermaid diagram (all of them without MACHINE)')
    .argument('[MACHINE]', `one of: ${[...charts.keys()].join(', ')}`)
    .option('--write <DIR>', 'write each chart to DIR/<machine>.mmd instead')
    .option('--check <DIR>', 'compare the files of DIR with the charts; exit code 1 when one is stale')
    .action((name: string | undefined, { write, check }: { write?: string; check?: string }) => {
      const chosen = choose(name);
      if (write !== undefined) return writeAll(chosen, write);
      if (check !== undefined) return checkAll(chosen, check);
      process.stdout.write(chosen.map(mermaidOf).join('\n'));
    });
}

function choose(name: string | undefined): readonly AnyStateMachine[] {
  if (name === undefined) return [...charts.values()];
  const chart = charts.get(name);
  return chart ? [chart] : fail(`there is no machine ${JSON.stringify(name)}; there are ${[...charts.keys()].join(', ')}`, 2);
}

function writeAll(chosen: readonly AnyStateMachine[], directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    for (const machine of chosen) writeFileSync(join(directory, `${nameOf(machine)}.mmd`), mermaidOf(machine));
  } catch (error) {
    fail(`cannot write to ${directory}: ${oneLine(error)}`, 2);
  }
}

function checkAll(chosen: readonly AnyStateMachine[], directory: string): void {
  const stale = chosen.filter((machine) => contentOf(join(directory, `${nameOf(machine)}.mmd`)) !== mermaidOf(machine)).map(nameOf);
  const left = filesOf(directory).filter((file) => file.endsWith('.mmd') && !charts.has(file.slice(0, -4)));
  if (stale.length + left.length > 0) fail(`stale in ${directory}: ${[...stale, ...left].join(', ')}; run npm run diagrams`, 1);
}

function filesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    return fail(`cannot read ${directory}: ${oneLine(error)}`, 2);
  }
}

const contentOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};
