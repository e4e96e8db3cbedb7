import { Command } from 'commander';
import type { Dump, DumpedElement } from '../actors/dump.js';
import { dumpRegistrar } from '../actors/enrp-client.js';
import { failWith } from './fail.js';
import { url } from './options.js';

export function dumpCommand(): Command {
  return new Command('dump')
    .description('print what a registrar knows: its peers, the pools and their elements')
    .requiredOption('--registrar <URL>', 'its ENRP address (not the ASAP one, where pool elements go)', url)
    .option('--json', 'one JSON object: { registrar, peers: [{ id, addresses, state }], pools: [{ handle, elements: [{ id, home, policy, life, transports }] }] }')
    .action(run);
}

async function run({ registrar, json = false }: { registrar: string; json?: boolean }): Promise<void> {
  process.stdout.on('error', () => process.exit(0)); // whoever read it has gone
  const dump = await dumpRegistrar(registrar).catch(failWith);
  process.stdout.write(`${json ? JSON.stringify(dump) : readable(dump)}\n`);
}

function readable({ registrar, peers, pools }: Dump): string {
  const elements = pools.reduce((sum, pool) => sum + pool.elements.length, 0);
  return [
    `registrar ${registrar}: ${counted(peers.length, 'peer')}, ${counted(pools.length, 'pool')}, ${counted(elements, 'element')}`,
    ...section('peers', peers.map(({ id, state, addresses }) => [id, state, addresses.join(' ')])),
    ...pools.flatMap(({ handle, elements }) => section(`pool ${handle}`, elements.map(row))),
  ].join('\n');
}

const row = ({ id, home, policy, life, transports }: DumpedElement): readonly string[] =>
  [id, `home ${home}`, policy, life === -1 ? 'for ever' : `${life} s`, transports.join(' ')];

function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return ['', title, ...rows.map((cells) => `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}`)];
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
