import { initialize, type ServiceAccessPoint, type Session } from '../index.js';
import { BareClient } from './bare.js';
import { Child } from './child.js';
import { median, ms, type Row, type Run } from './measure.js';

const SESSIONS = 256;
const SILENCE = 500;
const request = Buffer.alloc(64, 1);

type Fault = 'SIGKILL' | 'SIGSTOP';
interface Element { readonly bare: number }
interface Times { readonly median: number; readonly slowest: number }
/** Asks, and resolves with the reply, from whatever element. */
type Ask = () => Promise<void>;

/** A pool element in use by 256 sessions is killed, or stopped: from the fault to the next reply of each. The bare client has a connection for each, goes to
 *  the other address at once and asks again; where the server is only silent it has our bound. */
export async function failover({ rounds }: Run): Promise<Row[]> {
  const rows: Row[] = [];
  for (const fault of ['SIGKILL', 'SIGSTOP'] as const) {
    const bare: Times[] = [];
    const ours: Times[] = [];
    for (let round = 0; round < rounds; round++) {
      bare.push(await withRegistrar((address) => bareFailover(fault, address)));
      ours.push(await withRegistrar((address) => ourFailover(fault, address)));
    }
    rows.push(rowOf(fault, ours, bare));
  }
  return rows;
}

function rowOf(fault: Fault, ours: readonly Times[], bare: readonly Times[]): Row {
  const [own, other] = [ours, bare].map((all) => median(all.map((times) => times.median))) as [number, number];
  const [slowest, otherSlowest] = [ours, bare].map((all) => ms(median(all.map((times) => times.slowest)))) as [string, string];
  const budget = fault === 'SIGKILL' ? { budget: '<= 1.2 x', isMet: own / other <= 1.2 } : { budget: '<= 600 ms', isMet: own <= 600 };
  return { what: `failover of ${SESSIONS} sessions, ${fault}, median (slowest)`, ours: `${ms(own)} (${slowest})`, bare: `${ms(other)} (${otherSlowest})`, ratio: own / other, ...budget };
}

async function withRegistrar(measure: (address: string) => Promise<Times>): Promise<Times> {
  const registrar = new Child<{ address: string }>('registrar');
  const times = await measure((await registrar.ready).address);
  registrar.kill();
  return times;
}

async function ourFailover(fault: Fault, registrar: string): Promise<Times> {
  const first = new Child<Element>('element', { registrar });
  await first.ready;
  const rsp = await initialize({ registrars: [registrar] });
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => rsp.connect('echo')));
  const askers = sessions.map(asker);
  await Promise.all(askers.map((ask) => ask()));
  const second = new Child<Element>('element', { registrar });
  await second.ready;
  await knows(rsp, 2);
  const times = await timed(askers, first, fault);
  for (const session of sessions) session.destroy();
  second.kill();
  await rsp.close();
  return times;
}

function asker(session: Session): Ask {
  let replied: (() => void) | undefined;
  session.on('data', () => { replied?.(); });
  return () => new Promise((resolve) => {
    replied = resolve;
    void session.send(request);
  });
}

async function knows(rsp: ServiceAccessPoint, elements: number): Promise<void> {
  while ((await rsp.resolve('echo', { refresh: true })).elements.length < elements) await new Promise((resolve) => { setTimeout(resolve, 100); });
}

async function bareFailover(fault: Fault, registrar: string): Promise<Times> {
  const [first, second] = [new Child<Element>('element', { registrar }), new Child<Element>('element', { registrar })];
  const ports = [(await first.ready).bare, (await second.ready).bare] as const;
  const clients = Array.from({ length: SESSIONS }, () => new BareSession(ports));
  await Promise.all(clients.map((client) => client.ask()));
  const times = await timed(clients.map((client) => () => client.ask()), first, fault);
  for (const client of clients) client.close();
  second.kill();
  return times;
}

async function timed(askers: readonly Ask[], victim: Child<Element>, fault: Fault): Promise<Times> {
  const began = performance.now();
  victim.kill(fault);
  const times = await Promise.all(askers.map(async (ask) => {
    await ask();
    return performance.now() - began;
  }));
  victim.kill();
  return { median: median(times), slowest: Math.max(...times) };
}

/** Reconnects at once, and asks again what was not answered. */
class BareSession {
  #client: BareClient;
  #replied: (() => void) | undefined;
  #silence: NodeJS.Timeout | undefined;
  readonly #other: number;

  constructor([first, other]: readonly [number, number]) {
    this.#other = other;
    this.#client = new BareClient(first, () => { this.#move(); });
  }

  ask(): Promise<void> {
    return new Promise((resolve) => {
      this.#replied = () => {
        this.#replied = undefined;
        clearTimeout(this.#silence);
        resolve();
      };
      this.#request();
    });
  }

  close(): void { this.#client.close(); }

  #request(): void {
    this.#client.request(request, () => { this.#replied?.(); });
    this.#silence = setTimeout(() => { this.#client.abandon(); }, SILENCE);
  }

  #move(): void {
    clearTimeout(this.#silence);
    this.#client = new BareClient(this.#other, () => { this.#move(); });
    if (this.#replied) this.#request();
  }
}
