import { oneLine } from '../fail.js';
import type { Order, Report } from './messages.js';

/** A process of the demo: it obeys orders, and ends when the demo has. */
export function runChild(main: () => Promise<unknown>, obey: (order: Order) => void = () => undefined, onOrphaned: () => void = () => undefined): void {
  const leave = (): void => {
    onOrphaned();
    process.exit(0);
  };
  process.on('disconnect', leave);
  if (!process.connected) leave(); // the demo ended while this process was starting
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
