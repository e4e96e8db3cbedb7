import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import { SeededRandom } from '../seeded-random.js';
import { planFaults, type PlannedFault } from './faults.js';
import { drawStyle, type ServiceStyle } from './service.js';

/** What a seed says about a scope. */
export interface ScopePlan {
  readonly network: { readonly latency: Milliseconds; readonly jitter: Milliseconds; readonly loss: number; readonly chunks: 'whole' | 'random'; readonly bufferSize: number };
  readonly registrars: readonly { readonly name: string; readonly id: number; readonly peers: readonly string[] }[];
  readonly pools: readonly string[];
  /** Pool of each element. */
  readonly elements: ReadonlyMap<string, string>;
  /** PE identifier of an element in one of its lives: some keep theirs, some have another each time. */
  readonly identifiers: (name: string, life: number) => number;
  readonly styles: ReadonlyMap<string, ServiceStyle>;
  readonly users: readonly {
    readonly name: string;
    readonly pool: string;
    readonly mode: DeliveryMode;
    readonly hasCallback: boolean;
    /** Between two look-ups. */
    readonly pause: Milliseconds;
    readonly messages: readonly { readonly after: Milliseconds; readonly padding: number }[];
  }[];
  readonly faults: readonly PlannedFault[];
  /** All is well after so long. */
  readonly span: Milliseconds;
}

export function planScope(seed: number): ScopePlan {
  const random = new SeededRandom(seed).fork();
  const registrars = drawRegistrars(random);
  const pools = Array.from({ length: 1 + random.below(3) }, (_, index) => `pool${index + 1}`);
  const elements = new Map(Array.from({ length: Math.max(pools.length, 3 + random.below(6)) }, (_, index) => [`e${index + 1}`, pools[index % pools.length] ?? '']));
  const styles = new Map(pools.map((pool) => [pool, drawStyle(random)]));
  const span = 10_000 + random.below(14_000);
  const users = Array.from({ length: 1 + random.below(3) }, (_, index) => drawUser(random, `u${index + 1}`, pools, styles, span));
  const keeps = new Set([...elements.keys()].filter(() => random.below(2) === 0));
  return {
    network: { latency: 0.5 + random.below(4), jitter: random.below(3) * random.below(4), loss: random.below(5) === 0 ? 0.01 : 0, chunks: random.below(2) === 0 ? 'whole' : 'random', bufferSize: 0x1_0000 },
    registrars, pools, elements, styles, users, span,
    identifiers: (name, life) => 0x100 * Number(name.slice(1)) + (keeps.has(name) ? 1 : life),
    faults: drawFaults(random, registrars.map(({ name }) => name), [...elements.keys()], users.map(({ name }) => name), span),
  };
}

/** Two or three as a rule. Each knows all others, or the first alone; the first knows the second. */
function drawRegistrars(random: SeededRandom): ScopePlan['registrars'] {
  const names = ['r1', 'r2', 'r3', 'r4'].slice(0, [1, 2, 2, 3, 3, 3, 3, 4][random.below(8)] ?? 3);
  const knowsAll = random.below(3) > 0;
  const order = random.below(2) === 0 ? 1 : -1; // whose identifier is smaller
  return names.map((name, index) => ({
    name, id: 0x5000 + order * (index + 1), peers: names.filter((other, at) => other !== name && (knowsAll || at === (index === 0 ? 1 : 0))),
  }));
}

function drawUser(random: SeededRandom, name: string, pools: readonly string[], styles: ReadonlyMap<string, ServiceStyle>, span: Milliseconds): ScopePlan['users'][number] {
  const pool = pools[random.below(pools.length)] ?? '';
  const mode = styles.get(pool)?.stateful === true ? 'effectively-once' : (['effectively-once', 'at-least-once', 'at-most-once'] as const)[random.below(3)] ?? 'effectively-once';
  const count = 5 + random.below(20);
  return {
    name, pool, mode, hasCallback: random.below(3) === 0, pause: 200 + random.below(600),
    messages: Array.from({ length: count }, () => ({ after: random.below((2 * span) / count), padding: random.below(60) })),
  };
}

function drawFaults(random: SeededRandom, registrars: readonly string[], elements: readonly string[], users: readonly string[], span: Milliseconds): PlannedFault[] {
  return planFaults(random, {
    victims: [
      ...registrars.map((host) => ({ host, weight: 6, kinds: ['crash', 'crash', 'freeze', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', 'drain'] as const })),
      ...elements.map((host) => ({ host, weight: 2, kinds: ['crash', 'crash', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', 'drain'] as const })),
      ...users.map((host) => ({ host, weight: 1, kinds: ['freeze', 'block', 'cut', 'cut one way', 'hold', 'break'] as const })),
    ],
    others: [...registrars, ...elements, ...users], count: 2 + random.below(12), span, segments: 0, longest: 8_000,
  });
}
