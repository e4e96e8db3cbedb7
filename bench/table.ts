import { cpus } from 'node:os';
import type { Row } from './measure.js';

const heads = ['what', 'ours', 'bare', 'ratio', 'CPU each (ours / bare)', 'budget', ''];

/** Name of the machine: figures that are written down need it. */
export const machine = (): string => `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node.js ${process.version}`;

export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, ours, bare = '', ratio, cpu = '', budget = '', isMet }) =>
    [what, ours, bare, ratio?.toFixed(2) ?? '', cpu, budget, isMet === undefined ? '' : isMet ? 'met' : 'NOT MET']);
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(heads), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.map(line)].join('\n');
}
