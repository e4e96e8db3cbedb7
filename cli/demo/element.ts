import { initialize } from '../../index.js';
import { counter } from '../services/counter.js';
import { args, runChild, tell } from './child.js';

export interface ElementArgs {
  readonly registrars: readonly string[];
  readonly pool: string;
  readonly id: number;
  readonly listen: string;
}

runChild(async () => {
  const { registrars, pool, id, listen } = args<ElementArgs>();
  const rsp = await initialize({ registrars, asap: { listen } }); // its registrars find it there, too
  const element = await rsp.register(pool, { listen: [listen], identifier: id }, counter);
  tell({ type: 'ready', address: element.address });
});
