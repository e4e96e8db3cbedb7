import { AsapClient, registration } from './asap-client.js';
import { Child } from './child.js';
import { ms, perSecond, type Row, type Run } from './measure.js';

const PER_ASSOCIATION = 500;
const PER_POOL = 100;
const AT_ONCE = 500;
const IDLE = 5_000;

interface Cost { readonly rate: number; readonly cpu: number }

/** Registrations over real associations, several hundred elements each: what one costs, what a live one weighs with its actor, and what it takes to keep them
 *  alive. Once; the machine is warm after the first thousands. */
export async function registrations({ scale }: Run): Promise<Row[]> {
  const total = 100_000 * scale;
  const registrar = new Child<{ address: string }>('registrar');
  const { address } = await registrar.ready;
  const clients = await Promise.all(Array.from({ length: Math.ceil(total / PER_ASSOCIATION) }, () => AsapClient.connect(address)));
  const empty = await registrar.ask<number>('heap');
  await registrar.ask('delay');
  const first = await register(registrar, clients, 0, total / 2);
  const second = await register(registrar, clients, total / 2, total);
  const delay = await registrar.ask<number>('delay');
  const weight = (await registrar.ask<number>('heap') - empty) / total;
  const idle = await keepAlives(registrar);
  const live = await registrar.ask<number>('elements');
  for (const client of clients) client.close();
  registrar.leave();
  return [...rowsOf(total, first, second, delay), {
    what: 'heap of a live registration with its actor', ours: `${(weight / 1024).toFixed(2)} KiB`, budget: '<= 6 KiB', isMet: weight <= 6 * 1024,
  }, {
    what: `keep-alives of ${live.toLocaleString('en')} live registrations, loop delay p99 ${ms(idle.delay)}`, ours: `${idle.load.toFixed(0)} % of a core`,
  }];
}

const rowsOf = (total: number, first: Cost, second: Cost, delay: number): Row[] => {
  const cpu = (first.cpu + second.cpu) / 2;
  const growth = second.cpu / first.cpu;
  return [{
    what: `registrations, ${total.toLocaleString('en')} of them, loop delay p99 ${ms(delay)}`, ours: perSecond(2 / (1 / first.rate + 1 / second.rate)), cpu: `${cpu.toFixed(0)} us (registrar)`, budget: '<= 100 us', isMet: cpu <= 100,
  }, {
    what: 'registrations, the second half against the first (CPU)', ours: `${second.cpu.toFixed(0)} us`, bare: `${first.cpu.toFixed(0)} us`, ratio: growth, budget: 'does not grow', isMet: growth <= 1.25,
  }];
};

async function register(registrar: Child<unknown>, clients: readonly AsapClient[], from: number, to: number): Promise<Cost> {
  await registrar.cpu();
  const began = performance.now();
  for (let at = from; at < to; at += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, index) => at + index);
    await Promise.all(batch.map((i) => clients[Math.floor(i / PER_ASSOCIATION)]!.ask(registration(Math.floor(i / PER_POOL), (i % PER_POOL) + 1))));
  }
  return { rate: ((to - from) * 1000) / (performance.now() - began), cpu: await registrar.cpu() / (to - from) };
}

/** Percent of a core, and the loop's delay, while nothing else is asked for. */
async function keepAlives(registrar: Child<unknown>): Promise<{ readonly load: number; readonly delay: number }> {
  await registrar.ask('delay');
  await registrar.cpu();
  await new Promise((resolve) => { setTimeout(resolve, IDLE); });
  return { load: await registrar.cpu() / (IDLE * 10), delay: await registrar.ask<number>('delay') };
}
