import { createRegistrar, type Registrar, type RegistrarOptions } from '../../../actors/registrar.js';
import { Lab } from '../lab/lab.js';
import { until } from '../lab/until.js';

/** Our roles, on the host's side of the lab, by SCTP over UDP. */

const { address } = Lab.current();

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
