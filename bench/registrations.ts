import { AsapClient, registration } from './asap-client.js';
import { Child } from './child.js';
import { ms, perSecond, type Row, type Run } from './measure.js';

const PER_ASSOCIATION = 500;
const PER_POOL = 100;
const AT_ONCE = 500;
const IDLE = 5_000;

interface Cost { readonly rate: number; readonly cpu: number }

/** Registrations over real associations, several hundred elements each: what one costs and weighs with its actor; then again with the default keep-alives, which
 *  go on meanwhile: what they take, and how late the loop is. Once each: the processes are warm after the first thousands. */
export async function registrations({ scale }: Run): Promise<Row[]> {
  const total = 100_000 * scale;
  return [...await alone(total), ...await keptAlive(total)];
}

async function alone(total: number): Promise<Row[]> {
  const { registrar, clients } = await open(total, { keepAlivePeriod: 3_600_000 });
  const empty = await registrar.ask<number>('heap');
  const first = await register(registrar, clients, 0, total / 2);
  const second = await register(registrar, clients, total / 2, total);
  const weight = (await registrar.ask<number>('heap') - empty) / total;
  await close(registrar, clients);
  const cpu = (first.cpu + second.cpu) / 2;
  const growth = second.cpu / first.cpu;
  return [{
    what: `registrations, ${total.toLocaleString('en')} of them`, ours: perSecond(2 / (1 / first.rate + 1 / second.rate)), cpu: `${cpu.toFixed(0)} us (registrar)`, budget: '<= 100 us', isMet: cpu <= 100,
  }, {
    what: 'registrations, CPU of the second half against the first', ours: `${second.cpu.toFixed(0)} us`, bare: `${first.cpu.toFixed(0)} us`, ratio: growth, budget: 'does not grow', isMet: growth <= 1.25,
  }, {
    what: 'heap of a live registration with its actor', ours: `${(weight / 1024).toFixed(2)} KiB`, budget: '<= 6 KiB', isMet: weight <= 6 * 1024,
  }];
}

async function keptAlive(total: number): Promise<Row[]> {
  const { registrar, clients } = await open(total, {});
  await registrar.ask('delay');
  const { rate } = await register(registrar, clients, 0, total);
  const delay = await registrar.ask<number>('delay');
  await registrar.cpu();
  await new Promise((resolve) => { setTimeout(resolve, IDLE); });
  const load = await registrar.cpu() / (IDLE * 10);
  const idleDelay = await registrar.ask<number>('delay');
  const live = await registrar.ask<number>('elements');
  await close(registrar, clients);
  return [
    { what: `registrations while all are kept alive, loop delay p99 ${ms(delay)}`, ours: perSecond(rate) },
    { what: `${live.toLocaleString('en')} live registrations kept alive, loop delay p99 ${ms(idleDelay)}`, ours: `${load.toFixed(0)} % of a core` },
  ];
}

async function open(total: number, timers: object): Promise<{ readonly registrar: Child<unknown>; readonly clients: readonly AsapClient[] }> {
  const registrar = new Child<{ address: string }>('registrar', { timers });
  const { address } = await registrar.ready;
  return { registrar, clients: await Promise.all(Array.from({ length: Math.ceil(total / PER_ASSOCIATION) }, () => AsapClient.connect(address))) };
}

async function close(registrar: Child<unknown>, clients: readonly AsapClient[]): Promise<void> {
  await registrar.leave();
  for (const client of clients) client.close();
}

async function register(registrar: Child<unknown>, clients: readonly AsapClient[], from: number, to: number): Promise<Cost> {
  await registrar.cpu();
  const began = performance.now();
  for (let at = from; at < to; at += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, index) => at + index);
    await Promise.all(batch.map((i) => clients[Math.floor(i / PER_ASSOCIATION)]!.ask(registration(Math.floor(i / PER_POOL), (i % PER_POOL) + 1))));
  }
  return { rate: ((to - from) * 1000) / (performance.now() - began), cpu: await registrar.cpu() / (to - from) };
}
