import { Argument, Command } from 'commander';
import { removeElement } from '../actors/enrp-client.js';
import { failWith } from './fail.js';
import { handle, hex, peIdentifier, url } from './options.js';

export function removeCommand(): Command {
  return new Command('remove')
    .description('have a pool element removed from the handlespace, whichever registrar is its home')
    .addArgument(new Argument('<pool>', 'pool handle, as dump shows it').argParser(handle))
    .addArgument(new Argument('<id>', 'PE identifier: 0x2a, or 42').argParser(peIdentifier))
    .requiredOption('--registrar <URL>', 'the ENRP address of any registrar', url)
    .addHelpText('after', '\nAn element that is alive registers again by itself: stop its process to keep it out.')
    .action(run);
}

async function run(pool: string | Uint8Array, id: number, { registrar }: { registrar: string }): Promise<void> {
  await removeElement(registrar, pool, id).catch(failWith);
  process.stdout.write(`${hex(id)} is removed\n`);
}
