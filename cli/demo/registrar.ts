import { createRegistrar, type Registrar } from '../../index.js';
import { args, runChild, tell } from './child.js';

export interface RegistrarArgs {
  readonly id: number;
  readonly asap: string;
  readonly enrp: string;
  readonly peers: readonly string[];
}

const frozen = new Set<number>();
let registrar: Registrar | undefined;

runChild(async () => {
  const { id, asap, enrp, peers } = args<RegistrarArgs>();
  registrar = await createRegistrar({ id, asap: [asap], enrp: [enrp], peers });
  tell({ type: 'ready', address: registrar.asap[0] ?? '' });
}, (order) => {
  if (order.type === 'frozen') frozen.add(order.pid);
  if (order.type === 'thawed') frozen.delete(order.pid);
  if (order.type === 'owners') tellOwners();
}, () => {
  for (const pid of frozen) wake(pid);
});

function tellOwners(): void {
  const elements = registrar?.dump().pools.flatMap((pool) => pool.elements) ?? [];
  tell({ type: 'owners', owners: Object.fromEntries(elements.map(({ id, home }) => [Number(id), Number(home)])) });
}

function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // it has gone
  }
}
