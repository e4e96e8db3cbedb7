import { initialize } from '../actors/access-point.js';
import { createRegistrar } from '../actors/registrar.js';
import { World } from '../testing/world.js';
import type { NetworkEvent } from '../transports/memory.js';
import { asap, enrp } from '../wire/index.js';
import type { Row, Run } from './measure.js';

const ELEMENTS = 30;
const MINUTE = 60_000;

interface Setting { readonly registrars: number; readonly timers: 'quick' | 'rfc'; readonly perProcess: number; readonly minutes: number }

/** What goes over the network when nothing happens, counted in the simulated world; so the same on every machine. */
export async function traffic({ scale }: Run): Promise<Row[]> {
  const minutes = scale < 1 ? 0.5 : 3;
  const settings: readonly Setting[] = [
    { registrars: 3, timers: 'quick', perProcess: 1, minutes },
    { registrars: 3, timers: 'quick', perProcess: 10, minutes },
    { registrars: 3, timers: 'rfc', perProcess: 1, minutes: 10 * minutes },
    { registrars: 10, timers: 'quick', perProcess: 1, minutes },
    { registrars: 30, timers: 'quick', perProcess: 1, minutes: minutes / 3 },
  ];
  const rows: Row[] = [];
  for (const setting of settings) rows.push(...await atRest(setting));
  return rows;
}

async function atRest({ registrars: count, timers, perProcess, minutes }: Setting): Promise<Row[]> {
  const seen = new Count();
  const world = new World({ trace: (event) => { seen.add(event); } });
  const names = Array.from({ length: count }, (_, index) => `r${index + 1}`);
  const at = (port: number): string[] => names.map((name) => `tcp://${world.host(name).address}:${port}`);
  const [asapAddresses, enrpAddresses] = [at(3863), at(9901)];
  for (const [index, name] of names.entries()) {
    await world.settled(createRegistrar({ asap: [asapAddresses[index]!], enrp: [enrpAddresses[index]!], peers: enrpAddresses.filter((_, other) => other !== index), timers, environment: world.host(name).environment }));
  }
  for (let process = 0; process < ELEMENTS / perProcess; process++) {
    const rsp = await initialize({ registrars: asapAddresses, timers, environment: world.host(`pe${process}`).environment });
    for (let element = 1; element <= perProcess; element++) await world.settled(rsp.register('echo', { identifier: process * perProcess + element }, () => undefined));
  }
  await world.advance(minutes * MINUTE / 3);
  seen.begin();
  await world.advance(minutes * MINUTE);
  seen.end();
  const elements = seen.of('asap', ELEMENTS * minutes);
  const pairs = seen.of('enrp', (count * (count - 1) * minutes) / 2);
  const each = seen.of('enrp', count * minutes);
  const setting = `${count} registrars${timers === 'quick' ? '' : `, --timers ${timers}`}`;
  const processes = perProcess === 1 ? 'a PE in a process of its own' : `each of ${perProcess} PEs of one process`;
  const rows = [{ what: `at rest, ${setting}: ${processes} and its home, a minute`, ours: elements.total, cpu: elements.kinds }];
  return perProcess > 1 ? rows : [...rows, { what: `at rest, ${setting}: two registrars, a minute`, ours: pairs.total, cpu: `${each.total} for each registrar` }];
}

/** Messages and their bytes, by protocol and name. Between registrars all is ENRP; chunks of the simulated network end where messages do. */
class Count {
  readonly #kinds = new Map<string, { messages: number; bytes: number }>();
  #isOn = false;

  begin(): void { this.#isOn = true; }
  end(): void { this.#isOn = false; }

  add({ kind, from, to, bytes }: NetworkEvent): void {
    if (!this.#isOn || kind !== 'bytes' || bytes === undefined) return;
    const [protocol, names] = isRegistrar(from) && isRegistrar(to) ? ['enrp', enrpNames] as const : ['asap', asapNames] as const;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= view.length;) {
      const length = (view.readUInt16BE(at + 2) + 3) & ~3;
      this.#note(`${protocol} ${names.get(view[at] ?? 0) ?? view[at]}`, length);
      at += length;
    }
  }

  /** Each of so many. */
  of(protocol: string, share: number): { readonly total: string; readonly kinds: string } {
    const kinds = [...this.#kinds].filter(([kind]) => kind.startsWith(protocol)).sort(([, one], [, other]) => other.bytes - one.bytes);
    const [messages, bytes] = [kinds.reduce((sum, [, kind]) => sum + kind.messages, 0), kinds.reduce((sum, [, kind]) => sum + kind.bytes, 0)];
    return {
      total: `${rounded(messages / share)} messages, ${rounded(bytes / share)} bytes`,
      kinds: kinds.map(([kind, each]) => `${kind.slice(kind.indexOf('_') + 1)} ${rounded(each.messages / share)}`).join(', '),
    };
  }

  #note(kind: string, bytes: number): void {
    const known = this.#kinds.get(kind) ?? { messages: 0, bytes: 0 };
    known.messages += 1;
    known.bytes += bytes;
    this.#kinds.set(kind, known);
  }
}

const isRegistrar = (host: string): boolean => /^r\d/.test(host);
const namesOf = (table: Readonly<Record<string, { readonly type: number }>>): ReadonlyMap<number, string> => new Map(Object.entries(table).map(([name, { type }]) => [type, name]));
const [asapNames, enrpNames] = [namesOf(asap), namesOf(enrp)];
const rounded = (value: number): string => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'));
