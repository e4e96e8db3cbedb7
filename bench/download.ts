import { AsapClient, resolution } from './asap-client.js';
import { Child } from './child.js';
import { Group, type Ready } from './group.js';
import { median, ms, pause, perSecond, type LoopReport, type Row, type Run } from './measure.js';

const PER_POOL = 100;
const POOLS = 1_000;
/** Look-ups in every burst, each millisecond or so. */
const BURST = 4;

interface LookUps { readonly rate: number; readonly slowest: number }
interface Download { readonly took: number; readonly cpu: number; readonly mentor: LoopReport; readonly joiner: LoopReport; readonly lookUps: LookUps }

/** A registrar with 100,000 pool elements, which it keeps alive, answers look-ups; another one joins and gets its handlespace. */
export async function download({ rounds, scale }: Run): Promise<Row[]> {
  const pools = POOLS * scale;
  const group = await Group.create(2, { isTimed: true });
  const [mentor, joiner] = group.members as [Group['members'][0], Group['members'][0]];
  await mentor.start();
  const elements = new Child('elements', { registrar: mentor.asap, pools, elements: PER_POOL });
  await elements.ready;
  const client = await AsapClient.connect(mentor.asap);
  await mentor.child.ask('loop');
  const quiet = await lookUpWhile(client, pools, pause(3_000));
  const atRest = await mentor.child.ask<LoopReport>('loop');
  const downloads: Download[] = [];
  for (let round = 0; round < rounds; round++) {
    await pause(1_000);
    await mentor.child.ask('loop');
    await mentor.child.cpu();
    let ready: Ready | undefined;
    const lookUps = await lookUpWhile(client, pools, joiner.start().then((is) => { ready = is; }));
    downloads.push({ took: ready?.took ?? NaN, cpu: await mentor.child.cpu(), mentor: await mentor.child.ask('loop'), joiner: await joiner.child.ask('loop'), lookUps });
    await joiner.leave();
  }
  client.close();
  await group.leave();
  elements.kill();
  return rowsOf(pools * PER_POOL, { lookUps: quiet, loop: atRest }, downloads);
}

/** Bursts of look-ups, with a pause after each, so that there is room for more than that. */
async function lookUpWhile(client: AsapClient, pools: number, end: Promise<unknown>): Promise<LookUps> {
  let isOver = false;
  void end.finally(() => { isOver = true; });
  const began = performance.now();
  let count = 0;
  let slowest = 0;
  while (!isOver) {
    const asked = performance.now();
    await Promise.all(Array.from({ length: BURST }, () => client.ask(resolution(count++ % pools))));
    slowest = Math.max(slowest, performance.now() - asked);
    await pause(1);
  }
  await end;
  return { rate: (count * 1_000) / (performance.now() - began), slowest };
}

function rowsOf(total: number, rest: { readonly lookUps: LookUps; readonly loop: LoopReport }, downloads: readonly Download[]): Row[] {
  const of = (value: (each: Download) => number): number => median(downloads.map(value));
  const p99 = of(({ mentor }) => mentor.p99);
  const slice = of(({ mentor }) => mentor.slice);
  const lateness = (loop: LoopReport): string => `${ms(loop.p99)} (${ms(loop.slowest)})`;
  return [{
    what: `download of ${total.toLocaleString('en')} PEs to a registrar that joins: time until it serves`, ours: ms(of(({ took }) => took)), cpu: `${(of(({ cpu }) => cpu) / 1_000).toFixed(0)} ms (mentor)`,
  }, {
    what: 'the mentor meanwhile (ours) and before (bare): loop delay p99 (most)', ours: `${ms(p99)} (${ms(of(({ mentor }) => mentor.slowest))})`, bare: lateness(rest.loop), budget: 'p99 <= 50 ms', isMet: p99 <= 50,
  }, {
    what: 'its longest slice of work without garbage collection', ours: ms(slice), bare: ms(rest.loop.slice), budget: '<= 10 ms', isMet: slice <= 10,
  }, {
    what: 'its garbage collection: the longest (all)', ours: `${ms(of(({ mentor }) => mentor.collection))} (${ms(of(({ mentor }) => mentor.collections))})`, bare: `${ms(rest.loop.collection)} (${ms(rest.loop.collections)})`,
  }, {
    what: 'look-ups meanwhile, four a millisecond if it can (slowest)', ours: `${perSecond(of(({ lookUps }) => lookUps.rate))} (${ms(of(({ lookUps }) => lookUps.slowest))})`, bare: `${perSecond(rest.lookUps.rate)} (${ms(rest.lookUps.slowest)})`,
  }, {
    what: 'the one that joins: loop delay p99 (most), longest slice, longest garbage collection',
    ours: `${ms(of(({ joiner }) => joiner.p99))} (${ms(of(({ joiner }) => joiner.slowest))}), ${ms(of(({ joiner }) => joiner.slice))}, ${ms(of(({ joiner }) => joiner.collection))}`,
  }];
}
