import { createRegistrar } from '../../index.js';
import { runChild, tell } from './child.js';

const frozen = new Set<number>();

runChild(async () => {
  const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
  tell({ type: 'ready', address: registrar.asap[0] ?? '' });
}, (order) => {
  if (order.type === 'frozen') frozen.add(order.pid);
  if (order.type === 'thawed') frozen.delete(order.pid);
}, () => {
  for (const pid of frozen) wake(pid);
});

function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // it has gone
  }
}
