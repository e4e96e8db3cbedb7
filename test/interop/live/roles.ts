import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { initialize, type InitializeOptions, type ServiceAccessPoint } from '../../../actors/access-point.js';
import { createRegistrar, type Registrar, type RegistrarOptions } from '../../../actors/registrar.js';
import type { Job } from '../lab/agent.js';
import type { Guest } from '../lab/guest.js';
import { Lab } from '../lab/lab.js';
import { hsdump } from '../lab/rsplib.js';
import { until } from '../lab/until.js';

/** Our roles, on the host's side of the lab, by SCTP over UDP. */

const { address } = Lab.current();

/** Another address of this side (`lab.alias`): one that is killed is a process of its own, and other hosts are other witnesses. */
export const SECOND = '10.77.0.2';

/** Where elements and users ask the registrar at `host`. */
export const asapOf = (host: string): string => `sctp+udp://${host}:3863`;
/** Where our sessions come in. */
export const listen = [`sctp+udp://${address}:0`];

/** What a test has opened of ours, to be ended with it. */
export class Ours {
  readonly #points: ServiceAccessPoint[] = [];
  readonly #processes: ChildProcess[] = [];

  /** An element or user that hunts at this registrar. */
  async point(registrar: string, options: Partial<InitializeOptions> = {}): Promise<ServiceAccessPoint> {
    const point = await initialize({ registrars: [asapOf(registrar)], ...options });
    this.#points.push(point);
    return point;
  }

  /** Our command line as a process. Resolves when it says that it serves. */
  async process(...args: readonly string[]): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['dist/cli/main.js', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#processes.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  async end(): Promise<void> {
    for (const child of this.#processes.splice(0)) child.kill('SIGKILL');
    await Promise.all(this.#points.splice(0).map(async (point) => point.close({ signal: AbortSignal.timeout(1_000) }).catch(() => undefined)));
  }
}

/** RSPLIB's programs take its bare address for `asap`; 0x51 is smaller than what they draw at random, mostly. */
export async function ourRegistrar(options: Partial<RegistrarOptions> = {}): Promise<Registrar> {
  return createRegistrar({ asap: [`sctp+udp://${address}:3863`], enrp: [`sctp+udp://${address}:9901`], id: 0x51, ...options });
}

export interface Known {
  readonly id: number;
  readonly home: number;
  readonly policy: string;
  readonly transports: readonly string[];
}

/** What that registrar knows of a pool. */
export const elementsOf = (registrar: Registrar, pool: string): readonly Known[] =>
  (registrar.dump().pools.find(({ handle }) => handle === pool)?.elements ?? []).map(({ id, home, ...more }) => ({ ...more, id: Number(id), home: Number(home) }));

export const hasElements = async (registrar: Registrar, pool: string, ...wanted: readonly number[]): Promise<void> => {
  const shown = (ids: readonly number[]): string => [...ids].sort((one, other) => one - other).join();
  await until(() => shown(elementsOf(registrar, pool).map(({ id }) => id)) === shown(wanted), `our registrar has [${shown(wanted)}] in ${pool}`);
};

/** An rspregistrar's own identifier. */
export async function identifierOf(job: Job): Promise<number> {
  const id = (): string | undefined => /Server ID:\s+\$(\w+)/.exec(job.lines.join('\n'))?.[1];
  await until(() => id() !== undefined, 'rspregistrar says its identifier');
  return Number.parseInt(id()!, 16);
}

/** The home of an element, as `guest` is told by the registrar at `host`. */
export async function homeAt(guest: Guest, host: string, id: number): Promise<number | undefined> {
  const found = new RegExp(`\\$${hex(id)} .*\\n.*home=\\$(\\w+)`).exec(await hsdump(guest, host));
  return found === null ? undefined : Number.parseInt(found[1]!, 16);
}

/** As RSPLIB prints identifiers. */
export const hex = (id: number): string => id.toString(16).padStart(8, '0');
