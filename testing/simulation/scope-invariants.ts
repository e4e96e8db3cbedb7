import type { DumpedElement } from '../../actors/dump.js';
import type { LookUp, RegistrarView, Removal, ScopeView, Takeover } from './scope-view.js';

/** What registrars promise together, each with its name. A check gives what is wrong, in words. */
export interface ScopeInvariant<T> {
  readonly name: string;
  readonly check: (observed: T) => string | undefined;
}

/** Asked when a scope has been quiet for its bound. */
export const restInvariants: readonly ScopeInvariant<ScopeView>[] = [
  { name: 'every living pool element is in every handlespace', check: allKnown },
  { name: 'every pool element has one living owner', check: oneOwner },
  { name: 'a pool element knows its owner', check: ownerKnown },
  { name: 'no dead pool element stays', check: noneDead },
  { name: 'registrars agree', check: allAgree },
  { name: 'registrars know each other', check: peersActive },
];

/** Asked at rest and meanwhile. */
export const checksumsSum: ScopeInvariant<ScopeView> = { name: 'PE checksums equal what they sum', check: checksums };

export const removalsFair: ScopeInvariant<Removal> = {
  name: 'nobody removes a living pool element',
  check: ({ isUndisturbed, element, registrar, reason }) => (isUndisturbed ? `${registrar} removed ${element} (${reason}), which lives and was disturbed by nothing` : undefined),
};

export const takeoversFair: ScopeInvariant<Takeover> = {
  name: 'nobody takes a living registrar over',
  check: ({ isUndisturbed, registrar, target, outcome }) => (isUndisturbed && TAKEN.has(outcome) ? `${registrar} took ${target} over (${outcome}), which lives and was disturbed by nothing` : undefined),
};
const TAKEN: ReadonlySet<string> = new Set(['won', 'completed', 'taken', 'done']);

export const lookUpsAnswered: ScopeInvariant<LookUp> = {
  name: 'look-ups are answered',
  check: ({ isOwed, user, pool, outcome, took }) => (isOwed && (outcome !== 'answered' || took > LOOK_UP) ? `${user} looked ${pool} up: ${outcome} after ${Math.round(took)} ms` : undefined),
};
/** With one registrar gone. */
const LOOK_UP = 1_000;

function allKnown({ registrars, elements }: ScopeView): string | undefined {
  for (const registrar of registrars) {
    const missing = elements.filter(({ pool, id }) => find(registrar, pool, id) === undefined);
    if (missing.length > 0) return `${registrar.name} does not know ${missing.map(({ name }) => name).join(', ')}`;
  }
  return elements.find(({ isRegistered }) => !isRegistered)?.name.concat(' is not registered');
}

function oneOwner({ registrars, elements }: ScopeView): string | undefined {
  const living = new Set(registrars.map(({ id }) => id));
  for (const { name, pool, id } of elements) {
    const homes = registrars.flatMap((registrar) => find(registrar, pool, id)?.home ?? []);
    const [home] = homes;
    if (home !== undefined && homes.some((other) => other !== home)) return `${name} belongs to ${homes.join(', ')} as ${registrars.map((registrar) => registrar.name).join(', ')} see it`;
    if (home !== undefined && !living.has(home)) return `${name} belongs to ${home}, which is not there`;
  }
  return undefined;
}

function ownerKnown({ registrars, elements }: ScopeView): string | undefined {
  for (const { name, pool, id, home } of elements) {
    const owner = registrars.flatMap((registrar) => find(registrar, pool, id)?.home ?? [])[0];
    if (home !== undefined && owner !== undefined && home !== owner) return `${name} takes ${home} for its home, and belongs to ${owner}`;
  }
  return undefined;
}

function noneDead({ registrars, elements }: ScopeView): string | undefined {
  const living = new Set(elements.map(({ pool, id }) => `${pool} ${id}`));
  for (const { name, dump } of registrars) {
    const dead = dump.pools.flatMap(({ handle, elements: known }) => known.filter(({ id }) => !living.has(`${handle} ${id}`)).map(({ id, home }) => `${id} in ${handle} (of ${home})`));
    if (dead.length > 0) return `${name} knows ${dead.join(', ')}`;
  }
  return undefined;
}

function allAgree({ registrars }: ScopeView): string | undefined {
  const [one, ...others] = registrars;
  if (one === undefined) return undefined;
  const expected = JSON.stringify(one.dump.pools);
  const other = others.find(({ dump }) => JSON.stringify(dump.pools) !== expected);
  return other === undefined ? undefined : `${other.name} says ${JSON.stringify(other.dump.pools)}, ${one.name} says ${expected}`;
}

function peersActive({ registrars }: ScopeView): string | undefined {
  for (const { name, id, dump } of registrars) {
    for (const other of registrars) {
      const state = dump.peers.find((peer) => peer.id === other.id)?.state;
      if (other.id !== id && state !== 'active') return `${name} takes ${other.name} for ${state ?? 'nobody'}`;
    }
    const stranger = dump.peers.find((peer) => peer.state === 'active' && !registrars.some((each) => each.id === peer.id));
    if (stranger !== undefined) return `${name} takes ${stranger.id}, which is not there, for active`;
  }
  return undefined;
}

function checksums({ registrars }: ScopeView): string | undefined {
  for (const registrar of registrars) {
    const wrong = registrar.checksums.find(({ kept, summed }) => kept !== summed);
    if (wrong !== undefined) return `${registrar.name} has 0x${wrong.kept.toString(16)} for ${wrong.owner}, whose elements sum to 0x${wrong.summed.toString(16)}`;
  }
  return undefined;
}

const find = ({ dump }: RegistrarView, pool: string, id: string): DumpedElement | undefined =>
  dump.pools.find(({ handle }) => handle === pool)?.elements.find((element) => element.id === id);
