import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { StateMachine, type AnyStateMachine } from 'xstate';
import { mermaidOf, nameOf } from '../../cli/mermaid.js';
import * as machines from '../../machines/index.js';

const folder = new URL('../../docs/statecharts/', import.meta.url);
const charts = (Object.values(machines) as unknown[]).filter((value): value is AnyStateMachine => value instanceof StateMachine);

describe('docs/statecharts (npm run diagrams)', () => {
  it('has a file for every chart, and no other', () => {
    expect(readdirSync(folder).sort()).toEqual(charts.map((machine) => `${nameOf(machine)}.mmd`).sort());
  });

  it.each(charts.map((machine) => [nameOf(machine), machine] as const))('%s is drawn as it is', (name, machine) => {
    expect(readFileSync(new URL(`${name}.mmd`, folder), 'utf8')).toBe(mermaidOf(machine));
  });
});
