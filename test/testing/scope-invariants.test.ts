import { PeChecksum, blockSum, handleSum } from '../../handlespace/checksum.js';
import { checksumOf } from '../../testing/simulation/checksum.js';
import { checksumsSum, lookUpsAnswered, removalsFair, restInvariants, takeoversFair } from '../../testing/simulation/scope-invariants.js';
import type { ElementView, RegistrarView, ScopeView } from '../../testing/simulation/scope-view.js';
import { leftoversOf } from '../../testing/simulation/stage.js';

const element = (id: string, home: string) => ({ id, home, policy: 'round-robin', life: 30, transports: [] });

function registrar(name: string, id: string, peer: string, pools = [{ handle: 'a', elements: [element('0x01', '0xr1'), element('0x02', '0xr2')] }]): RegistrarView {
  return { name, id, dump: { registrar: id, peers: [{ id: peer, addresses: [], state: 'active' }], pools }, checksums: [{ owner: '0xr1', kept: 5, summed: 5 }] };
}

const pe = (name: string, id: string, home: string): ElementView => ({ name, pool: 'a', id, isRegistered: true, home });

/** Two registrars, two elements, all well. */
const good = (edit: { readonly registrars?: readonly RegistrarView[]; readonly elements?: readonly ElementView[] } = {}): ScopeView => ({
  registrars: edit.registrars ?? [registrar('r1', '0xr1', '0xr2'), registrar('r2', '0xr2', '0xr1')],
  elements: edit.elements ?? [pe('e1', '0x01', '0xr1'), pe('e2', '0x02', '0xr2')],
});

const r1 = registrar('r1', '0xr1', '0xr2');
const r2 = (pools: Parameters<typeof registrar>[3]): RegistrarView => registrar('r2', '0xr2', '0xr1', pools);

const bad: Readonly<Record<string, readonly ScopeView[]>> = {
  'every living pool element is in every handlespace': [
    good({ registrars: [r1, r2([{ handle: 'a', elements: [element('0x02', '0xr2')] }])] }),
    good({ elements: [{ ...pe('e1', '0x01', '0xr1'), isRegistered: false }, pe('e2', '0x02', '0xr2')] }),
  ],
  'every pool element has one living owner': [
    good({ registrars: [r1, r2([{ handle: 'a', elements: [element('0x01', '0xr2'), element('0x02', '0xr2')] }])] }),
    good({ registrars: [registrar('r1', '0xr1', '0xr9', [{ handle: 'a', elements: [element('0x01', '0xr9')] }])] }),
  ],
  'a pool element knows its owner': [good({ elements: [pe('e1', '0x01', '0xr2')] })],
  'no dead pool element stays': [good({ elements: [pe('e1', '0x01', '0xr1')] })],
  'registrars agree': [good({ registrars: [r1, r2([])] })],
  'registrars know each other': [
    good({ registrars: [r1, registrar('r2', '0xr2', '0xr9')] }),
    good({ registrars: [{ ...r1, dump: { ...r1.dump, peers: [...r1.dump.peers, { id: '0xr9', addresses: [], state: 'active' }] } }, r2(r1.dump.pools as never)] }),
  ],
  'PE checksums equal what they sum': [good({ registrars: [{ ...r1, checksums: [{ owner: '0xr1', kept: 5, summed: 6 }] }] })],
};

describe.each([...restInvariants, checksumsSum].map((invariant) => [invariant.name, invariant] as const))('%s', (name, { check }) => {
  it('holds where all is well', () => { expect(check(good())).toBeUndefined(); });

  it('can fail', () => {
    expect(bad[name]?.length ?? 0).toBeGreaterThan(0);
    for (const world of bad[name] ?? []) expect(check(world)).toEqual(expect.any(String));
  });
});

it('a removal of a pool element that nothing disturbed is found', () => {
  const removal = { registrar: 'r1', element: 'e1', reason: 'unanswered', isUndisturbed: false };
  expect(removalsFair.check(removal)).toBeUndefined();
  expect(removalsFair.check({ ...removal, isUndisturbed: true })).toContain('r1 removed e1');
});

it('a takeover of a registrar that nothing disturbed is found, once it is completed', () => {
  const takeover = { registrar: 'r1', target: 'r2', outcome: 'won', isUndisturbed: true };
  expect(takeoversFair.check(takeover)).toContain('r1 took r2 over');
  for (const outcome of ['begun', 'yielded', 'refuted']) expect(takeoversFair.check({ ...takeover, outcome })).toBeUndefined();
  expect(takeoversFair.check({ ...takeover, isUndisturbed: false })).toBeUndefined();
});

it('a look-up that fails or is late is found, where an answer is owed', () => {
  const lookUp = { user: 'u1', pool: 'a', outcome: 'answered', took: 500, isOwed: true };
  expect(lookUpsAnswered.check(lookUp)).toBeUndefined();
  expect(lookUpsAnswered.check({ ...lookUp, took: 1_001 })).toEqual(expect.any(String));
  expect(lookUpsAnswered.check({ ...lookUp, outcome: 'NO_REGISTRAR' })).toEqual(expect.any(String));
  expect(lookUpsAnswered.check({ ...lookUp, outcome: 'NO_REGISTRAR', isOwed: false })).toBeUndefined();
});

it('what a process leaves behind is found', () => {
  const nothing = { timers: 0, sockets: 0, servers: 0, datagramSockets: 0, actors: [] };
  expect(leftoversOf(nothing)).toEqual([]);
  for (const [name, left] of [['timers', 1], ['sockets', 2], ['servers', 1], ['datagramSockets', 1], ['actors', ['link']]] as const) expect(leftoversOf({ ...nothing, [name]: left })).toEqual([`${name}: ${String(left)}`]);
});

it('RFC 5353 §3.6.2: the checksum word by word is the one that is kept by adding', () => {
  const elements = [['pool', 0x0102_0304], ['pool', 0xffff_ffff], ['odd', 7], ['another one', 0x8000_8000]] as const;
  const kept = new PeChecksum();
  for (const [handle, identifier] of elements) kept.add(blockSum(handleSum(handle), identifier));
  expect(checksumOf(elements.map(([handle, identifier]) => ({ handle: Buffer.from(handle), identifier })))).toBe(kept.value);
  expect(checksumOf([])).toBe(0xffff);
});
