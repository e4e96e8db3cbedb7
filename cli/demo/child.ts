import { oneLine } from '../fail.js';
import type { Order, Report } from './messages.js';

/** A process of the demo: it obeys orders, and ends when the demo has. Ctrl-C reaches the whole process group, but is the demo's to handle. */
export function runChild(main: () => Promise<unknown>, obey: (order: Order) => void = () => undefined, onOrphaned: () => void = () => undefined): void {
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => {
    onOrphaned();
    process.exit(0);
  });
  process.on('message', (order: Order) => {
    if (order.type === 'ping') tell({ type: 'awake' });
    else obey(order);
  });
  main().catch((error: unknown) => {
    process.stderr.write(`${oneLine(error)}\n`);
    process.exit(1);
  });
}

export function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}

/** The arguments of a child, as the demo gave them. */
export const args = <T>(): T => JSON.parse(process.argv[2] ?? '{}') as T;
