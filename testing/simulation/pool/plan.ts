import type { DeliveryMode } from '../../../delivery/modes.js';
import type { Milliseconds } from '../../../environment.js';
import { SeededRandom } from '../../seeded-random.js';
import { planFaults, type PlannedFault } from '../faults.js';
import { drawMode } from '../session-life.js';

/** What a seed says about a pool and those who use it in other ways than by a session of their own. */
export interface PoolPlan {
  readonly network: { readonly latency: Milliseconds; readonly jitter: Milliseconds; readonly loss: number; readonly chunks: 'whole' | 'random'; readonly bufferSize: number };
  readonly registrars: readonly string[];
  readonly elements: readonly PlannedElement[];
  /** Elements of a pool of their own that use the other: the first has a session with it, the others take its place. None in some worlds. */
  readonly clients: readonly string[];
  readonly card: PlannedCard;
  readonly sends: readonly PlannedSend[];
  /** Of Basic Mode. */
  readonly asks: readonly { readonly at: Milliseconds; readonly caller: string; readonly isNext: boolean }[];
  /** A fast session beside a slow one on one link; none in some worlds. */
  readonly pair: PlannedPair | undefined;
  readonly faults: readonly PlannedFault[];
  /** All is well after so long. */
  readonly span: Milliseconds;
}

export interface PlannedElement {
  readonly name: string;
  /** One listener; two, each a registration; one, and an address where it is reached without any data channel of ours. */
  readonly shape: 'plain' | 'two ways' | 'tied';
  /** It takes its second registration back; never: undefined. */
  readonly lessAfter: Milliseconds | undefined;
  /** Its process has an element in another pool too. */
  readonly hasSide: boolean;
}

export interface PlannedCard {
  /** Hosts, the best first. */
  readonly order: readonly string[];
  /** Turned round later. */
  readonly changesAfter: Milliseconds | undefined;
  /** The service says something so often. */
  readonly newsEvery: Milliseconds;
}

export interface PlannedSend {
  readonly number: number;
  readonly at: Milliseconds;
  readonly to: 'pool' | 'side' | 'element' | 'all' | 'last';
  readonly mode: DeliveryMode;
}

export interface PlannedPair {
  /** The slow one does not read for so long. */
  readonly hold: Milliseconds;
  readonly messages: number;
  /** Bytes of each reply. */
  readonly size: number;
}

const BULK = 50_000;
export const POOL = 'work';
export const SIDE = 'side';
export const CLIENTS = 'clients';
export const SENDER = 'u1';
export const READER = 'u2';

export function planPool(seed: number): PoolPlan {
  const random = new SeededRandom(seed).fork();
  const span = 400 + random.below(1_800);
  const registrars = random.below(3) === 0 ? ['r1', 'r2'] : ['r1'];
  const chunks = random.below(2) === 0 ? 'whole' : 'random';
  const pair = random.below(2) === 0 ? drawPair(random, chunks) : undefined;
  const elements = Array.from({ length: 2 + random.below(3) }, (_, index): PlannedElement => {
    const shape = (['plain', 'plain', 'two ways', 'tied'] as const)[random.below(4)] ?? 'plain';
    const lessAfter = random.below(span);
    return { name: `e${index + 1}`, shape, lessAfter: shape !== 'plain' && random.below(3) === 0 ? lessAfter : undefined, hasSide: index === 0 };
  });
  const clients = random.below(2) === 0 ? ['c1', 'c2', 'c3'] : [];
  const network = { latency: 0.5 + random.below(5), jitter: random.below(3) * random.below(5), loss: random.below(5) === 0 ? 0.02 : 0, chunks, bufferSize: 0x1_0000 } as const;
  return {
    network: pair !== undefined && pair.size >= BULK ? { ...network, latency: Math.min(network.latency, 1.5), jitter: 0, loss: 0 } : network, // what was granted to the slow one goes ahead of the fast one, as fast as the path is
    registrars, elements, clients, pair, span,
    card: drawCard(random, span),
    sends: Array.from({ length: 4 + random.below(14) }, (_, index) => drawSend(random, index + 1, span)),
    asks: Array.from({ length: random.below(4) }, () => ({ at: random.below(span), caller: random.below(2) === 0 ? 'a' : 'b', isNext: random.below(3) > 0 })),
    faults: drawFaults(random, registrars, elements.map(({ name }) => name), clients, span),
  };
}

function drawSend(random: SeededRandom, number: number, span: Milliseconds): PlannedSend {
  const to = (['pool', 'pool', 'pool', 'side', 'element', 'element', 'all', 'last'] as const)[random.below(8)] ?? 'pool';
  const mode = drawMode(random);
  return { number, at: random.below(span), to, mode: to === 'all' ? 'at-most-once' : mode };
}

const drawCard = (random: SeededRandom, span: Milliseconds): PlannedCard => ({
  order: ([['c2', 'c3'], ['c3', 'c2'], ['c3'], []] as const)[random.below(4)] ?? [],
  changesAfter: random.below(3) === 0 ? random.below(span) : undefined,
  newsEvery: 20 + random.below(80),
});

/** Some have more than any queue may keep; not where streams come in small pieces, which cost a turn each. */
const drawPair = (random: SeededRandom, chunks: 'whole' | 'random'): PlannedPair => (chunks === 'random' ? { hold: 100 + random.below(1_900), messages: 5 + random.below(20), size: 1 + random.below(300) } : random.below(4) === 0
  ? { hold: 1_500 + random.below(600), messages: 90, size: 100_000 }
  : { hold: 100 + random.below(1_900), messages: 5 + random.below(30), size: 1 + random.below(30_000) });

function drawFaults(random: SeededRandom, registrars: readonly string[], elements: readonly string[], clients: readonly string[], span: Milliseconds): PlannedFault[] {
  return planFaults(random, {
    victims: [
      ...registrars.map((host) => ({ host, weight: 1, kinds: ['crash', 'freeze', 'cut', 'break', 'block'] as const })),
      ...elements.map((host) => ({ host, weight: 2, kinds: ['crash', 'crash', 'drain', 'freeze', 'cut', 'cut one way', 'hold', 'break', 'block'] as const })),
      ...clients.map((host, index) => ({ host, weight: index === 0 ? 5 : 1, kinds: ['crash', 'crash', 'crash', 'break', 'freeze'] as const })),
      ...[SENDER, READER].map((host) => ({ host, weight: 1, kinds: ['freeze', 'block', 'cut', 'hold', 'break'] as const })),
    ],
    others: [...registrars, ...elements, ...clients, SENDER], count: random.below(5), span, segments: 0, longest: 1_200,
  });
}
