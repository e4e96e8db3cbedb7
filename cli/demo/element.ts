import { initialize } from '../../index.js';
import { counter } from '../services/counter.js';
import { args, runChild, tell } from './child.js';

export interface ElementArgs {
  readonly registrars: readonly string[];
  readonly pool: string;
  readonly id: number;
}

runChild(async () => {
  const { registrars, pool, id } = args<ElementArgs>();
  const rsp = await initialize({ registrars });
  const element = await rsp.register(pool, { listen: ['tcp://127.0.0.1:0'], identifier: id }, counter);
  tell({ type: 'ready', address: element.address });
});
