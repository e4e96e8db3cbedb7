import { AsapClient, registration } from './asap-client.js';
import { Group, type Member } from './group.js';
import { median, perSecond, until, type Row, type Run } from './measure.js';

const TOTAL = 50_000;
const PER_ASSOCIATION = 500;
const PER_POOL = 100;
const AT_ONCE = 500;
const REPLICAS = 2;

/** Registrations a second, and microseconds of CPU each. */
interface Cost { readonly rate: number; readonly home: number; readonly replica: number }

/** Registrations at a registrar which two others copy, beside one that is alone, in turn. Keep-alives are put off; each round has processes of its own, and a tenth of its registrations go before. */
export async function replication({ rounds, scale }: Run): Promise<Row[]> {
  const total = TOTAL * scale;
  const alone: Cost[] = [];
  const copied: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    alone.push(await measure(total, 0));
    copied.push(await measure(total, REPLICAS));
  }
  const of = (costs: readonly Cost[], what: keyof Cost): number => median(costs.map((cost) => cost[what]));
  const replica = of(copied, 'replica');
  return [{
    what: `registrations, ${total.toLocaleString('en')} of them, with ${REPLICAS} replicas (ours) and without (bare)`, ours: perSecond(of(copied, 'rate')), bare: perSecond(of(alone, 'rate')), ratio: of(copied, 'rate') / of(alone, 'rate'),
    cpu: `${of(copied, 'home').toFixed(0)} / ${of(alone, 'home').toFixed(0)} us (home)`, budget: '<= 100 us', isMet: of(copied, 'home') <= 100,
  }, {
    what: 'the same, at each replica', ours: `${replica.toFixed(1)} us`, budget: '<= 30 us', isMet: replica <= 30,
  }];
}

async function measure(total: number, replicas: number): Promise<Cost> {
  const group = await Group.create(1 + replicas, { timers: { keepAlivePeriod: 3_600_000 }, ...(replicas === 0 && { peers: [] }) });
  const [home, ...others] = group.members as [Member, ...Member[]];
  await Promise.all(group.members.map((member) => member.start()));
  await until(async () => await home.child.ask<number>('active') === replicas);
  const clients = await Promise.all(Array.from({ length: Math.ceil(total / PER_ASSOCIATION) }, () => AsapClient.connect(home.asap)));
  const warm = total / 10;
  await register(clients, 0, warm);
  await copiedTo(others, warm);
  await Promise.all(group.members.map(({ child }) => child.cpu()));
  const began = performance.now();
  await register(clients, warm, total);
  const seconds = (performance.now() - began) / 1_000;
  await copiedTo(others, total);
  const [own = 0, ...theirs] = await Promise.all(group.members.map(({ child }) => child.cpu()));
  await group.leave();
  for (const client of clients) client.close();
  const count = total - warm;
  return { rate: count / seconds, home: own / count, replica: theirs.reduce((sum, cpu) => sum + cpu, 0) / Math.max(1, replicas) / count };
}

async function copiedTo(replicas: readonly Member[], elements: number): Promise<void> {
  for (const { child } of replicas) await until(async () => await child.ask<number>('elements') === elements);
}

async function register(clients: readonly AsapClient[], from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, index) => at + index);
    await Promise.all(batch.map((i) => clients[Math.floor(i / PER_ASSOCIATION)]!.ask(registration(Math.floor(i / PER_POOL), (i % PER_POOL) + 1))));
  }
}
