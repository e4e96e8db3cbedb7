import type { DeliveryMode } from '../../delivery/modes.js';
import type { Milliseconds } from '../../environment.js';
import { SeededRandom } from '../seeded-random.js';
import { planFaults, type PlannedFault } from './faults.js';
import { drawCallback, drawMessages, drawMode } from './session-life.js';
import { drawStyle, type ServiceStyle } from './service.js';
import type { ScriptedMessage, SessionScript } from './watched-session.js';

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
    readonly callback: SessionScript['callback'];
    /** Between two look-ups. */
    readonly pause: Milliseconds;
    readonly messages: readonly ScriptedMessage[];
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
  const styles = new Map(pools.map((pool) => [pool, drawPoolStyle(random, [...elements.values()].filter((each) => each === pool).length)]));
  const span = 6_000 + random.below(8_000);
  const users = Array.from({ length: 1 + random.below(MAX_USERS) }, (_, index) => drawUser(random, `u${index + 1}`, pools, span));
  const keeps = new Set([...elements.keys()].filter(() => random.below(2) === 0));
  return {
    network: { latency: 0.5 + random.below(4), jitter: random.below(3) * random.below(4), loss: random.below(5) === 0 ? 0.01 : 0, chunks: random.below(2) === 0 ? 'whole' : 'random', bufferSize: 0x1_0000 },
    registrars, pools, elements, styles, users, span,
    identifiers: (name, life) => 0x100 * Number(name.slice(1)) + (keeps.has(name) ? 1 : life),
    faults: drawFaults(random, registrars.map(({ name }) => name), [...elements.keys()], users.map(({ name }) => name), span),
  };
}

/** Its elements have room for all users: what is refused by all has nowhere to go. */
function drawPoolStyle(random: SeededRandom, elements: number): ServiceStyle {
  const style = drawStyle(random);
  return { ...style, maxSessions: Math.max(style.maxSessions, Math.ceil(MAX_USERS / elements) + 1) };
}
const MAX_USERS = 3;

/** Two or three as a rule. Each knows all others, or the first alone; the first knows the second. */
function drawRegistrars(random: SeededRandom): ScopePlan['registrars'] {
  const names = ['r1', 'r2', 'r3', 'r4'].slice(0, [1, 2, 2, 3, 3, 3, 3, 4][random.below(8)] ?? 3);
  const knowsAll = random.below(3) > 0;
  const order = random.below(2) === 0 ? 1 : -1; // whose identifier is smaller
  return names.map((name, index) => ({
    name, id: 0x5000 + order * (index + 1), peers: names.filter((other, at) => other !== name && (knowsAll || at === (index === 0 ? 1 : 0))),
  }));
}

function drawUser(random: SeededRandom, name: string, pools: readonly string[], span: Milliseconds): ScopePlan['users'][number] {
  const pool = pools[random.below(pools.length)] ?? '';
  const count = 5 + random.below(20);
  return {
    name, pool, mode: drawMode(random), callback: drawCallback(random), pause: 200 + random.below(600),
    messages: drawMessages(random, count, () => ({ after: random.below((2 * span) / count), padding: random.below(60) })),
  };
}

function drawFaults(random: SeededRandom, registrars: readonly string[], elements: readonly string[], users: readonly string[], span: Milliseconds): PlannedFault[] {
  return planFaults(random, {
    victims: [
      ...registrars.map((host) => ({ host, weight: 6, kinds: ['crash', 'crash', 'freeze', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', 'drain'] as const })),
      ...elements.map((host) => ({ host, weight: 2, kinds: ['crash', 'crash', 'freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'slow', 'drain'] as const })),
      ...users.map((host) => ({ host, weight: 1, kinds: ['freeze', 'block', 'cut', 'cut one way', 'hold', 'break', 'crash'] as const })),
    ],
    others: [...registrars, ...elements, ...users], count: 2 + random.below(12), span, segments: 0, longest: 5_000,
  });
}
